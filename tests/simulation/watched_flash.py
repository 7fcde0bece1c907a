"""The flash of an emulated board, watched: who has changed which bytes, and when it lied about it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from flashdeckd.virtual.control import Setup
from flashdeckd.virtual.faults import Fault, Faults
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.voice import Voice
from simulation.seen import Did, Signs, Spoken
from simulation.speaking import speech_of

SPOKEN_OF = 1024
"""Bytes of an image by which it is decided what it says."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Who makes a board do something: the life of the daemon, the lane in it, and its job; all empty: nobody."""

    life: int = 0
    lane: str = ""
    job: int = 0
    is_astray: bool = False
    """True if the board does it elsewhere than it was asked to."""


class Witness(Protocol):
    """Who is told of what happens to the flash of each board."""

    def cause(self, device: str) -> Cause:
        """Return who makes this board do something at this moment."""
        ...

    def made(self, device: str, flash: NorFlash) -> None:
        """A board has this flash."""
        ...

    def changed(self, device: str, cause: Cause, did: Did, address: int, before: bytes, after: bytes) -> None:
        """Bytes have changed, or were written though they stayed the same."""
        ...

    def lied(self, device: str, address: int, size: int, *, is_erase: bool) -> None:
        """An operation goes wrong, and the board says OK."""
        ...

    def spoke(self, spoken: Spoken, kind: str) -> None:
        """An application has started, and says something of a kind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSpec(BoardSpec):
    """A board whose flash is watched."""

    witness: Witness
    signs: Signs | None = None
    """The signs by which its application is judged; None where it says nothing."""
    speech_seed: str = ""

    def voice(self, flash: NorFlash, started: float, *, waits: bool = False) -> Voice:
        """See the base: what the image that has started says."""
        if self.signs is None:
            return BoardSpec.voice(self, flash, started, waits=waits)
        image = bytes(flash.content[self.app_address - flash.layout.base :][:SPOKEN_OF])
        seed = Random(f"{self.speech_seed}/{image.hex()}")  # noqa: S311 -- nothing is kept secret with it
        speech = speech_of(seed, image, self.signs)
        visible_at = started + self.attach_time * self.slowdown
        spoken = Spoken(device=self.name, at=started, visible_at=visible_at, lines=speech.lines(started))
        self.witness.spoke(spoken, speech.kind)
        return Voice(speech.sayings, started=started, waits=waits)

    def new_flash(self) -> NorFlash:
        """See the base."""
        made = BoardSpec.new_flash(self)
        flash = WatchedFlash(made, self.name, self.witness)
        self.witness.made(self.name, flash)
        return flash


class WatchedFlash(NorFlash):
    """Tells of each change."""

    def __init__(self, like: NorFlash, device: str, witness: Witness) -> None:
        super().__init__(like.layout)
        self.content = like.content
        self.device = device
        self.witness = witness
        self.cause = Cause()
        """Who has begun the operation that is carried out."""

    def erase(self, address: int, *, banks: bool = True) -> Operation:
        """See the base."""
        return self._watched(super().erase(address, banks=banks))

    def write(self, address: int, data: bytes, *, stop_at_refused: bool = True, verified: bool = False) -> Operation:
        """See the base."""
        return self._watched(super().write(address, data, stop_at_refused=stop_at_refused, verified=verified))

    def erase_now(self, sector: int) -> bool:
        """See the base."""
        if sector < 0:
            return super().erase_now(sector)
        start, size = self._place(sector)
        before = bytes(self.content[start : start + size])
        done = super().erase_now(sector)
        if done:
            self._tell(Did.ERASED, start, before)
        return done

    def program_now(self, address: int, data: bytes, words: int) -> int:
        """See the base."""
        start = address - self.layout.base
        before = bytes(self.content[max(0, start) : max(0, start + len(data))])
        written = super().program_now(address, data, words)
        if written:
            self._tell(Did.PROGRAMMED, start, before[: written * self.word])
        return written

    def tear(self, sector: int, share: float) -> None:
        """See the base."""
        if sector < 0:
            return
        start, size = self._place(sector)
        before = bytes(self.content[start : start + size])
        super().tear(sector, share)
        self._tell(Did.TORN_ERASE, start, before)

    def tear_word(self, address: int, data: bytes, share: float) -> None:
        """See the base."""
        start = address - self.layout.base
        before = bytes(self.content[max(0, start) : max(0, start + self.word)])
        super().tear_word(address, data, share)
        self._tell(Did.TORN_WRITE, start, before)

    def _watched(self, operation: Operation) -> Operation:
        operation.__class__ = WatchedOperation
        assert isinstance(operation, WatchedOperation)
        asked = self.sector_of(operation.address)
        is_astray = operation.access is OperationKind.ERASE and operation.sector != asked
        cause = self.witness.cause(self.device)
        operation.cause = replace(cause, is_astray=True) if is_astray else cause
        operation.flash = self
        return operation

    def _tell(self, did: Did, start: int, before: bytes) -> None:
        after = bytes(self.content[start : start + len(before)])
        if before != after or did in (Did.ERASED, Did.PROGRAMMED):
            self.witness.changed(self.device, self.cause, did, self.layout.base + start, before, after)


class WatchedOperation(Operation):
    """An operation that knows who has begun it."""

    cause: Cause
    flash: WatchedFlash

    def advance(self, steps: int | None = None) -> None:
        """See the base."""
        self.flash.cause = self.cause
        super().advance(steps)

    def cut(self, share: float | None = None) -> None:
        """See the base."""
        self.flash.cause = self.cause
        super().cut(share)

    def corrupt(self, size: int = 1, address: int | None = None) -> None:
        """See the base."""
        super().corrupt(size, address)
        self.flash.witness.lied(self.flash.device, self.address, len(self.data), is_erase=False)

    def refuse(self) -> None:
        """See the base. Some bootloaders say OK to a write that has failed (`virtual.usbx`)."""
        super().refuse()
        if self.access is OperationKind.WRITE:
            self.flash.witness.lied(self.flash.device, self.address, len(self.data), is_erase=False)

    def skip(self) -> None:
        """See the base."""
        super().skip()
        is_erase = self.access is OperationKind.ERASE
        size = self.flash.span_of(self.address).size if is_erase else len(self.data)
        self.flash.witness.lied(self.flash.device, self.address, size, is_erase=is_erase)


class WatchedFaults(Faults):
    """The faults of a board; it tells when one strikes a request."""

    def __init__(self, struck: Callable[[Fault], None]) -> None:
        super().__init__()
        self._tell = struck

    def on_transfer(self, setup: Setup) -> Fault | None:
        """See the base."""
        fault = super().on_transfer(setup)
        if fault is not None:
            self._tell(fault)
        return fault
