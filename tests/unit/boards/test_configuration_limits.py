"""The limits of reading the configuration again."""

from pathlib import Path

import pytest

from flashdeck.config_file import Reading, reading_of
from flashdeckd.host import clock
from flashdeckd.requests.reloading import FRESH_SECONDS, begin
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
