"""Commands that run when a job has ended: what they get, what is kept of them, and how many run."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from flashdeck.config import Hooks
from flashdeck.job_state import Done, JobKind, JobStatus, Queued, Superseded, Written
from flashdeck.model import BoardState, DaemonState, JobState, LogLevel, Origin, Presence
from flashdeckd.host import commands
from flashdeckd.host.commands import CommandResult, Exited, TimedOut
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.hooks import (
    HOOK_SECONDS,
    KEPT_LINES,
    LONGEST_LINE,
    MOST_AT_ONCE,
    MOST_OUTPUT,
    MOST_WAITING,
    HookRunner,
)
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from job_states import FAILED

SH = Hooks(done=("sh", "-c", "env >&2; exit 3"), failed=("sh", "-c", "echo $RESULT"))


class Made:
    """Commands that are made up, and end when they are let go."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.has_begun = asyncio.Semaphore(0)
        self.asked: set[tuple[float, int]] = set()
        self.at_once = self.most = 0
        self.may_end = asyncio.Event()
        self.result = CommandResult(Exited(0))

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        assert argv == ("notify",)
        self.began.append(environment["JOB"])
        self.has_begun.release()
        self.asked.add((seconds, most_output))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.may_end.wait()
        finally:
            self.at_once -= 1
        return self.result


class Scene:
    """A book whose jobs end, and the hooks that hear of it."""

    def __init__(self, journal: Journal, book: JobBook, hub: Hub, runner: HookRunner) -> None:
        self.journal = journal
        self.book = book
        self.hub = hub
        self.runner = runner

    async def end(self, number: int, status: JobStatus, *, version: str = "", kind: JobKind = JobKind.FLASH) -> None:
        """Let the next job, which has this number, come to this status."""
        job = await self.book.create("left", "app1", Artifact("aa" * 32, 1, version), Origin.BUILD, kind=kind)
        assert job.id == number
        if isinstance(status, Done):
            await self.book.move(job, Written())
        await self.book.move(job, status)

    async def hooked(self, number: int) -> JobState:
        await self.hub.until(lambda: self.book.job(number).hook is not None)
        return self.book.job(number)


@asynccontextmanager
async def scene_of(tmp_path: Path, hooks: Hooks | Callable[[], Hooks]) -> AsyncGenerator[Scene]:
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    book = JobBook(hub, journal, await journal.load(), lambda _: None)
    runner = HookRunner(hub, book, Health(hub), hooks if callable(hooks) else lambda: hooks)
    try:
        yield Scene(journal, book, hub, runner)
    finally:
        await runner.close()
        await journal.close()


async def test_a_command_gets_the_facts_in_its_environment_and_its_end_is_kept_with_the_job(tmp_path: Path) -> None:
    async with scene_of(tmp_path, SH) as scene:
        odd = BoardState(name="left", profile="p", presence=Presence.DFU, port="1-4", serial="S\x1b[31m$(reboot)")
        scene.hub.publish_board(odd)
        await scene.end(1, Done(), version="1.2\x00\n3")
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert (hook.name, hook.ending, hook.code) == ("done", "ended with 3", 3)
        await scene.end(2, FAILED)
        hook = (await scene.hooked(2)).hook
        assert hook is not None
        assert (hook.name, hook.code, hook.output) == ("failed", 0, ("failed",))
        warned = [line.text for line in scene.hub.logs(level=LogLevel.WARNING)]
        assert warned[0].startswith("hook done ended with 3")
    again = await Journal.open(tmp_path / "journal.sqlite3")
    assert {job.hook.name for job in (await again.load()).jobs if job.hook is not None} == {"done", "failed"}
    await again.close()


async def test_every_fact_is_there_and_cleaned(tmp_path: Path) -> None:
    names = ("BOARD", "PARTITION", "PORT", "SERIAL", "VERSION", "SHA256", "KIND", "RESULT")
    script = "; ".join(f'echo "{name}=${name}"' for name in names)
    async with scene_of(tmp_path, Hooks(done=("sh", "-c", script))) as scene:
        scene.hub.publish_board(
            BoardState(name="left", profile="p", presence=Presence.DFU, port="1-4", serial="S\x1b[31m$(reboot)")
        )
        await scene.end(1, Done(), version="1.2\x003")
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert hook.output == (
            "BOARD=left",
            "PARTITION=app1",
            "PORT=1-4",
            "SERIAL=S\N{REPLACEMENT CHARACTER}[31m$(reboot)",
            "VERSION=1.2\N{REPLACEMENT CHARACTER}3",
            f"SHA256={'aa' * 32}",
            "KIND=flash",
            "RESULT=done",
        )


async def test_a_hook_can_tell_an_erase_from_a_flash(tmp_path: Path) -> None:
    async with scene_of(tmp_path, Hooks(done=("sh", "-c", "echo $JOB $KIND $VERSION"))) as scene:
        await scene.end(1, Done(), version="1.2", kind=JobKind.ERASE)
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert hook.output == ("1 erase 1.2",)


