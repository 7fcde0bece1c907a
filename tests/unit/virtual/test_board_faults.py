"""What a fault does to an emulated board, what ends it, and what a board counts of its host."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest

from flash_rig import APP1, BASE, OLD, Rig, image, small
from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceGoneError, StallError, TransferTimeoutError
from flashdeck.geometry import Range
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import DfuState, StatusReport, erase_page, set_address
from flashdeckd.usb.transport import Transport
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model

SECTOR = Range.sized(APP1.start, 8192)
DFUSE = [model for model in Model if model not in PLAIN_MODELS]
ANSWERS: tuple[Callable[[Transport], object], ...] = (
    class_requests.get_state,
    class_requests.get_status,
    lambda pipe: class_requests.upload(pipe, 2, 64),
    lambda pipe: class_requests.download(pipe, 0, set_address(APP1.start)),
)
"""Requests that any DfuSe device takes in dfuIDLE."""


@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("ask", ANSWERS)
def test_after_an_error_status_the_device_is_in_error_until_it_is_cleared(
    model: Model, ask: Callable[[Transport], object]
) -> None:
    rig = Rig(model)
    with rig.open() as pipe:
        to_idle(pipe, rig.nap)
        rig.bench.fault("board", Fault.ERROR_STATUS)
        answer: object = None
        with suppress(StallError):
            answer = ask(pipe)
        state = answer.state if isinstance(answer, StatusReport) else answer
        assert state in (None, DfuState.ERROR)
        report = class_requests.get_status(pipe)
        assert (report.status, report.state) == (0x0E, DfuState.ERROR)
        with pytest.raises(StallError):
            class_requests.abort(pipe)
        class_requests.clear_status(pipe)
        assert class_requests.get_state(pipe) == DfuState.IDLE


def test_an_erase_that_ends_in_an_error_status_is_not_done() -> None:
    for at in (1, 2):
        rig = Rig(Model.CLASSIC)
        with rig.open() as pipe:
            to_idle(pipe, rig.nap)
            rig.bench.fault("board", Fault.ERROR_STATUS, at)
            with pytest.raises(StallError) if at == 1 else nullcontext():
                class_requests.download(pipe, 0, erase_page(APP1.start))
            assert class_requests.get_status(pipe).state == DfuState.ERROR
            class_requests.clear_status(pipe)
            assert class_requests.get_status(pipe).state == DfuState.IDLE
        assert rig.memory(SECTOR) == OLD[SECTOR.start - BASE : SECTOR.end - BASE]


@pytest.mark.parametrize("model", [model for model in DFUSE if model is not Model.USBX])
def test_a_wrong_state_comes_after_the_work_is_done_and_ends_with_an_abort(model: Model) -> None:
    states: set[int] = set()
    for padding in range(6):
        rig = Rig(model)
        with rig.open() as pipe:
            to_idle(pipe, rig.nap)
            for _ in range(padding):
                class_requests.get_state(pipe)
            rig.bench.fault("board", Fault.WRONG_STATE)
            states.add(class_requests.get_state(pipe))
            assert class_requests.get_status(pipe).state in states
            with pytest.raises(StallError):
                class_requests.upload(pipe, 2, 64)
            class_requests.abort(pipe)
            assert class_requests.get_state(pipe) == DfuState.IDLE
    assert len(states) == 6
    assert {15, 0xEE} < states


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.HANG, Fault.LOST_ANSWER])
def test_what_a_request_without_an_answer_has_done(fault: Fault) -> None:
    rig = Rig(Model.CLASSIC)
    with rig.open() as pipe:
        to_idle(pipe, rig.nap)
        class_requests.download(pipe, 0, erase_page(APP1.start))
        rig.bench.fault("board", fault)
        with pytest.raises(TransferTimeoutError):
            class_requests.get_status(pipe)
        assert rig.board.state().erases == (fault is Fault.LOST_ANSWER)
        if fault is Fault.HANG:
            for _ in range(3):
                with pytest.raises(TransferTimeoutError):
                    class_requests.get_state(pipe)
            pipe.reset()
            assert class_requests.get_state(pipe) == DfuState.IDLE
            rig.bench.fault("board", fault)
            with pytest.raises(TransferTimeoutError):
                class_requests.get_state(pipe)
            rig.bench.unplug("board")
            rig.back_in_dfu()
            with rig.open() as again:
                assert class_requests.get_state(again) == DfuState.IDLE
        else:
            assert class_requests.get_state(pipe) in {DfuState.DNLOAD_SYNC, DfuState.DNBUSY}


def test_a_fault_can_strike_any_control_transfer() -> None:
    rig = Rig(Model.CLASSIC)
    with rig.open() as pipe:
        rig.bench.fault("board", Fault.STALL, any_transfer=True)
        rig.bench.fault("board", Fault.UNPLUG, 2)
        assert pipe.text(5), "asked once more, in English"
        assert class_requests.get_state(pipe) == DfuState.IDLE
        with pytest.raises(DeviceGoneError):
            class_requests.get_state(pipe)


@pytest.mark.parametrize(("share", "same"), [(0.0, True), (0.25, False), (0.5, False), (0.75, False), (1.0, False)])
def test_power_can_fail_at_several_points_of_an_erase_and_of_a_word(share: float, *, same: bool) -> None:
    old = OLD[SECTOR.start - BASE : SECTOR.end - BASE]
    rig = Rig(Model.CLASSIC)
    rig.bench.cut_power("board", 0, share)
    with pytest.raises(DeviceGoneError):
        rig.flash(image(9_000), small())
    torn = rig.memory(SECTOR)
    assert (torn == old) == same
    assert (torn == b"\xff" * SECTOR.size) == (share == 1.0)
    assert all(now | before == now for now, before in zip(torn, old, strict=True)), "an erase only sets bits"
    rig = Rig(Model.CLASSIC_NOREAD)
    rig.bench.cut_power("board", 2, share)  # two sectors
    with pytest.raises(DeviceGoneError):
        rig.flash(image(9_000), small())
    word, wanted = rig.memory(Range.sized(APP1.start + 16, 16)), image(9_000)[16:32]
    assert (word == b"\xff" * 16) == same
    assert (word == wanted) == (share == 1.0)
    assert all(now & right == right for now, right in zip(word, wanted, strict=True)), "a write only clears bits"


def test_a_board_counts_bytes_and_the_sleeps_of_its_host() -> None:
    target = small()
    hasty, slow = Rig(Model.CLASSIC), Rig(Model.CLASSIC)
    outcome = hasty.flash(image(9_000), target)
    state = hasty.board.state()
    assert (state.sleeps, state.slept) == (len(hasty.naps), pytest.approx(outcome.slept))
    assert state.bytes_down >= 9_000
    assert state.bytes_up >= 9_000
    outcome = slow.flash(image(9_000), replace(target, poll=PollPolicy.SPEC))
    state = slow.board.state()
    assert state.sleeps == len(slow.naps) > 10
    assert state.slept == pytest.approx(outcome.slept)


def test_a_pause_between_two_sessions_is_no_sleep_of_the_host() -> None:
    rig = Rig(Model.CLASSIC)
    for _ in range(2):
        with rig.open() as pipe:
            to_idle(pipe, rig.nap)
        rig.nap(3600.0)
    assert rig.board.state().sleeps == 0
