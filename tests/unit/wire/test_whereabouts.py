"""A daemon is found at each place of ours; where it is at none of them, all are named, and what to do."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashdeck import paths, stream
from flashdeck.errors import ConnectionFailedError
from flashdeck.stream import START_HINT
from flashdeck.whereabouts import LONGEST_LOCK, Whereabouts
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub
from unit.wire.peer import short_directory


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_directory() as root:
        (root / "users" / str(os.getuid())).mkdir(parents=True, mode=0o700)
        monkeypatch.setattr(paths, "RUNTIME_DIRS", root / "users")
        monkeypatch.setattr(paths, "SERVICE_DIRS", root / "services")
        monkeypatch.setattr(paths, "_account", lambda: "me")
        (root / "services" / "flashdeckd-me").mkdir(parents=True, mode=0o700)
        yield root


def environ(root: Path) -> dict[str, str]:
    return {"HOME": str(root / "home"), "XDG_RUNTIME_DIR": str(root / "run")}


def test_the_places_are_tried_in_order(root: Path) -> None:
    where = Whereabouts.of(environ=environ(root))
    assert [str(place.relative_to(root)) for place in where.places] == [
        "run/flashdeck/flashdeckd.sock",
        f"users/{os.getuid()}/flashdeck/flashdeckd.sock",
        "services/flashdeckd-me/flashdeck/flashdeckd.sock",
        "home/.local/state/flashdeck/flashdeckd.sock",
    ]


def test_a_directory_that_others_may_enter_is_no_place(root: Path) -> None:
    for place in (root / "users" / str(os.getuid()), root / "services" / "flashdeckd-me"):
        place.chmod(0o755)
    assert len(Whereabouts.of(environ=environ(root)).places) == 2


@pytest.mark.parametrize("number", range(4))
async def test_a_daemon_is_found_at_each_of_them(hub: Hub, root: Path, number: int) -> None:
    place = Whereabouts.of(environ=environ(root)).places[number]
    async with (
        Server(hub, {}).listening(place),
        await Whereabouts.of(environ=environ(root)).connect(client="test") as client,
    ):
        assert client.welcome.daemon == "9.8.7"


def lock(root: Path, text: str) -> Path:
    path = root / "home" / ".local/state/flashdeck/lock"
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    path.write_text(text)
    return path


async def test_a_daemon_is_found_where_its_lock_file_says(hub: Hub, root: Path) -> None:
    elsewhere = root / "elsewhere" / "sock"
    lock(root, f"{os.getpid()}\n{elsewhere}\n")
    async with Server(hub, {}).listening(elsewhere):
        where = Whereabouts.of(environ=environ(root))
        assert where.places[-1] == elsewhere
        async with await where.connect(client="test"):
            pass


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "x\n/tmp/sock\n",
        "99999999999999999999\n/tmp/s",
        f"{os.getpid()}\nrelative",
        f"{os.getpid()}\n/no/such",
    ],
    ids=["nothing", "a blank line", "no number", "no process", "a relative path", "a path of nothing"],
)
def test_a_lock_file_that_says_nothing_of_use_adds_no_place(root: Path, text: str) -> None:
    before = Whereabouts.of(environ=environ(root)).places
    lock(root, text)
    assert Whereabouts.of(environ=environ(root)).places == before


def test_no_more_is_read_of_a_lock_file_than_a_daemon_writes(root: Path) -> None:
    lock(root, f"{os.getpid()}\n".ljust(LONGEST_LOCK, "\n") + "/tmp\n" * 1000)
    assert Whereabouts.of(environ=environ(root)).pid == os.getpid()
    lock(root, f"{os.getpid()}".rjust(LONGEST_LOCK, "0"))
    assert Whereabouts.of(environ=environ(root)).pid == os.getpid()
    lock(root, "0" * LONGEST_LOCK + f"{os.getpid()}\n")
    assert Whereabouts.of(environ=environ(root)).pid == 0


def test_a_link_in_the_place_of_the_lock_file_is_not_followed(root: Path) -> None:
    path = lock(root, "")
    path.unlink()
    (root / "other").write_text(f"{os.getpid()}\n")
    path.symlink_to(root / "other")
    assert Whereabouts.of(environ=environ(root)).pid == 0


async def test_where_there_is_none_all_places_are_named(root: Path) -> None:
    where = Whereabouts.of(environ=environ(root))
    with pytest.raises(ConnectionFailedError) as caught:
        await where.connect(client="test")
    assert all(str(place) in caught.value.message for place in where.places)
    assert caught.value.hint == START_HINT


async def test_where_one_runs_that_nobody_can_reach_its_process_is_named(root: Path) -> None:
    lock(root, f"{os.getpid()}\n/no/such\n")
    with pytest.raises(ConnectionFailedError) as caught:
        await Whereabouts.of(environ=environ(root)).connect(client="test")
    assert f"pid {os.getpid()}" in caught.value.hint
    assert "restart" in caught.value.hint


async def test_a_place_that_is_named_is_the_only_one(hub: Hub, root: Path) -> None:
    named = root / "named" / "sock"
    async with Server(hub, {}).listening(root / "run" / "flashdeck" / "flashdeckd.sock"):
        for where in (
            Whereabouts.of(str(named), environ=environ(root)),
            Whereabouts.of(environ={**environ(root), "FLASHDECK_SOCKET": str(named)}),
        ):
            with pytest.raises(ConnectionFailedError, match=rf"no flashdeckd listens on {named}\n"):
                await where.connect(client="test")


async def test_one_that_may_not_be_used_is_told_where_no_other_is_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = Whereabouts.of(environ=environ(root))
    real = stream.connected_socket

    async def denied(path: Path) -> socket.socket:
        if path == where.places[0]:
            raise PermissionError
        return await real(path)

    monkeypatch.setattr(stream, "connected_socket", denied)
    with pytest.raises(ConnectionFailedError, match="no permission"):
        await where.connect(client="test")
