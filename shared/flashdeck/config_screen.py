"""The keys of [tui], the screen's table of the configuration. Nothing of it matters to the daemon. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from flashdeck.names import did_you_mean
from flashdeck.screen_keys import ALL_KEYS, WrongKeyError, checked_key, clashes
from flashdeck.text import clean
from flashdeck.toml.spellings import read_text
from flashdeck.toml.tables import Mistake, Spelling, Table, WrongValueError, key, spelled


class ThemeName(StrEnum):
    """The colours of the screen."""

    DARK = "dark"
    LIGHT = "light"
    HIGH_CONTRAST = "high-contrast"
    ANSI_DARK = "ansi-dark"
    """The terminal's own colours, on a dark background ..."""
    ANSI_LIGHT = "ansi-light"
    """... and on a light one."""


class Notify(StrEnum):
    """The way in which the terminal is told of a failure."""

    OFF = "off"
    BELL = "bell"
    OSC9 = "osc9"
    """A notification of the desktop, where the terminal makes one of OSC 9."""


def _action(value: object, _folder: Path) -> str:
    name = read_text(value)
    if name not in ALL_KEYS:
        hint = did_you_mean(name, ALL_KEYS) or "the help of the screen (?) names all actions"
        raise WrongValueError(f'there is no action "{clean(name, 40)}"', hint)
    return name


def _key(value: object, _folder: Path) -> str:
    try:
        return checked_key(read_text(value))
    except WrongKeyError as error:
        raise WrongValueError(str(error), error.hint) from error


Action = Annotated[str, spelled(Spelling(_action, {"enum": sorted(ALL_KEYS)}))]
KeyText = Annotated[str, spelled(Spelling(_key, {"type": "string", "minLength": 1}))]


@dataclass(frozen=True, kw_only=True)
class ScreenTable(Table):
    """The screen; only in the main file. The daemon needs none of it."""

    theme: Annotated[
        ThemeName | None, key("Colours. Default: those that were chosen last on the screen, else dark.")
    ] = None
    ascii: Annotated[
        bool | None, key("true: nothing but ASCII is drawn. Default: as the locale says (LC_ALL, LC_CTYPE, LANG).")
    ] = None
    mouse: Annotated[bool, key("false: the terminal keeps the mouse to itself, as to select and copy.")] = True
    notify: Annotated[Notify, key("The way in which the terminal is told of a job that fails.")] = Notify.OFF
    keys: Annotated[
        dict[Action, KeyText],
        key('Other keys for actions, by their names, as `hold = "f6"`. `"none"`: the action is in the palette alone.'),
    ] = field(default_factory=dict[Action, KeyText])

    def mistakes(self) -> Iterator[Mistake]:
        """Yield each key that two actions have."""
        if "keys" in self.place.wrong:
            return
        for text, first, second in clashes(self.keys):
            yield (self.place / "keys").mistake(
                second, f'"{text}" is the key of {first}, too', f"give {second} or {first} another key"
            )
