"""How much of a file is looked at, kept and said: as much as the number says, and no more."""

import re
from itertools import repeat
from typing import cast

import pytest

from flashdeck.config import Partition
from flashdeck.errors import FlashdeckError, RefusedError
from flashdeck.geometry import Range
from flashdeck.image_formats import MAX_IMAGE, ImageFormat
from flashdeckd.images import elf
from flashdeckd.images.banners import LOOKED_BACK, is_banner
from flashdeckd.images.elf import LONGEST_NAME
from flashdeckd.images.file_notes import KEPT, FileNotes
from flashdeckd.images.formats import TEXT_LOOKED_AT, recognised
from flashdeckd.images.image import Image
from flashdeckd.images.segments import MAX_SEGMENTS, Segment, bounded
from flashdeckd.images.shelf import KEPT_BYTES, KEPT_IMAGES, Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.images.text_records import LOOKED_AT, NAMED, SHOWN, Records, first_record
from flashdeckd.images.version import LONGEST, MOST_BANNERS, SCANNED, find_version
from image_writers import elf_with_sections

APP = Partition("app", Range.sized(0x08020000, 8 * 1024 * 1024))
RECORD = b"S00600004844521B"


def version_of(data: bytes) -> str:
    return find_version(Image.raw(data), APP)


def test_a_file_may_hold_so_many_bytes() -> None:
    whole = Segment(0, bytes(MAX_IMAGE))
    assert bounded("file", [whole]) == (whole,)
    with pytest.raises(RefusedError, match="has more than"):
        bounded("file", [whole, Segment(0, b"x")])


def test_a_file_may_be_in_so_many_pieces() -> None:
    pieces = repeat(Segment(0, b"x"), MAX_SEGMENTS + 2)
    with pytest.raises(RefusedError, match="pieces"):
        bounded("file", pieces)
    assert len(tuple(pieces)) == 1, "the one after the last was looked at, and no other"


def test_a_version_is_searched_in_so_many_bytes() -> None:
    version = b"v1.2.3\0"
    assert version_of(bytes(SCANNED - len(version)) + version) == "v1.2.3"
    assert version_of(bytes(SCANNED - len(version) + 1) + version) == ""


def test_so_many_versions_of_others_are_passed_over() -> None:
    banner = b"zlib v1.2.3\0"
    assert version_of(banner * (MOST_BANNERS - 1) + b"v9.9\0") == "v9.9"
    assert version_of(banner * MOST_BANNERS + b"v9.9\0") == ""


def test_a_long_version_is_cut() -> None:
    name, number, suffix = "n" * 32, "1111.1111.11111", "-" + "s" * 48
    whole = f"{name} {number}{suffix}"
    assert len(whole) > LONGEST
    assert len(version_of(f"{whole}\0".encode())) == LONGEST


def test_a_name_far_before_a_version_is_not_that_of_its_owner() -> None:
    name = b"zlib"
    assert is_banner(name + b" " * (LOOKED_BACK - len(name)))
    assert not is_banner(name + b" " * (LOOKED_BACK - len(name) + 1))


def test_the_name_of_a_section_is_cut() -> None:
    names = b"\0" + b"n" * (LONGEST_NAME + 1) + b"\0"
    file = elf_with_sections([(0x08020000, b"code" * 8), (0x08030000, names)], names=2)
    assert elf.read("app.elf", file).segments[0].section == "n" * LONGEST_NAME


def test_notes_are_kept_of_so_many_files() -> None:
    notes = FileNotes()
    for number in range(KEPT):
        notes.keep("app", str(number), ("odd",))
    assert notes.of("app", "0") == ("odd",)
    notes.keep("app", "one more", ("odd",))
    assert (notes.of("app", "0"), notes.of("app", "1")) == ((), ("odd",))


class Counting:
    """Images of so many bytes as their name says."""

    def __init__(self) -> None:
        self.read_so_far: list[str] = []

    def read(self, sha256: str) -> Image:
        self.read_so_far.append(sha256)
        if not sha256.isdigit():
            raise FlashdeckError("not there")
        return Image.raw(bytes(int(sha256)))


def test_so_many_bytes_of_images_stay_in_memory() -> None:
    spool = Counting()
    shelf = Shelf(cast("Spool", spool))
    half = str(KEPT_BYTES // 2)
    other_half = f"0{half}"
    for name in (half, other_half, half):
        shelf.image(name)
    assert spool.read_so_far == [half, other_half]
    for name in ("1", half, other_half):
        shelf.image(name)
    assert spool.read_so_far == [half, other_half, "1", other_half], "the one that was not asked for longest went"


def test_so_many_images_are_kept_in_memory_however_small_they_are() -> None:
    spool = Counting()
    shelf = Shelf(cast("Spool", spool))
    names = [str(number) for number in range(1, KEPT_IMAGES + 1)]
    for name in (*names, *names):
        shelf.image(name)
    assert spool.read_so_far == names
    shelf.image("0")
    shelf.image("1")
    assert spool.read_so_far == [*names, "0", "1"]


def test_text_is_known_by_its_first_bytes() -> None:
    for text, kind in ((TEXT_LOOKED_AT, ImageFormat.INTEL_HEX), (TEXT_LOOKED_AT - 1, ImageFormat.RAW)):
        assert recognised("app.hex", b"t" * text + b"\0").format is kind


def test_the_first_record_is_searched_in_so_many_bytes() -> None:
    comments = b"\n" * (LOOKED_AT - len(RECORD))
    assert first_record(comments + RECORD) == RECORD
    assert first_record(b"\n" + comments + RECORD) == RECORD[:-1]


def records() -> Records:
    return Records("app.srec", ImageFormat.S_RECORD, re.compile(rb"S[0-9A-F]+"), "make it again")


def test_so_much_of_a_wrong_line_is_shown() -> None:
    with pytest.raises(RefusedError) as caught:
        tuple(records().read(b"x" * SHOWN + b"y"))
    assert f"'{'x' * SHOWN}'" in caught.value.message


def test_so_many_kinds_of_lines_are_named() -> None:
    found = records()
    found.passed_over.update(f"kind{number}" for number in range(NAMED))
    assert "others" not in found.notes[0]
    assert f"kind{NAMED - 1}" in found.notes[0]
    found.passed_over.update(["one more"])
    assert found.notes[0].endswith(", others")
    assert found.notes[0].count("kind") == NAMED
