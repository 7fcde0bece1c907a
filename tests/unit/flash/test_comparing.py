"""What is read before a plan: a sector differs from its first differing block on, and looks have to pay."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import APP1, BASE, FLASH_SIZE, SECTOR, TARGET, Rig, Watcher, blank, image, pieces, small
from flashdeck.config import ErasePolicy
from flashdeck.errors import DeviceGoneError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Verified
from flashdeckd.flash import engine
from flashdeckd.flash.comparing import ERASE_WORTH, WRITE_WORTH, reads, spread
from flashdeckd.flash.flash_plan import StepKind
from flashdeckd.flash.layout import Layout, placed
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model

SECTORS = APP1.size // SECTOR
STAY = replace(TARGET, leave=False)
ALL_BLANK = blank(Range(APP1.start, BASE + FLASH_SIZE))


def looked(layout: Layout, there: Image) -> list[Range]:
    """The blocks that a comparison with what is `there` reads."""
    asked: list[Range] = []
    looks = reads(layout)
    try:
        block = next(looks)
        while True:
            asked.append(block)
            block = looks.send(there.read(block))
    except StopIteration:
        return asked


def layout_of(what: Image, target: AddressTarget = TARGET, block: int = 1024) -> Layout:
    return Layout(target, placed(what, target.span.start), block, 16 if target is TARGET else 0)


def changed(data: bytes, *at: int) -> bytes:
    new = bytearray(data)
    for each in at:
        new[each] ^= 0xFF
    return bytes(new)


def there(data: bytes) -> Image:
    return placed(Image.raw(data), APP1.start)


def worth(block: int, sector: int = SECTOR) -> int:
    """What one sector is worth, in UPLOADs."""
    return ERASE_WORTH + WRITE_WORTH * (sector // block)


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_of_a_sector_that_differs_no_more_is_read_than_shows_it(block: int) -> None:
    data = image(APP1.size)
    for at in (0, block - 1, block, SECTOR - 1):
        asked = looked(layout_of(Image.raw(data), block=block), there(changed(data, 9 * SECTOR + at)))
        mine = [each for each in asked if Range.sized(APP1.start + 9 * SECTOR, SECTOR).covers(each)]
        assert len(mine) == at // block + 1
        assert len(asked) == APP1.size // block - (SECTOR // block - len(mine)), "and all of the others"


@pytest.mark.parametrize("block", [512, 1024, 2048, 4096, 8192])
def test_where_all_differ_no_more_is_read_than_one_sector_is_worth(block: int) -> None:
    data = image(APP1.size)
    asked = looked(layout_of(Image.raw(data), block=block), there(bytes(byte ^ 1 for byte in data)))
    assert len(asked) == min(worth(block), SECTORS)
    assert asked[0].start == APP1.start
    assert max(each.start for each in asked) > APP1.start + APP1.size // 2, "not only at its start"


def test_where_all_differ_at_their_ends_a_few_are_read_whole() -> None:
    data = image(APP1.size)
    ends = changed(data, *(sector * SECTOR + SECTOR - 1 for sector in range(SECTORS)))
    asked = looked(layout_of(Image.raw(data)), there(ends))
    assert worth(1024) <= len(asked) < worth(1024) + SECTOR // 1024


@pytest.mark.parametrize(
    "equal",
    [range(12), range(1, 12), range(24, 36), range(36, 48), range(47, 48), range(1, 48), range(0, 48, 2), range(1, 4)],
    ids=str,
)
def test_equal_sectors_that_lie_side_by_side_are_found_wherever_that_is(equal: range) -> None:
    data = image(APP1.size)
    other = changed(data, *(sector * SECTOR for sector in range(SECTORS) if sector not in equal))
    asked = looked(layout_of(Image.raw(data), block=2048), there(other))
    whole = {
        sector
        for sector in equal
        if all(each in asked for each in layout_of(Image.raw(data), block=2048).cells(TARGET.sectors[sector]))
    }
    assert whole == set(equal) or len(equal) < 2


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), share=st.floats(0, 1), block=st.sampled_from([1024, 2048, 4096]))
def test_comparing_never_loses_more_than_it_has_saved_and_the_worth_of_a_sector(
    seed: int, share: float, block: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - invented contents, nothing secret
    data = image(APP1.size, seed % 100)
    places = [s * SECTOR + rng.randrange(SECTOR) for s in range(SECTORS) if rng.random() < share]
    layout, other = layout_of(Image.raw(data), block=block), there(changed(data, *places))
    asked = looked(layout, other)
    assert len(set(asked)) == len(asked), "nothing is read two times"
    per_sector = SECTOR // block
    equal = sum(
        all(cell in asked for cell in layout.cells(sector)) and layout.holds(other, sector) for sector in layout.sectors
    )
    vain = len(asked) - equal * per_sector
    assert vain < (equal + 1) * worth(block) + per_sector


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 48, 64, 100, 192])
def test_the_order_goes_through_all_and_begins_all_over(count: int) -> None:
    order = list(spread(count))
    assert set(order) == set(range(count))
    assert order[:2] == list(range(min(2, count)))
    for few in (8, 16):
        if count > 4 * few:
            gaps = sorted(order[:few])
            widest = max(high - low for low, high in zip(gaps, [*gaps[1:], count], strict=True))
            assert widest <= 4 * count / few


SMALL_PAGES = Geometry((Region(BASE, 256, 256),), program_unit=8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_read_a_plan_leaves_alone_only_what_is_equal(data: st.DataObject) -> None:
    """With blocks larger than sectors, images in pieces, and all of the partition made new."""
    span = Range.sized(BASE + 8 * 256, 64 * 256)
    erase = data.draw(st.sampled_from(ErasePolicy))
    target = replace(TARGET, span=span, geometry=SMALL_PAGES, protected=(), erase=erase)
    rng = random.Random(data.draw(st.integers(0, 1 << 30)))  # noqa: S311 - the same
    parts = [(at * 512, rng.randbytes(rng.randrange(1, 500))) for at in sorted(rng.sample(range(32), 12))]
    layout = Layout(target, placed(pieces(*parts), span.start), data.draw(st.sampled_from([64, 192, 256, 1024])), 0)
    there_now = bytearray(layout.image.read(span))
    for _ in range(data.draw(st.integers(0, 40))):
        there_now[rng.randrange(span.size)] ^= 1
    real = placed(Image.raw(bytes(there_now)), span.start)
    asked = looked(layout, real)
    assert all(span.covers(each) for each in asked)
    known = Image(tuple(sorted((p for each in asked for p in real.within(each).pieces), key=lambda p: p.offset)))
    for sector in layout.sectors:
        if layout.holds(Image.of(known.pieces), sector):
            assert layout.holds(real, sector)


# On emulated boards.


def proved(model: Model = Model.CLASSIC, **changes: object) -> Rig:
    rig = Rig(model, old=ALL_BLANK, **changes)
    rig.flash(image(100), STAY)
    rig.flash(image(APP1.size), STAY)
    assert rig.history.reading_proved
    return rig


@pytest.mark.parametrize("transfer_size", [1024, 2048, 4096])
@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT])
def test_a_rebuild_where_every_sector_differs_is_written_without_reading_it_first(
    model: Model, transfer_size: int
) -> None:
    rig, data, watcher = proved(model, transfer_size=transfer_size), image(APP1.size, seed=9), Watcher()
    outcome = rig.flash(data, STAY, watcher)
    assert rig.memory(APP1) == data
    assert outcome.verified is Verified.YES, "by reading back, all of it"
    assert outcome.uploads <= APP1.size // transfer_size + 1 + worth(transfer_size)
    assert outcome.unchanged == 0
    assert watcher.plan is not None
    unread = SECTORS - min(worth(transfer_size), SECTORS)
    assert f"all 48 sectors are written, {unread} of them without a comparison" in "\n".join(watcher.plan.notes)
    assert not rig.outside_changed(APP1)
    if model is Model.CLASSIC:
        assert watcher.plan.requests == outcome.transfers


def test_a_plan_says_of_how_many_sectors_it_knows_and_of_how_many_not() -> None:
    data = image(APP1.size, seed=9)
    rig, watcher = proved(), Watcher()
    old = image(APP1.size)
    mixed = data[: 36 * SECTOR] + old[36 * SECTOR :]
    outcome = rig.flash(mixed, STAY, watcher)
    assert outcome.unchanged == 12 * SECTOR
    assert watcher.plan is not None
    assert any(note.startswith("36 of 48 sectors differ") for note in watcher.plan.notes)
    assert rig.memory(APP1) == mixed


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.ROM])
def test_an_interrupted_flash_goes_on_where_it_was_though_all_else_differs(model: Model) -> None:
    rig, data = proved(model), image(APP1.size, seed=9)
    transfers = 900 if model is Model.CLASSIC else 1000
    rig.bench.fault("board", Fault.UNPLUG, transfers)
    assert isinstance(rig.attempt(data, STAY), DeviceGoneError)
    rig.back_in_dfu()
    outcome = rig.flash(data, STAY)
    assert rig.memory(APP1) == data
    assert outcome.unchanged > 0
    assert outcome.verified is Verified.YES


def test_a_read_that_fails_in_the_comparison_begins_it_anew() -> None:
    for after in range(5, 12):
        rig, data = proved(), image(APP1.size, seed=9)
        rig.board.fault(Fault.STALL, after)
        assert rig.flash(data, STAY).verified is Verified.YES
        assert rig.memory(APP1) == data


@pytest.mark.parametrize("make", [lambda: image(APP1.size, seed=9), lambda: changed(image(APP1.size), 20 * SECTOR)])
def test_a_look_without_a_flash_reads_no_more(make: Callable[[], bytes]) -> None:
    rig, watcher = proved(), Watcher()
    data = make()
    before = rig.board.state()
    with rig.open() as pipe:
        plan = engine.survey(pipe, Image.raw(data), STAY, history=rig.history)
    looked_at = rig.board.state().uploads - before.uploads
    assert looked_at == sum(step.span.size for step in plan.steps if step.action is StepKind.COMPARE) // 1024
    assert rig.flash(data, STAY, watcher).uploads >= looked_at
    assert watcher.plan is not None
    assert watcher.plan.steps == plan.steps


def test_a_small_partition_is_compared_as_ever() -> None:
    target, data = replace(small(5), leave=False), image(5 * SECTOR)
    rig = Rig(old=ALL_BLANK)
    rig.flash(image(100), target)
    rig.flash(data, target)
    outcome = rig.flash(changed(data, 3 * SECTOR + 5000), target)
    assert (outcome.erases, outcome.unchanged) == (2, 3 * SECTOR)
