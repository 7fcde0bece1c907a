"""The programs that a board may be running: what is in its partitions, as its jobs have left it."""

from collections.abc import Iterator
from functools import partial

from flashdeck.config import Board, Partition, PartitionKind
from flashdeck.model import Contents
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.contents import known_bytes
from flashdeckd.jobs.flash_target import target_of


def running_programs(board: Board, book: JobBook, shelf: Shelf) -> Iterator[BoardProgram]:
    """Yield the partitions of a board that may have code, and what is known to be in them."""
    for partition in board.profile.partitions.values():
        if partition.holds is not PartitionKind.PROGRAM:
            continue
        contents = book.contents(board.name, partition.name)
        yield BoardProgram(
            partition=partition.name,
            span=partition.span if partition.alternate is None else None,
            image=partition.image,
            unknown=_why_unknown(partition, contents),
            read=partial(known_bytes, contents, target_of(board, partition), shelf.image),
        )


def _why_unknown(partition: Partition, contents: Contents | None) -> str:
    if contents is None or (not contents.layers and not contents.sha256):
        return f"{partition.name} was not flashed by this daemon, so nobody knows its build"
    if contents.uncertain:
        return f"the contents of {partition.name} are uncertain"
    if not contents.complete:
        return f"{partition.name} holds no complete image"
    return ""
