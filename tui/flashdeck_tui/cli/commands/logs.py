"""`flashdeck logs`: what the daemon says."""

import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import RequestError
from flashdeck.model import LogLevel, LogLine, Snapshot
from flashdeck.names import is_meant
from flashdeck.text import clean
from flashdeck_tui.cli import live_options, many_hosts, options
from flashdeck_tui.cli.answers import LogLineOfMany
from flashdeck_tui.cli.connect import converse, converse_again
from flashdeck_tui.cli.output import UnreadError, paint, put, put_json, say
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.words import LEVELS

FOLLOW_SECONDS = 30.0
"""Seconds that the daemon waits for a line before it answers that there is none."""
_LEVELS = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)
_RANK = {level: rank for rank, level in enumerate(_LEVELS)} | {LogLevel.OTHER: _LEVELS.index(LogLevel.INFO)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options that were typed."""

    boards: tuple[str, ...]
    limit: int
    level: LogLevel
    as_jsonl: bool


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@live_options.any_boards
@click.option(
    "-n", "--lines", "limit", type=click.IntRange(0, api.LOG_PAGE), default=50, show_default=True, help="How many."
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in _LEVELS]),
    default=LogLevel.INFO.value,
    show_default=True,
    help="Only what matters as much, or more; debug also tells what was decided, and why.",
)
@options.as_json
@options.as_jsonl
def command(*, follow: bool, boards: tuple[str, ...], limit: int, level: str, as_json: bool, as_jsonl: bool) -> None:
    """Show the newest lines of the daemon's log.

    BOARD is a name or a glob: only what is about these boards. Without one, all lines.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    if follow and as_json:
        raise RequestError("--json is one object, and a log that is followed never ends", hint="take --jsonl")

    wanted = _Wanted(boards=boards, limit=limit, level=LogLevel(level), as_jsonl=as_jsonl)
    if follow:
        shown = _Shown()
        follow_it = _follow_all if wanted.level is LogLevel.DEBUG else _follow
        with suppress(UnreadError):  # that is how it ends: there is no other end
            converse_again(lambda client: follow_it(client, wanted, shown), until=Until.UNREAD)
        return
    lines = converse(lambda client: _newest(client, wanted), join=many_hosts.log_lines)
    if as_json:
        put_json(api.LogPage(lines=tuple(lines), next=lines[-1].id if lines else 0))
        return
    for line in lines:
        _print(line, as_jsonl=as_jsonl)


@dataclass(slots=True)
class _Shown:
    """The newest lines that were printed, so that a new connection goes on behind them."""

    daemon: str = ""
    line: int = 0
    decision: int = 0

    def meet(self, daemon: str) -> bool:
        """Note which daemon is there now; return whether lines of it were shown before. Another one counts anew."""
        if daemon != self.daemon:
            self.daemon, self.line, self.decision = daemon, 0, 0
        return self.line > 0 or self.decision > 0


async def _newest(client: Client, wanted: "_Wanted") -> list[LogLine]:
    at_least = LogLevel.INFO if wanted.level is LogLevel.DEBUG else wanted.level
    lines = (await client.call(api.GetLogs(limit=wanted.limit, boards=wanted.boards, level=at_least))).lines
    if wanted.level is not LogLevel.DEBUG:
        return list(lines)
    decided = (await client.call(api.GetDebugLog(limit=wanted.limit, boards=wanted.boards))).lines
    together = sorted((*lines, *decided), key=lambda line: line.time)
    return together[-wanted.limit :] if wanted.limit else []


async def _follow_all(client: Client, wanted: "_Wanted", shown: _Shown) -> None:
    """Prints lines of both logs, by their times, until nobody reads them any more."""
    goes_on = shown.meet(client.welcome.instance)
    limit = api.LOG_PAGE if goes_on else wanted.limit
    log = await client.call(api.GetLogs(after=shown.line, limit=limit, boards=wanted.boards))
    debug = await client.call(api.GetDebugLog(after=shown.decision, limit=limit, boards=wanted.boards))
    skipped = 0 if goes_on else max(0, len(log.lines) + len(debug.lines) - wanted.limit)
    while True:
        for line in sorted((*log.lines, *debug.lines), key=lambda line: line.time)[skipped:]:
            if not _print(line, as_jsonl=wanted.as_jsonl):
                return
        skipped, shown.line, shown.decision = 0, log.next, debug.next
        debug = await client.call(
            api.GetDebugLog(after=debug.next, limit=api.LOG_PAGE, boards=wanted.boards, wait=FOLLOW_SECONDS)
        )
        log = await client.call(api.GetLogs(after=log.next, limit=api.LOG_PAGE, boards=wanted.boards))


async def _follow(client: Client, wanted: "_Wanted", shown: _Shown) -> None:
    """Prints lines until nobody reads them any more. Raises ConnectionFailedError when the daemon ends."""
    boards, limit = wanted.boards, wanted.limit
    shown.meet(client.welcome.instance)
    heard = 0  # the newest line that came as an event, whichever board it is about
    async for change in client.follow():
        if isinstance(change, Snapshot):
            heard = 0
            lines = (
                await client.call(
                    api.GetLogs(
                        after=shown.line, limit=api.LOG_PAGE if shown.line else limit, boards=boards, level=wanted.level
                    )
                )
            ).lines
        elif change.log is not None:
            # The daemon says in the log that it dropped lines, but that line is about no board.
            if boards and heard and change.log.id > heard + 1:
                say("lines are missing here: the daemon wrote faster than they were read")
            heard = change.log.id
            lines = (change.log,)
        else:
            continue
        for line in lines:
            if line.id > shown.line and (not boards or is_meant(line.board, boards)):
                shown.line = line.id
                if _RANK[line.level] >= _RANK[wanted.level] and not _print(line, as_jsonl=wanted.as_jsonl):
                    return


def _print(line: LogLine, *, as_jsonl: bool) -> bool:
    return put_json(LogLineOfMany(log=line)) if as_jsonl else put(_text(line))


def _text(line: LogLine) -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.time))
    about = f"{clean(line.board)}: " if line.board else ""
    return f"{stamp}  {about}{paint(clean(line.text), LEVELS.get(line.level), sys.stdout)}"
