"""A file is read whole and only while nobody writes to it, and no writer is held up or hurts us."""

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from builds_rig import PATIENCE, needs_leases
from flashdeck.image_formats import MAX_IMAGE
from flashdeckd.builds.filesystem import filesystem_type, is_remote
from flashdeckd.builds.lease import Busy, FileSnapshot, Unreadable, Writing, ask_writing, install_sigio, read_settled
from flashdeckd.host import files

IMAGE = bytes(range(256)) * 1024


@pytest.fixture(autouse=True)
def _harmless_sigio() -> Generator[None]:
    before = signal.getsignal(signal.SIGIO)
    assert install_sigio()
    yield
    signal.signal(signal.SIGIO, before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    needs_leases(tmp_path)
    path = tmp_path / "APP1.bin"
    path.write_bytes(IMAGE)
    return path


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Lets something happen once, while the file is being read."""
    left = [act]
    real = files.read

    def read(descriptor: int, length: int) -> bytes:
        data = real(descriptor, length)
        if left:
            left.pop()()
        return data

    monkeypatch.setattr(files, "read", read)


def test_a_file_at_rest_is_read_whole_under_a_lease(file: Path) -> None:
    reading = read_settled(str(file))
    assert isinstance(reading, FileSnapshot)
    assert reading.data == IMAGE
    assert reading.leased
    assert ask_writing(str(file)) is Writing.CLOSED


def test_an_empty_file_is_a_file(file: Path) -> None:
    file.write_bytes(b"")
    reading = read_settled(str(file))
    assert isinstance(reading, FileSnapshot)
    assert reading.data == b""


@pytest.mark.parametrize("mode", ["r+b", "ab", "wb"])
def test_a_file_that_is_open_for_writing_is_not_read(file: Path, mode: str) -> None:
    with file.open(mode):
        assert ask_writing(str(file)) is Writing.OPEN
        assert read_settled(str(file)) == Busy()
    assert isinstance(read_settled(str(file)), FileSnapshot)


def test_a_writer_in_another_process_counts(file: Path) -> None:
    code = f"f = open({str(file)!r}, 'r+b'); print('open', flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:  # noqa: S603 - our own code
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        assert read_settled(str(file)) == Busy()
        writer.communicate(b"\n", timeout=PATIENCE)
    assert isinstance(read_settled(str(file)), FileSnapshot)


def test_a_shared_mapping_counts_as_a_writer_after_its_file_is_closed(file: Path) -> None:
    with file.open("r+b") as opened:
        mapping = mmap.mmap(opened.fileno(), 0)
    assert read_settled(str(file)) == Busy()
    mapping.close()
    assert isinstance(read_settled(str(file)), FileSnapshot)


def test_a_reader_does_not_count(file: Path) -> None:
    with file.open("rb"):
        assert isinstance(read_settled(str(file)), FileSnapshot)


def test_a_writer_that_comes_while_we_read_gets_the_file_and_we_live(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knock() -> None:
        # Non-blocking: it is our own lease that it would wait for.
        with pytest.raises(BlockingIOError):
            os.open(file, os.O_WRONLY | os.O_NONBLOCK)

    meanwhile(monkeypatch, knock)
    assert read_settled(str(file)) == Busy()
    with file.open("wb") as opened:
        opened.write(b"next")
    reading = read_settled(str(file))
    assert isinstance(reading, FileSnapshot)
    assert reading.data == b"next"


def test_a_writer_that_waits_for_the_lease_is_let_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()

    def write() -> None:
        with file.open("ab") as opened:  # blocks until the lease is given up
            opened.write(b"more")
        written.set()

    writer = threading.Thread(target=write)

    def start() -> None:
        writer.start()
        while not being_asked(file):
            pass

    meanwhile(monkeypatch, start)
    assert read_settled(str(file)) == Busy()
    assert written.wait(PATIENCE)
    writer.join()
    assert file.read_bytes() == IMAGE + b"more"


def being_asked(path: Path) -> bool:
    """Whether a lease on the file is being broken, as the kernel lists it."""
    inode = f":{path.stat().st_ino} "
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("LEASE" in line and "BREAKING" in line and inode in line for line in locks)


def test_a_file_replaced_while_we_read_is_left_to_the_next_look(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(b"next")
    meanwhile(monkeypatch, lambda: new.rename(file))
    assert read_settled(str(file)) == Busy()


def test_a_file_that_goes_while_we_read_is_not_handed_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, file.unlink)
    assert not isinstance(read_settled(str(file)), FileSnapshot)
    assert read_settled(str(file)) is None


@pytest.mark.parametrize("change", ["append", "truncate", "rewrite"])
def test_without_leases_a_change_while_we_read_is_noticed(
    file: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    signal.signal(signal.SIGIO, signal.SIG_DFL)

    def act() -> None:
        with file.open("r+b") as opened:
            if change == "append":
                opened.seek(0, os.SEEK_END)
                opened.write(b"x")
            elif change == "truncate":
                opened.truncate(10)
            else:
                opened.write(b"x")

    # The clock behind a file's times is coarse; the rewrite must not fall into the tick in which the file was made.
    os.utime(file, ns=(0, 0))
    meanwhile(monkeypatch, act)
    assert read_settled(str(file)) == Busy()


def test_no_lease_is_taken_while_sigio_would_end_the_process(file: Path) -> None:
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    with file.open("r+b"):
        assert ask_writing(str(file)) is Writing.UNKNOWN
        reading = read_settled(str(file))
    assert isinstance(reading, FileSnapshot)
    assert not reading.leased


def test_a_handler_that_is_there_already_is_left_alone() -> None:
    def handler(_signal: int, _frame: object) -> None:
        pass

    signal.signal(signal.SIGIO, handler)
    assert install_sigio()
    assert signal.getsignal(signal.SIGIO) is handler


def test_only_the_main_thread_can_install_the_handler() -> None:
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(install_sigio()))
    thread.start()
    thread.join()
    assert answers == [False]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("nothing", "dangling", "no/such/directory", "file/below"):
        assert read_settled(str(tmp_path / name)) is None
        assert ask_writing(str(tmp_path / name)) is Writing.CLOSED


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    cases = {tmp_path: "directory", tmp_path / "fifo": "FIFO", Path("/dev/null"): "device", tmp_path / "loop": "links"}
    for path, said in cases.items():
        outcome = read_settled(str(path))
        assert isinstance(outcome, Unreadable)
        assert said in outcome.reason
    # A reader would have let this through.
    with pytest.raises(OSError, match="No such device or address"):
        os.open(tmp_path / "fifo", os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_without_permission_is_unreadable(file: Path) -> None:
    file.chmod(0)
    assert read_settled(str(file)) == Unreadable(str(file), "Permission denied")


def test_a_huge_file_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.truncate(file, MAX_IMAGE + 1)
    meanwhile(monkeypatch, lambda: pytest.fail("it was read"))
    outcome = read_settled(str(file))
    assert isinstance(outcome, Unreadable)
    assert str(MAX_IMAGE + 1) in outcome.reason


def test_no_descriptor_is_left_open(file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (str(file), str(file.parent), str(file) + ".none"):
        read_settled(path)
        ask_writing(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_file_systems_are_told_by_name(tmp_path: Path) -> None:
    descriptor = os.open("/proc", os.O_RDONLY)
    try:
        assert filesystem_type(descriptor) == "proc"
    finally:
        os.close(descriptor)
    assert filesystem_type(descriptor) == ""
    assert not is_remote("/proc")
    assert not is_remote(str(tmp_path / "nothing"))


# CI is root, and runs it; nobody else can make a file of another user.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_nobody_can_say_of_another_users_file_whether_it_is_open() -> None:
    code = (
        "import os, sys; from flashdeckd.builds.lease import ask_writing, install_sigio; install_sigio(); "
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); "
        "own = os.open('own', os.O_CREAT | os.O_RDWR); print(*(ask_writing(path).name for path in ('APP1.bin', 'own')))"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        directory = Path(name)
        needs_leases(directory)
        directory.chmod(0o777)
        with (directory / "APP1.bin").open("wb"):
            command = [sys.executable, "-c", code]
            run = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True)  # noqa: S603 - our own code
        assert run.stdout.split() == ["UNKNOWN", "OPEN"]
