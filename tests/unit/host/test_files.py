"""Files: what each step does, what it refuses, and that all of them pass through one place."""

import errno
import os
import stat
from pathlib import Path

import pytest

from flashdeckd.host import files
from flashdeckd.host.durable import write_durably


class Log:
    """The real file system, which notes its steps; at one of them the disk is full."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.steps: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.steps.append(name)
        return self._full if name == self.failing else getattr(os, name)

    def _full(self, *_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_its_owners_and_grows_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "new"
    for open_it in (files.create, files.open_to_append):
        descriptor = open_it(path)
        files.write(descriptor, b"line\n")
        files.sync(descriptor)
        files.close(descriptor)
    assert files.contents(path) == b"line\nline\n"
    assert mode(path) == 0o600
    with pytest.raises(FileExistsError):
        files.create(path)
    with pytest.raises(FileNotFoundError):
        files.open_to_append(tmp_path / "other")


def test_a_small_file_is_rewritten_and_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"a long one")
    descriptor = files.open_to_change(path)
    assert files.read_at(descriptor, 4, 2) == b"long"
    files.rewrite(descriptor, b"new")
    assert files.read(descriptor, 100) == b"new"
    assert files.open_status(descriptor).st_ino == files.status(path).st_ino
    files.close(descriptor)
    files.close(files.open_to_change(tmp_path / "made"))
    assert mode(tmp_path / "made") == 0o600


def test_links_are_followed_only_where_they_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    link = tmp_path / "link"
    link.symlink_to("file")
    files.close(files.open_to_read(link))
    files.close(files.open_to_change(link))
    for refused in (
        lambda: files.open_to_read(link, follow=False),
        lambda: files.open_to_change(link, follow=False),
        lambda: files.open_to_append(link),
    ):
        with pytest.raises(OSError, match="symbolic links"):
            refused()
    assert files.target(link) == "file"
    assert files.real_path(link) == tmp_path.resolve() / "file"
    assert stat.S_ISLNK(files.link_status(link).st_mode)
    assert stat.S_ISREG(files.status(link).st_mode)


def test_what_is_there_is_told_without_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dead").symlink_to("nothing")
    asked = (files.exists, files.is_file, files.is_directory, files.is_link, files.is_named)
    assert [ask(tmp_path / "file") for ask in asked] == [True, True, False, False, True]
    assert [ask(tmp_path) for ask in asked] == [True, False, True, False, True]
    assert [ask(tmp_path / "dead") for ask in asked] == [False, False, False, True, True]
    for nowhere in (tmp_path / "none", tmp_path / "file" / "below", "\0", "x" * 5000):
        assert not any(ask(nowhere) for ask in asked)
    assert files.is_open_to_us(tmp_path / "file")
    assert files.is_readable_directory(tmp_path)
    assert not files.is_open_to_us(tmp_path / "none")


def test_a_fifo_does_not_make_anybody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    files.close(files.open_to_read(tmp_path / "fifo"))


def test_contents_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 8192)
    assert files.contents(tmp_path / "file") == bytes(range(256)) * 8192
    assert files.contents(tmp_path / "file", 1_500_000) == (bytes(range(256)) * 8192)[:1_500_000]
    with pytest.raises(IsADirectoryError):
        files.contents(tmp_path)


def test_directories_are_made_and_listed_in_order(tmp_path: Path) -> None:
    files.make_directory(tmp_path / "a/b/c", 0o700)
    files.make_directory(tmp_path / "a/b/c", 0o711)
    assert mode(tmp_path / "a/b/c") == 0o700
    for name in ("2", "3", "1"):
        (tmp_path / "a" / name).touch()
    assert files.names(tmp_path / "a") == ["1", "2", "3", "b"]
    assert set(files.matching(str(tmp_path / "a/*"))) == {str(path) for path in (tmp_path / "a").iterdir()}
    assert files.is_pattern("a/*")
    assert not files.is_pattern("a/b")
    with pytest.raises(FileExistsError):
        files.make_directory(tmp_path / "a/1")
    with pytest.raises(NotADirectoryError):
        files.make_directory(tmp_path / "a/1/below")


def test_names_change_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"new")
    files.rename(tmp_path / "new", tmp_path / "old")
    files.sync_directory(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"new"}
    (tmp_path / "old").chmod(0o666)
    files.close_to_others(tmp_path / "old")
    assert mode(tmp_path / "old") == 0o600
    files.remove(tmp_path / "old")
    files.remove(tmp_path / "old")
    assert not files.exists(tmp_path / "old")


def test_a_write_goes_on_until_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = 3
    write = os.write

    def some(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[:at_once])

    monkeypatch.setattr(os, "write", some)
    descriptor = files.create(tmp_path / "file")
    files.write(descriptor, b"ten bytes!")
    files.write(descriptor, b"")
    assert files.contents(tmp_path / "file") == b"ten bytes!"
    at_once = 0
    with pytest.raises(OSError, match="No space left") as caught:
        files.write(descriptor, b"more")
    assert caught.value.errno == errno.ENOSPC
    files.close(descriptor)


def test_all_steps_pass_through_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(files, "system", log)
    files.make_directory(tmp_path / "below")
    descriptor = files.create(tmp_path / "below" / "new")
    files.write(descriptor, b"data")
    files.sync(descriptor)
    files.close(descriptor)
    files.rename(tmp_path / "below" / "new", tmp_path / "named")
    files.sync_directory(tmp_path)
    files.remove(tmp_path / "named")
    synced = ["open", "fsync", "close"]
    assert log.steps == ["mkdir", *synced, "open", "write", "fsync", "close", "replace", *synced, "unlink"]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(files, "system", log)
    write_durably(tmp_path / "state", b"new")
    assert log.steps == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state": b"new"}


@pytest.mark.parametrize("failing", ["write", "fsync", "close", "replace"])
def test_a_file_that_can_not_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (tmp_path / "state").write_bytes(b"old")
    monkeypatch.setattr(files, "system", Log(failing))
    with pytest.raises(OSError, match="No space left"):
        write_durably(tmp_path / "state", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"state": b"old"}
