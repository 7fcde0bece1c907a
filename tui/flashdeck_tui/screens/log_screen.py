"""The full log: all hosts by time, filtered, searched, paged back, copied and written to a file."""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from flashdeck.errors import FlashdeckError
from flashdeck.log_filter import LEVELS, LogFilter
from flashdeck.model import LogLevel
from flashdeck.text import clean, counted, format_size
from flashdeck_tui.console_log import MOST_CONSOLES, ConsoleLog, speaking_boards
from flashdeck_tui.daemon_log import DaemonLog, DebugLog
from flashdeck_tui.fleet import Fleet
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.log_source import LogSource
from flashdeck_tui.log_window import LogWindow
from flashdeck_tui.new_file import write_new
from flashdeck_tui.screens.page_keys import bind_page
from flashdeck_tui.screens.questions import AskScreen
from flashdeck_tui.screens.whole import WholeScreen
from flashdeck_tui.views.log import level_name, source_text
from flashdeck_tui.widgets.line_input import LineInput
from flashdeck_tui.widgets.log_lines import LogLines
from flashdeck_tui.widgets.one_line import OneLine

LOOK_SECONDS = 0.25
"""Seconds between two looks at what came."""
MOST_COPIED = 74_994
"""Bytes that are copied: 100,000 of base64, which is what terminals take of OSC 52 at the most."""
SEARCHED_PAGES = 25
"""Pages of older lines that one search fetches; N goes on from there."""
LONGEST_TYPED = 200
"""Characters of a search, or of a filter."""

_KEYS: Final = {
    "log-pause": ("pause", "pause"),
    "log-search": ("type('SEARCH')", "search"),
    "log-next-hit": ("hit(1)", "next"),
    "log-previous-hit": ("hit(-1)", "previous"),
    "log-boards": ("type('BOARDS')", "boards"),
    "log-level": ("level", "level"),
    "log-text": ("type('TEXT')", "text"),
    "log-consoles": ("consoles", "consoles"),
    "log-clear": ("clear", "clear"),
    "log-mark": ("mark", "mark"),
    "log-copy": ("copy", "copy"),
    "log-save": ("save", "save"),
}
"""By the names of the keys of this page: the actions, and the words for them."""


class _LineFor(Enum):
    """The purpose of the line that is typed on."""

    SEARCH = "Search: "
    BOARDS = "Boards: "
    TEXT = "Text: "


_EXAMPLES = {
    _LineFor.SEARCH: "any text, in capitals or not",
    _LineFor.BOARDS: "names and globs, as left rack-*; nothing: all",
    _LineFor.TEXT: "only lines with this text; nothing: all",
}


