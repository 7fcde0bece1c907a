"""The session with a plain DFU 1.1 device, against one that is strict about the state diagram of the specification."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashdeck.errors import (
    DescriptorError,
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    RefusedError,
    StallError,
    TransferTimeoutError,
)
from flashdeckd.dfu.pipe import AlternateSetting
from flashdeckd.dfu.plain_session import (
    FIRST_NAP,
    LEAVE_NAP,
    LEAVE_POLLS,
    LONGEST_BACK_OFF,
    MANIFEST_PATIENCE,
    MAX_NAMES,
    SILENCE,
    AfterManifest,
    PlainSession,
)
from flashdeckd.dfu.polling import CLAIMS
from flashdeckd.dfu.quirks import NONE, Quirk
from flashdeckd.dfu.wire import DfuRequest, DfuState

SIZE = 4096
BLOCK = 64
TOLERANT, NOT_TOLERANT = 0x07, 0x03


@dataclass
class StrictDevice:
    """Satisfies `ControlPipe`; a request that does not belong leads to dfuERROR, an early poll too."""

    attributes: int = TOLERANT
    version: int | None = 0x0110
    names: tuple[str, ...] = ("main",)
    block: int = BLOCK
    poll_ms: int = 20
    manifest_ms: int = 0
    """How long the manifestation takes, and is claimed to."""
    manifest_claims: int | None = None
    end: Callable[["StrictDevice"], bytes] | None = None
    """What a GETSTATUS does once the manifestation is over; None: by the attributes."""
    contents: bytes = b""
    quirk: Quirk = NONE

    state: int = DfuState.IDLE
    status: int = 0
    clock: float = 0.0
    ready_at: float = 0.0
    transfers: int = 0
    received: bytearray = field(default_factory=bytearray)
    numbers: list[int] = field(default_factory=list[int])
    log: list[DfuRequest] = field(default_factory=list[DfuRequest])
    selected: list[int] = field(default_factory=list[int])
    naps: list[float] = field(default_factory=list[float])
    resets: int = 0
    read: int = 0
    gone: bool = False

    @property
    def alternates(self) -> tuple[AlternateSetting, ...]:
        return tuple(AlternateSetting(number, 4 + number, 2) for number in range(len(self.names)))

    @property
    def functional(self) -> bytes:
        if self.version is None:
            return b""
        size, version = self.block.to_bytes(2, "little"), self.version.to_bytes(2, "little")
        return bytes((9, 0x21, self.attributes, 255, 0)) + size + version

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.naps.append(seconds)

    def text(self, index: int) -> str:
        self.transfers += 2
        assert self.state == DfuState.IDLE
        return self.names[index - 4]

    def select(self, alternate: int) -> None:
        self.selected.append(alternate)

    def reset(self) -> None:
        self.resets += 1
        self.state = DfuState.IDLE

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        assert timeout > 0
        self._count(request)
        match request:
            case DfuRequest.DNLOAD if data and self.state in (DfuState.IDLE, DfuState.DNLOAD_IDLE):
                if self.state == DfuState.IDLE:
                    self.received.clear()
                    self.numbers.clear()
                assert len(data) <= self.block
                self.numbers.append(value)
                self.received += data
                self.state = DfuState.DNLOAD_SYNC
            case DfuRequest.DNLOAD if not data and self.state == DfuState.DNLOAD_IDLE:
                self.numbers.append(value)
                self.state = DfuState.MANIFEST_SYNC
            case DfuRequest.ABORT if self.state in (
                DfuState.IDLE,
                DfuState.DNLOAD_IDLE,
                DfuState.DNLOAD_SYNC,
                DfuState.UPLOAD_IDLE,
            ):
                self.state = DfuState.IDLE
            case DfuRequest.CLRSTATUS if self.state == DfuState.ERROR:
                self.state, self.status = DfuState.IDLE, 0
            case _:
                self._refuse()

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        assert timeout > 0
        assert value < 65_536
        self._count(request)
        match request:
            case DfuRequest.GETSTATE:
                return bytes((self.state,))
            case DfuRequest.GETSTATUS:
                return self._get_status()
            case DfuRequest.UPLOAD if self.state in (DfuState.IDLE, DfuState.UPLOAD_IDLE):
                self.read = 0 if self.state == DfuState.IDLE else self.read
                data = self.contents[self.read : self.read + length]
                self.read += len(data)
                self.state = DfuState.UPLOAD_IDLE if len(data) == length else DfuState.IDLE
                return data
            case _:
                return self._refuse()

    def answer(self, poll: int = 0) -> bytes:
        return bytes((self.status, *poll.to_bytes(3, "little"), self.state, 0))

    def _count(self, request: int) -> None:
        self.transfers += 1
        self.log.append(DfuRequest(request))
        if self.gone:
            raise DeviceGoneError("gone")

    def _refuse(self) -> NoReturn:
        self.state, self.status = DfuState.ERROR, 15
        raise StallError("refused with a STALL")

    def _get_status(self) -> bytes:
        match self.state:
            case DfuState.DNLOAD_SYNC:
                self.state, self.ready_at = DfuState.DNBUSY, self.clock + self.poll_ms / 1000
                return self.answer(self.poll_ms)
            case DfuState.DNBUSY if self.clock + 1e-9 < self.ready_at:
                self._refuse()
            case DfuState.DNBUSY:
                self.state = DfuState.DNLOAD_IDLE
            case DfuState.MANIFEST_SYNC:
                self.state, self.ready_at = DfuState.MANIFEST, self.clock + self.manifest_ms / 1000
                claimed = self.manifest_ms if self.manifest_claims is None else self.manifest_claims
                return self.answer(claimed)
            case DfuState.MANIFEST if self.clock + 1e-9 < self.ready_at:
                return self.answer()
            case DfuState.MANIFEST if self.end is not None:
                return self.end(self)
            case DfuState.MANIFEST:
                self.state = DfuState.IDLE if self.attributes & 4 else DfuState.MANIFEST_WAIT_RESET
            case _:
                pass
        return self.answer()


def opened(device: StrictDevice, alternate: int | str = 0, size: int = SIZE) -> PlainSession:
    session = PlainSession(device, alternate, size, device.sleep)
    session.open()
    return session


def sent(device: StrictDevice, data: bytes = b"x" * 100) -> PlainSession:
    session = opened(device)
    for at in range(0, len(data), BLOCK):
        session.download(data[at : at + BLOCK])
    return session


# Blocks


def test_blocks_count_from_zero_and_no_poll_is_early() -> None:
    device, data = StrictDevice(), bytes(range(200))
    session = sent(device, data)
    assert session.manifest() is AfterManifest.IDLE
    assert (bytes(device.received), device.numbers) == (data, [0, 1, 2, 3, 4])
    assert session.slept == pytest.approx(4 * 0.020, abs=0.01)
    assert device.log[1:4] == [DfuRequest.DNLOAD, DfuRequest.GETSTATUS, DfuRequest.GETSTATUS]
    assert device.status == 0


def test_block_numbers_go_on_at_zero_after_65535() -> None:
    device = StrictDevice(block=1, poll_ms=0)
    session = opened(device, size=70_000)
    for _ in range(65_537):
        session.download(b"x")
    session.manifest()
    assert device.numbers[65_534:] == [65_534, 65_535, 0, 1]


def test_nothing_goes_beyond_the_partition() -> None:
    device = StrictDevice()
    session = opened(device, size=100)
    session.download(b"x" * 64)
    with pytest.raises(RefusedError) as caught:
        session.download(b"x" * 37)
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    session.download(b"x" * 36)
    session.to_idle()
    with pytest.raises(RefusedError):
        session.download(b"x" * 65)
    assert len(device.received) == 100
    device.contents = b"y" * 200
    session.upload(64)
    with pytest.raises(RefusedError):
        session.upload(37)


def test_after_an_abort_the_next_block_is_the_first() -> None:
    device = StrictDevice()
    session = sent(device)
    session.to_idle()
    session.download(b"new")
    assert (bytes(device.received), device.numbers) == (b"new", [0])


@pytest.mark.parametrize("length", [BLOCK, 200, 2 * BLOCK])
def test_reading_goes_on_where_it_was_and_ends_with_a_short_answer(length: int) -> None:
    device = StrictDevice(contents=bytes(i % 251 for i in range(length)))
    session = opened(device)
    data = b""
    while len(piece := session.upload(BLOCK)) == BLOCK:
        data += piece
    assert data + piece == device.contents
    session.download(b"x" * BLOCK)
    assert device.status == 0, "no ABORT where the device is in dfuIDLE already is needed, and none does harm"
    assert session.upload(10) == device.contents[:10], "and downloading is left before reading"


# Which device, which alternate setting


@pytest.mark.parametrize(("alternate", "number"), [(1, 1), ("boot", 0), ("main", 1)])
def test_an_alternate_setting_is_found_by_number_or_name(alternate: int | str, number: int) -> None:
    device = StrictDevice(names=("boot ", "main\0"))
    opened(device, alternate)
    assert device.selected == [number]


def test_a_lonely_alternate_setting_is_not_selected() -> None:
    device = StrictDevice()
    opened(device, "main")
    assert device.selected == []


@pytest.mark.parametrize(
    ("names", "alternate", "problem"),
    [
        (("a", "a"), "a", '2 alternate settings with the name "a"'),
        (("a", "b"), "c", 'no alternate setting "c"'),
        (("a", "b"), 2, "no alternate setting 2"),
        (("a", "b"), "A", 'no alternate setting "A"'),
    ],
)
def test_what_is_not_there_just_once_is_refused(names: tuple[str, ...], alternate: int | str, problem: str) -> None:
    device = StrictDevice(names=names)
    with pytest.raises(DescriptorError, match=problem):
        opened(device, alternate)
    assert device.selected == []


MAP = "@Internal Flash  /0x08000000/128*8Kg"


@pytest.mark.parametrize(
    ("version", "name"), [(0x011A, "main"), (0x011A, MAP), (None, MAP), (0x0110, MAP), (0x0100, MAP)]
)
def test_what_may_speak_dfuse_gets_no_image(version: int | None, name: str) -> None:
    device = StrictDevice(version=version, names=(name,))
    with pytest.raises(DescriptorError, match="speaks DfuSe"):
        opened(device)
    assert DfuRequest.DNLOAD not in device.log


@pytest.mark.parametrize("version", [None, 0x0100, 0x0101, 0x0110])
def test_every_version_of_plain_dfu_will_do(version: int | None) -> None:
    device = StrictDevice(version=version)
    sent(device)
    assert len(device.received) == 100


# The end of an image


@pytest.mark.parametrize(
    ("attributes", "ending"), [(TOLERANT, AfterManifest.IDLE), (NOT_TOLERANT, AfterManifest.WAITS_FOR_RESET)]
)
@pytest.mark.parametrize("taking", [0, 5, 900, 31_000])
def test_a_slow_manifestation_is_waited_for_as_claimed(attributes: int, ending: AfterManifest, taking: int) -> None:
    device = StrictDevice(attributes, manifest_ms=taking)
    session = sent(device)
    before = len(device.log)
    assert session.manifest() is ending
    assert device.log[before:].count(DfuRequest.GETSTATUS) <= 3


def test_one_that_takes_longer_than_it_claims_is_asked_less_and_less_often() -> None:
    device = StrictDevice(manifest_ms=30_000, manifest_claims=0)
    session = sent(device)
    before = len(device.log)
    assert session.manifest() is AfterManifest.IDLE
    assert len(device.log) - before < 90


def stalls(_: StrictDevice) -> bytes:
    raise StallError("refused with a STALL")


def is_silent(_: StrictDevice) -> bytes:
    raise TransferTimeoutError("no answer in time")


def vanishes(device: StrictDevice) -> bytes:
    device.gone = True
    raise DeviceGoneError("gone")


def fails(device: StrictDevice) -> bytes:
    device.state, device.status = DfuState.ERROR, 10
    return device.answer()


def is_lost(device: StrictDevice) -> bytes:
    device.state = DfuState.UPLOAD_IDLE
    return device.answer()


def never_ends(device: StrictDevice) -> bytes:
    return device.answer()


@pytest.mark.parametrize(
    ("attributes", "end", "ending"),
    [
        (NOT_TOLERANT, stalls, AfterManifest.WAITS_FOR_RESET),
        (NOT_TOLERANT, is_silent, AfterManifest.WAITS_FOR_RESET),
        (NOT_TOLERANT, vanishes, AfterManifest.GONE),
        (TOLERANT, vanishes, AfterManifest.GONE),
    ],
)
def test_silence_is_how_a_device_that_is_not_tolerant_ends(
    attributes: int, end: Callable[[StrictDevice], bytes], ending: AfterManifest
) -> None:
    device = StrictDevice(attributes, end=end)
    assert sent(device).manifest() is ending


@pytest.mark.parametrize(
    ("attributes", "end", "problem"),
    [
        (TOLERANT, stalls, "answers GETSTATUS with nothing"),
        (TOLERANT, is_silent, "answers GETSTATUS with nothing"),
        (TOLERANT, never_ends, "stays in dfuMANIFEST"),
        (NOT_TOLERANT, never_ends, "stays in dfuMANIFEST"),
        (TOLERANT, fails, "errFIRMWARE"),
        (NOT_TOLERANT, fails, "errFIRMWARE"),
        (TOLERANT, is_lost, "dfuUPLOAD-IDLE where dfuMANIFEST was expected"),
    ],
)
def test_an_end_that_is_none_is_an_error_in_words(
    attributes: int, end: Callable[[StrictDevice], bytes], problem: str
) -> None:
    device = StrictDevice(attributes, end=end)
    session = sent(device)
    with pytest.raises(DeviceError) as caught:
        session.manifest()
    assert problem in caught.value.message
    assert caught.value.hint
    assert sum(device.naps) < 130


def test_an_absurd_claim_is_obeyed_for_a_minute_and_not_for_hours() -> None:
    device = StrictDevice(manifest_claims=0xFFFFFF)
    assert sent(device).manifest() is AfterManifest.IDLE
    assert max(device.naps) == 60


def test_a_device_that_is_gone_before_it_answers_the_end_has_not_taken_it() -> None:
    device = StrictDevice()
    session = sent(device)
    device.gone = True
    with pytest.raises(DeviceGoneError):
        session.manifest()


# Starting the application


def test_a_device_that_stays_where_it_is_has_not_left() -> None:
    device = StrictDevice()
    assert not opened(device).leave()
    assert device.resets == 1


def test_a_device_that_waits_for_the_reset_gets_nothing_but_that() -> None:
    device = StrictDevice(NOT_TOLERANT)
    session = sent(device)
    ending = session.manifest()
    before = len(device.log)
    session.leave(after=ending)
    assert DfuRequest.DETACH not in device.log[before:]
    assert device.resets == 1


@settings(max_examples=80, deadline=None)
@given(
    answers=st.lists(st.binary(max_size=8), min_size=1, max_size=12),
    attributes=st.integers(0, 255),
    version=st.sampled_from((None, 0x0100, 0x0110, 0xFFFF)),
    name=st.text(max_size=20),
)
def test_garbage_ends_in_bounded_time_and_in_words(
    answers: list[bytes], attributes: int, version: int | None, name: str
) -> None:
    class Babbler(StrictDevice):
        """Answers whatever comes next to everything."""

        def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
            assert (value < 65_536, timeout > 0) == (True, True)
            self._count(request)
            return answers[self.transfers % len(answers)][:length]

        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            assert (value < 65_536, len(data) <= BLOCK, timeout > 0) == (True, True, True)
            self._count(request)

        def text(self, index: int) -> str:
            self.transfers += 1
            return name if index == 4 else ""

    device = Babbler(attributes=attributes, version=version)
    session = PlainSession(device, 0, SIZE, device.sleep)
    steps = (session.open, lambda: session.download(b"x" * BLOCK), session.manifest, lambda: session.upload(10))
    with suppress(DeviceError):
        for step in (*steps, session.leave):
            step()
    assert device.transfers < 60_000
    assert device.clock < 1_000


# Limits


def manifested(device: StrictDevice) -> list[float]:
    """The naps within a manifestation that ends badly, or in a device that waits for its reset."""
    session = sent(device)
    before = len(device.naps)
    with suppress(DeviceError):
        session.manifest()
    return device.naps[before:]


def claims(seconds: float) -> Callable[[StrictDevice], bytes]:
    return lambda device: device.answer(int(seconds * 1000))


def test_the_names_of_so_many_alternate_settings_are_looked_at() -> None:
    device = StrictDevice(names=tuple(f"n{number}" for number in range(MAX_NAMES + 1)))
    opened(device, f"n{MAX_NAMES - 1}")
    assert device.selected == [MAX_NAMES - 1]
    with pytest.raises(DescriptorError, match="no alternate setting"):
        opened(device, f"n{MAX_NAMES}")


def test_a_manifestation_that_claims_nothing_is_asked_for_less_and_less_often_until_it_is_given_up() -> None:
    naps = manifested(StrictDevice(end=never_ends))
    assert naps[:2] == [FIRST_NAP, 2 * FIRST_NAP]
    assert naps[-1] == max(naps) == LONGEST_BACK_OFF
    assert MANIFEST_PATIENCE < sum(naps) <= MANIFEST_PATIENCE + LONGEST_BACK_OFF


def test_a_manifestation_is_given_several_times_what_it_claims() -> None:
    claimed = MANIFEST_PATIENCE * 3 / 4
    naps = manifested(StrictDevice(manifest_claims=int(claimed * 1000), end=claims(claimed)))
    assert naps == [claimed] * (CLAIMS + 1)


def test_a_device_that_is_not_tolerant_may_be_silent_for_a_while() -> None:
    naps = manifested(StrictDevice(NOT_TOLERANT, end=is_silent))
    assert SILENCE < sum(naps) <= SILENCE + LONGEST_BACK_OFF


def test_a_device_is_asked_so_many_times_whether_it_has_left() -> None:
    device = StrictDevice()
    session = opened(device)
    before = device.log.count(DfuRequest.GETSTATE)
    assert not session.leave()
    asked = device.log.count(DfuRequest.GETSTATE) - before
    assert asked == 2 + 2 * LEAVE_POLLS + 1, "out of the dfuERROR of a refused DETACH; two times; in dfuIDLE at the end"
    assert device.naps == [LEAVE_NAP] * 2 * (LEAVE_POLLS - 1)
