"""Where a canary goes, beside what kind of image; and that none is left, whatever interrupts the job."""

from dataclasses import replace

import pytest

from flash_rig import (
    APP1,
    BASE,
    FLASH_SIZE,
    PARTITION2,
    ROOM,
    ROOM_TWIN,
    SECTOR,
    TARGET,
    Rig,
    Watcher,
    blank,
    image,
    pieces,
)
from flashdeck.config import BankPolicy, ErasePolicy, PartitionKind, VerifyPolicy
from flashdeck.errors import BlockedError, DeviceGoneError, FlashdeckError, WrongBankError
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.flash.banks import canary, left_of_canary
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.flash_plan import FlashPlan, StepKind
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.sector_events import SectorAct
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model
from soaking import sized

STAYS = replace(TARGET, leave=False)
SECOND = replace(STAYS, partition="partition2", span=PARTITION2)
ALL_BLANK = blank(Range(APP1.start, BASE + FLASH_SIZE))
TWO = image(SECTOR + 3000)
"""An image of two sectors, the last of which may take a canary."""
MARK = canary(16)
MODELS = (Model.CLASSIC, Model.USBX, Model.ROM)


def sector(index: int, target: AddressTarget = STAYS) -> Range:
    return Range.sized(target.span.start + index * SECTOR, SECTOR)


def with_mark(flash: bytes, *sectors: Range, mark: bytes = MARK) -> bytes:
    """The same flash; each of these sectors holds a canary and nothing else."""
    changed = bytearray(flash)
    for each in sectors:
        changed[each.start - BASE : each.end - BASE] = mark.ljust(each.size, b"\xff")
    return bytes(changed)


def planned(rig: Rig, data: bytes | Image, target: AddressTarget = STAYS) -> tuple[FlashPlan, FlashResult]:
    watcher = Watcher()
    outcome = rig.flash(data, target, watcher)
    assert watcher.plan is not None
    return watcher.plan, outcome


def spans(plan: FlashPlan, action: StepKind) -> list[Range]:
    return [step.span for step in plan.steps if step.action is action]


# Where it goes.


@pytest.mark.parametrize("model", MODELS)
def test_a_sector_of_the_image_takes_it_and_is_not_erased_once_more(model: Model) -> None:
    rig = Rig(model, old=ALL_BLANK)
    plan, outcome = planned(rig, TWO)
    assert spans(plan, StepKind.ERASE_CANARY) == [sector(1)]
    assert spans(plan, StepKind.ERASE) == [sector(0)]
    assert plan.erased == (Range(sector(0).start, sector(1).end),)
    assert plan.erases == outcome.erases == rig.board.state().erases == 2
    assert outcome.verified is Verified.YES
    assert rig.memory(Range.sized(APP1.start, len(TWO))) == TWO
    assert rig.history.proved_banks == (0,)
    assert rig.history.canaries == ()
    assert not rig.outside_changed(Range.sized(APP1.start, 2 * SECTOR))


