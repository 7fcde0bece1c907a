"""Emulated boards as a table."""

from collections.abc import Sequence

from flashdeck.api import VirtualBoardState
from flashdeck.text import MAX_PATH, clean
from flashdeck_tui.cli.table import Cell, table


def board_table(boards: Sequence[VirtualBoardState]) -> str:
    """The boards with their counters, and below them their serial ports and what a host did wrong."""
    head = ["BOARD", "MODEL", "PORT", "MODE", "ERASES", "WORDS", "REQUESTS", "DOWN", "UP", "BYTES", "SLEEPS", "WRONG"]
    rows: list[list[str | Cell]] = [
        [board.name, board.model, board.port, board.mode]
        + [
            Cell(str(count), right=True)
            for count in (
                board.erases,
                board.words,
                board.requests,
                board.downloads,
                board.uploads,
                board.bytes_down + board.bytes_up,
                board.sleeps,
                len(board.violations),
            )
        ]
        for board in boards
    ]
    wrong = [clean(f"{board.name}: {violation}") for board in boards for violation in board.violations]
    ports = [
        clean(f"{board.name}: {what} {path}", MAX_PATH)
        for board in boards
        for what, path in (("serial port", board.tty), ("UART", board.uart))
        if path
    ]
    return "\n".join([table(head, rows), *ports, *wrong])
