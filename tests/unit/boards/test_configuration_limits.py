"""The limits of reading the configuration again."""

from pathlib import Path

import pytest

from flashdeck.config import Config, DaemonKeys
from flashdeck.config_file import Reading, reading_of
from flashdeckd.host import clock
from flashdeckd.requests.reloading import FRESH_SECONDS, LONGEST_REST, begin, rest_of
from flashdeckd.state.config_record_file import ConfigRecordFile


@pytest.mark.parametrize(("after", "times"), [(0.99, 2), (1.01, 1)])
def test_a_file_that_changed_just_before_it_was_read_is_read_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, times: int
) -> None:
    path, count = tmp_path / "c.toml", 0
    path.write_text("")
    changed_at = path.stat().st_ctime

    def read() -> Reading:
        nonlocal count
        count += 1
        return reading_of(path)

    monkeypatch.setattr(clock, "now", lambda: changed_at + FRESH_SECONDS * after)
    begin(read, ConfigRecordFile(tmp_path))
    assert count == times


@pytest.mark.parametrize(
    ("settle", "rest"), [(0.5 * LONGEST_REST, 0.5 * LONGEST_REST), (LONGEST_REST, LONGEST_REST), (600.0, LONGEST_REST)]
)
def test_a_settle_time_for_slow_builds_does_not_keep_a_change_of_the_configuration_waiting(
    settle: float, rest: float
) -> None:
    assert rest_of(Config(daemon=DaemonKeys(settle=settle))) == rest
