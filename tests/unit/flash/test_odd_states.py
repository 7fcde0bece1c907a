"""Boards that an earlier host, or a refusal, has left in an odd state: back to dfuIDLE, with the board's own reason."""

from contextlib import suppress
from dataclasses import replace

import pytest

from flash_rig import APP1, ROOM, ROOM_TWIN, TARGET, Rig, blank, image
from flashdeck.errors import DeviceError, FlashdeckError
from flashdeck.geometry import Range
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import DfuState
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AddressTarget, AlternateTarget
from flashdeckd.usb.transport import Transport
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, STORES_NOTHING, Model

ALT = AlternateTarget(partition="app1", size=384 * 1024, setting=0)
FAULTY = sorted(set(Model) - STORES_NOTHING)


def program(size: int, seed: int = 1) -> bytes:
    """An image that every boot check takes."""
    return (0x20005000).to_bytes(4, "little") + image(size, seed)[4:]


def target_for(model: Model, *, leave: bool = True) -> AddressTarget | AlternateTarget:
    return replace(ALT if model in PLAIN_MODELS else TARGET, leave=leave)


@pytest.fixture
def resets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bus resets of a test."""
    seen: list[str] = []
    reset = Transport.reset

    def counted(transport: Transport) -> None:
        seen.append("reset")
        reset(transport)

    monkeypatch.setattr(Transport, "reset", counted)
    return seen


def state_of(rig: Rig) -> int | None:
    """The state that the board is in; None where it refuses to say."""
    with rig.open() as pipe, suppress(DeviceError):
        return class_requests.get_state(pipe)
    return None


def died_behind_the_last_block(rig: Rig, data: bytes) -> None:
    """A host sends a block and the end of the image, and is gone."""
    with rig.open() as pipe:
        if len(pipe.alternates) > 1:
            pipe.select(0)
        number = 0 if rig.board.spec.model in PLAIN_MODELS else 2
        class_requests.download(pipe, number, data)
        for _ in range(50):
            if class_requests.get_status(pipe).state == DfuState.DNLOAD_IDLE:
                break
        class_requests.download(pipe, number + 1, b"")
        assert class_requests.get_state(pipe) == DfuState.MANIFEST_SYNC


@pytest.mark.parametrize(
    "model", [Model.CLASSIC, Model.CLASSIC_NOREAD, Model.TINYUSB, Model.TINYUSB_ASYNC, Model.DAPBOOT, Model.ZEPHYR]
)
def test_a_host_that_died_behind_the_last_block_costs_neither_a_reset_nor_a_wait(
    model: Model, resets: list[str]
) -> None:
    rig = Rig(model, old=blank(APP1))
    died_behind_the_last_block(rig, program(64))
    with rig.open() as pipe:
        to_idle(pipe, rig.nap)
        assert class_requests.get_state(pipe) == DfuState.IDLE
    assert (resets, rig.naps) == ([], [])
    assert rig.present
    data = program(20_000, seed=3)
    result = rig.attempt(data, target_for(model, leave=False))
    assert isinstance(result, FlashResult), result
    assert rig.memory(Range.sized(APP1.start, len(data))) == data
    assert resets == []


@pytest.mark.parametrize("model", FAULTY)
@pytest.mark.parametrize("fault", [Fault.ERROR_WRITE, Fault.ERROR_ERASE])
def test_a_board_that_a_job_has_failed_on_is_in_dfuidle_afterwards(model: Model, fault: Fault) -> None:
    rig = Rig(model, old=blank(ROOM, ROOM_TWIN))
    rig.board.fault(fault, 1, times=100)
    ended = rig.attempt(image(20_000), target_for(model, leave=False))
    if not rig.present or isinstance(ended, FlashResult):
        return
    assert state_of(rig) in (DfuState.IDLE, DfuState.DNLOAD_IDLE, DfuState.UPLOAD_IDLE)


def test_what_zephyr_refuses_is_said_with_its_status_and_not_explained_with_sts_rom() -> None:
    rig = Rig(Model.ZEPHYR)
    rig.board.fault(Fault.ERROR_WRITE, 1, times=100)
    error = rig.attempt(image(20_000), ALT)
    assert isinstance(error, FlashdeckError), error
    assert "errUNKNOWN" in error.message
    assert "ST's" not in error.message + error.hint
    assert state_of(rig) == DfuState.IDLE


def test_zephyr_refuses_to_start_and_is_in_dfuidle_afterwards() -> None:
    rig = Rig(Model.ZEPHYR)
    result = rig.attempt(image(20_000), ALT)
    assert isinstance(result, FlashResult), result
    assert not result.left
    assert state_of(rig) == DfuState.IDLE


def test_a_chip_at_rdp_level_1_says_why_it_refuses_a_read() -> None:
    result = Rig(Model.ROM_RDP1_SILENT).attempt(image(20_000))
    said = "; ".join(result.notes) if isinstance(result, FlashResult) else result.message
    assert "errVENDOR (in ST's ROM: read protection is active" in said
