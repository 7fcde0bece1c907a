"""How much a scan looks at: just so much, and not one more."""

from pathlib import Path

import pytest

from flashdeck.image_formats import MAX_IMAGE
from flashdeckd.host import clock
from flashdeckd.scanning.build_origin import LEVELS
from flashdeckd.scanning.builds import MAX_BUILDS, MAX_READ, builds_below
from flashdeckd.scanning.image_facts import ENOUGH_TO_TELL
from flashdeckd.scanning.walk import (
    LEAST_SIZE,
    MAX_DEPTH,
    MAX_DIRECTORIES,
    MAX_FOUND,
    MAX_NAMES,
    WALK_SECONDS,
    walk,
)
from unit.scanning.made_up_tree import MadeUpFile, MadeUpTree, take_over
from unit.scanning.trees import elf, raw, write

ROOT = Path("/made/up")
IMAGE = MadeUpFile(b"", 4096)


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> MadeUpTree:
    tree = take_over(monkeypatch, MadeUpTree())
    tree.add(str(ROOT))
    return tree


def test_so_deep_and_no_deeper(tree: MadeUpTree) -> None:
    below = str(ROOT) + "/d" * MAX_DEPTH
    tree.add(f"{below}/last.bin", IMAGE)
    found = walk(ROOT)
    assert [each.path.name for each in found.files] == ["last.bin"]
    assert found.notes == ()
    tree.add(f"{below}/more/too-deep.bin", IMAGE)
    found = walk(ROOT)
    assert [each.path.name for each in found.files] == ["last.bin"]
    assert found.notes == (f"more than {MAX_DEPTH} directories deep: 1 not looked into",)


def test_so_many_directories_and_no_more(tree: MadeUpTree) -> None:
    for number in range(MAX_DIRECTORIES - 1):
        tree.add(f"{ROOT}/{number}")
    assert walk(ROOT).notes == ()
    tree.add(f"{ROOT}/one-more/app.bin", IMAGE)
    found = walk(ROOT)
    assert found.files == ()
    assert found.notes == (
        f"stopped after {MAX_DIRECTORIES} directories: there are more directories, from {ROOT}/one-more on",
    )


def test_so_many_names_and_no_more(tree: MadeUpTree) -> None:
    tree.directories[str(ROOT)] = dict.fromkeys(f"{number:06}.c" for number in range(MAX_NAMES - 1))
    tree.add(f"{ROOT}/app.bin", IMAGE)
    assert len(walk(ROOT).files) == 1
    tree.add(f"{ROOT}/zz.bin", IMAGE)
    assert [each.path.name for each in walk(ROOT).files] == ["app.bin"], "one name more is not looked at"
    tree.add(f"{ROOT}/00")
    assert walk(ROOT).notes == (f"stopped after {MAX_NAMES} names: there are more directories, from {ROOT}/00 on",)


def test_so_many_files_the_newest_first(tree: MadeUpTree) -> None:
    for number in range(MAX_FOUND):
        tree.add(f"{ROOT}/{number}.bin", MadeUpFile(b"", 4096, number))
    assert walk(ROOT).notes == ()
    tree.add(f"{ROOT}/oldest.bin", MadeUpFile(b"", 4096, -1))
    found = walk(ROOT)
    assert len(found.files) == MAX_FOUND
    assert found.files[0].modified_at == MAX_FOUND - 1
    assert found.notes == (f"of {MAX_FOUND + 1} files that may be images only the {MAX_FOUND} newest were read",)


def test_so_long_and_no_longer(tree: MadeUpTree, monkeypatch: pytest.MonkeyPatch) -> None:
    class SlowDisk:
        def __init__(self) -> None:
            self.now = 0.0

        def monotonic(self) -> float:
            return self.now

    disk = SlowDisk()
    monkeypatch.setattr(clock, "system", disk)
    tree.add(f"{ROOT}/near/app.bin", IMAGE)
    tree.add(f"{ROOT}/near/far/app.bin", IMAGE)
    listings = 4  # the root is listed twice: first to see that it can be
    tree.on_listing = lambda: setattr(disk, "now", disk.now + WALK_SECONDS / listings)
    assert len(walk(ROOT).files) == 2
    disk.now = 0.0
    tree.on_listing = lambda: setattr(disk, "now", disk.now + WALK_SECONDS)
    found = walk(ROOT)
    assert found.files == ()
    assert found.notes == (f"stopped after {WALK_SECONDS:g} s: there are more directories, from {ROOT}/near on",)