async def test_only_so_much_of_the_output_is_kept_and_the_end_of_it(tmp_path: Path) -> None:
    lines = "".join(f"echo line {number}; " for number in range(1, KEPT_LINES + 1))
    script = f"{lines} echo; head -c 150 /dev/zero | tr '\\0' x"
    async with scene_of(tmp_path, Hooks(done=("sh", "-c", script))) as scene:
        await scene.end(1, Done())
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert len(hook.output) == KEPT_LINES
        assert hook.output[0] == "line 2"
        assert len(hook.output[-1]) == LONGEST_LINE


@pytest.mark.parametrize("status", [Queued(note="again"), Superseded()])
async def test_nothing_runs_for_other_ends_and_where_no_hook_is_configured(tmp_path: Path, status: JobStatus) -> None:
    async with scene_of(tmp_path, SH) as scene:
        await scene.end(1, status)
        await scene.end(2, Done())
        await scene.hooked(2)
        assert scene.book.job(1).hook is None
    async with scene_of(tmp_path / "other", Hooks()) as scene:
        await scene.end(1, Done())
        await scene.end(2, FAILED)
        assert [scene.book.job(number).hook for number in (1, 2)] == [None, None]


async def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with scene_of(tmp_path, Hooks(done=("/nowhere/notify",))) as scene:
        await scene.end(1, Done())
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert (hook.ending, hook.code) == ("cannot be run: No such file or directory", None)


async def test_so_many_run_at_once_so_many_wait_and_more_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made()
    monkeypatch.setattr(commands, "system", made)
    async with scene_of(tmp_path, Hooks(failed=("notify",))) as scene:
        most = MOST_AT_ONCE + MOST_WAITING
        for number in range(1, MOST_AT_ONCE + 1):
            await scene.end(number, FAILED)
        for _ in range(MOST_AT_ONCE):
            await made.has_begun.acquire()
        for number in range(MOST_AT_ONCE + 1, most + 1):
            await scene.end(number, FAILED)
        assert not scene.hub.daemon.troubles
        await scene.end(most + 1, FAILED)
        await scene.end(most + 2, FAILED)
        (trouble,) = scene.hub.daemon.troubles
        assert (trouble.part, trouble.text) == ("hooks", f"2 hooks not run: {MOST_WAITING} waited already")
        made.may_end.set()
        await scene.hub.until(lambda: not scene.hub.daemon.troubles)
        assert made.most == MOST_AT_ONCE
        assert sorted(map(int, made.began)) == list(range(1, most + 1))
        assert made.asked == {(HOOK_SECONDS, MOST_OUTPUT)}


async def test_one_that_does_not_end_is_said_and_one_that_runs_ends_with_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made()
    made.result = CommandResult(TimedOut(HOOK_SECONDS), "still here")
    made.may_end.set()
    monkeypatch.setattr(commands, "system", made)
    async with scene_of(tmp_path, Hooks(done=("notify",))) as scene:
        await scene.end(1, Done())
        hook = (await scene.hooked(1)).hook
        assert hook is not None
        assert (hook.code, hook.ending, hook.output) == (
            None,
            f"did not end within {HOOK_SECONDS:g} s",
            ("still here",),
        )
        made.may_end.clear()
        await made.has_begun.acquire()  # the first one's
        await scene.end(2, Done())
        await made.has_begun.acquire()
    assert made.at_once == 0


async def test_it_runs_once_however_often_the_job_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made()
    made.may_end.set()
    monkeypatch.setattr(commands, "system", made)
    async with scene_of(tmp_path, Hooks(done=("notify",))) as scene:
        await scene.end(1, Done())
        scene.hub.publish_job(replace(scene.book.job(1), attempts=7))
        await scene.hooked(1)
        await scene.end(2, Done())
        await scene.hooked(2)
        assert made.began == ["1", "2"]


async def test_jobs_that_had_ended_before_there_was_a_hook_run_none_when_their_board_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made()
    made.may_end.set()
    monkeypatch.setattr(commands, "system", made)
    hooks = Hooks()
    async with scene_of(tmp_path, lambda: hooks) as scene:
        await scene.end(1, Done())
        await scene.end(2, FAILED)
        waiting = await scene.book.create("left", "app1", Artifact("aa" * 32, 1, ""), Origin.BUILD)
        hooks = Hooks(done=("notify",), failed=("notify",))
        await scene.book.rename_boards({"left": "other"}, "mark")
        await scene.book.move(waiting, FAILED)
        await scene.hooked(3)
        assert made.began == ["3"]


async def test_a_job_that_an_earlier_daemon_has_left_runs_its_hook_once_it_ends(tmp_path: Path) -> None:
    async with scene_of(tmp_path, Hooks()) as scene:
        await scene.end(1, Done())
        job = await scene.book.create("left", "app1", Artifact("aa" * 32, 1, ""), Origin.BUILD)
    async with scene_of(tmp_path, SH) as scene:
        await scene.book.move(job, FAILED)
        await scene.hooked(job.id)
        assert scene.book.job(1).hook is None
