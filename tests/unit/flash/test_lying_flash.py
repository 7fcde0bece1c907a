"""Bootloaders and chips that are not what profile and map say: nothing outside is lost, nothing false is verified."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from flash_rig import (
    APP1,
    BASE,
    BOOTLOADER,
    FLASH_SIZE,
    OLD,
    PARTITION2,
    ROOM,
    ROOM_TWIN,
    SECTOR,
    TARGET,
    Rig,
    Watcher,
    blank,
    image,
)
from flashdeck.config import ErasePolicy, MapPolicy, VerifyPolicy
from flashdeck.errors import BlockedError, DeviceError, VerifyError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.job_state import Verified
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.virtual.nor import FlashLayout, NorFlash
from flashdeckd.virtual.spec import Model
from flashdeckd.virtual.usbx import UsbxBootloader

STAYS = replace(TARGET, leave=False)
UNCHECKED = replace(STAYS, map=MapPolicy.IGNORE)
ONE_CELL = 16
"""Bytes that a cache line holds, in the boards with a cache."""


def contents(rig: Rig, data: bytes) -> bytes:
    """What lies where an image was meant to go."""
    return rig.memory(Range.sized(APP1.start, len(data)))


@pytest.fixture
def sectors_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flash whose erase takes two of the profile's sectors at once."""
    erase = NorFlash.erase_now

    def erase_both(self: NorFlash, sector: int) -> bool:
        return erase(self, sector & ~1) and erase(self, sector | 1)

    monkeypatch.setattr(NorFlash, "erase_now", erase_both)


def cached(monkeypatch: pytest.MonkeyPatch, *, until_erase: bool) -> Callable[[], None]:
    """Reads go through a cache that no write, and where `until_erase` an erase, empties. Answers how to end that."""
    read, erase = NorFlash.read, NorFlash.erase_now
    lines: dict[int, bytes | None] = {}

    def stale(self: NorFlash, address: int, size: int, *, refused: bool = False) -> bytes | None:
        now = read(self, address, size, refused=refused)
        if now is None:
            return None
        for at in range(address, address + size, ONE_CELL):
            lines.setdefault(at, now[at - address : at - address + ONE_CELL])
        return b"".join(lines[at] or b"" for at in range(address, address + size, ONE_CELL))[:size]

    def erased(self: NorFlash, number: int) -> bool:
        if until_erase:
            lines.clear()
        return erase(self, number)

    monkeypatch.setattr(NorFlash, "read", stale)
    monkeypatch.setattr(NorFlash, "erase_now", erased)
    return lambda: monkeypatch.setattr(NorFlash, "read", read)


def erased_everywhere(_: NorFlash, _address: int, size: int, *, refused: bool = False) -> bytes | None:
    """What a Read that does not look answers."""
    return None if refused else b"\xff" * size


def multiplies_with(monkeypatch: pytest.MonkeyPatch, multiplier: int) -> None:
    """USBX boards reach a block at its number times this, whatever they state."""

    def address(self: UsbxBootloader, block: int) -> int:
        return self.pointer + (block - 2) * multiplier

    monkeypatch.setattr(UsbxBootloader, "_address", address)


def test_a_second_protected_partition_in_the_other_bank_does_not_lift_the_hold() -> None:
    settings = Range.sized(BASE + FLASH_SIZE - SECTOR, SECTOR)
    rig = Rig(Model.USBX, bank_bug=True)
    target = replace(STAYS, partition="partition2", span=PARTITION2, protected=(BOOTLOADER, settings))
    assert isinstance(rig.attempt(image(20_000, start=PARTITION2.start), target), BlockedError)
    assert rig.memory() == rig.old


@pytest.mark.parametrize("constant", [False, True])
def test_a_partition_in_both_banks_is_held_where_only_its_own_bank_could_be_tried(
    monkeypatch: pytest.MonkeyPatch, *, constant: bool
) -> None:
    bootloader, span = Range.sized(BASE, 0x10000), Range(0x08020000, 0x080C0000)
    room = (Range(0x08010000, 0x08020000), Range(0x08040000, 0x08080000), Range(0x08080000, 0x08100000))
    rig = Rig(Model.USBX, bank_bug=True, old=OLD if constant else blank(*room))
    if constant:
        monkeypatch.setattr(NorFlash, "read", erased_everywhere)
        original = None
    else:
        original = cached(monkeypatch, until_erase=False)
    result = rig.attempt(image(560_000, start=span.start), replace(STAYS, span=span, protected=(bootloader,)))
    if original is not None:
        original()
    monkeypatch.undo()
    assert isinstance(result, BlockedError)
    assert not rig.outside_changed(span)