def test_another_blank_sector_takes_it_only_where_none_of_the_image_can_and_the_image_is_one_piece() -> None:
    room_elsewhere = blank(ROOM, Range.sized(ROOM.start + FLASH_SIZE // 2, SECTOR))
    plan, _ = planned(Rig(old=room_elsewhere), TWO)
    assert spans(plan, StepKind.ERASE_CANARY) == [ROOM]
    assert plan.erased == (Range(sector(0).start, sector(1).end),)
    for what, target in (
        (pieces((0, TWO[:100]), (SECTOR, b"more")), STAYS),
        (pieces((SECTOR, TWO)), STAYS),
        (Image.raw(TWO), replace(STAYS, holds=PartitionKind.DATA)),
    ):
        rig = Rig(old=room_elsewhere)
        plan, outcome = planned(rig, what, target)
        assert spans(plan, StepKind.WRITE_CANARY) == []
        assert any("no sector of the partition that the image touches" in note for note in outcome.notes)
        assert outcome.verified is Verified.YES


@pytest.mark.parametrize(
    ("what", "holds", "where"),
    [
        (pieces((0, TWO[:100]), (3 * SECTOR + 5, b"more"), (7 * SECTOR, b"more")), PartitionKind.PROGRAM, 7),
        (pieces((0, TWO[:100]), (3 * SECTOR + 5, b"more")), PartitionKind.PROGRAM, 3),
        (pieces((3 * SECTOR + 5, b"patch")), PartitionKind.PROGRAM, 3),
        (pieces((0, TWO)), PartitionKind.DATA, 1),
        (pieces((0, b"data")), PartitionKind.DATA, 0),
    ],
)
def test_beside_pieces_patches_and_data_it_stays_in_what_the_image_touches(
    what: Image, holds: PartitionKind, where: int
) -> None:
    rig = Rig(old=ALL_BLANK)
    plan, outcome = planned(rig, what, replace(STAYS, holds=holds))
    assert spans(plan, StepKind.ERASE_CANARY) == [sector(where)]
    assert sector(where) not in spans(plan, StepKind.ERASE)
    assert plan.erases == outcome.erases == rig.board.state().erases == len(plan.touched)
    assert outcome.verified is Verified.YES
    assert Image.raw(rig.memory(APP1)).satisfies(what)
    assert not rig.outside_changed(Range(APP1.start, sector(where).end))


def test_the_boot_unit_s_sector_of_a_program_never_takes_it() -> None:
    for what in (Image.raw(TWO[:100]), pieces((0, TWO[:100]), (200, b"more")), pieces((50, b"patch"))):
        rig = Rig(old=ALL_BLANK)
        plan, _ = planned(rig, what)
        assert sector(0) not in spans(plan, StepKind.ERASE_CANARY)


def test_with_erase_partition_the_whole_partition_may_take_it() -> None:
    room_elsewhere = blank(ROOM, Range.sized(ROOM.start + FLASH_SIZE // 2, SECTOR))
    rig = Rig(old=room_elsewhere)
    plan, outcome = planned(rig, pieces((0, TWO[:100]), (SECTOR, b"more")), replace(STAYS, erase=ErasePolicy.PARTITION))
    assert spans(plan, StepKind.ERASE_CANARY) == [ROOM]
    assert plan.erases == outcome.erases == 48


def test_the_other_bank_is_blocked_where_no_sector_of_an_image_in_pieces_can_take_it() -> None:
    away = FLASH_SIZE // 2
    room = Range.sized(PARTITION2.end - SECTOR, SECTOR)
    rig = Rig(old=blank(room, Range.sized(room.start - away, SECTOR)))
    what = pieces((0, TWO[:100]), (SECTOR, b"more"))
    with pytest.raises(BlockedError, match="no sector there that the image touches is blank in both banks") as caught:
        rig.flash(what, SECOND)
    assert caught.value.bank == 1
    assert rig.memory() == rig.old
    assert rig.flash(what, replace(SECOND, banks=BankPolicy.TRUSTED)).verified is Verified.YES
    rig = Rig(old=rig.old)
    rig.history = BootloaderHistory(proved_banks=(1,))
    assert rig.flash(what, SECOND).verified is Verified.YES, "what was proved before stays proved"


def test_a_canary_that_was_given_up_in_a_sector_of_the_image_leaves_it_erased() -> None:
    for fault in (Fault.SILENT_WRITE, Fault.ERROR_WRITE, Fault.CORRUPT):
        rig = Rig(old=ALL_BLANK)
        rig.board.fault(fault, 1, address=sector(1).start)
        _, outcome = planned(rig, TWO)
        assert outcome.verified is Verified.NO
        assert rig.memory(Range.sized(APP1.start, len(TWO))) == TWO
        assert rig.history.canaries == (sector(1).start,), "nobody has seen it go"


@pytest.mark.parametrize("size", [SECTOR + 3000, 3000])
@pytest.mark.parametrize("fault", [Fault.SILENT_WRITE, Fault.ERROR_WRITE])
def test_one_that_was_given_up_leaves_no_hole_in_a_program_that_still_boots(fault: Fault, size: int) -> None:
    """Stale reads: the second sector reads as it was before another tool wrote its program, in the image or behind."""
    target = replace(STAYS, span=Range(sector(0).start, sector(1).end))
    for after in range(10):
        rig = Rig(Model.CLASSIC_STALE, old=ALL_BLANK)
        rig.flash(TWO, target)
        program = rig.memory(target.span)
        assert program[: len(TWO)] == TWO
        rig.history = UNKNOWN
        rig.board.fault(fault, 1, address=sector(1).start)
        if after:
            rig.board.cut_power(after)
        watcher = Watcher()
        ended = rig.attempt(image(size, seed=2), target, watcher)
        erasing = [event.span for event in watcher.sectors if event.act is SectorAct.ERASING]
        assert erasing[:1] in ([], [sector(0)]), "the boot unit's sector goes first"
        assert watcher.plan is not None
        assert spans(watcher.plan, StepKind.WRITE_CANARY) == [Range.sized(sector(1).start, 16)]
        if rig.memory(Range.sized(sector(0).start, 16)) == program[:16]:
            assert rig.memory(target.span) == program, "what boots is whole"
        if not after:
            assert isinstance(ended, FlashResult)
            assert ended.verified is Verified.NO
            assert ended.erases == len(erasing) == 2
            assert rig.memory(target.span) == image(size, seed=2).ljust(target.span.size, b"\xff")
            assert rig.history.canaries == (sector(1).start,), "nobody has seen it go"


def test_a_sector_that_was_promised_to_a_second_canary_is_erased_all_the_same() -> None:
    """A partition in both banks: the first canary fails, so the second is never written."""
    span = Range(PARTITION2.start - 2 * SECTOR, PARTITION2.start + 2 * SECTOR)
    target = replace(STAYS, span=span, protected=(), holds=PartitionKind.DATA)
    what = Image.raw(image(span.size, seed=9))
    rig = Rig(old=blank(Range.sized(BASE, FLASH_SIZE - SECTOR)))
    watcher = Watcher()
    rig.flash(what, target, watcher)
    assert watcher.plan is not None
    assert len(watcher.plan.trials) == 2
    rig = Rig(old=rig.old)
    first, second = (site.sector for site in watcher.plan.trials)
    rig.board.fault(Fault.SILENT_WRITE, 1, address=first.start)
    outcome = rig.flash(what, target)
    assert outcome.verified is Verified.NO
    assert rig.memory(span) == what.read(Range(0, span.size))
    assert second.start not in rig.history.canaries


# What an interruption leaves.


@pytest.mark.parametrize("mark", [MARK, bytes(b | 0x42 for b in MARK), bytes(b | 0xBD for b in MARK)])
def test_what_is_left_of_a_canary_is_known(mark: bytes) -> None:
    assert left_of_canary(mark + b"\xff" * 100, 16) == mark
    assert not left_of_canary(mark + b"\xff" * 99 + b"\xfe", 16)
    assert not left_of_canary(b"\x00" + mark[1:] + b"\xff" * 100, 16)
    assert not left_of_canary(b"\xff" * 116, 16)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("target", "data", "where"),
    [
        (STAYS, Image.raw(TWO), ROOM),
        (STAYS, Image.raw(TWO), sector(1)),
        (SECOND, Image.raw(TWO), sector(20, SECOND)),
        (STAYS, pieces((0, TWO[:100]), (3 * SECTOR + 50, b"more")), sector(3)),
        (STAYS, pieces((0, TWO[:100]), (3 * SECTOR + 50, b"more")), sector(2)),
        (replace(STAYS, holds=PartitionKind.DATA), pieces((0, TWO)), sector(0)),
    ],
)
def test_one_that_lies_there_is_taken_back_and_serves_as_the_trial_where_one_is_due(
    target: AddressTarget, data: Image, where: Range, *, whole: bool
) -> None:
    mark = MARK if whole else bytes(b | 0x42 for b in MARK)
    rig = Rig(old=with_mark(ALL_BLANK, where, mark=mark))
    rig.history = BootloaderHistory(canaries=(where.start,))
    plan, outcome = planned(rig, data, target)
    bank = min(target.geometry.banks_of(target.span))
    assert rig.history.canaries == ()
    assert rig.history.proved_banks == (bank,)
    assert outcome.verified is Verified.YES
    if whole and (data.touches(Range(where.start - target.span.start, where.end - target.span.start)) or data.is_raw):
        assert spans(plan, StepKind.WRITE_CANARY) == [], "it is there already"
    now = Image.raw(rig.memory(target.span))
    assert now.satisfies(data)
    assert MARK[:8] not in rig.memory(target.span)
    assert outcome.erases == plan.erases == rig.board.state().erases
    assert not rig.outside_changed(target.span)


@pytest.mark.parametrize(
    ("history", "banks"),
    [
        (BootloaderHistory(reading_proved=True, proved_banks=(0,)), BankPolicy.CHECK),
        (BootloaderHistory(proved_banks=(0,)), BankPolicy.CHECK),
        (BootloaderHistory(released_banks=(0,)), BankPolicy.CHECK),
        (BootloaderHistory(reading_proved=True), BankPolicy.TRUSTED),
        (UNKNOWN, BankPolicy.TRUSTED),
    ],
)
@pytest.mark.parametrize("index", [1, 20])
def test_where_no_trial_is_due_it_is_just_erased(history: BootloaderHistory, banks: BankPolicy, index: int) -> None:
    rig = Rig(old=with_mark(blank(ROOM), sector(index)))
    rig.history = replace_canaries(history, sector(index).start)
    plan, outcome = planned(rig, TWO, replace(STAYS, banks=banks))
    assert rig.history.canaries == ()
    assert spans(plan, StepKind.WRITE_CANARY) == []
    assert sector(index) in spans(plan, StepKind.ERASE_CANARY)
    assert (sector(index) in spans(plan, StepKind.ERASE)) is (index == 1 and not history.reading_proved)
    assert outcome.erases == plan.erases == rig.board.state().erases
    assert rig.memory(sector(20)) == (b"\xff" * SECTOR if index == 20 else rig.old[sector(20).start - BASE :][:SECTOR])
    assert outcome.verified is Verified.YES


def replace_canaries(history: BootloaderHistory, *addresses: int) -> BootloaderHistory:
    return BootloaderHistory(
        reading_proved=history.reading_proved,
        proved_banks=history.proved_banks,
        released_banks=history.released_banks,
        canaries=addresses,
    )


def test_one_is_taken_back_also_where_the_image_is_there_already() -> None:
    rig = Rig(old=ALL_BLANK)
    rig.flash(TWO, STAYS)
    lying = Rig(old=with_mark(rig.memory(), sector(9)))
    lying.history = replace_canaries(rig.history, sector(9).start)
    watcher = Watcher()
    outcome = lying.flash(TWO, STAYS, watcher)
    assert watcher.events == ["planned"], "nothing of the image was touched"
    assert (outcome.erases, outcome.blocks) == (1, 0)
    assert lying.memory(APP1) == rig.memory(APP1)
    assert lying.history.canaries == ()


@pytest.mark.parametrize("proved", [True, False])
def test_what_holds_anything_else_is_left_alone_and_forgotten_once_reading_is_believed(*, proved: bool) -> None:
    rig = Rig(old=with_mark(blank(), sector(20), mark=MARK + b"\xff" * 40 + b"mine"))
    rig.history = BootloaderHistory(reading_proved=proved, proved_banks=(0,), canaries=(sector(20).start,))
    planned(rig, TWO)
    assert rig.memory(sector(20)) == rig.old[sector(20).start - BASE :][:SECTOR]
    assert rig.history.canaries == (() if proved else (sector(20).start,))
    planned(rig, TWO[:-1])
    assert rig.history.canaries == ()


def test_one_that_can_not_be_read_is_left_alone_and_remembered() -> None:
    rig = Rig(Model.CLASSIC_NOREAD, old=with_mark(blank(), sector(20)))
    rig.history = BootloaderHistory(canaries=(sector(20).start,))
    planned(rig, TWO)
    assert rig.memory(sector(20)) == rig.old[sector(20).start - BASE :][:SECTOR]
    assert rig.history.canaries == (sector(20).start,)
    rig = Rig(old=with_mark(blank(), sector(20)))
    rig.history = BootloaderHistory(canaries=(sector(20).start,))
    planned(rig, TWO, replace(STAYS, may_read=False))
    assert rig.memory(sector(20)) == rig.old[sector(20).start - BASE :][:SECTOR]


def test_one_whose_twin_is_not_blank_any_more_waits_until_its_bank_is_proved() -> None:
    """Its erase might hit the twin."""
    rig = Rig(old=with_mark(blank(), sector(20)))
    rig.history = BootloaderHistory(canaries=(sector(20).start,))
    planned(rig, TWO)
    assert rig.memory(sector(20)) == rig.old[sector(20).start - BASE :][:SECTOR]
    assert rig.history.canaries == (sector(20).start,)
    rig.history = BootloaderHistory(proved_banks=(0,), canaries=(sector(20).start,))
    planned(rig, TWO)
    assert rig.memory(sector(20)) == b"\xff" * SECTOR


def test_two_of_them_in_one_bank_are_both_taken_back() -> None:
    rig = Rig(old=with_mark(ALL_BLANK, sector(20), sector(30)))
    rig.history = BootloaderHistory(canaries=(sector(20).start, sector(30).start))
    planned(rig, TWO)
    assert rig.memory(Range(sector(2).start, APP1.end)).count(0xFF) == APP1.end - sector(2).start
    assert rig.history.canaries == ()


@pytest.mark.parametrize("whole", [True, False])
def test_one_beside_an_image_that_has_no_room_for_another_is_taken_back(*, whole: bool) -> None:
    """A program had it, and what comes now is in pieces: nothing new goes beside those, and what lies there must go."""
    mark = MARK if whole else bytes(b | 0x42 for b in MARK)
    rig = Rig(old=with_mark(blank(ROOM, ROOM_TWIN), ROOM, mark=mark))
    rig.history = BootloaderHistory(canaries=(ROOM.start,))
    what = pieces((0, TWO[:100]), (SECTOR, b"more"))
    _, outcome = planned(rig, what, STAYS)
    assert not rig.memory(ROOM).strip(b"\xff")
    assert (rig.history.canaries, rig.history.proved_banks) == ((), (0,))
    assert outcome.verified is Verified.YES
    assert Image.raw(rig.memory(APP1)).satisfies(what)


@pytest.mark.parametrize("whole", [True, False])
def test_the_wrong_bank_is_found_out_by_one_that_was_left_too(*, whole: bool) -> None:
    where = sector(20, SECOND)
    mark = MARK if whole else bytes(b | 0x42 for b in MARK)
    rig = Rig(Model.USBX, old=with_mark(ALL_BLANK, where, mark=mark), bank_bug=True)
    rig.history = BootloaderHistory(canaries=(where.start,))
    with pytest.raises(WrongBankError, match="still reads what was written there"):
        rig.flash(TWO, SECOND)
    assert rig.history.condemned_banks == (1,)
    assert rig.history.canaries == (where.start,)
    assert rig.memory() == rig.old


@pytest.mark.parametrize("proved", [True, False])
def test_a_swept_canary_that_still_reads_condemns_only_where_reading_is_believed(*, proved: bool) -> None:
    rig = Rig(old=with_mark(blank(), sector(20)))
    rig.board.fault(Fault.SILENT_ERASE, 1, address=sector(20).start)
    rig.history = BootloaderHistory(reading_proved=proved, proved_banks=(0,), canaries=(sector(20).start,))
    ended = rig.attempt(TWO, STAYS)
    if proved:
        assert isinstance(ended, WrongBankError)
        assert rig.history.condemned_banks == (0,)
    else:
        assert isinstance(ended, FlashResult)
        assert ended.verified is Verified.NO


def records(rig: Rig, data: bytes | Image, target: AddressTarget = STAYS) -> list[tuple[int, ...]]:
    """What is recorded of canaries, change by change."""
    seen: list[tuple[int, ...]] = [rig.history.canaries]

    class Book(Watcher):
        def learned(self, history: BootloaderHistory) -> None:
            super().learned(history)
            if history.canaries != seen[-1]:
                seen.append(history.canaries)

    rig.flash(data, target, Book())
    return seen


def test_it_is_recorded_once_before_and_once_behind() -> None:
    assert records(Rig(old=ALL_BLANK), TWO) == [(), (sector(1).start,), ()]
    assert records(Rig(old=blank()), TWO) == [()]


JOBS = {
    "one piece": (STAYS, Image.raw(TWO[:3000])),
    "two sectors": (STAYS, Image.raw(TWO)),
    "pieces": (STAYS, pieces((0, TWO[:100]), (3 * SECTOR + 50, b"more"))),
    "patch": (STAYS, pieces((3 * SECTOR + 50, b"more"))),
    "data": (replace(STAYS, holds=PartitionKind.DATA), pieces((0, b"data"))),
    "other bank": (SECOND, Image.raw(TWO[:3000])),
    "both banks": (
        replace(STAYS, span=Range(PARTITION2.start - 4 * SECTOR, PARTITION2.start + 4 * SECTOR), protected=()),
        Image.raw(TWO + TWO + TWO),
    ),
}


def check_behind(rig: Rig, target: AddressTarget, data: Image) -> None:
    """The image is there, all sectors that it touches have it and nothing else, and all others are as they were."""
    wanted = bytearray(rig.old)
    for each in target.sectors:
        place = Range(each.start - target.span.start, each.end - target.span.start)
        if data.touches(place):
            wanted[each.start - BASE : each.end - BASE] = data.read(place)
    assert rig.memory() == bytes(wanted)
    assert not rig.history.canaries


@pytest.mark.soak
@pytest.mark.parametrize("fault", [Fault.UNPLUG, Fault.LOST_ANSWER])
@pytest.mark.parametrize("job", JOBS)
def test_whatever_happens_while_one_is_there_none_is_left(job: str, fault: Fault) -> None:
    target, data = JOBS[job]
    old = blank(Range(BASE, BASE + FLASH_SIZE)) if job == "both banks" else ALL_BLANK
    rig, requests = Rig(old=old), [0]
    rig.flash(data, target, Watcher(on_began=lambda: requests.append(rig.board.state().requests)))
    assert requests[-1] > 20
    for at in range(1, requests[-1] + 1, sized(10, 5, 1)):
        rig = Rig(old=old)
        rig.board.fault(fault, at)
        ended = rig.attempt(data, target)
        for _ in range(4):
            if isinstance(ended, FlashResult) and not rig.history.canaries:
                break
            if not rig.present:
                rig.back_in_dfu()
            ended = rig.attempt(data, target)
        check_behind(rig, target, data)


@pytest.mark.parametrize("job", JOBS)
def test_whenever_the_power_fails_while_one_is_written_or_erased_none_is_left(job: str) -> None:
    target, data = JOBS[job]
    old = blank(Range(BASE, BASE + FLASH_SIZE)) if job == "both banks" else ALL_BLANK
    steps = 4 if job == "both banks" else 2
    for after in range(steps):
        for share in (None, 0.0, 0.25, 0.5, 0.75, 1.0):
            rig = Rig(old=old)
            rig.bench.cut_power("board", after, share)
            assert isinstance(rig.attempt(data, target), DeviceGoneError)
            rig.back_in_dfu()
            assert not isinstance(rig.attempt(data, target), FlashdeckError)
            check_behind(rig, target, data)


def test_another_image_takes_it_back_as_well() -> None:
    rig = Rig(old=ALL_BLANK)
    rig.bench.cut_power("board", 1)
    assert isinstance(rig.attempt(TWO[:3000], STAYS), DeviceGoneError)
    assert rig.history.canaries == (ROOM.start,)
    assert rig.memory(ROOM) != b"\xff" * SECTOR
    rig.back_in_dfu()
    other = pieces((5 * SECTOR, b"another one, in pieces"), (9 * SECTOR, b"and a second"))
    outcome = rig.flash(other, STAYS)
    assert outcome.verified is Verified.YES
    check_behind(rig, STAYS, other)


def test_verify_always_stands_with_a_canary_as_its_proof() -> None:
    rig = Rig(old=ALL_BLANK)
    target = replace(STAYS, holds=PartitionKind.DATA, verify=VerifyPolicy.ALWAYS)
    assert rig.flash(pieces((0, b"data")), target).verified is Verified.YES
