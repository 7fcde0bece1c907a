import os
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from flashdeck import paths
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError
from flashdeck.paths import data_file, default_config_path, ensure_private_dir, socket_path, state_dir


@pytest.fixture(autouse=True)
def runtime_dirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands in for /run/user, is empty, and has a name that leaves room for a socket's."""
    with tempfile.TemporaryDirectory(prefix="fd-") as name:
        monkeypatch.setattr(paths, "RUNTIME_DIRS", Path(name))
        yield Path(name)


def test_configuration_and_state_follow_xdg() -> None:
    environ = {"HOME": "/home/me", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert default_config_path(environ=environ) == Path("/c/flashdeck/flashdeck.toml")
    assert state_dir(environ=environ) == Path("/s/flashdeck")


def test_without_xdg_they_are_in_the_home_directory() -> None:
    environ = {"HOME": "/home/me", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "relative/is/ignored"}
    assert default_config_path(environ=environ) == Path("/home/me/.config/flashdeck/flashdeck.toml")
    assert state_dir(environ=environ) == Path("/home/me/.local/state/flashdeck")


def test_without_a_home_variable_the_account_says() -> None:
    assert state_dir(environ={}).is_absolute()


def test_without_any_home_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert state_dir(environ={"HOME": "/home/me"}) == Path("/home/me/.local/state/flashdeck")
    with pytest.raises(ConfigError, match="no home directory") as caught:
        state_dir(environ={"HOME": "relative"})
    assert "HOME" in caught.value.hint


@pytest.mark.parametrize("variable", [None, "~nobody-like-this/d.sock"])
def test_a_home_directory_that_is_not_there_is_told(variable: str | None) -> None:
    environ = {"FLASHDECK_SOCKET": variable} if variable else {}
    with pytest.raises(ConfigError, match="no such home directory"):
        socket_path(None if variable else "~nobody-like-this/d.sock", environ=environ)


def test_a_directory_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigError, match=r'"d\.sock" is relative to a directory that is gone'):
        socket_path("d.sock", environ={})


def test_the_socket_is_what_the_command_line_says_first() -> None:
    environ = {"FLASHDECK_SOCKET": "/e/d.sock", "XDG_RUNTIME_DIR": "/r", "HOME": "/h"}
    assert socket_path("/x/d.sock", environ=environ) == Path("/x/d.sock")
    assert socket_path("d.sock", environ=environ) == Path.cwd() / "d.sock"


def test_then_the_variable_then_the_runtime_directory() -> None:
    environ = {"FLASHDECK_SOCKET": "/e/d.sock", "XDG_RUNTIME_DIR": "/r", "HOME": "/h"}
    assert socket_path(environ=environ) == Path("/e/d.sock")
    del environ["FLASHDECK_SOCKET"]
    assert socket_path(environ=environ) == Path("/r/flashdeck/flashdeckd.sock")


def test_then_the_runtime_directory_of_the_system_if_it_is_private(runtime_dirs: Path) -> None:
    ours = runtime_dirs / str(os.getuid())
    in_state = Path("/h/.local/state/flashdeck/flashdeckd.sock")
    assert socket_path(environ={"HOME": "/h"}) == in_state
    ours.mkdir(mode=0o700)
    assert socket_path(environ={"HOME": "/h"}) == ours / "flashdeck/flashdeckd.sock"
    ours.chmod(0o755)
    assert socket_path(environ={"HOME": "/h"}) == in_state


def test_a_symbolic_link_is_no_runtime_directory(runtime_dirs: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir(mode=0o700)
    (runtime_dirs / str(os.getuid())).symlink_to(target)
    assert socket_path(environ={"HOME": "/h"}) == Path("/h/.local/state/flashdeck/flashdeckd.sock")


@pytest.mark.parametrize(
    "variables", [{}, {"XDG_RUNTIME_DIR": "/r"}, {"XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/c"}]
)
def test_a_virtual_daemon_shares_no_default_with_a_real_one(variables: dict[str, str], runtime_dirs: Path) -> None:
    environ = {"HOME": "/h", "FLASHDECK_SOCKET": "/e/d.sock", **variables}
    for _ in range(2):
        real = {socket_path(environ=environ), state_dir(environ=environ), default_config_path(environ=environ).parent}
        virtual = {
            socket_path(virtual=True, environ=environ),
            state_dir(virtual=True, environ=environ),
            default_config_path(virtual=True, environ=environ).parent,
        }
        assert not real & virtual
        assert all("flashdeck-virtual" in path.parts for path in virtual)
        (runtime_dirs / str(os.getuid())).mkdir(mode=0o700, exist_ok=True)


def test_a_path_that_no_socket_can_have_is_refused_with_a_hint() -> None:
    longest = "/" + "x" * (paths.SOCKET_PATH_MAX - 1)
    assert socket_path(longest, environ={}) == Path(longest)
    with pytest.raises(ConfigError, match="has 108 bytes") as caught:
        socket_path(longest + "x", environ={})
    assert "--socket" in caught.value.hint


def test_the_length_of_a_socket_path_is_counted_in_bytes() -> None:
    with pytest.raises(ConfigError, match=r"XDG_RUNTIME_DIR.*has \d+ bytes"):
        socket_path(environ={"XDG_RUNTIME_DIR": "/" + "é" * 45})


def test_a_private_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    ensure_private_dir(path)
    assert path.stat().st_mode & 0o777 == 0o700
    ensure_private_dir(path)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_directory_that_is_open_to_others_is_refused_and_left_alone(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(FlashdeckError, match=rf"open to others \(mode {mode:04o}\)") as caught:
        ensure_private_dir(path)
    assert caught.value.kind is ErrorKind.NO_PERMISSION
    assert "chmod 700" in caught.value.hint
    assert path.stat().st_mode & 0o777 == mode


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(FlashdeckError, match="belongs to uid"):
        ensure_private_dir(tmp_path)


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FlashdeckError, match="cannot create the directory"):
            ensure_private_dir(path)


def test_packaged_files_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_file("flashdeck.example.toml").is_file()


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_config" / "demo").mkdir(parents=True)

    def installed(_package: str) -> Path:
        return tmp_path

    monkeypatch.setattr(resources, "files", installed)
    assert data_file("demo") == tmp_path / "_config" / "demo"


def test_a_missing_packaged_file_is_an_error() -> None:
    with pytest.raises(FlashdeckError, match=r"lacks .*nothing\.here"):
        data_file("nothing.here")
