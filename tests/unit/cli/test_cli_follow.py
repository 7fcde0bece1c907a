"""`flashdeck follow` against a canned daemon: which calls arrive for which build, and what is said."""

import asyncio
import json
import os
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import msgspec
import pytest

from asked_times import asked_times
from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck.api import CHUNK
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from flashdeck.followed_file import TAKEN, BuildBegins, BuildPiece, FileNote, FollowLine
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.model import DaemonState, Event, Snapshot
from flashdeck_tui.cli import followed as followed_module
from flashdeck_tui.cli.commands import follow
from flashdeck_tui.cli.commands.follow import LONGEST_SETTLE, SHORTEST_SETTLE
from flashdeck_tui.cli.followed import END_SECONDS, LONGEST_LINE, FollowedFile, followed
from flashdeck_tui.cli.newest_build import NewestBuild

DATA = bytes(range(256)) * 3000


class Said(asyncio.StreamReader):
    """What the process says."""

    def __init__(self, lines: Sequence[FollowLine | bytes]) -> None:
        super().__init__(limit=LONGEST_LINE)
        for line in lines:
            self.feed_data(line if isinstance(line, bytes) else msgspec.json.encode(line) + b"\n")
        self.feed_eof()


class Heard:
    """What the process is told."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    async def drain(self) -> None:
        """It has room."""


def file_of(*lines: FollowLine | bytes, note: Callable[[FileNote], object] = print) -> tuple[FollowedFile, Heard]:
    heard = Heard()
    return FollowedFile(cast("Process", SimpleNamespace(stdout=Said(lines), stdin=heard)), note), heard


def build(data: bytes = DATA, **fields: Any) -> list[FollowLine]:
    pieces = [BuildPiece(data=data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]
    return [BuildBegins(path="/fw/APP1.bin", size=len(data), **fields), *pieces]


async def test_a_build_arrives_whole_and_stays_until_it_is_taken() -> None:
    told: list[FileNote] = []
    note = FileNote(text="APP1.bin cannot be read", hint="look")
    builds, heard = file_of(note, *build(first=True, age=2.0), *build(b"next"), note=told.append)
    first = await builds.next()
    assert (first.data, first.first, first.age, told) == (DATA, True, 2.0, [note])
    assert await builds.next() is first
    assert heard.lines == []
    await builds.taken()
    assert heard.lines == [TAKEN]
    assert (await builds.next()).data == b"next"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "has ended"),
        ((b"Traceback\n",), "cannot be understood"),
        ((*build()[:1], BuildBegins(path="x", size=1)), "cannot be understood"),
        ((BuildBegins(path="x", size=MAX_IMAGE + 1),), "larger than"),
        ((b"x" * (LONGEST_LINE + 1) + b"\n",), "cannot be understood"),
        ((b'{"error": {"kind": "other", "message": "watchfiles is not installed", "hint": "h"}}\n',), "not installed"),
    ],
)
async def test_a_process_that_cannot_go_on_says_why(lines: Sequence[FollowLine | bytes], message: str) -> None:
    builds, _ = file_of(*lines)
    with pytest.raises(FlashdeckError, match=message):
        await builds.next()


async def test_builds_larger_than_a_line_fit_into_lines() -> None:
    longest = msgspec.json.encode(BuildPiece(data=bytes(CHUNK)))
    assert len(longest) < LONGEST_LINE


async def test_a_real_process_hands_on_a_real_file_and_ends_with_us(tmp_path: Path) -> None:
    file = tmp_path / "APP1.bin"
    await asyncio.to_thread(file.write_bytes, DATA)
    async with followed(file, 0.05, print) as builds:
        first = await builds.next()
        assert (first.data, first.first, Path(first.path)) == (DATA, True, file)
        await asyncio.to_thread(file.write_bytes, b"newer")  # before it is taken: never looked at
        await asyncio.to_thread(file.write_bytes, b"newest")
        await builds.taken()
        assert (await builds.next()).data == b"newest"


async def test_a_process_has_so_long_to_end_and_so_much_to_say_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    limits: list[int] = []
    real = asyncio.create_subprocess_exec

    async def start(*words: str, limit: int, **how: Any) -> Process:
        limits.append(limit)
        return await real(*words, limit=limit, **how)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    async with followed(Path("/nowhere/APP1.bin"), 0.05, print):
        pass
    assert asked.timeouts == [END_SECONDS]
    assert limits == [LONGEST_LINE]


@pytest.mark.parametrize(
    ("text", "taken"),
    [("1ms", SHORTEST_SETTLE), ("10min", LONGEST_SETTLE), ("0.9ms", None), ("11min", None), ("soon", None)],
)
def test_a_file_has_to_rest_for_so_long(text: str, taken: float | None) -> None:
    words = ["app1", "APP1.bin", "--settle", text]
    if taken is None:
        with pytest.raises(click.BadParameter):
            follow.command.make_context("follow", words)
        return
    with follow.command.make_context("follow", words) as context:
        assert context.params["settle"] == pytest.approx(taken)


def test_a_partition_that_nobody_has_is_said_at_once(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(board()))
    run = cli("follow", "app9", "APP1.bin")
    assert run.code == 4
    assert "did you mean app1?" in run.err


class AtOnce:
    """Hands on what it is given, and counts how many wait for it at once."""

    def __init__(self, *given: object) -> None:
        self.given: asyncio.Queue[Any] = asyncio.Queue()
        self.waiting, self.most, self.handed = 0, 0, 0
        for each in given:
            self.given.put_nowait(each)

    def __aiter__(self) -> "AtOnce":
        return self

    async def __anext__(self) -> Any:
        if self.handed and not self.waiting:
            self.handed -= 1
            self.given.task_done()  # who waits again is done with what came before
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            got = await self.given.get()
            self.handed += 1
            return got
        finally:
            self.waiting -= 1

    async def after(self, _number: int) -> Any:
        return await anext(self)


async def test_builds_and_changes_are_each_waited_for_once() -> None:
    """A second one who waits would be handed what then nobody sees."""
    boards = Snapshot(
        seq=1, daemon=DaemonState(version="1", pid=1, instance="i", host="h", started_at=0.0), boards=(board(),)
    )
    changes, builds = AtOnce(boards), AtOnce()
    client = cast("Client", SimpleNamespace(follow=lambda: changes))
    pushing = follow._Pushing("app1", (), "ann@box:/fw/APP1.bin", as_jsonl=False)  # pyright: ignore[reportPrivateUsage] - its loop
    with click.Context(click.Command("follow")):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(pushing.push_all(client, cast("NewestBuild", builds)))
            for number in range(5):
                changes.given.put_nowait(Event(seq=number, job=job(number)))
                await changes.given.join()
            task.cancel()
    assert (builds.most, changes.most) == (1, 1)


def test_a_path_need_not_be_utf_8() -> None:
    source = follow.source_of(Path(os.fsdecode(b"/fw/\xff.bin")))
    assert source.encode().endswith(":/fw/\N{REPLACEMENT CHARACTER}.bin".encode())


def test_where_the_extra_is_missing_that_is_said(
    daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.on_loop(lambda: daemon.hub.publish_board(board()))
    told = json.dumps({"error": {"kind": "other", "message": "watchfiles is not installed", "hint": "pip install it"}})
    monkeypatch.setattr(followed_module, "_PROGRAM", ("/bin/sh", "-c", f"echo '{told}'"))
    run = cli("follow", "app1", "APP1.bin")
    assert run.code == 1
    assert "watchfiles is not installed" in run.err
    assert "pip install it" in run.err