def test_files_of_a_sensible_size(tree: MadeUpTree) -> None:
    for name, size in (("least", LEAST_SIZE), ("less", LEAST_SIZE - 1), ("most", MAX_IMAGE), ("more", MAX_IMAGE + 1)):
        tree.add(f"{ROOT}/{name}.bin", MadeUpFile(b"", size))
    found = walk(ROOT)
    assert {each.path.stem for each in found.files} == {"least", "most"}
    assert found.notes == (f"larger than 64 MiB: {ROOT}/more.bin",)


def test_so_many_bytes_are_read_of_the_newest_files(tree: MadeUpTree) -> None:
    for number in range(MAX_READ // MAX_IMAGE):
        tree.add(f"{ROOT}/{number}.bin", MadeUpFile(raw(), MAX_IMAGE, 10 + number))
    line = builds_below(ROOT)
    assert len(line.builds or ()) == MAX_READ // MAX_IMAGE
    assert line.notes == ()
    tree.add(f"{ROOT}/old.bin", MadeUpFile(raw(), 4096, 1))
    line = builds_below(ROOT)
    assert len(line.builds or ()) == MAX_READ // MAX_IMAGE
    assert line.notes == ("stopped reading after 512 MiB: older files were not looked at",)


def test_what_cannot_be_firmware_is_told_by_its_first_bytes(tree: MadeUpTree) -> None:
    whole = elf()
    tree.add(f"{ROOT}/app", MadeUpFile(whole, len(whole)))
    tree.add(f"{ROOT}/tool", MadeUpFile(b"\x7fELF\x02" + bytes(ENOUGH_TO_TELL), MAX_IMAGE))
    tree.add(f"{ROOT}/script", MadeUpFile(b"#!/bin/sh" + bytes(ENOUGH_TO_TELL), MAX_IMAGE))
    builds = builds_below(ROOT).builds or ()
    assert [each.best.path for each in builds] == [f"{ROOT}/app"]
    assert tree.bytes_read == {
        f"{ROOT}/app": ENOUGH_TO_TELL + len(whole),
        f"{ROOT}/tool": ENOUGH_TO_TELL,
        f"{ROOT}/script": ENOUGH_TO_TELL,
    }


def test_so_many_builds_are_listed(tmp_path: Path) -> None:
    write(tmp_path, {f"b{number}.bin": raw() for number in range(MAX_BUILDS)})
    assert builds_below(tmp_path).notes == ()
    write(tmp_path, {"newest.bin": raw()}, at=9999.0)
    line = builds_below(tmp_path)
    assert line.builds is not None
    assert len(line.builds) == MAX_BUILDS
    assert line.builds[0].name == "newest"
    assert line.notes == (f"of {MAX_BUILDS + 1} builds only the {MAX_BUILDS} newest are listed",)


def test_traces_of_a_tool_are_looked_for_so_far_above(tmp_path: Path) -> None:
    near = "near/" + "d/" * (LEVELS - 1)
    write(
        tmp_path,
        {"near/Makefile": "", f"{near}app1.bin": raw(), "far/Makefile": "", f"far/d/{near[5:]}app2.bin": raw()},
    )
    layouts = {each.name: each.layout for each in builds_below(tmp_path).builds or ()}
    assert layouts == {"app1": "make", "app2": "plain"}


def test_a_directory_that_cannot_be_listed_is_an_error_and_one_below_it_a_note(tree: MadeUpTree) -> None:
    with pytest.raises(FileNotFoundError):
        builds_below(Path("/not/there"))
    tree.add(f"{ROOT}/secret")
    listdir = tree.listdir

    def refuse(path: object) -> list[str]:
        if str(path).endswith("secret"):
            raise PermissionError(13, "no")
        return listdir(str(path))

    tree.listdir = refuse  # pyright: ignore[reportAttributeAccessIssue] - a disk with a directory of somebody else
    assert builds_below(ROOT).notes == (f"cannot be read: {ROOT}/secret",)