def test_a_canary_goes_only_where_the_map_lets_it() -> None:
    one_read_only = "@Flash/0x08000000/16*8Ka,47*8Kg,1*8Ka,64*8Kg"
    rig = Rig(old=blank(ROOM, ROOM_TWIN), map=one_read_only)
    watcher = Watcher()
    rig.flash(image(20_000), STAYS, watcher)
    assert watcher.plan is not None
    assert not any(step.span.overlaps(ROOM) for step in watcher.plan.steps)


@pytest.mark.parametrize("span", [APP1, PARTITION2])
def test_no_canary_is_tried_on_a_board_that_reads_as_erased_everywhere(span: Range) -> None:
    """What it calls blank may hold data, and the application before it is still whole."""
    rig = Rig(Model.CLASSIC_CONSTANT, read_constant=0xFF)
    seen: list[bytes] = []
    watcher = Watcher(on_began=lambda: seen.append(rig.memory()))
    rig.attempt(image(20_000, start=span.start), replace(STAYS, span=span), watcher)
    assert all(memory == rig.old for memory in (*seen, *([] if seen else [rig.memory()])))


@pytest.mark.usefixtures("sectors_in_pairs")
def test_without_a_map_a_delta_reads_back_what_it_left_alone() -> None:
    rig = Rig()
    first = image(80_000)
    changed = bytearray(first)
    changed[5 * SECTOR + 100] ^= 1
    rig.flash(first, UNCHECKED)
    assert contents(rig, first) == first
    result = rig.attempt(bytes(changed), UNCHECKED)
    assert isinstance(result, VerifyError)
    assert contents(rig, first)[:16] == b"\xff" * 16, "half an image must not boot"


@pytest.mark.usefixtures("sectors_in_pairs")
def test_a_boot_unit_that_is_done_again_is_written_on_what_was_read_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    write, refused = DfuseSession.write, [True]

    def once_refused(self: DfuseSession, address: int, data: bytes) -> None:
        if address == APP1.start and refused:
            refused.clear()
            raise DeviceError("refused once")
        write(self, address, data)

    monkeypatch.setattr(DfuseSession, "write", once_refused)
    rig = Rig()
    data = image(80_000)
    assert isinstance(rig.attempt(data, UNCHECKED), VerifyError)
    assert contents(rig, data)[:16] == b"\xff" * 16, "half an image must not boot"


def test_sectors_that_are_only_erased_are_read_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.flash(image(50_000), STAYS)
    erase = NorFlash.erase_now
    kept = (APP1.start - BASE) // SECTOR + 2

    def erase_but_one(self: NorFlash, sector: int) -> bool:
        return sector == kept or erase(self, sector)

    monkeypatch.setattr(NorFlash, "erase_now", erase_but_one)
    data = image(16, seed=3).ljust(4 * SECTOR, b"\xff")
    assert isinstance(rig.attempt(data, STAYS), VerifyError)


def test_the_cache_knows_nothing_of_what_lies_behind_an_image() -> None:
    rig = Rig(Model.CLASSIC_NOREAD)
    whole = image(3 * SECTOR)
    cut = whole[: 2 * SECTOR + 1008]
    for data in (whole, cut, cut.ljust(len(cut) + 4096, b"\xff")):
        outcome = rig.flash(data, STAYS)
        rig.cached = Image.raw(data)
        assert contents(rig, data) == data
        assert outcome.verified is Verified.NO
    assert rig.flash(rig.cached or b"", STAYS).erases == 0


