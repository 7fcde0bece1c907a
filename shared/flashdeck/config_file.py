"""Reads the configuration from TOML and checks all of it, so that nothing behind it has to.

All mistakes of all its files are one ConfigError that names for each file, table and key, what was seen and what to do.
"""

import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from flashdeck.config import Board, Config, Hooks, Host, Metrics, Profile, UsbId
from flashdeck.config_record import RECORD_NAME, ConfigRecord, record_from
from flashdeck.config_screen import ScreenTable
from flashdeck.config_tables import (
    AdoptedTable,
    BoardFileTable,
    BoardTable,
    ConfigTable,
    DaemonTable,
    ProfileTable,
    SlotTable,
)
from flashdeck.errors import ConfigError
from flashdeck.paths import BOARD_FILE_NAME, absolute, board_file_path, default_config_path
from flashdeck.text import MAX_PATH, clean
from flashdeck.toml.reader import MAX_FILE_SIZE, parse_values, read_table, read_values
from flashdeck.toml.spellings import expanded
from flashdeck.toml.tables import Mistake, Mistakes, Place, Table, WrongValueError
from flashdeck.toml.values import nearest

T = TypeVar("T", bound=Table)
Parsed = tuple[Mapping[str, object], Place]
"""The values that TOML makes of a file, and the place that its top is."""
MAX_FILES = 64
BOARD_FILE_BEGIN = "# flashdeckd wrote this file, to its last line."
"""The beginning of boards.toml: a file that begins so has been cut where its last line is missing."""
BOARD_FILE_END = "# the end"
"""Its last line."""
_AGAIN = "put it back, or take the board out of this file and adopt it again"


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration as it was read: taken, or refused as a whole."""

    files: tuple[Path, ...]
    """Every file that was looked for, also those that are not there: a change of any of them changes the outcome."""
    config: Config | None = None
    """None where it was refused."""
    error: ConfigError | None = None
    """All that is wrong with it."""

    def checked(self) -> Config:
        """Return the configuration. Raises ConfigError for everything that is wrong."""
        if self.config is None:
            raise self.error or ConfigError("there is no configuration")
        return self.config


def reading_of(path: Path, *, with_board_file: bool = True) -> Reading:
    """Read the configuration in `path`, the files that it includes, and the boards.toml beside it."""
    board_file = board_file_path(path)
    files = _Files(os.path.realpath(board_file), Mistakes())
    try:
        files.read(_main_file(path))
        config = _checked(list(files.tables.values()), board_file if with_board_file else None, files.mistakes)
    except ConfigError as error:
        return Reading((*files.sought, board_file), error=error)
    return Reading((*files.sought, board_file), config)


def proposed(main: Path, file: Path, text: str) -> Config:
    """Return the configuration as it would be with `text` in `file`: the main file, or one that it will include.

    Raises ConfigError for everything that would be wrong.
    """
    board_file = board_file_path(main)
    files = _Files(os.path.realpath(board_file), Mistakes())
    including: tuple[str, ...] = ()
    if absolute(file) != absolute(main) and not _is_absent(main):
        files.read(_main_file(main))
        including = (os.path.realpath(main),)
    files.read(absolute(file), including, parse_values(text.encode(errors="surrogateescape"), absolute(file)))
    return _checked(list(files.tables.values()), board_file, files.mistakes)


def _main_file(path: Path) -> Path:
    main = absolute(path)
    if main.name == BOARD_FILE_NAME:
        raise ConfigError(
            f"{_shown(main)}: this name belongs to the file that flashdeckd writes beside the configuration",
            hint="give the configuration another name",
        )
    return main


def default_reading(
    *, virtual: bool = False, with_board_file: bool = True, environ: Mapping[str, str] = os.environ
) -> Reading:
    """Read the configuration at its default place; where there is no file, an empty one with what boards.toml has."""
    path = default_config_path(virtual=virtual, environ=environ)
    if not _is_absent(path):
        return reading_of(path, with_board_file=with_board_file)
    board_file = board_file_path(path)
    try:
        config = _checked([], board_file if with_board_file else None, Mistakes())
    except ConfigError as error:
        return Reading((path, board_file), error=error)
    return Reading((path, board_file), config)


def screen_table(environ: Mapping[str, str] = os.environ) -> ScreenTable:
    """Return [tui] of the configuration at its default place, as it is where there is no file.

    What else is wrong with that file is not the screen's business: only what is in this table raises ConfigError, and a
    file that cannot be read as TOML.
    """
    path = default_config_path(environ=environ)
    if _is_absent(path):
        return ScreenTable()
    values, place = read_values(path)
    mistakes = Mistakes()
    table = read_table(ConfigTable, {name: values[name] for name in values.keys() & {"tui"}}, place, mistakes).tui
    mistakes.refuse()
    return table


def load(path: Path) -> Config:
    """Return the configuration in `path`. Raises ConfigError for everything that is wrong."""
    return reading_of(path).checked()


def default_config(*, virtual: bool = False, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration at its default place; where there is no file, an empty one with what boards.toml has."""
    return default_reading(virtual=virtual, environ=environ).checked()


