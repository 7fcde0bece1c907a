from typing import Any

import msgspec
import pytest

from flashdeck.job_state import Verified
from flashdeck_tui.demo.demo_report import DemoRow, complaints, table

GOOD = DemoRow(
    board="classic",
    partition="app1",
    version="demo 1.0.0",
    bytes=99208,
    erases=13,
    erases_seen=13,
    transfers=400,
    seconds=1.234,
    verified=Verified.YES,
    sha256="ab" * 32,
    is_image=True,
    outside_unchanged=True,
    jobs=1,
    pressed=False,
)


def changed(**values: Any) -> DemoRow:
    return msgspec.structs.replace(GOOD, **values)


def test_a_good_row_has_nothing_to_complain_of() -> None:
    assert complaints([GOOD, GOOD]) == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"is_image": False}, "does not have the image"),
        ({"outside_unchanged": False}, "bytes outside the partition changed"),
        ({"jobs": 2}, "became 2 jobs"),
        ({"erases_seen": 14}, "the job tells of 13 erases, the board of 14"),
    ],
)
def test_each_wrong_fact_is_told_with_board_and_build(values: dict[str, Any], words: str) -> None:
    (complaint,) = complaints([GOOD, changed(**values)])
    assert words in complaint
    assert "app1 of classic after build demo 1.0.0" in complaint


def test_the_table_fits_80_columns_and_holds_whole_hashes() -> None:
    lines = table([GOOD, changed(board="noread", bytes=393216, verified=Verified.NO, seconds=12.5)]).splitlines()
    assert len(lines) == 5
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["classic", "app1", "1.0.0", "99208", "13", "400", "1.23", "yes", "same"]
    assert lines[3].split() == ["noread", "app1", "1.0.0", "393216", "13", "400", "12.50", "no", "same"]
    assert lines[2].split() == lines[4].split() == ["sha256", "ab" * 32, "=", "image"]


def test_the_table_shows_what_is_wrong() -> None:
    text = table([changed(is_image=False, outside_unchanged=False)])
    assert "WRONG" in text
    assert "CHANGED" in text
