"""Clients that no honest program is: they widen, flood, leave in the middle, use what was another's, say anything."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from flashdeck import api, rpc
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from simulation.actors.asking import ask
from simulation.seen import Wish
from simulation.streams import SimStream

if TYPE_CHECKING:
    from simulation.world import World

FLOOD = 3 * rpc.MAX_CALLS
"""Calls at once of a client that reads no answers."""
_WORDS = ("\x1b[2J\x1b]0;owned\x07 " * 40, "line\nline\r\n" * 200, "\u202egnorts", "plain")


class OddClients:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("odd clients")
        self._pause = world.mood.pause("odd clients", (2.0, 10.0, 1000.0))
        self._open: list[SimStream] = []
        self._ended: list[str] = []
        """Tokens of leases that are over."""
        self._count = 0
        self._is_over = False

    async def trouble(self) -> None:
        """One comes after the other."""
        deeds: Mapping[str, tuple[float, Callable[[str], Awaitable[None]]]] = {
            "widen": (1, self._widen),
            "use a lease that is over": (1, self._use_a_lease_that_is_over),
            "take and flash": (2, self._take_and_flash),
            "take and leave": (2, self._take_and_leave),
            "flash what is taken": (1, self._flash_what_is_taken),
            "calls at once": (1, self._flood),
            "leave an upload": (1, self._leave_an_upload),
            "say anything": (1, self._say_anything),
            "listen closely": (1, self._listen_closely),
        }
        names = list(deeds)
        weights = self._world.mood.weights("odd clients", {name: deeds[name][0] for name in names})
        while True:
            await asyncio.sleep(self._seed.expovariate(1 / self._pause))
            name = self._seed.choices(names, weights)[0]
            self._world.spawn(self._be(name, deeds[name][1]))

    def calm(self) -> None:
        """All of them are gone, and none comes any more."""
        self._is_over = True
        for stream in self._open:
            stream.end.stall(is_stalled=False)
            stream.end.cut()

    async def _be(self, what: str, deed: Callable[[str], Awaitable[None]]) -> None:
        self._count += 1
        name = f"odd{self._count}"
        self._world.story.counts[f"odd {what}"] += 1
        with contextlib.suppress(FlashdeckError, ConnectionError, EOFError):
            await deed(name)

    async def _connected(self, name: str, *, read_only: bool = False) -> tuple[Client, SimStream]:
        stream = await self._reached()
        return await Client.over(stream, client=name, read_only=read_only), stream

    async def _widen(self, name: str) -> None:
        """Say hello again, to be allowed more than the first time."""
        client, _ = await self._connected(name, read_only=True)
        await client.greet(name)
        boards = (self._some_board(),)
        call = self._seed.choice(((Wish.HOLD, api.Hold(boards=boards)), (Wish.DISARM, api.Disarm(boards=boards))))
        await ask(self._world, client, name, call, read_only=True)
        await client.close()

    async def _take_and_flash(self, name: str) -> None:
        """Take a board, use it as its own command does, and give it back."""
        client, stream = await self._connected(name)
        board = self._some_board()
        if (token := await self._taken(client, name, board)) is None:
            await client.close()
            return
        inside, _ = await self._connected(name)
        await ask(self._world, inside, name, (Wish.USE, api.UseLease(token=token)))
        place = self._some_place(board)
        for _ in range(self._seed.choice((1, 2))):
            await ask(self._world, inside, name, (Wish.FLASH, api.Flash(partition=place, boards=(board,))))
            await asyncio.sleep(self._seed.choice((0.1, 2.0, 8.0)))
        if self._seed.random() < 0.5:
            await ask(self._world, client, name, (Wish.GIVE_BACK, api.EndLease()))
        else:
            stream.end.cut()
        self._ended.append(token)
        await inside.close()
        await client.close()

    async def _taken(self, client: Client, name: str, board: str) -> str | None:
        patience = self._seed.choice((None, 1.0, 10.0))
        take = api.Take(boards=(board,), by=name, reason="simulated", timeout=patience)
        answer = await ask(self._world, client, name, (Wish.TAKE, take))
        return answer.token if isinstance(answer, api.LeaseToken) else None

    async def _take_and_leave(self, name: str) -> None:
        """Ask for a board, and be gone before it is given."""
        client, stream = await self._connected(name)
        asking = self._world.spawn(self._ask_to_take(client, name))
        await asyncio.sleep(self._seed.choice((0.0, 0.001, 0.05, 1.0)))
        stream.end.cut()
        await asyncio.wait((asking,))

    async def _ask_to_take(self, client: Client, name: str) -> None:
        with contextlib.suppress(FlashdeckError):
            await self._taken(client, name, self._some_board())

    async def _use_a_lease_that_is_over(self, name: str) -> None:
        """Act for somebody who has given the boards back."""
        client, _ = await self._connected(name)
        if self._ended:
            token = self._seed.choice(self._ended)
            await ask(self._world, client, name, (Wish.USE_ENDED, api.UseLease(token=token)))
        await client.close()

    async def _flash_what_is_taken(self, name: str) -> None:
        """Flash a board that somebody else has."""
        client, _ = await self._connected(name)
        taken = [each.name for each in self._world.witness.seen.shown.boards.values() if each.lease is not None]
        for board in taken:
            place = self._some_place(board)
            await ask(self._world, client, name, (Wish.FLASH, api.Flash(partition=place, boards=(board,))))
        await client.close()

    async def _flood(self, name: str) -> None:
        """Send many calls at once, and read nothing."""
        stream = await self._said_hello(name)
        stream.end.stall(is_stalled=True)
        board = self._some_board()
        wait = {"partition": self._some_place(board), "boards": [board], "timeout": 30.0}
        lines = [_line(number, "wait", wait) for number in range(2, 2 + FLOOD)]
        stream.writer.write(b"".join(lines))
        await asyncio.sleep(0.5)
        self._world.witness.seldom()  # while all of its calls may be under way
        await asyncio.sleep(self._seed.choice((0.0, 5.0)))
        stream.end.cut()

    async def _listen_closely(self, name: str) -> None:
        """Subscribe, and look at each line: no event comes before the snapshot that it follows."""
        stream, (other, _) = await self._said_hello(name), await self._connected(name)
        for number in range(2, 2 + self._seed.choice((1, 3, 10))):
            stream.writer.write(_line(number, "subscribe", {}))
            self._world.spawn(self._stir(other, name))
            was_answered = False
            while not was_answered:
                message = json.loads(await stream.reader.readuntil())
                was_answered = message.get("id") == number
                if "method" in message and number == 2:
                    self._world.fail(f"rule events is broken: {name} hears of an event before it has the snapshot")
            await asyncio.sleep(self._seed.choice((0.0, 0.1, 1.0)))
        stream.end.cut()

    async def _stir(self, client: Client, name: str) -> None:
        """Let something be told: at the same time somebody else releases a board."""
        await asyncio.sleep(self._seed.choice((0.0, 0.0, 0.001)))
        with contextlib.suppress(FlashdeckError):
            await ask(self._world, client, name, (Wish.RELEASE, api.Release(boards=(self._some_board(),))))

    async def _reached(self) -> SimStream:
        if self._is_over:
            raise ConnectionFailedError("it is over")
        stream = await self._world.connect()
        self._open.append(stream)
        return stream

    async def _said_hello(self, name: str) -> SimStream:
        stream = await self._reached()
        stream.writer.write(_line(1, "hello", {"protocol": api.HIGHEST_PROTOCOL, "client": name}))
        await stream.reader.readuntil()
        return stream

    async def _leave_an_upload(self, name: str) -> None:
        """Begin to send images, and go."""
        client, stream = await self._connected(name)
        for _ in range(self._seed.choice((1, 3, 6))):
            handle = await client.call(api.BeginUpload(name="x.bin", size=5000))
            await client.call(api.UploadChunk(upload=handle.upload, data=self._seed.randbytes(1000)))
        stream.end.cut()

    async def _say_anything(self, name: str) -> None:
        """Give reasons that nobody should see as they are."""
        client, _ = await self._connected(name + self._seed.choice(_WORDS)[:50])
        board, words = self._some_board(), self._seed.choice(_WORDS)
        await ask(self._world, client, name, (Wish.HOLD, api.Hold(boards=(board,), reason=words)))
        await asyncio.sleep(self._seed.choice((0.0, 1.0)))
        await ask(self._world, client, name, (Wish.RELEASE, api.Release(boards=(board,))))
        take = api.Take(boards=(board,), by=words, reason=words, timeout=1.0)
        await ask(self._world, client, name, (Wish.TAKE, take))
        await client.close()

    def _some_board(self) -> str:
        return self._seed.choice(list(self._world.setup.boards))

    def _some_place(self, board: str) -> str:
        named = self._world.setup.boards.get(board) or next(iter(self._world.setup.boards.values()))
        return self._seed.choice([each.name for each in named.product.places.values() if each.image])


def _line(number: int, method: str, params: Mapping[str, object]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"
