"""The cables between emulated boards and the kernel: what is on the bench's bus is on vhci's ports, nothing else."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.hotplug import VirtualHotplug
from flashdeckd.virtual.serial_ports import VirtualSerialPorts
from flashdeckd.virtual.virtual_bench import VirtualBench
from vm.usbip import Export, Tally
from vm.vhci import Port

NOTICE_SECONDS = 0.05
"""From the end of a device to the hub driver's notice of it; transfers fail in between."""
LEAVE_SECONDS = 60.0
"""Bounds the kernel's clearing up after a device."""
_LOOK_SECONDS = 0.01


class Cables:
    """Boards in the ports that they name. A context manager; all ports are empty again when it is left.

    It runs in a thread of its own, so that plugging and pulling go on while a test waits for a program.
    """

    def __init__(self, bench: VirtualBench) -> None:
        self.tallies = {name: Tally() for name in bench.boards}
        self._bench = bench
        # The kernel's driver makes the serial ports here: nobody need look at pseudo-terminals.
        bench.hotplug = VirtualHotplug(tuple(bench.boards.values()), VirtualSerialPorts(()))
        self._ports = {name: Port(board.spec.port) for name, board in bench.boards.items()}
        self._exports: dict[str, Export] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._loop = asyncio.new_event_loop()
        self._following: asyncio.Task[None] | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="cables")

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def port(self, board: str) -> Port:
        """Where a board is plugged in."""
        return self._ports[board]

    def swap(self, one: str, other: str) -> None:
        """Let each of two boards be in the other's port when it is plugged in next; both ports have to be empty."""
        assert self._ports[one].empty
        assert self._ports[other].empty
        self._ports[one], self._ports[other] = self._ports[other], self._ports[one]

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._work())
        except BaseException as error:  # noqa: BLE001 -- raised again where somebody hears of it
            self._error = error
        finally:
            self._started.set()

    def _stop(self) -> None:
        if self._following is not None:
            self._following.cancel()

    async def _work(self) -> None:
        self._locks = {name: asyncio.Lock() for name in self._bench.boards}
        self._following = asyncio.create_task(self._follow())
        self._started.set()
        try:
            await self._following
        except asyncio.CancelledError:
            pass  # by `_stop`
        finally:
            for export in self._exports.values():
                export.close()
            for port in self._ports.values():
                await self._until_empty(port)

    async def _follow(self) -> None:
        """Rewires every board whose place on the bus has changed, each by itself."""
        async with asyncio.TaskGroup() as group:
            async for _ in self._bench.hotplug.snapshots():
                for board in self._bench.boards.values():
                    if self._differs(board):
                        group.create_task(self._rewire(board))

    def _differs(self, board: VirtualBoard) -> bool:
        export = self._exports.get(board.spec.name)
        return board.connection() is not (export.connection if export else None)

    async def _rewire(self, board: VirtualBoard) -> None:
        name = board.spec.name
        async with self._locks[name]:
            if not self._differs(board):
                return
            export = self._exports.get(name)
            if export is not None:
                await asyncio.sleep(NOTICE_SECONDS)
                export.close()
                del self._exports[name]
                await self._until_empty(self._ports[name])
            connection = board.connection()
            if connection is not None:
                self._exports[name] = self._ports[name].attach(connection, self.tallies[name])

    @staticmethod
    async def _until_empty(port: Port) -> None:
        async with asyncio.timeout(LEAVE_SECONDS):
            while not port.empty:  # noqa: ASYNC110 -- the kernel has no event for the end of all of it
                await asyncio.sleep(_LOOK_SECONDS)
