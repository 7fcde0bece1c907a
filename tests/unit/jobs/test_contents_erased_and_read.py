"""What a partition has once it was erased by hand, and what is known of it once it was read."""

from dataclasses import replace as replace_target

import pytest
from msgspec.structs import replace

from flash_rig import APP1, SECTOR, TARGET
from flashdeck.config import UsbId
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeck.model import Contents, Layer
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image, Piece
from flashdeckd.jobs import contents
from flashdeckd.usb.device import UsbDevice

APP_ID = UsbId(0x0483, 0xDF11)

SMALL = replace_target(TARGET, span=Range.sized(APP1.start, 4 * SECTOR))


def made(**changes: object) -> Contents:
    return replace(Contents(sha256="", size=0, flashed_at=1.0, verified=Verified.NO, job=7), **changes)


def nobody(_: str) -> Image | None:
    return None


def test_an_erased_partition_is_known_to_be_blank() -> None:
    after = contents.erased(made(), SMALL)
    assert (after.erased, after.complete, after.patches) == (True, True, ())
    assert contents.known_bytes(after, SMALL, nobody) == Image.raw(b"\xff" * SMALL.span.size)


def test_of_an_erase_under_way_nothing_is_known_and_it_counts_as_one() -> None:
    before = contents.erased(made(), SMALL)
    after = contents.erase_begun(before, (Range(0, SECTOR),), made=made(), target=SMALL)
    assert (after.erased, after.complete) == (True, False)
    assert not contents.known_bytes(after, SMALL, nobody).touches(Range(0, SECTOR))


def test_what_was_read_and_is_there_is_verified_only_on_proved_reading() -> None:
    before = contents.erased(made(uncertain=True), SMALL)
    known = contents.known_bytes(before, SMALL, nobody)
    assert contents.compared(before, known, known, SMALL, proved=False) == before
    after = contents.compared(before, known, known, SMALL, proved=True)
    assert (after.verified, after.uncertain) == (Verified.YES, False)


def test_a_part_that_was_read_says_nothing_of_the_rest() -> None:
    before = contents.erased(made(uncertain=True), SMALL)
    known = contents.known_bytes(before, SMALL, nobody)
    assert contents.compared(before, known, known.within(Range(0, 100)), SMALL, proved=True) == before


def test_what_is_not_there_is_uncertain_and_its_sector_unknown() -> None:
    before = contents.erased(made(verified=Verified.YES), SMALL)
    known = contents.known_bytes(before, SMALL, nobody)
    read = Image.raw(b"\xff" * SECTOR + b"?" + b"\xff" * 99)
    after = contents.compared(before, known, read, SMALL, proved=True)
    assert (after.verified, after.uncertain, after.complete) == (Verified.NO, True, True)
    left = contents.known_bytes(after, SMALL, nobody)
    assert left.covers(Range(0, SECTOR))
    assert not left.touches(Range(SECTOR, 2 * SECTOR))
    unproved = contents.compared(before, known, read, SMALL, proved=False)
    assert (unproved.uncertain, unproved.layers) == (True, before.layers)


def _written(known: Contents | None, *images: Image, serial: str = "") -> list[int]:
    """Return the numbers of the sectors that are spared, of a device with that serial."""
    device = UsbDevice("1-1", "virtual-bench-usb-0:1", 1, 1, APP_ID, 0, serial=serial)
    spared = contents.sparing_written(SMALL, UNKNOWN, known, device, {each.sha256: each for each in images}.get)
    assert isinstance(spared, AddressTarget)
    return [(sector.start - APP1.start) // SECTOR for sector in spared.written]


PADDED = Image.raw((b"P" * (SECTOR + 1)).ljust(3 * SECTOR, b"\xff"))
PATCH = Image.of([Piece(3 * SECTOR, b"patch")])
FLASHED = made(
    sha256=PADDED.sha256,
    size=PADDED.size,
    layers=(
        Layer(sha256=PATCH.sha256, erased=((3 * SECTOR, 4 * SECTOR),)),
        Layer(sha256=PADDED.sha256, erased=((0, 2 * SECTOR),)),
    ),
)


def test_sectors_that_were_flashed_are_spared_until_they_are_erased_or_lose_what_they_had() -> None:
    assert _written(FLASHED, PADDED, PATCH) == [0, 1, 3], "not the one that the image has as 0xFF"
    assert _written(FLASHED) == [0, 1, 3], "the images are gone: what was erased for them may have anything"
    lost = (Layer(sha256="", erased=((0, 2 * SECTOR),)), *FLASHED.layers)
    assert _written(replace(FLASHED, layers=lost), PADDED, PATCH) == [3], "a job that was cut short has erased them"
    assert _written(contents.erased(FLASHED, SMALL), PADDED, PATCH) == []


def test_no_image_is_read_for_a_board_that_no_canary_comes_to() -> None:
    def image_of(_: str) -> Image | None:
        pytest.fail("it was read")

    device = UsbDevice("1-1", "virtual-bench-usb-0:1", 1, 1, APP_ID, 0)
    proved = BootloaderHistory(proved_banks=(0, 1))
    assert contents.sparing_written(SMALL, proved, FLASHED, device, image_of) is SMALL


def test_nothing_is_spared_on_another_device_or_where_nothing_is_known() -> None:
    assert _written(FLASHED, PADDED, PATCH, serial="ANOTHER") == []
    assert _written(None) == []


def test_what_an_older_release_recorded_is_spared_as_well() -> None:
    assert _written(made(sha256=PADDED.sha256, size=PADDED.size), PADDED) == [0, 1]
