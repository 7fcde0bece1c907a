"""`flashdeck wait`: until an image is on the boards."""

import time
from collections.abc import Collection, Sequence
from contextlib import aclosing
from pathlib import Path

import click
from msgspec import UNSET

from flashdeck.api import BoardOutcome, PlacedImages
from flashdeck.async_bench import AsyncBench
from flashdeck.client import Client
from flashdeck.errors import ExitCode, NotDoneError
from flashdeck.model import BoardState, Event, JobState, Snapshot
from flashdeck.names import is_meant
from flashdeck.outcome import BoardResult, Outcome
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.text import clean
from flashdeck.words.jobs import status_hint
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import live_names, live_options, many_hosts, options, words
from flashdeck_tui.cli.answers import WaitReport
from flashdeck_tui.cli.connect import converse_again
from flashdeck_tui.cli.job_results import tell_unjudged
from flashdeck_tui.cli.named_target import NamedTarget, named, tell_placed
from flashdeck_tui.cli.output import put, put_json, report
from flashdeck_tui.cli.progress import Progress, progress
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.remote import boards_here, for_host
from flashdeck_tui.cli.table import Cell, table

Place = tuple[str, str]
"""A board and one of its partitions."""


@click.command(epilog=f"{options.FILES}\n\n{options.PLACED}")
@click.argument("partition", type=options.name, required=False, default="", shell_complete=live_names.partitions)
@click.option("--for", "file", type=click.Path(path_type=Path), metavar="FILE", help="Wait for the image in it.")
@live_options.boards
@options.timeout(default=120, help="Give up after this long, and exit with 6.")
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
    wanted = NamedTarget.of("", file, boards)
    began = 0.0

    async def work(client: Client) -> Outcome:
        nonlocal began
        places = set[Place]()
        bench = AsyncBench(client, tell_placed=lambda name, placed: _tell_placed(name, placed, places))
        if partition:
            async with aclosing(client.follow()) as changes:
                first = await anext(changes)
            places |= _meant(first, partition, boards_here(boards)) if isinstance(first, Snapshot) else set()
        else:
            await named(bench, wanted)
        left = max(0.0, timeout - (time.monotonic() - began)) if began else timeout  # it may be a later connection
        began = began or time.monotonic()
        async with progress((), len(places)) as shown:
            talk = _Talk(shown, places)
            try:
                return await bench.wait(
                    partition, wanted.image, boards=boards_here(boards), timeout=left, tell=talk.tell
                )
            except NotDoneError as error:
                return error.outcome

    done = converse_again(work, patience=timeout, join=many_hosts.outcomes, until=Until.UNHEARD)
    if as_json:
        failure = done.failure
        put_json(WaitReport(boards=tuple(map(_row, done.rows)), error=failure if failure is not None else UNSET))
    else:
        put(_outcome_table(done.rows))
    tell_unjudged(done.jobs)
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

    def __init__(self, shown: Progress, places: Collection[Place]) -> None:
        """Takes the places that are waited for, which may become more."""
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
        """Jobs that had ended before are of no interest; those of a board that gets another name still are."""
        if job.id in self._seen:
            return True
        if (job.board, job.partition) not in self._places or job.is_settled:
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


def _tell_placed(name: str, placed: PlacedImages, places: set[Place]) -> None:
    tell_placed(name, placed)
    places |= {(image.board, image.partition) for image in placed.images}


def _meant(snapshot: Snapshot, partition: str, patterns: Sequence[str]) -> set[Place]:
    """Return the places that are waited for."""
    return {
        (board.name, partition)
        for board in snapshot.boards
        if any(each.name == partition for each in board.partitions) and (not patterns or is_meant(board.name, patterns))
    }


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
    hint = for_host(status_hint(outcome.job.status))
    return f"job {outcome.job.id}: {outcome.job.text}" + (f" ({hint})" if hint else "")
