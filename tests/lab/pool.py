"""A user of a lab who has a connection to its coordinator, sees the pool, and acquires and releases places."""

# pyright: reportMissingModuleSource=false
# As with the driver: labgrid is not in `.venv`.

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import grpc
from labgrid.remote.generated import labgrid_coordinator_pb2 as messages
from labgrid.remote.generated.labgrid_coordinator_pb2_grpc import CoordinatorStub

from rig import WAIT_SECONDS

Path = tuple[str, str]
"""Exporter and group of a resource."""


@dataclass(frozen=True)
class PooledBoard:
    """A resource as the coordinator tells of it."""

    is_available: bool
    place: str
    """The place that it is acquired for; "" for none."""


@dataclass
class PoolUser:
    """One user's session; make it with `pool_user`."""

    name: str
    channel: grpc.aio.Channel
    boards: dict[Path, PooledBoard] = field(default_factory=dict[Path, PooledBoard])
    holders: dict[str, str] = field(default_factory=dict[str, str])
    """Who has acquired each place; "" where nobody has."""
    is_lost: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: "asyncio.Queue[messages.ClientInMessage]" = field(default_factory=asyncio.Queue["messages.ClientInMessage"])
    _synced: int = 0
    _syncs: int = 0

    @property
    def available(self) -> set[Path]:
        """The boards that can be had."""
        return {path for path, board in self.boards.items() if board.is_available}

    async def until(self, reached: Callable[["PoolUser"], bool]) -> None:
        """Return once the pool is so; looks again after each change."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not reached(self):
                await self._changed.wait()
                self._changed.clear()

    async def sync(self) -> None:
        """Return once all is known that the coordinator told before this call."""
        self._syncs += 1
        wanted = self._syncs
        message = messages.ClientInMessage()
        message.sync.id = wanted
        self._asked.put_nowait(message)
        await self.until(lambda user: user._synced >= wanted)

    async def acquire(self, place: str) -> bool:
        """Acquire a place; False where somebody has it, or its board cannot be had now."""
        try:
            await CoordinatorStub(self.channel).AcquirePlace(messages.AcquirePlaceRequest(placename=place))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            return False
        return True

    async def release(self, place: str) -> None:
        """Release a place that is acquired."""
        await CoordinatorStub(self.channel).ReleasePlace(messages.ReleasePlaceRequest(placename=place))

    async def follow(self) -> None:
        """Hear of the pool until the coordinator is gone."""
        startup = messages.ClientInMessage()
        startup.startup.version = "26.0"
        startup.startup.name = self.name
        places = messages.ClientInMessage()
        places.subscribe.all_places = True
        resources = messages.ClientInMessage()
        resources.subscribe.all_resources = True
        for message in (startup, places, resources):
            self._asked.put_nowait(message)
        try:
            async for told in CoordinatorStub(self.channel).ClientStream(self._messages()):
                for update in told.updates:
                    self._take(update)
                if told.HasField("sync"):
                    self._synced = told.sync.id
                self._changed.set()
        except grpc.aio.AioRpcError:
            pass  # the coordinator is gone: whoever waits is told so
        finally:
            self.is_lost = True
            self._changed.set()

    async def _messages(self) -> AsyncIterator[messages.ClientInMessage]:
        while True:
            yield await self._asked.get()

    def _take(self, update: messages.UpdateResponse) -> None:
        match update.WhichOneof("kind"):
            case "resource":
                told = update.resource
                board = PooledBoard(told.avail, told.acquired)
                self.boards[told.path.exporter_name, told.path.group_name] = board
            case "del_resource":
                self.boards.pop((update.del_resource.exporter_name, update.del_resource.group_name), None)
            case "place":
                self.holders[update.place.name] = update.place.acquired
            case kind:
                assert kind == "del_place"
                self.holders.pop(update.del_place, None)


@asynccontextmanager
async def pool_user(address: str, name: str) -> AsyncGenerator[PoolUser]:
    """A user's session for the length of a block: the coordinator takes each connection for one user."""
    channel = grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
    user = PoolUser(name, channel)
    following = asyncio.create_task(user.follow())
    try:
        await user.sync()
        yield user
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await channel.close()


def in_pool(address: str, wanted: set[Path]) -> None:
    """Return once exactly these boards can be had."""

    async def seen() -> None:
        async with pool_user(address, "desk/observer") as user:
            await user.until(lambda now: now.available == wanted)

    asyncio.run(seen())
