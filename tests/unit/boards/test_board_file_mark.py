"""The mark by which a boards.toml that is gone is told from one that never was."""

import os
from pathlib import Path

import pytest

from flashdeck.errors import HostError
from flashdeckd.boards import board_file_mark
from flashdeckd.boards.board_file_mark import MARK_NAME, BoardFileMark


@pytest.fixture
def board_file(tmp_path: Path) -> Path:
    return tmp_path / os.fsdecode(b"not-\xff-text.toml")


def test_one_that_was_there_and_is_gone_is_lost(tmp_path: Path, board_file: Path) -> None:
    mark = BoardFileMark(tmp_path, board_file)
    mark.set()
    assert not mark.is_lost, "there was none to remember"
    board_file.write_text("")
    assert not mark.is_lost
    mark.set()
    assert not mark.is_lost
    board_file.unlink()
    assert mark.is_lost
    assert BoardFileMark(tmp_path, board_file).is_lost, "also for the next daemon"
    board_file.symlink_to(tmp_path / "nowhere")
    assert not mark.is_lost, "a link that leads nowhere is told otherwise"


def test_that_of_another_configuration_is_not_lost(tmp_path: Path, board_file: Path) -> None:
    board_file.write_text("")
    BoardFileMark(tmp_path, board_file).set()
    assert not BoardFileMark(tmp_path, tmp_path / "other" / "boards.toml").is_lost


def test_it_is_written_once(tmp_path: Path, board_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board_file.write_text("")
    mark = BoardFileMark(tmp_path, board_file)
    mark.set()

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", path, data)

    monkeypatch.setattr(board_file_mark, "write_durably", full)
    mark.set()
    (tmp_path / MARK_NAME).unlink()
    with pytest.raises(HostError, match=r"was-there cannot be written: No space left on device"):
        mark.set()
