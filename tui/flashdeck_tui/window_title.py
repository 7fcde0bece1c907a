"""The title of the terminal's window: how the boards are, in a few words. Pure, but for TERM."""

import os
from collections import Counter
from typing import Final

from flashdeck.problems import ProblemKind
from flashdeck.text import clean
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.link import LinkStatus

LONGEST_TITLE: Final = 80
"""Characters of the title."""
MOST_CONDITIONS: Final = 3
"""Conditions that it names, the worst ones."""
PUSH: Final = "\x1b[22;2t"
"""The terminal keeps the title that it has (xterm's control sequences, XTWINOPS) ..."""
POP: Final = "\x1b[23;2t"
"""... and takes it again."""
_TOLD: Final = {ProblemKind.FAILED: "FAILED"}
_QUIET: Final = frozenset(
    (ProblemKind.CURRENT, ProblemKind.NO_BUILD, ProblemKind.ABSENT, ProblemKind.NOT_CURRENT, ProblemKind.OFFERED)
)
"""Conditions that nobody has to look at a screen for."""
_WITHOUT_TITLE: Final = ("linux", "vt100", "vt102", "vt220", "vt320", "cons25")
"""Values of TERM for what has no window, and would show the sequence."""


def title_of(fleet: Fleet) -> str:
    """Return the title of the window that shows these daemons."""
    found = Counter[ProblemKind]()
    for host in fleet:
        found.update(host.store.counts())
    told = [
        f"{found[kind]} {_TOLD.get(kind, kind.value)}" for kind in ProblemKind if found[kind] and kind not in _QUIET
    ]
    away = [host for host in fleet if host.link.state.status is LinkStatus.DISCONNECTED]
    if away:
        told.insert(0, "not connected" if len(away) == len(fleet.hosts) else f"{len(away)} hosts not connected")
    return clean(f"flashdeck: {', '.join(told[:MOST_CONDITIONS])}" if told else "flashdeck", LONGEST_TITLE)


def sequence(title: str) -> str:
    """Return what makes a terminal show this title (OSC 2)."""
    told = clean(title, LONGEST_TITLE)
    return f"\x1b]2;{told}\x07"


def has_title() -> bool:
    """True if TERM is not that of a terminal without a window's title."""
    return os.environ.get("TERM", "").partition("-")[0] not in _WITHOUT_TITLE
