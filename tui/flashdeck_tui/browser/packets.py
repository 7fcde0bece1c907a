"""The packets between a page, its screen's process, and the server between them. Pure.

The process speaks as Textual's driver for the web does: packets with a letter, four bytes with the size, and so many
bytes. The page sends lists in JSON, the first item of which says what it is.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final, cast

import msgspec

BEGINNING: Final = b"__GANGLION__\n"
"""The first line of the process: from here on it speaks in packets."""
HEADER: Final = 5
"""Bytes before the contents of a packet."""
LARGEST_PACKET: Final = 8 * 1024 * 1024
"""Bytes in one packet of the process: far more than the largest screen has."""
LONGEST_MESSAGE: Final = 128 * 1024
"""Bytes of one message of the page, as of a text that is pasted."""
MOST_COLUMNS: Final = 500
"""Columns of a screen."""
MOST_LINES: Final = 200
"""Lines of a screen."""


class PacketError(Exception):
    """The page, or the process, says something that is nothing of this."""


class Kind(Enum):
    """The kinds of packets."""

    SCREEN = b"D"
    """To the page, what is drawn; to the process, what is typed."""
    NOTE = b"M"
    """An object in JSON."""
    FILE = b"P"
    """A piece of a file for the browser, which this screen never sends."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Keys, and what the mouse does, as a terminal sends them."""

    text: str

    @property
    def packet(self) -> bytes:
        """As the process takes it."""
        return _packet(Kind.SCREEN, self.text.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class ScreenSize:
    """The size of the terminal in the page."""

    columns: int
    lines: int

    @classmethod
    def of(cls, columns: object, lines: object) -> "ScreenSize":
        """Return the size that a page says, within what a screen may have. Raises PacketError."""
        try:
            wide, high = int(str(columns)), int(str(lines))
        except ValueError as error:
            raise PacketError(f"{columns!r} times {lines!r} is no size") from error
        return cls(max(1, min(wide, MOST_COLUMNS)), max(1, min(high, MOST_LINES)))

    @property
    def packet(self) -> bytes:
        """As the process takes it."""
        return _note({"type": "resize", "width": self.columns, "height": self.lines})


@dataclass(frozen=True, slots=True)
class Focused:
    """The page has the keyboard now, or has no longer."""

    has_it: bool

    @property
    def packet(self) -> bytes:
        """As the process takes it."""
        return _note({"type": "focus" if self.has_it else "blur"})


@dataclass(frozen=True, slots=True)
class Pinged:
    """The page asks if the server is there."""

    stamp: str

    @property
    def answer(self) -> str:
        """As the page takes it."""
        return json.dumps(["pong", self.stamp])


Message = Typed | ScreenSize | Focused | Pinged


def message(text: str) -> Message | None:
    """Return what a page said; None where it is of a later release. Raises PacketError where it is nothing at all."""
    try:
        said = msgspec.json.decode(text, type=list[object])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PacketError("a message that is no list") from error
    match said:
        case ["stdin", str(keys)]:
            return Typed(keys)
        case ["resize", size]:
            sides = cast("dict[str, object]", size) if isinstance(size, dict) else {}
            return ScreenSize.of(sides.get("width"), sides.get("height"))
        case ["focus", *_]:
            return Focused(has_it=True)
        case ["blur", *_]:
            return Focused(has_it=False)
        case ["ping", str(stamp)]:
            return Pinged(stamp)
        case [str(), *_]:
            return None
        case _:
            raise PacketError("a message without a name")


def kind_and_size(header: bytes) -> tuple[Kind, int]:
    """Return what the header of a packet says, which has `HEADER` bytes. Raises PacketError."""
    try:
        kind = Kind(header[:1])
    except ValueError as error:
        raise PacketError(f"a packet of the kind {header[:1]!r}") from error
    size = int.from_bytes(header[1:], "big")
    if size > LARGEST_PACKET:
        raise PacketError(f"a packet of {size} bytes; there are at most {LARGEST_PACKET}")
    return kind, size


def is_end(contents: bytes) -> bool:
    """Return whether a note of the process says that its screen was closed."""
    try:
        said: object = json.loads(contents)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and cast("dict[str, object]", said).get("type") == "exit"


def _note(values: dict[str, object]) -> bytes:
    return _packet(Kind.NOTE, json.dumps(values).encode())


def _packet(kind: Kind, contents: bytes) -> bytes:
    return kind.value + len(contents).to_bytes(HEADER - 1, "big") + contents
