"""The lock file: gone with its daemon, and never a lock on a file that nobody sees any more."""

import fcntl
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeckd.lock import exclusive

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
