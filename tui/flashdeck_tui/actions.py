"""The one registry of what a person can do. The keys, the key bar, the help screen and the palette all come from it.

An action that cannot run now stays visible and says why: `why_not` is asked before every run and for every picture.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from flashdeck import api
from flashdeck.errors import RequestError
from flashdeck.image_file import read_image
from flashdeck.image_formats import SUFFIXES_IN_WORDS
from flashdeck.job_state import CHANGES, Blocked, Running
from flashdeck.model import Disposition, JobState
from flashdeck.names import literal
from flashdeck.paths import absolute
from flashdeck.text import counted, format_age, format_size, short_sha
from flashdeck.value import Value
from flashdeck.words.boards import armed_text, hold_text
from flashdeck.words.jobs import status_word
from flashdeck.words.work import doing_word
from flashdeck_tui.board_list import next_problem
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views import log_text

R = TypeVar("R", bound=Value)


class Needs(StrEnum):
    """The selection that an action needs."""

    NOTHING = "nothing"
    DAEMON = "daemon"  # nothing selected, but a connection
    BOARD = "board"
    PARTITION = "partition"  # or a board: then the partition is asked for
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers."""

    key: str
    label: str
    detail: str = ""


class Context(Protocol):
    """All that an action may use: the state, the selection when its key was pressed, the daemon and the screen."""

    @property
    def store(self) -> Store:
        """The state; not to be changed."""
        ...

    @property
    def link(self) -> LinkState:
        """The connection."""
        ...

    @property
    def selection(self) -> Selection:
        """The thing that the person points at."""
        ...

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def call(self, params: api.Params[R]) -> R:
        """Calls a method of the daemon. FlashdeckErrors need not be caught: the screen shows message and hint."""
        ...

    async def upload(self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...]) -> api.UploadDone:
        """Sends the bytes of an image file, and where it is for."""
        ...

    async def choose(self, title: str, choices: Sequence[Choice]) -> str | None:
        """Lets the person choose; the key of the choice, or None."""
        ...

    async def ask(self, title: str, example: str) -> str | None:
        """Lets the person type a line; None where nothing was typed."""
        ...

    async def confirm(self, question: str, consequence: str) -> bool:
        """Asks before something is lost."""
        ...

    def tell(self, text: str) -> None:
        """Says something in passing."""
        ...

    @property
    def filter(self) -> str:
        """The filter of the list of boards; "" where it shows all."""
        ...

    def open_filter(self) -> None:
        """Lets the person type the filter."""
        ...

    def clear_filter(self) -> None:
        """Shows all boards again."""
        ...

    def select(self, place: Selection) -> None:
        """Points at a board, or at one of its partitions."""
        ...

    def show_details(self) -> None:
        """Opens the details of what is selected."""
        ...

    def show_help(self) -> None:
        """Opens the help."""
        ...

    def show_palette(self) -> None:
        """Opens the command palette."""
        ...

    def show_themes(self) -> None:
        """Opens the choice of colours."""
        ...

    @property
    def log_has_room(self) -> bool:
        """True if a line of the log is visible."""
        ...

    @property
    def log_board(self) -> str:
        """The only board whose lines the log shows; "" where it shows all."""
        ...

    def toggle_follow(self) -> None:
        """Lets the log follow its end, or stay where it is."""
        ...

    def toggle_log_board(self) -> None:
        """Shows the log of the selected board only, or of all."""
        ...

    def quit(self) -> None:
        """Leaves; the daemon goes on."""
        ...


Run = Callable[[Context], Awaitable[None]]
WhyNot = Callable[[Context], str | None]


