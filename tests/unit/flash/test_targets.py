"""The two kinds of destination answer for themselves, and each has its engine."""

from dataclasses import replace

from flash_rig import APP1, SECTOR, TARGET, pieces
from flashdeck.config import ErasePolicy
from flashdeck.geometry import Range
from flashdeckd.flash.dfuse_engine import DfuseEngine
from flashdeckd.flash.engine import engine_for
from flashdeckd.flash.plain_engine import PlainEngine
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.images.image import Image

PLAIN = AlternateTarget(partition="app1", size=APP1.size, setting="main")
SCATTERED = pieces((SECTOR + 7, b"two"), (2 * SECTOR, b"three"), (9 * SECTOR, b"ten"))


def test_a_range_of_addresses_is_touched_by_whole_sectors() -> None:
    assert TARGET.touched(SCATTERED) == (Range(SECTOR, 3 * SECTOR), Range.sized(9 * SECTOR, SECTOR))
    assert not TARGET.erases_all


def test_a_range_that_is_always_erased_is_touched_everywhere() -> None:
    whole = replace(TARGET, erase=ErasePolicy.PARTITION)
    assert whole.touched(SCATTERED) == (Range(0, APP1.size),)
    assert whole.erases_all


def test_an_alternate_setting_is_touched_from_its_start_to_the_end_of_the_image() -> None:
    assert PLAIN.touched(SCATTERED) == (Range(0, SCATTERED.end),)
    assert PLAIN.touched(Image.raw(b"a few")) == (Range(0, 5),)
    assert not PLAIN.erases_all
    assert PLAIN.span == Range(0, APP1.size)


def test_only_an_address_is_named_behind_a_size() -> None:
    assert TARGET.place == " at 0x08020000"
    assert PLAIN.place == ""


def test_the_type_of_the_target_chooses_the_engine() -> None:
    assert engine_for(TARGET) == DfuseEngine(TARGET)
    assert engine_for(PLAIN) == PlainEngine(PLAIN)
