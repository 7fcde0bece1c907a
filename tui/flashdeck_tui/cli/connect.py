"""From a command, which is plain Python, to the daemon and back; or to the daemons of several machines at once."""

import asyncio
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

import click
import msgspec

from flashdeck.api import Params
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError, RequestError
from flashdeck.inside_lease import act_for_lease
from flashdeck.job_state import Failure
from flashdeck.own_lab_user import own_lab_user
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeck.whereabouts import START_HINT, Address, Whereabouts, unnamed
from flashdeck_tui.cli.answers import HostFailure, OtherDaemon
from flashdeck_tui.cli.asked_together import AskedTogether, all_hints, with_host
from flashdeck_tui.cli.global_options import is_virtual_wanted
from flashdeck_tui.cli.output import complain, is_terminal, say, say_error
from flashdeck_tui.cli.readers import Until, while_read
from flashdeck_tui.cli.remote import (
    asked,
    asked_hosts,
    boards_here,
    failed_hosts,
    for_host,
    named_hosts,
    only_host,
    speaking_as,
    speaking_for,
)
from flashdeck_tui.pauses import FIRST_PAUSE, LONGEST_PAUSE_FAR

T = TypeVar("T")
R = TypeVar("R", bound=Value)
Work = Callable[[Client], Awaitable[T]]
Join = Callable[[Sequence[tuple[str, T]]], T]
"""Makes one answer of those of several machines; see `many_hosts`."""


@dataclass(frozen=True, slots=True)
class Again:
    """The terms on which a lost connection is made again."""

    deadline: float | None
    """By time.monotonic(); None for no limit."""
    from_start: bool = False
    """True if one of several machines may also be away at first, as long as another one is there."""


NEVER_AGAIN: Final = Again(0.0)


async def _is_given_up() -> bool:
    return False


def converse(
    work: Work[T],
    *,
    virtual: bool = False,
    join: Join[T] | None = None,
    again: Again = NEVER_AGAIN,
    until: Until = Until.DONE,
) -> T:
    """Connects to the daemon, does `work` with it for as long as `until` says, and hangs up.

    `virtual` looks for a daemon of emulated boards where neither `--socket` nor $FLASHDECK_SOCKET names one: it never
    shares its socket with one that has real boards.

    Where `--host` names several machines, that is done with all of them at once, and `join` makes one answer of theirs;
    without it that is refused. What fails on some of them is said, and kept as `failed_hosts`.

    Raises:
        FlashdeckError: the daemon is not there (kind `unreachable`), or what it answered; of several, all have failed.
        UnreadError: nobody reads any more what the command says.
    """
    context = click.get_current_context()
    if join is not None and len(named_hosts(context)) > 1:
        return join(_all_answers(context, work, virtual=virtual, again=again, until=until))
    asked.set(host := only_host(context))
    where = address(context, host, virtual=virtual)
    try:
        return asyncio.run(_while_read(sessions(where, work, again), until))
    except ConnectionFailedError as error:
        options = _start_options(context, virtual=virtual)
        if error.hint != START_HINT or not options:
            raise
        raise ConnectionFailedError(error.message, hint=f"start it: `flashdeckd {options}`") from error


async def _while_read(work: Awaitable[T], until: Until) -> T:
    async with while_read(until):
        return await work


def converse_again(
    work: Work[T], *, patience: float | None = None, join: Join[T] | None = None, until: Until = Until.DONE
) -> T:
    """Do the same with work that can be begun anew: a lost connection to another machine is made again.

    That is tried for at most so many seconds from the start on, without limit where there is none. A daemon of this
    machine that ends, ends it. Without such a limit one of several machines may also be away at first.
    """
    if not named_hosts(click.get_current_context()):
        return converse(work, until=until)
    deadline = None if patience is None else time.monotonic() + patience
    return converse(work, join=join, again=Again(deadline, from_start=deadline is None), until=until)


def ask(params: Params[R], *, virtual: bool = False, join: Join[R] | None = None) -> R:
    """One question, one answer; `boards` that it is about may be of one of several machines."""

    async def work(client: Client) -> R:
        named: tuple[str, ...] | None = getattr(params, "boards", None)
        return await client.call(
            params if named is None else msgspec.structs.replace(params, boards=boards_here(named))
        )

    return converse(work, virtual=virtual, join=join)


def each_answer(work: Work[T]) -> dict[str, T]:
    """Do the same with the daemon of each machine; its answer by its name, which is "" where there is only one."""
    context = click.get_current_context()
    if len(named_hosts(context)) <= 1:
        return {"": converse(work)}
    return dict(_all_answers(context, work))


def whereabouts(context: click.Context, *, virtual: bool = False) -> Whereabouts:
    """The sockets of this machine that the command line of `context`, the environment or the defaults name."""
    explicit = _explicit_socket(context)
    if is_virtual_wanted(context) and explicit:
        raise click.UsageError("--socket names one daemon, and --virtual chooses another: take one of them")
    found = Whereabouts.only_virtual() if is_virtual_wanted(context) else Whereabouts.of(explicit, virtual=virtual)
    return dataclasses.replace(found, read_only=is_read_only(context), lab_user=own_lab_user())


def is_read_only(context: click.Context) -> bool:
    """Return whether the command line wants a connection through which nothing can be changed."""
    return bool(context.find_root().params.get("read_only"))


def other_daemons(used: str) -> Iterator[OtherDaemon]:
    """Yield those of our daemons on this machine that listen on another socket than `used`."""
    environ = unnamed(os.environ)
    for is_virtual in (False, True):
        for shown in map(_shown, Whereabouts.of(virtual=is_virtual, environ=environ).listening()):
            if shown != used:
                yield OtherDaemon(socket=shown, virtual=is_virtual)


