"""What boards say, on the disk: in order, in files that do not grow for ever, and at nobody's cost."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from flashdeck.console_kinds import ConsoleKind
from flashdeck.model import ConsoleEntry
from flashdeckd.consoles import console_file
from flashdeckd.consoles.console_file import (
    GATHER_SECONDS,
    LARGEST_FILE,
    MOST_WAITING,
    OLDER_FILES,
    REST_SECONDS,
    ConsoleFiles,
    file_of,
)
from flashdeckd.host import files


class Kept:
    """Files in a directory that is not there yet, and what is told of them."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "consoles"
        self.told: list[tuple[str, str]] = []
        self.heard = asyncio.Event()
        self.files = ConsoleFiles(self.directory, self.tell)
        self._number = 0

    def tell(self, trouble: str, hint: str) -> None:
        self.told.append((trouble, hint))
        self.heard.set()

    def add(self, text: str, kind: ConsoleKind = ConsoleKind.LINE, board: str = "left") -> None:
        self._number += 1
        self.files.add(board, ConsoleEntry(number=self._number, at=1.25, kind=kind, text=text))

    def read(self, name: str = "left.log") -> list[str]:
        return [line[24:] for line in (self.directory / name).read_text().splitlines()]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


async def test_entries_are_lines_with_their_time_and_what_is_no_line_is_in_brackets(kept: Kept) -> None:
    kept.add("here")
    kept.add("leave", ConsoleKind.MARK)
    kept.add("other", board="right")
    assert await kept.files.write()
    kept.add("there")
    assert await kept.files.write()
    assert kept.read() == ["here", "<leave>", "there"]
    assert kept.read("right.log") == ["other"]
    assert file_of(kept.directory, "left").read_text().partition(" here")[0].endswith(":01.250")
    assert file_of(kept.directory, "left").stat().st_mode & 0o777 == 0o600
    assert kept.directory.stat().st_mode & 0o777 == 0o700


async def test_full_files_make_room_for_the_next_one_and_the_oldest_goes(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_file, "LARGEST_FILE", 100)
    for number in range(30):
        kept.add(f"line {number:02}")
        assert await kept.files.write()
    found = sorted(path.name for path in kept.directory.iterdir())
    assert found == ["left.log", *(f"left.log.{number}" for number in range(1, OLDER_FILES + 1))]
    assert all(path.stat().st_size <= 100 for path in kept.directory.iterdir())
    read = [line for name in [*reversed(found[1:]), found[0]] for line in kept.read(name)]
    assert read == [f"line {number:02}" for number in range(30 - len(read), 30)]
    assert len(read) > 3 * OLDER_FILES


async def test_much_at_once_fills_several_files(kept: Kept) -> None:
    for _ in range(2500):
        kept.add("x" * 1000)
    assert await kept.files.write()
    sizes = [path.stat().st_size for path in kept.directory.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= LARGEST_FILE
    assert MOST_WAITING > 2500


async def test_what_waits_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_file, "MOST_WAITING", 2)
    for text in ("one", "two", "three"):
        kept.add(text)
    assert await kept.files.write()
    assert kept.read() == ["two", "three"]


async def test_a_full_disk_is_told_and_costs_only_lines(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.add("before")
    assert await kept.files.write()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        kept.add("lost")
        assert not await kept.files.write()
    trouble, hint = kept.told[-1]
    assert trouble == f"{kept.directory} cannot be written: No space left on device"
    assert "nothing else depends on it" in hint
    kept.add("after")
    assert await kept.files.write()
    assert kept.told[-1] == ("", "")
    assert kept.read() == ["before", "after"]


async def test_no_link_is_followed(kept: Kept, tmp_path: Path) -> None:
    kept.directory.mkdir()
    (tmp_path / "else").write_text("mine\n")
    file_of(kept.directory, "left").symlink_to(tmp_path / "else")
    kept.add("here")
    assert not await kept.files.write()
    assert (tmp_path / "else").read_text() == "mine\n"


async def test_it_writes_by_itself_what_was_gathered(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_file, "GATHER_SECONDS", 0.01)
    running = asyncio.create_task(kept.files.run())
    kept.add("here")
    await kept.heard.wait()
    running.cancel()
    assert kept.read() == ["here"]
    assert GATHER_SECONDS < REST_SECONDS
