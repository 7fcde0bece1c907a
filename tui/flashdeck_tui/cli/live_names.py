"""Kinds of names that a shell completes from the running daemon, as marks on options and arguments.

`make schema` writes them into the table by which `flashdeck_tui.tab_key` asks; nothing is asked here.
"""

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[str]]"]
"""Returns an item for each kind of value; its type is the kind."""


def _of(*kinds: str) -> Complete:
    def complete(_context: click.Context, _parameter: click.Parameter, _incomplete: str) -> "list[CompletionItem[str]]":
        return [CompletionItem("", type=kind) for kind in kinds]

    return complete


def fixed(*words: str) -> Complete:
    """Return what proposes these words, where others may be typed, too: a daemon of another release may know more."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return complete


boards = _of("boards")
"""The configured boards."""
slots = _of("slots")
"""The slots alone."""
lots = _of("lots")
"""The lots, also those that have ended."""
lots_going_on = _of("lots going on")
partitions = _of("partitions")
"""The partitions of all boards that can be flashed."""
partitions_or_file = _of("partitions", "file")
profiles = _of("profiles")
"""The profiles of the configured boards."""
strangers = _of("devices")
"""The ports of the DFU devices that are no configured board."""
virtual_boards = _of("virtual boards")
"""The boards of an emulated bench."""
jobs_to_cancel = _of("jobs to cancel")
"""The jobs that have not ended."""
jobs_to_move = _of("jobs to move")
"""The jobs that have not begun."""
jobs_to_retry = _of("jobs to retry")
"""The jobs that have ended, or are blocked."""
