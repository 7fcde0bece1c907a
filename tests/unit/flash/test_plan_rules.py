"""What a plan contains, and when there is none. Pure."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_rig import APP1, BASE, BOOTLOADER, GEOMETRY, PARTITION2, SECTOR, TARGET, as_image, image
from flashdeck.config import BankPolicy, ErasePolicy, MapPolicy, VerifyPolicy
from flashdeck.errors import BlockedError, DescriptorError, ErrorKind, RefusedError, VerifyError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.memory_map import MemoryMap, parse_memory_map
from flashdeckd.flash import banks, dfuse_planner
from flashdeckd.flash.banks import Site
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.dfuse_planner import MAX_CANDIDATES, MIN_BOOT_UNIT, DfusePlanner
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan, StepKind
from flashdeckd.flash.layout import placed
from flashdeckd.flash.survey import Seen
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image

HONEST = parse_memory_map("@Internal Flash   /0x08000000/16*8Ka,112*8Kg")
SAMPLE = parse_memory_map("@Internal Flash   /0x08000000/4*8Ka,252*8Kg")
FACTS = DeviceFacts(transfer_size=1024, memory_map=HONEST)
SECOND = replace(TARGET, partition="partition2", span=PARTITION2)


def spans(plan: FlashPlan, action: StepKind) -> list[Range]:
    return [step.span for step in plan.steps if step.action is action]


def make_plan(
    data: bytes | Image,
    target: AddressTarget,
    facts: DeviceFacts,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: bytes | None = None,
    seen: Seen | None = None,
) -> FlashPlan:
    known = None if cached is None else Image.raw(cached)
    return dfuse_planner.make_plan(as_image(data), target, facts, history=history, cached=known, seen=seen)


def planned(size: int, target: AddressTarget = TARGET, facts: DeviceFacts = FACTS) -> FlashPlan:
    return make_plan(image(size), target, facts)


def asked(
    target: AddressTarget, *, history: BootloaderHistory = UNKNOWN, facts: DeviceFacts = FACTS, seen: Seen | None = None
) -> FlashPlan:
    """Planned for a board that was asked, and by default can be read and has no blank sector."""
    return make_plan(
        image(5000),
        target,
        facts,
        history=history,
        seen=seen or Seen(present=placed(Image.raw(b"old"), APP1.start)),
    )


def with_map(memory_map: MemoryMap | None) -> DeviceFacts:
    return replace(FACTS, memory_map=memory_map, map_error="" if memory_map else "the device has no memory map")


def test_the_order_is_boot_sector_everything_else_proof_boot_unit_leave() -> None:
    plan = planned(20_000)
    actions = [step.action for step in plan.steps]
    assert actions == [
        *[StepKind.ERASE] * 3,
        StepKind.CHECK_BLANK,
        *[StepKind.WRITE] * 2,
        StepKind.MEASURE_BLOCKS,
        *[StepKind.WRITE] * 18,
        StepKind.PROVE_READING,
        StepKind.READ_BACK,
        StepKind.CHECK_BLOCKS,
        StepKind.WRITE_BOOT_UNIT,
        StepKind.READ_BOOT_UNIT,
        StepKind.LEAVE,
    ]
    assert plan.steps[0].span == Range.sized(APP1.start, SECTOR)
    assert spans(plan, StepKind.WRITE)[0] == Range(APP1.start + 16, APP1.start + 1024)
    assert spans(plan, StepKind.WRITE)[1] == Range.sized(APP1.start + 1024, 1024)
    assert spans(plan, StepKind.WRITE_BOOT_UNIT) == [Range.sized(APP1.start, 16)]
    assert (plan.erases, plan.blocks) == (3, 21)


def test_only_the_sectors_that_the_image_needs_are_erased() -> None:
    assert planned(1).erases == 1
    assert planned(SECTOR).erases == 1
    assert planned(SECTOR + 1).erases == 2
    assert planned(1, replace(TARGET, erase=ErasePolicy.PARTITION)).erases == 48


def test_the_last_write_is_filled_up_and_stays_inside() -> None:
    plan = planned(APP1.size - 5)
    assert spans(plan, StepKind.WRITE)[-1].end == APP1.end
    assert plan.data(APP1)[-5:] == b"\xff" * 5
    assert spans(planned(1025), StepKind.WRITE)[-1] == Range.sized(APP1.start + 1024, 16)


def test_blank_blocks_are_left_out() -> None:
    data = image(2048) + b"\xff" * 4096 + image(1024)
    plan = make_plan(data, TARGET, FACTS)
    assert [span.start - APP1.start for span in spans(plan, StepKind.WRITE)] == [16, 1024, 6144]


def test_proof_is_taken_where_something_is_written() -> None:
    data = image(16) + b"\xff" * (3 * SECTOR) + image(1024)
    plan = make_plan(data, TARGET, FACTS)
    assert spans(plan, StepKind.CHECK_BLANK) == [Range.sized(APP1.start + 3 * SECTOR, SECTOR)]
    assert spans(plan, StepKind.PROVE_READING)[0].end >= APP1.start + 3 * SECTOR + 1040
    assert spans(plan, StepKind.ERASE)[0].start == APP1.start, "the boot unit's sector is still the first to be erased"
    assert spans(plan, StepKind.LEAVE_BLANK) == [Range(APP1.start + 16, APP1.start + 3 * SECTOR)]


@pytest.mark.parametrize("unit", [4, 8, 16, 32])
def test_the_boot_unit_is_what_the_flash_programs_at_once_but_at_least_sixteen_bytes(unit: int) -> None:
    plan = planned(5000, replace(TARGET, geometry=replace(GEOMETRY, program_unit=unit)))
    assert plan.boot_unit == max(MIN_BOOT_UNIT, unit)
    assert all(span.size % unit == 0 for span in spans(plan, StepKind.WRITE))


@pytest.mark.parametrize("size", [1, 4, 15, 16, 17, 31, 32])
def test_images_about_as_long_as_the_boot_unit(size: int) -> None:
    plan = planned(size)
    assert spans(plan, StepKind.WRITE_BOOT_UNIT) == [Range.sized(APP1.start, 16)]
    assert plan.data(Range.sized(APP1.start, size)) == image(size)
    assert plan.blocks == (1 if size <= 16 else 2)


def test_a_blank_boot_unit_is_not_written_and_said_not_to_protect() -> None:
    plan = make_plan(b"\xff" * 16 + image(5000), TARGET, FACTS)
    assert spans(plan, StepKind.WRITE_BOOT_UNIT) == []
    assert plan.protection.startswith("not protectable")
    assert "0x08020000" in planned(5000).protection


def test_nothing_is_read_where_nothing_should_be() -> None:
    never = planned(5000, replace(TARGET, verify=VerifyPolicy.NEVER))
    assert not never.reads
    assert not planned(5000, facts=replace(FACTS, can_upload=False)).reads
    assert not planned(5000, replace(TARGET, may_read=False)).reads
    assert not planned(5000, facts=with_map(parse_memory_map("@F/0x08000000/16*8Ka,112*8Kf"))).reads
    assert planned(5000).reads


@pytest.mark.parametrize(
    ("target", "facts", "size"),
    [
        (TARGET, replace(FACTS, can_upload=False), 5000),
        (replace(TARGET, may_read=False), FACTS, 5000),
        (TARGET, with_map(parse_memory_map("@F/0x08000000/16*8Ka,112*8Kf")), 5000),
        (TARGET, FACTS, 16),
    ],
)
def test_verify_always_is_refused_before_anything_is_erased(
    target: AddressTarget, facts: DeviceFacts, size: int
) -> None:
    with pytest.raises(VerifyError, match="nothing was erased"):
        planned(size, replace(target, verify=VerifyPolicy.ALWAYS), facts)


def test_without_leave_there_is_no_leave() -> None:
    assert spans(planned(100, replace(TARGET, leave=False)), StepKind.LEAVE) == []


def test_the_cost_stays_close_to_the_floor() -> None:
    for size in (1024, 2048):
        plan = planned(APP1.size, facts=replace(FACTS, transfer_size=size))
        uploads = 8192 // size + APP1.size // size + 2
        assert plan.requests - uploads <= 3 * plan.blocks + 3 * plan.erases + 34


# Safety rule 2: a protected partition is never a target.


@pytest.mark.parametrize(
    "span", [BOOTLOADER, Range.sized(BASE, SECTOR), Range(BOOTLOADER.end - SECTOR, BOOTLOADER.end + SECTOR)]
)
def test_a_protected_partition_is_refused_whatever_is_said(span: Range) -> None:
    target = replace(TARGET, span=span, map=MapPolicy.IGNORE, banks=BankPolicy.TRUSTED)
    with pytest.raises(RefusedError) as caught:
        planned(100, target)
    assert caught.value.kind is ErrorKind.PROTECTED


# Safety rule 1: nowhere else.


def test_an_image_that_does_not_fit_is_refused() -> None:
    planned(APP1.size)
    with pytest.raises(RefusedError, match="393217") as caught:
        planned(APP1.size + 1)
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(RefusedError, match="empty"):
        make_plan(b"", TARGET, FACTS)


@pytest.mark.parametrize(
    "span", [Range.sized(APP1.start + 16, SECTOR), Range.sized(APP1.start, SECTOR - 16), Range(0, 8192)]
)
def test_a_partition_that_is_not_whole_sectors_is_refused(span: Range) -> None:
    with pytest.raises(RefusedError) as caught:
        planned(100, replace(TARGET, span=span))
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION


@pytest.mark.parametrize(
    "text",
    [
        "@F/0x08000000/64*8Ka,64*8Kg",  # all of it read-only
        "@F/0x08000000/16*8Ka,1*8Kg,111*8Ka",  # room for one sector
        "@F/0x08000000/16*8Ka,112*8Ke",  # cannot be erased
        "@F/0x08000000/16*8Kg",  # ends before it
        "@F/0x08040000/96*8Kg",  # begins behind it
    ],
)
def test_the_map_narrows_what_may_be_touched(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        planned(SECTOR + 1, facts=with_map(parse_memory_map(text)))
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION


def test_what_the_map_forbids_elsewhere_does_not_matter() -> None:
    assert planned(SECTOR, facts=with_map(parse_memory_map("@F/0x08000000/16*8Ka,1*8Kg,111*8Ka"))).erases == 1
    assert planned(APP1.size, facts=with_map(SAMPLE)).erases == 48, "ST's sample: 2 MB and 32 KB protected"


@pytest.mark.parametrize(
    "text",
    [
        "@F/0x08000000/64*16Kg",
        "@F/0x08000000/256*4Kg",
        "@F/0x08001000/127*8Kg",
        "@F/0x08000000/1*1Mg",
        "@F/0x08000000/40*8Kg,176*4Kg",  # differs only in the middle of the partition
        "@F/0x08000000/128*8Kg/0x08040000/1*16Kg",  # contradicts itself
        "@F/0x08000000/128*8Kg/0x08041000/1*4Kg",
    ],
)
def test_sectors_that_disagree_hold_the_job(text: str) -> None:
    facts = with_map(parse_memory_map(text))
    with pytest.raises(BlockedError, match="memory map") as caught:
        planned(5000, facts=facts)
    assert 'map = "ignore"' in caught.value.hint
    plan = planned(5000, replace(TARGET, map=MapPolicy.IGNORE), facts)
    assert any('map = "ignore"' in note for note in plan.notes)


def test_sectors_that_disagree_outside_the_partition_do_not_matter() -> None:
    assert planned(5000, facts=with_map(parse_memory_map("@F/0x08000000/1*128Kg,48*8Kg,1*512Kg"))).erases == 1


def test_a_board_without_a_map_is_flashed_by_the_geometry_alone() -> None:
    plan = planned(5000, facts=with_map(None))
    assert any("no memory map" in note for note in plan.notes)


def test_another_bank_than_the_bootloader_s_is_held_until_it_is_proved_released_or_trusted() -> None:
    with pytest.raises(BlockedError, match="no sector there is blank") as caught:
        asked(SECOND)
    assert caught.value.bank == 1
    assert 'banks = "trusted"' in caught.value.hint
    assert "flashdeck release" in caught.value.hint
    assert asked(replace(SECOND, banks=BankPolicy.TRUSTED)).erases == 1
    assert asked(SECOND, history=BootloaderHistory(released_banks=(1,))).erases == 1
    assert asked(SECOND, history=BootloaderHistory(proved_banks=(1,))).erases == 1
    assert asked(replace(SECOND, protected=())).erases == 1, "nothing to protect"
    assert asked(TARGET).erases == 1, "the bootloader's own bank"
    with pytest.raises(BlockedError, match="bitCanUpload"):
        asked(SECOND, facts=replace(FACTS, can_upload=False))


def test_a_board_that_was_not_asked_is_not_held() -> None:
    assert any("canary in bank 2" in note for note in planned(5000, SECOND).notes)


def test_a_bank_that_was_seen_to_be_mistaken_is_refused() -> None:
    condemned = BootloaderHistory(reading_proved=True, condemned_banks=(1,))
    with pytest.raises(RefusedError) as caught:
        asked(SECOND, history=condemned)
    assert caught.value.kind is ErrorKind.WRONG_BANK
    assert asked(TARGET, history=condemned).erases == 1
    assert asked(replace(SECOND, banks=BankPolicy.TRUSTED), history=condemned).erases == 1


# The canary.

SITE = Site(0, Range.sized(APP1.end - SECTOR, SECTOR), Range.sized(BASE + 0xFE000, SECTOR))
BLANK_SITE = Seen(
    present=placed(Image.raw(b"old"), APP1.start),
    compared=(Range.sized(APP1.start, 1024),),
    searched=(SITE.sector, SITE.twin),
    sites=(SITE,),
    remembered=((Range.sized(BASE, SECTOR), b"boot" * 2048), (SITE.twin, b"\xff" * SECTOR)),
)


def test_the_canary_comes_before_the_first_erase_and_is_the_proof_of_reading() -> None:
    plan = asked(TARGET, seen=BLANK_SITE)
    assert [step.action for step in plan.steps][:10] == [
        StepKind.SAMPLE,
        *[StepKind.FIND_BLANK] * 2,
        StepKind.WRITE_CANARY,
        StepKind.READ_CANARY,
        StepKind.ERASE_CANARY,
        *[StepKind.CHECK_BANKS] * 3,
        StepKind.ERASE,
    ]
    assert spans(plan, StepKind.ERASE_CANARY) == [SITE.sector]
    assert spans(plan, StepKind.CHECK_BANKS) == [Range.sized(BASE, SECTOR), SITE.twin, SITE.sector]
    assert spans(plan, StepKind.CHECK_BLANK) == []
    assert spans(plan, StepKind.READ_BACK)[0].start == APP1.start


def test_candidates_are_never_the_boot_sector_and_have_an_unprotected_twin() -> None:
    for target in (TARGET, SECOND):
        for site in banks.sites(target, min(GEOMETRY.banks_of(target.span))):
            assert target.span.covers(site.sector)
            assert site.sector.start != target.span.start
            assert not site.twin.overlaps(BOOTLOADER)
            assert abs(site.twin.start - site.sector.start) == 512 * 1024
    assert [site.sector for site in banks.sites(SECOND, 1)][-1].start == PARTITION2.start + BOOTLOADER.size


def test_so_many_sectors_of_an_image_and_others_are_looked_at_for_a_canary() -> None:
    for sectors in (1, MAX_CANDIDATES, MAX_CANDIDATES + 1, MAX_CANDIDATES + 3):
        (sites,) = DfusePlanner(Image.raw(image(sectors * SECTOR)), TARGET, FACTS).questions.candidates
        mine = [site for site in sites if site.sector.start < TARGET.span.start + sectors * SECTOR]
        assert len(mine) == min(sectors - 1, MAX_CANDIDATES), "all but that of the boot unit"
        assert len(sites) - len(mine) == MAX_CANDIDATES


def test_no_canary_goes_where_something_was_flashed_though_it_may_read_blank() -> None:
    written = TARGET.sectors[1:3]
    (sites,) = DfusePlanner(Image.raw(image(4 * SECTOR)), replace(TARGET, written=written), FACTS).questions.candidates
    assert sites[0].sector == TARGET.sectors[3]
    assert not {site.sector for site in sites} & set(written)


def test_a_flash_of_one_bank_needs_no_canary() -> None:
    one = replace(TARGET, geometry=Geometry((Region(BASE, 128, SECTOR, 0),), 16))
    assert DfusePlanner(Image.raw(image(100)), one, FACTS).questions.candidates == ()


# Only what differs.


def with_change(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


PROVED = BootloaderHistory(reading_proved=True, proved_banks=(0,))


def there(present: bytes) -> Seen:
    return Seen(present=placed(Image.raw(present), APP1.start), compared=(Range.sized(APP1.start, len(present)),))


def test_an_equal_partition_is_left_alone() -> None:
    data = image(5 * SECTOR)
    plan = make_plan(data, TARGET, FACTS, history=PROVED, seen=there(data))
    assert [step.action for step in plan.steps] == [StepKind.COMPARE, StepKind.KEEP, StepKind.LEAVE]
    assert spans(plan, StepKind.KEEP) == [Range.sized(APP1.start, 5 * SECTOR)]
    assert (plan.unchanged, plan.changes) == (5 * SECTOR, False)
    assert any("has this image already" in note for note in plan.notes)


@pytest.mark.parametrize("sector", range(5))
def test_one_changed_sector_costs_its_own_erase_and_the_boot_unit_s(sector: int) -> None:
    data = image(5 * SECTOR)
    plan = make_plan(data, TARGET, FACTS, history=PROVED, seen=there(with_change(data, sector * SECTOR + 100)))
    first, own = (Range.sized(APP1.start + at * SECTOR, SECTOR) for at in (0, sector))
    assert spans(plan, StepKind.ERASE) == list(dict.fromkeys((first, own)))
    assert plan.unchanged == (5 - plan.erases) * SECTOR
    assert all(any(e.covers(w) for e in (first, own)) for w in spans(plan, StepKind.WRITE))
    assert plan.blocks == (9 if sector == 0 else 17)
    assert sum(span.size for span in spans(plan, StepKind.READ_BACK)) == plan.erases * SECTOR
    assert spans(plan, StepKind.CHECK_BLANK) == spans(plan, StepKind.PROVE_READING) == []


def test_reading_that_is_not_proved_lets_nothing_be_skipped() -> None:
    data = image(5 * SECTOR)
    assert make_plan(data, TARGET, FACTS, seen=there(data)).erases == 5
    gone = Seen(obstacle="it answers with a STALL")
    plan = make_plan(data, TARGET, FACTS, history=PROVED, seen=gone)
    assert plan.erases == 5
    assert not plan.reads


def test_a_cache_that_is_trusted_stands_in_where_nothing_can_be_read() -> None:
    data, facts = image(5 * SECTOR), replace(FACTS, can_upload=False)
    plan = make_plan(data, TARGET, facts, cached=with_change(data, 2 * SECTOR), seen=Seen())
    assert plan.erases == 2
    assert plan.trusts_cache
    assert any("trust_cache" in note for note in plan.notes)
    assert make_plan(data, TARGET, facts, cached=data[: 3 * SECTOR], seen=Seen()).erases == 3
    assert not make_plan(data, TARGET, facts, cached=data, seen=Seen()).changes
    with_reading = make_plan(data, TARGET, FACTS, history=PROVED, cached=data, seen=there(bytes(len(data))))
    assert with_reading.erases == 5, "what was read counts for more"


def test_the_rest_of_an_erased_partition_counts_too() -> None:
    data, target = image(100), replace(TARGET, erase=ErasePolicy.PARTITION)
    present = data.ljust(APP1.size, b"\xff")
    assert not make_plan(data, target, FACTS, history=PROVED, seen=there(present)).changes
    dirty = with_change(present, APP1.size - 1)
    assert make_plan(data, target, FACTS, history=PROVED, seen=there(dirty)).erases == 2
    assert not make_plan(data, TARGET, FACTS, history=PROVED, seen=there(dirty)).changes


# Devices that do not fit.


def test_a_transfer_size_above_what_linux_carries_is_clamped_and_said() -> None:
    plan = planned(20_000, facts=replace(FACTS, transfer_size=8192))
    assert plan.block == 4096
    assert any("8192" in note for note in plan.notes)


def test_a_transfer_size_of_odd_length_is_rounded_down_to_whole_units() -> None:
    assert planned(5000, facts=replace(FACTS, transfer_size=1000)).block == 992
    assert planned(5000, facts=replace(FACTS, transfer_size=0)).block == 64


def test_devices_that_can_not_be_written_are_refused() -> None:
    with pytest.raises(DescriptorError, match="wTransferSize"):
        planned(5000, facts=replace(FACTS, transfer_size=8))
    with pytest.raises(DescriptorError, match="bitCanDnload"):
        planned(5000, facts=replace(FACTS, can_download=False))


@st.composite
def _targets(draw: st.DrawFn) -> AddressTarget:
    unit = draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    sizes = draw(st.lists(st.sampled_from([512, 1024, 2048, 8192]), min_size=1, max_size=6))
    regions: list[Region] = []
    at = BASE
    for index, size in enumerate(sizes):
        regions.append(Region(at, draw(st.integers(1, 4)), size, bank=index % 2))
        at = regions[-1].span.end
    edges = [sector.span.start for sector in Geometry(tuple(regions)).sectors()] + [at]
    first = draw(st.integers(0, len(edges) - 2))
    last = draw(st.integers(first + 1, len(edges) - 1))
    return AddressTarget(
        partition="any",
        span=Range(edges[first], edges[last]),
        geometry=Geometry(tuple(regions), unit),
        erase=draw(st.sampled_from(ErasePolicy)),
        verify=draw(st.sampled_from(VerifyPolicy)),
        map=draw(st.sampled_from(MapPolicy)),
    )


@st.composite
def _seen(draw: st.DrawFn, target: AddressTarget, data: bytes) -> Seen:
    """What such a partition may read as: mostly the image itself, changed here and there."""
    present = bytearray(data.ljust(target.span.size, b"\xff")[: target.span.size])
    for at in draw(st.lists(st.integers(0, target.span.size - 1), max_size=4)):
        present[at] ^= 1
    return Seen(present=placed(Image.raw(bytes(present)), target.span.start), compared=(target.span,))


@given(st.data(), _targets(), st.binary(min_size=1, max_size=6000), st.integers(0, 5000), st.booleans())
def test_no_plan_leaves_its_partition(
    drawn: st.DataObject, target: AddressTarget, data: bytes, transfer_size: int, blank: bool
) -> None:
    facts = DeviceFacts(transfer_size=transfer_size, map_error="none")
    data = b"\xff" * 600 + data if blank else data
    history = drawn.draw(st.sampled_from((UNKNOWN, BootloaderHistory(reading_proved=True))))
    seen = drawn.draw(st.none() | _seen(target, data))
    try:
        plan = make_plan(data, target, facts, history=history, seen=seen)
    except (RefusedError, BlockedError, VerifyError, DescriptorError):
        return
    before = seen.present.read(target.span) if seen and history.reading_proved else b""
    erased: list[Range] = []
    sectors = {sector.span for sector in target.geometry.sectors()}
    written: dict[int, int] = {}
    for step in plan.steps:
        assert target.span.covers(step.span)
        if step.action is StepKind.ERASE:
            assert step.span in sectors
            assert not written, "all erases come first"
            erased.append(step.span)
        if step.action in (StepKind.WRITE, StepKind.WRITE_BOOT_UNIT):
            assert 0 < step.span.size <= min(plan.block, 4096, transfer_size or 64)
            assert step.span.start % target.geometry.program_unit == 0
            assert step.span.size % target.geometry.program_unit == 0
            for at, byte in enumerate(plan.data(step.span), step.span.start):
                assert at not in written, "a word is written once"
                assert any(sector.start <= at < sector.end for sector in erased)
                written[at] = byte
    held = bytearray(before[: len(data)].ljust(len(data), b"\x00"))
    for at in range(len(held)):
        address = target.span.start + at
        if any(sector.start <= address < sector.end for sector in erased):
            held[at] = written.get(address, 0xFF)
    assert held == data
    if not plan.changes:
        assert history.reading_proved
        return
    assert erased[0].start == target.span.start
    boot = Range.sized(target.span.start, plan.boot_unit)
    writes = [step for step in plan.steps if step.action in (StepKind.WRITE, StepKind.WRITE_BOOT_UNIT)]
    assert all(not step.span.overlaps(boot) for step in writes[:-1]), "the boot unit is last and alone"
