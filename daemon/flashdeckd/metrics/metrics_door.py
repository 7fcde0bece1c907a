"""Decides who may have the numbers, by a request as values. Pure.

On the loopback every user of the machine can connect, and every page in a browser here can make it do so. The uid at
the other end, which the kernel knows, would not do: Prometheus mostly runs as a user of its own, and what forwards a
port (ssh, a container) connects as whoever it runs as. So the secret in a file that only our user can read is asked
for: whoever shows it was given it by us. A Unix socket asks the kernel, as the daemon's own does.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flashdeck.loopback import LoopbackPort

PATH: Final = b"/metrics"
_METHODS: Final = frozenset({b"GET", b"HEAD"})
_BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
_SCHEME: Final = b"bearer"

Fields = Iterable[tuple[bytes, bytes]]
"""Names in small letters, and values."""


@dataclass(frozen=True, slots=True)
class Welcomed:
    """A request that is answered with the numbers."""

    accept: str
    """The formats that are wanted."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A request that is not."""

    status: HTTPStatus
    text: str
    """The reason, in a sentence."""


@dataclass(frozen=True, slots=True)
class MetricsDoor:
    """The place that is asked, and the token that it wants."""

    at: LoopbackPort | None = None
    """None for a Unix socket: who is there was asked before."""
    token: str = ""

    def admits(self, method: bytes, target: bytes, fields: Fields) -> Welcomed | Declined:
        """Return whether a request is answered."""
        fields = list(fields)
        if self.at is not None and not self._is_shown(fields):
            return Declined(
                HTTPStatus.UNAUTHORIZED, "show the token of the state directory, as Authorization: Bearer TOKEN"
            )
        if self.at is not None and _values(fields, b"host") not in ([each] for each in self._hosts(self.at)):
            # A name that somebody has made to mean this machine is none of these.
            return Declined(HTTPStatus.MISDIRECTED_REQUEST, f"ask {self.at.authority}, and no other name")
        if method not in _METHODS:
            return Declined(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered")
        if {name for name, _ in fields} & _BODY:
            return Declined(HTTPStatus.BAD_REQUEST, "a request for numbers has no body")
        if target.partition(b"?")[0] != PATH:
            return Declined(HTTPStatus.NOT_FOUND, f"the numbers are at {PATH.decode()}")
        return Welcomed(b",".join(_values(fields, b"accept")).decode("latin-1"))

    def _is_shown(self, fields: Fields) -> bool:
        shown = _values(fields, b"authorization")
        scheme, _, token = shown[0].partition(b" ") if len(shown) == 1 else (b"", b"", b"")
        is_token = hmac.compare_digest(token.strip(b" "), self.token.encode())
        return bool(self.token) and scheme.lower() == _SCHEME and is_token

    @staticmethod
    def _hosts(at: LoopbackPort) -> tuple[bytes, ...]:
        """Return the names by which the place may be asked for: a port may be there where it need not."""
        named = (at.authority, str(at), *((f"localhost:{at.port}",) if ":" not in at.address else ()))
        return tuple(each.encode() for each in named)


def _values(fields: Fields, wanted: bytes) -> list[bytes]:
    return [value for name, value in fields if name == wanted]
