"""The engine on plain DFU 1.1 devices, through pyusb: alternate settings, manifestation, proof, interruption."""

import random
from dataclasses import replace

import pytest

from flash_rig import APP1, PARTITION2, TARGET, Rig, Watcher, pieces
from flashdeck.config import PartitionKind, VerifyPolicy
from flashdeck.errors import (
    DescriptorError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    ParkedError,
    RefusedError,
    VerifyError,
)
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.wire import DfuRequest
from flashdeckd.flash import engine, plain_planner
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.flash_plan import StepKind
from flashdeckd.flash.plain_planner import LEAST_UNIT
from flashdeckd.flash.plain_run import ENOUGH, Comparison
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.images.image import Image
from flashdeckd.usb.transport import Transport
from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from soaking import sized

SIZE = 384 * 1024
TOLERANT = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT
ALT = AlternateTarget(
    partition="app1",
    size=SIZE,
    setting=0,
)
UNSEEN = FunctionalDescriptor(transfer_size=1024)
TINYUSB = pytest.mark.parametrize("model", [Model.TINYUSB, Model.TINYUSB_ASYNC])


def image(size: int, seed: int = 1) -> bytes:
    """An image with a stack pointer that every boot check takes."""
    head = (0x20005000).to_bytes(4, "little") + (APP1.start + 0x201).to_bytes(4, "little")
    return (head + random.Random(seed).randbytes(size))[:size]  # noqa: S311 - invented contents, nothing secret


def done(result: FlashResult | FlashdeckError) -> FlashResult:
    assert isinstance(result, FlashResult), result
    return result


# Where it goes


@TINYUSB
@pytest.mark.parametrize(
    ("alternate", "span"), [(0, APP1), (1, PARTITION2), ("app1", APP1), ("partition2", PARTITION2)]
)
def test_an_image_goes_into_the_chosen_alternate_setting_and_nowhere_else(
    model: Model, alternate: int | str, span: Range
) -> None:
    rig, data = Rig(model, attributes=TOLERANT), image(20_000)
    outcome = rig.flash(data, replace(ALT, setting=alternate))
    assert rig.memory(Range.sized(span.start, len(data))) == data
    assert not rig.outside_changed(span)
    assert outcome.protection.startswith("not protectable")
    assert rig.board.state().violations == ()


@TINYUSB
def test_a_block_costs_three_requests_and_waits_as_long_as_claimed(model: Model) -> None:
    rig, data, watcher = Rig(model), image(64 * 1024), Watcher()
    outcome = rig.flash(data, ALT, watcher)
    assert (outcome.blocks, outcome.uploads, outcome.erases) == (64, 0, 0)
    naps = [nap for nap in rig.naps if nap >= 0.001]
    if model is Model.TINYUSB:
        assert watcher.plan is not None
        assert outcome.transfers <= watcher.plan.requests + 2
        assert len(naps) >= 64
    assert outcome.slept == pytest.approx(sum(rig.naps), abs=1.0)
    assert rig.board.state().violations == ()


@pytest.mark.parametrize(
    ("alternate", "problem", "hint"),
    [(7, "no alternate setting 7", "it has 0, 1"), ("app9", 'no alternate setting "app9"', '0 "app1", 1 "partition2"')],
)
def test_an_alternate_setting_that_is_not_there_is_named(alternate: int | str, problem: str, hint: str) -> None:
    rig = Rig(Model.TINYUSB)
    error = rig.attempt(image(5000), replace(ALT, setting=alternate))
    assert isinstance(error, DescriptorError)
    assert problem in error.message
    assert hint in error.hint
    assert rig.memory() == rig.old


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM])
def test_a_dfuse_device_is_never_sent_a_first_block_as_a_command(model: Model) -> None:
    rig = Rig(model)
    error = rig.attempt(bytes((0x41,)) + image(5000), ALT)
    assert isinstance(error, DescriptorError)
    assert "speaks DfuSe" in error.message
    assert "address" in error.hint
    assert rig.memory() == rig.old
    assert rig.board.state().downloads == 0


@TINYUSB
def test_a_partition_with_an_address_is_refused_by_a_plain_device(model: Model) -> None:
    rig = Rig(model)
    error = rig.attempt(image(5000), TARGET)
    assert isinstance(error, DescriptorError)
    assert "plain DFU" in error.message
    assert rig.memory() == rig.old


def test_what_does_not_fit_is_refused_before_anything_is_sent() -> None:
    rig = Rig(Model.TINYUSB)
    error = rig.attempt(image(4097), replace(ALT, size=4096))
    assert isinstance(error, RefusedError)
    assert error.kind is ErrorKind.OUTSIDE_PARTITION
    assert rig.board.state().downloads == 0


