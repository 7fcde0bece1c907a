"""`flashdeck logs`: what the daemon says."""

import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import RequestError
from flashdeck.log_filter import LEVELS, LogFilter
from flashdeck.model import LogLevel, LogLine, Snapshot
from flashdeck.text import clean
from flashdeck.words.log_times import dated_time
from flashdeck_tui.cli import live_options, many_hosts, options, words
from flashdeck_tui.cli.answers import LogLineOfMany
from flashdeck_tui.cli.connect import converse, converse_again
from flashdeck_tui.cli.output import UnreadError, paint, put, put_json, say
from flashdeck_tui.cli.readers import Until
from flashdeck_tui.cli.remote import asked, boards_here, speaking_for

FOLLOW_SECONDS = 30.0
"""Seconds that the daemon waits for a line before it answers that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The options that were typed."""

    patterns: tuple[str, ...]
    limit: int
    level: LogLevel
    text: str
    job: int
    before: int
    as_jsonl: bool

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards, as the daemon that is asked knows them."""
        return boards_here(self.patterns)

    @property
    def filter(self) -> LogFilter:
        """Return them as they are applied to lines that come as events."""
        return LogFilter(self.boards, self.level, self.text, self.job)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@live_options.any_boards
@click.option(
    "-n",
    "--lines",
    "limit",
    type=click.IntRange(0, api.LOG_PAGE),
    default=50,
    show_default=True,
    metavar="COUNT",
    help="How many.",
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in LEVELS]),
    default=LogLevel.INFO.value,
    show_default=True,
    help="Only what matters as much, or more; debug also tells what was decided, and why.",
)
@click.option("--grep", "text", default="", metavar="TEXT", help="Only lines with this text, in capitals or not.")
@click.option("--job", type=click.IntRange(1), metavar="JOB", help="Only what is about this job.")
@click.option(
    "--before", type=click.IntRange(1), metavar="ID", help="Only lines before this one, by the `id` that --json has."
)
@options.as_json
@options.as_jsonl
def command(
    *,
    follow: bool,
    boards: tuple[str, ...],
    limit: int,
    level: str,
    text: str,
    job: int | None,
    before: int | None,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """Show the newest lines of the daemon's log.

    BOARD is a name or a glob: only what is about these boards. Without one, all lines. With --grep, --job or --before
    lines of earlier daemons are shown, too, as far as they are kept.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    if follow and as_json:
        raise RequestError("--json is one object, and a log that is followed never ends", hint="take --jsonl")
    if before and (follow or level == LogLevel.DEBUG):
        raise RequestError("--before shows older lines of the log", hint="leave out --follow and --level debug")

    wanted = _Wanted(
        patterns=boards,
        limit=limit,
        level=LogLevel(level),
        text=text,
        job=job or 0,
        before=before or 0,
        as_jsonl=as_jsonl,
    )
    if follow:
        shown = defaultdict[str, _Shown](_Shown)
        follow_it = _follow_all if wanted.level is LogLevel.DEBUG else _follow
        with suppress(UnreadError):  # that is how it ends: there is no other end
            converse_again(
                lambda client: follow_it(client, wanted, shown[asked.get()]), join=_nothing, until=Until.UNREAD
            )
        return
    lines = converse(lambda client: _newest(client, wanted), join=partial(many_hosts.log_lines, limit=limit))
    if as_json:
        put_json(api.LogPage(lines=tuple(lines), next=lines[-1].id if lines else 0))
        return
    for line in lines:
        _print(line, as_jsonl=as_jsonl)


def _nothing(_answers: object) -> None:
    """A log that is followed comes to nothing, on however many machines."""


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
    is_debug = wanted.level is LogLevel.DEBUG
    lines = await _page(client, wanted, LogLevel.INFO if is_debug else wanted.level)
    if not is_debug:
        return lines
    asked = api.GetDebugLog(limit=wanted.limit, boards=wanted.boards, text=wanted.text)
    decided = filter(wanted.filter.takes, (await client.call(asked)).lines)
    together = sorted((*lines, *decided), key=lambda line: line.time)
    return together[-wanted.limit :] if wanted.limit else []


async def _page(client: Client, wanted: "_Wanted", level: LogLevel) -> list[LogLine]:
    """Return the newest lines that are wanted, and older ones as far as it takes."""
    lines: list[LogLine] = []
    before = wanted.before
    while True:
        page = await client.call(
            api.GetLogs(
                limit=wanted.limit - len(lines),
                boards=wanted.boards,
                level=level,
                before=before,
                text=wanted.text,
                job=wanted.job,
            )
        )
        is_filtered = bool(wanted.before or wanted.text or wanted.job)
        if is_filtered and page.before is None:
            raise RequestError(
                "this daemon is too old to search its log",
                hint="update flashdeckd, or leave out --grep, --job, --before",
            )
        lines = [*page.lines, *lines]
        if not is_filtered or not page.before or len(lines) >= wanted.limit:
            return lines
        before = page.before


async def _follow_all(client: Client, wanted: "_Wanted", shown: _Shown) -> None:
    """Prints lines of both logs, by their times, until nobody reads them any more."""
    goes_on = shown.meet(client.welcome.instance)
    limit = api.LOG_PAGE if goes_on else wanted.limit
    log = await client.call(api.GetLogs(after=shown.line, limit=limit, boards=wanted.boards))
    debug = await client.call(api.GetDebugLog(after=shown.decision, limit=limit, boards=wanted.boards))
    skipped = 0 if goes_on else max(0, len(log.lines) + len(debug.lines) - wanted.limit)
    while True:
        together = sorted((*log.lines, *debug.lines), key=lambda line: line.time)[skipped:]
        for line in filter(wanted.filter.takes, together):
            if not _print(line, as_jsonl=wanted.as_jsonl):
                return
        skipped, shown.line, shown.decision = 0, log.next, debug.next
        debug = await client.call(
            api.GetDebugLog(after=debug.next, limit=api.LOG_PAGE, boards=wanted.boards, wait=FOLLOW_SECONDS)
        )
        log = await client.call(api.GetLogs(after=log.next, limit=api.LOG_PAGE, boards=wanted.boards))


async def _follow(client: Client, wanted: "_Wanted", shown: _Shown) -> None:
    """Prints lines until nobody reads them any more. Raises ConnectionFailedError when the daemon ends."""
    boards, limit, passes = wanted.boards, wanted.limit, wanted.filter
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
            if line.id > shown.line:
                shown.line = line.id
                if passes.takes(line) and not _print(line, as_jsonl=wanted.as_jsonl):
                    return


def _print(line: LogLine, *, as_jsonl: bool) -> bool:
    if host := speaking_for.get():
        line = many_hosts.mark_line(host, line)
    return put_json(LogLineOfMany(log=line)) if as_jsonl else put(_text(line))


def _text(line: LogLine) -> str:
    about = f"{clean(line.board)}: " if line.board else ""
    return f"{dated_time(line.time)}  {about}{paint(clean(line.text), words.LEVELS.get(line.level), sys.stdout)}"
