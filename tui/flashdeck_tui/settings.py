"""The settings of the screen: those of [tui] in the configuration, of the last choice, and of the terminal."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flashdeck.config_file import screen_table
from flashdeck.config_screen import Notify, ThemeName
from flashdeck_tui.kept_theme import kept_file, kept_theme
from flashdeck_tui.locale_text import shows_only_ascii

USUAL_THEME: Final = ThemeName.DARK
FRAMES_OVER_SSH: Final = 15
"""Pictures a second at the most, where all of them go over a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them, with what holds where nothing is said."""

    theme: ThemeName = USUAL_THEME
    theme_is_set: bool = False
    """True if the configuration names it: then it is not chosen on the screen."""
    theme_file: Path | None = None
    """The file for the theme that is chosen; None: it is not kept."""
    colour: bool = True
    """False where NO_COLOR is set: nothing is drawn in colours."""
    ascii: bool = False
    """True: nothing but ASCII is drawn."""
    is_far: bool = False
    """True where all that is drawn goes over ssh."""
    mouse: bool = True
    notify: Notify = Notify.OFF
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    """Keys other than the usual ones, by the names of actions."""
    files: bool = True
    """False: no file of this machine is written, as for somebody who sees the screen from elsewhere and may only look.
    """


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of this user on this terminal; raises ConfigError for what is wrong with [tui]."""
    table, file = screen_table(), kept_file()
    return Settings(
        theme=table.theme or kept_theme(file) or USUAL_THEME,
        theme_is_set=table.theme is not None,
        theme_file=file,
        colour=not environ.get("NO_COLOR"),
        ascii=shows_only_ascii(environ) if table.ascii is None else table.ascii,
        is_far=bool(environ.get("SSH_CONNECTION")),
        mouse=table.mouse,
        notify=table.notify,
        keys=table.keys,
    )