def test_a_boot_unit_that_still_reads_blank_when_it_was_done_again_is_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be there, behind a cache; the next job finds out that this board cannot be read."""
    rig = Rig()
    rig.flash(image(30_000), STAYS)
    end = cached(monkeypatch, until_erase=True)
    data, watcher = image(30_000, seed=2), Watcher()
    with pytest.raises(VerifyError, match=r"perhaps a stale read.*holds nothing that boots") as caught:
        rig.flash(data, TARGET, watcher)
    assert not caught.value.may_boot
    assert rig.present, "no leave"
    assert watcher.events == ["planned", "began", "committed", "began", "committed"]
    assert not rig.history.reading_proved
    again = rig.flash(data, STAYS)
    assert again.verified is Verified.NO
    assert any("stale read" in note for note in again.notes)
    end()
    assert contents(rig, data) == data


@pytest.mark.parametrize("failures", [1, 2])
def test_verify_always_fails_where_the_boot_unit_can_not_be_read_back_and_forgives_a_single_failure(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    read, watcher, left = DfuseSession.read, Watcher(), [True] * failures

    def refused(self: DfuseSession, address: int, length: int) -> bytes:
        if "committed" in watcher.events and left:
            left.pop()
            raise DeviceError("refused")
        return read(self, address, length)

    monkeypatch.setattr(DfuseSession, "read", refused)
    rig = Rig()
    result = rig.attempt(image(20_000), replace(TARGET, verify=VerifyPolicy.ALWAYS), watcher)
    if failures == 1:
        assert isinstance(result, FlashResult)
        assert result.verified is Verified.YES
    else:
        assert isinstance(result, VerifyError)
        assert rig.present, "no leave"


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("multiplier", [512, 2048, 4096])
def test_a_device_that_multiplies_with_something_else_than_it_states_writes_nothing_outside(
    monkeypatch: pytest.MonkeyPatch, multiplier: int, *, readable: bool
) -> None:
    """As ST's USBX sample does, which takes the length of its control buffer whatever the descriptor says."""
    multiplies_with(monkeypatch, multiplier)
    old = OLD if readable else blank(Range.sized(BASE, FLASH_SIZE))
    rig = Rig(Model.USBX, old=old, attributes=0x0B if readable else 0x09)
    target = replace(STAYS, span=Range.sized(APP1.start, 128 * 1024), protected=())
    data = image(120_000)
    outcome = rig.flash(data, target)
    assert outcome.verified is (Verified.YES if readable else Verified.NO)
    assert any("address of its own" in note for note in outcome.notes) is readable
    assert contents(rig, data) == data
    assert not rig.outside_changed(target.span)
    again = image(120_000, seed=2)
    rig.flash(again, target)
    assert contents(rig, again) == again
    assert not rig.outside_changed(target.span)


@pytest.mark.long
@pytest.mark.parametrize("period", [4, 256, 1024])
@pytest.mark.parametrize("multiplier", [512, 2048, 4096])
@pytest.mark.parametrize("protected", [(), (BOOTLOADER,)])
def test_what_a_device_multiplies_with_is_not_told_from_contents_that_repeat_themselves(
    monkeypatch: pytest.MonkeyPatch, protected: tuple[Range, ...], multiplier: int, period: int
) -> None:
    """A block of a test pattern reads the same from many places."""
    multiplies_with(monkeypatch, multiplier)
    pattern = OLD[:period] * (FLASH_SIZE // period)
    span = Range.sized(APP1.start, 128 * 1024)
    rig = Rig(Model.USBX, old=blank(Range(span.end, BASE + FLASH_SIZE), old=pattern))
    target = replace(STAYS, span=span, protected=protected)
    for data in (image(120_000), (image(8) + pattern)[:120_000], image(120_000, seed=2)):
        rig.flash(data, target)
        assert contents(rig, data) == data
        assert not rig.outside_changed(span)


def test_what_a_device_multiplies_with_is_not_told_from_a_block_that_was_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was never read by its number: the cache knew of it."""
    page = 2048
    multiplies_with(monkeypatch, 2 * page)
    span = Range.sized(APP1.start, 64 * page)
    rig = Rig(
        Model.USBX,
        old=blank(Range(span.end, APP1.end)),
        transfer_size=page,
        layout=FlashLayout(sector=page),
        map="@Flash/0x08000000/512*2Kg",
    )
    target = replace(STAYS, span=span, geometry=Geometry((Region(BASE, 512, page),)), erase=ErasePolicy.PARTITION)
    first = image(2 * page)
    rig.flash(first, target)
    rig.cached = Image.raw(first)
    rig.flash(image(page, seed=2) + first[page:], target)
    rig.cached = None
    data = image(span.size, seed=3)
    rig.attempt(data, target)  # a place that was blank told nothing: it may read something else than it wrote
    assert not rig.outside_changed(span)
    rig.flash(data, target)
    assert contents(rig, data) == data
    assert not rig.outside_changed(span)
