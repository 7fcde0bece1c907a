"""Devices that stay in dfuDNBUSY, or do not answer: brought back where that can be done, given up in bounded time."""

from dataclasses import dataclass, field, replace

import pytest

from flash_rig import BASE as FLASH_BASE
from flash_rig import GEOMETRY, OLD, PARTITION2, SECTOR, TARGET, Rig, blank, image
from flashdeck.config import BankPolicy, PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Verified
from flashdeckd.dfu.dfuse_session import KNOWN_WEDGE_PATIENCE, DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.polling import LONGEST_EARLY_NAP, SECTOR_PATIENCE, StuckError
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import DfuRequest, DfuState
from flashdeckd.flash.result import FlashResult
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.nor import NorFlash
from flashdeckd.virtual.spec import Model
from model_pipe import BASE, PAGE, ModelPipe

FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), Geometry((Region(BASE, 32, PAGE),), program_unit=16))
OLD_IN_BANK_2 = (
    OLD[: PARTITION2.start - FLASH_BASE]
    + image(PARTITION2.size, 7, start=PARTITION2.start)
    + OLD[PARTITION2.end - FLASH_BASE :]
)
IN_BANK_2 = replace(TARGET, span=PARTITION2, leave=False, banks=BankPolicy.TRUSTED)
P2 = Fence.around(PARTITION2, GEOMETRY)


def page(index: int) -> Range:
    return Range.sized(BASE + index * PAGE, PAGE)


@dataclass
class Wedged(ModelPipe):
    """Stays in dfuDNBUSY after an erase, until CLRSTATUS has come twice."""

    erases: bool = True
    """Whether the erase is done all the same."""
    reads: bool = True
    wedged: set[int] = field(default_factory=lambda: {0, 1, 2})
    """Pages whose erase ends so."""

    def _busy(self) -> None:
        assert self.pending is not None
        block, data = self.pending
        index = (int.from_bytes(data[1:], "little") - BASE) // PAGE
        if block or data[0] != 0x41 or index not in self.wedged:
            super()._busy()
        elif self.erases:
            self.memory[index * PAGE : (index + 1) * PAGE] = b"\xff" * PAGE

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        if request == DfuRequest.CLRSTATUS and self.state == DfuState.DNBUSY:
            self._count(request, value, 0)
            self.state, self.status, self.pending = DfuState.ERROR, 14, None
            return
        super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        if request == DfuRequest.UPLOAD and not self.reads:
            self._count(request, value, length)
            raise StallError("refused with a STALL")
        return super().receive(request, value, length, timeout=timeout)


def opened(pipe: ModelPipe, pace: Pace = Pace.UNPROVEN, *, reading_proved: bool = False) -> DfuseSession:
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep, pace, reading_proved=reading_proved)
    session.open()
    return session


@pytest.mark.parametrize("pace", list(Pace))
def test_an_erase_that_wedges_but_reads_blank_is_done(pace: Pace) -> None:
    pipe = Wedged()
    session = opened(pipe, pace)
    session.read(BASE, 1024)
    for index in range(3):
        session.erase(page(index))
        session.write(page(index).start, bytes([index]) * 1024)
    assert bytes(pipe.memory[2 * PAGE : 2 * PAGE + 1024]) == b"\x02" * 1024
    assert len(pipe.requests(DfuRequest.CLRSTATUS)) == 2 * 3
    assert session.pace is pace, "it did not object, it hung"
    assert pipe.resets == 0


def test_a_wedge_that_is_known_is_waited_for_less_long() -> None:
    pipe = Wedged(poll_ms=50)
    session = opened(pipe, reading_proved=True)
    waits: list[float] = []
    for index in range(3):
        before = pipe.clock
        session.erase(page(index))
        waits.append(pipe.clock - before)
    assert waits[1] == pytest.approx(waits[2])
    assert waits[1] < waits[0] / 2


@pytest.mark.parametrize(("erases", "reads"), [(False, True), (True, False)])
def test_an_erase_that_wedges_and_is_not_seen_to_be_done_is_an_error_and_can_be_tried_again(
    erases: bool, reads: bool
) -> None:
    pipe = Wedged(erases=erases, reads=reads)
    session = opened(pipe, reading_proved=True)
    with pytest.raises(StuckError, match=r"0x08000000-0x080007ff.*stays in dfuDNBUSY"):
        session.erase(page(0))
    pipe.wedged.clear()
    session.recover()
    session.erase(page(0))
    session.write(BASE, bytes(1024))
    assert bytes(pipe.memory[:1024]) == bytes(1024)


@dataclass
class ReadsAsErased(Wedged):
    """Answers every UPLOAD as if all of the flash were erased."""

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        data = super().receive(request, value, length, timeout=timeout)
        return b"\xff" * length if request == DfuRequest.UPLOAD else data


