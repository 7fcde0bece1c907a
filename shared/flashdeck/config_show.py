"""A checked configuration, written out: as TOML that reads back to the same, and as plain values for JSON."""

from collections.abc import Iterable

from flashdeck.config import Board, Config, Hooks, Metrics, Pins, Profile, SlotKeys
from flashdeck.config_screen import ScreenTable
from flashdeck.config_tables import AdoptedTable, BoardFileTable, BoardTable, DaemonTable, ProfileTable, SlotTable
from flashdeck.paths import BOARD_FILE_NAME
from flashdeck.toml.values import quoted
from flashdeck.toml.writer import to_lines, to_plain


def to_builtins(config: Config) -> dict[str, object]:
    """The resolved values under the keys of the file, defaults included, as JSON can carry them."""
    boards = {name: to_plain(_board(board)) for name, board in config.boards.items() if board.slot is None}
    for name, board in config.boards.items():
        if board.pins is not None:
            boards[name]["pinned"] = {"map": board.pins.map, "bcd_device": board.pins.bcd_device}  # also an empty map
    return {
        "files": [str(file) for file in config.files],
        "daemon": to_plain(DaemonTable.of(config.daemon)),
        "hooks": to_plain(config.hooks),
        "metrics": to_plain(config.metrics),
        **({} if config.labgrid is None else {"labgrid": to_plain(config.labgrid)}),
        "profiles": {name: to_plain(ProfileTable.of(profile)) for name, profile in config.profiles.items()},
        "boards": boards,
        "slots": {
            name: to_plain(_slot(board.profile, board.slot)) for name, board in config.boards.items() if board.slot
        },
        "hosts": {name: to_plain(host) for name, host in config.hosts.items()},
        "tui": to_plain(config.screen),
        "disarmed": sorted(config.disarmed),
        "once": sorted(config.once),
    }


def to_toml(config: Config) -> str:
    """The resolved values, defaults included, as one file without includes.

    What boards.toml has is in comments, since a person's file may not have it: with that file beside it, the text reads
    back to the same.
    """
    lines = [f"# {quoted(str(file))}" for file in config.files] or ["# no configuration file"]
    lines += to_lines(DaemonTable.of(config.daemon), "daemon") if config.files else ()
    rare = {"hooks": (config.hooks, Hooks()), "metrics": (config.metrics, Metrics()), "labgrid": (config.labgrid, None)}
    for name, (table, usual) in rare.items():
        if table is not None and table != usual:
            lines += to_lines(table, name)
    for name, profile in config.profiles.items():
        lines += to_lines(ProfileTable.of(profile), "profiles", name)
    for name, board in config.boards.items():
        if board.slot is not None:
            lines += to_lines(_slot(board.profile, board.slot), "slots", name)
        elif board.pins is None:
            lines += to_lines(_board(board), "boards", name)
    for name, host in config.hosts.items():
        lines += to_lines(host, "hosts", name)
    if config.screen != ScreenTable():
        lines += to_lines(config.screen, "tui")
    board_file = board_file_table(config.boards.values(), config.disarmed, config.once)
    if board_file.boards or board_file.disarmed or board_file.once:
        written = ("", f"{BOARD_FILE_NAME}, which flashdeckd writes:", *to_lines(board_file))
        lines += (f"# {line}".rstrip() for line in written)
    return "\n".join(lines) + "\n"


def board_file_table(boards: Iterable[Board], disarmed: Iterable[str], once: Iterable[str] = ()) -> BoardFileTable:
    """Return boards.toml: those of `boards` that have pins, the disarmed ones, and those armed for one job."""
    adopted = {board.name: _adopted(board, board.pins) for board in boards if board.pins is not None}
    return BoardFileTable(disarmed=tuple(sorted(disarmed)), once=tuple(sorted(once)), boards=adopted)


def _board(board: Board) -> BoardTable:
    if board.pins is not None:
        return _adopted(board, board.pins)
    return BoardTable(profile=board.profile.name, serial=board.serial, port=board.port)


def _slot(profile: Profile, slot: SlotKeys) -> SlotTable:
    return SlotTable.of(slot, profile.name)


def _adopted(board: Board, pins: Pins) -> AdoptedTable:
    return AdoptedTable(profile=board.profile.name, serial=board.serial, port=board.port, pinned=pins)