class LogScreen(WholeScreen):
    """The whole log on the whole screen."""

    DEFAULT_CSS = """
    LogScreen {
        #log-title { background: $panel; }
        #log-lines { height: 1fr; }
        #log-typed { display: none; height: 1; padding: 0 1; }
        #log-typed Static { width: auto; }
        #log-typed Input { width: 1fr; }
        #log-keys { height: auto; padding: 0 1; background: $panel; color: $text-muted; }
    }
    LogScreen:ansi {
        #log-title, #log-keys { background: ansi_default; color: ansi_default; }
        #log-title { text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]
    AUTO_FOCUS = "#log-lines"

    def __init__(
        self,
        fleet: Fleet,
        keys: KeyNames,
        board: str = "",
        *,
        more: Callable[[LogFilter], Sequence[LogSource]] = lambda _: (),
        why_no_file: str | None = None,
    ) -> None:
        """Show the log of all hosts, or of one board alone, with its console; `more` are sources beside the daemons'.

        `why_no_file` says why no lines may be written to a file, where it is so.
        """
        super().__init__()
        self._keys = keys
        own = {name: action for name, (action, _) in _KEYS.items()}
        bind_page(self, keys, opened_by=("log", "boards"), own=own)
        self._why_no_file = why_no_file
        self._fleet = fleet
        self._more = more
        wanted = LogFilter(boards=(board,) if board else ())
        self._debug: list[DebugLog] = []
        self._consoles: list[ConsoleLog] = []
        self._with_consoles = bool(board)
        """True if consoles are wanted, as far as any of the boards has one."""
        self._logs = [DaemonLog(host, self._shown(host.name)) for host in fleet]
        self.window = LogWindow((*self._logs, *more(wanted)), wanted)
        self._typed = _LineFor.SEARCH
        self._said = ""
        self._is_paging = False

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield OneLine(id="log-title")
        yield LogLines(self.window, id="log-lines")
        with Horizontal(id="log-typed"):
            yield Static(id="log-asked", markup=False)
            yield LineInput(id="log-input", compact=True, max_length=LONGEST_TYPED)
        yield OneLine(id="log-said")
        told = self._keys.bar({name: word for name, (_, word) in _KEYS.items()})
        yield Static(f"{told} [Esc] back", id="log-keys", markup=False)

    def on_mount(self) -> None:
        """Shows what is there, and goes on looking."""
        if self._with_consoles and speaking_boards(self._fleet, self.window.wanted):
            self._choose(self.window.wanted)
        else:
            self._show()
            self._fill()
        self.set_interval(LOOK_SECONDS, self.look)

    def look(self) -> None:
        """Take what came, all at once."""
        if self.window.take() or self._said_anew():
            self._show()

    @property
    def lines(self) -> LogLines:
        """The lines, with their cursor."""
        return self.query_one(LogLines)

    @property
    def said(self) -> str:
        """The line that says what was done, or how things are."""
        return self._said

    def say(self, text: str) -> None:
        """Say what was done."""
        self._said = clean(text, 1000)
        self.query_one("#log-said", OneLine).show(self._said)

    def action_back(self) -> None:
        """End what is being typed, else the mark, else the search, else the screen."""
        if self.query_one("#log-typed").display:
            self._close_input()
        elif self.lines.mark is not None:
            self.lines.mark = None
            self.lines.refresh()
        elif self.window.sought:
            self.window.search("")
            self.say("")
            self._show()
        else:
            self.dismiss(None)

    def action_pause(self) -> None:
        """Stay, or follow again."""
        if self.window.paused:
            self.window.follow()
        else:
            self.window.pause()
        self.say("")
        self._show()

    def action_type(self, what: str) -> None:
        """Open the line that is typed on."""
        self._typed = _LineFor[what]
        wanted = self.window.wanted
        now = {
            _LineFor.SEARCH: self.window.sought,
            _LineFor.BOARDS: " ".join(wanted.boards),
            _LineFor.TEXT: wanted.text,
        }
        self.query_one("#log-asked", Static).update(self._typed.value)
        self.query_one("#log-typed").display = True
        typed = self.query_one("#log-input", Input)
        typed.placeholder = _EXAMPLES[self._typed]
        typed.value = now[self._typed]
        typed.cursor_position = len(typed.value)
        typed.focus()

    @on(Input.Submitted, "#log-input")
    def typed(self, submitted: Input.Submitted) -> None:
        """Takes what was typed."""
        text, wanted = submitted.value.strip(), self.window.wanted
        self._close_input()
        match self._typed:
            case _LineFor.SEARCH:
                self.window.search(text)
                self.say("")
                self._show()
                if text:
                    self._find_first()
            case _LineFor.BOARDS:
                self._choose(LogFilter(tuple(text.split()), wanted.level, wanted.text))
            case _LineFor.TEXT:
                self._choose(LogFilter(wanted.boards, wanted.level, text))

    def action_level(self) -> None:
        """Show the next level: warnings and errors, errors alone, decisions too, all."""
        order = (LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.DEBUG)
        wanted = self.window.wanted
        level = order[(order.index(wanted.level) + 1) % len(LEVELS)]
        self._choose(LogFilter(wanted.boards, level, wanted.text))
        self.say(f"level: {level_name(level)}")

    def action_consoles(self) -> None:
        """Show what boards say on their consoles, too, or no more."""
        wanted = self.window.wanted
        if not self._with_consoles and not speaking_boards(self._fleet, wanted):
            self.say("No board here has a console: [profiles.NAME.console] of the configuration gives it one.")
            return
        self._with_consoles = not self._with_consoles
        self._choose(wanted)
        if self._consoles:
            self.say(f"{counted(len(self._consoles), 'console')} shown; what a board says begins with >")

    def action_clear(self) -> None:
        """Show all lines again."""
        self.window.search("")
        self._choose(LogFilter())

    def action_mark(self) -> None:
        """Mark lines from this one on, or none any more."""
        lines = self.lines
        lines.mark = lines.cursor if lines.mark is None else None
        self.window.pause()
        self.say(
            f"marks from here: move, then {self._keys['log-copy']} copies, {self._keys['log-save']} saves"
            if lines.mark is not None
            else ""
        )
        self._show()

    def action_copy(self) -> None:
        """Copy what is marked, or the line of the cursor, to the clipboard of the terminal."""
        texts = self._marked_texts()
        text = "\n".join(texts)
        size = len(text.encode())
        if not texts:
            self.say("There is no line to copy.")
        elif size > MOST_COPIED:
            self.say(
                f"That is {format_size(size)}, and a terminal's clipboard takes {format_size(MOST_COPIED)}: "
                f"{self._keys['log-save']} saves it."
            )
        else:
            self.application.copy_to_clipboard(text)
            self.lines.mark = None
            self.say(f"{counted(len(texts), 'line')} copied; a terminal that refuses OSC 52 does not say so")
            self.lines.refresh()

    def action_save(self) -> None:
        """Write what is marked, or all that is shown, to a new file."""
        self.run_worker(self._save(), group="saving", exclusive=True)

    def action_hit(self, direction: int) -> None:
        """Go to the next hit below the cursor, or above it."""
        if not self.window.sought:
            self.say(f"Nothing is searched: {self._keys['log-search']} searches.")
        elif direction > 0:
            hit = self.window.hit_after(self.lines.cursor)
            if hit is None:
                self.say(f"no hit below; {self._hits}")
            else:
                self._go_to_hit(hit)
        else:
            self.run_worker(self._find_before(self.lines.cursor), group="paging", exclusive=True)

    @on(LogLines.CursorMoved)
    def moved(self, moved: LogLines.CursorMoved) -> None:
        """The cursor moved, or came to the top."""
        if moved.wants_older:
            self.run_worker(self._page_back(), group="paging", exclusive=True)
        self._entitle()

    async def _page_back(self, *, quietly: bool = False) -> None:
        """Fetch lines that are older, until there is one, or there are none; `quietly` where nobody asked for them."""
        said = self._said
        for _ in range(SEARCHED_PAGES):
            if await self._fetch_page() or not self.window.may_have_older:
                break
        if quietly and not self.window.notes:
            self.say(said)
        self._show()

    async def _fetch_page(self) -> int:
        """Fetch one page of older lines; return how many there were, and say where there are none."""
        if not self.window.may_have_older:
            self.say("; ".join(self.window.notes) or "This is the beginning of the log that is kept.")
            return 0
        self.say("fetching older lines …")
        try:
            found = await self.window.page_back()
        except FlashdeckError as error:
            self.say(f"Older lines cannot be had now: {error.message}")
            return 0
        self.say(f"{counted(found, 'older line')}" if found else "")
        if not found and not self.window.may_have_older:
            self.say("; ".join(self.window.notes) or "This is the beginning of the log that is kept.")
        return found

    def _find_first(self) -> None:
        """Go to the newest hit at the cursor or above it."""
        hit = self.window.hit_before(self.lines.cursor + 1)
        if hit is None:
            self.run_worker(self._find_before(self.lines.cursor), group="paging", exclusive=True)
        else:
            self._go_to_hit(hit)

    async def _find_before(self, name: int) -> None:
        sought, fetched = self.window.sought, 0
        self.window.pause()  # what is found has to stay where it is
        for _ in range(SEARCHED_PAGES):
            hit = self.window.hit_before(name)
            if hit is not None:
                self._show()
                self._go_to_hit(hit)
                return
            if not self.window.may_have_older:
                break
            fetched += await self._fetch_page()
            if sought != self.window.sought:
                return
        self._show()
        goes_on = f"; {self._keys['log-previous-hit']} searches on" if self.window.may_have_older else ""
        self.say(f"no hit above, in {counted(fetched, 'older line')} that were fetched{goes_on}; {self._hits}")

    def _go_to_hit(self, hit: int) -> None:
        self.lines.go_to(hit)
        self.say(f"hit {self.window.hits.index(hit) + 1} of {len(self.window.hits)} in memory")

    @property
    def _hits(self) -> str:
        return f"{counted(len(self.window.hits), 'hit')} in memory"

    def _marked_texts(self) -> list[str]:
        lines = (self.window.line(name) for name in self.lines.marked)
        return [source_text(line) for line in lines if line is not None]

    async def _save(self) -> None:
        if self._why_no_file is not None:
            self.say(self._why_no_file)
            return
        is_marked = self.lines.mark is not None
        texts = self._marked_texts() if is_marked else [source_text(line) for line in self.window.lines]
        what = "the marked lines" if is_marked else "the lines in memory"
        answer = await self.application.push_screen_wait(
            AskScreen(f"Write {what} to a file", "path of a new file, as ~/log.txt")
        )
        if answer is None:
            return
        try:
            path = await asyncio.to_thread(write_new, answer, "".join(f"{text}\n" for text in texts))
        except FlashdeckError as error:
            self.say(f"{error.message}: {error.hint}")
            return
        self.lines.mark = None
        self.say(f"{counted(len(texts), 'line')} written to {path}")
        self.lines.refresh()

    def _choose(self, wanted: LogFilter) -> None:
        """Show other lines. Decisions are fetched for as long as they are wanted."""
        if wanted.level is LogLevel.DEBUG and not self._debug:
            self._debug = [DebugLog(host, self._shown(host.name)) for host in self._fleet]
            for source in self._debug:
                self.run_worker(source.watch(), group="debug")
        elif wanted.level is not LogLevel.DEBUG and self._debug:
            self._debug = []
            self._forget_workers("debug")
        self._forget_workers("consoles")
        self.say("")
        self._consoles = self._spoken(wanted) if self._with_consoles else []
        for source in self._consoles:
            self.run_worker(source.watch(), group="consoles")
        self.window.choose(wanted, (*self._logs, *self._debug, *self._consoles, *self._more(wanted)))
        self._show()
        self._fill()

    def _spoken(self, wanted: LogFilter) -> list[ConsoleLog]:
        """Return the consoles of all boards that are wanted; none where they are too many."""
        boards = speaking_boards(self._fleet, wanted)
        if len(boards) > MOST_CONSOLES:
            self.say(f"{len(boards)} consoles are too many at once: {self._keys['log-boards']} chooses some boards.")
            return []
        return [ConsoleLog(host, board, self._shown(host.name)) for host, board in boards]

    def _forget_workers(self, group: str) -> None:
        self.application.workers.cancel_group(self, group)  # pyright: ignore[reportUnknownMemberType] -- Textual leaves open what its workers return

    def _fill(self) -> None:
        """Fetch older lines where those at hand do not fill the screen."""
        if len(self.window.lines) < self.application.size.height and self.window.may_have_older:
            # A coroutine of its own would be left unawaited where another choice follows at once.
            self.run_worker(partial(self._page_back, quietly=True), group="paging", exclusive=True)

    def _close_input(self) -> None:
        self.query_one("#log-typed").display = False
        self.lines.focus()

    def _shown(self, host: str) -> str:
        return host if len(self._fleet.hosts) > 1 else ""

    def _said_anew(self) -> bool:
        """Tell whether the state of a connection has changed, which the title says."""
        return self._heading != self._entitled

    def _show(self) -> None:
        self.lines.show()
        self._entitle()

    _entitled = ""

    def _entitle(self) -> None:
        self._entitled = self._heading
        self.query_one("#log-title", OneLine).show(self._entitled)

    @property
    def _heading(self) -> str:
        """The lines that are shown, in words."""
        window, wanted = self.window, self.window.wanted
        boards = clean(" ".join(wanted.boards)) if wanted.boards else "all boards"
        parts = ["log", boards, level_name(wanted.level)]
        if self._consoles:
            parts.append("with consoles" if len(self._consoles) > 1 else "with console")
        if wanted.text:
            parts.append(f'with "{clean(wanted.text)}"')
        if window.sought:
            parts.append(f"/{clean(window.sought)}")
        if window.paused:
            parts.append(f"paused, {counted(window.new, 'new line')}" if window.new else "paused")
        else:
            parts.append("following")
        away = [host.name or "the daemon" for host in self._fleet if not host.link.connected]
        if away:
            parts.append(f"not connected: {clean(', '.join(away))}")
        return " · ".join(parts)
