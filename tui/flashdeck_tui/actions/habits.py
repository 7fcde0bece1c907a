"""The habits of hands: stop the screen with Ctrl-Z, draw it anew with Ctrl-L; and the colours of the screen."""

from collections.abc import Mapping
from typing import Final

from flashdeck.config_screen import ThemeName
from flashdeck_tui.actions.action import Action, Choice, Context

_THEMES: Final[Mapping[ThemeName, str]] = {
    ThemeName.DARK: "light text on a dark background",
    ThemeName.LIGHT: "dark text on a light background",
    ThemeName.HIGH_CONTRAST: "all text at least seven times as bright as what is behind it",
    ThemeName.ANSI_DARK: "your terminal's own colours, on a dark background",
    ThemeName.ANSI_LIGHT: "your terminal's own colours, on a light background",
}


async def _suspend(context: Context) -> None:
    context.suspend()


def _suspend_why_not(context: Context) -> str | None:
    return context.why_no_suspend


async def _redraw(context: Context) -> None:
    context.redraw()


async def _themes(context: Context) -> None:
    choices = [Choice(name, name, text) for name, text in _THEMES.items()]
    chosen = await context.choose("Theme", choices)
    if chosen is not None:
        await context.use_theme(ThemeName(chosen))
        context.tell(f"Theme: {chosen}. It is kept.")


def _themes_why_not(context: Context) -> str | None:
    return context.why_no_theme


ACTIONS: tuple[Action, ...] = (
    Action(
        id="theme",
        key="",
        title="Theme",
        description="Choose the theme, the colours of the screen. It is kept.",
        check=_themes_why_not,
        run=_themes,
    ),
    Action(
        id="redraw",
        key="ctrl+l",
        title="Draw anew",
        description="Draw the whole screen again, as after another program wrote on it.",
        run=_redraw,
        while_asked=True,
    ),
    Action(
        id="suspend",
        key="ctrl+z",
        title="Suspend",
        description="Go back to the shell for a while; fg brings the screen back. The daemon keeps running.",
        check=_suspend_why_not,
        run=_suspend,
        while_asked=True,
    ),
)
