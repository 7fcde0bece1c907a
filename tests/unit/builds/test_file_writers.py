"""Who has a file open for writing, as /proc shows it."""

import mmap
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.writers import MAX_FACTS, MAX_MAPS, MAX_OPEN_FILES, MAX_PROCESSES, Writer, find_writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "APP1.bin"
    path.write_bytes(bytes(64))
    return path


def state(file: Path) -> Fingerprint:
    return Fingerprint.of(str(file), file.stat())


@contextmanager
def other_process(code: str) -> Generator[int]:
    """A process that has done this, and waits; its number."""
    command = [sys.executable, "-c", f"{code}; print('ready', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own code
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate(b"\n")


def test_a_process_that_has_it_open_for_writing_is_named(file: Path) -> None:
    with other_process(f"f = open({str(file)!r}, 'r+b')") as pid:
        found = find_writer(state(file))
        assert found is not None
        assert (found.pid, found.mapped) == (pid, False)
        program = Path(f"/proc/{pid}/comm").read_text().strip()
        assert f"APP1.bin is kept open {found}" == f"APP1.bin is kept open for writing by pid {pid} ({program})"
    assert find_writer(state(file)) is None


def test_a_process_that_has_it_mapped_is_named(file: Path) -> None:
    code = f"import mmap; f = open({str(file)!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close()"
    # The mapping keeps a descriptor of its own, which CPython closes with it: what is left is the mapping alone.
    with other_process(
        f"{code}; import os; [os.close(n) for n in range(3, 32) if os.path.exists(f'/proc/self/fd/{{n}}')]"
    ) as pid:
        assert find_writer(state(file)) == Writer(pid, Path(f"/proc/{pid}/comm").read_text().strip(), mapped=True)


def test_another_name_of_the_file_is_the_file(file: Path) -> None:
    other = file.with_name("other name")
    other.hardlink_to(file)
    with other.open("ab"):
        found = find_writer(state(file))
    assert found is not None
    assert found.pid == os.getpid()


def test_readers_and_private_mappings_are_no_writers(file: Path) -> None:
    with file.open("rb") as reader, mmap.mmap(reader.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ):
        assert find_writer(state(file)) is None


class Proc:
    """A /proc of a test's own."""

    def __init__(self, root: Path, file: Path) -> None:
        self.root = root
        self.file = file
        root.mkdir()

    def process(self, pid: int, *, flags: str = "0100002", inode: int | None = -1, maps: str = "") -> Path:
        """A process, by default with the file open for writing."""
        place = self.root / str(pid)
        for folder in ("fd", "fdinfo"):
            (place / folder).mkdir(parents=True)
        (place / "comm").write_text("l\x1bd\n")
        (place / "maps").write_text(maps)
        if flags:
            self.open(place, 3, flags=flags, inode=inode)
        return place

    def open(self, place: Path, number: int, *, flags: str, inode: int | None = -1) -> None:
        (place / "fd" / str(number)).symlink_to(self.file)
        inode = self.file.stat().st_ino if inode == -1 else inode
        line = "" if inode is None else f"ino:\t{inode}\n"
        (place / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t1\n{line}")

    def find(self) -> Writer | None:
        return find_writer(state(self.file), proc=str(self.root))


@pytest.fixture
def proc(tmp_path: Path, file: Path) -> Proc:
    return Proc(tmp_path / "proc", file)


def test_a_kernel_that_does_not_say_the_inode_is_believed_by_the_name(proc: Proc) -> None:
    proc.process(7, inode=None)
    assert proc.find() == Writer(7, "l\N{REPLACEMENT CHARACTER}d")


@pytest.mark.parametrize("flags", ["0100000", "012100000"])
def test_a_descriptor_for_reading_is_no_writer(proc: Proc, flags: str) -> None:
    proc.process(7, flags=flags)
    assert proc.find() is None


def test_another_file_with_the_same_number_elsewhere_is_no_writer(proc: Proc, file: Path) -> None:
    place = proc.process(7)
    (place / "fd" / "3").unlink()
    (place / "fd" / "3").symlink_to("/dev/null")
    assert file.exists()
    assert proc.find() is None


def test_so_many_processes_are_looked_at_the_newest_first(proc: Proc) -> None:
    proc.process(10)
    for pid in range(11, 10 + MAX_PROCESSES):
        (proc.root / str(pid)).mkdir()
    assert proc.find() is not None
    (proc.root / str(10 + MAX_PROCESSES)).mkdir()
    assert proc.find() is None
    proc.process(10 + MAX_PROCESSES + 1)
    found = proc.find()
    assert found is not None
    assert found.pid == 10 + MAX_PROCESSES + 1


@pytest.mark.parametrize(("before", "is_found"), [(MAX_OPEN_FILES - 1, True), (MAX_OPEN_FILES, False)])
def test_so_many_open_files_of_a_process_are_looked_at(proc: Proc, before: int, is_found: bool) -> None:
    place = proc.process(7, flags="")
    for number in range(100_000, 100_000 + before):
        (place / "fd" / str(number)).symlink_to("socket:[1]")
    proc.open(place, 200_000, flags="0100001")
    assert (proc.find() is not None) is is_found


@pytest.mark.parametrize(("before", "is_found"), [(MAX_FACTS * 9 // 10, True), (MAX_FACTS, False)])
def test_so_much_of_what_is_said_of_an_open_file_is_read(proc: Proc, before: int, is_found: bool) -> None:
    facts = proc.process(7) / "fdinfo" / "3"
    facts.write_text("#" * before + "\n" + facts.read_text())
    assert (proc.find() is not None) is is_found


@pytest.mark.parametrize(("before", "is_found"), [(MAX_MAPS * 9 // 10, True), (MAX_MAPS, False)])
def test_so_much_of_a_list_of_mappings_is_read(proc: Proc, file: Path, before: int, is_found: bool) -> None:
    line = f"7f00-7f01 rw-s 00000000 fe:00 {file.stat().st_ino} {file}\n"
    proc.process(7, flags="", maps="#" * before + "\n" + line)
    assert (proc.find() is not None) is is_found


@pytest.mark.parametrize(
    "line", ["7f00-7f01 r--s 0 fe:00 {inode} {file}", "7f00-7f01 rw-p 0 fe:00 {inode} {file}", "x"]
)
def test_other_mappings_are_no_writers(proc: Proc, file: Path, line: str) -> None:
    proc.process(7, flags="", maps=line.format(inode=file.stat().st_ino, file=file))
    assert proc.find() is None


def test_where_there_is_no_proc_nobody_is_seen(file: Path) -> None:
    assert find_writer(state(file), proc="/nowhere") is None
