"""Sockets of daemons that were ended hard: a client finds them, and nobody listens."""

import socket
from collections.abc import Iterator
from pathlib import Path

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import clean
from flashdeckd.diagnosis.machine.surroundings import Surroundings
from flashdeckd.host import files


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield those at places where a client looks."""
    for path in around.sockets:
        if files.is_socket(path) and not _listens(path):
            yield Finding(
                code="stale-socket",
                severity=Severity.NOTE,
                seen=f"nobody listens at the socket {clean(str(path))}",
                means="a daemon was ended there without a chance to clean up; clients pass it over",
                mend=f'rm "{clean(str(path))}"; the next daemon at this place does that by itself',
            )


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # it has no time for us, or we may not: somebody is there
    return True
