"""The watch over a start: what is drained before it, whose lines count, and when silence proves nothing."""

import asyncio
import select
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from flashdeck.config import Console
from flashdeck.console_kinds import ConsoleCondition
from flashdeck.line_patterns import LinePattern
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.consoles.console_reader import BYTES_A_SECOND, DRAIN_LIMIT, QUIET_SECONDS
from flashdeckd.consoles.deaf_times import LATE_SECONDS
from flashdeckd.consoles.start_judge import StartRules
from flashdeckd.consoles.start_watch import StartWatch
from flashdeckd.host import clock, serial_lines
from flashdeckd.host.serial_lines import LineSettings
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


class HeardLines:
    """The ports that were opened, and how much was read of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open, self._read = serial_lines.system.open_to_hear, serial_lines.system.read
        self.opened: list[int] = []
        self.count = 0
        monkeypatch.setattr(serial_lines.system, "open_to_hear", self.open_to_hear)
        monkeypatch.setattr(serial_lines.system, "read", self.read)

    def open_to_hear(self, node: Path, settings: LineSettings) -> int:
        self.opened.append(self._open(node, settings))
        return self.opened[-1]

    def read(self, descriptor: int, size: int) -> bytes:
        data = self._read(descriptor, size)
        self.count += len(data)
        return data

    def has_come(self) -> None:
        """Return once the kernel has something to be read, and give the loop no turn."""
        assert select.select(self.opened, [], [], 30)[0]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> HeardLines:
    return HeardLines(monkeypatch)


async def test_what_was_said_before_the_leave_is_waited_for_and_not_for_ever(
    talk: Talk, heard: HeardLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(talk)
    reader, real, pauses = talk.consoles.of("left"), asyncio.sleep, list[float]()
    says = [b"x", b"y"]

    async def pause(seconds: float) -> None:
        if seconds != QUIET_SECONDS:
            await real(seconds)
            return
        pauses.append(seconds)
        if says:
            wanted = heard.count + 1
            talk.left.say(says.pop())
            while heard.count < wanted:
                await real(0.001)

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
    watch = StartWatch(read_rest=lambda: None, told=lambda judgement, _before: told.put_nowait(judgement))
    watch.begin(StartRules(ready=LinePattern(READY), within=0.05, sees_app=True), is_behind_old=False, port_stays=False)
    watch.see(is_app=True, is_dfu=False, is_other=True)
    now.at += LATE_SECONDS + more
    watch.opened()
    assert (await told.get()).verdict is verdict
    watch.end()


async def test_what_was_said_before_a_board_left_the_bus_was_said_before() -> None:
    told: list[Judgement] = []
    said: list[bytes] = []
    watch = StartWatch(
        read_rest=lambda: watch.feed(said.pop()) if said else None,
        told=lambda judgement, _before: told.append(judgement),
    )
    rules = StartRules(ready=LinePattern(READY), within=60, stays=60, sees_app=True)
    watch.begin(rules, is_behind_old=False, port_stays=True)
    watch.opened()
    watch.see(is_app=True, is_dfu=False, is_other=True)
    said.append(b"boot ok, app1 1.0.7\r\n")
    watch.see(is_app=False, is_dfu=False, is_other=True)
    assert [each.verdict for each in told] == [Verdict.CRASHED]
    watch.end()


async def test_in_a_flood_too_what_was_said_before_the_leave_is_old(talk: Talk, heard: HeardLines) -> None:
    await opened(talk)
    assert talk.left.port is not None
    said = 0
    while said < 2 * BYTES_A_SECOND:  # no more of it is recorded
        said += talk.left.port.speak(b"adc 512\r\n" * 100)
        await asyncio.sleep(0)
    while heard.count < said:  # noqa: ASYNC110 - no event comes as soon as a turn of the loop
        await asyncio.sleep(0)  # no longer: it pauses a moment after each read now
    reader = talk.consoles.of("left")
    talk.left.say(b"boot ok, app1 1.0.6\r\n")
    heard.has_come()
    reader.begin_start("1.0.7", sees_app=False)
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    assert talk.verdicts[0][1].lines == ("boot ok, app1 1.0.7",)
    assert len(heard.opened) == 1, "nothing was lost by it"


async def test_a_look_for_more_is_no_end_of_a_port(talk: Talk, heard: HeardLines) -> None:
    await opened(talk)
    talk.consoles.of("left").begin_start("1.0.7", sees_app=False)
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    assert len(heard.opened) == 1


@pytest.mark.parametrize("is_back", [False, True])
async def test_a_port_that_others_had_at_the_leave_has_missed_something(talk: Talk, is_back: bool) -> None:
    talk.configure(left=replace(on_path(talk), within=0.3), right=None)
    talk.see()
    await talk.until(lambda: talk.condition() is ConsoleCondition.OPEN)
    reader = talk.consoles.of("left")
    await reader.release()
    reader.begin_start("1.0.7", sees_app=True)
    reader.watch.see(is_app=True, is_dfu=False, is_other=True)
    if is_back:
        await reader.resume()
    await talk.until(lambda: bool(talk.verdicts))
    judgement = talk.verdicts[0][1]
    assert judgement.verdict is Verdict.UNKNOWN
    assert "released" in judgement.reason


async def test_dots_of_a_bootloader_do_not_hide_the_first_line(talk: Talk) -> None:
    await opened(talk)
    reader = talk.consoles.of("left")
    talk.left.say(b"......")
    await reader.drained()
    reader.begin_start("1.0.7", sees_app=False)
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    assert talk.verdicts[0][1].verdict is Verdict.RUNS


async def test_noise_before_the_leave_is_no_line_that_goes_on(talk: Talk, heard: HeardLines) -> None:
    await opened(talk)
    talk.left.say(b"\xff\xfe\xff\n")
    heard.has_come()
    talk.consoles.of("left").begin_start("1.0.7", sees_app=False)
    talk.left.say(b"boot ok, app1 1.0.7\r\n")
    await talk.until(lambda: bool(talk.verdicts))
    assert talk.verdicts[0][1].verdict is Verdict.RUNS
