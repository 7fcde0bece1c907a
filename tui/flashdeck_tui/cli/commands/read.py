"""`flashdeck read`: what a board has, into a file."""

import hashlib
from pathlib import Path

import click
from msgspec import UNSET
from msgspec.structs import replace

from flashdeck.async_bench import BytesRead, Patience
from flashdeck.errors import ExitCode
from flashdeck.text import clean, format_size
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import ReadReport
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.orders import Order, ordered, outcome_of
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import boards_here, only_host
from flashdeck_tui.whole_file import require_place, write_whole

_EXISTS = "name another file, or say --overwrite"


@click.command()
@live_options.partition
@click.argument("file", type=click.Path(path_type=Path))
@live_options.boards
@options.force_read
@click.option("--overwrite", is_flag=True, help="Replace FILE where it exists.")
@ordered(ends_with_command=True)
def command(
    *, partition: str, file: Path, boards: tuple[str, ...], force: bool, overwrite: bool, order: Order
) -> ExitCode:
    """Read all of PARTITION of one board into FILE, as raw bytes.

    Erases and writes nothing on the board, and leaves it as it was: one that was running is started again.

    Where several boards have the partition, name one with --board: else this exits with 7. Exits with 13 where the
    board cannot be read. What is not done when this command ends is cancelled.
    """
    only_host(click.get_current_context())  # there is one file
    require_place(file, overwrite=overwrite, hint=_EXISTS)
    how = Patience(no_wait=order.no_wait, timeout=order.timeout)
    done = outcome_of(order, lambda bench: bench.read(partition, boards=boards_here(boards), force=force, **how))
    data = done.data if isinstance(done, BytesRead) else b""
    if data:
        write_whole(file, data, overwrite=overwrite, hint=_EXISTS)
    if not order.as_json:
        if data and not order.as_jsonl:
            put(f"{format_size(len(data))} in {clean(str(file))}, SHA-256 {hashlib.sha256(data).hexdigest()}")
        return put_result(done, as_json=False, as_jsonl=order.as_jsonl or bool(data))
    failure = done.failure
    report = ReadReport(jobs=done.jobs, notes=done.notes, error=failure if failure is not None else UNSET)
    if data:
        digest = hashlib.sha256(data).hexdigest()
        report = replace(report, file=clean(str(file)), size=len(data), sha256=digest)
    put_json(report)
    return put_result(done, as_json=False, as_jsonl=True)
