"""How much the command line shows, keeps and asks for: as much as the number says, and no more."""

import asyncio
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest
from msgspec.structs import replace

from canned_daemon import CannedDaemon
from cli_run import Cli
from flashdeck import api
from flashdeck.api import JOB_PAGE, LOG_PAGE
from flashdeck.client import Client
from flashdeck.errors import RequestError
from flashdeck.image_file import read_image
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.job_state import Phase, Running
from flashdeck.text import MAX_MESSAGE
from flashdeck_tui.cli import progress
from flashdeck_tui.cli.commands import jobs, logs
from flashdeck_tui.cli.commands.logs import FOLLOW_SECONDS
from flashdeck_tui.cli.commands.report import MAX_RECORDINGS, Gathered, fetch
from flashdeck_tui.cli.output import one_line
from flashdeck_tui.cli.progress import LOOK_SECONDS, REDRAW, Bars
from flashdeck_tui.plan_steps import MOST_PIECES, folded
from flashdeck_tui.tab_key import live_words
from flashdeck_tui.tab_key.going_on import GoingOn
from flashdeck_tui.tab_key.live_words import JOBS, LONGEST_ANSWER, PATIENCE
from tui_scene import job


def test_a_file_that_is_larger_than_an_image_is_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "APP1.bin"
    with file.open("wb") as writer:
        writer.truncate(MAX_IMAGE + 1)
    with pytest.raises(RequestError, match="larger than"):
        read_image(file)


def test_a_line_of_talk_is_cut() -> None:
    assert one_line("l" * MAX_MESSAGE) == "l" * MAX_MESSAGE
    assert one_line("l" * (MAX_MESSAGE + 1)) == "l" * (MAX_MESSAGE - 1) + "…"


@pytest.mark.parametrize(("command", "most"), [(jobs.command, JOB_PAGE), (logs.command, LOG_PAGE)])
def test_no_more_is_asked_for_than_is_in_one_answer(command: click.Command, most: int) -> None:
    command.make_context("it", ["-n", str(most)]).close()
    with pytest.raises(click.BadParameter):
        command.make_context("it", ["-n", str(most + 1)])


def test_so_many_pieces_have_a_row_each() -> None:
    steps = [api.PlanStep(action="erase", address=number * 32, size=16) for number in range(MOST_PIECES + 1)]
    assert [places for _, places in folded(steps[1:])] == [1] * MOST_PIECES
    assert [places for _, places in folded(steps)] == [MOST_PIECES + 1]


def test_bars_are_drawn_again_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    drawn: list[str] = []
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(progress, "write_talk", drawn.append)
    status = Running(phase=Phase.WRITE, total=100, since=0.0, answered_at=0.0)
    running = job(status=status)
    bars = Bars([running], clock=lambda: 0.0)
    for now, count in ((100.0 + REDRAW * 0.99, 1), (100.0 + REDRAW * 1.01, 2)):  # noqa: B007 - the clock reads it
        bars.show(replace(running, status=replace(status, done=50)))
        assert len(drawn) == count


async def test_silent_boards_are_looked_for_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: asyncio.Queue[float] = asyncio.Queue()

    async def sleep(seconds: float) -> None:
        await slept.put(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with progress.progress(()):
        assert await slept.get() == LOOK_SECONDS


class Recorded:
    """A daemon with recordings of these sizes, which are empty by the time that they are read."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = sizes

    async def call(self, params: object) -> Any:
        if isinstance(params, api.ReadRecording):
            return api.RecordingPiece(data=b"")
        listed = (SimpleNamespace(index=at, name=str(size), size=size) for at, size in enumerate(self._sizes))
        return SimpleNamespace(recording=True, recordings=tuple(listed))


async def test_so_many_bytes_of_recordings_are_in_a_report() -> None:
    found = Gathered()
    await fetch(cast("Client", Recorded(MAX_RECORDINGS + 1, MAX_RECORDINGS)), found)
    assert list(found.recordings) == [str(MAX_RECORDINGS)]
    assert list(found.missing) == ["1 recording"]


def test_a_line_of_the_debug_log_is_waited_for_so_long(daemon: CannedDaemon, cli: Cli) -> None:
    asked: list[float] = []

    def lines(params: api.GetDebugLog) -> api.LogPage:
        asked.append(params.wait)
        if len(asked) == 3:
            raise RequestError("enough")
        return api.LogPage(lines=(), next=0)

    daemon.answers |= {api.GetDebugLog: lines, api.GetLogs: api.LogPage(lines=(), next=0)}
    assert "enough" in cli("logs", "--follow", "--level", "debug").err
    assert asked == [0.0, FOLLOW_SECONDS, FOLLOW_SECONDS]


def test_who_presses_tab_waits_so_long_and_sees_so_many_jobs(
    daemon: CannedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=())
    waited: list[float | None] = []

    class Timed(socket.socket):
        def settimeout(self, value: float | None, /) -> None:
            waited.append(value)
            super().settimeout(value)

    monkeypatch.setattr(live_words.socket, "socket", Timed)
    monkeypatch.setattr(live_words.time, "monotonic", lambda: 0.0)
    assert live_words.names(GoingOn(kinds=("jobs to retry",), socket=str(daemon.socket))) == []
    assert waited[0] == PATIENCE
    assert [call.limit for call in daemon.calls if isinstance(call, api.GetJobs)] == [JOBS]


def test_so_much_of_an_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        taken = 0

        def settimeout(self, _seconds: float) -> None:
            pass

        def recv(self, size: int) -> bytes:
            self.taken += size
            return b"\n" * size

    endless = Endless()
    monkeypatch.setattr(live_words.time, "monotonic", lambda: 0.0)
    for _ in live_words.lines_of(cast("socket.socket", endless), until=1.0):
        pass
    assert LONGEST_ANSWER <= endless.taken < LONGEST_ANSWER + (1 << 17)
