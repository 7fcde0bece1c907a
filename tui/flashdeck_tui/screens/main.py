"""The main screen: boards, what is selected, jobs, the log. It reads the store and changes nothing."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.board_list import Arrangement, Group, ListedBoard, boards_of, groups_of, kept_marks
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.glyphs import FlashGlyph
from flashdeck_tui.key_choice import KeyHint, needed
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.map_cells import legend, map_cells
from flashdeck_tui.middle import Middle
from flashdeck_tui.store import NOTHING, Selection, Store
from flashdeck_tui.views.below import below_text
from flashdeck_tui.views.board_line import names_by_partition, open_partitions
from flashdeck_tui.views.boards import MAP_CELLS, Appearance, board_table, list_note, no_boards
from flashdeck_tui.views.details import details, shortened, title_of
from flashdeck_tui.views.header import GAP, NOTICE_LINES, header, notices
from flashdeck_tui.views.jobs import fleet_job_rows
from flashdeck_tui.views.tiles import board_tiles
from flashdeck_tui.widgets.board_rows import BoardRows
from flashdeck_tui.widgets.columns import JOB_COLUMNS, MAP, Want, allot, board_columns
from flashdeck_tui.widgets.key_bar import KeyBar
from flashdeck_tui.widgets.line_input import LineInput
from flashdeck_tui.widgets.lines import StaticLines
from flashdeck_tui.widgets.log_panel import LogPanel
from flashdeck_tui.widgets.rows import Rows
from flashdeck_tui.widgets.status_line import StatusLine
from flashdeck_tui.widgets.wall import Wall

_TITLES = 1
_PADDING = 2
"""Cells beside the header."""
_BORDER = 1
_LEAST_LIST = 4
"""Lines of the list in the middle: its titles and three rows."""
_LEAST_DETAILS = 4
_LEAST_LOG = 3
_BESIDE_TITLE = 2
"""Cells of the border beside the title of the details."""
_BEFORE_LEGEND = "   "
LONGEST_FILTER = 60
"""Characters of a filter."""
_FILTER_EXAMPLE = "name, state, profile, version, host (Esc: all)"
RESORT = 1.0
"""Seconds for which the boards keep their order while keys are pressed: nothing moves away under the finger."""


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
        #notices { height: auto; padding: 0 1; }
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
        """Other boards are to be shown, or in another way."""

    def __init__(self, headline: str, keys: KeyNames, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes what stands above the boards, and how hints name keys.

        `clock` measures how long ago a key was pressed.
        """
        super().__init__()
        self._headline = headline
        self._keys = keys
        self._clock = clock
        self._title = ""
        self._status = StatusLine(keys["messages"], id="status")
        self.listing = Arrangement()
        """The boards that are shown, and in which order."""
        self.marks: frozenset[Selection] = frozenset()
        """The boards that are marked."""
        self.middle = Middle.BOARDS
        """The list that is shown."""
        self.groups: list[Group] = []
        """The boards as they stand in the list."""
        self._told = 0
        """Lines that all details of what is selected need ..."""
        self._details_height = _LEAST_DETAILS
        """... and those of their panel, with its border."""
        self._partition = ""
        """The partition of the selected board that is chosen; "" for the whole board."""
        self._board = NOTHING
        self._wanted: Selection | None = None
        """The row that the cursor is to go to once the list has it."""
        self._touched_at = -RESORT
        self._sorted_at = -RESORT
        self._sorted: Arrangement | None = None

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield StaticLines(id="header")
        yield StaticLines(id="notices")
        yield StaticLines(id="headline")
        with Horizontal(id="filter-line"):
            yield Static("Filter: ", markup=False)
            yield LineInput(id="filter", compact=True, max_length=LONGEST_FILTER, placeholder=_FILTER_EXAMPLE)
        more = f"({self._keys['details']}: why)"
        with Panels(id="panels"):
            yield BoardRows(board_columns((), 0, 0), empty="", below=self._below, more=more, id=Middle.BOARDS)
            yield Wall(more, id=Middle.WALL)
            yield Rows(
                JOB_COLUMNS, empty=f"no jobs yet: a new build starts one, or {self._keys['flash']}", id=Middle.QUEUE
            )
            with VerticalScroll(id="details-panel", can_focus=False):
                yield StaticLines(id="details")
            yield LogPanel(self._keys["log"], id="log")
        yield self._status
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Shows what never changes."""
        self.query_one("#notices").styles.max_height = NOTICE_LINES
        headline = self.query_one("#headline", StaticLines)
        headline.show([Phrase(line) for line in self._headline.splitlines()])
        headline.display = bool(self._headline)
        self.query_one(f"#{Middle.QUEUE}").display = False

    @property
    def selection(self) -> Selection:
        """The thing that the person points at."""
        selected = self._list.selected
        if selected.board and not selected.job and self._board == selected:
            return replace(selected, partition=self._partition)
        return selected

    @property
    def log_panel(self) -> LogPanel:
        """The log."""
        return self.query_one(LogPanel)

    @property
    def wanted(self) -> str:
        """The filter of the boards; "" shows all."""
        return self.listing.wanted

    @property
    def shown_boards(self) -> list[ListedBoard]:
        """The boards as they stand in the list, also those of closed groups."""
        return [each for group in self.groups for each in group.boards]

    def key_pressed(self) -> None:
        """Notes that a person is at the keys: the order of the boards stays for a moment."""
        self._touched_at = self._clock()

    def show(self, fleet: Fleet, now: float) -> None:
        """Takes everything as it is now."""
        self.query_one("#header", StaticLines).show_cells(
            header(fleet, self._keys, self.wanted, self.size.width - _PADDING), GAP
        )
        told = notices(fleet, now, self.size.width)
        self.query_one("#notices", StaticLines).show(told)
        self.query_one("#notices").display = bool(told)
        self.marks = kept_marks(self.marks, fleet)
        self.groups = groups_of(fleet, self.listing, self._kept_order())
        self._show_middle(fleet, now)
        self.log_panel.show(fleet)
        self.show_details(fleet, now)

    def _kept_order(self) -> list[Selection]:
        """Return the order of the boards that is to stay; none where they are to be sorted."""
        time_now = self._clock()
        is_at_keys = time_now - self._touched_at < RESORT
        if is_at_keys and self.listing == self._sorted and time_now - self._sorted_at < RESORT:
            return [each.place for each in self.shown_boards]
        self._sorted, self._sorted_at = self.listing, time_now
        return []

    def _show_middle(self, fleet: Fleet, now: float) -> None:
        width = self.size.width
        match self.middle:
            case Middle.BOARDS:
                look = Appearance(self._keys, width, self.marks, self.selection)
                table = board_table(fleet, self.groups, self.listing, now, look)
                boards = self.query_one(f"#{Middle.BOARDS}", Rows)
                boards.show(
                    table.rows, empty=no_boards(fleet, self.wanted), note=self._note(fleet), columns=table.columns
                )
            case Middle.QUEUE:
                self.query_one(f"#{Middle.QUEUE}", Rows).show(fleet_job_rows(fleet, now))
            case Middle.WALL:
                tiles = board_tiles(self.groups, now, self._keys, width - 1, marks=self.marks)
                self.query_one(Wall).show(tiles)
        if self._wanted is not None and self.middle is not Middle.QUEUE:
            wanted, self._wanted = self._wanted, None
            self._list.select(wanted)

    def _below(self, places: Sequence[Selection], width: int) -> str:
        """Return which boards of the list come below."""
        hidden = {place for place in places if not place.group}
        boards = self.shown_boards
        found = [each for each in boards if each.place in hidden]
        return below_text(found, len(hidden) - len(found), names_by_partition(boards), width)

    def _note(self, fleet: Fleet) -> str:
        shown = {each.place for each in self.shown_boards}
        return list_note(
            self.listing, len(shown), len(boards_of(fleet)), self.marks, sum(mark not in shown for mark in self.marks)
        )

    def show_details(self, fleet: Fleet, now: float) -> None:
        """Takes what is selected now."""
        self._follow_selection()
        selection = self.selection
        host = fleet.host_of(selection)
        lines = details(host.store, selection, now, self._keys)
        if lines and host.link.state.status is not LinkStatus.CONNECTED:
            lines.insert(0, Phrase("Not connected: this is how it was last seen.", Tone.WAIT))
        shown = self.query_one("#details", StaticLines)
        self._told = shown.height_of(lines)
        self._share_out()
        room = self._details_height - _BORDER
        shown.show(lines if self._told <= room else shortened(lines, shown.size.width, room))
        self._entitle(
            title_of(host.store, selection, partial(fleet.shown_name, host)), self._map_of(host.store, selection)
        )

    def _follow_selection(self) -> None:
        """Lets the choice of a partition end with the selection of its board."""
        selected = self._list.selected
        if selected != self._board and not selected.job:
            self._board, self._partition = selected, ""

    def choose_partition(self, fleet: Fleet, step: int) -> None:
        """Chooses the next partition of the selected board, or its last; before the first is the whole board."""
        board = fleet.host_of(self._board).store.boards.get(self._board.board)
        if board is None or self.middle is not Middle.BOARDS:
            return
        names = ["", *(partition.name for partition in open_partitions(board))]
        at = names.index(self._partition) if self._partition in names else 0
        self._partition = names[max(0, min(at + step, len(names) - 1))]

    def show_message(self, phrase: Phrase) -> None:
        """Takes what is said on the line above the keys."""
        self._status.show(phrase)

    def show_keys(self, keys: Iterable[KeyHint]) -> None:
        """Takes the keys as they are now, and shows those that are needed here."""
        self.query_one(KeyBar).show(needed(keys, self.middle))

    def open_middle(self, middle: Middle) -> None:
        """Shows one of the lists, with the cursor on the board that it was on before."""
        selected = self._list.selected
        self._switch(middle)
        if selected.board and middle is not Middle.QUEUE:
            self._point_at(selected.whole_board)

    def _point_at(self, row: Selection) -> None:
        """Moves the cursor to a row, now or as soon as a list that was not shown has it; the last wish counts."""
        self._wanted = None if self._list.select(row) else row

    def _switch(self, middle: Middle) -> None:
        self.middle = middle
        for each in Middle:
            self.query_one(f"#{each}").display = each is middle
        self._list.focus()
        self.post_message(self.Filtered())

    @property
    def is_filtering(self) -> bool:
        """True while the filter is typed."""
        return self.query_one("#filter-line").display

    def open_filter(self) -> None:
        """Shows the line that the filter is typed on."""
        if self.middle is Middle.QUEUE:
            self.open_middle(Middle.BOARDS)
        typed = self.query_one("#filter", Input)
        typed.value = self.wanted
        self.query_one("#filter-line").display = True
        typed.focus()

    def close_filter(self, wanted: str) -> None:
        """Takes the filter as it is to stay, and goes back to the boards where it was being typed."""
        line = self.query_one("#filter-line")
        if line.display:
            line.display = False
            self._list.focus()
        self._take_filter(wanted)

    def go_back(self) -> None:
        """Leaves what was opened last: the filter while it is typed, another list, the filter, the marks."""
        if self.is_filtering or (self.middle is Middle.BOARDS and self.wanted):
            self.close_filter("")
        elif self.middle is not Middle.BOARDS:
            self.open_middle(Middle.BOARDS)
        elif self.marks:
            self.marks = frozenset()
            self.post_message(self.Filtered())
        else:
            self._list.focus()

    def take_listing(self, listing: Arrangement) -> None:
        """Shows the boards in another way."""
        if listing != self.listing:
            self.listing = listing
            self.post_message(self.Filtered())

    def toggle_marks(self, places: Collection[Selection]) -> None:
        """Marks these boards; where all of them are marked, none of them any more."""
        chosen = frozenset(places)
        self.marks = self.marks - chosen if chosen <= self.marks else self.marks | chosen
        self.post_message(self.Filtered())

    def move_on(self) -> None:
        """Moves the cursor to the next row, as after a mark."""
        self._list.action_move(1)

    def select(self, place: Selection) -> None:
        """Points at a board or a partition, and goes to the list of the boards for that."""
        if self.middle is Middle.QUEUE:
            self._switch(Middle.BOARDS)
        board = replace(place, partition="", job=0)  # or a device
        self._list.focus()
        self._point_at(board)
        self._board, self._partition = board, place.partition
        self.post_message(self.Filtered())

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
        self.take_listing(replace(self.listing, wanted=wanted.strip()))

    @on(events.Resize)
    @on(Panels.Resized)
    def resized(self) -> None:
        """The panels get other heights."""
        self.call_after_refresh(self._share_out)

    @property
    def _list(self) -> Rows:
        """The list in the middle."""
        return self.query_one(f"#{self.middle}", Rows)

    @property
    def _space(self) -> int:
        """Lines that the panels share: the log gives one of its own to what is said, and nothing else moves."""
        return self.query_one("#panels").size.height + self._said

    @property
    def _said(self) -> int:
        """Lines of the status line."""
        return 1 if self._status.display else 0

    def _map_of(self, store: Store, selection: Selection) -> Sequence[FlashGlyph]:
        """Return the map of the selected board as it is seen in its line; nothing where it is not."""
        cells = 0
        if selection.board in store.boards and self.middle is not Middle.QUEUE:
            cells = self._list.width_of(MAP) if self.middle is Middle.BOARDS else MAP_CELLS
        return map_cells(store.map_of(selection.board), cells)

    def _entitle(self, title: str, shown_map: Sequence[FlashGlyph]) -> None:
        """Says what the details are of, how to see those that do not fit, and what the letters of the map mean."""
        more = f" ({self._keys['details']}: all of it)" if self._told > self._details_height - _BORDER else ""
        told = f"{title}{more}" if title else "nothing selected"
        meanings = legend(shown_map, self.size.width - cell_len(told) - _BESIDE_TITLE - len(_BEFORE_LEGEND))
        shown = f"{told}{_BEFORE_LEGEND}{meanings}" if meanings else told
        if shown != self._title:
            self._title = shown
            self.query_one("#details-panel").border_title = Content(shown)

    def _share_out(self) -> None:
        """The list comes first and depends on nothing below it: its rows stay where they are while the cursor moves."""
        details_panel, log = self.query_one("#details-panel"), self.log_panel
        space, told = self._space, self._told + _BORDER
        below = _LEAST_DETAILS + _LEAST_LOG
        if self.middle is Middle.WALL:
            below = _LEAST_DETAILS
        whole = self._list.count + _TITLES if self.middle is not Middle.WALL else space
        for_list = max(min(_LEAST_LIST, space), min(whole, space - below))
        shares = allot(
            space,
            (
                Want(for_list, for_list),
                Want(_LEAST_DETAILS, max(_LEAST_DETAILS, told) if self.middle is not Middle.WALL else _LEAST_DETAILS),
                Want(_LEAST_LOG if below > _LEAST_DETAILS else 0, space),
            ),
        )
        self._details_height = shares[1]
        shares[-1] = max(0, shares[-1] - self._said)
        for widget, height in zip((self._list, details_panel, log), shares, strict=True):
            if widget.styles.height is None or widget.styles.height.value != height:
                widget.styles.height = height
        log.can_focus = shares[-1] > _BORDER
