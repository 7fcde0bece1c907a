"""The full log, the history and the page of a job as pictures. `pytest tests/tui --snapshot-update` renews them."""

from typing import Any, Protocol, cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from flashdeck.job_state import Done, PhaseTimes
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.store import Selection
from tui_scene import NOW, OLDER, RESULT, job, make_app

SIZES = [(60, 20), (80, 24)]
TIMES = PhaseTimes(detach=0.8, compare=0.3, erase=0.6, write=1.4, verify=0.5, start=0.4)
PAST = tuple(
    job(
        number,
        "left",
        Done(result=replace(RESULT, seconds=1.0 + (number * 7) % 5, unchanged=8192 * number)),
        sha256=OLDER,
        version=f"1.0.{number}",
        times=TIMES,
        started_at=NOW - 3600 * (9 - number),
    )
    for number in range(1, 5)
)


class Compare(Protocol):
    def __call__(self, app: FlashdeckApp, *, terminal_size: tuple[int, int], run_before: Any) -> bool: ...


def shown(*keys: str) -> Any:
    async def before(pilot: Pilot[int]) -> None:
        app = cast("FlashdeckApp", pilot.app)
        await pilot.pause()
        app.refresh_views()
        await pilot.pause()
        app.main.select(Selection(board="left", partition="app1"))
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
            await pilot.pause()

    return before


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "keys",
    [("3", "slash", *"flashing", "enter"), ("h",), ("h", "down", "enter")],
    ids=["log", "history", "job"],
)
def test_records(snap_compare: Compare, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    app, link = make_app()
    link.history = PAST
    assert snap_compare(app, terminal_size=size, run_before=shown(*keys))
