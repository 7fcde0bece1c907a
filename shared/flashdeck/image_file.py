"""The image file that a person or a program names. The daemon gets its bytes, never its path."""

import os
from dataclasses import dataclass
from pathlib import Path

from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RequestError
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.text import clean, format_size


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """The bytes of an image file in any format, with the name that messages have for it."""

    name: str
    data: bytes


Image = str | os.PathLike[str] | bytes | LoadedImage
"""An image: the path of its file, or what is in such a file."""


def load_image(image: Image) -> LoadedImage:
    """Return the whole image, read once.

    Raises:
        RequestError: there is no such file, it is empty, or larger than `MAX_IMAGE`.
        FlashdeckError: it cannot be read (kind `no-permission` where that is the reason).
    """
    match image:
        case LoadedImage():
            return image
        case bytes():
            return LoadedImage("image", _checked(image, "the image"))
        case _:
            return LoadedImage(Path(image).name, read_image(Path(image)))


def read_image(path: Path) -> bytes:
    """Return the bytes of an image file, read once; raises what `load_image` does."""
    shown = clean(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_IMAGE + 1)
    except FileNotFoundError as error:
        raise RequestError(f"there is no file {shown}", hint="build it first, or look at the path") from error
    except IsADirectoryError as error:
        raise RequestError(f"{shown} is a directory", hint="name the image file in it") from error
    except PermissionError as error:
        raise FlashdeckError(
            f"{shown} cannot be read: {error.strerror}", hint="look at its mode", kind=ErrorKind.NO_PERMISSION
        ) from error
    except OSError as error:
        raise FlashdeckError(f"{shown} cannot be read: {error.strerror}") from error
    return _checked(data, shown)


def _checked(data: bytes, shown: str) -> bytes:
    if not data:
        raise RequestError(f"{shown} is empty", hint="did the build end?")
    if len(data) > MAX_IMAGE:
        raise RequestError(
            f"{shown} is larger than {format_size(MAX_IMAGE)}", hint="name the image, not what it was made from"
        )
    return data


class SendingFailedError(ConnectionFailedError):
    """The connection was lost while an image was sent, so nothing was asked for yet."""


async def send_image(client: Client, image: LoadedImage | None, partition: str, boards: tuple[str, ...]) -> str:
    """Lets the daemon make the image for `partition` of `boards` out of the file; returns its SHA-256, "" for none.

    Raises RemoteError where the file is refused, and SendingFailedError.
    """
    if image is None:
        return ""
    try:
        return (await client.upload(image.name, image.data, partition=partition, boards=boards)).sha256
    except ConnectionFailedError as error:
        message = f"{error.message}, while {clean(image.name)} was sent"
        raise SendingFailedError(message, hint="nothing was queued; ask again", kind=error.kind) from error
