"""The socket for a group: who of the group gets to it, and which directories are never opened for one."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from flashdeck import paths
from flashdeck.config import LONGEST_ACCOUNT
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError
from flashdeck.whereabouts import Whereabouts
from flashdeckd.host import accounts, processes
from flashdeckd.host.accounts import Account
from flashdeckd.server import group_door
from flashdeckd.server.endpoint import claimed
from flashdeckd.server.group_door import DoorGroup, door_group, ensure_group_dir, group_named, place_for_group

OURS = DoorGroup("bench", os.getegid(), "lab")
"""A group that whoever runs the tests may give files to."""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_path(path: Path) -> Path:
    """A place for a socket below directories that everybody can enter."""
    path.parent.chmod(0o755)
    return path.parent / "door" / "s"


def test_the_socket_and_its_directory_are_for_the_group(open_path: Path) -> None:
    with claimed(open_path, group=OURS) as endpoint, endpoint.listening():
        assert mode_of(open_path) == 0o660
        assert mode_of(open_path.parent) == 0o750
        assert open_path.stat().st_gid == open_path.parent.stat().st_gid == OURS.number
        assert mode_of(open_path.with_name("s.lock")) == 0o600
    with claimed(open_path, group=OURS) as endpoint, endpoint.listening():
        assert mode_of(open_path.parent) == 0o750


@pytest.mark.parametrize("is_whole_directory", [False, True])
def test_a_socket_that_was_removed_is_made_again_for_the_group(open_path: Path, *, is_whole_directory: bool) -> None:
    with claimed(open_path, group=OURS) as endpoint, endpoint.listening():
        if is_whole_directory:
            shutil.rmtree(open_path.parent)
        else:
            open_path.unlink()
        assert not endpoint.is_there
        with endpoint.listener():
            assert endpoint.is_there
            assert (mode_of(open_path), mode_of(open_path.parent)) == (0o660, 0o750)


def test_without_a_group_all_is_as_ever(path: Path) -> None:
    with claimed(path) as endpoint, endpoint.listening():
        assert mode_of(path) == 0o600


def test_a_directory_with_more_in_it_is_not_opened(open_path: Path) -> None:
    open_path.parent.mkdir(mode=0o700)
    (open_path.parent / "secret").touch()
    with pytest.raises(FlashdeckError, match=r"more in it than the socket \(secret\)") as caught:
        ensure_group_dir(open_path, OURS)
    assert caught.value.kind is ErrorKind.NO_PERMISSION
    assert "chmod 750" in caught.value.hint
    assert mode_of(open_path.parent) == 0o700


def test_a_directory_that_systemd_has_made_is_given_to_the_group(open_path: Path) -> None:
    open_path.parent.mkdir()
    open_path.parent.chmod(0o755)
    ensure_group_dir(open_path, OURS)
    assert mode_of(open_path.parent) == 0o750


def test_a_directory_behind_a_closed_one_is_refused(open_path: Path) -> None:
    open_path.parent.parent.chmod(0o700)
    if open_path.parent.parent.stat().st_gid == OURS.number:
        with pytest.raises(FlashdeckError, match=r"cannot reach .* closed to them \(mode 0700\)") as caught:
            ensure_group_dir(open_path, OURS)
        assert "/run/flashdeck" in caught.value.hint


def test_a_group_that_there_is_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_name: str) -> int | None:
        return None

    monkeypatch.setattr(accounts, "group_number", nobody)
    with pytest.raises(ConfigError, match="there is no such group") as caught:
        door_group("bench")
    assert "groupadd bench" in caught.value.hint


@pytest.mark.parametrize(("groups", "said"), [((4100,), "is a member since this session"), ((), "is no member of it")])
def test_a_group_that_is_not_the_daemons_is_said(
    monkeypatch: pytest.MonkeyPatch, groups: tuple[int, ...], said: str
) -> None:
    def number(_name: str) -> int:
        return 4100

    def account(_uid: int) -> Account:
        return Account("lab", frozenset(groups))

    monkeypatch.setattr(accounts, "group_number", number)
    monkeypatch.setattr(accounts, "account_of", account)
    monkeypatch.setattr(processes, "own_uid", lambda: 4000)
    with pytest.raises(ConfigError, match=said):
        door_group("bench")
    monkeypatch.setattr(accounts, "own_groups", lambda: frozenset({4100}))
    assert door_group("bench").number == 4100
    with pytest.raises(ConfigError, match="made by the service manager"):
        door_group("bench", is_handed=True)


def test_the_place_is_the_shared_one_unless_somebody_named_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "SERVICE_DIRS", tmp_path)
    private = Path("/run/user/4000/flashdeck/flashdeckd.sock")
    assert place_for_group(OURS, private, is_named=True, virtual=False) == private
    with pytest.raises(
        ConfigError, match="cannot reach the socket: /run/user/4000/flashdeck is for lab alone"
    ) as caught:
        place_for_group(OURS, private, is_named=False, virtual=False)
    assert f"install -d -o lab -g bench -m 0750 {tmp_path}/flashdeck" in caught.value.hint
    (tmp_path / "flashdeck").mkdir()
    shared = tmp_path / "flashdeck" / "flashdeckd.sock"
    assert place_for_group(OURS, private, is_named=False, virtual=False) == shared
    with pytest.raises(ConfigError, match="flashdeck-virtual"):
        place_for_group(OURS, private, is_named=False, virtual=True)


def test_clients_look_at_the_shared_place_last_and_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "SERVICE_DIRS", tmp_path)
    environ = {"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}
    shared = tmp_path / "flashdeck" / "flashdeckd.sock"
    assert shared not in Whereabouts.of(environ=environ).places
    shared.parent.mkdir()
    assert Whereabouts.of(environ=environ).places[-1] == shared
    assert Whereabouts.of("/named", environ=environ).places == (Path("/named"),)
    assert shared not in Whereabouts.of(virtual=True, environ=environ).places


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[daemon]\ngroup = "bench"\n', "bench"),
        (f'[daemon]\ngroup = "{"x" * LONGEST_ACCOUNT}"\n', "x" * LONGEST_ACCOUNT),
        (f'[daemon]\ngroup = "{"x" * (LONGEST_ACCOUNT + 1)}"\n', ""),
        ("[daemon]\ngroup = 5\n", ""),
        ("daemon = 5\n", ""),
        ("no TOML", ""),
        ("", ""),
    ],
)
def test_the_group_is_read_of_the_main_file_and_what_is_wrong_there_is_for_others_to_say(
    tmp_path: Path, text: str, name: str
) -> None:
    file = tmp_path / "flashdeck.toml"
    assert group_named(file) == ""
    file.write_text(text)
    assert group_named(file) == name


def test_modes_are_those_that_the_page_names() -> None:
    assert (group_door.SOCKET_MODE, group_door.DIRECTORY_MODE) == (0o660, 0o750)
