"""One job on the whole screen: all that there is of it, live while it runs, and its log."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from flashdeck.errors import FlashdeckError
from flashdeck.log_filter import LogFilter
from flashdeck.model import JobState
from flashdeck.text import clean
from flashdeck_tui.daemon_log import DaemonLog
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.log_window import LogWindow
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.views.cells import short_name
from flashdeck_tui.views.history_rows import job_page
from flashdeck_tui.widgets.lines import StaticLines

LOOK_SECONDS = 0.25
"""Seconds between two looks at the job."""
AGE_SECONDS = 1.0
"""Seconds after which it is shown anew though nothing happened: its board may have stopped answering."""
LOG_PAGES = 5
"""Pages of its log that are fetched."""

_SCROLLBAR: Final = 2
"""Cells that the scroll bar takes once it is needed."""


class JobScreen(ModalScreen[None]):
    """Can be scrolled where it does not fit."""

    DEFAULT_CSS = """
    JobScreen {
        align: center middle;
        #job-box { width: 96%; height: 96%; padding: 0 1; border: round $primary; background: $surface;
                   border-title-color: $foreground; scrollbar-size-vertical: 1; }
    }
    JobScreen:ansi #job-box { background: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("j", "app.simulate_key('down')", "Down", show=False),
        Binding("k", "app.simulate_key('up')", "Up", show=False),
    ]

    def __init__(self, host: FleetHost, job: JobState, clock: Callable[[], float], keys: KeyNames) -> None:
        """Show a job of a host; `clock` tells the seconds since the epoch, `keys` how hints name keys."""
        super().__init__()
        bind_page(self, keys, opened_by=("details",))
        self._host = host
        self._job = job
        self._clock = clock
        self._keys = keys
        self._window = LogWindow((DaemonLog(host),), LogFilter(job=job.id))
        self._note = "fetching the older lines …"
        self._shown_at = 0.0

    def compose(self) -> ComposeResult:
        """All of it is sentences."""
        with VerticalScroll(id="job-box") as box:
            place = f"{short_name(self._job.partition)} of " if self._job.partition else ""
            where = f" on {clean(self._host.name)}" if self._host.name else ""
            box.border_title = Content(f"job {self._job.id}: {place}{short_name(self._job.board)}{where} (Esc: back)")
            yield StaticLines(id="job-lines")

    def on_mount(self) -> None:
        """Shows what is known, fetches its log, and goes on looking."""
        self.run_worker(self._fetch_log(), exclusive=True)
        self.set_interval(LOOK_SECONDS, self.look)

    def look(self) -> None:
        """Show the job as it is now."""
        job = self._host.store.jobs.get(self._job.id, self._job)
        came = self._window.take()
        is_old = not job.is_settled and self._clock() - self._shown_at >= AGE_SECONDS
        if job != self._job or came or is_old:
            self._job = job
            self.show()

    @on(events.Resize)
    def show(self) -> None:
        """Draw all of it; what is the same stays as it is."""
        self._shown_at = self._clock()
        lines = self.query_one("#job-lines", StaticLines)
        width = max(1, self.query_one("#job-box").scrollable_content_region.width - _SCROLLBAR)
        store, log = self._host.store, self._window.lines
        lines.show(job_page(store, self._job, log, self._shown_at, self._keys, width=width, log_note=self._note))

    async def _fetch_log(self) -> None:
        """Fetch its older lines: the daemon finds them by the job."""
        try:
            for _ in range(LOG_PAGES):
                if self._window.may_have_older:
                    await self._window.page_back()
            more = "older lines: 'flashdeck logs --job'" if self._window.may_have_older else ""
            self._note = "; ".join(self._window.notes) or more
        except FlashdeckError as error:
            self._note = f"older lines cannot be had now: {clean(error.message)}"
        self.show()
