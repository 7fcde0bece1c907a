"""Boards that are adopted, armed or disarmed while the daemon runs, and recorded in boards.toml."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

import usb.backend

from flashdeck.config import Config
from flashdeck.errors import DeviceError, FlashdeckError, HostError
from flashdeck.model import BoardState, LogLevel
from flashdeck.paths import BOARD_FILE_NAME
from flashdeck.words.boards import arming_text
from flashdeckd.boards.adoption import adopted, find_device, find_name, find_profile, require_other_identity
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.board_file import write_board_file
from flashdeckd.boards.board_file_mark import BoardFileMark
from flashdeckd.host import threads
from flashdeckd.jobs.worker import Worker
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.usb.device import UsbDevice

IDENTIFY_SECONDS = 60.0
"""Longest time in which a device that is to be adopted says what its memory map is."""


class Enrolment:
    """Changes what boards.toml says, and the bench with it. Runs in the event loop's thread only."""

    def __init__(
        self,
        bench: Bench,
        hub: Hub,
        backend: usb.backend.IBackend | None,
        board_file: Path,
        mark: BoardFileMark,
        *,
        health: Health,
    ) -> None:
        self._bench = bench
        self._hub = hub
        self._health = health
        self._backend = backend
        self._board_file = board_file
        self._mark = mark
        self._adopting = asyncio.Lock()
        self._unrecorded: set[str] = set()
        """Boards that were disarmed when their one job came, and of which boards.toml does not say so yet."""
        self._asked: dict[UsbDevice, asyncio.Future[str]] = {}
        """Devices that were asked for their memory map, and have not answered yet."""
        self.filing = asyncio.Lock()
        """The writing of boards.toml, which is written as a whole: what changes any of it comes one after the other.

        Locked, too, while it is read again and taken over."""
        self._on_adopted: Callable[[str], Awaitable[None]] = _nothing
        bench.disarm_with(self.disarm_used_up)

    def tell_of_adopted(self, on_adopted: Callable[[str], Awaitable[None]]) -> None:
        """From now on `on_adopted` is awaited with each board that was adopted, while no file is read or written."""
        self._on_adopted = on_adopted

    async def arm(self, patterns: Iterable[str], *, armed: bool, once: bool = False) -> list[BoardState]:
        """Arm boards, for one job if `once`, or disarm them, also over a restart.

        Raises RequestError (`no-such-board`).
        """
        async with self.filing:
            boards = self._bench.matching(patterns)
            await self._arm(boards, armed=armed, once=once)
        self._health.report(BOARD_FILE_NAME, "")  # if it was lost: now it says again what a person wants
        for name in boards:
            self._hub.log(arming_text(armed=armed, once=once), board=name)
        return [self._bench.state_of(name) for name in boards]

    async def disarm_used_up(self, name: str) -> None:
        """Disarm a board whose one job has come, where it is armed for one; on return a restart knows it.

        Raises HostError where that cannot be recorded; the daemon itself knows it all the same.
        """
        if (
            self.filing.locked()
        ):  # a reload waits for the jobs that it ends, and that is one of them: it is not waited for
            raise HostError("boards.toml is being read or written", hint="the job goes on by itself after that")
        async with self.filing:
            lane = self._bench.lane(name)
            if not lane.once and name not in self._unrecorded:
                return
            lane.armed = lane.once = False
            self._unrecorded.add(name)
            try:
                await self._file(self._disarmed(), self._once())
            except FlashdeckError as error:
                raise HostError(f"that {name} is disarmed now: {error.message}", hint=error.hint) from error
            self._unrecorded.discard(name)
        self._hub.log("disarmed: it was armed for one job, and that has come; new builds are offered", board=name)

    async def _arm(self, boards: Collection[str], *, armed: bool, once: bool) -> None:
        disarmed = self._disarmed() - set(boards) if armed else self._disarmed() | set(boards)
        singly = self._once() | set(boards) if armed and once else self._once() - set(boards)
        await self._file(disarmed, singly)
        for name in boards:
            lane = self._bench.lane(name)
            lane.armed, lane.once = armed, armed and once

    async def _file(self, disarmed: set[str], once: set[str]) -> None:
        config = replace(self._bench.config, disarmed=frozenset(disarmed), once=frozenset(once))
        await self._write_board_file(config, disarmed, once)
        self._bench.config = config

    async def adopt(self, wanted: str, profile_name: str, name: str) -> BoardState:
        """Make a listed DFU device a board from now on, also over a restart; nothing is written to it.

        Raises RequestError, FlashdeckError (`ambiguous`), or DeviceError where the device cannot be asked.
        """
        bench = self._bench
        async with self._adopting:
            configured = {lane.sighting.device for lane in bench.lanes.values() if lane.sighting.device is not None}
            in_question = [device for device in bench.devices if device.has_dfu]
            device = find_device(wanted, in_question, configured, bench.is_shared)
            profile = find_profile(profile_name, device, bench.config)
            name = find_name(name, profile, bench.config)
            memory_map = await self._memory_map(device)
            async with self.filing:
                profile = find_profile(profile.name, device, bench.config)  # it may have been read again meanwhile
                name = find_name(name, profile, bench.config)
                was_shared = bench.is_shared(device)
                board = adopted(name, profile, device, bench.devices, memory_map, was_shared=was_shared)
                require_other_identity(board, bench.config)
                config = replace(bench.config, boards={**bench.config.boards, board.name: board})
                await self._write_board_file(config, self._disarmed(), self._once())
                bench.add(board)
                await self._on_adopted(name)
        known_by = f"serial {board.serial}" if not board.port else f"port {board.port}"
        self._hub.log(f"adopted with profile {profile.name}, known by its {known_by}", board=board.name)
        await bench.see(bench.devices, bench.unread)
        return bench.state_of(board.name)

    async def file(self, config: Config) -> None:
        """Write boards.toml as a configuration has it; whoever calls this holds `filing`."""
        await self._write_board_file(config, set(config.disarmed), set(config.once))

    async def _memory_map(self, device: UsbDevice) -> str:
        """Ask a device for its memory map, in a thread that is left behind where the kernel does not give it back."""
        asked = self._asked.get(device)
        if asked is None:
            thread = threads.OwnThread(f"adopt-{device.name}")
            asked = self._asked[device] = thread.run(Worker(self._backend).identify, device)
            thread.let_go()
            asked.add_done_callback(lambda answer: self._answered(device, answer))
        try:
            async with asyncio.timeout(IDENTIFY_SECONDS):
                return await asyncio.shield(asked)
        except TimeoutError:
            raise DeviceError(
                f"the device at {device.name} does not answer",
                hint="unplug it and plug it in again, or power-cycle its hub; then adopt it",
            ) from None

    def _answered(self, device: UsbDevice, answer: "asyncio.Future[str]") -> None:
        del self._asked[device]
        if not answer.cancelled():
            answer.exception()  # nobody may wait for it any more

    def _disarmed(self) -> set[str]:
        """Those that the configuration has no more are not forgotten: they may be back in it tomorrow."""
        lanes = self._bench.lanes
        return {name for name, lane in lanes.items() if not lane.armed} | (self._bench.config.disarmed - set(lanes))

    def _once(self) -> set[str]:
        lanes = self._bench.lanes
        return {name for name, lane in lanes.items() if lane.once} | (self._bench.config.once - set(lanes))

    async def _write_board_file(self, config: Config, disarmed: set[str], once: set[str]) -> None:
        pinned = [board for board in config.boards.values() if board.pins is not None]
        await threads.run(write_board_file, self._board_file, pinned, disarmed, once)
        await self.mark_file()

    async def mark_file(self) -> None:
        """Remember that there is a boards.toml, if there is one; where that fails, the log says so."""
        try:
            await threads.run(self._mark.set)
        except FlashdeckError as error:
            text = f"should boards.toml be removed, the next start will not notice: {error.message}"
            self._hub.log(text, level=LogLevel.WARNING)


async def _nothing(_name: str) -> None:
    """Nobody has to know."""
