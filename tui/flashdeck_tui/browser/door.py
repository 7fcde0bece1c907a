"""The door: the first request of a connection, looked at as bytes before anybody else reads it. Pure.

A page of another site can send requests here, and a name that it owns can be made to mean this machine; another user of
this machine can connect as well. None of them knows the token. And where somebody has got it all the same, the request
must still name the address that was printed, and come from the page that is there.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final

from flashdeck.loopback import named_with_port
from flashdeck.text import clean

LONGEST_HEAD: Final = 32 * 1024
"""Bytes of a request, which carry the cookies that all other ports of this machine have set."""
SCREEN_PATH: Final = "/screen"
"""The path of the connection that carries a screen."""
END_OF_HEAD: Final = b"\r\n\r\n"
_REQUEST: Final = re.compile(rb"GET /([0-9A-Za-z_-]+)(/[0-9A-Za-z._/-]*)(\?[!-~]*)? HTTP/1\.1")
"""A path is written in one way: what the web server would decode, or cut off, is none of the paths here."""
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"[\t -~\x80-\xff]*")
_WITH_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Whatever has one of these is no request of a browser's for a page."""
_NEEDED: Final = frozenset(
    {b"host", b"origin", b"connection", b"upgrade", b"accept", b"accept-encoding"}
    | {b"sec-websocket-" + name for name in (b"key", b"version", b"extensions", b"protocol")}
)
"""The fields that are handed on. Others are of no use behind the door, as the cookies of all other ports here."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may come in."""

    head: bytes
    """It without the token, which nobody behind the door ever sees, and with no other fields than are needed there."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A request that is not answered."""

    reason: str = ""
    """The thing to tell whoever serves, where the token was right; "" for all others."""


@dataclass(frozen=True, slots=True)
class Door:
    """An address of this machine, and the token that opens it."""

    address: str
    """Of the loopback: 127.0.0.1 or ::1."""
    port: int
    token: str
    """Letters, digits, - and _."""

    @property
    def authority(self) -> str:
        """The machine and the port, as a browser names them."""
        return named_with_port(self.address, self.port)

    @property
    def origin(self) -> str:
        """The origin of pages from here."""
        return f"http://{self.authority}"

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"{self.origin}/{self.token}/"

    @property
    def screen_url(self) -> str:
        """The address of the connection that carries a screen."""
        return f"ws://{self.authority}/{self.token}{SCREEN_PATH}"

    def admits(self, head: bytes) -> Admitted | TurnedAway:
        """Return whether a request may come in; `head` is all of it up to its empty line, which belongs to it."""
        first, *lines = head.removesuffix(END_OF_HEAD).split(b"\r\n")
        request = _REQUEST.fullmatch(first)
        if request is None or not hmac.compare_digest(request[1], self.token.encode()):
            return TurnedAway()
        fields = [_field(line) for line in lines]
        names = {name for name, _ in fields}
        if b"" in names or names & _WITH_BODY:
            return TurnedAway()
        hosts = [value for name, value in fields if name == b"host"]
        if hosts != [self.authority.encode()]:
            return TurnedAway(f"it asks for {_shown(hosts)}: open the address exactly as it was printed")
        origins = [value for name, value in fields if name == b"origin"]
        path, query = request[2], request[3] or b""
        is_screen = path == SCREEN_PATH.encode()
        if origins != [self.origin.encode()] and (origins or is_screen):
            return TurnedAway(f"it comes from {_shown(origins)}, and not from the page here")
        kept = [line for line, (name, _) in zip(lines, fields, strict=True) if name in _NEEDED]
        return Admitted(b"\r\n".join((b"GET %s%s HTTP/1.1" % (path, query), *kept)) + END_OF_HEAD)


def _field(line: bytes) -> tuple[bytes, bytes]:
    """Return a header's name in small letters, and its value; the name is b"" where it is none."""
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        return b"", b""
    return name.lower(), value.strip(b" \t")


def _shown(values: list[bytes]) -> str:
    return clean(" and ".join(value.decode("latin-1") for value in values), 60) or "nowhere"