def record_in(place: Path) -> ConfigRecord | None:
    """Return the record of the daemon with this state directory; None where there is none that can be read."""
    try:
        return record_from((place / RECORD_NAME).read_bytes())
    except (OSError, ValueError):
        return None


def board_file_damage(path: Path) -> str:
    """Return why what boards.toml says cannot be trusted: it is no TOML, or its end is missing. "" where it can be.

    Also "" where it is not there, or cannot be read: nothing is wrong with what it says then.
    """
    if not path.is_file():  # a pipe would be waited for; reading it says what is wrong
        return ""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_SIZE).decode()
        tomllib.loads(text)
    except OSError:
        return ""
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte {error.start})"
    except (ValueError, RecursionError) as error:
        return f"is not valid TOML: {clean(str(error))}"
    # Older releases wrote no last line, and began otherwise; what is shorter than a beginning may be either.
    is_ours = BOARD_FILE_BEGIN.startswith(text[: len(BOARD_FILE_BEGIN)])
    is_whole = text.rstrip().rpartition("\n")[2] == BOARD_FILE_END
    return "has lost its end" if is_ours and not is_whole else ""


def _checked(files: Sequence[ConfigTable], board_file: Path | None, mistakes: Mistakes) -> Config:
    written = None if board_file is None or _is_absent(board_file) else _read_board_file(board_file, mistakes)
    tables = _FileTables.of(files, mistakes)
    adopted = written.boards if written else {}
    if not any("profiles" in file.place.wrong for file in files):
        named = (*tables.boards.values(), *adopted.values(), *tables.slots.values())
        mistakes += _without_profile(named, tables.profiles)
    mistakes += _mistakes_of_boards(tables, adopted)
    mistakes += _mistakes_of_slots(tables, adopted)
    hooks = _hooks_of(files, mistakes)
    mistakes.refuse()
    daemon = files[0].daemon if files else DaemonTable()
    profiles = {name: table.resolved(name, daemon.settle) for name, table in tables.profiles.items()}
    return Config(
        profiles,
        {
            name: _board(name, table, profiles, tables.boards.get(name, table).place.file)
            for name, table in {**tables.boards, **adopted}.items()
        }
        | {name: _slot(name, table, profiles) for name, table in tables.slots.items()},
        tuple(table.place.file for table in (*files, *([written] if written else []))),
        frozenset(written.disarmed) if written else frozenset(),
        frozenset(written.once) if written else frozenset(),
        hooks=hooks,
        included_hooks={str(file.place.file): file.hooks for file in files[1:] if file.hooks != Hooks()},
        daemon=daemon.resolved(),
        metrics=files[0].metrics if files else Metrics(),
        labgrid=files[0].labgrid if files else None,
        hosts=tables.hosts,
        screen=files[0].tui if files else ScreenTable(),
    )


def _board(name: str, table: BoardTable, profiles: Mapping[str, Profile], file: Path) -> Board:
    pins = table.pinned if isinstance(table, AdoptedTable) else None
    return Board(name, profiles[table.profile], pins, file, serial=table.serial, port=table.port)


def _slot(name: str, table: SlotTable, profiles: Mapping[str, Profile]) -> Board:
    return Board(name, profiles[table.profile], file=table.place.file, port=table.port, slot=table.resolved)


