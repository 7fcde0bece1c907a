"""`flashdeck wait`: until an image is on the boards."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import UNSET

from flashdeck.api import BoardOutcome
from flashdeck.async_bench import AsyncBench
from flashdeck.client import Client
from flashdeck.errors import ExitCode, NotDoneError
from flashdeck.image_file import load_image
from flashdeck.model import BoardState, Event, JobState, Snapshot
from flashdeck.names import is_meant
from flashdeck.outcome import BoardResult, Outcome
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.text import clean
from flashdeck.words.jobs import status_hint
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import live_options, many_hosts, options, words
from flashdeck_tui.cli.answers import WaitReport
from flashdeck_tui.cli.connect import converse_again
from flashdeck_tui.cli.output import put, put_json, report
from flashdeck_tui.cli.progress import Progress, progress
from flashdeck_tui.cli.table import Cell, table


@click.command(epilog=options.FILES)
@live_options.partition
@click.option("--for", "file", type=click.Path(path_type=Path), metavar="FILE", help="Wait for the image in it.")
@live_options.boards
@options.timeout(default=120.0, help="Give up (6) after this long.")
@options.as_json
def command(*, partition: str, file: Path | None, boards: tuple[str, ...], timeout: float, as_json: bool) -> ExitCode:
    """Return once the image of --for, or the newest build, is on the boards' PARTITION.

    Files of one build are the same image in every format, whichever of them was flashed. Only a .bin with filled gaps
    is another one.

    Tells meanwhile what each board waits for. Returns at once, with the exit code that says why, when a board can no
    longer get the image and nothing is under way on the others. Prints a row a board.
    """
    image = load_image(file) if file is not None else None
    began = 0.0

    async def work(client: Client) -> Outcome:
        nonlocal began
        bench = AsyncBench(client)
        names = _meant(await bench.status(), partition, boards)
        left = max(0.0, timeout - (time.monotonic() - began)) if began else timeout  # it may be a later connection
        began = began or time.monotonic()
        async with progress((), len(names)) as shown:
            talk = _Talk(shown, partition, names)
            try:
                return await bench.wait(partition, image, boards=boards, timeout=left, tell=talk.tell)
            except NotDoneError as error:
                return error.outcome

    done = converse_again(work, patience=timeout, join=many_hosts.outcomes)
    if as_json:
        failure = done.failure
        put_json(WaitReport(boards=tuple(map(_row, done.rows)), error=failure if failure is not None else UNSET))
    else:
        put(_outcome_table(done.rows))
    if (failure := done.failure) is not None:
        report(failure, as_json=False)
    return done.exit_code


def _row(result: BoardResult) -> BoardOutcome:
    return BoardOutcome(
        board=result.board,
        partition=result.partition,
        is_there=result.is_done,
        job=result.job,
        failure=result.failure,
    )


class _Talk:
    """The talk on stderr about the boards that are waited for."""

    def __init__(self, shown: Progress, partition: str, boards: frozenset[str]) -> None:
        self._shown = shown
        self._partition = partition
        self._boards = boards
        self._seen: set[int] = set()
        self._kept_open: dict[str, str] = {}

    def tell(self, change: Snapshot | Event) -> None:
        """Say what is new."""
        boards = change.boards if isinstance(change, Snapshot) else (change.board,) if change.board is not None else ()
        for board in boards:
            self._tell_of_file(board)
        jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job is not None else ()
        for job in filter(self._shows, jobs):
            self._shown.show(job)

    def _shows(self, job: JobState) -> bool:
        """Jobs that had ended before are of no interest; those of a board that gets another name still are."""
        if job.id in self._seen:
            return True
        if job.partition != self._partition or job.board not in self._boards or job.is_settled:
            return False
        self._seen.add(job.id)
        return True

    def _tell_of_file(self, board: BoardState) -> None:
        """Say once who has had the image file of a board open for long: its build is waited for."""
        who = next((each.kept_open for each in board.partitions if each.name == self._partition), "")
        if board.name in self._boards and who and self._kept_open.get(board.name) != who:
            self._shown.note(clean(f"{board.name} {self._partition}: {who} ({KEPT_OPEN_HINT})"))
        self._kept_open[board.name] = who


def _meant(snapshot: Snapshot, partition: str, patterns: Sequence[str]) -> frozenset[str]:
    """Return the names of the boards that are waited for."""
    return frozenset(
        board.name
        for board in snapshot.boards
        if any(each.name == partition for each in board.partitions) and (not patterns or is_meant(board.name, patterns))
    )


def _outcome_table(outcomes: Sequence[BoardResult]) -> str:
    rows = [[outcome.board, outcome.partition, words.cell(_state(outcome)), _detail(outcome)] for outcome in outcomes]
    return table(["BOARD", "PARTITION", "STATE", "DETAIL"], rows)


def _state(outcome: BoardResult) -> Phrase:
    if outcome.is_done:
        return Phrase("up to date", Tone.GOOD)
    return Phrase("not up to date", Tone.BAD) if outcome.failure is not None else Phrase("not yet", Tone.WAIT)


def _detail(outcome: BoardResult) -> str | Cell:
    if outcome.failure is not None:
        hint = f" ({outcome.failure.hint})" if outcome.failure.hint else ""
        return f"{outcome.failure.message}{hint}"
    if outcome.job is None:
        return words.NOTHING
    hint = status_hint(outcome.job.status)
    return f"job {outcome.job.id}: {outcome.job.text}" + (f" ({hint})" if hint else "")
