"""From a command, which is plain Python, to the daemon and back; or to the daemons of several machines at once."""

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import click

from flashdeck.api import Params
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError, RequestError
from flashdeck.stream import START_HINT
from flashdeck.value import Value
from flashdeck.whereabouts import Address, Whereabouts
from flashdeck_tui.cli.output import is_terminal, say, say_error
from flashdeck_tui.cli.remote import named_hosts, only_host, speaking_for
from flashdeck_tui.inside_lease import act_for_lease

T = TypeVar("T")
R = TypeVar("R", bound=Value)
Work = Callable[[Client], Awaitable[T]]
Join = Callable[[Sequence[tuple[str, T]]], T]
"""Makes one answer of those of several machines; see `many_hosts`."""
_FAILED: Final = "flashdeck_tui.cli.connect.failed"


def converse(work: Work[T], *, virtual: bool = False, join: Join[T] | None = None) -> T:
    """Connects to the daemon, does `work` with it, and hangs up.

    `virtual` looks for a daemon of emulated boards where neither `--socket` nor $FLASHDECK_SOCKET names one: it never
    shares its socket with one that has real boards.

    Where `--host` names several machines, that is done with all of them at once, and `join` makes one answer of theirs;
    without it that is refused. What fails on some of them is said, and `some_hosts_failed` is true from then on.

    Raises:
        FlashdeckError: the daemon is not there (kind `unreachable`), or what it answered; of several, all have failed.
    """
    context = click.get_current_context()
    hosts = named_hosts(context)
    if join is not None and len(hosts) > 1:
        where = [(host, address(context, host, virtual=virtual)) for host in hosts]
        return join(_answers(context, asyncio.run(_on_all(where, work))))
    where = address(context, only_host(context), virtual=virtual)
    try:
        return asyncio.run(_session(where, work))
    except ConnectionFailedError as error:
        options = _start_options(context, virtual=virtual)
        if error.hint != START_HINT or not options:
            raise
        raise ConnectionFailedError(error.message, hint=f"start it: `flashdeckd {options}`") from error


def ask(params: Params[R], *, virtual: bool = False, join: Join[R] | None = None) -> R:
    """One question, one answer."""
    return converse(lambda client: client.call(params), virtual=virtual, join=join)


def some_hosts_failed(context: click.Context) -> bool:
    """Return whether one of several machines failed, and others did not."""
    return bool(context.meta.get(_FAILED))


def whereabouts(context: click.Context, *, virtual: bool = False) -> Whereabouts:
    """The sockets of this machine that the command line of `context`, the environment or the defaults name."""
    return Whereabouts.of(_explicit_socket(context), virtual=virtual)


def address(context: click.Context, host: str, *, virtual: bool = False, asks: bool | None = None) -> Address:
    """Return the daemon that is meant: of another machine, where `host` names one.

    `asks` tells if ssh may ask a person for something; by default where there is one, and only about one machine.
    """
    if not host:
        return whereabouts(context, virtual=virtual)
    from flashdeck.hosts import find_host  # noqa: PLC0415 - the configuration is read only where it is needed

    if _explicit_socket(context):
        raise RequestError(
            "--socket names a socket of this machine, and --host another machine",
            hint='leave one out; [hosts.NAME] command = ["flashdeck", "--socket", "PATH"] names one there',
        )
    if asks is None:
        asks = is_terminal(sys.stdin) and len(named_hosts(context)) == 1
    return find_host(host, virtual=virtual, asks=asks)


async def _session(where: Address, work: Work[T]) -> T:
    async with await where.connect(client="flashdeck-cli") as client:
        if trouble := await act_for_lease(client):
            say(trouble)
        return await work(client)


async def _on_all(where: Sequence[tuple[str, Address]], work: Work[T]) -> list[tuple[str, T | FlashdeckError]]:
    async def on(host: str, there: Address) -> tuple[str, T | FlashdeckError]:
        speaking_for.set(host)  # each runs in a task, and so a context, of its own
        try:
            return host, await _session(there, work)
        except FlashdeckError as error:
            return host, error

    return await asyncio.gather(*(asyncio.create_task(on(host, there)) for host, there in where))


def _answers(context: click.Context, outcomes: Sequence[tuple[str, T | FlashdeckError]]) -> list[tuple[str, T]]:
    """Return the answers of those machines that gave one, and say why the others did not; raises where none did."""
    answers = [(host, outcome) for host, outcome in outcomes if not isinstance(outcome, FlashdeckError)]
    errors = [(host, outcome) for host, outcome in outcomes if isinstance(outcome, FlashdeckError)]
    told = [(_with_host(host, error.message), error) for host, error in errors]
    if errors and not answers:
        hints = {error.hint for _, error in errors}
        hint = hints.pop() if len(hints) == 1 else "ask each by itself: it says what to do"
        raise FlashdeckError("; ".join(message for message, _ in told), hint=hint, kind=errors[0][1].kind)
    for message, error in told:
        say_error(message, error.hint)
    context.meta[_FAILED] = bool(errors)
    return answers


def _with_host(host: str, message: str) -> str:
    return message if host in message else f"{host}: {message}"


def _explicit_socket(context: click.Context) -> str | None:
    explicit: str | None = context.find_root().params["socket"]
    return explicit


def _start_options(context: click.Context, *, virtual: bool) -> str:
    """Return the options that start the flashdeckd that was looked for; it knows $FLASHDECK_SOCKET by itself."""
    explicit = _explicit_socket(context)
    options = ("--virtual FILE" if virtual else "", f"--socket {shlex.quote(explicit)}" if explicit else "")
    return " ".join(filter(None, options))
