"""Answers a shell when somebody presses Tab, and prints the script that makes it ask."""

import os
import sys

from flashdeck_tui.tab_key.going_on import going_on
from flashdeck_tui.tab_key.live_words import names
from flashdeck_tui.tab_key.shells import FILES, SHELLS
from flashdeck_tui.tab_key.word_table import load


def answer(instruction: str) -> int:
    """Carry out `bash_source` (print the script) or `bash_complete` (print what may stand here); return the exit code.

    No command runs, and nothing else is said: what a shell asks in passing must not write over the line that somebody
    types.
    """
    name, _, wanted = instruction.partition("_")
    shell = SHELLS.get(name)
    if shell is None or wanted not in {"source", "complete"}:
        return 1
    try:
        if wanted == "source":
            _print(shell.script)
            return 0
        words, begun = shell.asked(os.environ)
        found = going_on(load(), words, begun)
        offered = [*found.words, *names(found)]
        # Where a name may stand, a file is offered once it can be no name any more.
        files = "" if offered else next((kind for kind in found.kinds if kind in FILES), "")
        _print("\n".join(shell.answered(offered, files, found.begun, found.before)))
    except (LookupError, ValueError, OSError, KeyboardInterrupt):
        return 1
    return 0


def _print(text: str) -> None:
    if text:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
