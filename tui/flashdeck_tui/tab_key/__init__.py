"""The words that may stand on a command line, for a shell that asks.

A process of its own for each press of the Tab key: nothing here imports click, msgspec, asyncio or a command, for the
words of all commands are a table that was made of them (`make schema`).
"""

from typing import Final

COMPLETE_VARIABLE: Final = "_FLASHDECK_COMPLETE"
"""Set by a shell that asks how a command line may go on."""
