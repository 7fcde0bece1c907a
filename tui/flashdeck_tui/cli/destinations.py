"""The words `PARTITION`, `PARTITION FILE` and `FILE` of a command line: what is wanted, and in which partitions."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RemoteError, RequestError
from flashdeck.image_formats import ImageFormat
from flashdeck.names import literal
from flashdeck.text import clean
from flashdeck_tui.cli.image_file import read_image, send_image
from flashdeck_tui.cli.output import say


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words as they were typed. Files are read before anything is asked of a daemon."""

    word: str
    """A partition, or a file that says itself where it belongs; "" where only `file` was named."""
    file: Path | None
    boards: tuple[str, ...]
    data: bytes = b""
    """The contents of `file`."""
    path: Path | None = None
    """What `word` is as a path; None where nothing is there."""
    is_file: bool = False

    @classmethod
    def of(cls, word: str, file: Path | None, boards: tuple[str, ...]) -> "Wanted":
        """Return what was typed; raises RequestError and FlashdeckError where a file that was named cannot be read."""
        path = Path(word)
        there = path if word and path.exists() else None
        return cls(word, file, boards, b"" if file is None else read_image(file), there, path.is_file())


@dataclass(frozen=True, slots=True)
class Destination:
    """An image for a partition of boards."""

    partition: str
    sha256: str
    """"" stands for the newest build."""
    boards: tuple[str, ...]
    """Names and globs; without any, all boards that have the partition."""


async def destinations(client: Client, wanted: Wanted) -> tuple[Destination, ...]:
    """Return where everything is to go: one place, unless a file without a partition belongs to several.

    A partition's name comes before a file's. Such a file reaches one board only, unless boards were named. Raises what
    `Client.place` and `Client.upload` do, and RequestError where the words name nothing.
    """
    if wanted.word and wanted.file is None:
        if wanted.path is not None and not await _is_partition(client, wanted.word):
            return await _placed(client, wanted.path, read_image(wanted.path), wanted.boards)
        if wanted.is_file:
            shown = clean(wanted.word)
            say(f"{shown} is a partition: its newest build is meant, and not the file, which is ./{shown}")
        return (Destination(wanted.word, "", wanted.boards),)
    if wanted.file is None:
        raise RequestError("neither a partition nor a file is named", hint="name a partition, or a file with --for")
    if not wanted.word:
        return await _placed(client, wanted.file, wanted.data, wanted.boards)
    try:
        sha256 = await send_image(client, wanted.file, wanted.data, wanted.word, wanted.boards)
    except RemoteError as error:
        if error.kind is ErrorKind.NO_SUCH_PARTITION and wanted.is_file:
            raise RequestError(
                f"{clean(wanted.word)} and {clean(str(wanted.file))} are two files",
                hint="name a partition and a file, or one file that says itself where it belongs",
            ) from error
        raise
    return (Destination(wanted.word, sha256, wanted.boards),)


@contextmanager
def explained(wanted: Wanted) -> Generator[None]:
    """Say of a word that is no partition that there is no such file either, where it looks like the name of one."""
    word = wanted.word
    try:
        yield
    except RemoteError as error:
        is_like_file = "/" in word or any(word.lower().endswith(each.suffixes) for each in ImageFormat if each.suffixes)
        if error.kind is not ErrorKind.NO_SUCH_PARTITION or not is_like_file:
            raise
        raise RequestError(
            f"there is no file and no partition {clean(word)}",
            kind=ErrorKind.NO_SUCH_PARTITION,
            hint="no file matches this pattern" if any(sign in word for sign in "*?[") else "look at the path",
        ) from error


async def _is_partition(client: Client, word: str) -> bool:
    boards = (await client.call(api.GetBoards())).boards
    return any(part.name == word for board in boards for part in board.partitions)


async def _placed(client: Client, file: Path, data: bytes, boards: tuple[str, ...]) -> tuple[Destination, ...]:
    placed = await client.place(file.name, data, boards=boards)
    places: dict[tuple[str, str], list[str]] = {}
    for image in placed.images:
        places.setdefault((image.partition, image.sha256), []).append(image.board)
    for (partition, _), names in places.items():
        say(f"{clean(file.name)}: for {partition} of {', '.join(names)}")
    return tuple(
        Destination(partition, sha256, tuple(map(literal, names))) for (partition, sha256), names in places.items()
    )
