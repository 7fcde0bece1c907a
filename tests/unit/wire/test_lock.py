"""The lock file: gone with its daemon, and never a lock on a file that nobody sees any more."""

import fcntl
import hashlib
import os
import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeckd.host import processes
from flashdeckd.state.lock import LONGEST_LOCK, NAME_BACKLOG, exclusive, sole

ROUNDS = 300


@contextmanager
def held(path: Path) -> Generator[None]:
    with exclusive(path, does="is here", hint="go away"):
        yield


def test_it_is_there_while_it_is_held_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path):
        assert path.read_text().strip().isdigit()
        with pytest.raises(FlashdeckError, match="already is here") as caught, held(path):
            pass
        assert caught.value.kind is ErrorKind.ALREADY_RUNNING
        assert path.exists(), "whoever was refused leaves it alone"
    assert not path.exists()


def test_that_of_a_daemon_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("4711\n")
    with held(path):
        assert path.read_text() != "4711\n"
    assert not path.exists()


def test_one_that_is_not_ours_any_more_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with ExitStack() as stack:
        stack.enter_context(held(path))
        path.unlink()  # somebody tidied up, and another daemon was started
        path.write_text("another")
    assert path.read_text() == "another"


def test_a_holder_that_ends_between_open_and_lock_leaves_no_lock_on_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    ended: list[bool] = []
    real = fcntl.flock

    def flock(descriptor: int, how: int) -> None:
        if not ended:
            ended.append(True)
            path.unlink()
        real(descriptor, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        stack = ExitStack()
        stack.enter_context(held(path))
    with stack:
        assert path.exists()
        with pytest.raises(FlashdeckError, match="already"), held(path):
            pass


def test_nobody_is_ever_there_twice(tmp_path: Path) -> None:
    inside: list[str] = []
    most = 0

    def come_and_go(name: str) -> None:
        nonlocal most
        for _ in range(ROUNDS):
            with suppress(FlashdeckError), held(tmp_path / "lock"):
                inside.append(name)
                most = max(most, len(inside))
                inside.remove(name)

    with ThreadPoolExecutor() as pool:  # each opens the file for itself, and is kept out like another process
        list(pool.map(come_and_go, "abcd"))
    assert most == 1


def test_a_file_that_was_removed_is_locked_again_and_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path, does="is here", hint="go away") as lock:
        lock.say_socket(Path("/run/sock"))
        path.unlink()
        assert not lock.is_there
        lock.take_again()
        assert lock.is_there
        assert path.read_text() == f"{os.getpid()}\n/run/sock\n"
        with pytest.raises(FlashdeckError, match=f"pid {os.getpid()} already"), held(path):
            pass
    assert not path.exists()


def test_a_directory_has_one_daemon_also_where_it_was_made_anew(tmp_path: Path) -> None:
    place = tmp_path / "state"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    with sole(place, does="is here", hint="go away") as name:
        place.rmdir()
        place.mkdir()
        for again in (place, tmp_path / "link"):
            for _ in range(NAME_BACKLOG + 1):
                with pytest.raises(FlashdeckError, match=f"pid {os.getpid()} already is here") as caught:
                    sole(again, does="is here", hint="go away").__enter__()
                assert caught.value.kind is ErrorKind.ALREADY_RUNNING
                name.answer()
        with sole(tmp_path, does="is here", hint=""):
            pass
    with sole(place, does="is here", hint=""):
        pass


def test_so_many_may_ask_before_they_are_answered(tmp_path: Path) -> None:
    with sole(tmp_path, does="is here", hint="") as name:
        for _ in range(NAME_BACKLOG + 1):  # listen(2) of Linux takes one more
            with pytest.raises(FlashdeckError, match=f"pid {os.getpid()}"):
                sole(tmp_path, does="is here", hint="").__enter__()
        with sole(tmp_path, does="is here", hint=""):
            pass  # nobody says that there is one: the lock file is what counts
        name.answer()
        with pytest.raises(FlashdeckError, match=f"pid {os.getpid()}"):
            sole(tmp_path, does="is here", hint="").__enter__()


def test_a_name_that_somebody_else_has_taken_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sole(tmp_path, does="is here", hint=""):
        monkeypatch.setattr(processes, "own_uid", lambda: 4711)
        other = f"\0flashdeckd-4711-{hashlib.sha256(bytes(tmp_path.resolve())).hexdigest()}"
        with socket.socket(socket.AF_UNIX) as squatter:
            squatter.bind(other)
            squatter.listen()
            with sole(tmp_path, does="is here", hint=""):
                pass


def test_what_is_said_in_a_lock_file_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path):
        path.write_text("1" * (LONGEST_LOCK + 1))
        with pytest.raises(FlashdeckError, match=f"pid 1{{{LONGEST_LOCK}}} already"), held(path):
            pass
