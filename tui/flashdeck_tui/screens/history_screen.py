"""The history of a board, or of one partition: what was flashed when, how long it took, and the way back from there."""

from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from flashdeck.errors import FlashdeckError
from flashdeck.model import JobState
from flashdeck.text import clean, counted
from flashdeck.words.log_times import dated_time
from flashdeck_tui.actions.action import Context
from flashdeck_tui.board_history import MOST_JOBS, BoardHistory
from flashdeck_tui.link import READ_ONLY
from flashdeck_tui.screens.job_screen import JobScreen
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.screens.whole import WholeScreen
from flashdeck_tui.views.history_rows import durations_lines, history_columns, history_rows, history_title
from flashdeck_tui.way_back import way_back, why_no_way_back
from flashdeck_tui.widgets.lines import StaticLines
from flashdeck_tui.widgets.one_line import OneLine
from flashdeck_tui.widgets.rows import Rows

LOOK_SECONDS = 0.5
"""Seconds between two looks at jobs that run."""
NEAR_THE_END = 10
"""Rows above the last one from which on older jobs are fetched."""

_KEYS: Final = {
    "history-job": ("job", "job"),
    "history-back": ("back", "back to this image"),
    "history-widen": ("widen", "all partitions, all boards"),
}
"""By the names of the keys of this page: the actions, and the words for them."""


class HistoryScreen(WholeScreen):
    """A list of past jobs, which loads more of them as one scrolls."""

    DEFAULT_CSS = """
    HistoryScreen {
        #history-title { background: $panel; }
        #history-durations { height: auto; max-height: 3; padding: 0 1; }
        #history-jobs { height: 1fr; }
        #history-keys { height: auto; padding: 0 1; background: $panel; color: $text-muted; }
    }
    HistoryScreen:ansi {
        #history-title, #history-keys { background: ansi_default; color: ansi_default; }
        #history-title { text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    AUTO_FOCUS = "#history-jobs"

    def __init__(self, context: Context) -> None:
        """Show the history of what is selected; of all boards where nothing is."""
        super().__init__()
        own = {name: action for name, (action, _) in _KEYS.items()}
        bind_page(self, context.keys, opened_by=("history",), own=own)
        self._opened_from = context
        self._host = context.host
        self._history = self._history_of(context.selection.board, context.selection.partition)
        self._said = ""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield OneLine(id="history-title")
        yield StaticLines(id="history-durations")
        yield Rows(history_columns(self._history), empty="fetching …", id="history-jobs")
        yield OneLine(id="history-said")
        told = self._opened_from.keys.bar({name: word for name, (_, word) in _KEYS.items()})
        yield Static(f"{told} [Esc] back", id="history-keys", markup=False)

    def on_mount(self) -> None:
        """Fetches the first page, and goes on looking at what runs."""
        self._fetch()
        self.set_interval(LOOK_SECONDS, self.look)

    @property
    def said(self) -> str:
        """The line that says what was done, or how far back the list goes."""
        return self._said

    def look(self) -> None:
        """Take what the daemon has told of jobs meanwhile."""
        if self._history.take(self._host.store.jobs.values()):
            self.show()

    @on(events.Resize)
    def show(self) -> None:
        """Show what was fetched."""
        history = self._history
        where = f" on {clean(self._host.name)}" if self._host.name else ""
        self.query_one("#history-title", OneLine).show(f"{history_title(history)}{where}")
        lines = durations_lines(history, max(1, self.size.width - 2))
        self.query_one("#history-durations", StaticLines).show(lines)
        empty = "no job yet" if history.ended else "fetching …"
        rows = history_rows(history, self._host.name)
        self.query_one("#history-jobs", Rows).show(rows, empty=empty, columns=history_columns(history))

    def say(self, text: str) -> None:
        """Say what was done."""
        self._said = clean(text, 1000)
        self.query_one("#history-said", OneLine).show(self._said)

    @on(Rows.Moved)
    def moved(self, moved: Rows.Moved) -> None:
        """Near the last row, fetch older jobs."""
        moved.stop()
        keys = [row.key for row in moved.rows.rows]
        if moved.rows.selected in keys[-NEAR_THE_END:]:
            self._fetch()

    def action_job(self) -> None:
        """Open the page of the job."""
        job = self._selected
        if job is not None:
            self.application.push_screen(
                JobScreen(self._host, job, lambda: self._opened_from.now, self._opened_from.keys)
            )

    def action_widen(self) -> None:
        """Show all partitions of the board, then all boards, then what was selected again."""
        history, selection = self._history, self._opened_from.selection
        if history.partition:
            self._history = self._history_of(history.board, "")
        elif history.board:
            self._history = self._history_of("", "")
        else:
            self._history = self._history_of(selection.board, selection.partition)
        self.say("")
        self.show()
        self._fetch()

    def action_back(self) -> None:
        """Bring back the image of this job."""
        self.run_worker(self._go_back(), group="back", exclusive=True)

    async def _go_back(self) -> None:
        job, context = self._selected, self._opened_from
        if job is None:
            return
        if self._host.link.state.read_only:
            self.say(READ_ONLY)
            return
        if why := why_no_way_back(self._host.store, job):
            self.say(why)
            return
        try:
            way = await way_back(job, lambda params: context.call(params, host=self._host))
            if not await context.confirm(way.question, way.consequence):
                return
            reply = await context.call(way.call, host=self._host)
        except FlashdeckError as error:
            self.say(f"{error.message}: {error.hint}" if error.hint else error.message)
            return
        for queued in reply.jobs:
            self.say(f"Job {queued.id} brings it back: {queued.text}")
        self.look()

    def _fetch(self) -> None:
        self.run_worker(self._page_back(), group="paging", exclusive=True)

    async def _page_back(self) -> None:
        history = self._history
        try:
            await history.page_back()
        except FlashdeckError as error:
            self.say(f"Older jobs cannot be had now: {error.message}")
            history.ended = not history.jobs
        else:
            if history is self._history and not self._said:
                self.say(self._reach)
        history.take(self._host.store.jobs.values())
        self.show()

    @property
    def _reach(self) -> str:
        history = self._history
        if history.is_full:
            return f"the newest {counted(MOST_JOBS, 'job')}; older ones: flashdeck history --until TIME"
        if history.ended and history.since is not None:
            return f"all jobs since {dated_time(history.since)[:16]}: the journal has no older ones"
        return ""

    @property
    def _selected(self) -> JobState | None:
        number = self.query_one("#history-jobs", Rows).selected.job
        return next((job for job in self._history.jobs if job.id == number), None)

    def _history_of(self, board: str, partition: str) -> BoardHistory:
        return BoardHistory(self._host.link.call, board, partition)