def test_a_partition_is_filled_to_its_last_byte_and_never_beyond() -> None:
    rig, data = Rig(Model.TINYUSB, attributes=TOLERANT), image(5001)
    outcome = rig.flash(data, replace(ALT, size=5001))
    assert (outcome.bytes_written, outcome.verified) == (5001, Verified.YES)
    assert rig.memory(Range.sized(APP1.start, 5001)) == data
    assert any("no whole units" in note for note in outcome.notes)


@pytest.mark.parametrize("model", sorted(PLAIN_MODELS))
@pytest.mark.parametrize("size", [5001, 1025, 3 * 1024 - 1, 4096])
def test_an_image_of_odd_length_is_filled_up_so_that_no_device_loses_its_end(model: Model, size: int) -> None:
    rig, data = Rig(model, attributes=TOLERANT), image(size)
    plan = plain_planner.make_plan(Image.raw(data), ALT, UNSEEN)
    outcome = rig.flash(data, ALT)
    even = -(-size // LEAST_UNIT) * LEAST_UNIT
    assert rig.memory(Range.sized(APP1.start, even)) == data.ljust(even, b"\xff")
    assert outcome.bytes_written == size
    assert any(f"filled up with 0xff to {even} bytes" in note for note in outcome.notes) is bool(size % 2)
    assert plan.erased == (Range(0, even),)
    assert plan.erased_beside == even - size
    assert not rig.outside_changed(APP1)


@pytest.mark.parametrize("model", sorted(PLAIN_MODELS))
@pytest.mark.parametrize(
    "what", [pieces((0, image(3000)), (9000, b"more")), pieces((5000, b"begins later"))], ids=["gap", "patch"]
)
def test_what_an_image_leaves_open_is_sent_as_erased_flash_and_said(model: Model, what: Image) -> None:
    rig, watcher = Rig(model, attributes=TOLERANT), Watcher()
    result = rig.attempt(what, ALT, watcher)
    if isinstance(result, FlashdeckError):
        assert model is Model.DAPBOOT, "it starts nothing without a stack pointer"
        assert not what.is_program
        return
    assert rig.memory(Range.sized(APP1.start, what.end)) == what.read(Range(0, what.end))
    assert any(f"{what.end - what.size} bytes between pieces are sent as 0xff" in note for note in result.notes)
    assert result.erased_beside == what.end - what.size
    assert result.verified is Verified.YES
    assert watcher.plan is not None
    assert watcher.plan.erased == (Range(0, what.end),)


def test_data_is_said_to_be_data() -> None:
    plan = plain_planner.make_plan(Image.raw(image(5000)), replace(ALT, holds=PartitionKind.DATA), UNSEEN)
    assert plan.protection.startswith("data")


@pytest.mark.parametrize("size", [64, 512, 4096])
def test_the_device_says_how_long_a_block_is(size: int) -> None:
    rig, data = Rig(Model.TINYUSB, attributes=TOLERANT, transfer_size=size), image(20_000)
    outcome = rig.flash(data, ALT)
    assert outcome.blocks == -(-20_000 // size)
    assert rig.memory(Range.sized(APP1.start, len(data))) == data


@pytest.mark.parametrize("stated", [0, 8192])
def test_a_device_whose_blocks_might_land_elsewhere_is_left_alone(stated: int) -> None:
    functional = FunctionalDescriptor(can_upload=True, manifestation_tolerant=True, transfer_size=stated)
    with pytest.raises(RefusedError, match="wTransferSize") as caught:
        plain_planner.make_plan(Image.raw(image(5000)), ALT, functional)
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    assert "4096" in caught.value.hint


@pytest.mark.parametrize("model", [Model.TINYUSB, Model.DAPBOOT])
def test_one_refused_block_costs_a_beginning_anew_and_is_said(model: Model) -> None:
    rig, data = Rig(model), image(FIVE)
    rig.board.fault(Fault.ERROR_STATUS, 9)
    outcome = rig.flash(data, ALT)
    assert rig.memory(Range.sized(APP1.start, len(data))) == data
    assert any("sent again from the first block" in note for note in outcome.notes)


def test_a_device_that_takes_no_image_is_left_alone() -> None:
    error = Rig(Model.TINYUSB, attributes=Attribute.CAN_UPLOAD).attempt(image(5000), ALT)
    assert isinstance(error, DescriptorError)
    assert "bitCanDnload" in error.message


# What is proved


@TINYUSB
def test_what_read_differently_before_and_equal_after_is_verified(model: Model) -> None:
    rig, data, watcher = Rig(model, attributes=TOLERANT), image(20_000), Watcher()
    outcome = rig.flash(data, ALT, watcher)
    assert outcome.verified is Verified.YES
    assert watcher.history.reading_proved
    assert outcome.uploads == 1 + 20, "one block before, for it differs, and all of them after"
    assert watcher.events == ["planned", "began", "committed"]
    assert rig.board.state().violations == ()


def test_the_same_image_again_proves_nothing_on_a_board_that_nothing_is_known_of() -> None:
    data = image(20_000)
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    rig.flash(data, ALT)
    known, rig.history = rig.history, UNKNOWN
    outcome = rig.flash(data, ALT)
    assert (outcome.verified, outcome.uploads) == (Verified.NO, 40)
    assert "proves nothing" in " ".join(outcome.notes)
    rig.history = known
    again = rig.flash(data, ALT)
    assert (again.verified, again.uploads) == (Verified.YES, 20), "no read before"


def test_a_read_that_is_wrong_in_places_is_believed_once_enough_blocks_are_right() -> None:
    for right in (ENOUGH - 1, ENOUGH):
        seen = Comparison(sample=(0, b"before"))
        seen.take(0, b"new", b"other")
        for block in range(1, right + 1):
            seen.take(block, bytes([block]), bytes([block]))
        assert seen.proves is (right == ENOUGH)


def test_an_image_of_one_block_proves_nothing() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    outcome = rig.flash(image(1000), ALT)
    assert (outcome.verified, outcome.uploads) == (Verified.NO, 0)
    assert "single block" in " ".join(outcome.notes)


@pytest.mark.parametrize(
    ("attributes", "verify", "reason"),
    [
        (TOLERANT & ~Attribute.CAN_UPLOAD, VerifyPolicy.AUTO, "bitCanUpload"),
        (Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD, VerifyPolicy.AUTO, "bitManifestationTolerant"),
        (TOLERANT, VerifyPolicy.NEVER, "never"),
    ],
)
def test_a_result_says_why_nothing_was_read(attributes: int, verify: VerifyPolicy, reason: str) -> None:
    rig = Rig(Model.TINYUSB, attributes=attributes)
    outcome = rig.flash(image(5000), replace(ALT, verify=verify))
    assert (outcome.verified, outcome.uploads) == (Verified.NO, 0)
    assert reason in " ".join(outcome.notes)
    if verify is VerifyPolicy.AUTO:
        error = Rig(Model.TINYUSB, attributes=attributes).attempt(image(5000), replace(ALT, verify=VerifyPolicy.ALWAYS))
        assert isinstance(error, VerifyError)
        assert "nothing was sent" in error.message


@pytest.mark.parametrize("known", [UNKNOWN, BootloaderHistory(reading_proved=True)], ids=["first job", "proved before"])
@pytest.mark.parametrize("model", [Model.TINYUSB, Model.DAPBOOT])
@pytest.mark.parametrize("block", [0, 2, 4])
def test_a_flash_that_went_wrong_unseen_by_the_device_is_an_error_and_the_board_is_not_started(
    model: Model, block: int, known: BootloaderHistory
) -> None:
    """On a first job, too: the first block read otherwise before, and others read as they were sent."""
    rig = Rig(model, attributes=TOLERANT)
    rig.history = known
    rig.board.fault(Fault.CORRUPT, _requests_before(model, image(FIVE), block, known))
    error = rig.attempt(image(FIVE), ALT)
    assert isinstance(error, VerifyError)
    assert f"offset 0x{block * 1024:x}" in error.message
    assert rig.present, "no leave"


def _requests_before(model: Model, data: bytes, block: int, known: BootloaderHistory = UNKNOWN) -> int:
    """After how many requests the block is the next that is written."""
    rig, seen = Rig(model, attributes=TOLERANT), [0]
    rig.history = known
    watcher = Watcher(on_check=lambda _: seen.append(rig.board.state().requests))
    rig.flash(data, ALT, watcher)
    return seen[block - 1 - -(-len(data) // 1024)]  # it looks up before each block and the end


def test_a_mismatch_without_any_other_block_to_tell_by_is_not_called_damage() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    rig.board.fault(Fault.CORRUPT, _requests_before(Model.TINYUSB, image(2000), 1))
    outcome = rig.flash(image(2000), ALT)
    assert outcome.verified is Verified.NO
    assert "does not read as it was sent" in " ".join(outcome.notes)


def test_verify_always_fails_where_the_proof_does() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    rig.board.fault(Fault.CORRUPT, _requests_before(Model.TINYUSB, image(2000), 1))
    watcher = Watcher()
    error = rig.attempt(image(2000), replace(ALT, verify=VerifyPolicy.ALWAYS), watcher)
    assert isinstance(error, VerifyError)
    assert "could not be read back" in error.message


class LyingReads(Transport):
    """An open device whose UPLOADs answer the last block that was sent, a constant, or what was there before."""

    def __init__(self, pipe: Transport, lie: str, old: bytes) -> None:
        vars(self).update(vars(pipe))
        self._lie = lie
        self._old = old
        self._last = b""
        self._at = 0

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        self._last = data or self._last
        self._at = 0
        super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        data = super().receive(request, value, length, timeout=timeout)
        if request != DfuRequest.UPLOAD:
            return data
        self._at += length
        match self._lie:
            case "echo":
                return self._last.ljust(length, b"\xff")[:length]
            case "stale":
                return self._old[self._at - length : self._at]
            case "short":
                return data[:-1]
            case "empty":
                return b""
            case _:
                return self._lie.encode()[:1] * length


@pytest.mark.parametrize("lie", ["echo", "stale", "short", "empty", "constant", "\x00"])
def test_a_read_that_lies_never_proves_a_flash(lie: str) -> None:
    rig, watcher = Rig(Model.TINYUSB, attributes=TOLERANT), Watcher()
    for seed in (1, 2):
        data = image(20_000, seed)
        with rig.open() as pipe:
            outcome = engine.flash(LyingReads(pipe, lie, rig.memory(APP1)), Image.raw(data), ALT, watcher, rig.nap)
        assert outcome.verified is Verified.NO
        assert "reading does not work on this board" in " ".join(outcome.notes)
        assert rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not watcher.history.reading_proved


# The end of it


def test_a_device_that_waits_for_a_reset_gets_one_and_starts() -> None:
    rig = Rig(Model.TINYUSB)
    outcome = rig.flash(image(5000), ALT)
    assert outcome.left
    assert rig.board.state().mode == "app"


def test_a_device_that_waits_for_a_reset_is_left_in_peace_where_the_profile_wants_no_leave() -> None:
    rig, watcher = Rig(Model.TINYUSB), Watcher()
    outcome = rig.flash(image(5000), replace(ALT, leave=False), watcher)
    assert not outcome.left
    assert rig.board.state().mode == "dfu"
    assert watcher.events[-1] == "committed"


def test_a_tolerant_device_that_stays_is_told_of() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    outcome = rig.flash(image(5000), ALT)
    assert not outcome.left
    assert "reset the board" in " ".join(outcome.notes)
    assert outcome.verified is Verified.YES


@pytest.mark.parametrize("attributes", [TOLERANT, Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.WILL_DETACH])
@pytest.mark.parametrize("alternate", [0, "DAPBoot DFU"])
def test_dapboot_takes_an_image_and_starts_it(attributes: int, alternate: int | str) -> None:
    rig, data, watcher = Rig(Model.DAPBOOT, attributes=attributes), image(20_000), Watcher()
    outcome = rig.flash(data, replace(ALT, setting=alternate), watcher)
    assert outcome.left
    assert rig.board.state().mode == "app"
    assert rig.memory(Range.sized(APP1.start, len(data))) == data
    assert outcome.verified is (Verified.YES if attributes == TOLERANT else Verified.NO)
    assert watcher.events == ["planned", "began", "committed"]
    assert rig.board.state().violations == ()


def test_an_image_that_the_device_does_not_accept_is_never_called_flashed() -> None:
    rig, watcher = Rig(Model.DAPBOOT), Watcher()
    error = rig.attempt((0x20030000).to_bytes(4, "little") + image(5000), ALT, watcher)
    assert isinstance(error, FlashdeckError)
    assert error.kind is ErrorKind.DFU_STATUS
    assert "errFIRMWARE" in error.message
    assert "committed" not in watcher.events


# Interruptions


MODELS = pytest.mark.parametrize(
    ("model", "attributes"),
    [
        (Model.TINYUSB, TOLERANT),
        (Model.TINYUSB, TOLERANT & ~Attribute.MANIFESTATION_TOLERANT),
        (Model.TINYUSB_ASYNC, TOLERANT),
        (Model.DAPBOOT, Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.WILL_DETACH),
        (Model.DAPBOOT, TOLERANT),
    ],
)
FIVE = 5 * 1024


FAULTS = (
    Fault.UNPLUG,
    Fault.STALL,
    Fault.TIMEOUT,
    Fault.LOST_ANSWER,
    Fault.ERROR_STATUS,
    Fault.WRONG_STATE,
    Fault.HANG,
    Fault.ERROR_ERASE,
    Fault.ERROR_WRITE,
)


@pytest.mark.soak
@MODELS
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_breaks_off_begins_again_at_the_first_block(model: Model, attributes: int, fault: Fault) -> None:
    data, untroubled = image(FIVE - 24), Rig(model, attributes=attributes)
    untroubled.flash(data, ALT)
    for after in range(1, untroubled.board.state().requests + 1, sized(4, 1, 1)):
        rig, watcher = Rig(model, attributes=attributes), Watcher()
        rig.board.fault(fault, after)
        first = rig.attempt(data, ALT, watcher)
        assert not rig.outside_changed(APP1)
        if isinstance(first, FlashResult):
            assert watcher.events[-1] == "committed"
            assert rig.memory(Range.sized(APP1.start, len(data))) == data
            continue
        assert first.message
        assert first.hint
        rig.back_in_dfu()
        done(rig.attempt(data, ALT))
        assert rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not rig.outside_changed(APP1)


@MODELS
def test_a_board_that_is_lost_before_the_end_was_answered_has_not_taken_it(model: Model, attributes: int) -> None:
    rig, watcher = Rig(model, attributes=attributes), Watcher()
    rig.board.fault(Fault.UNPLUG, 12)
    error = rig.attempt(image(FIVE), ALT, watcher)
    assert isinstance(error, DeviceGoneError)
    assert watcher.events == ["planned", "began"]


def test_a_job_that_is_stopped_leaves_the_device_in_idle() -> None:
    def stop(count: int) -> None:
        if count == 4:
            raise ParkedError("cancelled by hand", kind=ErrorKind.CANCELLED)

    rig, watcher = Rig(Model.TINYUSB), Watcher(on_check=stop)
    assert isinstance(rig.attempt(image(FIVE), ALT, watcher), ParkedError)
    assert watcher.events == ["planned", "began"]
    with rig.open() as pipe:
        before = pipe.transfers
        engine.survey(pipe, Image.raw(image(FIVE)), ALT)
        assert pipe.transfers - before == 4, "GETSTATE, a name with its language, SET_INTERFACE: no ladder"


def test_a_board_whose_reading_hangs_is_flashed_without_it() -> None:
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    outcome = rig.flash(image(FIVE), replace(ALT, may_read=False))
    assert (outcome.uploads, outcome.verified) == (0, Verified.NO)
    assert "lost the board while reading" in " ".join(outcome.notes)


def test_what_only_lacks_its_start_gets_it() -> None:
    rig = Rig(Model.DAPBOOT, attributes=TOLERANT)
    rig.flash(image(FIVE), replace(ALT, leave=False))
    with rig.open() as pipe:
        assert engine.leave(pipe, ALT)
    assert rig.board.state().mode == "app"


# The plan


def test_a_plan_is_made_without_the_board_and_nothing_is_written_for_one_with_it() -> None:
    blind = plain_planner.make_plan(Image.raw(image(FIVE)), ALT, UNSEEN)
    assert [step.action for step in blind.steps] == [*[StepKind.DOWNLOAD] * 5, StepKind.MANIFEST, StepKind.LEAVE]
    assert (blind.blocks, blind.erases, blind.changes) == (5, 0, True)
    rig = Rig(Model.TINYUSB, attributes=TOLERANT)
    with rig.open() as pipe:
        asked = engine.survey(pipe, Image.raw(image(FIVE)), ALT)
    actions = [step.action for step in asked.steps]
    assert actions == [
        StepKind.SAMPLE,
        *[StepKind.DOWNLOAD] * 5,
        StepKind.MANIFEST,
        StepKind.READ_BACK,
        StepKind.LEAVE,
    ]
    assert asked.protection.startswith("not protectable")
    assert rig.memory() == rig.old
    assert rig.board.state().downloads == 0


@pytest.mark.soak
@MODELS
def test_power_lost_in_an_erase_or_between_words_costs_nothing_but_the_attempt(model: Model, attributes: int) -> None:
    data, untroubled = image(FIVE - 24), Rig(model, attributes=attributes)
    untroubled.flash(data, ALT)
    state = untroubled.board.state()
    every = state.words + state.erases
    for steps in range(0, every, 1 + every // sized(80, 400, 400)):
        rig, watcher = Rig(model, attributes=attributes), Watcher()
        rig.board.cut_power(steps)
        assert isinstance(rig.attempt(data, ALT, watcher), DeviceGoneError)
        assert watcher.events == ["planned", "began"]
        rig.back_in_dfu()
        done(rig.attempt(data, ALT))
        assert rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not rig.outside_changed(APP1)
