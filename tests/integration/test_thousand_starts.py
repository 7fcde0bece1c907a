"""Starts of emulated boards whose events come in all kinds of orders: not one verdict is other than what is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from start_rows import StartKind
from start_run import started
from storm_tally import SHOWN

PAGE = Path(__file__).parents[2] / "docs" / "does-it-run.md"
SAMPLE = 4 * len(StartKind)


def test_the_page_tells_of_each_kind() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("|")]
    assert [kind for kind in StartKind if kind.value not in rows] == []


@pytest.mark.parametrize(
    ("count", "each"), [(SAMPLE, 4), pytest.param(1000, 50, marks=(pytest.mark.long, pytest.mark.timeout(600)))]
)
async def test_no_verdict_is_wrong(
    tmp_path: Path, record_property: Callable[[str, object], None], count: int, each: int
) -> None:
    tally = await started(tmp_path, count)
    record_property(SHOWN, str(tally))
    assert not tally.mistakes, "\n".join(tally.mistakes)
    assert tally.kinds.total() == count
    assert all(tally.kinds[kind] >= each for kind in StartKind), str(tally)
