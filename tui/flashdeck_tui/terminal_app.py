"""An application on somebody's terminal: its colours, what of a picture is sent, the window's title, Ctrl-Z."""

import asyncio
import time
from typing import Any, cast

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from flashdeck.config_screen import ThemeName
from flashdeck_tui import job_control, themes
from flashdeck_tui.drawn import ChangedCells, Drawn
from flashdeck_tui.driver import TerminalDriver, driver_for
from flashdeck_tui.kept_theme import keep_theme
from flashdeck_tui.settings import FRAMES_OVER_SSH, Settings

USUAL = Settings()
"""The settings where nobody said anything."""


class TerminalApp(App[int]):
    """All that a screen has to do with the terminal that it is on, whatever it shows."""

    CSS = themes.CSS

    def __init__(self, settings: Settings = USUAL) -> None:
        super().__init__(driver_class=driver_for(settings))
        # Textual's own key for the palette works above any question; ours is one of the actions'.
        self._bindings.key_to_bindings.pop(self.COMMAND_PALETTE_BINDING, None)
        self.settings = settings
        self.animation_level = "none"
        self._drawn = Drawn()
        self._sent_at = 0.0
        self._is_owing = False
        self._title_shown = ""
        for theme in (*themes.THEMES.values(), themes.MONOCHROME):
            self.register_theme(theme)
        self._use_colours()

    def _use_colours(self) -> None:
        self.no_color = not self.settings.colour
        self._filters = [each for each in self._filters if not isinstance(each, Monochrome | NoColor)]
        if self.settings.colour:
            self.theme = self.settings.theme
        else:
            self._filters.append(themes.WithoutColours())
            self.theme = themes.MONOCHROME.name

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> Driver:
        driver = super()._build_driver(headless, inline, mouse, size)
        if isinstance(driver, TerminalDriver):
            driver.taken = self._drawn.forget
        return driver

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables of ours that a theme may leave out."""
        return dict(themes.VARIABLES)

    @property
    def why_no_theme(self) -> str | None:
        """The reason why colours cannot be chosen, in a sentence; None where they can."""
        if not self.settings.colour:
            return "NO_COLOR is set, so there are no colours to choose from."
        if self.settings.theme_is_set:
            return f'The configuration says so: [tui] theme = "{self.settings.theme}".'
        return None

    @property
    def why_no_file(self) -> str | None:
        """The reason why no file of this machine may be written, in a sentence; None where one may."""
        if self.settings.files:
            return None
        return "This page is read-only: it writes no file of the machine that serves it."

    async def use_theme(self, theme: ThemeName) -> None:
        """Draws in these colours, and keeps them for the next time; raises FlashdeckError where that fails."""
        self.theme = theme
        if self.settings.theme_file is not None and self.settings.files:
            await asyncio.to_thread(keep_theme, self.settings.theme_file, theme)

    def action_redraw(self) -> None:
        """Draws all of it again, whatever the terminal shows."""
        self._drawn.forget()
        self.refresh(layout=True)
        self.screen.refresh()

    def on_resize(self) -> None:
        """A terminal that gets another size shows what it likes: all is drawn again."""
        self._drawn.forget()

    @property
    def why_no_suspend(self) -> str | None:
        """The reason why there is no shell to go back to, in a sentence; None where there is one."""
        if isinstance(self._driver, TerminalDriver) and job_control.can_be_continued():
            return None
        where = "in a browser" if self._driver is not None and self._driver.is_web else "started so"
        return f"There is no shell behind a screen {where}: nothing could bring it back."

    def suspend_screen(self) -> None:
        """Stops this process, and whatever belongs to it in its shell's eyes, until it is continued."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_process(everybody=True)

    def show_title(self, title: str) -> None:
        """Gives the window of the terminal a title."""
        if title != self._title_shown and isinstance(self._driver, TerminalDriver):
            self._title_shown = title
            self._driver.show_title(title)

    def send(self, sequence: str) -> None:
        """Sends something to the terminal that is no part of the picture."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.write(sequence)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Sends what the terminal does not show yet."""
        is_drawn = self._running and not (self._closed or self.is_headless or self._batch_count)
        if is_drawn and isinstance(renderable, CompositorUpdate):
            if self.settings.is_far and self._is_too_soon():
                self.post_display_hook()
                return
            changes = self._drawn.changes(renderable)
            if isinstance(changes, ChangedCells) and not changes.pieces and not self._cursor_moved:
                self.post_display_hook()
                return
            renderable = cast("RenderableType", changes)  # as Textual itself passes it
        super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType] - Textual leaves a type open

    def _is_too_soon(self) -> bool:
        """Return whether a picture has to wait; what it would have shown is drawn once it may be."""
        now = time.monotonic()
        due = self._sent_at + 1 / FRAMES_OVER_SSH
        if now >= due:
            self._sent_at = now
            return False
        if not self._is_owing:
            self._is_owing = True
            self.set_timer(due - now, self._draw_what_waited)
        return True

    def _draw_what_waited(self) -> None:
        self._is_owing = False
        # All of it: of what is sent, only the cells that differ are left. Textual leaves its types open.
        compositor: Any = self.screen._compositor  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way
        behind: Any = cast("Any", self)._background_screens  # noqa: SLF001 - the same
        update = compositor.render_update(full=True, screen_stack=behind)
        self._display(self.screen, update)

    @property
    def _cursor_moved(self) -> bool:
        return self.screen.outer_size.clamp_offset(self.cursor_position) != self._previous_cursor_position
