"""The terminal below Textual: it is given back while the process is stopped, has a title, and may know ASCII alone."""

import signal
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, ClassVar

from textual import constants
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from flashdeck_tui import job_control, window_title
from flashdeck_tui.ascii_text import to_ascii
from flashdeck_tui.settings import Settings


class TerminalDriver(LinuxDriver):
    """Textual's own driver of a terminal, with what that leaves open."""

    only_ascii: ClassVar[bool] = False
    """True: every other character that is drawn gets a stand-in."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)  # pyright: ignore[reportUnknownMemberType] - Textual leaves a type open
        self.taken: Callable[[], None] = lambda: None
        """Called each time when the terminal has been taken: it is blank then."""
        self._title = ""
        self._has_title = window_title.has_title()
        # Textual's own handlers write to the terminal between any two lines of the program: they may wait for ever.
        signal.signal(signal.SIGTSTP, self._stop_soon)
        signal.signal(signal.SIGCONT, self._take_again_soon)

    def write(self, data: str) -> None:
        """Send to the terminal."""
        super().write(to_ascii(data) if self.only_ascii else data)

    def show_title(self, title: str) -> None:
        """Give the terminal's window a title, until the screen is left."""
        self._title = title
        if self._has_title and self._writer_thread is not None:
            self.write(window_title.sequence(title))

    def start_application_mode(self) -> None:
        """Take the terminal."""
        super().start_application_mode()
        self.taken()
        if self._has_title and self._writer_thread is not None:
            self.write(window_title.PUSH)
            self.show_title(self._title)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        if self._has_title:
            # A terminal that keeps no titles has none then, and the shell's next prompt makes one.
            self.write(window_title.sequence("") + window_title.POP)
        super().stop_application_mode()

    def stop_process(self, *, everybody: bool) -> None:
        """Give the terminal back, stop this process (or all of its group), and take it again afterwards."""
        if not self._auto_restart:  # another program has the terminal for now, and gives it back itself
            job_control.stop(everybody=everybody)
            return
        self.suspend_application_mode()
        job_control.stop(everybody=everybody)
        self._take_again()

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(partial(self.stop_process, everybody=False))

    def _take_again_soon(self, _number: int, _frame: FrameType | None) -> None:
        """Somebody stopped it in a way that nobody can hear of (SIGSTOP), and the terminal may be as it never was."""
        self._loop.call_soon_threadsafe(self._after_a_stop)

    def _after_a_stop(self) -> None:
        if not self._auto_restart:
            return
        if self._writer_thread is not None:
            self.suspend_application_mode()
        self._take_again()

    def _take_again(self) -> None:
        self.resume_application_mode()
        self._app.refresh(layout=True)
        self._app.screen.refresh()


class _AsciiDriver(TerminalDriver):
    only_ascii: ClassVar[bool] = True


def driver_for(settings: Settings) -> type[Driver] | None:
    """Return the driver for these settings; None where the environment names one, as a browser's."""
    if constants.DRIVER is not None:
        return None
    return _AsciiDriver if settings.ascii else TerminalDriver
