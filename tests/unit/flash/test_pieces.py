"""Images in pieces, patches and data: what lies beside the pieces, in the plan and on boards of every layout."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import APP1, BASE, GEOMETRY, SECTOR, TARGET, Rig, Watcher, image, pieces
from flashdeck.chips import find_chip
from flashdeck.config import ErasePolicy, MapPolicy, PartitionKind, VerifyPolicy
from flashdeck.errors import FlashdeckError, RefusedError, VerifyError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Verified
from flashdeckd.dfu.fence import Fence
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.dfuse_planner import DfusePlanner, make_plan
from flashdeckd.flash.engine import preview
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan, StepKind
from flashdeckd.flash.layout import placed
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.survey import Seen
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image, Piece
from flashdeckd.virtual.chip_flash import chip_flash
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.nor import FlashLayout, Overwrite
from flashdeckd.virtual.spec import Content, Model

STAYS = replace(TARGET, leave=False)
FACTS = DeviceFacts(transfer_size=1024, map_error="none")
PROVED = BootloaderHistory(reading_proved=True, proved_banks=(0,))
PROGRAM = image(1500)
TWO = pieces((0, PROGRAM), (2 * SECTOR + 100, image(SECTOR + 1000, seed=7)))
"""It touches sectors 0, 2 and 3, and none of them whole."""
TOUCHED = [Range.sized(APP1.start + number * SECTOR, SECTOR) for number in (0, 2, 3)]
PATCH = pieces((2 * SECTOR + 100, b"patch"))


def spans(plan: FlashPlan, action: StepKind) -> list[Range]:
    return [step.span for step in plan.steps if step.action is action]


def planned(
    what: Image, target: AddressTarget = STAYS, *, history: BootloaderHistory = UNKNOWN, present: bytes = b""
) -> FlashPlan:
    """Planned for a board that holds `present` and nothing else."""
    planner = DfusePlanner(what, target, FACTS, history=history)
    asked = planner.questions
    there = placed(Image.raw(present.ljust(target.span.size, b"\xff")), target.span.start)
    read = Image.of(piece for span in asked.compare for piece in there.within(span).pieces)
    rest = asked.rest(read) if asked.compare else ()
    seen = Image.of((*read.pieces, *(piece for span in rest for piece in there.within(span).pieces)))
    return planner.plan(Seen(present=seen, compared=(*asked.compare, *rest)))


# The plan.


def test_only_sectors_that_a_piece_touches_are_erased_and_only_pieces_are_written() -> None:
    plan = make_plan(TWO, STAYS, FACTS)
    assert spans(plan, StepKind.ERASE) == TOUCHED
    assert plan.erased == (TOUCHED[0], Range(TOUCHED[1].start, TOUCHED[2].end))
    written = [*spans(plan, StepKind.WRITE), *spans(plan, StepKind.WRITE_BOOT_UNIT)]
    defined = plan.image.padded(16)
    assert sum(span.size for span in written) == defined.size
    assert all(defined.covers(span) for span in written)
    assert spans(plan, StepKind.LEAVE_BLANK) == []
    assert plan.steps[-1].action is StepKind.WRITE_BOOT_UNIT or plan.steps[-2].action is StepKind.WRITE_BOOT_UNIT
    reads = [*spans(plan, StepKind.READ_BACK), *spans(plan, StepKind.PROVE_READING)]
    assert sum(span.size for span in reads) == 2 * 1024 + -(-(100 + SECTOR + 1000) // 1024) * 1024


def test_a_gap_inside_a_block_is_filled_and_one_between_blocks_is_not_written() -> None:
    what = pieces((0, PROGRAM[:40]), (100, b"x" * 8), (5000, b"y" * 8))
    plan = make_plan(what, STAYS, FACTS)
    assert spans(plan, StepKind.WRITE) == [
        Range(APP1.start + 16, APP1.start + 112),
        Range(APP1.start + 4992, APP1.start + 5008),
    ]
    assert plan.data(Range.sized(APP1.start + 48, 48)) == b"\xff" * 48


def test_the_boot_unit_is_written_whole_where_the_image_leaves_some_of_it_open() -> None:
    what = pieces((0, b"\x00\x00\x03\x20"), (12, b"abcd"), (600, b"more"))
    rig = Rig()
    outcome = rig.flash(what, STAYS)
    assert rig.memory(Range.sized(APP1.start, 16)) == b"\x00\x00\x03\x20" + b"\xff" * 8 + b"abcd"
    assert outcome.verified is Verified.YES
    assert "written last" in outcome.protection


@pytest.mark.parametrize("index", range(3))
def test_one_changed_piece_costs_its_sector_and_the_boot_unit_s(index: int) -> None:
    held = bytearray(TWO.read(Range(0, APP1.size)))
    sector = TOUCHED[index]
    first = placed(TWO, APP1.start).within(sector).pieces[0].offset - APP1.start
    held[first + 30] ^= 1
    plan = planned(TWO, history=PROVED, present=bytes(held))
    assert spans(plan, StepKind.ERASE) == list(dict.fromkeys((TOUCHED[0], sector)))
    assert plan.unchanged == (3 - plan.erases) * SECTOR


def test_what_lies_beside_the_pieces_makes_no_difference() -> None:
    present = bytearray(random.Random(5).randbytes(APP1.size))  # noqa: S311 - invented contents
    for piece in TWO.pieces:
        present[piece.offset : piece.end] = piece.data
    assert not planned(TWO, history=PROVED, present=bytes(present)).changes
    whole = planned(TWO, replace(STAYS, erase=ErasePolicy.PARTITION), history=PROVED, present=bytes(present))
    assert whole.erases == 48


def test_only_blocks_that_the_image_touches_are_compared_and_the_rest_of_what_is_to_be_erased() -> None:
    asked = DfusePlanner(TWO, STAYS, FACTS, history=PROVED).questions
    assert [(span.start - APP1.start, span.size) for span in asked.compare] == [
        (0, 2048),
        (2 * SECTOR, 9 * 1024 + 1024),
    ]
    equal = Image.of(placed(TWO, APP1.start).pieces)
    assert asked.rest(equal) == ()
    other = Image.of(piece for span in asked.compare for piece in (Piece(span.start, bytes(span.size)),))
    assert asked.rest(other) == (
        Range(APP1.start + 2048, APP1.start + SECTOR),
        Range(APP1.start + 2 * SECTOR + 10 * 1024, APP1.start + 4 * SECTOR),
    )


@pytest.mark.parametrize("proved", [True, False])
def test_the_plan_counts_what_is_lost_beside_the_pieces(*, proved: bool) -> None:
    present = b"\x00" * 1500 + b"ab" * 50 + b"\xff" * 5000
    plan = planned(TWO, history=PROVED if proved else UNKNOWN, present=present)
    open_bytes = 3 * SECTOR - TWO.size
    assert plan.erased_beside == (100 if proved else open_bytes)
    (note,) = (note for note in plan.notes if "covers only part of" in note)
    if proved:
        assert note == f"the image covers only part of sector {TOUCHED[0]}: 100 other bytes there are erased"
    else:
        assert note == f"the image covers only part of 3 sectors: up to {open_bytes} other bytes there are erased"
    assert "45 sectors between or behind the pieces keep their contents" in plan.notes


def test_nothing_is_said_to_be_lost_where_all_of_it_is_blank_already() -> None:
    plan = planned(TWO, history=PROVED)
    assert plan.erased_beside == 0
    assert not any("other bytes" in note for note in plan.notes)


def test_a_single_piece_says_what_the_rest_of_its_last_sector_loses() -> None:
    plan = planned(Image.raw(image(SECTOR + 1000)), history=PROVED, present=b"\x00" * (SECTOR + 1500))
    assert plan.erased_beside == 500
    assert not any("between or behind" in note for note in plan.notes)


@pytest.mark.parametrize("proved", [True, False])
def test_erase_partition_says_what_it_costs(*, proved: bool) -> None:
    target = replace(STAYS, erase=ErasePolicy.PARTITION)
    present = b"\xff" * (20 * SECTOR) + b"settings"
    plan = planned(PATCH, target, history=PROVED if proved else UNKNOWN, present=present)
    assert plan.erases == (2 if proved else 48)
    assert plan.erased_beside == (8 if proved else APP1.size - 5)
    (note,) = (note for note in plan.notes if 'erase = "partition"' in note)
    others, lost = ("1 sector", "8") if proved else ("47 sectors", f"up to {47 * SECTOR}")
    assert note == f'erase = "partition": {others} beside the image erased, too, and {lost} bytes there'
    assert not any("between or behind" in note for note in plan.notes)


@pytest.mark.parametrize("holds", list(PartitionKind))
def test_a_patch_and_data_touch_only_what_differs_and_have_no_boot_unit(holds: PartitionKind) -> None:
    target = replace(STAYS, holds=holds)
    what = PATCH if holds is PartitionKind.PROGRAM else Image.raw(image(4 * SECTOR))
    changed = bytearray(what.read(Range(0, APP1.size)))
    changed[2 * SECTOR + 102] ^= 1
    plan = planned(what, target, history=PROVED, present=bytes(changed))
    assert spans(plan, StepKind.ERASE) == [TOUCHED[1]]
    assert spans(plan, StepKind.WRITE_BOOT_UNIT) == []
    assert plan.boot_unit == 0
    wanted = "not protectable: the image begins later" if holds is PartitionKind.PROGRAM else "data"
    assert plan.protection.startswith(wanted)


def test_a_program_in_a_partition_of_data_is_written_in_ascending_order() -> None:
    plan = make_plan(Image.raw(image(3 * SECTOR)), replace(STAYS, holds=PartitionKind.DATA), FACTS)
    erases, writes = spans(plan, StepKind.ERASE), spans(plan, StepKind.WRITE)
    assert erases == sorted(erases)
    assert writes == sorted(writes)
    assert writes[0] == Range.sized(APP1.start, 1024)


def test_an_image_that_ends_behind_the_partition_is_refused() -> None:
    with pytest.raises(RefusedError, match="does not fit"):
        make_plan(pieces((APP1.size - 1, b"ab")), STAYS, FACTS)
    with pytest.raises(RefusedError, match="empty"):
        make_plan(Image(), STAYS, FACTS)


def test_a_cache_with_gaps_keeps_only_what_it_knows() -> None:
    facts = replace(FACTS, can_upload=False)
    known = TWO.without([Range(3 * SECTOR, 3 * SECTOR + 10)])
    plan = make_plan(TWO, STAYS, facts, cached=known, seen=Seen())
    assert spans(plan, StepKind.ERASE) == [TOUCHED[0], TOUCHED[2]]
    assert plan.trusts_cache
    wider = image(APP1.size, seed=3)
    assert not make_plan(TWO, STAYS, facts, cached=TWO.over(Image.raw(wider)), seen=Seen()).changes


def test_a_preview_needs_no_board() -> None:
    assert spans(preview(TWO, STAYS, FACTS), StepKind.ERASE) == TOUCHED


# What nobody may do beside the plan.


def test_the_session_is_confined_to_the_sectors_of_the_plan() -> None:
    fence = Fence.around(APP1, GEOMETRY).confined(set(TOUCHED))
    fence.allow_erase(TOUCHED[1])
    fence.allow_write(Range.sized(TOUCHED[1].start, 2 * SECTOR))
    for span in (Range.sized(APP1.start + SECTOR, SECTOR), Range.sized(BASE, SECTOR)):
        with pytest.raises(RefusedError):
            fence.allow_erase(span)
        with pytest.raises(RefusedError):
            fence.allow_write(Range.sized(span.start, 16))
    with pytest.raises(RefusedError):
        fence.allow_write(Range(TOUCHED[0].end - 16, TOUCHED[0].end + 16))


# On boards.


def behind(flash: bytes, base: int, target: AddressTarget, what: Image) -> bytes:
    """What is in the flash when all that `what` touches was erased for it."""
    wanted = bytearray(flash)
    for sector in target.sectors:
        place = Range(sector.start - target.span.start, sector.end - target.span.start)
        if what.touches(place):
            wanted[sector.start - base : sector.end - base] = what.read(place)
    return bytes(wanted)


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX, Model.ROM, Model.STRICT])
@pytest.mark.parametrize("what", [TWO, PATCH], ids=["two pieces", "patch"])
def test_whatever_lies_beside_the_pieces_stays(model: Model, what: Image) -> None:
    rig, watcher = Rig(model), Watcher()
    outcome = rig.flash(what, STAYS, watcher)
    assert rig.memory() == behind(rig.old, BASE, STAYS, what)
    assert outcome.verified is (Verified.NO if model is Model.CLASSIC_NOREAD else Verified.YES)
    assert watcher.plan is not None
    assert outcome.erased_beside == watcher.plan.erased_beside > 0
    assert outcome.bytes_written == what.size
    if model is Model.CLASSIC:
        assert watcher.plan.requests == outcome.transfers
    again = rig.flash(what, STAYS)
    assert (again.erases == 0) is (model is not Model.CLASSIC_NOREAD)


def test_a_patch_leaves_the_boot_unit_alone() -> None:
    rig = Rig()
    rig.flash(image(4 * SECTOR), STAYS)
    before = rig.memory(Range.sized(APP1.start, 2 * SECTOR))
    outcome = rig.flash(PATCH, TARGET)
    assert outcome.erases == 1
    assert rig.memory(Range.sized(APP1.start, 2 * SECTOR)) == before
    assert not rig.present, "it was started"


CHIPS = {
    "STM32F405RG": (0x08004000, 0x08080000, (0, 0x4000 + 100, 0x1C000 + 7, 0x40000)),
    "STM32F767ZI": (0x08008000, 0x08100000, (0, 0x8000 + 100, 0x38000 + 7, 0x80000)),
    "STM32H743ZI": (0x08020000, 0x080C0000, (0, 0x40000 + 100)),
    "STM32L476RG": (0x08008000, 0x08020000, (0, 0x1000 + 100, 0x8000 + 7)),
    "STM32G0B1RE": (0x08008000, 0x08020000, (0, 0x1000 + 100, 0x8000 + 7)),
    "STM32H563RG": (0x08020000, 0x08060000, (0, 0x4000 + 100, 0x8000 + 7)),
}
"""Sectors of 16, 64 and 128 K; 32, 128 and 256 K; 128 K; 2 K; 2 K; 8 K: where a partition is, and pieces in it."""


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.ROM])
@pytest.mark.parametrize("chip", CHIPS)
def test_sectors_of_every_size_beside_the_pieces_stay(chip: str, model: Model) -> None:
    start, end, offsets = CHIPS[chip]
    geometry, flash = find_chip(chip).geometry, chip_flash(chip)
    target = AddressTarget(partition="app", span=Range(start, end), geometry=geometry, leave=False)
    what = pieces(*((at, image(2000 + at // 64, seed=at)) for at in offsets))
    layout = flash.layout
    old = random.Random(chip).randbytes(layout.size)  # noqa: S311 - invented contents
    rig = Rig(model, contents=(Content(layout.base, old),), layout=layout, app_address=start)

    def memory() -> bytes:
        steps = range(layout.base, layout.base + layout.size, 1 << 18)
        return b"".join(rig.board.dump(at, min(1 << 18, layout.base + layout.size - at)).data for at in steps)

    watcher = Watcher()
    outcome = rig.flash(what, target, watcher)
    assert watcher.plan is not None
    assert memory() == behind(old, layout.base, target, what)
    assert outcome.verified is Verified.YES
    assert outcome.erases == sum(what.touches(Range(s.start - start, s.end - start)) for s in target.sectors)
    last = what.pieces[-1]
    other = Image((*what.pieces[:-1], Piece(last.offset, image(len(last.data), seed=8))))
    rig.bench.fault("board", Fault.UNPLUG, 100)
    rig.attempt(other, target)
    rig.back_in_dfu()
    rig.flash(other, target)
    assert memory() == behind(behind(old, layout.base, target, what), layout.base, target, other)


# Anything.


@st.composite
def _cases(draw: st.DrawFn) -> tuple[AddressTarget, bytes, list[Image], BootloaderHistory, Model, int]:
    unit = draw(st.sampled_from((4, 8, 16, 32)))
    regions: list[Region] = []
    at = BASE
    for size in draw(st.lists(st.sampled_from((512, 1024, 2048)), min_size=1, max_size=3)):
        regions.append(Region(at, draw(st.integers(1, 4)), size))
        at = regions[-1].span.end
    geometry = Geometry(tuple(regions), unit)
    edges = [*(sector.span.start for sector in geometry.sectors()), at]
    first = draw(st.integers(0, len(edges) - 2))
    span = Range(edges[first], edges[draw(st.integers(first + 1, len(edges) - 1))])
    target = AddressTarget(
        partition="any",
        span=span,
        geometry=geometry,
        erase=draw(st.sampled_from(ErasePolicy)),
        verify=draw(st.sampled_from(VerifyPolicy)),
        map=draw(st.sampled_from(MapPolicy)),
        holds=draw(st.sampled_from(PartitionKind)),
        leave=False,
    )
    flash = bytearray(draw(st.randoms(use_true_random=False)).randbytes(at - BASE))
    for sector in geometry.sectors():
        if draw(st.booleans()):
            flash[sector.span.start - BASE : sector.span.end - BASE] = b"\xff" * sector.span.size
    images = [draw(_images(span.size)) for _ in range(2)]
    model = draw(st.sampled_from((Model.CLASSIC, Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX, Model.STRICT)))
    history = PROVED if model is not Model.CLASSIC_NOREAD and draw(st.booleans()) else UNKNOWN
    return target, bytes(flash), images, history, model, draw(st.sampled_from((64, 256, 1000, 1024, 2048)))


@st.composite
def _images(draw: st.DrawFn, size: int) -> Image:
    pieces_: list[Piece] = []
    at = draw(st.just(0) | st.integers(0, size - 1))
    for _ in range(draw(st.integers(1, 4))):
        if at >= size:
            break
        length = min(size - at, draw(st.sampled_from((1, 3, 8, 16, 100, 700, 2500))))
        filled = draw(st.sampled_from((b"\xff", b"\x00", b"ab", b"")))
        data = (filled * length)[:length] or draw(st.randoms(use_true_random=False)).randbytes(length)
        pieces_.append(Piece(at, data))
        at += length + draw(st.sampled_from((1, 7, 16, 300, 1024, 3000)))
    return Image.of(pieces_)


@settings(max_examples=120, deadline=None)
@given(_cases(), st.data())
def test_what_no_piece_touches_is_as_before_and_what_is_defined_is_there(
    case: tuple[AddressTarget, bytes, list[Image], BootloaderHistory, Model, int], drawn: st.DataObject
) -> None:
    target, flash, images, history, model, block = case
    layout = FlashLayout.of(target.geometry, Overwrite.REFUSED)
    rig = Rig(
        model, contents=(Content(BASE, flash),), layout=layout, app_address=target.span.start, transfer_size=block
    )
    rig.history = history
    known = Image.raw(flash[target.span.start - BASE : target.span.end - BASE])
    if drawn.draw(st.booleans(), "trusted"):
        rig.cached = known.within(Range(0, drawn.draw(st.integers(0, target.span.size))))
    for what in images:
        before, watcher = rig.board.dump(BASE, layout.size).data, Watcher()
        ended = rig.attempt(what, target, watcher)
        now = rig.board.dump(BASE, layout.size).data
        if isinstance(ended, FlashdeckError):
            assert isinstance(ended, VerifyError)
            assert target.verify is VerifyPolicy.ALWAYS
            assert now == before
            continue
        assert isinstance(ended, FlashResult)
        assert watcher.plan is not None
        wanted = bytearray(before)
        for run in watcher.plan.erased:
            wanted[run.start - BASE : run.end - BASE] = b"\xff" * run.size
        for piece in placed(what, target.span.start).pieces:
            wanted[piece.offset - BASE : piece.end - BASE] = piece.data
        assert now == bytes(wanted)
        may_erase = target.sectors if target.erase is ErasePolicy.PARTITION else _touched(what, target)
        assert all(any(run.covers(s) for run in watcher.plan.erased) <= (s in may_erase) for s in target.sectors)
        lost = sum(
            before[at - BASE] != 0xFF and not placed(what, target.span.start).touches(Range.sized(at, 1))
            for run in watcher.plan.erased
            for at in range(run.start, run.end)
        )
        assert lost <= watcher.plan.erased_beside
        if spans(watcher.plan, StepKind.COMPARE):
            assert lost == watcher.plan.erased_beside
        rig.cached = None


def _touched(what: Image, target: AddressTarget) -> list[Range]:
    start = target.span.start
    return [s for s in target.sectors if what.touches(Range(s.start - start, s.end - start))]


@settings(max_examples=40, deadline=None)
@given(_images(4 * SECTOR), st.randoms(use_true_random=False), st.sampled_from((UNKNOWN, PROVED)))
def test_the_same_bytes_in_one_or_in_many_pieces_end_alike(
    what: Image, chance: random.Random, history: BootloaderHistory
) -> None:
    cut = [
        Piece(piece.offset + at, piece.data[at : at + 333])
        for piece in what.pieces
        for at in range(0, len(piece.data), 333)
    ]
    chance.shuffle(cut)
    ends: list[bytes] = []
    for each in (what, Image.of(cut)):
        rig = Rig()
        rig.history = history
        rig.flash(each, replace(STAYS, span=Range.sized(APP1.start, 4 * SECTOR)))
        ends.append(rig.memory(APP1))
    assert ends[0] == ends[1]
