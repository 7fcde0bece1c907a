"""`flashdeck follow`: each new build of a file of this machine goes to daemons, which may be other machines'."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar, cast

import click
from msgspec.structs import replace

from flashdeck import api
from flashdeck.api import CHUNK
from flashdeck.client import Client
from flashdeck.config import DEFAULT_SETTLE
from flashdeck.disposition import Disposition
from flashdeck.errors import ErrorKind, RemoteError, RequestError
from flashdeck.followed_file import FileNote
from flashdeck.model import ArtifactState, Event, JobState, Snapshot
from flashdeck.names import is_meant, which
from flashdeck.paths import absolute
from flashdeck.text import MAX_PATH, clean, counted, parse_duration, short_sha
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import FollowedLine
from flashdeck_tui.cli.connect import Again, Outcomes, addresses, on_all
from flashdeck_tui.cli.followed import followed
from flashdeck_tui.cli.newest_build import NewestBuild, NumberedBuild
from flashdeck_tui.cli.output import put_json, say
from flashdeck_tui.cli.progress import Progress, progress
from flashdeck_tui.cli.queued_jobs import tell_of_queued
from flashdeck_tui.cli.remote import asked, boards_here, command_words, prefixed, speaking_as, speaking_for

T = TypeVar("T")
SHORTEST_SETTLE: Final = 0.001
"""Seconds that a file must be unchanged at the least."""
LONGEST_SETTLE: Final = 600.0
"""The same at the most."""


def _settle(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float:
    if value is None:
        return DEFAULT_SETTLE
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not SHORTEST_SETTLE <= seconds <= LONGEST_SETTLE:
        raise click.BadParameter(f"'{value}' is not between 1ms and 10min")
    return seconds


@click.command()
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path))
@live_options.boards
@click.option(
    "--settle",
    callback=_settle,
    metavar="TIME",
    help="How long FILE must be unchanged to count as built. Default: 50ms.",
)
@options.as_jsonl
@click.pass_context
def command(
    context: click.Context, *, partition: str, file: Path, boards: tuple[str, ...], settle: float, as_jsonl: bool
) -> None:
    """Bring each new build of FILE to PARTITION, until Ctrl-C: build here, flash on another machine with --host.

    FILE is a file of this machine, or a glob in quotes whose newest match counts. It is read once it is whole, as the
    daemon reads the files that it watches, and needs the extra 'daemon'.

    The daemon takes what arrives as a build: boards that are disarmed or on hold stay so, and its guards decide. A FILE
    that is there at the start is offered, unless this very file was followed before. A lost connection is made
    again. What is queued stays queued when this command ends, and is named.

    With several --host each build goes to all of them at once, to each as soon as it can take it. One that is away
    gets the newest build once it is back.
    """
    path = absolute(file)
    where = addresses(context)
    pushing = {host: _Pushing(partition, boards, source_of(path), as_jsonl=as_jsonl) for host in where}

    def note(note: FileNote) -> None:
        """Say what a person should know of the file, once."""
        next(iter(pushing.values())).say(f"{note.text} ({note.hint})" if note.hint else note.text)

    async def work() -> Outcomes[None]:
        newest = NewestBuild()
        async with followed(path, settle, note) as builds:
            return await _beside(
                newest.read_all(builds),
                on_all(
                    where,
                    lambda client: pushing[asked.get()].push_all(client, newest),
                    Again(None, from_start=len(where) > 1),
                ),
            )

    try:
        asyncio.run(work()).answers()
    finally:
        for host, each in pushing.items():
            with speaking_as(host if len(where) > 1 else ""):
                tell_of_queued(tuple(each.jobs.values()))


async def _beside(endless: Coroutine[Any, Any, NoReturn], work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of the work; raises what ends the other one."""
    tasks = reading, working = asyncio.create_task(endless), asyncio.create_task(work)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else reading.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class _Pushing:
    """The builds of one file on their way to one daemon, through any number of connections."""

    def __init__(self, partition: str, boards: tuple[str, ...], source: str, *, as_jsonl: bool) -> None:
        self._partition = partition
        self._patterns = boards
        self._source = source
        self._as_jsonl = as_jsonl
        self.say: Callable[[str], object] = say
        """Says a line above what is drawn."""
        self._is_begun = False
        self._arrived: int = 0
        """The number of the newest build that the daemon has answered."""
        self.jobs: dict[int, JobState] = {}
        """The jobs that its builds were queued for, as they were last."""

    async def push_all(self, client: Client, builds: NewestBuild) -> None:
        """Push each build to a daemon, and show what becomes of it, until the connection is lost."""
        changes = client.follow()
        first = await anext(changes)
        names = self._meant(first)
        if not self._is_begun:
            self._is_begun = True
            say(f"follows {clean(self._source.partition(':')[2])} for {self._partition} of {', '.join(sorted(names))}")
        async with progress((), len(names)) as shown:
            self.say = shown.note
            try:
                await self._look_again(client, shown)
                await self._go_on(client, builds, changes, shown)
            finally:
                self.say = say

    async def _go_on(
        self, client: Client, builds: NewestBuild, changes: AsyncIterator[Snapshot | Event], shown: Progress
    ) -> None:
        waits: dict[str, asyncio.Future[Any]] = {}
        try:
            while True:
                if "build" not in waits:
                    waits["build"] = asyncio.ensure_future(builds.after(self._arrived))
                if "change" not in waits:
                    waits["change"] = asyncio.ensure_future(anext(changes))
                await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
                if waits["change"].done():
                    self._tell(waits.pop("change").result(), shown)
                if waits["build"].done():
                    newest = cast("NumberedBuild", waits["build"].result())
                    self._tell_of_missed(newest, shown)
                    await self._push(client, newest, shown)
                    self._arrived = newest.number
                    del waits["build"]
        finally:
            for wait in waits.values():
                wait.cancel()

    def _tell_of_missed(self, newest: NumberedBuild, shown: Progress) -> None:
        if missed := newest.number - self._arrived - 1:
            shown.note(f"{counted(missed, 'older build')} did not get there in time: the newest is sent")

    async def _push(self, client: Client, newest: NumberedBuild, shown: Progress) -> None:
        build = newest.build
        name = Path(build.path).name
        begin = api.BeginUpload(
            name=clean(name), size=len(build.data), partition=self._partition, boards=boards_here(self._patterns)
        )
        try:
            upload = (await client.call(begin)).upload
            for start in range(0, len(build.data), CHUNK):
                await client.call(api.UploadChunk(upload=upload, data=build.data[start : start + CHUNK]))
            push = api.PushBuild(upload=upload, source=self._source, first=build.first, age=newest.age)
            taken = await client.call(push)
        except RemoteError as error:  # a later build may be another matter
            shown.note(f"{clean(name)}: {error.advice}")
            return
        for state in taken.builds:
            shown.note(self._outcome(name, state, several=len(taken.builds) > 1))
            if self._as_jsonl:
                self._put(FollowedLine(build=state))
        for job in taken.jobs:
            self._show(job, shown)

    def _outcome(self, name: str, state: ArtifactState, *, several: bool) -> str:
        what = f"{clean(name)} ({state.version or short_sha(state.sha256)})"
        of = f" of {state.profile}" if several else ""
        hint = ""
        if state.disposition is Disposition.OFFERED:
            words = command_words(click.get_current_context(silent=True), f"flash {self._partition}")
            hint = f" ({words} takes it)"
        return f"{what} for {self._partition}{of}: {state.text}{hint}"

    def _tell(self, change: Snapshot | Event, shown: Progress) -> None:
        jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job is not None else ()
        for job in jobs:
            if job.id in self.jobs:
                self._show(job, shown)

    def _show(self, job: JobState, shown: Progress) -> None:
        if self.jobs.get(job.id) == job:
            return
        self.jobs[job.id] = job
        shown.show(job)
        if self._as_jsonl:
            self._put(FollowedLine(job=replace(job, board=prefixed(job.board))))

    def _put(self, line: FollowedLine) -> None:
        put_json(replace(line, host=speaking_for.get()))

    async def _look_again(self, client: Client, shown: Progress) -> None:
        """Look how the jobs are after another connection was lost, and forget those that have ended."""
        open_jobs = [number for number, job in self.jobs.items() if not job.is_settled]
        if open_jobs:
            for job in (await client.call(api.GetJobs(ids=tuple(open_jobs[: api.JOB_PAGE])))).jobs:
                self._show(job, shown)
        self.jobs = {number: job for number, job in self.jobs.items() if not job.is_settled}

    def _meant(self, change: Snapshot | Event) -> frozenset[str]:
        boards = change.boards if isinstance(change, Snapshot) else ()
        have_it = {board.name for board in boards if any(each.name == self._partition for each in board.partitions)}
        meant = boards_here(self._patterns)
        names = frozenset(name for name in have_it if not meant or is_meant(name, meant))
        if not names:
            known = {each.name for board in boards for each in board.partitions if not each.protected}
            kind = ErrorKind.NO_SUCH_BOARD if have_it else ErrorKind.NO_SUCH_PARTITION
            what = f"none of these boards has a partition {clean(self._partition)}"
            raise RequestError(what, hint=which(self._partition, known) if not have_it else "", kind=kind)
        return names


def source_of(path: Path) -> str:
    """Return the name by which a daemon knows a file of this machine; its path need not be UTF-8."""
    return clean(f"{_user()}@{socket.gethostname()}:{path}", MAX_PATH)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "user"
