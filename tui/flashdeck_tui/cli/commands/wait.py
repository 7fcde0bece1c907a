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
from flashdeck_tui.cli import live_names, live_options, options, words
from flashdeck_tui.cli.answers import WaitReport
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.destinations import Destination, Wanted, destinations
from flashdeck_tui.cli.follow import heed
from flashdeck_tui.cli.outcome import exit_code, failure_of, overall
from flashdeck_tui.cli.output import put, put_json, report
from flashdeck_tui.cli.progress import Progress, progress
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.table import Cell, table

Place = tuple[str, str]
"""A board and one of its partitions."""


@click.command(epilog=f"{options.FILES}\n\n{options.PLACED}")
@click.argument("partition", type=options.name, required=False, default="", shell_complete=live_names.partitions)
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
    if not partition and file is None:
        raise click.UsageError("Missing argument 'PARTITION', or --for FILE.")
    wanted = Wanted.of(partition, file, boards)

    async def work(client: Client) -> Sequence[BoardOutcome]:
        found = await destinations(client, wanted) if file is not None else (Destination(partition, "", boards),)
        changes = client.follow()
        first = await anext(changes)
        places = _meant(first, found) if isinstance(first, Snapshot) else frozenset[Place]()
        asked = asyncio.ensure_future(_answers(client, found, timeout))

        async with progress((), len(places)) as shown:
            talk = _Talk(shown, places)
            talk.tell(first)
            return await heed(asked, changes, talk.tell)

    outcomes = converse(work, until=Until.UNHEARD)
    failures = [_failure(outcome) for outcome in outcomes]
    what = " and ".join(dict.fromkeys(outcome.partition for outcome in outcomes))
    error = overall(what, [(outcome.board, failure) for outcome, failure in zip(outcomes, failures, strict=True)])
    if as_json:
        put_json(WaitReport(boards=tuple(outcomes), error=error if error is not None else UNSET))
    else:
        put(_outcome_table(outcomes))
    if error is not None:
        report(error, as_json=False)
    return exit_code(failures)


async def _answers(client: Client, found: Sequence[Destination], seconds: float) -> Sequence[BoardOutcome]:
    questions = (
        api.Wait(partition=each.partition, sha256=each.sha256, boards=each.boards, timeout=seconds) for each in found
    )
    answers = await asyncio.gather(*map(client.call, questions))
    return [outcome for answer in answers for outcome in answer.boards]


class _Talk:
    """The talk on stderr about the boards that are waited for."""

    def __init__(self, shown: Progress, places: frozenset[Place]) -> None:
        self._shown = shown
        self._places = places
        self._seen: set[int] = set()
        self._kept_open: dict[Place, str] = {}

    def tell(self, change: Snapshot | Event) -> None:
        """Say what is new."""
        boards = change.boards if isinstance(change, Snapshot) else (change.board,) if change.board is not None else ()
        for board in boards:
            self._tell_of_file(board)
        jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job is not None else ()
        for job in filter(self._shows, jobs):
            self._shown.show(job)

    def _shows(self, job: JobState) -> bool:
        """Jobs that had ended before are of no interest."""
        if (job.board, job.partition) not in self._places or (job.is_settled and job.id not in self._seen):
            return False
        self._seen.add(job.id)
        return True

    def _tell_of_file(self, board: BoardState) -> None:
        """Say once who has had an image file of a board open for long: its build is waited for."""
        for partition in board.partitions:
            place, who = (board.name, partition.name), partition.kept_open
            if place in self._places and who and self._kept_open.get(place) != who:
                self._shown.note(clean(f"{board.name} {partition.name}: {who} ({KEPT_OPEN_HINT})"))
            self._kept_open[place] = who


def _meant(snapshot: Snapshot, found: Sequence[Destination]) -> frozenset[Place]:
    return frozenset(
        (board.name, each.partition)
        for each in found
        for board in snapshot.boards
        if any(partition.name == each.partition for partition in board.partitions)
        and (not each.boards or is_meant(board.name, each.boards))
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
