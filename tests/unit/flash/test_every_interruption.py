"""Whatever happens at whichever transfer: no mixture boots, nothing outside changes, and the job still comes to an end.

Jobs are driven as a board's lane does it: tried again with what was learned when the board is back, without reading
where a read was the last thing that was seen of it, and not for ever.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, pairwise
from typing import Any

import pytest
import usb.core

from flash_rig import Rig, Watcher, pieces
from flashdeck.errors import DeviceGoneError, FlashdeckError, TransferTimeoutError
from flashdeck.geometry import Range
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.layout import placed
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from little_board import (
    BANK,
    BASE,
    DELTA_IMAGE,
    IMAGE_SECTORS,
    NEW_IMAGE,
    OLD_IMAGE,
    PARTITION,
    PLAIN,
    SECTOR,
    TARGET,
    WORD,
    board,
    boots,
    changed_outside,
    flash_with,
    memory,
)
from soaking import part

pytestmark = pytest.mark.soak

MAX_ATTEMPTS = 8
FORBIDDEN = ("Read Unprotect", "mass erase", "reserved", "more than", "command")
"""What is never sent, whatever happens; all else that a board may note is a way back from a fault."""
FAULTS = (
    Fault.UNPLUG,
    Fault.STALL,
    Fault.TIMEOUT,
    Fault.LOST_ANSWER,
    Fault.ERROR_STATUS,
    Fault.WRONG_STATE,
    Fault.HANG,
)


OLD, NEW = Image.raw(OLD_IMAGE), Image.raw(NEW_IMAGE)


@dataclass(frozen=True)
class Start:
    """A board at the moment when a job begins."""

    flash: bytes
    history: BootloaderHistory = UNKNOWN


@dataclass(frozen=True)
class Scenario:
    """A job that is to be interrupted."""

    name: str
    model: Model
    start: Callable[[], Start]
    image: Image = NEW
    target: Target = TARGET
    only_leave: bool = False
    """Whether the image is there already, and only the start of the application is missing."""
    trusts: Image | None = None
    """What the partition is trusted to hold as far as no job began to change it (`trust_cache`)."""
    old: Image = OLD
    """The program that is there before."""

    def __str__(self) -> str:
        return self.name

    @cache  # noqa: B019 - a handful of scenarios, for the length of a test run
    def begin(self) -> Start:
        """The board before the job."""
        return self.start()

    def wanted(self) -> bytes:
        """All of the flash behind the job: sectors that the image touches have it and nothing else, all others stay."""
        image, flash = placed(self.image, PARTITION.start - BASE), bytearray(self.begin().flash)
        for at in range(0, len(flash), SECTOR):
            if image.touches(sector := Range.sized(at, SECTOR)):
                flash[at : sector.end] = image.read(sector)
        return bytes(flash)

    @property
    def is_protected(self) -> bool:
        """Whether a boot check has anything to say about an image that was broken off."""
        return self.model not in PLAIN_MODELS

    @cache  # noqa: B019 - as above
    def transfers(self) -> int:
        """How many transfers the job makes when nothing happens."""
        case = Case(self)
        ended = case.attempt()
        assert not isinstance(ended, FlashdeckError), ended
        return case.rig.board.state().transfers

    @cache  # noqa: B019 - as above
    def operations(self) -> tuple[int, ...]:
        """The flash work of the undisturbed job, piece by piece: 0 is an erase, n the writing of n words."""
        case = Case(self)
        work = [(0, 0)]

        def look(_: int = 0) -> None:
            state = case.rig.board.state()
            if state.erases != work[-1][0] and state.words != work[-1][1]:
                # A canary is written, then erased; a plain DFU device erases what it is about to write.
                last = work[-1]
                work.append((last[0], state.words) if self.is_protected else (state.erases, last[1]))
            work.append((state.erases, state.words))

        ended = case.attempt(Watcher(on_check=look, on_committed=look))
        assert not isinstance(ended, FlashdeckError), ended
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(work) if a != b]
        assert case.scenario.only_leave or len(steps) > 3
        return tuple(chain.from_iterable((0,) * erases if erases else (words,) for erases, words in steps))


def used() -> Start:
    """A board with a complete older image, of whose bootloader nothing is known."""
    return Start(flash_with(OLD_IMAGE))


def proved(model: Model = Model.CLASSIC) -> Start:
    """The same after a job that has proved reading and bank."""
    rig = board(model, flash_with(b""))
    rig.flash(OLD_IMAGE, TARGET)
    assert rig.history.reading_proved == (model is Model.CLASSIC)
    return Start(memory(rig), rig.history)


def torn() -> Start:
    """A board that was lost in the middle of a job: its boot sector is erased, two other sectors hold the new image."""
    began = proved()
    rig = board(Model.CLASSIC, began.flash)
    rig.history = began.history
    rig.bench.cut_power("board", IMAGE_SECTORS + 2 * SECTOR // WORD + 11)
    with pytest.raises(DeviceGoneError):
        rig.flash(NEW_IMAGE, TARGET)
    return Start(memory(rig), rig.history)


def roomy() -> Start:
    """A board with a short program and, behind it, two blank sectors, the last of which has a blank twin."""
    flash = bytearray(flash_with(SHORT_IMAGE))
    twin = BANK + PARTITION.start - BASE + 4 * SECTOR
    flash[twin : twin + SECTOR] = b"\xff" * SECTOR
    return Start(bytes(flash))


def complete() -> Start:
    """A board that was lost when its boot unit had been written."""
    began = proved()
    return Start(flash_with(NEW_IMAGE), began.history)


SHORT_IMAGE = OLD_IMAGE[: 3 * SECTOR]
PIECES = pieces((0, NEW_IMAGE[:1500]), (3 * SECTOR + 100, NEW_IMAGE[: SECTOR + 700]))
"""Two pieces: between them two sectors that stay, and in the last one room for a canary."""
SCENARIOS = (
    Scenario("full", Model.CLASSIC, used),
    Scenario("full-unreadable", Model.CLASSIC_NOREAD, used),
    Scenario("full-usbx", Model.USBX, used),
    Scenario("full-strict", Model.STRICT, used),
    Scenario("delta", Model.CLASSIC, proved, Image.raw(DELTA_IMAGE)),
    Scenario("delta-trusted", Model.CLASSIC_NOREAD, used, Image.raw(DELTA_IMAGE), trusts=OLD),
    Scenario("resume", Model.CLASSIC, torn),
    Scenario("leave", Model.CLASSIC, complete, only_leave=True),
    Scenario("pieces", Model.CLASSIC, roomy, PIECES, old=Image.raw(SHORT_IMAGE)),
    Scenario("pieces-usbx", Model.USBX, roomy, PIECES, old=Image.raw(SHORT_IMAGE)),
    Scenario("plain", Model.TINYUSB, used, target=PLAIN),
    Scenario("plain-async", Model.TINYUSB_ASYNC, used, target=PLAIN),
    Scenario("plain-sequential", Model.DAPBOOT, used, target=PLAIN),
)


@dataclass
class Case:
    """One job on one board, driven as a lane drives it."""

    scenario: Scenario
    rig: Rig = field(init=False)
    may_read: bool = True
    attempts: int = 0
    only_leave: bool = False

    def __post_init__(self) -> None:
        start = self.scenario.begin()
        self.rig = board(self.scenario.model, start.flash)
        self.rig.history = start.history
        self.only_leave = self.scenario.only_leave
        self.rig.cached = self.scenario.trusts

    def attempt(self, watcher: Watcher | None = None) -> FlashResult | FlashdeckError | None:
        """One try; None where only the leave was left."""
        self.attempts += 1
        try:
            if self.only_leave:
                with self.rig.open() as pipe:
                    engine.leave(pipe, self.scenario.target, self.rig.nap)
                return None
            target = replace(self.scenario.target, may_read=self.may_read)
            watcher = watcher or Watcher(on_committed=self.committed)
            watcher.on_began = lambda: self.began(watcher)
            return self.rig.flash(self.scenario.image, target, watcher)
        except FlashdeckError as error:
            return error

    def began(self, watcher: Watcher) -> None:
        """From now on nothing is known of what the plan erases."""
        if self.rig.cached is not None and watcher.plan is not None:
            start = self.scenario.target.span.start
            erased = (Range(span.start - start, span.end - start) for span in watcher.plan.erased)
            self.rig.cached = self.rig.cached.without(erased)

    def committed(self) -> None:
        """From now on only the start of the application is missing."""
        self.only_leave = True

    def run(self) -> FlashResult | FlashdeckError | None:
        """The job to its end: done, or stopped with a reason."""
        ended = None
        if not self.rig.present:
            self.rig.back_in_dfu()
        for _ in range(MAX_ATTEMPTS):
            ended = self.attempt()
            self.check(ended)
            match ended:
                case None:
                    return None
                case FlashResult() if not ended.interrupted:
                    return ended
                case FlashResult():
                    assert self.only_leave
                case DeviceGoneError():
                    # Where reading was proved, one attempt goes without; else all that follow.
                    self.may_read = not ended.during_read and (self.may_read or self.rig.history.reading_proved)
                case TransferTimeoutError():
                    pass
                case _:
                    return ended
            if not self.rig.present:
                self.rig.back_in_dfu()
        return ended

    def check(self, ended: FlashResult | FlashdeckError | None) -> None:
        """What must be so after every attempt, however it ended."""
        now = memory(self.rig)
        assert not changed_outside(self.scenario.begin().flash, now), "a byte outside of the partition has changed"
        if self.scenario.is_protected:
            assert not boots(self.rig.board.spec, now) or self.holds(now, self.scenario.old, self.scenario.image), (
                "a mixture would be started"
            )
        if isinstance(ended, FlashResult):
            assert self.holds(now, self.scenario.image)
            assert ended.protection.startswith("not protectable") is not self.scenario.is_protected
        if isinstance(ended, FlashdeckError):
            assert ended.message
            assert ended.hint, repr(ended)

    @staticmethod
    def holds(flash: bytes, *images: Image) -> bool:
        there = Image.raw(flash[PARTITION.start - BASE : PARTITION.end - BASE])
        return any(there.satisfies(each) for each in images)

    def finish(self) -> FlashResult | FlashdeckError | None:
        """The job to its end, and if that was an error, once more by hand: then it must be right."""
        ended = self.run()
        if isinstance(ended, FlashdeckError):
            self.rig.bench.unplug("board")
            self.rig.back_in_dfu()
            self.attempts = 0
            again = self.run()
            assert not isinstance(again, FlashdeckError), repr(again)
        assert self.holds(memory(self.rig), self.scenario.image)
        if self.scenario.is_protected:
            if not self.may_read and self.rig.history.canaries:  # who may not read must leave a canary to the next job
                self.rig.back_in_dfu()
                self.rig.flash(self.scenario.image, self.scenario.target)
            assert memory(self.rig) == self.scenario.wanted(), "what the image leaves open is another, or has a canary"
        for violation in self.rig.board.state().violations:
            assert not any(word in violation for word in FORBIDDEN), violation
        return ended


@contextmanager
def told(what: str) -> Generator[None]:
    """Says with a failure which case it was."""
    try:
        yield
    except AssertionError as error:
        error.add_note(what)
        raise


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_fault_at_any_transfer(scenario: Scenario, fault: Fault) -> None:
    transfers = scenario.transfers()
    for at in part(range(1, transfers + 1), 9, f"{scenario}{fault}"):
        case = Case(scenario)
        case.rig.bench.fault("board", fault, at, any_transfer=True)
        with told(f"{fault} at transfer {at} of {transfers} of {scenario}"):
            ended = case.finish()
            if isinstance(ended, FlashdeckError):
                # Plain DFU cannot do a single block again, and nobody doubts a device that says dfuIDLE.
                assert not scenario.is_protected or "STALL in dfuIDLE" in ended.message, repr(ended)


class HostKilled(BaseException):
    """What SIGKILL is to a process: nothing of it runs any more."""


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_the_host_killed_at_any_transfer(scenario: Scenario, *, sent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board stays as that left it, powered and in the middle of a session; another process finds it so."""
    for at in part(range(1, scenario.transfers() + 1), 5, str(scenario)):
        case = Case(scenario)
        alive = iter(range(at, 0, -1))

        def until_killed(
            *transfer: Any, transfers: Any = case.rig.board.transfer, alive: Iterator[int] = alive
        ) -> bytes:
            remaining = next(alive, 0)
            if remaining > 1:
                return transfers(*transfer)
            if remaining and sent:
                with suppress(usb.core.USBError):
                    transfers(*transfer)
            raise HostKilled

        with told(f"killed at transfer {at} of {scenario}"):
            with monkeypatch.context() as patch:
                patch.setattr(case.rig.board, "transfer", until_killed)
                with pytest.raises(HostKilled):
                    case.attempt()
            case.check(None)
            ended = case.finish()
            assert not isinstance(ended, FlashdeckError), repr(ended)


