"""`flashdeck run`: an image onto boards, and what they say then decides how it ends."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from msgspec import UNSET
from msgspec.structs import replace

from flashdeck.api import JobList
from flashdeck.async_bench import AsyncBench
from flashdeck.board_run import ExpectedLines, RunOutcome, RunResult
from flashdeck.client import Client
from flashdeck.console_following import BoardEntry
from flashdeck.console_kinds import ConsoleKind
from flashdeck.errors import ConnectionFailedError, ExitCode, FlashdeckError, NotDoneError
from flashdeck.image_file import load_image
from flashdeck.inside_lease import act_for_lease
from flashdeck.job_following import Tell
from flashdeck.job_state import Failure, name_of
from flashdeck.model import JobState
from flashdeck.outcome import code_of_kind
from flashdeck.text import clean, format_duration
from flashdeck.words.consoles import entry_text
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import live_options, many_hosts, options, words
from flashdeck_tui.cli.answers import RunLine, RunReport, RunRow
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.junit import JUnitCase, JUnitProblem, JUnitSuite, junit_xml
from flashdeck_tui.cli.orders import tell_remarks
from flashdeck_tui.cli.output import put, put_json, report, say
from flashdeck_tui.cli.progress import progress
from flashdeck_tui.cli.queued_jobs import tell_of_begun
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.remote import boards_here, prefixed, speaking_for
from flashdeck_tui.cli.table import Cell, table
from flashdeck_tui.whole_file import require_place, write_whole

_FAILED_BY_BOARD: Final = (ExitCode.NOT_RUNNING, ExitCode.TIMEOUT)
"""The board was tried, and did not do what it was to do."""
_PATTERN: Final = "PATTERN"


@click.command(epilog=options.FILES)
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path), required=False)
@live_options.boards
@click.option(
    "--until",
    multiple=True,
    required=True,
    metavar=_PATTERN,
    help="A line that matches ends it well (repeatable: any of them).",
)
@click.option(
    "--fail",
    multiple=True,
    metavar=_PATTERN,
    help="A line that matches ends it with 14 (repeatable); it counts before --until.",
)
@options.timeout(default=120, help="Give up after this long, whatever it waits for then, and exit with 6.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write JUnit's XML there, too: a test case a board, with what it said.",
)
@options.as_json
@options.as_jsonl
def command(
    *,
    partition: str,
    file: Path | None,
    boards: tuple[str, ...],
    until: tuple[str, ...],
    fail: tuple[str, ...],
    timeout: float,
    junit: Path | None,
    as_json: bool,
    as_jsonl: bool,
) -> ExitCode:
    """Flash FILE, or the newest build, into PARTITION, start it, and follow what the boards say until a line decides.

    Takes the boards, as 'flashdeck take' does, and gives them back at the end. What a board says from its start on goes
    to stdout. A PATTERN is a regular expression (RE2) that is searched for in each of its lines.

    Ends with 0 once each board said a line of --until, 5 where it was not flashed, 6 when the time is up, 13 where its
    console cannot be read or a person is needed, 14 where it said a line of --fail or does not run, and 10 where some
    of several failed. Ctrl-C gives the boards back: a flash that has begun goes on, one that has not is cancelled.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    ExpectedLines.of(until, fail)
    image = None if file is None else load_image(file)
    results = _JUnitFile(junit, f"flashdeck run {partition}")
    results.write_failure("", Failure(kind=FlashdeckError.kind, message="it was ended before it had a result"))

    async def work(client: Client) -> RunOutcome:
        shown = _RunTalk(is_text=not as_json and not as_jsonl, as_jsonl=as_jsonl)
        bench = AsyncBench(client, outer=await act_for_lease(client), watch=shown.watch, tell_taken=say)
        try:
            done = await bench.run(
                partition,
                image,
                until=until,
                fail=fail,
                boards=boards_here(boards),
                timeout=timeout,
                on_entry=shown.tell_entry,
            )
        except NotDoneError as error:
            if not isinstance(error.outcome, RunOutcome):
                raise
            done = error.outcome
        for job in done.taken_back:
            say(f"job {job.id} of {job.board} is {name_of(job.status)}")
        tell_of_begun([job for job in done.jobs if job.id not in {each.id for each in done.taken_back}])
        tell_remarks(done)
        return done

    try:
        done = converse(work, join=many_hosts.runs, until=Until.UNHEARD if as_json else Until.UNREAD)
    except FlashdeckError as error:
        results.write_failure("", Failure(kind=error.kind, message=error.message, hint=error.hint))
        raise
    results.write([_case(row) for row in done.rows])
    return _put(done, as_json=as_json, as_jsonl=as_jsonl)


