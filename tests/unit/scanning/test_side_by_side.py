"""Of the files of one build, the best to watch."""

import os
from pathlib import Path

import pytest

import image_writers
from flashdeck.chips import find_chip
from flashdeck.first_board.found import MAX_PARTS, FoundBuild
from flashdeck.first_board.partition_layout import lay_out
from flashdeckd.scanning.builds import MAX_SIDE_BY_SIDE, builds_below
from flashdeckd.scanning.grouping import BESIDE_SECONDS
from unit.scanning.trees import APP1, HEADER, elf, hexed, raw, signed, write


def only(root: Path) -> FoundBuild:
    (build,) = list(builds_below(root).builds or ())
    return build


def best(root: Path) -> str:
    return Path(only(root).best.path).name


PROGRAM = raw()
PATCHED = PROGRAM[:-4] + b"CRC!"


@pytest.mark.parametrize(
    ("files", "name", "reason"),
    [
        ({"a.elf": elf(), "a.hex": hexed(), "a.bin": PROGRAM}, "a.elf", "says where it belongs"),
        ({"a.elf": elf(), "a.bin": PROGRAM + b"\xff" * 500}, "a.elf", "says where it belongs"),
        ({"a.elf": elf(), "a.bin": PATCHED}, "a.bin", "a step after the linker"),
        ({"a.elf": elf(), "a.bin": PROGRAM + b"signature"}, "a.bin", "a step after the linker"),
        (
            {"a.elf": elf(), "a.bin": PATCHED, "a.hex": image_writers.hexed([(APP1, PATCHED)])},
            *("a.hex", "a step after the linker"),
        ),
        ({"a.hex": hexed(), "a.bin": PROGRAM}, "a.hex", "says where it belongs"),
        ({"a.bin": PROGRAM}, "a.bin", ""),
        (
            {"zephyr/zephyr.elf": elf(), "zephyr/zephyr.signed.bin": b"".join((PROGRAM, b"tlv"))},
            "zephyr.signed.bin",
            "signed",
        ),
    ],
)
def test_it_is_this_one(tmp_path: Path, files: dict[str, bytes | str], name: str, reason: str) -> None:
    write(tmp_path, files)
    assert best(tmp_path) == name
    build = only(tmp_path)
    assert reason in build.reason
    assert bool(build.reason) == bool(reason)
    assert {Path(each.path).name for each in (build.best, *build.others)} == {Path(each).name for each in files}


def test_a_raw_binary_beside_the_program_that_was_linked_lies_where_that_does(tmp_path: Path) -> None:
    write(tmp_path, {"a.elf": elf(), "a.bin": PATCHED})
    found = only(tmp_path).best
    assert (found.start, found.end, found.start_is_guess) == (APP1, APP1 + len(PATCHED), False)


def test_what_an_earlier_build_left_is_not_what_is_watched(tmp_path: Path) -> None:
    write(tmp_path, {"a.bin": PATCHED, "a.elf": elf()})
    linked = (tmp_path / "a.elf").stat().st_mtime
    os.utime(tmp_path / "a.bin", (0, linked - BESIDE_SECONDS))
    assert best(tmp_path) == "a.bin", "just written, in a file system that counts whole seconds"
    os.utime(tmp_path / "a.bin", (0, linked - BESIDE_SECONDS - 1))
    assert best(tmp_path) == "a.elf"


def test_as_many_files_side_by_side_as_are_compared_and_one_more(tmp_path: Path) -> None:
    endings = ["bin", "elf", "hex", "axf", "ihex", "ihx", "srec", "s19", "s28", "s37", "mot", "dfu", "img", "out"]
    names = [*endings, *(ending.upper() for ending in endings)][: MAX_SIDE_BY_SIDE + 1]
    write(tmp_path, {f"a.{ending}": elf() for ending in names})
    build = only(tmp_path)
    assert len(build.others) + 1 == MAX_SIDE_BY_SIDE
    assert best(tmp_path) == f"a.{names[-1]}", "the newest are compared"


