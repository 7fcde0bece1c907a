"""The main screen: boards, what is selected, jobs, the log. It reads the store and changes nothing."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from flashdeck.words.tone import Phrase
from flashdeck_tui import views
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.widgets.columns import BOARD_COLUMNS, JOB_COLUMNS, Want, allot
from flashdeck_tui.widgets.key_bar import KeyBar, KeyHint
from flashdeck_tui.widgets.lines import StaticLines
from flashdeck_tui.widgets.log_panel import LogPanel
from flashdeck_tui.widgets.rows import Rows

_TITLES = 1
_BORDER = 1
_LEAST = 2
"""Lines of a list: its titles and a row."""
_LEAST_DETAILS = 4
LONGEST_FILTER = 60
"""Characters of a filter."""
_FILTER_EXAMPLE = "name, state, profile or version (Esc: show all)"
_BELOW = 9
"""Lines that the boards leave to the rest, where that is enough to show all of them."""


class Panels(Vertical):
    """The room of boards, details, jobs and log: all lines that header, notices and keys leave."""

    class Resized(Message):
        """There are more lines now, or fewer."""

    def on_resize(self) -> None:
        """Notices come and go, and keys take another line."""
        self.post_message(self.Resized())


class MainScreen(Screen[None]):
    """Everything at a glance."""

    DEFAULT_CSS = """
    MainScreen {
        layout: vertical;
        overflow: hidden;
        #header { height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
        #headline { height: auto; max-height: 3; padding: 0 1; }
        #notices { height: auto; max-height: 5; padding: 0 1; }
        #filter-line { display: none; height: 1; padding: 0 1; }
        #filter-line Static { width: auto; }
        #filter { width: 1fr; }
        #panels { height: 1fr; }
        #details-panel {
            border-top: solid $panel; border-title-color: $text-muted; padding: 0 1; scrollbar-size-vertical: 1;
        }
    }
    MainScreen:ansi {
        #header { background: ansi_default; }
        #details-panel { border-top: solid ansi_bright_black; border-title-color: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = []
    AUTO_FOCUS = "#boards"

    class Filtered(Message):
        """Other boards are to be shown."""

    def __init__(self, headline: str, host: str = "") -> None:
        super().__init__()
        self._host = host
        self._headline = headline
        self._title = ""
        self.wanted = ""
        """The filter of the boards; "" shows all."""
        self._pointed = "boards"
        """The list whose cursor says what is selected: the one that had the focus last."""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield StaticLines(id="header")
        yield StaticLines(id="notices")
        yield StaticLines(id="headline")
        with Horizontal(id="filter-line"):
            yield Static("Filter: ", markup=False)
            yield Input(id="filter", compact=True, max_length=LONGEST_FILTER, placeholder=_FILTER_EXAMPLE)
        with Panels(id="panels"):
            yield Rows(BOARD_COLUMNS, empty="", id="boards")
            with VerticalScroll(id="details-panel", can_focus=False):
                yield StaticLines(id="details")
            yield Rows(JOB_COLUMNS, empty="no jobs yet: a new build starts one, or f", id="jobs")
            yield LogPanel(id="log")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Shows what never changes."""
        headline = self.query_one("#headline", StaticLines)
        headline.show([Phrase(line) for line in self._headline.splitlines()])
        headline.display = bool(self._headline)

    @property
    def selection(self) -> Selection:
        """The thing that the person points at."""
        return self.query_one(f"#{self._pointed}", Rows).selected

    @property
    def log_panel(self) -> LogPanel:
        """The log."""
        return self.query_one(LogPanel)

    def show(self, store: Store, link: LinkState, now: float, *, socket: str) -> None:
        """Takes everything as it is now; `socket` is the daemon's."""
        stale = link.status is not LinkStatus.CONNECTED
        self.query_one("#header", StaticLines).show_cells(views.header(store, link, socket, self._host))
        notices = views.notices(store, link, now)
        self.query_one("#notices", StaticLines).show(notices)
        self.query_one("#notices").display = bool(notices)
        boards = self.query_one("#boards", Rows)
        rows = views.board_rows(store, now, wanted=self.wanted)
        if len(rows) + _TITLES > max(self._space // 2, self._space - _BELOW):
            rows = views.board_rows(store, now, wanted=self.wanted, with_idle=False)
        note = views.filter_note(store, self.wanted)
        boards.show(rows, stale=stale, empty=views.no_boards(store, self.wanted), note=note)
        self.query_one("#jobs", Rows).show(views.job_rows(store, now), stale=stale)
        self.log_panel.show(store)
        self.show_details(store, now)

    def show_details(self, store: Store, now: float) -> None:
        """Takes what is selected now."""
        selection = self.selection
        self.query_one("#details", StaticLines).show(views.details(store, selection, now))
        self._entitle(views.title_of(store, selection))
        self._share_out()

    def show_keys(self, keys: Sequence[KeyHint]) -> None:
        """Takes the keys as they are now."""
        self.query_one(KeyBar).show(keys)

    def open_filter(self) -> None:
        """Shows the line that the filter is typed on."""
        typed = self.query_one("#filter", Input)
        typed.value = self.wanted
        self.query_one("#filter-line").display = True
        typed.focus()

    def close_filter(self, wanted: str) -> None:
        """Takes the filter as it is to stay, and goes back to the boards where it was being typed."""
        line = self.query_one("#filter-line")
        if line.display:
            line.display = False
            self.query_one("#boards").focus()
        self._take_filter(wanted)

    def select(self, place: Selection) -> None:
        """Points at a board or a partition, and goes to the list of the boards for that."""
        boards = self.query_one("#boards", Rows)
        boards.focus()
        self._pointed = "boards"
        boards.select(place)

    @on(Input.Changed, "#filter")
    def filter_typed(self, changed: Input.Changed) -> None:
        """Filters while it is typed."""
        if self.query_one("#filter-line").display:
            self._take_filter(changed.value)

    @on(Input.Submitted, "#filter")
    def filter_kept(self, submitted: Input.Submitted) -> None:
        """Keeps the filter."""
        self.close_filter(submitted.value)

    def _take_filter(self, wanted: str) -> None:
        if wanted.strip() != self.wanted:
            self.wanted = wanted.strip()
            self.post_message(self.Filtered())

    @on(Rows.Moved)
    def point(self, moved: Rows.Moved) -> None:
        """The list that has the focus says what is selected."""
        if moved.rows.has_focus:
            self._pointed = moved.rows.id or self._pointed

    @on(events.Resize)
    @on(Panels.Resized)
    def resized(self) -> None:
        """The panels get other heights."""
        self.call_after_refresh(self._share_out)

    @property
    def _space(self) -> int:
        """Lines that the panels share."""
        return self.query_one("#panels").size.height

    def _entitle(self, title: str) -> None:
        """Says what the details are of, and how to see those that do not fit."""
        lines = self.query_one("#details", StaticLines).height
        more = " (Enter: all of it)" if lines > self.query_one("#details-panel").size.height else ""
        if (shown := f"{title}{more}" if title else "nothing selected") != self._title:
            self._title = shown
            self.query_one("#details-panel").border_title = Content(shown)

    def _share_out(self) -> None:
        boards, jobs = self.query_one("#boards", Rows), self.query_one("#jobs", Rows)
        details, log = self.query_one("#details-panel"), self.log_panel
        space, told = self._space, self.query_one("#details", StaticLines).height + _BORDER
        # The boards come first and depend on nothing below them: they stay where they are while the cursor moves.
        wanted = boards.count + _TITLES
        for_boards = max(_LEAST, wanted if wanted <= space - _BELOW else min(wanted, space // 2))
        shares = allot(
            space,
            (
                Want(for_boards, for_boards),
                Want(_LEAST_DETAILS, max(_LEAST_DETAILS, told)),
                Want(min(_LEAST + 1, jobs.count + _TITLES), max(_LEAST, min(jobs.count + _TITLES, space // 4))),
                Want(_LEAST + 1, space),
            ),
        )
        for widget, height in zip((boards, details, jobs, log), shares, strict=True):
            if widget.styles.height is None or widget.styles.height.value != height:
                widget.styles.height = height
        log.can_focus = shares[-1] > _BORDER
