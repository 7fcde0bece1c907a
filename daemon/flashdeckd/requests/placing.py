"""A file that says itself where it belongs: which partitions of which boards that is."""

from collections.abc import Iterable, Mapping, Sequence

from flashdeck.api import PlacedImage, PlacedImages
from flashdeck.config import Board
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.names import few, is_meant
from flashdeck.text import counted
from flashdeckd.boards.bench import Bench
from flashdeckd.host import threads
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.homes import Home, homes
from flashdeckd.images.parsing import in_words
from flashdeckd.images.version import find_version
from flashdeckd.jobs.spooling import Spooling

_Found = Mapping[str, tuple[Home, ...] | FlashdeckError]
"""By profile: where a file belongs there, or why it does not."""


class PlaceRequests:
    """Finds the boards of files. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench, spooling: Spooling, notes: FileNotes) -> None:
        self._bench = bench
        self._spooling = spooling
        self._notes = notes

    async def place(self, name: str, data: bytes, patterns: tuple[str, ...]) -> PlacedImages:
        """Return an image for each partition that a file belongs to, spooled and passed by the partition's guards.

        Without `patterns` it belongs to exactly one board, or nothing is returned: nobody flashes several boards by
        accident. With them, it goes to those of the boards to which it belongs, of which each pattern means one.
        Raises FlashdeckError: `ambiguous` where several boards come in question or the file does not say, and what
        `Bench.matching` and `homes` raise.
        """
        boards = list(self._bench.matching(patterns).values())
        if not boards:
            raise RequestError("there are no boards", kind=ErrorKind.NO_TARGET, hint="configure one, or adopt one")
        found = await threads.run(_homes, name, data, boards)
        taking = [
            (board, homes) for board in boards if not isinstance(homes := found[board.profile.name], FlashdeckError)
        ]
        _require_each_meant(patterns, boards, found)
        if not patterns and len(taking) > 1:
            raise _several(in_words(name), taking)
        images = [await self._spooled(board, home) for board, homes in taking for home in homes]
        return PlacedImages(images=tuple(images))

    async def _spooled(self, board: Board, home: Home) -> PlacedImage:
        partition, image = home.partition, home.parsed.image
        await self._bench.verdicts.check(image, board.profile, partition)
        version = await threads.run(find_version, image, partition)
        artifact = await self._spooling.add_sent(image, version)
        self._notes.keep(partition.name, artifact.sha256, home.parsed.notes)
        return PlacedImage(
            board=board.name,
            partition=partition.name,
            sha256=artifact.sha256,
            size=artifact.size,
            version=version,
            notes=home.parsed.notes,
        )


def _homes(name: str, data: bytes, boards: Iterable[Board]) -> _Found:
    found: dict[str, tuple[Home, ...] | FlashdeckError] = {}
    for profile in {board.profile.name: board.profile for board in boards}.values():
        try:
            found[profile.name] = homes(name, data, profile)
        except FlashdeckError as error:
            found[profile.name] = error
    return found


def _require_each_meant(patterns: tuple[str, ...], boards: Sequence[Board], found: _Found) -> None:
    """Raise why a file belongs to no board, or to none of those that one of the patterns means."""
    for pattern in patterns or ("*",):
        outcomes = [found[board.profile.name] for board in boards if is_meant(board.name, (pattern,))]
        errors = [each for each in outcomes if isinstance(each, FlashdeckError)]
        if errors and len(errors) == len(outcomes):
            raise errors[0]


def _several(shown: str, taking: Sequence[tuple[Board, tuple[Home, ...]]]) -> FlashdeckError:
    candidates = [f"{home.partition.name} of {board.name}" for board, homes in taking for home in homes]
    return FlashdeckError(
        f"{shown} belongs to {counted(len(taking), 'board')}: {few(candidates)}",
        kind=ErrorKind.AMBIGUOUS,
        hint="name those that are to get it with --board; '*' means all of them",
    )
