"""The image file that a person names on the command line. The daemon gets its bytes, never its path."""

from pathlib import Path

from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RequestError
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.text import clean, format_size


def read_image(path: Path) -> bytes:
    """The whole file, read once.

    Raises:
        RequestError: there is no such file, it is empty, or larger than `MAX_IMAGE`.
        FlashdeckError: it cannot be read (kind `no-permission` where that is the reason).
    """
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
    if not data:
        raise RequestError(f"{shown} is empty", hint="did the build end?")
    if len(data) > MAX_IMAGE:
        raise RequestError(
            f"{shown} is larger than {format_size(MAX_IMAGE)}", hint="name the image, not what it was made from"
        )
    return data


class SendingFailedError(ConnectionFailedError):
    """The connection was lost while an image was sent, so nothing was asked for yet."""


async def send_image(client: Client, path: Path, data: bytes, partition: str, boards: tuple[str, ...]) -> str:
    """Lets the daemon make the image for `partition` of `boards` out of the file; returns its SHA-256.

    Raises RemoteError where the file is refused, and SendingFailedError.
    """
    try:
        return (await client.upload(path.name, data, partition=partition, boards=boards)).sha256
    except ConnectionFailedError as error:
        message = f"{error.message}, while {clean(path.name)} was sent"
        raise SendingFailedError(message, hint="nothing was queued; ask again", kind=error.kind) from error
