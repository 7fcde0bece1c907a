"""The words of boards on their consoles, as tests compare them."""

from collections.abc import Iterable

from flashdeck.console_kinds import ConsoleKind
from flashdeck.model import ConsoleEntry


def said(entries: Iterable[ConsoleEntry]) -> list[str]:
    """Return the lines that are not empty.

    Words may come before the port is set: the kernel makes two ends of a line of "\\r\\n" then, one of which is empty.
    """
    return [entry.text for entry in entries if entry.kind is ConsoleKind.LINE and entry.text]
