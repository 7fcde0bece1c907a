"""A file is written where there is none, or one that says nothing; and what is typed at a prompt is bounded."""

import os
import stat
from io import BytesIO
from pathlib import Path

import click
import pytest

from flashdeck.errors import FlashdeckError, RequestError
from flashdeck_tui.first_steps.blank_file import FILE_MODE, is_blank, write_new
from flashdeck_tui.first_steps.doing import LOOK_AGAIN
from flashdeck_tui.first_steps.sources import ASK_AGAIN
from flashdeck_tui.first_steps.terminal_front import MAX_LINE, AtTerminal


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
    assert front.agrees(["write it"])
    monkeypatch.setattr("sys.stdin", Typed(b"n\n"))
    assert not front.agrees(["write it"])


def test_what_is_waited_for_is_noticed_within_a_second() -> None:
    assert max(ASK_AGAIN, LOOK_AGAIN) <= 1
