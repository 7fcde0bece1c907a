"""The process beside the daemon: how it is started, heard and ended, and what it says where labgrid is missing."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from flashdeck.errors import FlashdeckError
from flashdeck.own_python import code, module
from flashdeckd.host import child_lines
from flashdeckd.host.child_lines import CHILD_GRACE, ChildLines
from flashdeckd.lab.lab_lines import LONGEST_LAB_LINE, FromLab, LabBoards, LabState, OfferedBoard, ToLab
from flashdeckd.lab.lab_times import ANSWER_SECONDS, CONNECT_PAUSES, IN_STEP_SECONDS
from flashdeckd.lab.lab_watch import QUIET_SECONDS, start_lab_process

ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(600)"
)
COORDINATOR_SECONDS = 10.0
"""The time that labgrid's coordinator waits for an exporter (`ExporterCommand.wait`)."""


async def test_a_process_is_spoken_with_in_lines_and_ends_with_its_input() -> None:
    process = await ChildLines.start(code(ECHO), {}, longest=LONGEST_LAB_LINE)
    lines = process.lines()
    process.send(b"abc\n")
    assert await anext(lines) == b"cba\n"
    await process.end()
    assert [line async for line in lines] == []
    process.send(b"nobody hears it\n")
    await process.end()


async def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CHILD_GRACE > 0
    monkeypatch.setattr(child_lines, "CHILD_GRACE", 0.01)
    process = await ChildLines.start(code(STUBBORN), {}, longest=100)
    assert await anext(process.lines()) == b"here\n"
    await process.end()
    assert [line async for line in process.lines()] == []


async def test_a_line_that_is_too_long_is_the_end_of_what_is_heard() -> None:
    process = await ChildLines.start(code(ECHO), {}, longest=1000)
    process.send(b"x" * 5000 + b"\n")
    assert [line async for line in process.lines()] == []
    await process.end()


def test_a_thousand_boards_fit_into_a_line() -> None:
    params = {"host": "h" * 100, "socket": "/s" * 50, "ssh": "u" * 100, "board": "b" * 60, "partitions": "p" * 1000}
    board = OfferedBoard(name="b" * 60, group="g" * 60, params=params, available=True)
    assert len(msgspec.json.encode(LabBoards(boards=(board,) * 1000))) < LONGEST_LAB_LINE
    assert len(msgspec.json.encode(LabBoards(boards=(board,) * 4000))) > LONGEST_LAB_LINE


def test_lines_are_told_apart() -> None:
    for line in (LabBoards(boards=()), LabState(boards=("left",))):
        kind: object = ToLab if isinstance(line, LabBoards) else FromLab
        assert msgspec.json.decode(msgspec.json.encode(line), type=kind) == line


def test_the_coordinator_waits_for_longer_than_the_daemon_takes() -> None:
    assert IN_STEP_SECONDS + ANSWER_SECONDS < COORDINATOR_SECONDS
    assert QUIET_SECONDS < ANSWER_SECONDS
    assert list(CONNECT_PAUSES) == sorted(CONNECT_PAUSES)


async def test_without_its_extra_the_process_is_not_started() -> None:
    """labgrid is never in the environment of these tests: its plugin would be part of each run."""
    with pytest.raises(FlashdeckError, match="needs labgrid, which is not installed") as failed:
        await start_lab_process()
    assert "labgrid" in failed.value.hint


def test_without_its_extra_the_command_says_how_it_is_added(tmp_path: Path) -> None:
    assert "labgrid" not in sys.modules
    done = subprocess.run(  # noqa: S603 - our own daemon
        [*module("flashdeckd"), "labgrid"], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert b"[labgrid] needs labgrid, which is not installed" in done.stderr
    assert b'"message":' in done.stdout
