"""Faults at every stage of a flash: no half image boots, nothing outside changes, and the next flash succeeds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import APP1, BASE, FLASH_SIZE, Rig, Watcher, image, small
from flashdeck.errors import DeviceError, DeviceGoneError, FlashdeckError
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.usb.transport import open_device
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model
from soaking import sized

TARGET = small()
DATA = image(9_000, seed=2)
OPEN_FAULTS = (Fault.STALL, Fault.TIMEOUT, Fault.UNPLUG, Fault.ERROR_ERASE, Fault.ERROR_WRITE)
"""Faults that the device does not keep quiet about."""
MODELS = (Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX)


def boots(rig: Rig) -> bool:
    """Whether a boot check as in ST's sample would start what lies there."""
    head = rig.memory(Range.sized(APP1.start, 8))
    stack, reset = (int.from_bytes(head[at : at + 4], "little") for at in (0, 4))
    return stack & 0x2FFC0000 == 0x20000000 and reset & 1 == 1 and BASE <= reset < BASE + FLASH_SIZE


def whole(rig: Rig, data: bytes) -> bool:
    return rig.memory(Range.sized(APP1.start, len(data))) == data


def finish(rig: Rig, data: bytes = DATA) -> None:
    """Flashes again; a fault that waits for its kind of request may strike only now, once."""
    rig.back_in_dfu()
    try:
        rig.flash(data, TARGET)
    except DeviceError:
        rig.back_in_dfu()
        rig.flash(data, TARGET)


def requests_of(model: Model) -> int:
    rig = Rig(model)
    rig.flash(DATA, TARGET)
    return rig.board.state().requests


OLD_IMAGE = image(12_000, seed=3)


def used(model: Model) -> Rig:
    """A board with a complete older image on it."""
    old = bytearray(Rig(model).old)
    old[APP1.start - BASE : APP1.start - BASE + len(OLD_IMAGE)] = OLD_IMAGE
    return Rig(model, old=bytes(old))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("model", "fault"),
    # ST's USBX sample says OK to a failed write: there it is a silent fault.
    [(m, f) for m in MODELS for f in OPEN_FAULTS if (m, f) != (Model.USBX, Fault.ERROR_WRITE)],
)
def test_a_fault_at_any_request(model: Model, fault: Fault) -> None:
    step = (3 if model is Model.USBX else 2) * sized(8, 1, 1)
    for at in range(1, requests_of(model) + 1, step):
        rig, watcher = used(model), Watcher()
        rig.bench.fault("board", fault, at)
        where = f"{fault} at request {at} of {model}"
        ended = rig.attempt(DATA, TARGET, watcher)
        if isinstance(ended, FlashdeckError):
            assert isinstance(ended, DeviceGoneError if fault is Fault.UNPLUG else DeviceError), where
            assert "committed" not in watcher.events, where
        else:
            assert whole(rig, DATA), where
        assert not rig.outside_changed(TARGET.span)
        assert not boots(rig) or whole(rig, DATA) or whole(rig, OLD_IMAGE), where
        finish(rig)
        assert whole(rig, DATA)
        assert not rig.outside_changed(TARGET.span)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (Model.CLASSIC, Fault.CORRUPT),
        (Model.CLASSIC_NOREAD, Fault.CORRUPT),
        (Model.USBX, Fault.CORRUPT),
        (Model.USBX, Fault.ERROR_WRITE),
    ],
)
def test_a_write_that_fails_in_silence_is_never_called_verified(model: Model, fault: Fault) -> None:
    mended = 0
    for at in range(1, requests_of(model) + 1, sized(9, 3, 3)):
        rig, watcher = used(model), Watcher()
        rig.bench.fault("board", fault, at)
        outcome = rig.flash(DATA, TARGET, watcher)
        assert outcome.verified is Verified.NO or whole(rig, DATA)
        mended += any("done again" in note for note in outcome.notes)
        assert not rig.outside_changed(TARGET.span)
        finish(rig)
        finish(rig)
        assert whole(rig, DATA)
    assert mended or model is Model.CLASSIC_NOREAD


