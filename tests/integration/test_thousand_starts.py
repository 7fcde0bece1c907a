"""Starts of emulated boards whose events come in all kinds of orders: not one verdict is other than what is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from start_rows import StartKind
from start_run import started
from storm_tally import SHOWN

SAMPLE = 4 * len(StartKind)


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
