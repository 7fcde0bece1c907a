"""`flashdeck console`: what a board says on its serial port."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ExitCode, RequestError
from flashdeck.model import ConsoleEntry, ConsoleState
from flashdeck.names import literal
from flashdeck.text import clean, counted
from flashdeck.words.consoles import NOT_RECORDED, dropped_text, entry_text
from flashdeck.words.log_times import dated_time
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import ConsoleLine, ConsoleReport
from flashdeck_tui.cli.connect import converse, converse_again
from flashdeck_tui.cli.output import Colour, UnreadError, paint, put, put_json, say, say_error
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.remote import boards_here

FOLLOW_SECONDS: Final = 30.0
"""Seconds that the daemon waits for an entry before it answers that there is none."""
LINES: Final = 50
"""Entries that are shown where nothing else is asked for."""
_COLOURS: Final = {ConsoleKind.MARK: Colour.BUSY, ConsoleKind.NOISE: Colour.FAINT, ConsoleKind.CRASH: Colour.BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConsoleOrder:
    """The options that were typed."""

    board: str
    since_leave: bool
    limit: int
    as_jsonl: bool


@dataclass(slots=True)
class _ShownEntries:
    """The newest entry that was printed, so that a new connection goes on behind it."""

    daemon: str = ""
    number: int = 0

    def meet(self, daemon: str) -> None:
        """Note which daemon is there now; another one counts anew."""
        if daemon != self.daemon:
            self.daemon, self.number = daemon, 0


@click.command()
@live_options.board
@click.option("-f", "--follow", is_flag=True, help="Go on with what the board says, until Ctrl-C.")
@click.option(
    "--since",
    type=click.Choice(["leave"]),
    help="All that it said since its last leave of DFU mode: since its last flash, or reset.",
)
@click.option(
    "-n",
    "--lines",
    "limit",
    type=click.IntRange(1, api.CONSOLE_PAGE),
    metavar="COUNT",
    help=f"How many of the newest lines, by default {LINES}.",
)
@click.option("--release", is_flag=True, help="Close its port, so that tio or minicom can have it.")
@click.option("--resume", is_flag=True, help="Open it again.")
@options.as_json
@options.as_jsonl
def command(
    *,
    board: str,
    follow: bool,
    since: str | None,
    limit: int | None,
    release: bool,
    resume: bool,
    as_json: bool,
    as_jsonl: bool,
) -> ExitCode:
    """Show what BOARD said on its serial port, each line with its time.

    BOARD is a name, or a glob that means one. The daemon records it for as long as it runs; [profiles.NAME.console] of
    the configuration says on which port. Exits with 13 where it cannot: another program has the port, or it was
    released.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    if release or resume:
        if release and resume:
            raise RequestError("--release and --resume were both given", hint="take one of them")
        if follow or since or limit or as_jsonl:
            way = "--release" if release else "--resume"
            raise RequestError(f"{way} shows nothing that the board said", hint=f"leave out all but {way} and --json")
        return _hand_over(board, is_release=release, as_json=as_json)
    if follow and as_json:
        raise RequestError("--json is one object, and a console that is followed never ends", hint="take --jsonl")
    if since and limit:
        raise RequestError("--since shows all from there on", hint="leave out --lines")

    wanted = _ConsoleOrder(board=board, since_leave=since is not None, limit=limit or LINES, as_jsonl=as_jsonl)
    if follow:
        told = _ShownEntries()
        with suppress(UnreadError):  # that is how it ends: there is no other end
            converse_again(lambda client: _follow(client, wanted, told), until=Until.UNREAD)
        return ExitCode.OK
    report = converse(lambda client: _report(client, wanted))
    if as_json:
        put_json(report)
    else:
        for entry in report.entries:
            _print(entry, as_jsonl=as_jsonl)
    return _judged(report)


