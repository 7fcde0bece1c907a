"""The lines of `flashdeckd scan` and `follow` are as `config/schema/flashdeckd.schema.json` says, line by line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flashdeck.diagnosis import Diagnosis
from flashdeck.first_board.found import ScanLine
from flashdeck.followed_file import BuildBegins, BuildPiece, FileNote
from flashdeck.full_json import full_json
from flashdeck.model import DeviceState
from flashdeckd.__main__ import main
from rig import firmware
from schema.daemon_program import FOLLOW_LINES
from schema_check import closed, document, faults

WHOLE = closed(document("flashdeckd.schema.json"))
COMMANDS: dict[str, Any] = WHOLE["commands"]


def printed(*words: str, told: bytes = b"") -> list[Any]:
    """The lines of flashdeckd, which ends with its standard input."""
    command = [sys.executable, "-m", "flashdeckd", *words]
    run = subprocess.run(command, input=told, capture_output=True, check=False)  # noqa: S603 -- our own program
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_scan_prints_what_its_schema_says(tmp_path: Path) -> None:
    (tmp_path / "Debug").mkdir()
    (tmp_path / "Debug" / "APP1.bin").write_bytes(firmware("1.0.0"))
    (line,) = printed("scan", str(tmp_path), "--no-devices")
    assert line["builds"]
    assert faults(line, WHOLE, COMMANDS["scan"]["jsonl"]) == []
    devices = ScanLine(devices=(DeviceState(port="1-4", usb_id="0483:df11"),), unread=("1-9 hangs",), trouble="t")
    assert faults(json.loads(full_json(devices)), WHOLE, COMMANDS["scan"]["jsonl"]) == []
    assert faults(json.loads(full_json(Diagnosis(installation=(), boards=()))), WHOLE, COMMANDS["doctor"]["json"]) == []


def test_what_cannot_be_looked_at_is_an_error(tmp_path: Path) -> None:
    (line,) = printed("scan", str(tmp_path / "nowhere"), "--no-devices")
    assert faults(line, WHOLE, WHOLE["error"]) == []


@pytest.mark.parametrize(
    "line",
    [
        *(BuildBegins(path="/APP1.bin", size=3), BuildBegins(path="/APP1.bin", size=3, first=True, age=1.5)),
        *(BuildPiece(data=b"abc"), FileNote(text="it is a directory", hint="name a file"), FileNote(text="t")),
    ],
)
def test_a_line_of_follow_is_what_its_schema_says(line: msgspec.Struct) -> None:
    assert faults(json.loads(msgspec.json.encode(line)), WHOLE, COMMANDS["follow"]["jsonl"]) == []


def test_each_kind_of_line_of_follow_was_tried() -> None:
    assert set(FOLLOW_LINES) == {BuildBegins, BuildPiece, FileNote}


def test_every_subcommand_that_prints_json_is_in_the_schema() -> None:
    assert set(COMMANDS) == set(main.commands) - {"labgrid"}  # only the daemon that has started it reads its lines