def test_a_wedged_erase_is_not_done_because_a_device_reads_as_erased_everywhere() -> None:
    pipe = ReadsAsErased(erases=False)
    session = opened(pipe)
    session.read(BASE, 1024)
    for _ in range(2):
        with pytest.raises(StuckError, match="reads as erased, but reads of this board are not proved yet") as caught:
            session.erase(page(0))
        assert "first flash a partition whose erases end" in caught.value.hint
        session.recover()
    pipe.wedged.clear()
    session.erase(page(0))
    assert bytes(pipe.memory[:PAGE]) == b"\xff" * PAGE


def test_what_was_read_before_an_erase_proves_nothing_about_the_next_one() -> None:
    pipe = Wedged(wedged=set())
    session = opened(pipe)
    session.read(BASE, 1024)
    session.erase(page(0))
    pipe.wedged.add(0)
    with pytest.raises(StuckError, match="reads as erased"):
        session.erase(page(0))


def test_a_slow_erase_is_not_taken_for_a_wedge() -> None:
    pipe = ModelPipe(duration=12, poll_ms=50)
    session = opened(pipe)
    session.erase(page(0))
    assert pipe.requests(DfuRequest.CLRSTATUS) == []
    assert bytes(pipe.memory[:PAGE]) == b"\xff" * PAGE


def test_an_erase_is_given_twice_what_it_claims() -> None:
    pipe = ModelPipe(duration=30, poll_ms=20_000)
    opened(pipe).erase(page(0))
    assert pipe.requests(DfuRequest.CLRSTATUS) == []


def test_an_erase_that_another_host_began_is_waited_for() -> None:
    pipe = ModelPipe(duration=4.0, poll_ms=50)
    pipe.send(DfuRequest.DNLOAD, 0, b"\x41" + BASE.to_bytes(4, "little"), timeout=1)
    pipe.receive(DfuRequest.GETSTATUS, 0, 6, timeout=1)
    to_idle(pipe, pipe.sleep)
    assert pipe.requests(DfuRequest.CLRSTATUS) == []
    assert bytes(pipe.memory[:PAGE]) == b"\xff" * PAGE


def test_what_was_waited_for_already_is_not_waited_for_again() -> None:
    pipe = Wedged(reads=False)
    session = opened(pipe)
    with pytest.raises(StuckError):
        session.erase(page(0))
    assert sum(pipe.naps) == pytest.approx(session.slept), "the recovery added nothing"


def test_the_emulated_h7_is_flashed_in_its_second_bank() -> None:
    rig = Rig(Model.H7_WEDGE)
    with rig.open() as pipe:
        session = DfuseSession(pipe, P2, PollPolicy.AUTO, rig.nap)
        session.open()
        session.read(PARTITION2.start, 1024)
        for sector in range(2):
            session.erase(Range.sized(PARTITION2.start + sector * SECTOR, SECTOR))
            for at in range(0, SECTOR, 1024):
                session.write(PARTITION2.start + sector * SECTOR + at, bytes([sector]) * 1024)
    assert rig.memory(Range.sized(PARTITION2.start, 2 * SECTOR)) == bytes(SECTOR) + b"\x01" * SECTOR
    assert not rig.outside_changed(PARTITION2)
    assert sum(rig.naps) < 30


def test_an_erase_that_hangs_on_a_board_that_reads_as_erased_everywhere_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def erase_nothing(_flash: NorFlash, _at: int) -> bool:
        return True

    def read_as_erased(_flash: NorFlash, _at: int, length: int, *, refused: bool = False) -> bytes:
        return b"" if refused else b"\xff" * length

    rig = Rig(Model.H7_WEDGE, old=OLD_IN_BANK_2)
    with monkeypatch.context() as patch:
        patch.setattr(NorFlash, "erase_now", erase_nothing)
        patch.setattr(NorFlash, "read", read_as_erased)
        error = rig.attempt(image(3 * SECTOR, start=PARTITION2.start), IN_BANK_2)
    assert isinstance(error, StuckError), error
    assert "reads as erased" in error.message
    assert rig.memory() == rig.old


@pytest.mark.parametrize(
    ("old", "banks"),
    [
        (OLD_IN_BANK_2, BankPolicy.TRUSTED),
        (blank(PARTITION2, Range.sized(0x0805E000, SECTOR)), BankPolicy.CHECK),
    ],
    ids=["over another image", "with a canary"],
)
def test_an_h7_that_nothing_is_known_of_is_flashed_in_its_second_bank(old: bytes, banks: BankPolicy) -> None:
    rig = Rig(Model.H7_WEDGE, old=old)
    data = image(3 * SECTOR, 5, start=PARTITION2.start)
    result = rig.attempt(data, replace(IN_BANK_2, banks=banks))
    assert isinstance(result, FlashResult), result
    assert result.verified is Verified.YES
    assert rig.memory(PARTITION2)[: len(data)] == data
    assert not rig.outside_changed(PARTITION2)


