"""Boards that are taken for a while: asked for, waited for, and given back."""

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, RemoteError
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck.job_following import heed
from flashdeck.job_state import Running
from flashdeck.model import BoardLease, Event, Snapshot
from flashdeck.names import is_meant
from flashdeck.words.boards import lease_text

Connect = Callable[[], Awaitable[Client]]
"""Opens one more connection to a daemon."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Boards of which only the holder's jobs start."""

    boards: tuple[str, ...]
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a command act for this lease: `flashdeck`, and whatever else uses this library."""
        return {LEASE_VARIABLE: self.token}


def own_user() -> str:
    """Return the name of the user that this process is of."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def ourselves() -> str:
    """Return how a holder of this process is named to everybody: the user, and the process."""
    return f"{own_user()}, process {os.getpid()}"


async def take(client: Client, asked: api.Take, tell: Callable[[str], object] | None = None) -> Lease:
    """Return the lease once it is there; it belongs to the connection of `client`.

    `tell` is told, once, who has each of the boards meanwhile, or what runs there. Raises what `api.Take` says.
    """
    if asked.no_wait or tell is None:
        return _lease(await client.call(asked))
    told: set[tuple[str, str]] = set()

    def tell_new(change: Snapshot | Event) -> None:
        for board, why in _waits_for(change, asked):
            if (board, why) not in told:
                told.add((board, why))
                tell(f"{board}: {why}; waits for the end of that")

    async with aclosing(client.follow()) as changes:
        tell_new(await anext(changes))
        return _lease(await heed(asyncio.ensure_future(client.call(asked)), changes, tell_new))


def _lease(given: api.LeaseToken) -> Lease:
    return Lease(given.boards, given.token)


def _waits_for(change: Snapshot | Event, asked: api.Take) -> Sequence[tuple[str, str]]:
    """Return what stands between a client and the boards that it asks for, as far as `change` tells it."""
    boards = change.boards if isinstance(change, Snapshot) else (change.board,) if change.board else ()
    jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job else ()
    waits = [(board.name, lease_text(board.lease)) for board in boards if board.lease and board.lease.by != asked.by]
    waits += [(job.board, f"job {job.id} runs") for job in jobs if isinstance(job.status, Running)]
    return [(board, why) for board, why in waits if is_meant(board, asked.boards)]


async def take_first(
    connect: Connect, asked: Sequence[api.Take], tell: Callable[[str], object] | None = None
) -> tuple[Client, Lease]:
    """Return the first of several leases that is there, and the connection that it belongs to.

    Raises the error of the last where there is none to be had.
    """
    if len(asked) > 1:
        found = await _first_free(connect, asked)
        if found is not None:
            return found
    return await _first_in_line(connect, asked, tell)


async def _first_free(connect: Connect, asked: Sequence[api.Take]) -> tuple[Client, Lease] | None:
    """Return the first lease that is there at once; None where each has to be waited for, and may be."""
    client = await connect()
    try:
        for number, each in enumerate(asked, 1):
            try:
                return client, await take(client, replace(each, no_wait=True))
            except RemoteError as error:
                if error.kind is not ErrorKind.BLOCKED or (each.no_wait and number == len(asked)):
                    raise
    except BaseException:
        await client.close()
        raise
    await client.close()
    return None


async def _first_in_line(
    connect: Connect, asked: Sequence[api.Take], tell: Callable[[str], object] | None
) -> tuple[Client, Lease]:
    """Stand in all the lines at once, each with a connection of its own, and leave the others with the first lease."""
    clients: list[Client] = []
    takers: dict[asyncio.Future[Lease], Client] = {}
    winner: Client | None = None
    try:
        for each in asked:
            clients.append(await connect())
            takers[asyncio.ensure_future(take(clients[-1], each, tell))] = clients[-1]
        waiting = set(takers)
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for taker in done:
                if taker.exception() is None:
                    winner = takers[taker]
                    return winner, taker.result()
            if not waiting:
                raise next(error for taker in done if (error := taker.exception()) is not None)
    finally:
        for taker in takers:
            taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)
        for client in clients:
            if client is not winner:
                await client.close()


def leases_in(change: Snapshot | Event, names: Sequence[str]) -> dict[str, BoardLease | None]:
    """Return the leases of those of the boards `names` that `change` tells something of; in a snapshot that is all."""
    if isinstance(change, Snapshot):
        of_all = {board.name: board.lease for board in change.boards}
        return {name: of_all.get(name) for name in names}
    board = change.board
    return {board.name: board.lease} if board is not None and board.name in names else {}


async def give_back(client: Client, holder: Client, lease: Lease) -> None:
    """End a lease by closing the connection of its `holder`; returns once the daemon, asked by `client`, has ended it.

    A daemon that is not there any more has ended it, too.
    """
    try:
        async with aclosing(client.follow()) as changes:
            before = leases_in(await anext(changes), lease.boards)
            still_ours = {name for name, shown in before.items() if shown is not None}
            await holder.close()
            while still_ours:
                now = leases_in(await anext(changes), tuple(still_ours))
                still_ours -= {name for name, shown in now.items() if shown != before[name]}
    except ConnectionFailedError:
        pass
    finally:
        await holder.close()
