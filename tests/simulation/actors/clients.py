"""Clients: several at once, on streams that stall and are cut, who ask for all that there is to ask for.

Each kind is a line of `KINDS`, with how often it is chosen beside others; the story counts what was done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.model import JobState
from flashdeck.queue_order import QueueMove
from simulation.actors.asking import note_ends
from simulation.firmware import program
from simulation.invariants.memory import name_of
from simulation.seen import Ask, Build, Place, Told, Wish
from simulation.streams import SimStream

if TYPE_CHECKING:
    from simulation.world import World

PAUSES = (0.7, 1.5, 1.5, 4.0)
"""Virtual seconds between two calls of one client, in the mean."""
READ_ONLY_SHARE = 0.2
"""The share of all connections that may only look."""
FLOOD_CALLS = 40
"""Calls that come at once."""
LEAST_SENT = 0x200
"""Bytes of an image that is sent, at the least."""
MOST_BELOW = 15
"""Bytes between the end of a program and the patch behind it, at the most."""
STALL_SECONDS = 5.0
"""Virtual seconds in which a client reads nothing, in the mean."""


class Clients:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("clients")
        self._most = self._seed.choice(world.night.clients)
        if world.mood.is_busy("clients"):
            self._most = max(self._most, 2)

    async def trouble(self) -> None:
        """Let each of them come and go."""
        await asyncio.gather(*(_Guest(self._world, number).stay() for number in range(self._most)))

    def calm(self) -> None:
        """A person comes who lets everything go on, at the end."""
        if not self._world.mood.favours("left alone"):
            self._world.spawn(self._tidy_up())

    async def _tidy_up(self) -> None:
        """Release what is on hold, arm what is disarmed, and say again what has failed."""
        await asyncio.sleep(30.0)
        guest = _Guest(self._world, 99)
        while not await guest.connect(read_only=False):  # noqa: ASYNC110 -- nobody tells when a daemon listens
            await asyncio.sleep(1.0)
        if self._seed.random() < 0.5:
            for name in list(self._world.setup.boards):
                await guest.ask(Wish.RELEASE, api.Release(boards=(name,)), name)
                await guest.ask(Wish.ARM, api.Arm(boards=(name,)), name)
        await guest.leave()


class _Guest:
    """One client."""

    def __init__(self, world: "World", number: int) -> None:
        self._world = world
        self._seed = world.random(f"client {number}")
        self._name = f"client{number}"
        self._client: Client | None = None
        self._stream: SimStream | None = None
        self._is_read_only = False
        self._count = 0
        self._pause = world.mood.pause("clients", PAUSES)
        self._weights = world.mood.weights("clients", {name: KINDS[name][0] for name in KINDS})

    async def stay(self) -> None:
        """Come, ask, leave; and again."""
        names = list(KINDS)
        while True:
            await asyncio.sleep(self._seed.expovariate(1 / self._pause))
            if self._client is None:
                self._is_read_only = self._seed.random() < READ_ONLY_SHARE
                if not await self.connect(read_only=self._is_read_only):
                    continue
            kind = self._seed.choices(names, self._weights)[0]
            self._world.tell(f"call {kind}", self._name)
            self._world.spawn(self._do(KINDS[kind][1]))

    async def connect(self, *, read_only: bool) -> bool:
        """Come in, if somebody is there."""
        try:
            self._stream = await self._world.connect()
            self._client = await Client.over(self._stream, client=self._name, read_only=read_only)
        except FlashdeckError:
            self._client = None
        return self._client is not None

    async def leave(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _do(self, kind: Callable[["_Guest"], Awaitable[object]]) -> None:
        try:
            await kind(self)
        except ConnectionFailedError:
            await self.leave()
        except FlashdeckError:
            pass

    async def ask(self, wish: Wish, params: Any, board: str = "", place: str = "", **more: Any) -> Any:
        """Call a method, and tell the rules of it and of its answer; None where it was refused."""
        client, world = self._client, self._world
        if client is None:
            return None
        ask = Ask(
            step=world.baton.points,
            life=world.life.number if world.life is not None else 0,
            at=world.baton.now,
            client=self._name,
            wish=wish,
            boards=(board,) if board else (),
            place=place,
            is_read_only=self._is_read_only,
            **more,
        )
        world.witness.asked(ask)
        try:
            answer = await client.call(params)
        except ConnectionFailedError:
            ask.is_abandoned = True
            raise
        except FlashdeckError as error:
            ask.answered_at, ask.refused = world.baton.now, str(error.kind)
            world.witness.answered(ask)
            return None
        except asyncio.CancelledError:
            ask.is_abandoned = True
            raise
        ask.answered_at = world.baton.now
        jobs = (answer,) if isinstance(answer, JobState) else getattr(answer, "jobs", ())
        ask.jobs = tuple(job.id for job in jobs)
        if isinstance(answer, api.HistoryPage) and ask.told is not None:
            ask.told.jobs, ask.told.next = answer.jobs, answer.next
        if isinstance(answer, api.WaitResult):
            note_ends(ask, answer)
        world.witness.answered(ask)
        return answer

    # What there is to ask for.

    async def look(self) -> None:
        """Ask for everything at once."""
        await self.ask(Wish.LOOK, api.GetStatus())

    async def history(self) -> None:
        """Page through the journal, in some seeds for one partition."""
        place = self._target()[1].name if self._world.mood.is_choosy else ""
        await self.ask(Wish.LOOK, api.GetHistory(partition=place), place=place, told=Told())

    async def subscribe(self) -> None:
        """Hear all events from now on."""
        if self._client is not None:
            await self._client.subscribe()

    async def hold(self) -> None:
        """Put a board on hold."""
        board = self._board()
        await self.ask(Wish.HOLD, api.Hold(boards=(board,), reason="sim"), board)

    async def release(self) -> None:
        """Release a board."""
        board = self._board()
        await self.ask(Wish.RELEASE, api.Release(boards=(board,)), board)

    async def arm(self) -> None:
        """Arm a board, perhaps for one job."""
        board, once = self._board(), self._seed.random() < 0.3
        await self.ask(Wish.ARM_ONCE if once else Wish.ARM, api.Arm(boards=(board,), once=once), board)

    async def disarm(self) -> None:
        """Disarm a board."""
        board = self._board()
        await self.ask(Wish.DISARM, api.Disarm(boards=(board,)), board)

    async def flash(self) -> None:
        """Flash the newest build by hand."""
        board, place = self._target()
        params = api.Flash(
            partition=place.name,
            boards=(board,),
            no_wait=self._seed.random() < 0.3,
            cancel_on_exit=self._seed.random() < 0.3,
        )
        await self.ask(Wish.FLASH, params, board, place.name)

    async def flash_file(self) -> None:
        """Send an image, and flash it."""
        board, place = self._target()
        await self._flash_sent(board, place, 0)

    async def flash_below_patch(self) -> None:
        """Flash a program that ends where the newest build, a patch, begins: it is the trailer of such a one."""
        board, place = self._target()
        newest = self._world.witness.seen.newest.get((self._world.setup.boards[board].product.name, place.name))
        if newest is not None and newest.pieces[0][0] >= MOST_BELOW + LEAST_SENT:
            await self._flash_sent(board, place, newest.pieces[0][0] - self._seed.randint(0, MOST_BELOW))

    async def _flash_sent(self, board: str, place: Place, size: int) -> None:
        """Send an image of so many bytes, 0 for any, and flash it."""
        client = self._client
        if client is None:
            return
        self._count += 1
        version = f"9.{self._count}"
        size = size or self._seed.randint(LEAST_SENT, min(place.size, 4096))
        data = program(place.address, size, self._seed, f"{self._name}-{version}")
        pieces = ((0, data),)
        product = self._world.setup.boards[board].product.name
        sent = Build(sha256=name_of(pieces), pieces=pieces, product=product, place=place.name)
        self._world.witness.known(sent)
        done = await client.upload("sent.bin", data, partition=place.name, boards=(board,))
        params = api.Flash(partition=place.name, sha256=done.sha256, boards=(board,))
        await self.ask(Wish.FLASH, params, board, place.name, sha256=done.sha256)

    async def roll_back(self) -> None:
        """Go back to the program before."""
        board, place = self._target()
        await self.ask(Wish.ROLLBACK, api.Rollback(partition=place.name, boards=(board,)), board, place.name)

    async def erase(self) -> None:
        """Erase a partition."""
        board, place = self._target()
        await self.ask(Wish.ERASE, api.Erase(partition=place.name, boards=(board,)), board, place.name)

    async def verify(self) -> None:
        """Compare a partition with what it has."""
        board, place = self._target()
        force = self._seed.random() < 0.3
        await self.ask(Wish.VERIFY, api.Verify(partition=place.name, boards=(board,), force=force), board, place.name)

    async def read(self) -> None:
        """Read a partition."""
        board, place = self._target()
        await self.ask(Wish.READ, api.ReadPartition(partition=place.name, boards=(board,)), board, place.name)

    async def reset(self) -> None:
        """Take a board out of DFU mode."""
        board = self._board()
        await self.ask(Wish.RESET, api.ResetBoards(boards=(board,), force=self._seed.random() < 0.2), board)

    async def cancel(self) -> None:
        """Cancel a job, whatever it does."""
        if job := self._job():
            await self.ask(Wish.CANCEL, api.Cancel(job=job[0]), job[1], job=job[0])

    async def retry(self) -> None:
        """Have a job done again."""
        if job := self._job():
            await self.ask(Wish.RETRY, api.Retry(job=job[0]), job[1], job=job[0])

    async def move(self) -> None:
        """Move a job in its queue."""
        if job := self._job():
            await self.ask(Wish.LOOK, api.MoveJob(job=job[0], to=self._seed.choice((QueueMove.UP, QueueMove.FIRST))))

    async def take(self) -> None:
        """Take a board for a while."""
        board = self._board()
        params = api.Take(boards=(board,), by=self._name, no_wait=self._seed.random() < 0.5, timeout=10.0)
        if await self.ask(Wish.TAKE, params, board) is not None:
            await asyncio.sleep(self._seed.expovariate(1 / STALL_SECONDS))
            await self.ask(Wish.GIVE_BACK, api.EndLease(), board)

    async def wait(self) -> None:
        """Wait for the newest build."""
        board, place = self._target()
        timeout = self._seed.choice((1.0, 10.0, 100.0))
        params = api.Wait(partition=place.name, boards=(board,), timeout=timeout)
        await self.ask(Wish.WAIT, params, board, place.name, timeout=timeout)

    async def plan(self) -> None:
        """Ask for a plan."""
        board, place = self._target()
        await self.ask(Wish.LOOK, api.Plan(partition=place.name, boards=(board,)))

    async def trust(self) -> None:
        """Confirm what the included file says."""
        confirmed, is_done = self._world.confirmed, False
        if self._client is None:
            return
        confirmed.asked(self._world.setup)
        try:
            answer = await self.ask(Wish.TRUST, api.TrustConfig(file=str(self._world.project)))
            is_done = answer is not None
        finally:
            confirmed.answered(is_done=is_done)

    async def adopt(self) -> None:
        """Make a device that is no board one."""
        device = self._seed.choice(list(self._world.witness.seen.devices.values()))
        self._count += 1
        name = f"{self._name}-adopted{self._count}"
        await self.ask(Wish.ADOPT, api.Adopt(device=self._seed.choice((device.port, device.serial)), name=name), name)

    async def flood(self) -> None:
        """Ask very often at once."""
        await asyncio.gather(*(self.ask(Wish.LOOK, api.GetBoards()) for _ in range(FLOOD_CALLS)))

    async def stall(self) -> None:
        """Read nothing for a while."""
        if self._stream is not None:
            end = self._stream.end
            end.stall(is_stalled=True)
            await asyncio.sleep(self._seed.expovariate(1 / STALL_SECONDS))
            end.stall(is_stalled=False)

    async def give_up(self) -> None:
        """Cancel a call that is under way."""
        board, place = self._target()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seed.random()):
                await self.ask(Wish.WAIT, api.Wait(partition=place.name, boards=(board,)), board, place.name)

    async def cut(self) -> None:
        """Lose the connection."""
        if self._stream is not None:
            self._stream.end.cut()

    # Inside.

    def _board(self) -> str:
        return self._seed.choice(list(self._world.setup.boards))

    def _target(self) -> tuple[str, Place]:
        board = self._board()
        places = list(self._world.setup.boards[board].product.places.values())
        open_ones = [each for each in places if not each.protected]
        return board, self._seed.choice(open_ones if open_ones and self._seed.random() < 0.9 else places)

    def _job(self) -> tuple[int, str] | None:
        jobs = self._world.witness.seen.shown.jobs
        newest = sorted(jobs)[-6:]
        chosen = self._seed.choice(newest) if newest else 0
        return (chosen, jobs[chosen].board) if chosen else None


KINDS: Final[Mapping[str, tuple[int, Callable[[_Guest], Awaitable[object]]]]] = {
    "status": (4, _Guest.look),
    "history": (1, _Guest.history),
    "subscribe": (3, _Guest.subscribe),
    "hold": (3, _Guest.hold),
    "release": (5, _Guest.release),
    "arm": (3, _Guest.arm),
    "disarm": (1, _Guest.disarm),
    "flash": (6, _Guest.flash),
    "flash a file": (4, _Guest.flash_file),
    "rollback": (3, _Guest.roll_back),
    "erase": (2, _Guest.erase),
    "verify": (3, _Guest.verify),
    "read": (2, _Guest.read),
    "reset": (2, _Guest.reset),
    "cancel": (4, _Guest.cancel),
    "retry": (3, _Guest.retry),
    "move": (2, _Guest.move),
    "take": (2, _Guest.take),
    "wait": (5, _Guest.wait),
    "plan": (2, _Guest.plan),
    "trust": (1, _Guest.trust),
    "adopt": (1, _Guest.adopt),
    "flood": (1, _Guest.flood),
    "stall": (2, _Guest.stall),
    "give up": (2, _Guest.give_up),
    "cut": (2, _Guest.cut),
    "flash below a patch": (0, _Guest.flash_below_patch),
}
"""The calls of clients, and how often each comes beside the others; 0: only where the seed is about it."""
