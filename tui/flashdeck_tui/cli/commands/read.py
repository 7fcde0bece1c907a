"""`flashdeck read`: what a board has, into a file."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

import click
from msgspec import UNSET
from msgspec.structs import replace

from flashdeck import api
from flashdeck.api import CHUNK
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, ExitCode, FlashdeckError, RequestError
from flashdeck.text import clean, format_size
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import ReadReport
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.orders import Order, done_by, ordered, tell_remarks
from flashdeck_tui.cli.outcome import Result, overall
from flashdeck_tui.cli.output import put, put_json


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

    Where several boards have the partition, name one with --board (else 7). Ends with 13 where the board cannot be
    read. What is not done when this command ends is cancelled.
    """
    if not overwrite and file.exists():
        raise RequestError(f"{clean(str(file))} exists", hint="name another file, or say --overwrite")
    done, data = converse(lambda client: _read(client, partition, boards, order, force=force))
    tell_remarks(done)
    if data is not None:
        _write_whole(file, data, overwrite=overwrite)
    if not order.as_json:
        if data is not None and not order.as_jsonl:
            put(f"{format_size(len(data))} in {clean(str(file))}, SHA-256 {hashlib.sha256(data).hexdigest()}")
        return put_result(done, partition, as_json=False, as_jsonl=order.as_jsonl or data is not None)
    error = overall(partition, [(job.board, failure) for job, failure in zip(done.jobs, done.failures, strict=True)])
    report = ReadReport(jobs=done.jobs, notes=done.notes, error=error if error is not None else UNSET)
    if data is not None:
        digest = hashlib.sha256(data).hexdigest()
        report = replace(report, file=clean(str(file)), size=len(data), sha256=digest)
    put_json(report)
    return put_result(done, partition, as_json=False, as_jsonl=True)


async def _read(
    client: Client, partition: str, boards: tuple[str, ...], order: Order, *, force: bool
) -> tuple[Result, bytes | None]:
    """Return what became of the job, and what was read; None where that is nothing."""

    async def ask(client: Client) -> api.JobList:
        return await client.call(
            api.ReadPartition(partition=partition, boards=boards, force=force, no_wait=order.no_wait)
        )

    done = await done_by(client, order, ask)
    (job,) = done.jobs
    if not job.sha256:
        return done, None
    data = bytearray()
    while len(data) < job.size:
        piece = await client.call(
            api.ReadImage(sha256=job.sha256, offset=len(data), size=min(CHUNK, job.size - len(data)))
        )
        if not piece.data:
            raise FlashdeckError(f"the daemon gave {len(data)} of {job.size} bytes")
        data += piece.data
    return done, bytes(data)


def _write_whole(file: Path, data: bytes, *, overwrite: bool) -> None:
    """Write the file as a whole, or not at all: it has its name only once all of it is on the disk."""
    shown = clean(str(file))
    whole = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with whole.open("xb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        if overwrite:
            whole.replace(file)
        else:
            _give_new_name(whole, file)
    except FileExistsError as error:
        raise RequestError(f"{shown} exists", hint="name another file, or say --overwrite") from error
    except PermissionError as error:
        raise FlashdeckError(f"{shown} cannot be written: {error.strerror}", kind=ErrorKind.NO_PERMISSION) from error
    except OSError as error:
        raise FlashdeckError(f"{shown} cannot be written: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            whole.unlink()


def _give_new_name(whole: Path, file: Path) -> None:
    """Give a file the name that it is to have; raises FileExistsError where another one has it."""
    try:
        os.link(whole, file)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if file.exists():
            raise FileExistsError from None
        whole.replace(file)
