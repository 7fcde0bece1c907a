"""The words `PARTITION`, `PARTITION FILE` and `FILE` of a command line: a partition's name comes before a file's."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from flashdeck import api
from flashdeck.api import PlacedImages
from flashdeck.async_bench import AsyncBench
from flashdeck.errors import ErrorKind, RemoteError, RequestError
from flashdeck.image_file import LoadedImage, load_image
from flashdeck.image_formats import ImageFormat
from flashdeck.text import clean
from flashdeck_tui.cli.output import say
from flashdeck_tui.cli.remote import asked_hosts


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """The words as they were typed. A file behind a partition is read before anything is asked of a daemon."""

    word: str
    """A partition, or a file that says itself where it belongs; "" where only a file was named as such."""
    image: LoadedImage | None
    boards: tuple[str, ...]
    path: Path | None
    """The path that `word` is; None where nothing is there."""
    is_file: bool
    is_for_several: bool
    """True if several machines are asked."""

    @classmethod
    def of(cls, word: str, file: Path | None, boards: tuple[str, ...]) -> "NamedTarget":
        """Return what was typed; raises RequestError and FlashdeckError where a file that was named cannot be read."""
        path = Path(word)
        return cls(
            word,
            None if file is None else load_image(file),
            boards,
            path if word and path.exists() else None,
            path.is_file(),
            len(asked_hosts(click.get_current_context())) > 1,
        )


async def named(bench: AsyncBench, wanted: NamedTarget) -> tuple[str, LoadedImage | None]:
    """Return the partition, "" for where the image belongs, and the image, None for the newest build.

    Raises RequestError (`ambiguous`) where an image without a partition could reach a board of each of several
    machines, and what the daemon says.
    """
    partition, image = wanted.word, wanted.image
    if image is None and wanted.path is not None:
        if not await _is_partition(bench, wanted.word):
            partition, image = "", load_image(wanted.path)
        elif wanted.is_file:
            shown = clean(wanted.word)
            say(f"{shown} is a partition: its newest build is meant, and not the file, which is ./{shown}")
    if not partition and wanted.is_for_several and not wanted.boards:
        raise RequestError(
            "a file without a partition could go to a board of each machine",
            kind=ErrorKind.AMBIGUOUS,
            hint="name the boards with --board, or one --host",
        )
    return partition, image


def tell_placed(name: str, placed: PlacedImages) -> None:
    """Say where a file belongs."""
    places: dict[str, list[str]] = {}
    for image in placed.images:
        places.setdefault(image.partition, []).append(image.board)
    for partition, boards in places.items():
        say(f"{clean(name)}: for {partition} of {', '.join(boards)}")


@contextmanager
def explained(wanted: NamedTarget) -> Generator[None]:
    """Say of a word that is no partition that it is no file either, or one of two files, where it looks like that."""
    word = wanted.word
    try:
        yield
    except RemoteError as error:
        is_like_file = "/" in word or any(word.lower().endswith(each.suffixes) for each in ImageFormat if each.suffixes)
        if error.kind is not ErrorKind.NO_SUCH_PARTITION or not (is_like_file or wanted.is_file):
            raise
        if wanted.image is not None and wanted.is_file:
            raise RequestError(
                f"{clean(word)} and {clean(wanted.image.name)} are two files",
                hint="name a partition and a file, or one file that says itself where it belongs",
            ) from error
        raise RequestError(
            f"there is no file and no partition {clean(word)}",
            kind=ErrorKind.NO_SUCH_PARTITION,
            hint="no file matches this pattern" if any(sign in word for sign in "*?[") else "look at the path",
        ) from error


async def _is_partition(bench: AsyncBench, word: str) -> bool:
    boards = (await bench.call(api.GetBoards())).boards
    return any(part.name == word for board in boards for part in board.partitions)