def _hand_over(board: str, *, is_release: bool, as_json: bool) -> ExitCode:
    """Release the port, or follow it again, and print how that went."""

    async def work(client: Client) -> api.BoardConsole:
        (name,) = boards_here((board,))
        return await client.call(api.ReleaseConsole(board=name) if is_release else api.ResumeConsole(board=name))

    answer = converse(work)
    report = ConsoleReport(board=answer.board, console=answer.console)
    if as_json:
        put_json(report)
    else:
        put(_state_text(report))
    return ExitCode.OK if is_release else _judged(report, is_told=not as_json)


def _judged(report: ConsoleReport, *, is_told: bool = False) -> ExitCode:
    """Return BLOCKED where nothing is recorded now, and a person can change that; say why, if that is not told yet."""
    state = report.console
    if state is None or state.condition in NOT_RECORDED:
        if not is_told or (state is not None and state.hint):
            say_error(_state_text(report), clean(state.hint) if state is not None else "")
        return ExitCode.BLOCKED
    if not is_told and (state.condition is not ConsoleCondition.OPEN or state.dropped):
        say(_state_text(report))
    return ExitCode.OK


def _state_text(report: ConsoleReport) -> str:
    state = report.console
    return clean(f"{report.board}: {'has no console any more' if state is None else state.text}")


async def _report(client: Client, wanted: _ConsoleOrder) -> ConsoleReport:
    """Return what is wanted, as far as the daemon has it now."""
    (name,) = boards_here((wanted.board,))
    limit = api.CONSOLE_PAGE if wanted.since_leave else wanted.limit
    page = await client.call(api.GetConsole(board=name, since_leave=wanted.since_leave, limit=limit))
    entries = list(page.entries)
    while wanted.since_leave and len(page.entries) == limit:
        page = await client.call(api.GetConsole(board=literal(page.board), after=page.next, limit=limit))
        entries += page.entries
    return ConsoleReport(
        board=page.board, console=await _state(client, page.board), entries=tuple(entries), next=page.next
    )


async def _state(client: Client, name: str) -> ConsoleState | None:
    """Return how a board's console is now; None where a reload has just taken it away."""
    reply = await client.call(api.GetBoards(boards=(literal(name),)))
    return next((board.console for board in reply.boards if board.name == name), None)


async def _follow(client: Client, wanted: _ConsoleOrder, told: _ShownEntries) -> None:
    """Print entries until nobody reads them any more. Raises ConnectionFailedError when the daemon ends."""
    (name,) = boards_here((wanted.board,))
    told.meet(client.welcome.instance)
    is_first = not told.number
    page = await client.call(
        api.GetConsole(
            board=name,
            after=told.number,
            since_leave=wanted.since_leave and is_first,
            limit=wanted.limit if is_first and not wanted.since_leave else api.CONSOLE_PAGE,
        )
    )
    only, dropped = literal(page.board), page.dropped
    state = await _state(client, page.board)
    if state is not None and state.condition is not ConsoleCondition.OPEN:
        say(_state_text(ConsoleReport(board=page.board, console=state)))
    while True:
        if page.entries and told.number and page.entries[0].number > told.number + 1:
            missing = page.entries[0].number - told.number - 1
            say(f"{counted(missing, 'line')} missing here: the board wrote faster than they were read")
        for entry in page.entries:
            if not _print(entry, as_jsonl=wanted.as_jsonl):
                return
        if page.dropped > dropped:
            say(dropped_text(page.dropped - dropped))
        told.number, dropped = page.next, page.dropped
        page = await client.call(
            api.GetConsole(
                board=only,
                after=told.number,
                since_leave=wanted.since_leave and not told.number,  # it has not left yet
                limit=api.CONSOLE_PAGE,
                wait=FOLLOW_SECONDS,
            )
        )


def _print(entry: ConsoleEntry, *, as_jsonl: bool) -> bool:
    if as_jsonl:
        return put_json(ConsoleLine(entry=entry))
    return put(f"{dated_time(entry.at)}  {paint(clean(entry_text(entry)), _COLOURS.get(entry.kind), sys.stdout)}")
