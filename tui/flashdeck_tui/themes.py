"""The colours of the screen, by the names that the configuration has for them, and the screen without any."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme

from flashdeck.config_screen import ThemeName

FAINT_VARIABLE: Final = "tone-faint"
"""The colour of what matters least; the other tones have Textual's own variables."""
VARIABLES: Final[Mapping[str, str]] = {FAINT_VARIABLE: "#808080"}
"""The variables that are ours, for a theme that does not say them."""


def _like(name: str, model: str, **variables: str) -> Theme:
    """Return a theme with the colours of one of Textual's, under a name of ours."""
    its = BUILTIN_THEMES[model]
    return Theme(
        name=name,
        primary=its.primary,
        secondary=its.secondary,
        warning=its.warning,
        error=its.error,
        success=its.success,
        accent=its.accent,
        foreground=its.foreground,
        background=its.background,
        surface=its.surface,
        panel=its.panel,
        boost=its.boost,
        dark=its.dark,
        luminosity_spread=its.luminosity_spread,
        text_alpha=its.text_alpha,
        variables={**its.variables, **variables},
        ansi=its.ansi,
    )


_HIGH_CONTRAST = Theme(
    name=ThemeName.HIGH_CONTRAST,
    primary="#00d7ff",
    secondary="#00d7ff",
    warning="#ffd700",
    error="#ff9090",
    success="#5fff87",
    accent="#ffd700",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    boost="#000000",
    dark=True,
    variables={
        FAINT_VARIABLE: "#d0d0d0",
        "text-muted": "#d0d0d0",
        "block-cursor-foreground": "#000000",
        "block-cursor-background": "#ffffff",
        "input-selection-background": "#ffffff",
        "input-selection-foreground": "#000000",
        "screen-selection-background": "#ffffff",
        "screen-selection-foreground": "#000000",
        "scrollbar": "#ffffff",
        "scrollbar-background": "#000000",
        "border-blurred": "#ffffff",
    },
)
MONOCHROME: Final = _like(
    "monochrome",
    "ansi-dark",
    **{
        "block-cursor-text-style": "bold reverse",
        "block-cursor-blurred-text-style": "underline",
        "input-cursor-text-style": "reverse",
        "link-style": "underline",
    },
)
"""For a terminal that gets no colours (`WithoutColours`): what colours tell elsewhere, styles tell here."""
THEMES: Final[Mapping[ThemeName, Theme]] = {
    ThemeName.DARK: _like(
        ThemeName.DARK, "textual-dark", **{FAINT_VARIABLE: "#e0e0e0 60%", "block-cursor-background": "#00508c"}
    ),
    ThemeName.LIGHT: replace(
        _like(ThemeName.LIGHT, "textual-light", **{FAINT_VARIABLE: "#505050"}),
        success="#1f6f38",
        warning="#8a5200",
        error="#a01f3f",
    ),
    ThemeName.HIGH_CONTRAST: _HIGH_CONTRAST,
    ThemeName.ANSI_DARK: _like(ThemeName.ANSI_DARK, "ansi-dark"),
    ThemeName.ANSI_LIGHT: _like(ThemeName.ANSI_LIGHT, "ansi-light"),
}
CSS: Final = """
    .-theme-light TonedView .tone--faint { color: #404040; }
    .-theme-high-contrast {
        Rows:focus .rows--cursor { background: #000060; }
        Rows .rows--cursor { background: #202020; }
        Rows .rows--title { color: #ffffff; background: #000000; text-style: bold underline; }
        TonedView .tone--faint { color: #d0d0d0; }
        LogLines .log--marked { background: #300030; }
        LogLines .log--cursor { background: #000060; }
    }
"""
"""Rules for what the variables of a theme do not reach."""


class WithoutColours(LineFilter):
    """Takes every colour out of what is drawn: bold, underline, reverse and dim stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the same segments without colours."""
        del background
        return [Segment(text, style and style.without_color, control) for text, style, control in segments]
