"""The contents of a partition, read into new files of this machine: one a board."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError, RemoteError, RequestError
from flashdeck.image_bytes import bytes_of
from flashdeck.model import JobState
from flashdeck.names import literal
from flashdeck.paths import absolute
from flashdeck.text import clean, format_size
from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.actions.many import (
    Target,
    all_protected,
    boards_text,
    choose_partition,
    gathered,
    targets,
    tell,
    with_partition,
)
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.whole_file import require_place, write_whole

READ_SECONDS = 3600.0
"""Seconds that a read is waited for, the wait for its board included."""
_EXISTS = "name a file that is new"
_OTHER_DIRECTORY = "name another directory"


@dataclass(frozen=True, slots=True)
class _FileOfBoard:
    """A board, and the file that its bytes go into."""

    board: Target
    file: Path


async def _read(context: Context) -> None:
    await _read_how(context, force=False)


async def _read_all_the_same(context: Context) -> None:
    await _read_how(context, force=True)


async def _read_how(context: Context, *, force: bool) -> None:
    """Read one board into a file, or several into a directory; `force` also where reads were refused."""
    partition = await choose_partition(context, "Read", targets(context))
    boards = with_partition(targets(context), partition or "")
    if not partition or not boards:
        return
    wanted = await _places(context, partition, boards)
    if wanted is None:
        return
    one_by_one = asyncio.Lock()  # the bytes of one board are in memory, and not those of all

    async def read(each: _FileOfBoard) -> int:
        target = each.board
        asked = api.ReadPartition(partition=partition, boards=(literal(target.name),), force=force)
        (job,) = (await context.call(asked, host=target.host)).jobs
        if len(boards) == 1:
            context.tell(f"Job {job.id}: read {partition} of {target.shown} into {clean(str(each.file))}.")
        ended = await _end_of(context, target.host, job)
        async with one_by_one:
            data = await bytes_of(lambda piece: context.call(piece, host=target.host), ended.sha256, ended.size)
            await asyncio.to_thread(write_whole, each.file, data, overwrite=False, hint=_EXISTS)
        return len(data)

    if len(boards) > 1:
        context.tell(f"Reading {partition} of {boards_text(boards)}.")
    answers = await gathered([(each.board.host, clean(each.board.shown), read(each)) for each in wanted])
    size = format_size(sum(read for _, read in answers.given))
    if len(boards) == 1:
        tell(context, f"{size} of {partition} of {boards[0].shown} are in {clean(str(wanted[0].file))}.", answers)
    else:
        files = [clean(each.file.name) for each in wanted]
        where = clean(str(wanted[0].file.parent))
        tell(
            context,
            f"{partition} of {len(answers.given)} of {len(boards)} boards is in {where}, {size}.",
            answers,
            files,
        )


async def _places(context: Context, partition: str, boards: Sequence[Target]) -> list[_FileOfBoard] | None:
    """Return where the bytes of each board go: nothing that is there is written over. None where it was cancelled."""
    if len(boards) == 1:
        (target,) = boards
        example = f"path of a new file, as ~/{target.name}-{partition}.bin"
        answer = await context.ask_path(f"Read {partition} of {target.shown} into a file", example)
        return None if answer is None else [_FileOfBoard(target, await asyncio.to_thread(_new_file, answer))]
    title = f"Read {partition} of {boards_text(boards)} into a directory"
    answer = await context.ask_path(title, f"its path; a file each, as {boards[0].name}-{partition}.bin")
    if answer is None:
        return None
    names = [f"{target.shown.replace('/', '-')}-{partition}.bin" for target in boards]
    files = await asyncio.to_thread(_new_files, answer, names)
    return [_FileOfBoard(target, file) for target, file in zip(boards, files, strict=True)]


async def _end_of(context: Context, host: FleetHost, job: JobState) -> JobState:
    """Return a read once it has its bytes; raises FlashdeckError where it gets none, and nobody waits for it then."""
    try:
        (ended,) = (await context.call(api.WaitJobs(ids=(job.id,), timeout=READ_SECONDS), host=host)).jobs
    except RemoteError as error:
        if error.kind is ErrorKind.TIMEOUT:
            await context.call(api.Cancel(job=job.id), host=host)
        raise
    if not ended.is_settled:
        await context.call(api.Cancel(job=job.id), host=host)
    if ended.failure is not None:
        raise FlashdeckError(ended.failure.message, hint=ended.failure.hint, kind=ended.failure.kind)
    if not ended.sha256:
        raise FlashdeckError(f"job {ended.id} has read nothing: {ended.text}")
    return ended


def _new_file(answer: str) -> Path:
    path = absolute(answer)
    require_place(path, overwrite=False, hint=_EXISTS)
    return path


def _new_files(answer: str, names: Sequence[str]) -> list[Path]:
    """Return the files of a directory, which is made where there is none; raises RequestError where one exists."""
    place = absolute(answer)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise RequestError(f"{clean(str(place))} is no directory: {error.strerror}", hint=_OTHER_DIRECTORY) from error
    files = [place / name for name in names]
    if there := next((file for file in files if file.exists()), None):
        raise RequestError(f"{clean(str(there))} exists", hint=_OTHER_DIRECTORY)
    return files


def _read_why_not(context: Context) -> str | None:
    return context.why_no_file or all_protected(context)


ACTIONS: tuple[Action, ...] = (
    Action(
        id="read",
        key="R",
        title="Read",
        description="Read a partition into a new file of this machine; of several boards, a file each.",
        needs=Needs.PARTITION,
        check=_read_why_not,
        run=_read,
        changes=True,
        command="read",
    ),
    Action(
        id="read-forced",
        key="",
        title="Read all the same",
        description="Read also where reads were refused, or seen not to be true.",
        needs=Needs.PARTITION,
        check=_read_why_not,
        run=_read_all_the_same,
        changes=True,
        command="read",
    ),
)
