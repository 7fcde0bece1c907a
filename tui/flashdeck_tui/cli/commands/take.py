"""`flashdeck take`: boards for oneself, for as long as a command runs."""

import asyncio
import os
import shutil
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import click
from msgspec import structs

from flashdeck import api, own_python
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.model import BoardLease
from flashdeck.taking import Lease, leases_in, ourselves, take
from flashdeck.text import clean
from flashdeck_tui import lease_keeper
from flashdeck_tui.cli import before_command, live_options, options
from flashdeck_tui.cli.answers import Taken
from flashdeck_tui.cli.before_command import BeforeCommand
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.output import complain, put_json, say
from flashdeck_tui.cli.remote import boards_here

NOT_EXECUTABLE: Final = 126
"""Exit code where the command cannot be started, as shells have it."""
NOT_FOUND: Final = 127
"""Exit code where there is no such command, as shells have it."""
_KILLED: Final = 128
"""Shells add the number of the signal that has ended a command."""
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)
_ITS_OWN: Final = (signal.SIGINT, signal.SIGQUIT)
"""Signals that a terminal sends to the command as well."""
LONGEST_COMMAND: Final = 60
"""Characters of the command that stand for its purpose where none was named."""


@click.command(cls=BeforeCommand)
@live_options.named_boards
@click.option("--for", "reason", type=options.name, default="", metavar="TEXT", help="Purpose, shown to everybody.")
@click.option(
    "--no-wait", is_flag=True, help="Do not wait where somebody has a board, or a job runs there: exit with 13."
)
@options.timeout(default=None, help="Give up where it does not get the boards within this time, and exit with 6.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end; COMMAND prints to stderr.")
@click.pass_context
def command(
    context: click.Context,
    *,
    boards: tuple[str, ...],
    reason: str,
    no_wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Take each BOARD while COMMAND runs: only jobs that COMMAND asks for start there.

    BOARD is a name or a glob. Waits in line until nobody else has any of the boards and nothing runs there, and takes
    all of them at once. Builds and other people's jobs wait meanwhile, and everybody sees who has the boards, and since
    when. A person can still put a board on hold. The lease ends with COMMAND, with this command, and with the daemon.
    Where this command is killed, COMMAND ends with it, and so does all that it has started.

    COMMAND has the terminal, and its exit code is that of this command; 127 where there is none, 126 where it cannot be
    started. In its environment $FLASHDECK_LEASE makes 'flashdeck flash' and all others act for the lease.
    """
    words = before_command.words(context)
    if shutil.which(words[0]) is None:
        complain(f"there is no command {clean(words[0])}")
        return NOT_FOUND
    asked = api.Take(
        boards=boards,
        by=ourselves(),
        reason=reason or clean(" ".join(words), LONGEST_COMMAND),
        no_wait=no_wait,
        timeout=timeout,
    )

    async def work(client: Client) -> Taken:
        lease = await take(client, structs.replace(asked, boards=boards_here(boards)), say)
        began = time.monotonic()
        async with _kept(lease):
            code = await _run(client, words, lease, quiet=as_json)
        return Taken(boards=lease.boards, code=code, seconds=round(time.monotonic() - began, 3))

    taken = converse(work)
    if as_json:
        put_json(taken)
    return taken.code


@asynccontextmanager
async def _kept(lease: Lease) -> AsyncGenerator[None]:
    """Let a process watch for the length of a block that ends the command where this one ends before it."""
    keeper = await asyncio.create_subprocess_exec(
        *own_python.isolated(lease_keeper.__file__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # what ends us, as a terminal does, is not to end it before
    )
    tell = cast("asyncio.StreamWriter", keeper.stdin)  # both are pipes, as was asked for
    said = cast("asyncio.StreamReader", keeper.stdout)
    try:
        tell.write(f"{lease.token}\n".encode())
        if await said.readline() != lease_keeper.READY:
            raise FlashdeckError("the process that would end the command with this one does not run")
        yield
        tell.write(b"the command has ended\n")
    finally:
        tell.close()
        await keeper.wait()


async def _run(client: Client, words: Sequence[str], lease: Lease, *, quiet: bool) -> int:
    """Run the command with this terminal, and return its exit code as a shell has it."""
    environment = {**os.environ, **lease.environment}
    try:
        # Not by sys.stderr, which may be anything: descriptor 2 is what the command gets as its own stderr.
        process = await asyncio.create_subprocess_exec(*words, stdout=2 if quiet else None, env=environment)
    except OSError as error:
        complain(f"{clean(words[0])} cannot be started: {error.strerror}")
        return NOT_EXECUTABLE
    loop = asyncio.get_running_loop()
    for number in _PASSED_ON:
        loop.add_signal_handler(number, _pass_on, process, number)
    for number in _ITS_OWN:
        loop.add_signal_handler(number, _leave_to_command)
    watching = asyncio.create_task(_tell_when_lost(client, lease))
    try:
        code = await process.wait()
    finally:
        watching.cancel()
        for number in (*_PASSED_ON, *_ITS_OWN):
            loop.remove_signal_handler(number)
    return code if code >= 0 else _KILLED - code


def _pass_on(process: Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _leave_to_command() -> None:
    """Wait on: the terminal has sent the signal to the command, too, which ends by it or not."""


async def _tell_when_lost(client: Client, lease: Lease) -> None:
    ours: dict[str, BoardLease | None] = {}
    try:
        async for change in client.follow():
            now = leases_in(change, lease.boards)
            if lost := sorted(name for name, shown in now.items() if shown != ours.setdefault(name, shown)):
                complain(
                    f"the lease of {', '.join(lost)} was ended, the command goes on: `flashdeck logs` says by whom"
                )
                return
    except ConnectionFailedError as error:
        complain(f"the lease has ended, the command goes on: {error.message}")
