"""Invented names in place of real ones, the same for the same in everything that goes through one `Redactor`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from msgspec.structs import replace

from flashdeck.recording import Transfer, decode, encode
from flashdeck.toml.values import quoted

_SERIAL_IN_TEXT = re.compile(r"\bserial(?: number)?[ :=]+[\"']?([A-Za-z0-9][A-Za-z0-9._-]{3,})", re.IGNORECASE)
"""A serial in a log line, of a device that nothing else remembers."""
_STRANGER_IN_TEXT = re.compile(r"\bDFU device [0-9a-f]{4}:[0-9a-f]{4} (?!at )(\S.*?) at ")
"""The same, of a device that is no configured board."""
_USER_IN_TEXT = re.compile(r"/home/([^/\s\"']+)")
"""The user whose directory a path goes through: the one who reports need not be the one who builds."""
_GET_STRING = (0x80, 6, 3)
"""bmRequestType, bRequest and descriptor type of a string descriptor's request (USB 2.0, 9.4.3)."""
_HEADER = 2
_SERIAL_INDEX = 16
"""Offset of iSerialNumber in the device descriptor (USB 2.0, 9.6.1)."""


class Redactor:
    """Replaces what identifies a device, a machine or a person."""

    def __init__(self, *, serials: Iterable[str], hosts: Iterable[str], users: Iterable[str], home: str) -> None:
        """Every invented serial is as long as the real one, so that recorded lengths stay true."""
        serials, hosts, users = tuple(serials), tuple(hosts), tuple(users)
        self._invented: dict[str, str] = {}
        people = _distinct(users)
        if len(home) > 1:
            self._invented[home.rstrip("/").casefold()] = "/home/user1"
        for number, name in enumerate(people, 1):
            self._invented.setdefault(name, f"user{number}")
        for number, name in enumerate(_distinct(hosts), 1):
            self._invented.setdefault(name, f"host{number}")
        for number, serial in enumerate(_distinct(serials), 1):
            self._invented.setdefault(serial, f"X{str(number).rjust(len(serial) - 1, '0')}")
        # A string in TOML may be written with escapes.
        escaped = {quoted(name)[1:-1].casefold(): other for name, other in self._invented.items()}
        self._all = escaped | self._invented
        # Folding may change more than the case: what was folded would not be found as it was written.
        written = {name for name in (*serials, *hosts, *users, home.rstrip("/")) if name.casefold() in self._all}
        names = sorted(map(re.escape, {*self._all, *written}), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(names)})(?![A-Za-z0-9])", re.IGNORECASE)

    def text(self, text: str) -> str:
        """`text` with invented names."""
        if not self._all:
            return text
        return self._pattern.sub(lambda found: self._all.get(found[0].casefold(), "X"), text)

    def value(self, value: object) -> object:
        """Return a value of JSON with invented names in every string, also in keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            items = cast("Mapping[str, object]", value).items()
            return {self.text(key): self.value(item) for key, item in items}
        if isinstance(value, Sequence):
            return [self.value(item) for item in cast("Sequence[object]", value)]
        return value

    def recording(self, name: str, raw: bytes) -> bytes:
        """A recording with invented names in its string descriptors; image bytes stay. Raises ConfigError."""
        lines = decode(name, raw)
        return b"".join(encode(self._string(line) if isinstance(line, Transfer) else line) for line in lines)

    def _string(self, line: Transfer) -> Transfer:
        text = _string_of(line)
        if text is None:
            return line
        other = self.text(text)
        if other == text:
            return line
        other = other[: len(text)]  # a user's or a host's invented name may be longer, and a descriptor's room is not
        body = other.encode("utf-16-le", "surrogatepass")
        data = bytes((_HEADER + len(body), 3)) + body
        return replace(line, data=data, moved=len(data))


def serials_in_text(text: str) -> set[str]:
    """Return the serials that a text names as such."""
    return {*_SERIAL_IN_TEXT.findall(text), *_STRANGER_IN_TEXT.findall(text)}


def users_in_text(text: str) -> set[str]:
    """Return the users whose home directories a text names."""
    return set(_USER_IN_TEXT.findall(text))


def serials_in_recording(name: str, raw: bytes) -> set[str]:
    """Return the serial numbers that a recorded device gave. Raises ConfigError where it is no recording."""
    lines = decode(name, raw)
    index = 0
    found: set[str] = set()
    for line in lines:
        if not isinstance(line, Transfer):
            device = getattr(line, "device", b"")
            index = device[_SERIAL_INDEX] if len(device) > _SERIAL_INDEX else index
        elif index and line.value & 0xFF == index and (text := _string_of(line)):
            found.add(text)
    return found


def _string_of(line: Transfer) -> str | None:
    """The text of a string descriptor; None where it is something else, or the list of languages."""
    asked = (line.request_type, line.request, line.value >> 8)
    if asked != _GET_STRING or line.value & 0xFF == 0 or line.data is None or len(line.data) <= _HEADER:
        return None
    return line.data[_HEADER:].decode("utf-16-le", "replace")


def _distinct(names: Iterable[str]) -> list[str]:
    """In a stable order, without empty ones, compared without regard to case."""
    return sorted({name.casefold() for name in names if name.strip()})
