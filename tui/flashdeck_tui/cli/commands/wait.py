"""`flashdeck wait`: until an image is on the boards."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec import UNSET

from flashdeck import api
from flashdeck.api import BoardOutcome
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, ExitCode
from flashdeck.job_state import Failure
from flashdeck.model import BoardState, Event, JobState, Snapshot
from flashdeck.names import is_meant
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.text import clean
from flashdeck.words.jobs import status_hint
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import live_options, options, words
from flashdeck_tui.cli.answers import WaitReport
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import heed
from flashdeck_tui.cli.image_file import read_image, send_image
from flashdeck_tui.cli.outcome import exit_code, failure_of, overall
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
    data = read_image(file) if file is not None else None

    async def work(client: Client) -> Sequence[BoardOutcome]:
        sha256 = ""
        if file is not None and data is not None:
            sha256 = await send_image(client, file, data, partition, boards)
        changes = client.follow()
        first = await anext(changes)
        names = _meant(first, partition, boards) if isinstance(first, Snapshot) else frozenset[str]()
        asked = asyncio.ensure_future(
            client.call(api.Wait(partition=partition, sha256=sha256, boards=boards, timeout=timeout))
        )

        async with progress((), len(names)) as shown:
            talk = _Talk(shown, partition, names)
            talk.tell(first)
            return (await heed(asked, changes, talk.tell)).boards

    outcomes = converse(work)
    failures = [_failure(outcome) for outcome in outcomes]
    error = overall(partition, [(outcome.board, failure) for outcome, failure in zip(outcomes, failures, strict=True)])
    if as_json:
        put_json(WaitReport(boards=tuple(outcomes), error=error if error is not None else UNSET))
    else:
        put(_outcome_table(outcomes))
    if error is not None:
        report(error, as_json=False)
    return exit_code(failures)


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
    return frozenset(
        board.name
        for board in snapshot.boards
        if any(each.name == partition for each in board.partitions) and (not patterns or is_meant(board.name, patterns))
    )


def _failure(outcome: BoardOutcome) -> Failure | None:
    """Return why a board does not have the image, or not yet; None where it has."""
    if outcome.is_there or outcome.failure is not None:
        return outcome.failure
    if outcome.job is None:
        return Failure(kind=ErrorKind.TIMEOUT, message="not up to date yet")
    return failure_of(outcome.job) or Failure(kind=ErrorKind.TIMEOUT, message=f"not up to date yet: {outcome.job.text}")


def _outcome_table(outcomes: Sequence[BoardOutcome]) -> str:
    rows = [[outcome.board, outcome.partition, words.cell(_state(outcome)), _detail(outcome)] for outcome in outcomes]
    return table(["BOARD", "PARTITION", "STATE", "DETAIL"], rows)


def _state(outcome: BoardOutcome) -> Phrase:
    if outcome.is_there:
        return Phrase("up to date", Tone.GOOD)
    return Phrase("not up to date", Tone.BAD) if outcome.failure is not None else Phrase("not yet", Tone.WAIT)


def _detail(outcome: BoardOutcome) -> str | Cell:
    if outcome.failure is not None:
        hint = f" ({outcome.failure.hint})" if outcome.failure.hint else ""
        return f"{outcome.failure.message}{hint}"
    if outcome.job is None:
        return words.NOTHING
    hint = status_hint(outcome.job.status)
    return f"job {outcome.job.id}: {outcome.job.text}" + (f" ({hint})" if hint else "")
