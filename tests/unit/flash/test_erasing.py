"""An erase of a whole partition by true bytes: on every kind of board, and however it is interrupted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

import flash_rig
import little_board
from flash_rig import APP1, PARTITION2, SECTOR, Rig, Watcher, blank, image
from flashdeck.config import PartitionKind, VerifyPolicy
from flashdeck.errors import (
    BlockedError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    RefusedError,
    TransferTimeoutError,
)
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.flash import engine
from flashdeckd.flash.flash_plan import StepKind
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AddressTarget, Target
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from little_board import NEW_IMAGE, OLD_IMAGE, PLAIN, board, boots, changed_outside, flash_with, memory
from soaking import part

TARGET = replace(flash_rig.TARGET, span=Range.sized(APP1.start, 5 * SECTOR))
MODELS = (Model.CLASSIC, Model.CLASSIC_NOREAD, Model.CLASSIC_STALE, Model.USBX, Model.ROM, Model.STRICT, Model.H7_WEDGE)
LITTLE = little_board.TARGET
MAX_ATTEMPTS = 8
ROOM = Range(PARTITION2.end - SECTOR, PARTITION2.end)
"""The last sector of partition2, where a canary may go if it is blank ..."""
ROOM_TWIN = Range.sized(ROOM.start - flash_rig.FLASH_SIZE // 2, SECTOR)
"""... and its twin in the other bank is blank, too."""


def erase(rig: Rig, target: Target, watcher: Watcher | None = None) -> FlashResult:
    """Erases through pyusb, with what earlier jobs have shown of the board."""
    watcher = watcher or Watcher()
    watcher.history = rig.history
    try:
        with rig.open() as pipe:
            return engine.erase(pipe, target, watcher, rig.nap, history=rig.history)
    finally:
        rig.history = watcher.history


@pytest.mark.parametrize("model", MODELS)
def test_all_of_the_partition_is_erased_and_nothing_beside_it(model: Model) -> None:
    rig, watcher = Rig(model), Watcher()
    outcome = erase(rig, TARGET, watcher)
    assert rig.memory(TARGET.span) == b"\xff" * TARGET.span.size
    assert not rig.outside_changed(TARGET.span)
    assert (outcome.erases, outcome.bytes_written, outcome.blocks) == (5, 0, 0)
    assert watcher.events == ["planned", "began", "committed"]
    assert not outcome.left
    assert rig.present, "it stays in DFU mode"
    assert outcome.protection.startswith("erased")


def test_what_a_journal_has_to_know_comes_before_the_first_erase() -> None:
    rig = Rig()
    before: list[bytes] = []
    erase(rig, TARGET, Watcher(on_began=lambda: before.append(rig.memory(TARGET.span))))
    assert before == [rig.old[TARGET.span.start - flash_rig.BASE : TARGET.span.end - flash_rig.BASE]]


def test_on_a_board_that_was_proved_to_be_readable_it_is_verified() -> None:
    rig = Rig()
    rig.flash(image(SECTOR), TARGET)
    rig.back_in_dfu()
    assert erase(rig, TARGET).verified is Verified.YES
    assert rig.memory(TARGET.span) == b"\xff" * TARGET.span.size


def test_what_is_proved_to_be_blank_is_not_erased_once_more() -> None:
    rig = Rig()
    rig.flash(image(SECTOR), TARGET)
    rig.back_in_dfu()
    erase(rig, TARGET)
    watcher = Watcher()
    again = erase(rig, TARGET, watcher)
    assert again.erases == 0
    assert again.verified is Verified.YES
    assert watcher.events == ["planned"]
    assert any("blank already" in note for note in again.notes)


def test_the_boot_units_sector_goes_first() -> None:
    rig, watcher = Rig(), Watcher()
    erase(rig, TARGET, watcher)
    assert watcher.plan is not None
    erased = [step.span for step in watcher.plan.steps if step.action is StepKind.ERASE]
    assert erased[0].start == TARGET.span.start
    assert set(erased) == set(TARGET.sectors)


def test_a_board_without_proved_reads_is_not_called_verified() -> None:
    assert erase(Rig(Model.CLASSIC_NOREAD), TARGET).verified is Verified.NO


def test_a_read_that_is_refused_is_not_tried_for_each_sector() -> None:
    rig = Rig(Model.CLASSIC_CONSTANT)
    outcome = erase(rig, TARGET)
    assert sum("not verified" in remark for remark in outcome.remarks) <= 1


def test_verify_always_does_not_keep_from_erasing() -> None:
    rig = Rig(Model.CLASSIC_NOREAD)
    erase(rig, replace(TARGET, verify=VerifyPolicy.ALWAYS))
    assert rig.memory(TARGET.span) == b"\xff" * TARGET.span.size


def test_data_is_erased_too() -> None:
    rig = Rig()
    erase(rig, replace(TARGET, holds=PartitionKind.DATA))
    assert rig.memory(TARGET.span) == b"\xff" * TARGET.span.size
    assert not rig.outside_changed(TARGET.span)


def test_an_unproved_bank_is_not_erased_where_the_bootloader_is_in_the_other() -> None:
    rig = Rig()
    with pytest.raises(BlockedError):
        erase(rig, replace(TARGET, span=PARTITION2))
    assert rig.memory() == rig.old


def test_a_canary_proves_the_bank_first() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    outcome = erase(rig, replace(TARGET, span=PARTITION2))
    assert rig.memory(PARTITION2) == b"\xff" * PARTITION2.size
    assert not rig.outside_changed(PARTITION2)
    assert outcome.verified is Verified.YES


def test_a_bootloader_that_erases_the_wrong_bank_is_found_out_by_it() -> None:
    rig = Rig(Model.USBX, old=blank(ROOM, ROOM_TWIN), bank_bug=True)
    with pytest.raises(FlashdeckError) as caught:
        erase(rig, replace(TARGET, span=PARTITION2))
    assert caught.value.kind is ErrorKind.WRONG_BANK
    assert rig.memory(flash_rig.BOOTLOADER) == rig.old[: flash_rig.BOOTLOADER.size]


def test_a_protected_partition_is_refused() -> None:
    rig = Rig()
    with pytest.raises(RefusedError) as caught:
        erase(rig, replace(TARGET, span=flash_rig.BOOTLOADER))
    assert caught.value.kind is ErrorKind.PROTECTED
    assert rig.memory() == rig.old


@pytest.mark.parametrize("cut", [Range(1, 0), Range(0, -1), Range(SECTOR // 2, -SECTOR // 2)])
def test_a_partition_that_is_not_whole_sectors_is_refused(cut: Range) -> None:
    rig = Rig()
    span = Range(TARGET.span.start + cut.start, TARGET.span.end + cut.end)
    with pytest.raises(RefusedError) as caught:
        erase(rig, replace(TARGET, span=span))
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    assert rig.memory() == rig.old


@pytest.mark.parametrize("model", sorted(PLAIN_MODELS))
def test_plain_dfu_has_no_erase_and_is_not_even_asked(model: Model) -> None:
    rig = board(model, flash_with(OLD_IMAGE))
    transfers = rig.board.state().transfers
    with pytest.raises(RefusedError, match="has no erase"):
        erase(rig, PLAIN)
    assert memory(rig) == flash_with(OLD_IMAGE)
    assert rig.board.state().requests == 0, transfers


def test_its_plan_says_what_it_would_do() -> None:
    rig = Rig()
    with rig.open() as pipe:
        plan = engine.survey_erase(pipe, TARGET)
    assert plan.erases == 5
    assert plan.touched == frozenset(TARGET.sectors)
    assert StepKind.LEAVE not in {step.action for step in plan.steps}
    assert rig.memory() == rig.old


# Interrupted.


def start(model: Model) -> Rig:
    """A board with a program in its partition, whose bank needs no proof."""
    return board(model, flash_with(OLD_IMAGE))


def finish(rig: Rig, target: AddressTarget) -> None:
    """The job to its end, as a lane drives it; every time in between no mixture boots."""
    began = flash_with(OLD_IMAGE)
    for _ in range(MAX_ATTEMPTS):
        if not rig.present:
            rig.back_in_dfu()
        try:
            erase(rig, target)
            break
        except (DeviceGoneError, TransferTimeoutError):
            now = memory(rig)
            assert not changed_outside(began, now)
            whole = Image.raw(now[target.span.start - little_board.BASE :]).satisfies(Image.raw(OLD_IMAGE))
            assert whole or not boots(rig.board.spec, now), "what is left of a program would be started"
    now = memory(rig)
    assert not changed_outside(began, now)
    assert now[target.span.start - little_board.BASE : target.span.end - little_board.BASE] == (
        b"\xff" * target.span.size
    )


@pytest.mark.soak
@pytest.mark.parametrize("fault", [Fault.UNPLUG, Fault.LOST_ANSWER, Fault.TIMEOUT])
@pytest.mark.parametrize("model", [Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX, Model.STRICT])
def test_interrupted_at_any_transfer_it_is_done_in_the_end(model: Model, fault: Fault) -> None:
    whole = start(model)
    erase(whole, LITTLE)
    transfers = whole.board.state().transfers
    for at in part(range(1, transfers + 1), 5, f"erase{model}{fault}"):
        rig = start(model)
        rig.bench.fault("board", fault, at, any_transfer=True)
        finish(rig, LITTLE)


def cuts(sectors: int) -> Iterator[tuple[int, float]]:
    """In the middle of which erase the power fails, and how much of it is done by then."""
    yield from ((erased, share) for erased in range(sectors) for share in (0.0, 0.25, 0.5, 0.75, 1.0))


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.STRICT])
def test_power_lost_in_any_erase(model: Model) -> None:
    for erased, share in cuts(len(LITTLE.sectors)):
        rig = start(model)
        rig.bench.cut_power("board", erased, share)
        finish(rig, LITTLE)
        assert rig.board.state().erases >= len(LITTLE.sectors)


def test_another_image_after_it_is_as_on_a_new_board() -> None:
    rig = start(Model.CLASSIC)
    erase(rig, LITTLE)
    rig.flash(NEW_IMAGE, LITTLE)
    assert memory(rig) == flash_with(NEW_IMAGE)
