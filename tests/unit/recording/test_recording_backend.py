"""What is recorded, where it goes, and that nobody notices."""

import errno
import os
import stat
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import usb.core

from flashdeck.errors import FlashdeckError, RequestError
from flashdeck.recording import Reset, Transfer, read
from flashdeckd.flash.result import FlashResult
from flashdeckd.usb.record_directory import RecordDirectory
from flashdeckd.usb.recording_backend import Recorder
from flashdeckd.virtual.backend import VirtualBackend
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from recording_rig import IMAGE, Desk, board, record


def recorder(directory: Path, troubles: list[str], *, payloads: bool = True, max_file: int = 16 << 20) -> Recorder:
    return Recorder(RecordDirectory(directory), payloads=payloads, on_trouble=troubles.append, max_file=max_file)


def flashed(desk: Desk) -> tuple[FlashResult, int]:
    outcome = desk.flash(IMAGE)
    assert isinstance(outcome, FlashResult), outcome
    return replace(outcome, seconds=0), desk.board.state().transfers


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT])
def test_every_control_transfer_is_in_it_and_none_is_added(tmp_path: Path, model: Model) -> None:
    assert model not in PLAIN_MODELS
    plain = Desk(board(model))
    troubles: list[str] = []
    recorded = Desk(board(model), recorder(tmp_path / "r", troubles))
    assert flashed(recorded) == flashed(plain)
    (path,) = (tmp_path / "r").iterdir()
    recording = read(path)
    assert recording.complete
    assert recording.transfers == recorded.board.state().transfers
    identity = plain.spec.bootloader(plain.spec.new_flash())[0]
    assert recording.session.device == identity.device()
    assert recording.session.configuration == identity.configuration()
    assert troubles == []


def test_times_only_go_forward(tmp_path: Path) -> None:
    steps = read(record(tmp_path / "r")).steps
    ends = [step.at + step.took for step in steps]
    assert all(begin.at >= end - 1e-5 for end, begin in zip(ends, steps[1:], strict=False))
    assert all(step.took >= 0 for step in steps)


def test_files_are_private_and_their_names_are_ours(tmp_path: Path) -> None:
    path = record(tmp_path / "r")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(path.name) <= set("0123456789TZ-.jsonl")


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(FlashdeckError, match="open to others"):
        RecordDirectory(tmp_path)


def test_a_session_goes_on_behind_a_reset(tmp_path: Path) -> None:
    path = record(tmp_path / "r", before=lambda desk: desk.bench.fault("board", Fault.HANG, 1))
    steps = read(path).steps
    (at,) = [number for number, step in enumerate(steps) if isinstance(step, Reset)]
    assert 0 < at < len(steps) - 100


def test_a_recording_that_grows_too_large_ends_and_the_flash_goes_on(tmp_path: Path) -> None:
    troubles: list[str] = []
    desk = Desk(board(), recorder(tmp_path / "r", troubles, max_file=10_000))
    flashed(desk)
    (path,) = (tmp_path / "r").iterdir()
    assert path.stat().st_size < 10_000 + 100
    recording = read(path)
    assert not recording.complete
    assert 10 < recording.transfers < desk.board.state().transfers
    assert troubles == []


def test_a_full_disk_is_told_once_and_hurts_no_flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles: list[str] = []
    desk = Desk(board(), recorder(tmp_path / "r", troubles))
    real, calls = os.write, 0

    def short(file: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data if calls < 50 else data[:5])

    monkeypatch.setattr(os, "write", short)
    flashed(desk)
    (path,) = (tmp_path / "r").iterdir()
    assert not read(path).complete
    (told,) = troubles
    assert "cannot be written" in told
    assert calls == 51
    desk.bench.press("board")
    flashed(desk)
    assert len(list((tmp_path / "r").iterdir())) == 1
    assert len(troubles) == 1


def test_a_directory_that_vanished_hurts_no_flash(tmp_path: Path) -> None:
    troubles: list[str] = []
    desk = Desk(board(), recorder(tmp_path / "r", troubles))
    (tmp_path / "r").rmdir()
    flashed(desk)
    assert len(troubles) == 1


def test_the_oldest_make_room_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    directory = RecordDirectory(tmp_path / "r", max_files=3, max_bytes=1000)
    mine = tmp_path / "r" / "notes.jsonl"
    mine.write_text("not a recording")
    names: list[str] = []
    for _ in range(5):
        path, file = directory.create()
        os.close(file)
        names.append(path.name)
    assert [each.name for each in directory.listing()] == names[-3:]
    (tmp_path / "r" / names[-1]).write_bytes(b"x" * 1001)
    path, file = directory.create()
    os.close(file)
    assert [each.name for each in directory.listing()] == [path.name]
    assert mine.exists()


def test_recordings_are_read_by_number_in_pieces(tmp_path: Path) -> None:
    path = record(tmp_path / "r")
    directory = RecordDirectory(path.parent)
    with pytest.raises(RequestError, match="no recording 1"):
        directory.piece(1, 0, 100)
    (listed,) = directory.listing()
    assert listed.size == path.stat().st_size
    data = b""
    while piece := directory.piece(listed.index, len(data), 10_000).data:
        data += piece
    assert data == path.read_bytes()
    for offset, size in ((-1, 1), (0, 0), (0, 1 << 30)):
        with pytest.raises(RequestError, match="no piece"):
            directory.piece(listed.index, offset, size)
    assert directory.listing() == (listed,)


def test_a_number_never_leads_out_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    directory = RecordDirectory(tmp_path / "r")
    path, file = directory.create()
    os.close(file)
    (listed,) = directory.listing()
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(RequestError, match="no recording"):
        directory.piece(listed.index, 0, 100)
    assert directory.listing() == ()


def test_a_hash_stands_for_every_image_byte(tmp_path: Path) -> None:
    steps = read(record(tmp_path / "r", payloads=False)).steps
    transfers = [step for step in steps if isinstance(step, Transfer)]
    blocks = [step for step in transfers if step.request in (1, 2) and step.value and step.moved]
    assert blocks
    assert all(step.data is None and len(step.sha256) == 64 for step in blocks)
    rest = [step for step in transfers if step not in blocks and step.moved]
    assert all(step.data is not None and len(step.data) == step.moved for step in rest)


class Mute(VirtualBackend):
    """A bench on which nothing can be read of a configuration."""

    def get_configuration_descriptor(self, dev: object, config: int) -> SimpleNamespace:  # noqa: ARG002 - unasked
        raise usb.core.USBError("Input/Output Error", -1, errno.EIO)


def test_a_device_without_readable_descriptors_is_not_recorded_and_fails_as_ever(tmp_path: Path) -> None:
    troubles: list[str] = []
    said: list[str] = []
    for with_recorder in (False, True):
        desk = Desk(board(), recorder(tmp_path / "r", troubles) if with_recorder else None)
        desk.bench.backend = Mute(tuple(desk.bench.boards.values()))
        said.append(str(desk.flash(IMAGE)))
    assert said[0] == said[1]
    assert "descriptors" in said[0]
    assert list((tmp_path / "r").iterdir()) == []
    assert troubles == []
