"""The machines that a command line names with `--host`, before or behind the command."""

import re
import shlex
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, cast

import click

from flashdeck.errors import RequestError
from flashdeck.names import few
from flashdeck.ssh_destination import checked_destination
from flashdeck_tui.cli.answers import HostFailure
from flashdeck_tui.cli.host_boards import boards_there, machines_meant

_KEY: Final = "flashdeck_tui.cli.remote"
_BOARDS: Final = "flashdeck_tui.cli.remote.boards"
MOST_HOSTS: Final = 32
"""Machines of one command line."""
LOCAL: Final = frozenset(
    {"init", "config check", "config show", "install", "uninstall", "completion", "demo", "connect"}
)
"""Commands that do all their work on this machine."""
_READ_ONLY_TOO: Final = frozenset({"connect"})
"""Those of them that may be read-only all the same: its work is a connection to the daemon."""

_OF_BOARDS: Final = frozenset({"board", "boards", "words"})
"""The parameters of commands that name boards."""
_TYPED: Final = re.compile(r"`flashdeck (?!-)(?=([a-z]+(?: [a-z]+)?))")
"""The beginning of a command that a text tells a person to type; the group has its first words."""

asked: ContextVar[str] = ContextVar("asked", default="")
"""The machine that a command, or a part of it, works with; "" for this one."""
speaking_for: ContextVar[str] = ContextVar("speaking_for", default="")
"""The same where several are named, and what is said and printed names it."""
failed_hosts: ContextVar[tuple[HostFailure, ...]] = ContextVar("failed_hosts", default=())
"""Those of several machines that failed."""


