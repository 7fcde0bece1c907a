"""The full log, the history and the page of a job as pictures. `pytest tests/tui --snapshot-update` renews them."""

import asyncio
from typing import Any, Protocol, cast

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.job_state import Done, PhaseTimes
from flashdeck.model import ConsoleEntry, ConsoleState
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.store import Selection
from tui_scene import BENCH, NOW, OLDER, RESULT, job, make_app

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


SAID = api.ConsolePage(
    board="left",
    entries=tuple(
        ConsoleEntry(number=number, at=NOW - 60 + number / 8, kind=kind, text=text)
        for number, (kind, text) in enumerate(
            (
                (ConsoleKind.MARK, "job 6: leave"),
                (ConsoleKind.MARK, "running at 1-4.2"),
                (ConsoleKind.MARK, "/dev/ttyACM0 opened at 115200 baud"),
                (ConsoleKind.LINE, "app1 1.0.2"),
                (ConsoleKind.LINE, "adc 512, and more than one line of a small terminal has room for"),
                (ConsoleKind.NOISE, "12 bytes that are no text"),
                (ConsoleKind.LINE, "assert failed: sensor.c:80"),
            ),
            1,
        )
    ),
    next=7,
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


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_log_with_a_console(snap_compare: Compare, size: tuple[int, int]) -> None:
    console = ConsoleState(port="app", condition=ConsoleCondition.OPEN, node="/dev/ttyACM0")
    snapshot = replace(BENCH, boards=tuple(replace(each, console=console) for each in BENCH.boards[:1]), jobs=())
    app, link = make_app(snapshot)
    usual, heard = link.call, asyncio.Event()

    async def call(params: api.Params[Any]) -> Any:
        if not isinstance(params, api.GetConsole):
            return await usual(params)
        if params.wait:  # whoever waits for more has taken over what was said so far
            heard.set()
            await asyncio.Event().wait()
        return SAID

    async def with_console(pilot: Pilot[int]) -> None:
        await shown("3", "o")(pilot)
        await heard.wait()
        await pilot.pause()
        await pilot.pause()

    cast("Any", link).call = call
    assert snap_compare(app, terminal_size=size, run_before=with_console)
