"""The lines of the log about a board that comes and goes, and of one that does not come back."""

import asyncio

import pytest

from flashdeck.model import DaemonState, LogLevel, LogLine, Presence
from flashdeck.words.boards import LEFT_DFU_MODE, overdue_text, restart_text
from flashdeckd.boards.comings import Comings
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.state.hub import Hub
from flashdeckd.usb.recognition import ABSENT, Sighting

SOON = 0.01


def hub() -> Hub:
    return Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))


async def logged(log: Hub, count: int) -> list[LogLine]:
    async with asyncio.timeout(30):
        while len(log.logs()) < count:
            await log.logged(30)
    return list(log.logs())


@pytest.mark.parametrize(
    ("into", "text"),
    [
        (Presence.DFU, "absent: it did not come back in DFU mode within 10 ms"),
        (Presence.APP, "absent: it did not come back with its application within 10 ms"),
    ],
)
async def test_a_board_that_does_not_come_back_in_its_time_says_so(into: Presence, text: str) -> None:
    log = hub()
    Comings(log, lambda _: None).tell("left", ABSENT, RestartAsked(into, back_within=SOON))
    restarts, overdue = await logged(log, 2)
    assert restarts.text == restart_text(into)
    assert (overdue.text, overdue.level, overdue.board) == (text, LogLevel.WARNING, "left")
    assert text == overdue_text(into, SOON)


async def test_one_that_comes_back_or_whose_end_nobody_waits_for_says_nothing() -> None:
    log = hub()
    comings = Comings(log, lambda _: None)
    comings.tell("left", ABSENT, RestartAsked(Presence.DFU, back_within=SOON))
    comings.tell("left", Sighting(Presence.DFU), None)
    comings.tell("blind", ABSENT, RestartAsked(Presence.APP, back_within=None))
    comings.tell("gone", ABSENT, RestartAsked(Presence.DFU, back_within=SOON))
    comings.rename_boards({"gone": "new"})
    comings.tell("other", ABSENT, RestartAsked(Presence.DFU, back_within=SOON))
    comings.end()
    comings.tell("last", ABSENT, RestartAsked(Presence.DFU, back_within=2 * SOON))
    assert [line.board for line in await logged(log, 6)][-1] == "last"


async def test_a_pulled_cable_reads_as_one() -> None:
    log = hub()
    Comings(log, lambda _: None).tell("left", ABSENT, None)
    assert [line.text for line in log.logs()] == ["absent"]


def test_a_restart_is_over_with_its_time_or_once_the_board_is_seen() -> None:
    state, restart = LaneState(), RestartAsked(Presence.APP, back_within=None)
    state.expect_restart(restart, seconds=-1.0)
    assert state.restart is None
    state.expect_restart(restart)
    state.see(Sighting(Presence.OTHER))
    assert state.restart == restart
    state.forget_restart()
    assert state.restart is None


async def test_a_press_that_nobody_asked_for_is_no_absence_until_the_board_stays_away() -> None:
    log, noted = hub(), list[str]()
    comings = Comings(log, noted.append)
    comings.tell("left", ABSENT, RestartAsked(Presence.DFU, back_within=SOON, by_hand=True, is_asked=False))
    assert comings.away("left") == restart_text(Presence.DFU, by_hand=True)
    _, gone = await logged(log, 2)
    assert (gone.text, gone.level) == ("absent", LogLevel.INFO)
    assert comings.away("left") == ""
    assert noted == ["left", "left"]


async def test_of_a_board_whose_application_is_never_seen_it_is_known_that_it_left_dfu_mode() -> None:
    noted = list[str]()
    comings = Comings(hub(), noted.append)
    comings.tell("left", ABSENT, RestartAsked(Presence.APP, back_within=None))
    assert comings.away("left") == LEFT_DFU_MODE
    comings.tell("left", Sighting(Presence.DFU), None)
    assert comings.away("left") == ""
    assert noted == ["left", "left"]
    comings.tell("left", ABSENT, None)
    assert comings.away("left") == "", "nobody asked for that: its cable may have been pulled"


async def test_a_board_that_is_back_is_not_away() -> None:
    comings = Comings(hub(), lambda _: None)
    comings.tell("left", ABSENT, RestartAsked(Presence.APP, back_within=60.0))
    assert comings.away("left") == "restarts into its application"
    comings.tell("left", Sighting(Presence.APP), None)
    assert comings.away("left") == ""
