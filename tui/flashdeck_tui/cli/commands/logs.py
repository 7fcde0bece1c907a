"""`flashdeck logs`: what the daemon says."""

import sys
import time

import click

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import RequestError
from flashdeck.model import LogLine, Snapshot
from flashdeck.names import is_meant
from flashdeck.text import clean
from flashdeck_tui.cli import live_options, options
from flashdeck_tui.cli.answers import LogLineOfMany
from flashdeck_tui.cli.connect import ask, converse
from flashdeck_tui.cli.output import paint, put, put_json, say
from flashdeck_tui.cli.words import LEVELS

_MOST = 500
"""Lines in one answer, so that it stays well below the longest line of the protocol."""


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@live_options.any_boards
@click.option("-n", "--lines", "limit", type=click.IntRange(0, _MOST), default=50, show_default=True, help="How many.")
@options.as_json
@options.as_jsonl
def command(*, follow: bool, boards: tuple[str, ...], limit: int, as_json: bool, as_jsonl: bool) -> None:
    """Show the newest lines of the daemon's log.

    BOARD is a name or a glob: only what is about these boards. Without one, all lines.
    """
    options.one_of(as_json=as_json, as_jsonl=as_jsonl)
    if follow and as_json:
        raise RequestError("--json is one object, and a log that is followed never ends", hint="take --jsonl")

    if follow:
        converse(lambda client: _follow(client, boards=boards, limit=limit, as_jsonl=as_jsonl))
        return
    reply = ask(api.GetLogs(limit=limit, boards=boards))
    if as_json:
        put_json(reply)
        return
    for line in reply.lines:
        _print(line, as_jsonl=as_jsonl)


async def _follow(client: Client, *, boards: tuple[str, ...], limit: int, as_jsonl: bool) -> None:
    """Prints lines until nobody reads them any more. Raises ConnectionFailedError when the daemon ends."""
    printed = 0
    heard = 0  # the newest line that came as an event, whichever board it is about
    async for change in client.follow():
        if isinstance(change, Snapshot):
            heard = 0
            lines = (
                await client.call(api.GetLogs(after=printed, limit=_MOST if printed else limit, boards=boards))
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
            if line.id > printed and (not boards or is_meant(line.board, boards)):
                printed = line.id
                if not _print(line, as_jsonl=as_jsonl):
                    return


def _print(line: LogLine, *, as_jsonl: bool) -> bool:
    return put_json(LogLineOfMany(log=line)) if as_jsonl else put(_text(line))


def _text(line: LogLine) -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.time))
    about = f"{clean(line.board)}: " if line.board else ""
    return f"{stamp}  {about}{paint(clean(line.text), LEVELS.get(line.level), sys.stdout)}"
