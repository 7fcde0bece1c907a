"""Addresses of this machine alone, as people type them: what listens beside the socket listens there. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.spellings import expanded, read_text
from flashdeck.toml.tables import WrongValueError

_HTTP_PORT: Final = 80
"""The one that an address does not name."""
_LAST_PORT: Final = 0xFFFF
"""A port has 16 bits (RFC 9293, 3.1)."""
_WITH_PORT: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:/]*):(?P<port>[0-9]{1,5})", re.ASCII)
_EXAMPLE: Final = 'write an address of this machine and a port, as "127.0.0.1:9820", or the path of a socket'


@dataclass(frozen=True, slots=True)
class ListenAt:
    """A place of this machine where something listens: one of the two below."""


@dataclass(frozen=True, slots=True)
class LoopbackPort(ListenAt):
    """A port of the loopback."""

    address: str
    """127.0.0.1, another one of 127.0.0.0/8, or ::1."""
    port: int

    @property
    def authority(self) -> str:
        """The machine and the port, as a URL names them."""
        return named_with_port(self.address, self.port)

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SocketFile(ListenAt):
    """A Unix socket."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


def named_with_port(address: str, port: int) -> str:
    """Return an address and a port as the part of a URL that they are."""
    host = f"[{address}]" if ":" in address else address
    return host if port == _HTTP_PORT else f"{host}:{port}"


def loopback(text: str) -> str | None:
    """Return the address of the loopback that somebody typed, in its usual form; None where it is another one."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # Not by `is_loopback` alone: it depends on Python's release for addresses of IPv4 in IPv6.
    is_ours = address.is_loopback and (address.version == 4 or str(address) == "::1")  # noqa: PLR2004 - IPv4
    return str(address) if is_ours else None


def listen_at(value: object, folder: Path) -> ListenAt:
    """Return what a key says of where to listen; raises WrongValueError for any place that others can reach."""
    text = read_text(value, MAX_PATH)
    if text.startswith(("/", "~")):
        return SocketFile(expanded(text, folder))
    typed = _WITH_PORT.fullmatch(text)
    if typed is None or not 0 < int(typed["port"]) <= _LAST_PORT:
        raise WrongValueError(f'"{clean(text, 60)}" is neither an address with a port nor a whole path', _EXAMPLE)
    address = loopback(typed["host"].strip("[]"))
    if address is None:
        told = f'"{clean(text, 60)}" can be reached from other machines, and only this one may'
        raise WrongValueError(told, f"{_EXAMPLE}; from elsewhere, ssh brings the port over (ssh -L)")
    return LoopbackPort(address, int(typed["port"]))
