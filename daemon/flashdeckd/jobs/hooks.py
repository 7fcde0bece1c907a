"""Hooks: commands of the configuration that run when a job is done or has failed. No lane waits for them."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from flashdeck.config import Hooks
from flashdeck.job_state import Done, Failed, HookRun, judgement_of
from flashdeck.model import Event, JobState, LogLevel
from flashdeck.text import clean, counted
from flashdeck.words.jobs import hook_text
from flashdeckd.host import clock, commands
from flashdeckd.host.commands import Exited
from flashdeckd.jobs.book import JobBook
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

HOOK_SECONDS: Final = 30.0
"""Longest time that a hook may take; then it is ended."""
MOST_AT_ONCE: Final = 2
"""Hooks that run at the same time."""
MOST_WAITING: Final = 64
"""Hooks that wait for their turn; what is more is not run, and counted."""
MOST_OUTPUT: Final = 8 * 1024
"""Bytes kept of what a hook prints, the last ones."""
KEPT_LINES: Final = 8
"""Lines of it that are kept with the job, the last ones: every state of the job carries them."""
LONGEST_LINE: Final = 100
"""Characters kept of such a line."""


class HookRunner:
    """Runs hooks in the order in which their jobs have ended. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, book: JobBook, health: Health, hooks: Callable[[], Hooks]) -> None:
        """`hooks` are those that count now."""
        self._hub = hub
        self._book = book
        self._health = health
        self._hooks = hooks
        self._waiting: deque[tuple[int, str, tuple[str, ...], dict[str, str]]] = deque()
        self._under_way = {job.id for job in hub.jobs.values() if not job.is_settled}
        """Jobs that have not ended: only the end itself has a hook, and not whatever is told of the job later."""
        self._dropped = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._unlisten = hub.listen(self._hear)

    async def close(self) -> None:
        """End what runs, and begin nothing any more."""
        self._unlisten()
        self._waiting.clear()
        for worker in self._workers:
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers)

    def _hear(self, event: Event) -> None:
        job = event.job
        if job is None:
            return
        if not job.is_settled:
            self._under_way.add(job.id)
            return
        if job.id not in self._under_way:
            return
        self._under_way.discard(job.id)
        match job.status:
            case Done():
                self._begin(job, "done", self._hooks().done)
            case Failed():
                self._begin(job, "failed", self._hooks().failed)
            case _:
                return
        if judgement_of(job.status) is not None:
            self._begin(job, "verdict", self._hooks().verdict)

    def _begin(self, job: JobState, name: str, argv: tuple[str, ...] | None) -> None:
        if argv is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            told = f"{counted(self._dropped, 'hook')} not run: {MOST_WAITING} waited already"
            self._health.report("hooks", told, hint="make the hook quicker: it may begin something and end itself")
            return
        self._waiting.append((job.id, name, argv, self._environment(job, name)))
        if len(self._workers) < MOST_AT_ONCE:
            worker = asyncio.create_task(self._work(), name="hooks")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._waiting:
            job_id, name, argv, environment = self._waiting.popleft()
            hook = await _run(name, argv, environment)
            if name != "verdict":  # a job keeps one, and that of its end says more
                await self._book.note_hook(job_id, hook)
            level = LogLevel.INFO if hook.code == 0 else LogLevel.WARNING
            self._hub.log(f"{hook_text(hook)} ({clean(PurePath(argv[0]).name)})", level=level, job=job_id)
        if self._dropped:
            self._dropped = 0
            self._health.report("hooks", "")

    def _environment(self, job: JobState, name: str) -> dict[str, str]:
        board, judgement = self._hub.boards.get(job.board), judgement_of(job.status)
        facts = {
            "BOARD": job.board,
            "PARTITION": job.partition,
            "PORT": board.port if board is not None else "",
            "SERIAL": board.serial if board is not None else "",
            "VERSION": job.version,
            "SHA256": job.sha256,
            "JOB": str(job.id),
            "KIND": job.kind.value,
            "RESULT": name,
            "VERDICT": judgement.verdict.value if judgement is not None else "",
            "LINE": judgement.lines[-1] if judgement is not None and judgement.lines else "",
        }
        return {variable: clean(value) for variable, value in facts.items()}


async def _run(name: str, argv: tuple[str, ...], environment: dict[str, str]) -> HookRun:
    began = clock.monotonic()
    try:
        result = await commands.run(argv, environment=environment, seconds=HOOK_SECONDS, most_output=MOST_OUTPUT)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return HookRun(name=name, ending=f"cannot be run: {clean(told)}")
    lines = [clean(line, LONGEST_LINE) for line in result.output.splitlines() if line.strip()]
    return HookRun(
        name=name,
        ending=result.ending.text,
        code=result.ending.code if isinstance(result.ending, Exited) else None,
        seconds=round(clock.monotonic() - began, 3),
        output=tuple(lines[-KEPT_LINES:]),
    )
