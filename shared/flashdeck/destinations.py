"""The places that an image is for: a partition that was named, or those that its file belongs to."""

from collections.abc import Callable
from dataclasses import dataclass

from flashdeck.api import PlacedImages
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, RequestError
from flashdeck.image_file import LoadedImage, SendingFailedError, send_image
from flashdeck.names import literal
from flashdeck.text import clean

TellPlaced = Callable[[str, PlacedImages], object]
"""Hears of the name of a file, and of the places that it belongs to."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An image for a partition of boards."""

    partition: str
    sha256: str
    """"" stands for the newest build."""
    boards: tuple[str, ...]
    """Names and globs; without any, all boards that have the partition."""


async def destinations(
    client: Client, partition: str, image: LoadedImage | None, boards: tuple[str, ...], tell: TellPlaced
) -> tuple[Destination, ...]:
    """Return where an image is to go: one place, unless a file without a partition belongs to several.

    Such a file reaches one board only, unless boards are named. Raises what `send_image` does, RemoteError where the
    file belongs to no board, or does not say to which (`ambiguous`), and RequestError where neither is named.
    """
    if partition:
        return (Destination(partition, await send_image(client, image, partition, boards), boards),)
    if image is None:
        raise RequestError("neither a partition nor a file is named", hint="name one of them")
    try:
        placed = await client.place(image.name, image.data, boards=boards)
    except ConnectionFailedError as error:
        message = f"{error.message}, while {clean(image.name)} was sent"
        raise SendingFailedError(message, hint="nothing was queued; ask again", kind=error.kind) from error
    tell(image.name, placed)
    places: dict[tuple[str, str], list[str]] = {}
    for each in placed.images:
        places.setdefault((each.partition, each.sha256), []).append(each.board)
    return tuple(
        Destination(partition, sha256, tuple(map(literal, names))) for (partition, sha256), names in places.items()
    )


def title(found: tuple[Destination, ...]) -> str:
    """Return what to call all of the places in a message."""
    return " and ".join(dict.fromkeys(each.partition for each in found))
