"""Answers a shell when somebody presses Tab, and prints the script that makes it ask.

The protocol is click's: the script runs `flashdeck` with `COMPLETE_VARIABLE` and the words so far in its environment.
"""

import os
from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from flashdeck_tui.cli.output import put
from flashdeck_tui.cli.root import COMPLETE_VARIABLE

_PROGRAM: Final = "flashdeck"


class _Bash(BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words so far, and the one to complete: bash makes three words of `--board=left`."""
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], "" if incomplete == "=" else incomplete


SHELLS: Final[dict[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": ZshComplete, "fish": FishComplete}


def script(shell: str, root: click.Command) -> str:
    """Return what `shell` has to read so that it completes the command line of `root`."""
    kind = SHELLS[shell]
    made = kind(root, {}, _PROGRAM, COMPLETE_VARIABLE)
    # Not `made.source()`: click's starts another bash to look at its version.
    return (kind.source_template % made.source_vars()).rstrip("\n")


def answer(instruction: str, root: click.Command) -> int:
    """Carry out `bash_source` (print the script) or `bash_complete` (print what may stand here); return the exit code.

    No command runs, and nothing else is said: what a shell asks in passing must not write over the line that somebody
    types.
    """
    shell, _, wanted = instruction.partition("_")
    if shell not in SHELLS or wanted not in {"source", "complete"}:
        return 1
    if wanted == "source":
        put(script(shell, root))
        return 0
    if not os.environ.get("COMP_CWORD", "").isdecimal() and shell != "fish":
        return 1
    if "COMP_WORDS" not in os.environ or "COMP_CWORD" not in os.environ:
        return 1
    try:
        found = SHELLS[shell](root, {}, _PROGRAM, COMPLETE_VARIABLE).complete()
    except (click.ClickException, click.exceptions.Exit, KeyboardInterrupt):
        return 1
    if found:
        put(found)
    return 0
