"""What a partition has once it was erased by hand, and what is known of it once it was read."""

from dataclasses import replace as replace_target

from msgspec.structs import replace

from flash_rig import APP1, SECTOR, TARGET
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeck.model import Contents
from flashdeckd.images.image import Image
from flashdeckd.jobs import contents

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