def _nothing_against(_context: Context) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that a person can do.

    `key` is Textual's name of a key ("f", "question_mark"; several with commas between), "" for the palette alone.
    `title` is one or two words for the key bar, `description` a sentence. `in_bar` is whether the key bar shows it.
    `check` says why it cannot run now, in a sentence, or None; connection and selection are checked beforehand.
    """

    id: str
    key: str
    title: str
    description: str
    run: Run
    needs: Needs = Needs.NOTHING
    check: WhyNot = _nothing_against
    in_bar: bool = True

    def why_not(self, context: Context) -> str | None:
        """Return the reason why it cannot run now, in a sentence; None when it can."""
        if self.needs is not Needs.NOTHING and context.link.status is not LinkStatus.CONNECTED:
            return f"Not connected: {context.link.hint or context.link.reason or 'wait a moment'}"
        selection = context.selection
        if self.needs in (Needs.BOARD, Needs.PARTITION) and selection.board not in context.store.boards:
            return "Select a board first."
        if self.needs is Needs.JOB and not (selection.board or selection.job):
            return "Select a job or a board first."
        return self.check(context)

    @property
    def key_label(self) -> str:
        """The key as people read it."""
        return _KEY_LABELS.get(self.key, self.key.split(",")[0])


_KEY_LABELS = {"question_mark": "?", "ctrl+p": "^p", "enter": "↵", "slash": "/", "escape": "Esc"}
_NEWEST = "newest"
_FILE = "file"


async def _flash(context: Context) -> None:
    board = context.selection.board
    partition = context.selection.partition or await _choose_partition(context, board)
    if not partition:
        return
    artifact = context.store.artifact(board, partition)
    choices: list[Choice] = []
    if artifact is not None and artifact.disposition is not Disposition.REFUSED:
        name = artifact.version or short_sha(artifact.sha256)
        age = format_age(context.now - artifact.seen_at)
        choices.append(
            Choice(_NEWEST, f"the newest build: {name}", f"{format_size(artifact.size)}, {age} old, {artifact.source}")
        )
    choices.append(Choice(_FILE, "a file …", f"its bytes are sent: {SUFFIXES_IN_WORDS}"))
    match await context.choose(f"Flash {partition} of {board} with", choices):
        case "newest":
            await _order(context, partition, artifact.sha256 if artifact else "", board)
        case "file":
            path = await context.ask(f"Image for {partition} of {board}", "path of the file, as ~/fw/build/APP1.bin")
            if path:
                data = await asyncio.to_thread(_read, path)
                boards = (literal(board),)
                image = await context.upload(Path(path).name, data, partition=partition, boards=boards)
                await _order(context, partition, image.sha256, board)
        case _:
            pass


def _read(path: str) -> bytes:
    return read_image(absolute(path))


async def _choose_partition(context: Context, board: str) -> str | None:
    choices = [Choice(p.name, p.name) for p in context.store.boards[board].partitions if not p.protected]
    if len(choices) == 1:
        return choices[0].key
    return await context.choose(f"Flash which partition of {board}?", choices)


async def _order(context: Context, partition: str, sha256: str, board: str) -> None:
    reply = await context.call(api.Flash(partition=partition, sha256=sha256, boards=(literal(board),)))
    for job in reply.jobs:
        context.tell(f"Job {job.id}: {job.version or short_sha(job.sha256)} into {job.partition} of {job.board}.")
    for note in reply.notes:
        context.tell(note)


def _flash_why_not(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    if all(partition.protected for partition in board.partitions):
        return f"Every partition of {board.name} is protected."
    partition = context.store.partition(board.name, context.selection.partition)
    if partition is not None and partition.protected:
        return f"{partition.name} is protected: it is never flashed."
    return None


async def _cancel(context: Context) -> None:
    job = context.store.active_job(context.selection)
    if job is None:
        return
    if isinstance(job.status, Running):
        question = f"Cancel job {job.id}, which is {doing_word(job.kind)} {_place(job)}?"
        lost = "It stops at the next safe point."
        if job.kind in CHANGES:
            lost += " What it has begun to erase cannot boot until you reflash it."
        if not await context.confirm(question, lost):
            return
    ended = await context.call(api.Cancel(job=job.id))
    context.tell(f"Job {ended.id}: {ended.text}.")


def _cancel_why_not(context: Context) -> str | None:
    if context.store.active_job(context.selection) is not None:
        return None
    job = context.store.jobs.get(context.selection.job)
    return (
        f"Job {job.id} is over: {status_word(job.status, job.kind).text}."
        if job
        else "No job of this board runs or waits."
    )


def _place(job: JobState) -> str:
    return f"{job.partition} of {job.board}" if job.partition else job.board


async def _retry(context: Context) -> None:
    job = _retriable(context)
    if job is not None:
        again = await context.call(api.Retry(job=job.id))
        context.tell(f"Job {again.id} ({_place(again)}): {again.text}.")


def _retriable(context: Context) -> JobState | None:
    store, selection = context.store, context.selection
    if selection.job:
        job = store.jobs.get(selection.job)
    else:
        jobs = store.jobs_at(selection.board, selection.partition)
        job = next((job for job in jobs if isinstance(job.status, Blocked)), None)
        job = job or store.last_failure(selection.board, selection.partition) or store.last_job(selection)
    return job if job is not None and (job.is_settled or isinstance(job.status, Blocked)) else None


def _retry_why_not(context: Context) -> str | None:
    if _retriable(context) is not None:
        return None
    job = context.store.last_job(context.selection)
    return (
        f"Job {job.id} is not over: {status_word(job.status, job.kind).text}."
        if job
        else "There is no job to try again."
    )


async def _hold(context: Context) -> None:
    await context.call(api.Hold(boards=(literal(context.selection.board),), reason="from the terminal"))


def _hold_why_not(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    return f"{board.name} is already {hold_text(board)}." if board.hold is not None else None


async def _release(context: Context) -> None:
    await context.call(api.Release(boards=(literal(context.selection.board),)))


def _release_why_not(context: Context) -> str | None:
    board, store = context.store.boards[context.selection.board], context.store
    if board.hold or board.doubts or any(isinstance(job.status, Blocked) for job in store.jobs_at(board.name)):
        return None
    return f"{board.name} is {hold_text(board)}."


async def _arm(context: Context) -> None:
    await context.call(api.Arm(boards=(literal(context.selection.board),)))


def _arm_why_not(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    return f"{board.name} is already {armed_text(board)}." if board.armed and not board.once else None


async def _disarm(context: Context) -> None:
    await context.call(api.Disarm(boards=(literal(context.selection.board),)))


def _disarm_why_not(context: Context) -> str | None:
    board = context.store.boards[context.selection.board]
    return None if board.armed else f"{board.name} is already {armed_text(board)}."


def _log_why_not(context: Context) -> str | None:
    return None if context.log_has_room else "There is no room for the log. Make the terminal higher."


def _log_board_why_not(context: Context) -> str | None:
    nothing_to_show = not (context.log_board or context.selection.board)
    return _log_why_not(context) or ("Select a board first." if nothing_to_show else None)


async def _follow_log(context: Context) -> None:
    context.toggle_follow()


async def _log_board(context: Context) -> None:
    context.toggle_log_board()


async def _save_log(context: Context) -> None:
    answer = await context.ask("Write the log to a file", "path of a new file, as ~/flashdeck.log")
    if answer is None:
        return
    lines = [f"{log_text(line)}\n" for line in context.store.log]
    path = await asyncio.to_thread(_write_new, answer, "".join(lines))
    context.tell(f"{counted(len(lines), 'line')} written to {path}")


def _write_new(name: str, text: str) -> Path:
    path = absolute(name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror}", hint="name a file that is new") from error
    return path


async def _next_problem(context: Context) -> None:
    place = next_problem(context.store, context.selection, context.filter)
    if place is not None:
        context.select(place)


def _next_problem_why_not(context: Context) -> str | None:
    if next_problem(context.store, context.selection, context.filter) is not None:
        return None
    shown = " among the boards shown; Esc shows all" if context.filter else ""
    return f"There is no problem{shown}."


async def _filter(context: Context) -> None:
    context.open_filter()


async def _clear_filter(context: Context) -> None:
    context.clear_filter()


async def _details(context: Context) -> None:
    context.show_details()


async def _help(context: Context) -> None:
    context.show_help()


async def _palette(context: Context) -> None:
    context.show_palette()


async def _themes(context: Context) -> None:
    context.show_themes()


async def _quit(context: Context) -> None:
    context.quit()


ACTIONS: tuple[Action, ...] = (
    Action(
        id="flash",
        key="f",
        title="Flash",
        description="Flash a partition of this board: the newest build, or a file.",
        needs=Needs.PARTITION,
        check=_flash_why_not,
        run=_flash,
    ),
    Action(
        id="cancel",
        key="c",
        title="Cancel",
        description="Cancel the job. A running job stops at its next safe point, after a question.",
        needs=Needs.JOB,
        check=_cancel_why_not,
        run=_cancel,
    ),
    Action(
        id="retry",
        key="r",
        title="Retry",
        description="Queue the job's image again. A blocked job is checked again.",
        needs=Needs.JOB,
        check=_retry_why_not,
        run=_retry,
    ),
    Action(
        id="hold",
        key="h",
        title="Hold",
        description="Put this board on hold: it starts no job until you release it.",
        needs=Needs.BOARD,
        check=_hold_why_not,
        run=_hold,
    ),
    Action(
        id="release",
        key="e",
        title="Release",
        description="Release this board and its blocked jobs.",
        needs=Needs.BOARD,
        check=_release_why_not,
        run=_release,
    ),
    Action(
        id="arm",
        key="a",
        title="Arm",
        description="Arm this board: new builds are flashed.",
        needs=Needs.BOARD,
        check=_arm_why_not,
        run=_arm,
    ),
    Action(
        id="disarm",
        key="d",
        title="Disarm",
        description="Disarm this board: new builds are offered. Queued jobs stay queued.",
        needs=Needs.BOARD,
        check=_disarm_why_not,
        run=_disarm,
    ),
    Action(
        id="next-problem",
        key="n",
        title="Next problem",
        description="Go to the next board that needs you.",
        check=_next_problem_why_not,
        run=_next_problem,
    ),
    Action(
        id="filter",
        key="slash",
        title="Filter",
        description="Show only boards with this name, state, profile or version.",
        run=_filter,
    ),
    Action(
        id="clear-filter",
        key="escape",
        title="Clear filter",
        description="Show all boards.",
        run=_clear_filter,
        in_bar=False,
    ),
    Action(
        id="follow-log",
        key="l",
        title="Pause log",
        description="Pause the log, or resume it.",
        check=_log_why_not,
        run=_follow_log,
        in_bar=False,
    ),
    Action(
        id="log-board",
        key="o",
        title="Log of one board",
        description="Show the log of this board only, or of all boards.",
        check=_log_board_why_not,
        run=_log_board,
        in_bar=False,
    ),
    Action(
        id="save-log",
        key="w",
        title="Write log",
        description="Write the log of all boards to a new file.",
        run=_save_log,
        in_bar=False,
    ),
    Action(
        id="theme",
        key="",
        title="Colours",
        description="Choose a theme. ansi-dark and ansi-light use your terminal's own colours.",
        run=_themes,
        in_bar=False,
    ),
    Action(
        id="details",
        key="enter",
        title="Details",
        description="Show details.",
        run=_details,
        in_bar=False,
    ),
    Action(id="help", key="question_mark", title="Help", description="Show all keys and words.", run=_help),
    Action(
        id="palette",
        key="ctrl+p",
        title="Commands",
        description="Find an action by name.",
        run=_palette,
        in_bar=False,
    ),
    Action(
        id="quit",
        key="q",
        title="Quit",
        description="Quit. The daemon keeps running; the daemon of a demo ends.",
        run=_quit,
    ),
)


def registry(more: Iterable[Action] = ()) -> tuple[Action, ...]:
    """All actions, those of the bench's hands first; raises ValueError where two have the same id or key."""
    actions = (*more, *ACTIONS)
    ids = [action.id for action in actions]
    keys = [key for action in actions for key in action.key.split(",") if key]
    for names in (ids, keys):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two actions share {', '.join(sorted(twice))}")
    return actions
