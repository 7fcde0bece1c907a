"""The ELF file of an image is found beside it, and only where it is of that very build."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash_elves import ELF, IMAGE, ORIGIN, SYSTICK
from flashdeck.geometry import Range
from flashdeckd.crashes import elf_beside
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.elf_beside import LARGEST_ELF, MOST_MATCHES, FoundElf, NoElf, find_elf
from flashdeckd.host import files
from flashdeckd.images.image import NOTHING, Image

WHOLE, BYTES = ELF.read_bytes(), IMAGE.read_bytes()
RAW = "addresses are not resolved"


def program(image: str | Path, *, unknown: str = "", known: Image | None = None) -> BoardProgram:
    found = Image.raw(BYTES) if known is None else known
    span = Range.sized(ORIGIN, 384 * 1024)
    return BoardProgram(partition="app1", span=span, image=str(image), unknown=unknown, read=lambda: found)


def other_build() -> bytes:
    at = WHOLE.index(BYTES[SYSTICK - ORIGIN : SYSTICK - ORIGIN + 32])
    return WHOLE[:at] + b"\x00\xbf" + WHOLE[at + 2 :]


@pytest.mark.parametrize(
    ("image", "elf"),
    [
        ("APP1.bin", "APP1.elf"),
        ("APP1.hex", "APP1.axf"),
        ("APP1.bin", "APP1.out"),
        ("APP1.elf", "APP1.elf"),
        ("APP1.axf", "APP1.axf"),
        ("zephyr.signed.bin", "zephyr.elf"),
        ("sketch.ino.bin", "sketch.ino.elf"),
        ("app.bin", "app"),
        ("app", "app"),
        ("Debug/APP1.bin", "Debug/APP1.elf"),
    ],
)
def test_it_has_the_name_of_the_image(tmp_path: Path, image: str, elf: str) -> None:
    for name, data in ((image, BYTES), (elf, WHOLE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = find_elf(program(tmp_path / image))
    assert isinstance(found, FoundElf)
    assert found.path == tmp_path / elf


def test_of_a_glob_the_newest_match_counts(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "APP1.bin").write_bytes(BYTES)
        (tmp_path / name / "APP1.elf").write_bytes(WHOLE)
        os.utime(tmp_path / name / "APP1.bin", (1000 + number, 1000 + number))
    found = find_elf(program(tmp_path / "*/APP1.bin"))
    assert isinstance(found, FoundElf)
    assert found.path == tmp_path / "new/APP1.elf"


def test_so_many_matches_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def matching(_: str) -> Iterator[str]:
        yield from (str(tmp_path / f"{number}.bin") for number in range(2 * MOST_MATCHES))

    monkeypatch.setattr(files, "matching", matching)

    def status(path: str) -> os.stat_result:
        looked.append(path)
        return os.stat_result((0,) * 10)

    monkeypatch.setattr(files, "status", status)
    find_elf(program(tmp_path / "*.bin"))
    assert len(looked) == MOST_MATCHES


def no(reason: str) -> NoElf:
    return NoElf(f"{reason}: {RAW}")


def test_an_elf_file_of_another_build_is_none(tmp_path: Path) -> None:
    (tmp_path / "APP1.elf").write_bytes(other_build())
    reason = f"APP1.elf is of another build (its code differs at 0x{SYSTICK:08x})"
    assert find_elf(program(tmp_path / "APP1.bin")) == no(reason)
    (tmp_path / "APP1.out").write_bytes(WHOLE)  # but that one is
    assert isinstance(find_elf(program(tmp_path / "APP1.bin")), FoundElf)


def test_without_one_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "APP1.elf").write_text("no ELF file at all")
    (tmp_path / "APP1.out").mkdir()
    assert find_elf(program(tmp_path / "APP1.bin")) == no("there is no ELF file beside APP1.bin")
    assert find_elf(program(tmp_path / "*.bin")) == no("there is no ELF file beside *.bin")


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    (tmp_path / "APP1.elf").write_bytes(WHOLE)
    assert find_elf(program("")) == no("app1 has no image file in the configuration")
    assert find_elf(program(tmp_path / "APP1.bin", unknown="nobody knows app1")) == no("nobody knows app1")
    lost = program(tmp_path / "APP1.bin", known=NOTHING)
    assert find_elf(lost) == no("the image that is in app1 is not kept any more")


@pytest.mark.parametrize(("most", "is_read"), [(len(WHOLE), True), (len(WHOLE) - 1, False)])
def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, is_read: bool
) -> None:
    (tmp_path / "APP1.elf").write_bytes(WHOLE)
    monkeypatch.setattr(elf_beside, "LARGEST_ELF", most)
    found = find_elf(program(tmp_path / "APP1.bin"))
    assert isinstance(found, FoundElf) is is_read
    if not is_read:
        assert found == no(f"APP1.elf is larger than {most // (1024 * 1024)} MB")
    assert LARGEST_ELF == 128 * 1024 * 1024


def cannot(error: OSError, *, at: int) -> Callable[..., bytes]:
    """Return a reader of files that fails at its so-manieth call."""
    calls: list[str] = []

    def contents(path: Path, limit: int | None = None) -> bytes:
        calls.append(str(path))
        if len(calls) == at:
            raise error
        return path.read_bytes()[:limit]

    return contents


@pytest.mark.parametrize(
    ("at", "reason"),
    [(1, "there is no ELF file beside APP1.bin"), (2, "APP1.elf cannot be read (Input/output error)")],
)
def test_a_file_that_cannot_be_read_is_said_to_be_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, reason: str
) -> None:
    (tmp_path / "APP1.elf").write_bytes(WHOLE)
    monkeypatch.setattr(files, "contents", cannot(OSError(5, "Input/output error"), at=at))
    assert find_elf(program(tmp_path / "APP1.bin")) == no(reason)
