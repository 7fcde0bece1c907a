"""The map of a flash: every byte of the memory in exactly one run, and never more runs than are promised."""

from bisect import bisect_left
from dataclasses import replace
from itertools import cycle, groupby
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flash_rig import APP1, BOOTLOADER, PARTITION2, SECTOR, image, pieces
from flashdeck.config import Board, Partition, Profile
from flashdeck.flash_map import TELLING, FlashMap, SectorState, most_telling
from flashdeck.geometry import Geometry, Range, Region, joined
from flashdeck.job_state import Verified
from flashdeck.model import Contents, Layer
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.images.image import Image
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.map_drawing import MAX_CELLS, MAX_REGIONS, grid_of, map_of, resting_states
from lane_rig import PROFILE as LANE_PROFILE

PROFILE = replace(
    LANE_PROFILE,
    partitions={
        "bootloader": Partition("bootloader", BOOTLOADER, protected=True),
        "app1": Partition("app1", APP1),
        "partition2": Partition("partition2", PARTITION2),
    },
)
BYTES_AT_MOST = 64 * 1024
"""Bytes of one map as it travels."""


def contents(**fields: Any) -> Contents:
    known: dict[str, Any] = {"sha256": "a", "size": 1, "flashed_at": 0.0, "verified": Verified.YES, "job": 7}
    return Contents(**known | fields)


def drawn(
    profile: Profile = PROFILE,
    known: dict[str, Contents] | None = None,
    images: dict[str, Image] | None = None,
    work: SectorWork | None = None,
) -> FlashMap:
    board, grid = Board("left", profile), grid_of(profile)
    has, spooled = known or {}, images or {}
    resting = resting_states(profile, grid, has.get, lambda each: target_of(board, each), spooled.get)
    return map_of("left", grid, resting, work)


def state_at(shown: FlashMap, address: int) -> SectorState:
    (state,) = [run.state for run in shown.runs if run.address <= address < run.end]
    return state


def of_app1(shown: FlashMap) -> list[tuple[SectorState, int]]:
    """Each state in app1, and in how many of its sectors that is one behind the other."""
    states = [state_at(shown, address) for address in range(APP1.start, APP1.end, SECTOR)]
    return [(state, len(list(same))) for state, same in groupby(states)]


def test_a_board_of_which_nothing_is_known() -> None:
    shown = drawn()
    told = [(run.address, run.size, run.count, run.state) for run in shown.runs]
    assert told == [
        (0x08000000, SECTOR, 16, SectorState.PROTECTED),
        (0x08020000, SECTOR, 96, SectorState.UNTOUCHED),
        (0x080E0000, SECTOR, 16, SectorState.FOREIGN),
    ]
    assert (shown.grouped, shown.reason, shown.job) == (1, "", 0)


def test_the_sectors_of_a_complete_image_have_contents_and_no_others() -> None:
    known = {"app1": contents(layers=(Layer(sha256="a", erased=((0, 2 * SECTOR),)),))}
    shown = drawn(known=known, images={"a": Image.raw(image(SECTOR + 1))})
    assert of_app1(shown) == [(SectorState.CONTENTS, 2), (SectorState.UNTOUCHED, 46)]


def test_gaps_between_pieces_that_were_erased_are_known_to_be_blank() -> None:
    known = {"app1": contents(layers=(Layer(sha256="a", erased=((0, 4 * SECTOR),)),))}
    shown = drawn(known=known, images={"a": pieces((0, image(100)), (3 * SECTOR, b"end"))})
    told = of_app1(shown)
    assert told[:3] == [(SectorState.CONTENTS, 1), (SectorState.ERASED, 2), (SectorState.CONTENTS, 1)]


def test_what_a_cut_short_flash_has_erased_is_incomplete() -> None:
    layers = (Layer(sha256="", erased=((0, 3 * SECTOR),)), Layer(sha256="a", erased=((0, 5 * SECTOR),)))
    known = {"app1": contents(complete=False, layers=layers)}
    shown = drawn(known=known, images={"a": Image.raw(image(5 * SECTOR))})
    assert of_app1(shown)[:2] == [(SectorState.INCOMPLETE, 3), (SectorState.CONTENTS, 2)]


def test_contents_that_were_distrusted_are_incomplete_from_end_to_end() -> None:
    assert of_app1(drawn(known={"app1": contents(complete=False)})) == [(SectorState.INCOMPLETE, 48)]


def test_uncertain_contents_are_uncertain_where_there_are_any() -> None:
    known = {"app1": contents(uncertain=True, layers=(Layer(sha256="a", erased=((0, SECTOR),)),))}
    shown = drawn(known=known, images={"a": Image.raw(image(SECTOR))})
    assert of_app1(shown)[:2] == [(SectorState.UNCERTAIN, 1), (SectorState.UNTOUCHED, 47)]


def test_what_was_erased_by_hand_is_erased() -> None:
    layer = Layer(sha256="", erased=((0, APP1.size),), blank=True)
    assert of_app1(drawn(known={"app1": contents(erased=True, layers=(layer,))})) == [(SectorState.ERASED, 48)]