@pytest.mark.parametrize("model", MODELS)
def test_power_lost_at_any_programmed_word_or_erase(model: Model) -> None:
    steps = 2 + -(-len(DATA) // 16)
    for after in [*range(8), *range(8, steps, 23), *range(steps - 3, steps)]:
        rig, watcher = used(model), Watcher()
        rig.bench.cut_power("board", after)
        with pytest.raises(DeviceGoneError):
            rig.flash(DATA, TARGET, watcher)
        assert "committed" not in watcher.events
        assert not rig.outside_changed(TARGET.span)
        rig.back_in_dfu()
        if after > 1:  # a cut inside the erase of the boot unit's sector is the flash's own affair
            assert not boots(rig)
        rig.flash(DATA, TARGET)
        assert whole(rig, DATA)


def test_a_board_lost_while_reading_says_so_and_one_lost_while_writing_does_not() -> None:
    during: list[bool] = []
    behind_boot_unit = 8  # ABORT, UPLOAD, ABORT, three for the address, two for the leave
    for at in range(1, requests_of(Model.CLASSIC) - behind_boot_unit + 1):
        rig = Rig(Model.CLASSIC)
        before = rig.board.state().uploads
        rig.bench.fault("board", Fault.UNPLUG, at)
        with pytest.raises(DeviceGoneError) as caught:
            rig.flash(DATA, TARGET)
        during.append(caught.value.during_read)
        assert caught.value.during_read <= (rig.board.state().uploads > before)
    reads = Rig(Model.CLASSIC).flash(DATA, TARGET).uploads
    assert sum(during) == reads - 1, "each UPLOAD before the boot unit, and nothing else"


def test_a_board_whose_reads_crash_it_is_flashed_without_reading() -> None:
    rig = Rig(Model.CLASSIC)
    first = next(at for at in range(1, 60) if _lost_during_read(at))
    rig.bench.fault("board", Fault.UNPLUG, first)
    with pytest.raises(DeviceGoneError):
        rig.flash(DATA, TARGET)
    rig.back_in_dfu()
    outcome = rig.flash(DATA, replace(TARGET, may_read=False))
    assert outcome.uploads == 0
    assert whole(rig, DATA)


def _lost_during_read(at: int) -> bool:
    rig = Rig(Model.CLASSIC)
    rig.bench.fault("board", Fault.UNPLUG, at)
    try:
        rig.flash(DATA, TARGET)
    except DeviceGoneError as error:
        return error.during_read
    return False


def test_a_board_lost_after_its_boot_unit_holds_the_image() -> None:
    rig = Rig(Model.CLASSIC)
    watcher = Watcher(on_committed=lambda: rig.bench.unplug("board") and None)
    outcome = rig.flash(DATA, TARGET, watcher)
    assert (outcome.interrupted, outcome.left) == (True, False)
    assert whole(rig, DATA)
    assert any("lost after the boot unit" in note for note in outcome.notes)


def test_a_board_that_is_gone_before_it_is_opened() -> None:
    rig = Rig(Model.CLASSIC)
    device = rig.device
    rig.bench.unplug("board")
    with pytest.raises(DeviceGoneError, match="no longer at bus 1"):
        open_device(rig.bench.backend, device)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(OPEN_FAULTS), st.integers(1, 80)), max_size=3),
    st.sampled_from((Model.CLASSIC, Model.CLASSIC_NOREAD)),
    st.integers(17, 12_000),
)
def test_several_faults_one_after_the_other(faults: list[tuple[Fault, int]], model: Model, size: int) -> None:
    rig, data = used(model), image(size, seed=4)
    for fault, at in faults:
        rig.bench.fault("board", fault, at)
    for _ in range(len(faults) + 1):  # a failed flash has used up at least one of them
        try:
            rig.flash(data, TARGET)
            break
        except DeviceError:
            assert not boots(rig) or whole(rig, OLD_IMAGE) or whole(rig, data)
            assert not rig.outside_changed(TARGET.span)
            rig.back_in_dfu()
    assert whole(rig, data)
    assert not rig.outside_changed(TARGET.span)
