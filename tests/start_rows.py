"""Kinds of starts: for each some orders of events, and the verdict that is right by what the board did.

The verdicts stand here as somebody says them who sees both sides; no code of the judge is behind them.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Final, Protocol

from flashdeck.model import Presence
from flashdeck.verdict import Verdict
from flashdeckd.consoles.console_reader import SILENCE_SECONDS
from starting_bench import LONG, SHORT, ConsoleSetup, StartingBoard, Wiring

A, P, U = Wiring.APP, Wiring.PATH, Wiring.ALONE


class StartKind(StrEnum):
    """The thing that is peculiar to an order of events."""

    BEFORE_WAIT = "line before `wait`"
    BEFORE_OPEN = "line before the port is opened"
    SPLIT = "line split over reads"
    AFTER_WITHIN = "line after `within`"
    OLD_BEFORE_LEAVE = "line of the old build before the leave"
    OLD_AFTER_MARK = "old bytes after the mark"
    CRASH_BEFORE_READY = "crash before ready"
    CRASH_AFTER_READY = "crash after ready"
    BOOT_LOOP = "boot loop"
    REPLUG = "replug in between"
    NO_VERSION = "no version"
    ANOTHER_BUILD = "another build"
    FLOOD = "flood"
    HELD = "port open in another program at first"


class RunningStart(Protocol):
    """The start that a deed is part of."""

    @property
    def board(self) -> StartingBoard: ...

    @property
    def is_judged(self) -> bool: ...

    def words(self, text: str) -> bytes:
        """Return a text with the names in braces filled in."""
        ...

    def cut_in(self, length: int) -> int:
        """Return the place where something so long is to be cut: the next one each time."""
        ...


class StartDeed(Protocol):
    """Something that the board does, or that is done to it."""

    async def do(self, start: RunningStart, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Say:
    """It says a line."""

    text: str
    end: str = "\r\n"
    is_cut: bool = False
    """The daemon reads it in two pieces."""
    pauses: bool = False
    """So long after the first that it might be the end."""

    async def do(self, start: RunningStart) -> None:
        port, data = start.board.port, start.words(self.text + self.end)
        if self.is_cut:
            await port.all_heard()
            place = start.cut_in(len(data))
            if self.pauses:
                port.say(data[:place])
                await port.all_heard()
                await asyncio.sleep(1.2 * SILENCE_SECONDS)
                data = data[place:]
            else:
                port.reads.append(place)
        port.say(data)
        await port.all_heard()


@dataclass(frozen=True, slots=True)
class Flood:
    """It says the same again and again, more than is recorded."""

    text: str = "adc {noise}\r\n"
    size: int = 140_000

    async def do(self, start: RunningStart) -> None:
        data = start.words(self.text)
        await start.board.port.flood(data * (self.size // len(data)))
        await start.board.port.all_heard()


@dataclass(frozen=True, slots=True)
class FloodUntilJudged:
    """The same for as long as there is no verdict."""

    async def do(self, start: RunningStart) -> None:
        while not start.is_judged:
            await Flood(size=4000).do(start)
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Replug:
    """It goes off the bus, and its application starts anew."""

    async def do(self, start: RunningStart) -> None:
        board = start.board
        await board.happened.until(lambda: board.is_running)
        board.unplug()
        await board.happened.until(lambda: board.presence is Presence.ABSENT)
        board.plug()
        await board.happened.until(lambda: board.is_running)


@dataclass(frozen=True, slots=True)
class LoopUntilJudged:
    """The same again and again."""

    async def do(self, start: RunningStart) -> None:
        while not start.is_judged:
            await Replug().do(start)


@dataclass(frozen=True, slots=True)
class Free:
    """The other program closes the port, once the daemon has been refused so often."""

    refusals: int

    async def do(self, start: RunningStart) -> None:
        port = start.board.port
        await start.board.happened.until(lambda: port.refusals >= self.refusals)
        port.free()
        await start.board.happened.until(lambda: port.is_open)


@dataclass(frozen=True, slots=True)
class Judged:
    """Nothing, until there is a verdict."""

    async def do(self, start: RunningStart) -> None:
        await start.board.happened.until(lambda: start.is_judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRow:
    """One order of events, and its verdict."""

    kind: StartKind
    on: tuple[ConsoleSetup, ...]
    """Configurations with which it is as it is said."""
    old: tuple[StartDeed, ...] = ()
    """The acts of the old application, while it runs."""
    loader: str = ""
    """Words of the bootloader, or of whoever speaks on that port, before the leave."""
    over_mark: str = ""
    """A line that begins before the leave and ends after it."""
    after_mark: str = ""
    """Words in the same breath as its end."""
    unopened: str = ""
    """Words of the application before anybody has opened its port."""
    is_held: bool = False
    """True: another program opens the port first."""
    running: tuple[StartDeed, ...] = ()
    """The acts of the new application."""
    judged: tuple[StartDeed, ...] = ()
    """Its acts once there is a verdict."""
    has_version: bool = True
    """False: nobody can know the version of the image."""
    waits_late: bool = False
    """True: `wait` is asked once there is a verdict."""
    answer: Verdict
    shown: Verdict | None = None
    """The verdict that is shown in the end; None for the answer."""


def at(wirings: tuple[Wiring, ...], *, within: float = LONG, stays: float = 0.0) -> tuple[ConsoleSetup, ...]:
    return tuple(ConsoleSetup(wiring, within, stays) for wiring in wirings)


ANY = at((A, P, U))
PATHS = at((P, U))
APP = at((A,))
BUS = at((A, P))
SHORT_ANY = at((A, P), within=SHORT)
SHORT_PATH = at((P,), within=SHORT)
SHORT_APP = at((A,), within=SHORT)
STAYS = at((A, P, U), stays=LONG)
STAYS_BUS = at((A, P), stays=LONG)
STAYS_PATHS = at((P, U), stays=LONG)
STOOD = at((A, P, U), stays=SHORT)
STOOD_BUS = at((A, P), stays=SHORT)
STOOD_PATHS = at((P, U), stays=SHORT)
STOOD_APP = at((A,), stays=SHORT)
READY, OTHER, OLD, CRASH = "{ready}", "{other}", "{old}", "{crash}"
RUNS, CRASHED, SILENT, ANOTHER = Verdict.RUNS, Verdict.CRASHED, Verdict.SILENT, Verdict.ANOTHER_BUILD
UNKNOWN = Verdict.UNKNOWN
K = StartKind
NOISE = "\x00{high}"
"""As from a line whose other side resets."""

ROWS: Final = (
    StartRow(kind=K.BEFORE_WAIT, on=(*ANY, *STOOD), running=(Say(READY),), waits_late=True, answer=RUNS),
    StartRow(kind=K.BEFORE_WAIT, on=(*ANY, *STAYS), running=(Say(CRASH),), waits_late=True, answer=CRASHED),
    StartRow(kind=K.BEFORE_WAIT, on=(*ANY, *STAYS), running=(Say(OTHER),), waits_late=True, answer=ANOTHER),
    StartRow(kind=K.BEFORE_WAIT, on=SHORT_ANY, running=(Judged(),), waits_late=True, answer=SILENT),
    StartRow(kind=K.BEFORE_WAIT, on=STOOD_PATHS, after_mark=READY + "\r\n", waits_late=True, answer=RUNS),
    StartRow(kind=K.BEFORE_OPEN, on=(*APP, *STOOD_APP), unopened=READY + "\r\n", answer=RUNS),
    StartRow(kind=K.BEFORE_OPEN, on=APP, unopened=CRASH + "\r\n", running=(Judged(), Say(READY)), answer=CRASHED),
    StartRow(kind=K.BEFORE_OPEN, on=APP, unopened="boot ", running=(Say("✓, app1 {version}"),), answer=RUNS),
    StartRow(kind=K.BEFORE_OPEN, on=APP, unopened=OTHER + "\r\n", answer=ANOTHER),
    StartRow(kind=K.BEFORE_OPEN, on=APP, unopened=OTHER[:0] + "adc 1\r\n" * 100, running=(Say(READY),), answer=RUNS),
    StartRow(kind=K.SPLIT, on=(*ANY, *STOOD), running=(Say(READY, is_cut=True),), answer=RUNS),
    StartRow(kind=K.SPLIT, on=ANY, running=(Say("größe 3\r\n" + READY, "\r", is_cut=True),), answer=RUNS),
    StartRow(kind=K.SPLIT, on=ANY, running=(Say(READY, is_cut=True, pauses=True),), answer=RUNS),
    StartRow(kind=K.SPLIT, on=(*ANY, *STAYS), running=(Say(CRASH, is_cut=True),), answer=CRASHED),
    StartRow(kind=K.SPLIT, on=(*ANY, *STAYS), running=(Say("{longer}", is_cut=True),), answer=ANOTHER),
    StartRow(kind=K.SPLIT, on=ANY, running=(Say("{longer}", is_cut=True, pauses=True),), answer=ANOTHER),
    StartRow(kind=K.SPLIT, on=ANY, running=(Say("{dots}" + READY, is_cut=True),), answer=RUNS),
    StartRow(kind=K.SPLIT, on=ANY, running=(Say("{dots}" + READY),), answer=RUNS),
    StartRow(kind=K.AFTER_WITHIN, on=SHORT_ANY, judged=(Say(READY),), answer=SILENT, shown=RUNS),
    StartRow(kind=K.AFTER_WITHIN, on=SHORT_ANY, judged=(Say(CRASH),), answer=SILENT, shown=CRASHED),
    StartRow(kind=K.AFTER_WITHIN, on=SHORT_ANY, judged=(Say(OTHER),), answer=SILENT, shown=ANOTHER),
    StartRow(
        kind=K.AFTER_WITHIN,
        on=SHORT_ANY,
        running=(Say("boot ", ""),),
        judged=(Say("✓, app1 {version}"),),
        answer=SILENT,
        shown=RUNS,
    ),
    StartRow(
        kind=K.AFTER_WITHIN, on=SHORT_ANY, running=(Say("hello"),), judged=(Say(READY),), answer=SILENT, shown=RUNS
    ),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=SHORT_ANY, old=(Say(OLD), Say("{next}")), answer=SILENT),
    StartRow(
        kind=K.OLD_BEFORE_LEAVE, on=(*ANY, *STOOD), old=(Say(OLD), Say(CRASH)), running=(Say(READY),), answer=RUNS
    ),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=SHORT_PATH, loader="{next}\r\n{crash}\r\n", answer=SILENT),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=PATHS, loader=OLD + "\r\n", running=(Say(READY),), answer=RUNS),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=(*ANY, *STAYS), old=(Say("{next}"),), running=(Say(CRASH),), answer=CRASHED),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=PATHS, loader="......", running=(Say(READY),), answer=RUNS),
    StartRow(kind=K.OLD_BEFORE_LEAVE, on=PATHS, loader=NOISE, running=(Say(NOISE + READY),), answer=RUNS),
    StartRow(kind=K.OLD_AFTER_MARK, on=SHORT_PATH, over_mark="{next}\r\n", answer=SILENT),
    StartRow(kind=K.OLD_AFTER_MARK, on=PATHS, over_mark=OLD + "\r\n", running=(Say(READY),), answer=RUNS),
    StartRow(kind=K.OLD_AFTER_MARK, on=PATHS, over_mark=CRASH + "\r\n", running=(Say(READY),), answer=RUNS),
    StartRow(
        kind=K.OLD_AFTER_MARK,
        on=(*PATHS, *STOOD_PATHS),
        over_mark=OLD + "\r\n",
        after_mark=READY + "\r\n",
        answer=RUNS,
    ),
    StartRow(kind=K.OLD_AFTER_MARK, on=PATHS, over_mark="{next}\r\n", after_mark=CRASH + "\r\n", answer=CRASHED),
    StartRow(
        kind=K.OLD_AFTER_MARK,
        on=STOOD_PATHS,
        over_mark="{next}\r\n",
        running=(Say(READY, is_cut=True),),
        answer=RUNS,
    ),
    StartRow(kind=K.CRASH_BEFORE_READY, on=(*ANY, *STAYS, *STOOD), running=(Say(CRASH),), answer=CRASHED),
    StartRow(kind=K.CRASH_BEFORE_READY, on=ANY, running=(Say(CRASH), Say(READY)), answer=CRASHED),
    StartRow(kind=K.CRASH_BEFORE_READY, on=STOOD, running=(Say(f"{CRASH}\r\n{READY}"),), answer=CRASHED),
    StartRow(kind=K.CRASH_BEFORE_READY, on=ANY, running=(Say(CRASH, ""),), answer=CRASHED),
    StartRow(kind=K.CRASH_BEFORE_READY, on=BUS, running=(Say("hi"), Replug(), Say(CRASH)), answer=CRASHED),
    StartRow(kind=K.CRASH_AFTER_READY, on=STAYS, running=(Say(READY), Say(CRASH)), answer=CRASHED),
    StartRow(kind=K.CRASH_AFTER_READY, on=(*STAYS, *STOOD), running=(Say(f"{READY}\r\n{CRASH}"),), answer=CRASHED),
    StartRow(
        kind=K.CRASH_AFTER_READY,
        on=(*ANY, *STOOD),
        running=(Say(READY),),
        judged=(Say(CRASH),),
        answer=RUNS,
        shown=CRASHED,
    ),
    StartRow(
        kind=K.CRASH_AFTER_READY,
        on=ANY,
        running=(Say(f"{READY}\r\n{CRASH}"),),
        judged=(Say("x"),),
        answer=RUNS,
        shown=CRASHED,
    ),
    StartRow(kind=K.BOOT_LOOP, on=SHORT_APP, running=(LoopUntilJudged(),), answer=SILENT),
    StartRow(kind=K.BOOT_LOOP, on=SHORT_ANY, running=(Say("hello"), Replug(), Say("hello"), Judged()), answer=SILENT),
    StartRow(kind=K.BOOT_LOOP, on=STAYS_BUS, running=(Say(READY), Replug()), answer=CRASHED),
    StartRow(kind=K.BOOT_LOOP, on=STAYS_PATHS, running=(Say(READY), Say(READY)), answer=CRASHED),
    StartRow(kind=K.BOOT_LOOP, on=STAYS_PATHS, running=(Say(f"{READY}\r\n{READY}"),), answer=CRASHED),
    StartRow(kind=K.BOOT_LOOP, on=(*BUS, *STOOD_BUS), running=(Replug(), Replug(), Say(READY)), answer=RUNS),
    StartRow(kind=K.BOOT_LOOP, on=STAYS, running=(Say("boot ✓, app1"), Say(READY)), answer=CRASHED),
    StartRow(kind=K.BOOT_LOOP, on=STAYS_PATHS, running=(Say(READY, ""), Say("\r\n" + READY)), answer=CRASHED),
    StartRow(kind=K.REPLUG, on=(*BUS, *STOOD_BUS), running=(Replug(), Say(READY)), answer=RUNS),
    StartRow(kind=K.REPLUG, on=(*BUS, *STOOD_BUS), running=(Say("hello"), Replug(), Say(READY)), answer=RUNS),
    StartRow(kind=K.REPLUG, on=(*APP, *STOOD_APP), running=(Say("boot ", ""), Replug(), Say(READY)), answer=RUNS),
    StartRow(kind=K.REPLUG, on=at((P,)), running=(Say("boot ", ""), Replug(), Say("✓, app1 {version}")), answer=RUNS),
    StartRow(
        kind=K.REPLUG,
        on=SHORT_APP,
        running=(Say("boot ", ""), Replug(), Say("✓, app1 {version}"), Judged()),
        answer=SILENT,
    ),
    StartRow(kind=K.REPLUG, on=STAYS_BUS, running=(Say(READY), Replug(), Say(READY)), answer=CRASHED),
    StartRow(kind=K.REPLUG, on=BUS, running=(Say(READY), Replug(), Say(READY)), answer=RUNS),
    StartRow(kind=K.REPLUG, on=BUS, running=(Replug(), Say(OTHER)), answer=ANOTHER),
    StartRow(kind=K.NO_VERSION, on=(*ANY, *STOOD), running=(Say(READY),), has_version=False, answer=RUNS),
    StartRow(kind=K.NO_VERSION, on=(*ANY, *STOOD), running=(Say("boot ✓"),), answer=RUNS),
    StartRow(kind=K.NO_VERSION, on=ANY, running=(Say("boot ✓", is_cut=True),), has_version=False, answer=RUNS),
    StartRow(kind=K.NO_VERSION, on=ANY, running=(Say("boot ✓> ", ""),), has_version=False, answer=RUNS),
    StartRow(kind=K.NO_VERSION, on=STAYS, running=(Say(READY), Say(CRASH)), has_version=False, answer=CRASHED),
    StartRow(kind=K.NO_VERSION, on=SHORT_ANY, running=(Say("hello"), Judged()), has_version=False, answer=SILENT),
    StartRow(kind=K.ANOTHER_BUILD, on=(*ANY, *STAYS, *STOOD), running=(Say(OTHER),), answer=ANOTHER),
    StartRow(kind=K.ANOTHER_BUILD, on=ANY, running=(Say("{longer}"), Say(READY)), answer=ANOTHER),
    StartRow(kind=K.ANOTHER_BUILD, on=(*ANY, *STAYS), running=(Say("{dirty}"),), answer=ANOTHER),
    StartRow(kind=K.ANOTHER_BUILD, on=(*STAYS, *STOOD), running=(Say(f"{READY}\r\n{OTHER}"),), answer=ANOTHER),
    StartRow(kind=K.ANOTHER_BUILD, on=ANY, running=(Say(OLD),), answer=ANOTHER),
    StartRow(
        kind=K.ANOTHER_BUILD,
        on=ANY,
        running=(Say(OTHER), Judged()),
        judged=(Say(CRASH),),
        answer=ANOTHER,
        shown=CRASHED,
    ),
    StartRow(kind=K.FLOOD, on=(*ANY, *STOOD), running=(Flood(), Say(READY), Flood()), answer=RUNS),
    StartRow(kind=K.FLOOD, on=(*ANY, *STAYS), running=(Flood(), Say(CRASH)), answer=CRASHED),
    StartRow(kind=K.FLOOD, on=ANY, running=(Flood("{dots}"), Say(READY)), answer=RUNS),
    StartRow(kind=K.FLOOD, on=ANY, running=(Flood("{dots}"), Say(OTHER)), answer=ANOTHER),
    StartRow(
        kind=K.FLOOD, on=SHORT_ANY, running=(FloodUntilJudged(),), judged=(Say(READY),), answer=SILENT, shown=RUNS
    ),
    StartRow(kind=K.FLOOD, on=at((P,)), old=(Flood(OLD + "\r\n"),), running=(Say(READY),), answer=RUNS),
    StartRow(kind=K.FLOOD, on=SHORT_PATH, old=(Flood(OLD + "\r\n"),), answer=SILENT),
    StartRow(kind=K.HELD, on=(*APP, *STOOD_APP), is_held=True, running=(Free(1), Say(READY)), answer=RUNS),
    StartRow(kind=K.HELD, on=(*APP, *STOOD_APP), is_held=True, running=(Free(6), Say(READY)), answer=RUNS),
    StartRow(kind=K.HELD, on=APP, is_held=True, running=(Free(2), Say(CRASH)), answer=CRASHED),
    StartRow(kind=K.HELD, on=SHORT_APP, is_held=True, running=(Judged(),), answer=UNKNOWN),
    StartRow(
        kind=K.HELD, on=SHORT_APP, unopened=READY + "\r\n", is_held=True, running=(Free(1), Judged()), answer=UNKNOWN
    ),
    StartRow(
        kind=K.HELD,
        on=SHORT_APP,
        is_held=True,
        running=(Judged(), Free(1)),
        judged=(Say(READY),),
        answer=UNKNOWN,
        shown=RUNS,
    ),
)
"""All of them."""
SETUPS: Final = tuple(
    ConsoleSetup(wiring, within, stays)
    for wiring, (within, stays) in product(Wiring, ((LONG, 0.0), (SHORT, 0.0), (LONG, LONG), (LONG, SHORT)))
    if (wiring, within) != (U, SHORT)
)
"""All configurations that rows are for."""