class Hangs(ModelPipe):
    """Answers nothing from some request on, until it is reset."""

    hung = False
    leaves = False

    def hang_at(self, request: DfuRequest) -> None:
        self.victim: DfuRequest | None = request

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        self._hang(request)
        super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        self._hang(request)
        return super().receive(request, value, length, timeout=timeout)

    def _hang(self, request: int) -> None:
        if self.hung or getattr(self, "victim", None) == request:
            self.hung, self.victim = True, None
            raise TransferTimeoutError("no answer in time")

    def reset(self) -> None:
        super().reset()
        self.hung = False
        if self.leaves:
            raise DeviceGoneError("1-1: reset: the device is gone")


def work(session: DfuseSession) -> None:
    session.erase(page(0))
    session.write(BASE, bytes(1024))
    session.read(BASE, 1024)


@pytest.mark.parametrize("victim", [DfuRequest.GETSTATUS, DfuRequest.DNLOAD, DfuRequest.UPLOAD])
def test_a_device_that_hangs_is_reset_once_and_goes_on(victim: DfuRequest) -> None:
    pipe = Hangs()
    session = opened(pipe, Pace.SYNCHRONOUS)
    pipe.hang_at(victim)
    with pytest.raises(TransferTimeoutError):
        work(session)
    session.recover()
    assert pipe.resets == 1
    work(session)
    assert bytes(pipe.memory[:1024]) == bytes(1024)
    assert session.pace is Pace.SYNCHRONOUS, "no answer is no objection"


def test_a_device_that_enumerates_anew_when_it_is_reset_is_gone_and_says_why() -> None:
    pipe = Hangs()
    session = opened(pipe)
    pipe.leaves = True
    pipe.hang_at(DfuRequest.GETSTATUS)
    with pytest.raises(TransferTimeoutError):
        session.erase(page(0))
    with pytest.raises(DeviceGoneError, match="port was reset") as caught:
        session.recover()
    assert "dapboot" in caught.value.hint
    assert pipe.resets == 1


def test_a_device_that_refuses_everything_until_it_is_reset_is_reset() -> None:
    """As ST's USBX sample does after a command that it does not know."""

    class Refuses(ModelPipe):
        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            self._refuse_until_reset()
            super().send(request, value, data, timeout=timeout)

        def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
            self._refuse_until_reset()
            return super().receive(request, value, length, timeout=timeout)

        def _refuse_until_reset(self) -> None:
            self.transfers += 1
            if not self.resets:
                raise StallError("refused with a STALL")

    pipe = Refuses()
    to_idle(pipe, pipe.sleep)
    assert pipe.resets == 1
    assert pipe.transfers < 60
    assert sum(pipe.naps) < 10


def test_a_device_that_no_reset_brings_back_is_given_up() -> None:
    class Never(ModelPipe):
        def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
            assert timeout > 0
            self._count(request, value, length)
            return bytes((DfuState.ERROR,)) if length == 1 else bytes((15, 0, 0, 0, DfuState.ERROR, 0))

        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            assert timeout > 0
            self._count(request, value, len(data))

    pipe = Never()
    with pytest.raises(DeviceError, match="stays with dfuERROR"):
        to_idle(pipe, pipe.sleep)
    assert pipe.resets == 1
    assert pipe.transfers < 100


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT, Model.USBX_ASYNC])
@pytest.mark.parametrize("fault", [Fault.STALL, Fault.TIMEOUT])
def test_after_a_fault_at_any_request_a_sector_can_be_done_again(model: Model, fault: Fault) -> None:
    span = Range.sized(FLASH_BASE + 0x20000, SECTOR)

    def do(session: DfuseSession, size: int) -> None:
        session.erase(span)
        for at in range(span.start, span.end, size):
            session.write(at, bytes([at >> 10 & 0xFF]) * size)

    rig = Rig(model)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(span, GEOMETRY), PollPolicy.AUTO, rig.nap)
        size = session.open().functional.transfer_size
        for after in range(1, 16):
            rig.board.fault(fault, after)
            try:
                do(session, size)
            except DeviceError:
                session.recover()
                do(session, size)
            done = b"".join(bytes([at >> 10 & 0xFF]) * size for at in range(span.start, span.end, size))
            assert rig.memory(span) == done, after
            session.to_idle()
    assert not rig.outside_changed(span)


def test_a_sector_has_its_patience_and_after_a_wedge_another() -> None:
    pipe = Wedged(poll_ms=0)
    session = opened(pipe, reading_proved=True)
    for index, patience in enumerate((SECTOR_PATIENCE, KNOWN_WEDGE_PATIENCE)):
        before = session.slept
        session.erase(page(index))
        assert patience <= session.slept - before <= patience + LONGEST_EARLY_NAP
