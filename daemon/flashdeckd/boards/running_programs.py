"""The programs that a board may be running: what is in its partitions, as its jobs have left it."""

from collections.abc import Callable, Iterator
from functools import partial

from flashdeck.config import Board, Partition, PartitionKind
from flashdeck.model import Contents
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.jobs.contents import ImageOf, known_bytes
from flashdeckd.jobs.flash_target import target_of


def running_programs(
    board: Board, contents_of: Callable[[str, str], Contents | None], image_of: ImageOf
) -> Iterator[BoardProgram]:
    """Yield the partitions of a board that may have code, and what is known to be in them.

    `contents_of` returns the contents of a partition, by the names of both.
    """
    for partition in board.profile.partitions.values():
        if partition.holds is not PartitionKind.PROGRAM:
            continue
        contents = contents_of(board.name, partition.name)
        yield BoardProgram(
            partition=partition.name,
            span=partition.span if partition.alternate is None else None,
            image=partition.image,
            unknown=_why_unknown(partition, contents),
            read=partial(known_bytes, contents, target_of(board, partition), image_of),
        )


def _why_unknown(partition: Partition, contents: Contents | None) -> str:
    if contents is None or (not contents.layers and not contents.sha256):
        return f"{partition.name} was not flashed by this daemon, so nobody knows its build"
    if contents.uncertain:
        return f"the contents of {partition.name} are uncertain"
    if not contents.complete:
        return f"{partition.name} holds no complete image"
    return ""