def _remember(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    hosts = tuple(dict.fromkeys((*named_hosts(context), *value)))
    if value and not context.resilient_parsing:
        _check(value)
        hosts = _members(hosts)
        _check(hosts)
    context.meta[_KEY] = hosts


def _members(hosts: Sequence[str]) -> tuple[str, ...]:
    from flashdeck.hosts import members  # noqa: PLC0415 - the configuration is read only where it is needed

    return members(hosts)


def _check(hosts: Sequence[str]) -> None:
    """Refuse what can be no machine, an empty name too: a variable that is not set must not mean this machine."""
    if len(hosts) > MOST_HOSTS:
        raise RequestError(f"{len(hosts)} machines are named with --host", hint=f"at most {MOST_HOSTS} at once")
    for host in hosts:
        try:
            checked_destination(host)
        except ValueError as error:
            raise RequestError(str(error), hint="--host takes user@box, box, or a name from [hosts]") from error


def host_option() -> click.Option:
    """Return the option, which any command takes that asks a daemon; `named_hosts` has what was given."""
    return click.Option(
        ["--host"],
        multiple=True,
        metavar="USER@BOX",
        expose_value=False,
        callback=_remember,
        help="The boards of that machine, over ssh (repeatable); also a name from [hosts], and of a group there.",
    )


def named_hosts(context: click.Context) -> tuple[str, ...]:
    """Return the machines that the command line names, each once."""
    return cast("tuple[str, ...]", context.meta.get(_KEY, ()))


def note_boards(context: click.Context, patterns: tuple[str, ...]) -> None:
    """Note the boards that the command line names: a machine of which none is meant is not asked."""
    context.meta[_BOARDS] = patterns


def note_job(context: click.Context, host: str, number: int) -> None:
    """Note the machine of the job that the command line names: the others are not asked."""
    note_boards(context, (f"{host}/{number}",))


def asked_hosts(context: click.Context) -> tuple[str, ...]:
    """Return the machines that are asked; raises RequestError where a board of another one is named."""
    patterns: tuple[str, ...] = context.meta.get(_BOARDS, ())
    return machines_meant(named_hosts(context), patterns)


def boards_here(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the boards that are meant, as the daemon that is asked knows them."""
    return boards_there(asked.get(), patterns) if asked.get() else patterns


def require_host_of(name: str) -> None:
    """Raise RequestError where HOST/NAME is of a machine that is not asked."""
    machines_meant(named_hosts(click.get_current_context()), (name,))


def lot_here(name: str) -> str:
    """Return the name of a lot as the daemon that is asked knows it."""
    return next(iter(boards_here((name,))), name)


def with_host_option(command: click.Command, path: str) -> click.Command:
    """Return a command that also takes the option, unless its whole work is on this machine."""
    if path not in LOCAL and not any(parameter.name == "host" for parameter in command.params):
        command.params.append(host_option())
    return command


def refuse_hosts(context: click.Context, path: str) -> None:
    """Refuse machines for a command that works on this one only; raises RequestError."""
    if path in LOCAL and named_hosts(context):
        raise RequestError(
            f"'flashdeck {path}' works on this machine only",
            hint=f"leave out --host, or run it there: ssh -t MACHINE flashdeck {path}",
        )


def path_of(context: click.Context) -> str:
    """Return the command of a context, with the groups that it is in; "" for flashdeck itself."""
    return context.command_path.partition(" ")[2]


def refuse_read_only(path: str) -> None:
    """Refuse --read-only for a command whose work no daemon could refuse; raises RequestError."""
    if path in LOCAL - _READ_ONLY_TOO:
        raise RequestError(
            f"'flashdeck {path}' works on this machine, and a daemon cannot keep it from changing it",
            hint="leave out --read-only",
        )


def only_host(context: click.Context) -> str:
    """Return the machine that is named, "" for this one; raises RequestError where there are several."""
    hosts = asked_hosts(context)
    if len(hosts) > 1:
        raise RequestError(
            f"'{context.command_path}' works with one machine at a time, and {few(list(hosts))} are named",
            hint=_one_of_them(context, hosts),
        )
    return next(iter(hosts), "")


@contextmanager
def speaking_as(host: str) -> Generator[None]:
    """Let what is said in a block be about one of several machines; about the only one, where `host` is ""."""
    token = speaking_for.set(host)
    try:
        yield
    finally:
        speaking_for.reset(token)


def _one_of_them(context: click.Context, hosts: Sequence[str]) -> str:
    """Return how such a command is typed for one of several machines."""
    if any(parameter.name == "job" for parameter in context.command.params):
        return f"name the job as it is listed: {hosts[0]}/{context.params.get('job', 'JOB')}"
    if any(parameter.name == "slots" for parameter in context.command.params):
        return f"name slots of one of them, as they are listed: --slot '{hosts[0]}/*'"
    if context.command_path.endswith(" lot end"):
        return f"name the lot as it is listed: {hosts[0]}/{context.params.get('name') or 'LOT'}"
    if any(parameter.name in _OF_BOARDS for parameter in context.command.params):
        return f"name a board as it is listed, {hosts[0]}/BOARD, or give one --host"
    return f"give one --host: {command_words(None, path_of(context), hosts[0])} …"


def for_host(text: str, host: str = "") -> str:
    """Return a text in which each command that it tells to type is for the machine that is asked, or for `host`."""
    host = host or speaking_for.get() or asked.get()

    def named(match: re.Match[str]) -> str:
        is_local = match[1] in LOCAL or match[1].partition(" ")[0] in LOCAL
        return match[0] if is_local else f"{match[0]}--host {shlex.quote(host)} "

    return _TYPED.sub(named, text) if host else text


def command_words(context: click.Context | None, words: str, host: str = "") -> str:
    """Return a command line for a person to type, with the machine that is meant."""
    host = host or speaking_for.get() or (next(iter(named_hosts(context)), "") if context is not None else "")
    return f"flashdeck --host {host} {words}" if host else f"flashdeck {words}"


def prefixed(name: str) -> str:
    """Return the name of a board in a table of several machines."""
    host = speaking_for.get()
    return f"{host}/{name}" if host and name else name