def _rivals(where: Address, used: str) -> str:
    """Return the sockets of the other daemons that a command could have reached as well; "" where there are none."""
    if not isinstance(where, Whereabouts) or where.is_named or len(where.places) == 1:
        return ""
    return ", ".join(shown for shown in map(_shown, where.listening()) if shown != used)  # whole: one is to be typed


def _shown(place: Path) -> str:
    return clean(str(place))


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
        asks = is_terminal(sys.stdin) and len(asked_hosts(context)) == 1
    found = find_host(host, virtual=virtual or is_virtual_wanted(context), asks=asks, read_only=is_read_only(context))
    return dataclasses.replace(found, lab_user=own_lab_user())


async def sessions(
    where: Address, work: Work[T], again: Again, *, is_tried_at_first: Callable[[], Awaitable[bool]] = _is_given_up
) -> T:
    """Do the work in one session, or begin it anew in another where the connection was lost and that is wanted.

    `is_tried_at_first` is asked where there was none yet, whether it is to be tried again all the same.
    """
    has_worked = False

    async def tracked(client: Client) -> T:
        nonlocal has_worked, pause, told
        if has_worked or told:
            say("connected again" if has_worked else "connected")
        has_worked, pause, told = True, FIRST_PAUSE, ""
        return await work(client)

    pause, told = FIRST_PAUSE, ""
    while True:
        try:
            return await _session(where, tracked)
        except ConnectionFailedError as error:
            is_over = again.deadline is not None and time.monotonic() + pause >= again.deadline
            if is_over or error.kind is not ErrorKind.UNREACHABLE:
                raise
            if not has_worked and not await is_tried_at_first():
                raise
            if error.message != told:
                host = speaking_for.get()
                with speaking_as(""):  # it may name itself
                    say(f"{with_host(host, error) if host else error.message}; trying again")
            told = error.message
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_FAR)


async def _session(where: Address, work: Work[T]) -> T:
    async with await where.connect(client="flashdeck-cli") as client:
        if others := _rivals(where, client.where):
            complain(f"warning: several daemons run; this is the one at {client.where}, --socket chooses {others}")
        if trouble := (await act_for_lease(client)).trouble:
            complain(trouble)
        return await work(client)


def _all_answers(
    context: click.Context,
    work: Work[T],
    *,
    virtual: bool = False,
    again: Again = NEVER_AGAIN,
    until: Until = Until.DONE,
) -> list[tuple[str, T]]:
    where = addresses(context, virtual=virtual)
    return asyncio.run(_while_read(on_all(where, work, again), until)).answers()


def addresses(context: click.Context, *, virtual: bool = False) -> dict[str, Address]:
    """Return the daemons that are asked, by their machines; that of this machine, "", where none is named."""
    return {host: address(context, host, virtual=virtual) for host in asked_hosts(context) or ("",)}


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[T]):
    """The answers of those machines that gave one, and the errors of the others."""

    of: Mapping[str, T | FlashdeckError]
    together: AskedTogether

    def answers(self) -> list[tuple[str, T]]:
        """Return the answers; why the other machines gave none is said, and kept as `failed_hosts`.

        Raises FlashdeckError where none did.
        """
        answers = [(host, each) for host, each in self.of.items() if not isinstance(each, FlashdeckError)]
        errors = [(host, each) for host, each in self.of.items() if isinstance(each, FlashdeckError)]
        if errors and len(self.of) == 1:
            raise errors[0][1]
        failed_hosts.set(tuple(_failure(host, error) for host, error in errors))
        if errors and not answers:
            told = "; ".join(with_host(host, error) for host, error in errors)
            raise FlashdeckError(told, hint=all_hints(errors), kind=errors[0][1].kind)
        for host, error in errors:
            if self.together.untold(host):
                say_error(with_host(host, error), for_host(error.hint, host))
        return answers


async def on_all(where: Mapping[str, Address], work: Work[T], again: Again) -> Outcomes[T]:
    """Do the work with all of them at once: what goes wrong with one keeps none of the others up."""
    together = AskedTogether(where)

    async def on(host: str, there: Address) -> T | FlashdeckError:
        asked.set(host)  # each runs in a task, and so a context, of its own
        if len(where) > 1:
            speaking_for.set(host)

        async def noted(client: Client) -> T:
            together.reached(host)
            return await work(client)

        at_first = partial(together.is_worth_another_try, host) if again.from_start else _is_given_up
        try:
            return await sessions(there, noted, again, is_tried_at_first=at_first)
        except FlashdeckError as error:
            together.failed(host, error)
            return error

    telling = asyncio.create_task(together.tell_late()) if len(where) > 1 else None
    try:
        outcomes = await asyncio.gather(*(asyncio.create_task(on(host, there)) for host, there in where.items()))
    finally:
        if telling is not None:
            telling.cancel()
    return Outcomes(dict(zip(where, outcomes, strict=True)), together)


def _failure(host: str, error: FlashdeckError) -> HostFailure:
    failure = Failure(kind=error.kind, message=error.message, hint=error.hint)
    return HostFailure(host=host, error=failure, code=error.exit_code)


def _explicit_socket(context: click.Context) -> str | None:
    explicit: str | None = context.find_root().params.get("socket")
    return explicit


def _start_options(context: click.Context, *, virtual: bool) -> str:
    """Return the options that start the flashdeckd that was looked for; it knows $FLASHDECK_SOCKET by itself."""
    explicit = _explicit_socket(context)
    options = ("--virtual FILE" if virtual else "", f"--socket {shlex.quote(explicit)}" if explicit else "")
    return " ".join(filter(None, options))