def test_a_protected_partition_is_protected_whatever_is_known_of_it() -> None:
    shown = drawn(known={"bootloader": contents(complete=False)})
    assert state_at(shown, BOOTLOADER.start) is SectorState.PROTECTED
    kept = replace(PROFILE, kept=(Range.sized(APP1.start, SECTOR),))
    assert state_at(drawn(kept), APP1.start) is SectorState.PROTECTED


def test_the_work_of_a_job_lies_over_what_was_there() -> None:
    states = (
        (Range.sized(APP1.start, SECTOR), SectorState.WRITING),
        (Range.sized(APP1.start + SECTOR, SECTOR), SectorState.EQUAL),
    )
    shown = drawn(work=SectorWork(9, "app1", states))
    assert (shown.job, shown.partition) == (9, "app1")
    assert of_app1(shown) == [(SectorState.WRITING, 1), (SectorState.EQUAL, 1), (SectorState.UNTOUCHED, 46)]


def test_a_plain_device_has_no_map_and_says_so() -> None:
    plain = Profile(
        name="plain",
        dfu=PROFILE.dfu,
        geometry=Geometry(()),
        partitions={"app": Partition("app", Range(0, 4096), alternate=0)},
    )
    shown = drawn(plain)
    assert shown.runs == ()
    assert shown.reason == "no map: a plain DFU device has no addresses"


# Any memory at all.


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    at, regions = 0x08000000, list[Region]()
    for _ in range(draw(st.integers(1, 4))):
        at += draw(st.sampled_from((0, 0, 0x10000)))
        region = Region(at, draw(st.sampled_from((1, 2, 7, 64, 300, 900))), draw(st.sampled_from((1024, 2048, 16384))))
        regions.append(region)
        at = region.span.end
    return Geometry(tuple(regions))


@st.composite
def memories(draw: st.DrawFn) -> tuple[Profile, SectorWork]:
    geometry = draw(geometries())
    sectors = [sector.span for sector in geometry.sectors()]
    first = draw(st.integers(0, len(sectors) - 1))
    last = draw(st.integers(first, min(len(sectors) - 1, first + 300)))
    span = Range(sectors[first].start, sectors[last].end)
    profile = replace(PROFILE, geometry=geometry, partitions={"app1": Partition("app1", span)})
    mine = sectors[first : last + 1]
    some = draw(st.lists(st.sampled_from(SectorState), min_size=1, max_size=20))
    return profile, SectorWork(1, "app1", tuple(zip(mine, cycle(some), strict=False)))


@given(memories())
def test_every_byte_of_the_memory_is_in_exactly_one_run(memory: tuple[Profile, SectorWork]) -> None:
    profile, work = memory
    shown = drawn(profile, work=work)
    covered = 0
    end = 0
    for run in shown.runs:
        assert run.address >= end
        assert run.count > 0
        end = run.end
        covered += run.size * run.count
    regions = profile.geometry.regions
    assert covered == sum(region.span.size for region in regions)
    parts = joined(region.span for region in regions)
    assert all(any(span.covers(Range(run.address, run.end)) for span in parts) for run in shown.runs)
    assert sum(run.count for run in shown.runs) <= MAX_CELLS
    assert len(msgspec.json.encode(shown)) < BYTES_AT_MOST
    if shown.grouped == 1:
        assert all(state_at(shown, sector.start) is state for sector, state in work.states)


@given(memories())
def test_where_there_is_no_room_the_state_that_tells_most_is_told(memory: tuple[Profile, SectorWork]) -> None:
    profile, work = memory
    told = dict(work.states)
    shown = drawn(profile, work=work)
    sectors = [sector.span for sector in profile.geometry.sectors()]
    starts = [sector.start for sector in sectors]
    for run in shown.runs:
        for cell in range(run.address, run.end, run.size):
            inside = sectors[bisect_left(starts, cell) : bisect_left(starts, cell + run.size)]
            assert run.state is most_telling(told.get(sector, SectorState.FOREIGN) for sector in inside)


def of_sectors(count: int) -> Profile:
    return replace(PROFILE, geometry=Geometry((Region(0x08000000, count, 1024),)), partitions={})


def test_as_many_sectors_as_fit_are_told_one_by_one() -> None:
    assert drawn(of_sectors(MAX_CELLS)).grouped == 1
    more = drawn(of_sectors(MAX_CELLS + 1))
    assert more.grouped == 2
    assert [(run.size, run.count) for run in more.runs] == [(2048, MAX_CELLS // 2), (1024, 1)]


def test_a_partsof_thousands_of_regions_has_no_map() -> None:
    def of_regions(count: int) -> Profile:
        regions = tuple(Region(0x08000000 + at * 4096, 1, 1024 * (1 + at % 2)) for at in range(count))
        return replace(PROFILE, geometry=Geometry(regions), partitions={})

    assert drawn(of_regions(MAX_REGIONS)).reason == ""
    lying = drawn(of_regions(MAX_REGIONS + 1))
    assert lying.runs == ()
    assert "regions" in lying.reason


def test_every_state_has_its_rank() -> None:
    assert sorted(TELLING) == sorted(SectorState)