def _hooks_of(files: Sequence[ConfigTable], mistakes: Mistakes) -> Hooks:
    """Return the hooks of all files, of which each may be in one file only."""
    hooks, places = Hooks(), dict[str, Place]()
    for table in (file.hooks for file in files):
        for name in sorted(table.place.given):
            first = places.setdefault(name, table.place)
            if first is not table.place:
                mistakes.append(table.place.mistake(name, f"is also in {first.where(name)}", "keep one of the two"))
            else:
                hooks = replace(hooks, **{name: getattr(table, name)})
    return hooks


# Files


def _is_absent(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # something is there, and `load` says what is wrong with it
    return False


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that people write: the main one first, each before what it includes."""

    board_file: str
    mistakes: Mistakes
    tables: dict[str, ConfigTable] = field(default_factory=dict[str, ConfigTable])
    """By real path: two names of one file are a repeat as well."""
    sought: list[Path] = field(default_factory=list[Path])
    """Every file that was looked for."""

    def read(self, path: Path, including: tuple[str, ...] = (), parsed: Parsed | None = None) -> None:
        """Read a file, and those that it includes; `including` are the real paths of those that include it.

        With `parsed` that is what the file has.
        """
        self.sought.append(path)
        values, place = read_values(path) if parsed is None else parsed
        real = os.path.realpath(path)
        top = self.tables[real] = read_table(ConfigTable, values, place, self.mistakes)
        for name in ("daemon", "labgrid", "metrics", "tui"):
            if including and name in values:
                problem = "only the main file may have this table"
                self.mistakes.append(top.place.mistake(name, problem, "move it there"))
        for text in top.include:
            try:
                self._include(expanded(text, path.parent), (*including, real))
            except WrongValueError as error:
                self.mistakes.append(top.place.mistake("include", str(error), error.hint))

    def _include(self, path: Path, including: tuple[str, ...]) -> None:
        real = os.path.realpath(path)
        if real in including:
            raise WrongValueError(f"{_shown(path)} is included by itself", "take it out")
        if real in self.tables:
            raise WrongValueError(f"{_shown(path)} is included a second time", "include it once")
        if real == self.board_file:
            raise WrongValueError(f"{_shown(path)} is always read", "take it out")
        if len(self.tables) >= MAX_FILES:
            raise WrongValueError(f"more than {MAX_FILES} files")
        try:
            self.read(path, including)
        except ConfigError as error:
            raise WrongValueError(error.message, error.hint) from error


def _read_board_file(path: Path, mistakes: Mistakes) -> BoardFileTable:
    hint = "start flashdeckd: it sets the file aside and disarms all boards; those that it adopted are adopted again"
    values, place = read_values(path, hint=hint)
    if damage := board_file_damage(path):
        raise ConfigError(f"{_shown(path)}: {damage}", hint=hint)
    return read_table(BoardFileTable, values, place, mistakes)


# Across files


@dataclass(frozen=True, slots=True)
class _FileTables:
    """The tables of all files that people write."""

    profiles: Mapping[str, ProfileTable]
    boards: dict[str, BoardTable]
    slots: dict[str, SlotTable]
    hosts: dict[str, Host]

    @classmethod
    def of(cls, files: Sequence[ConfigTable], mistakes: Mistakes) -> "_FileTables":
        profiles: dict[str, ProfileTable] = {}
        boards: dict[str, BoardTable] = {}
        slots: dict[str, SlotTable] = {}
        hosts: dict[str, Host] = {}
        for file in files:
            mistakes += (*_add(profiles, file.profiles), *_add(boards, file.boards), *_add(hosts, file.hosts))
            mistakes += _add(slots, file.slots)
        return cls(profiles, boards, slots, hosts)


def _add(known: dict[str, T], more: Mapping[str, T]) -> Iterator[Mistake]:
    """Add what is not known yet; yield a mistake for each of the others."""
    for name, table in more.items():
        if (first := known.setdefault(name, table)) is not table:
            yield table.place.mistake("", f"is also in {first.place.where()}", "rename one of the two")


def _without_profile(boards: Iterable[BoardTable | SlotTable], profiles: Collection[str]) -> Iterator[Mistake]:
    for table in boards:
        if table.profile not in profiles and "profile" not in table.place.wrong:
            problem = f'there is no profile "{clean(table.profile, 40)}"'
            hint = _AGAIN if isinstance(table, AdoptedTable) else nearest(table.profile, profiles)
            yield table.place.mistake("profile", problem, hint)


def _mistakes_of_boards(tables: _FileTables, adopted: Mapping[str, AdoptedTable]) -> list[Mistake]:
    found: list[Mistake] = []
    for name in adopted.keys() & tables.boards.keys():
        found += _completion(name, tables.boards[name], adopted[name])
    boards = {**tables.boards, **adopted}
    for (one_name, one), (other_name, other) in combinations(boards.items(), 2):
        same = (one.serial, one.port) == (other.serial, other.port)
        if same and (one.serial or one.port) and _ids(one, tables) & _ids(other, tables):
            what = [key for key in ("serial", "port") if getattr(one, key)]
            problem = f"board {other_name} has the same {' and '.join(what)} as board {one_name} in {one.place.where()}"
            hint = "each board needs a serial or a port of its own"
            if isinstance(other, AdoptedTable) and not isinstance(one, AdoptedTable):
                hint = _one_of(one_name, one, other_name, other)
            found.append(other.place.mistake(what[0], problem, hint))
    return found


def _mistakes_of_slots(tables: _FileTables, adopted: Mapping[str, AdoptedTable]) -> Iterator[Mistake]:
    """Yield slots that have the name or the port of a board, or the port of another slot with the same kind of units.

    A board that is told by its port would be taken for a unit, or a unit for the board.
    """
    boards = {**tables.boards, **adopted}
    for name, slot in tables.slots.items():
        if (same := boards.get(name)) is not None:
            problem = f"a board has this name, too, in {same.place.where()}"
            yield slot.place.mistake("", problem, "rename one of the two: a slot has a queue like a board")
        for other_name, board in boards.items():
            if board.port and board.port == slot.port and "port" not in slot.place.wrong:
                problem = f"board {other_name} has the same port, in {board.place.where()}"
                yield slot.place.mistake("port", problem, "a port is either a board's or a slot's")
    for (one_name, one), (other_name, other) in combinations(tables.slots.items(), 2):
        if one.port == other.port and one.port and _ids(one, tables) & _ids(other, tables):
            problem = f"slot {other_name} has the same port as slot {one_name} in {one.place.where()}"
            yield other.place.mistake("port", problem, "each slot needs a port of its own")


def _one_of(written_name: str, written: BoardTable, adopted_name: str, adopted: AdoptedTable) -> str:
    """Return what to do where a board that a person wrote is one that flashdeck has adopted already."""
    theirs, ours = f"[boards.{written_name}]", f"[boards.{adopted_name}] and [boards.{adopted_name}.pinned]"
    return (
        f"keep one: take {ours} out of {_shown(adopted.place.file)}, which flashdeckd wrote when it was adopted, "
        f"or {theirs} out of {_shown(written.place.file)}"
    )


def _completion(name: str, written: BoardTable, adopted: AdoptedTable) -> list[Mistake]:
    """Return why an adopted board does not complete the one of the same name that a person wrote."""
    file = _shown(written.place.file)
    if written.place.mentions("serial", "port"):
        problem = f"is also in {written.place.where()}, with a serial or a port of its own"
        return [adopted.place.mistake("", problem, _one_of(name, written, name, adopted))]
    if written.profile != adopted.profile and "profile" not in written.place.wrong | adopted.place.wrong:
        problem = f'"{clean(adopted.profile, 40)}", and {file} says "{clean(written.profile, 40)}"'
        return [adopted.place.mistake("profile", problem, "take the board out of this file and adopt it again")]
    return []


def _ids(board: BoardTable | SlotTable, tables: _FileTables) -> frozenset[UsbId]:
    profile = tables.profiles.get(board.profile)
    return frozenset(each for each in (profile.dfu, profile.app) if each) if profile else frozenset()


def _shown(path: Path) -> str:
    return clean(str(path), MAX_PATH)
