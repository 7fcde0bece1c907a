"""Signs of life: given while the parts answer, withheld where restarting may help."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.model import BoardState, Presence
from flashdeck.words.daemon import summary
from flashdeckd.host.service_manager import ServiceManager
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub, this_daemon
from flashdeckd.supervision import (
    ANSWER_SHARE,
    ROUND_SECONDS,
    SIGNS,
    STATUS_PAUSE,
    LaneSign,
    Supervision,
    reason_to_withhold,
)
from slot_scene import slots

HANGING = LaneSign("left", has_work=True, is_late=True)
WORKING = LaneSign("right", has_work=True, is_late=False)
IDLE = LaneSign("spare", has_work=False, is_late=False)


def test_one_board_that_hangs_withholds_nothing_and_all_that_work_do() -> None:
    assert reason_to_withhold((), ()) == ""
    assert reason_to_withhold((), (HANGING, WORKING)) == ""
    assert reason_to_withhold((), (WORKING, IDLE)) == ""
    assert reason_to_withhold((), (IDLE,)) == ""
    assert "left" in reason_to_withhold((), (HANGING, IDLE))
    assert reason_to_withhold(("journal",), (WORKING,)) == "journal did not answer"


@given(st.lists(st.builds(LaneSign, st.text(max_size=3), has_work=st.booleans(), is_late=st.booleans())))
def test_it_is_withheld_only_where_no_lane_with_work_is_on_time(lanes: list[LaneSign]) -> None:
    assert not (reason_to_withhold((), lanes) and any(lane.has_work and not lane.is_late for lane in lanes))


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.settimeout(0)
        yield ours


def supervision(
    heard: socket.socket, parts: dict[str, Callable[[], Awaitable[object]]], *lanes: LaneSign
) -> tuple[Supervision, Hub]:
    hub = Hub(this_daemon(virtual=True))
    manager = ServiceManager(heard.getsockname(), watchdog=60)
    return Supervision(manager, hub=hub, health=Health(hub), parts=parts, lanes=lambda: lanes), hub


def said(heard: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines.append(heard.recv(4096).decode())
        except BlockingIOError:
            return lines


async def answers() -> None:
    pass


async def fails() -> None:
    raise OSError("the disk is full")  # which is an answer


async def test_a_sign_is_given_while_all_answer_and_a_part_that_hangs_is_told(heard: socket.socket) -> None:
    mended = asyncio.Event()
    its, hub = supervision(heard, {"journal": fails, "builds": answers, "usb": mended.wait}, HANGING, WORKING)
    await its.ask(0.01)
    assert said(heard) == []
    (trouble,) = hub.daemon.troubles
    assert (trouble.part, trouble.text) == ("flashdeckd", "usb did not answer")
    mended.set()
    await its.ask(60)
    assert said(heard) == ["WATCHDOG=1"]
    assert hub.daemon.troubles == ()


async def test_where_every_board_with_work_hangs_no_sign_is_given(heard: socket.socket) -> None:
    its, hub = supervision(heard, {"builds": answers}, HANGING, IDLE)
    await its.ask(60)
    assert said(heard) == []
    assert "left" in hub.daemon.degraded[0]


async def test_the_status_follows_the_state_and_signs_come_as_often_as_is_wanted(
    heard: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    its, hub = supervision(heard, {})
    slept: list[float] = []
    go_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await go_on.wait()
        go_on.clear()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    running = asyncio.create_task(its.run())
    while not {STATUS_PAUSE, 60 / SIGNS} <= set(slept):
        await asyncio.wait([running], timeout=0.001)
    assert said(heard) == ["STATUS=no boards configured", "WATCHDOG=1"]
    hub.publish_board(BoardState(name="left", profile="p", presence=Presence.ABSENT))
    hub.publish_board(BoardState(name="left", profile="p", presence=Presence.DFU))
    while len(slept) < 4:
        go_on.set()
        await asyncio.wait([running], timeout=0.001)
    running.cancel()
    await asyncio.wait([running])
    statuses = [line for line in said(heard) if line.startswith("STATUS")]
    assert statuses == ["STATUS=1 board: 1 no build yet"]  # one for two changes


@pytest.mark.parametrize(("watchdog", "pause"), [(60.0, 60 / SIGNS), (0.0, ROUND_SECONDS)])
async def test_parts_have_a_share_of_a_round_to_answer_in(
    watchdog: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(this_daemon(virtual=True))
    manager = ServiceManager("/nowhere", watchdog=watchdog)
    its = Supervision(manager, hub=hub, health=Health(hub), parts={}, lanes=lambda: ())
    asked: list[float] = []
    slept: list[float] = []

    async def ask(seconds: float) -> None:
        asked.append(seconds)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(its, "ask", ask)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    running = asyncio.create_task(its.run())
    while pause not in slept:
        await asyncio.wait([running], timeout=0.001)
    running.cancel()
    await asyncio.wait([running])
    assert asked == [pause * ANSWER_SHARE]


def test_slots_are_no_boards_in_the_status() -> None:
    bench = slots(6)
    jigs = tuple(BoardState(name=slot.name, profile="p", presence=Presence.ABSENT, slot=True) for slot in bench.slots)
    assert summary(replace(bench, boards=jigs)) == "6 slots: 1 FAIL, 3 PASS, 1 empty, 1 flashing"