class _RunTalk:
    """The talk while boards run: their own words on stdout, their jobs on stderr."""

    def __init__(self, *, is_text: bool, as_jsonl: bool) -> None:
        self._is_text = is_text
        self._as_jsonl = as_jsonl
        self._is_one = False

    def tell_entry(self, said: BoardEntry) -> None:
        """Print what a board said."""
        if self._as_jsonl:
            put_json(RunLine(board=prefixed(said.board), entry=said.entry))
        elif self._is_text and said.entry.kind is not ConsoleKind.MARK:
            text = clean(entry_text(said.entry))
            put(text if self._is_one else f"{prefixed(said.board)}: {text}")

    @asynccontextmanager
    async def watch(self, reply: JobList) -> AsyncGenerator[Tell]:
        """Show jobs for the length of a block."""
        self._is_one = len(reply.jobs) == 1 and not speaking_for.get()
        latest = {job.id: job for job in reply.jobs}
        for note in reply.notes:
            say(f"warning: {note}")
        try:
            async with progress((), beside_data=True) as shown:

                def tell(job: JobState) -> None:
                    latest[job.id] = job
                    shown.show(job)
                    if self._as_jsonl:
                        name = prefixed(job.board)
                        put_json(RunLine(board=name, job=replace(job, board=name)))

                for job in reply.jobs:
                    tell(job)
                yield tell
        except (asyncio.CancelledError, ConnectionFailedError):
            tell_of_begun(tuple(latest.values()))
            raise


class _JUnitFile:
    """The file of --junit. It has something in it from the beginning on: an older one must not pass for the result."""

    def __init__(self, path: Path | None, name: str) -> None:
        self._path = path
        self._name = name
        self._stamp = datetime.now(UTC).isoformat(timespec="seconds")
        if path is not None:
            require_place(path, overwrite=True, hint="")

    def write_failure(self, board: str, failure: Failure) -> None:
        """Write that there is no result."""
        self.write([JUnitCase(name=board or "run", problem=_problem(failure))])

    def write(self, cases: Sequence[JUnitCase]) -> None:
        """Write the results."""
        if self._path is not None:
            suite = JUnitSuite(name=self._name, stamp=self._stamp, host=socket.gethostname(), cases=cases)
            write_whole(self._path, junit_xml(suite), overwrite=True, hint="")


def _case(row: RunResult) -> JUnitCase:
    return JUnitCase(
        name=row.board,
        seconds=row.seconds,
        problem=None if row.failure is None else _problem(row.failure),
        output=[entry_text(entry) for entry in row.entries],
    )


def _problem(failure: Failure) -> JUnitProblem:
    is_failure = code_of_kind(failure.kind) in _FAILED_BY_BOARD
    return JUnitProblem(kind=failure.kind, message=failure.message, hint=failure.hint, is_failure=is_failure)


def _put(done: RunOutcome, *, as_json: bool, as_jsonl: bool) -> ExitCode:
    failure = done.failure
    if as_json:
        rows = tuple(_row(row, with_entries=True) for row in done.rows)
        put_json(RunReport(boards=rows, notes=done.notes, error=failure if failure is not None else UNSET))
    elif as_jsonl:
        for row in done.rows:
            put_json(RunLine(board=row.board, result=_row(row, with_entries=False)))
    elif len(done.rows) > 1:
        cells = [[row.board, row.partition, words.cell(_state(row)), _took(row), _detail(row)] for row in done.rows]
        put(table(["BOARD", "PARTITION", "RESULT", "TIME", "DETAIL"], cells))
    for row in done.rows if len(done.rows) == 1 and failure is None and not as_json and not as_jsonl else ():
        say(f"{row.board} {row.partition}: passed after {_took(row)}: {_detail(row)}")
    if failure is not None:
        report(failure, as_json=False)
    return done.exit_code


def _row(row: RunResult, *, with_entries: bool) -> RunRow:
    return RunRow(
        board=row.board,
        partition=row.partition,
        passed=row.is_done,
        seconds=row.seconds,
        line=row.found.line if row.found is not None else "",
        pattern=row.found.pattern if row.found is not None else "",
        job=row.job,
        failure=row.failure,
        entries=row.entries if with_entries else (),
    )


def _state(row: RunResult) -> Phrase:
    return Phrase("passed", Tone.GOOD) if row.is_done else Phrase("failed", Tone.BAD)


def _took(row: RunResult) -> str:
    return format_duration(row.seconds) if row.seconds else words.NOTHING


def _detail(row: RunResult) -> str | Cell:
    if row.failure is not None:
        return f"{row.failure.message} ({row.failure.hint})" if row.failure.hint else row.failure.message
    return row.found.line if row.found is not None else words.NOTHING
