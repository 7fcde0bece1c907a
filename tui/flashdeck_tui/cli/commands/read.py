"""`flashdeck read`: what a board has, into a file."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

import click
from msgspec import UNSET
from msgspec.structs import replace

from flashdeck.async_bench import BytesRead, Patience
from flashdeck.errors import ErrorKind, ExitCode, FlashdeckError, RequestError
from flashdeck.text import clean, format_size
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import ReadReport
from flashdeck_tui.cli.job_results import put_result
from flashdeck_tui.cli.orders import Order, ordered, outcome_of
from flashdeck_tui.cli.output import put, put_json
from flashdeck_tui.cli.remote import only_host


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
    only_host(click.get_current_context())  # there is one file
    if not overwrite and file.exists():
        raise RequestError(f"{clean(str(file))} exists", hint="name another file, or say --overwrite")
    how = Patience(no_wait=order.no_wait, timeout=order.timeout)
    done = outcome_of(order, lambda bench: bench.read(partition, boards=boards, force=force, **how))
    data = done.data if isinstance(done, BytesRead) else b""
    if data:
        _write_whole(file, data, overwrite=overwrite)
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
