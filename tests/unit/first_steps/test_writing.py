"""A file is written where there is none, or one that says nothing; what is typed or waited for has an end."""

import asyncio
import os
import stat
from collections.abc import Callable, Coroutine
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest
from msgspec.structs import replace

from asked_times import asked_times
from first_steps_rig import device
from flashdeck.api import BoardList
from flashdeck.config import Config
from flashdeck.errors import ConfigError, ConnectionFailedError, FlashdeckError, RequestError
from flashdeck.model import ConfigurationState, DaemonState
from flashdeck.paths import default_config_path
from flashdeck_tui.first_steps import doing, sources
from flashdeck_tui.first_steps.blank_file import FILE_MODE, is_blank, write_new
from flashdeck_tui.first_steps.config_place import ConfigPlace
from flashdeck_tui.first_steps.doing import LOOK_AGAIN, START_SECONDS
from flashdeck_tui.first_steps.person import Agreement
from flashdeck_tui.first_steps.sources import ASK_AGAIN, FromDaemon, Plugged
from flashdeck_tui.first_steps.terminal_front import MAX_LINE, AtTerminal
from flashdeck_tui.installer.steps import StepResult, StepState


def test_a_new_file_has_its_directories_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.toml"
    before = os.umask(0)
    try:
        write_new(path, "x = 1\n")
    finally:
        os.umask(before)
    assert path.read_text() == "x = 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == FILE_MODE


@pytest.mark.parametrize("there", ["", " \n\n"])
def test_a_file_that_says_nothing_is_filled_also_behind_a_link(tmp_path: Path, there: str) -> None:
    (tmp_path / "real").write_text(there)
    link = tmp_path / "link"
    link.symlink_to("real")
    assert is_blank(link)
    write_new(link, "x = 1\n")
    assert link.is_symlink()
    assert (tmp_path / "real").read_text() == "x = 1\n"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("# mine\n")
    with pytest.raises(RequestError, match="not overwritten"):
        write_new(path, "x = 1\n")
    assert path.read_text() == "# mine\n"
    (tmp_path / "dangling").symlink_to("nowhere/else")
    with pytest.raises(FlashdeckError):
        write_new(tmp_path / "dangling", "x = 1\n")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FlashdeckError, match="cannot be written") as caught:
        write_new(tmp_path / "file" / "a.toml", "x = 1\n")
    assert caught.value.hint


class Typed:
    """A terminal on which something was typed."""

    def __init__(self, data: bytes) -> None:
        self.buffer = BytesIO(data)


def test_a_line_is_read_only_so_far_and_an_end_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Typed(b"x" * (MAX_LINE + 10) + b"\n"))
    front = AtTerminal(root="/")
    assert len(front.prompt("? ")) == MAX_LINE
    monkeypatch.setattr("sys.stdin", Typed(b"\xff\xfe y\n"))
    assert front.prompt("? ").endswith(" y\n")
    monkeypatch.setattr("sys.stdin", Typed(b""))
    with pytest.raises(click.Abort):
        front.prompt("? ")
    monkeypatch.setattr("sys.stdin", Typed(b"maybe\nYES\n"))
    assert front.agrees(["write it"], None) is Agreement.YES
    monkeypatch.setattr("sys.stdin", Typed(b"n\n"))
    assert front.agrees(["write it"], None) is Agreement.NO


async def test_a_daemon_that_was_just_started_is_looked_for_so_long_and_so_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asked_times(monkeypatch)
    monkeypatch.setattr(doing, "time", SimpleNamespace(monotonic=lambda: sum(asked.naps)))

    async def connect(*, client: str) -> None:
        raise ConnectionFailedError(f"no daemon answers {client}", hint="start one")

    nowhere = SimpleNamespace(connect=connect, setup=SimpleNamespace(images=()))
    steps = doing.Doing(cast("Any", nowhere), cast("Any", nowhere), cast("Any", None), print, may_ask=False)
    steps.installed = (StepResult(step="start flashdeckd", state=StepState.DONE),)
    with pytest.raises(ConnectionFailedError):
        await steps.flash()
    assert asked.naps == [LOOK_AGAIN] * round(START_SECONDS / LOOK_AGAIN)


def test_a_daemon_is_asked_again_after_so_long_until_a_board_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = BoardList(boards=(), devices=())
    answers = [nothing, nothing, BoardList(boards=(), devices=(device(),))]

    async def call(_: object) -> BoardList:
        return answers.pop(0)

    def converse(work: Callable[[Any], Coroutine[Any, Any, Plugged]]) -> Plugged:
        return asyncio.run(work(SimpleNamespace(call=call)))

    monkeypatch.setattr(sources, "converse", converse)
    asked = asked_times(monkeypatch)
    assert FromDaemon().after(Plugged(())).devices == (device(),)
    assert asked.naps == [ASK_AGAIN] * 2


def test_a_configuration_that_is_gone_since_it_was_read_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    main = default_config_path()
    read = ConfigurationState(files=(str(main),), read_at=0.0)
    daemon = DaemonState(version="1", pid=1, instance="i", host="h", started_at=0.0, configuration=read)
    assert ConfigPlace.of(daemon) == ConfigPlace(main, Config(), has_main=False)
    named = replace(daemon, configuration=ConfigurationState(files=(str(tmp_path / "named.toml"),), read_at=0.0))
    with pytest.raises(ConfigError, match="no such file"):
        ConfigPlace.of(named)