def test_runs_of_bytes_are_listed_up_to_a_number(tmp_path: Path) -> None:
    pieces = [(APP1, PROGRAM), *((APP1 + 0x10000 + number * 0x100, b"data") for number in range(MAX_PARTS - 1))]
    write(tmp_path, {"a.hex": image_writers.hexed(pieces)})
    assert len(only(tmp_path).best.parts) == MAX_PARTS
    last = pieces[-1][0]
    write(tmp_path, {"a.hex": image_writers.hexed([*pieces, (last + 0x100, b"more")])})
    parts = only(tmp_path).best.parts
    assert len(parts) == MAX_PARTS
    assert parts[-1] == (last, last + 0x104), "the last one reaches to the end"


def test_only_the_flash_of_the_chip_counts(tmp_path: Path) -> None:
    """Option bytes, and what lies in another memory, are not where the program belongs."""
    write(tmp_path, {"a.hex": image_writers.hexed([(APP1, PROGRAM), (0x1FFF7800, b"\xaa" * 8), (0x90000000, b"gfx!")])})
    found = only(tmp_path).best
    assert (found.start, found.end) == (APP1, APP1 + len(PROGRAM))


@pytest.mark.parametrize("room", [bytes(HEADER), b""])
def test_a_signed_image_begins_with_its_header_where_the_bootloader_looks_for_it(tmp_path: Path, room: bytes) -> None:
    """Zephyr links with room for the header in front, or behind the place for it; imgtool puts the header there."""
    body = raw(base=APP1 + HEADER)
    linked = image_writers.elf([(APP1 + HEADER - len(room), room + body)])
    write(
        tmp_path,
        {"zephyr/zephyr.elf": linked, "zephyr/zephyr.bin": room + body, "zephyr/zephyr.signed.bin": signed(body)},
    )
    found = only(tmp_path).best
    assert Path(found.path).name == "zephyr.signed.bin"
    assert (found.start, found.start_is_guess, found.is_program) == (APP1, False, True)
    assert found.initial_stack == 0x20030000


def test_a_binary_of_something_else_beside_a_program_stays_where_its_vectors_say(tmp_path: Path) -> None:
    write(tmp_path, {"a.elf": elf(), "a.bin": raw("other", base=0x08040000, stack=0x20001000)})
    found = only(tmp_path).best
    assert (found.start, found.start_is_guess) == (0x08040000, True)


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_program_that_is_not_signed_says_how_much_room_it_has_for_a_header(tmp_path: Path, fill: bytes) -> None:
    body = fill * HEADER + raw(base=APP1 + HEADER)
    write(tmp_path, {"a/zephyr/zephyr.elf": image_writers.elf([(APP1, body)])})
    linked = only(tmp_path).best
    assert (linked.start, linked.header_room, linked.is_program, linked.has_header) == (APP1, HEADER, False, False)
    write(tmp_path, {"a/zephyr/zephyr.elf": b"", "b/zephyr/zephyr.bin": body})
    binary = only(tmp_path).best
    assert (binary.start, binary.header_room, binary.is_program) == (APP1, HEADER, False)


def test_a_signed_file_that_is_older_than_its_program_is_named(tmp_path: Path) -> None:
    """The build was changed, and signing it failed, or was left out."""
    body = raw(base=APP1 + HEADER)
    linked = image_writers.elf([(APP1, bytes(HEADER) + body)])
    write(tmp_path, {"zephyr/zephyr.signed.bin": signed(body)}, at=1000.0)
    write(tmp_path, {"zephyr/zephyr.elf": linked}, at=2000.0)
    found = only(tmp_path)
    assert (found.best.header_room, [each.has_header for each in found.others]) == (HEADER, [True])
    (left,) = lay_out([found], find_chip("STM32H563RG").geometry).left_out
    assert left.reason.endswith("it is not signed: sign it again, zephyr.signed.bin is older")
