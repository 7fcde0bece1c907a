"""The places where numbers may be asked for: at this machine alone."""

from pathlib import Path

import pytest

from flashdeck.config_file import load
from flashdeck.config_show import to_builtins, to_toml
from flashdeck.errors import ConfigError
from flashdeck.loopback import ListenAt, LoopbackPort, SocketFile


def read(folder: Path, listen: str) -> ListenAt | None:
    file = folder / "flashdeck.toml"
    file.write_text(f"[metrics]\nlisten = {listen}\n")
    config = load(file)
    again = folder / "again.toml"
    again.write_text(to_toml(config))
    assert load(again).metrics == config.metrics
    assert to_builtins(config)["metrics"] == {"listen": str(config.metrics.listen)}
    return config.metrics.listen


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("127.0.0.1:9820", LoopbackPort("127.0.0.1", 9820)),
        ("127.1.2.3:1", LoopbackPort("127.1.2.3", 1)),
        ("localhost:65535", LoopbackPort("127.0.0.1", 65535)),
        ("[::1]:9820", LoopbackPort("::1", 9820)),
        ("/run/flashdeck/metrics.sock", SocketFile(Path("/run/flashdeck/metrics.sock"))),
        ("~/metrics.sock", SocketFile(Path.home() / "metrics.sock")),
    ],
)
def test_this_machine_alone_can_ask(typed: str, place: ListenAt, tmp_path: Path) -> None:
    assert read(tmp_path, f'"{typed}"') == place


@pytest.mark.parametrize(
    "typed",
    ["0.0.0.0:9820", "[::]:9820", ":9820", "192.168.1.2:9820", "bench.example:9820", "[::ffff:127.0.0.1]:9820", "[]:1"],
)
def test_what_others_can_reach_is_refused(typed: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines") as refused:
        read(tmp_path, f'"{typed}"')
    assert "ssh -L" in refused.value.hint


@pytest.mark.parametrize(
    "typed",
    ['"9820"', '"127.0.0.1"', '"127.0.0.1:0"', '"127.0.0.1:65536"', '"::1:9820"', '"metrics.sock"', '""', "9820", "[]"],
)
def test_what_is_no_place_is_refused(typed: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"flashdeck.toml:2: \[metrics\] listen"):
        read(tmp_path, typed)


def test_a_table_that_says_nothing_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "flashdeck.toml").write_text("[metrics]\n")
    with pytest.raises(ConfigError, match=r"\[metrics\] listen: is missing"):
        load(tmp_path / "flashdeck.toml")


def test_no_included_file_opens_it(tmp_path: Path) -> None:
    (tmp_path / "flashdeck.toml").write_text('include = ["fw.toml"]\n')
    (tmp_path / "fw.toml").write_text('[metrics]\nlisten = "127.0.0.1:9820"\n')
    with pytest.raises(ConfigError, match="metrics: only the main file may have this table"):
        load(tmp_path / "flashdeck.toml")
