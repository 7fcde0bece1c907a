"""The command line: `flashdeck COMMAND`. One module a command in `commands`."""

import os
import sys
from collections.abc import Sequence

from flashdeck_tui.tab_key import COMPLETE_VARIABLE


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return its exit code.

    Or answer a shell that asks how a command line may go on: somebody waits with a finger on the Tab key, so that
    nothing else is imported for it.
    """
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from flashdeck_tui.tab_key.answer import answer  # noqa: PLC0415 - only where a shell asks

        return answer(instruction)
    from flashdeck_tui.cli.command_line import run  # noqa: PLC0415 - only where none does

    return run(sys.argv[1:] if args is None else args)
