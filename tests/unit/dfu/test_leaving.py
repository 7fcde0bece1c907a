"""Out of DFU mode: vanishing is success, being there as if nothing had been said is not."""

from dataclasses import dataclass

import pytest

from flash_rig import APP1, GEOMETRY, SECTOR, Rig, image
from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.dfu.class_requests import DETACH_MS
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.leaving import NAP, POLLS, detach
from flashdeckd.dfu.wire import DfuRequest, DfuState
from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from model_pipe import BASE, PAGE, ModelPipe

FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), Geometry((Region(BASE, 32, PAGE),), program_unit=16))
WILL_DETACH, TOLERANT = 0x08, 0x04


@dataclass
class Leaver(ModelPipe):
    """What it does is said by the test: with the block of no bytes, and with the GETSTATUS after it."""

    download: type[DeviceError] | None = None
    answers: tuple[int | type[DeviceError], ...] = (DfuState.MANIFEST,)
    """States or errors, one a GETSTATUS; the last one for all that follow."""
    attributes: int = 0x03 | WILL_DETACH

    def __post_init__(self) -> None:
        self.functional = bytes((9, 0x21, self.attributes, 255, 0, 0, 4, 0x1A, 1))
        self.asked = 0
        self.leaving = False
        super().__post_init__()

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        if request == DfuRequest.DNLOAD and not data:
            self._count(request, value, 0)
            self.leaving = True
            if self.download is not None:
                raise self.download("as the test wants it")
            return
        super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        if not self.leaving:
            return super().receive(request, value, length, timeout=timeout)
        self._count(request, value, length)
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, int):
            return bytes((answer,)) if request == DfuRequest.GETSTATE else bytes((0, 1, 0, 0, answer, 0))
        raise answer("as the test wants it")

    def reset(self) -> None:
        super().reset()
        raise DeviceGoneError("it enumerates anew")


def left(pipe: Leaver) -> bool:
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep)
    session.open()
    return session.leave(BASE)


@pytest.mark.parametrize(
    "answers",
    [
        (DfuState.MANIFEST,),
        (DfuState.MANIFEST_WAIT_RESET,),
        (DfuState.MANIFEST_SYNC, DfuState.MANIFEST),
        (DfuState.MANIFEST_SYNC, DeviceGoneError),
        (DfuState.MANIFEST_SYNC,),
        (DfuState.APP_IDLE,),
        (StallError,),
        (TransferTimeoutError,),
        (DeviceGoneError,),
        (DeviceError,),
    ],
)
@pytest.mark.parametrize("download", [None, TransferTimeoutError])
def test_what_counts_as_left(download: type[DeviceError] | None, answers: tuple[int | type[DeviceError], ...]) -> None:
    pipe = Leaver(download=download, answers=answers)
    assert left(pipe)
    assert pipe.asked <= 4


@pytest.mark.parametrize("state", [DfuState.IDLE, DfuState.DNLOAD_IDLE, DfuState.ERROR, DfuState.DNLOAD_SYNC, 15])
@pytest.mark.parametrize("download", [None, TransferTimeoutError])
def test_a_device_that_is_there_as_before_has_not_left(download: type[DeviceError] | None, state: int) -> None:
    pipe = Leaver(download=download, answers=(state,))
    assert not left(pipe)
    assert len(pipe.requests(DfuRequest.GETSTATUS)) == 2 + 1, "for the address, and for the leave"


def test_a_device_that_refuses_the_leave_is_in_dfuidle_afterwards() -> None:
    class Refuses(ModelPipe):
        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            if request == DfuRequest.DNLOAD and not data:
                self._refuse()
            super().send(request, value, data, timeout=timeout)

    pipe = Refuses()
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep)
    session.open()
    assert not session.leave(BASE)
    assert (pipe.state, pipe.resets) == (DfuState.IDLE, 0)


def test_a_device_that_is_gone_at_once_is_not_asked() -> None:
    pipe = Leaver(download=DeviceGoneError)
    assert left(pipe)
    assert pipe.asked == 0


@pytest.mark.parametrize(
    ("answer", "has_left"), [(DfuState.MANIFEST, True), (DfuState.DNLOAD_IDLE, False), (StallError, False)]
)
def test_a_stall_is_a_refusal_unless_the_state_says_otherwise(answer: int | type[DeviceError], has_left: bool) -> None:
    assert left(Leaver(download=StallError, answers=(answer,))) is has_left


def test_a_tolerant_device_that_comes_back_to_idle_has_not_left() -> None:
    pipe = Leaver(attributes=0x03 | TOLERANT, answers=(DfuState.MANIFEST, DfuState.MANIFEST_SYNC, DfuState.IDLE))
    assert not left(pipe)


def test_a_tolerant_device_that_goes_after_all_has_left() -> None:
    assert left(Leaver(attributes=0x03 | TOLERANT, answers=(DfuState.MANIFEST, DeviceGoneError)))


@pytest.mark.parametrize(("attributes", "resets"), [(0x03, 1), (0x03 | WILL_DETACH, 0)])
def test_a_device_that_waits_for_a_reset_gets_one_unless_it_detaches_itself(attributes: int, resets: int) -> None:
    pipe = Leaver(attributes=attributes, answers=(DfuState.MANIFEST_WAIT_RESET,))
    assert left(pipe)
    assert pipe.resets == resets


ALL_BUT_PLAIN = [model for model in Model if model not in PLAIN_MODELS | {Model.CLASSIC_CRASH}]


@pytest.mark.parametrize("model", ALL_BUT_PLAIN)
def test_every_emulated_board_has_left_exactly_if_it_is_not_in_dfu_mode_any_more(model: Model) -> None:
    rig = Rig(model, old=b"\xff" * 0x20000 + image(SECTOR) + b"\xff" * (0x100000 - 0x20000 - SECTOR))
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), PollPolicy.AUTO, rig.nap)
        session.open()
        assert session.leave(APP1.start) is not rig.present
    assert rig.present is (model is Model.GD32_SILENT)


def test_an_emulated_tolerant_board_stays() -> None:
    attributes = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
    rig = Rig(attributes=attributes, leave_answers=True)
    with rig.open() as pipe:
        session = DfuseSession(pipe, Fence.around(APP1, GEOMETRY), PollPolicy.AUTO, rig.nap)
        session.open()
        assert session.leave(APP1.start) is not rig.present


def test_a_device_that_stays_on_its_way_is_asked_so_many_times() -> None:
    pipe = Leaver(answers=(DfuState.MANIFEST_SYNC,), poll_ms=0)
    assert left(pipe)
    assert pipe.asked == POLLS
    assert pipe.naps == [NAP] * POLLS


def test_an_application_is_told_how_long_it_may_wait_for_the_reset() -> None:
    pipe = ModelPipe()
    pipe.state = DfuState.APP_IDLE
    detach(pipe)
    assert pipe.requests(DfuRequest.DETACH) == [(DETACH_MS, 0)]
