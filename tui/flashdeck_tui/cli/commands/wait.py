"""`flashdeck wait`: until an image is on the boards."""

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from msgspec import UNSET

from flashdeck import api
from flashdeck.api import BoardOutcome
from flashdeck.client import Client
from flashdeck.errors import EXIT_CODES, ExitCode
from flashdeck.job_state import Failure
from flashdeck.model import JobState, Snapshot
from flashdeck.text import counted
from flashdeck.words.jobs import status_hint, status_text
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cli import live_options, options, words
from flashdeck_tui.cli.answers import WaitReport
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.follow import show_while
from flashdeck_tui.cli.image import read_image, send_image
from flashdeck_tui.cli.outcome import combined
from flashdeck_tui.cli.output import put, put_json, report
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

        def shows(job: JobState) -> bool:
            return job.partition == partition and job.board in names and not job.is_settled

        return (await show_while(asked, changes, shows, len(names))).boards

    outcomes = converse(work)
    failure = _failure(outcomes)
    if as_json:
        put_json(WaitReport(boards=tuple(outcomes), error=failure if failure is not None else UNSET))
    else:
        put(_outcome_table(outcomes))
    if failure is not None:
        report(failure, as_json=False)
    return combined(map(_code, outcomes))


def _meant(snapshot: Snapshot, partition: str, patterns: Sequence[str]) -> frozenset[str]:
    return frozenset(
        board.name
        for board in snapshot.boards
        if any(each.name == partition for each in board.partitions)
        and (not patterns or any(fnmatchcase(board.name, pattern) for pattern in patterns))
    )


def _code(outcome: BoardOutcome) -> ExitCode:
    if outcome.failure is not None:
        return EXIT_CODES[outcome.failure.kind]
    return ExitCode.OK if outcome.is_there else ExitCode.TIMEOUT


def _failure(outcomes: Sequence[BoardOutcome]) -> Failure | None:
    """Return what went wrong on all boards together; None where nothing did."""
    failed = [(outcome.board, outcome.failure) for outcome in outcomes if outcome.failure is not None]
    if not failed:
        return None
    first = failed[0][1]
    if len(outcomes) == 1:
        return first
    told = "; ".join(f"{board}: {failure.message}" for board, failure in failed)
    message = f"{outcomes[0].partition} is not up to date on {len(failed)} of {counted(len(outcomes), 'board')}: {told}"
    return Failure(kind=first.kind, message=message, hint=first.hint)


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
    return f"job {outcome.job.id}: {status_text(outcome.job.status)}" + (f" ({hint})" if hint else "")