def cuts(operations: tuple[int, ...]) -> Iterator[tuple[int, float | None]]:
    """After how many steps the power fails, and in the middle of what: each erase, each word of the outermost blocks.

    (Of half-words, each fifth or so.) Of all blocks in between, the first word and one in the middle.
    """
    writes = [index for index, words in enumerate(operations) if words > 1]
    outermost = {writes[0], writes[-1]}
    step = 0
    for index, words in enumerate(operations):
        if not words:
            yield from ((step, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0))
        elif index in outermost or words == 1:
            every = range(0, words, 1 + words // 100)
            yield from ((step + word, share) for word in every for share in (None, 0.5, 1.0))
        else:
            yield from ((step, None), (step + words // 2, 0.5))
        step += words or 1


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if not each.only_leave], ids=str)
def test_power_lost_at_any_word_and_in_any_erase(scenario: Scenario) -> None:
    every = list(cuts(scenario.operations()))
    for after, share in part(every, 9, str(scenario)):
        case = Case(scenario)
        case.rig.bench.cut_power("board", after, share)
        with told(f"power lost after {after} steps of {scenario}, {share} of the next one done"):
            ended = case.finish()
            assert not isinstance(ended, FlashdeckError), repr(ended)
            assert case.attempts > 1, "there was a cut"
