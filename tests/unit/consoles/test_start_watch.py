"""The watch over a start: what is drained before it, whose lines count, and when silence proves nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeck.config import Console
from flashdeck.console_kinds import ConsoleCondition
from flashdeck.line_patterns import LinePattern
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.consoles.console_reader import DRAIN_LIMIT, QUIET_SECONDS
from flashdeckd.consoles.start_judge import StartRules
from flashdeckd.consoles.start_watch import LATE_SECONDS, StartWatch
from flashdeckd.host import clock
from talking_boards import Talk, talking

READY = "boot ok, app1 (?P<version>[0-9.]+)"


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path) as talk:
        yield talk


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at

    time = monotonic

    def sleep(self, seconds: float, /) -> None:
        self.at += seconds


def on_path(talk: Talk) -> Console:
    """The console of the left board, whose port is there whatever the board does."""
    talk.left.start()
    assert talk.left.port is not None
    return Console(port=str(talk.left.port.node), ready=READY)


async def opened(talk: Talk) -> None:
    talk.configure(left=on_path(talk), right=None)
    talk.see()
    await talk.until(lambda: talk.condition() is ConsoleCondition.OPEN)


async def test_what_was_said_before_the_leave_is_waited_for_and_not_for_ever(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(talk)
    reader, real, pauses = talk.consoles.of("left"), asyncio.sleep, list[float]()
    says = [b"x", b"y"]

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if says:
            talk.left.say(says.pop())
            await real(0.05)

    monkeypatch.setattr("flashdeckd.consoles.console_reader.asyncio.sleep", pause)
    await reader.drained()
    assert pauses == [QUIET_SECONDS] * 3, "twice something came, then nothing"
    pauses.clear()
    says += [b"z"] * 2 * DRAIN_LIMIT
    await reader.drained()
    assert pauses == [QUIET_SECONDS] * DRAIN_LIMIT


async def test_lines_that_began_before_the_leave_are_old(talk: Talk) -> None:
    await opened(talk)
    reader = talk.consoles.of("left")
    talk.left.say(b"boot ok, app1 1.0.6\r\nboot ok, app1 1.")
    await talk.until(lambda: "boot ok, app1 1.0.6" in talk.lines())
    reader.begin_start("1.0.7", sees_app=False)
    talk.left.say(b"0.6\r\n")
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    ((board, judgement, before),) = talk.verdicts
    assert (board, judgement.verdict, judgement.lines, before) == ("left", Verdict.RUNS, ("boot ok, app1 1.0.7",), None)
    assert any(mark.startswith("runs, ") for mark in talk.marks())


async def test_a_line_behind_a_prompt_of_the_bootloader_is_the_application_s(talk: Talk) -> None:
    await opened(talk)
    reader = talk.consoles.of("left")
    talk.left.say(b"dfu> ")
    await talk.until(lambda: "dfu> " in talk.lines())
    reader.begin_start("", sees_app=False)
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    assert talk.verdicts[0][1].verdict is Verdict.RUNS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_a_line_may_come_in_pieces_with_pauses_between(talk: Talk, size: int) -> None:
    await opened(talk)
    reader = talk.consoles.of("left")
    reader.begin_start("1.0.7", sees_app=False)
    line = b"boot ok, app1 1.0.7\r\n"
    for at in range(0, len(line), size):
        talk.left.say(line[at : at + size])
        if at == len(line) // size // 2 * size:
            await talk.until(lambda: bool(talk.lines()))  # the record shows half of it by now
    await talk.until(lambda: bool(talk.verdicts))
    assert talk.verdicts[0][1].verdict is Verdict.RUNS
    assert talk.verdicts[0][1].version == "1.0.7"


@pytest.mark.parametrize(("more", "verdict"), [(-0.01, Verdict.SILENT), (0.01, Verdict.UNKNOWN)])
async def test_a_port_that_was_opened_late_has_missed_something(
    monkeypatch: pytest.MonkeyPatch, more: float, verdict: Verdict
) -> None:
    now = SetClock()
    monkeypatch.setattr(clock, "system", now)
    told: asyncio.Queue[Judgement] = asyncio.Queue()
    watch = StartWatch(
        read_rest=lambda: None, deafness=lambda: "", told=lambda judgement, _before: told.put_nowait(judgement)
    )
    watch.begin(StartRules(ready=LinePattern(READY), within=0.05, sees_app=True), is_behind_old=False)
    watch.see(is_app=True, is_dfu=False, is_other=True)
    now.at += LATE_SECONDS + more
    watch.opened()
    assert (await told.get()).verdict is verdict
    watch.end()
