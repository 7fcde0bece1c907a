"""All boards of one daemon: who is here, what each is to do, and what clients may ask of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import replace
from functools import cached_property, partial

import usb.backend

from flashdeck.config import Board, Config
from flashdeck.errors import ErrorKind, FlashdeckError, RefusedError, RequestError
from flashdeck.job_state import Canceller
from flashdeck.model import BoardHold, BoardState, HoldBy, LogLevel
from flashdeck.names import select, which
from flashdeck.text import clean
from flashdeck.verdict import Judgement
from flashdeckd.boards.board_changes import BoardChanges
from flashdeckd.boards.board_facts import BoardFacts
from flashdeckd.boards.comings import Comings, restart_of
from flashdeckd.boards.later_verdicts import LaterVerdicts
from flashdeckd.boards.running_programs import running_programs
from flashdeckd.boards.sightings import Sightings
from flashdeckd.boards.slot_gate import OpenGate, SlotGate
from flashdeckd.boards.watched_files import WatchedFiles
from flashdeckd.consoles.consoles import Consoles
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.entering.ways import entry_of
from flashdeckd.host import threads
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.board_names import FollowedNames
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.controller_place import Controllers
from flashdeckd.jobs.flash_maps import FlashMaps
from flashdeckd.jobs.job_images import GuardVerdicts, Rebuilt, read_image
from flashdeckd.jobs.lab_book import LabBook
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.satisfaction import Satisfaction
from flashdeckd.state.health import Health
from flashdeckd.state.hub import LONGEST_LINE, Hub
from flashdeckd.state.journal import EVERY_BOARD, Journal, Ledger
from flashdeckd.state.on_behalf import on_behalf_of
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from flashdeckd.usb.recognition import Roster, SharedSerial, Sighting, recognise, serials_of, shared_now
from flashdeckd.usb.serial_ports import SerialPorts


class Bench:
    """The boards of the configuration and their lanes. Runs in the event loop's thread only."""

    _devices: frozenset[UsbDevice] = frozenset()
    _unread: tuple[UnreadDevice, ...] = ()
    gate: SlotGate = OpenGate()
    """Says which unit is in a slot, before its lane sees anything."""

    def __init__(
        self,
        config: Config,
        *,
        hub: Hub,
        journal: Journal,
        ledger: Ledger,
        shelf: Shelf,
        backend: usb.backend.IBackend | None,
        ports: SerialPorts,
        consoles: Consoles,
        rebuilt: Rebuilt,
        health: Health | None = None,
    ) -> None:
        """`ports` finds the serial ports of the devices that `backend` opens, and `consoles` records what they say.

        `rebuilt` makes an image anew that the spool has lost, where its build is still there.
        """
        self.config = config
        self.shelf = shelf
        self.verdicts = GuardVerdicts()
        self._hub = hub
        self._health = health or Health(hub)
        self._journal = journal
        self._backend = backend
        self.ports = ports
        self.consoles = consoles
        self._rebuilt = rebuilt
        self._told_unread: set[str] = set()
        """Devices that are named as such."""
        self._seeing = asyncio.Lock()
        self._running: asyncio.TaskGroup | None = None
        self._disarm: Callable[[str], Awaitable[object]] | None = None
        self._stopped = asyncio.Event()
        self.reshaping = asyncio.Lock()
        """Locked while the configuration is exchanged, and while a job is created for a board that it has."""
        self.names = FollowedNames()
        """The boards that clients go by for a while."""
        self._naming = asyncio.Lock()
        """Locked while boards get other names, and while a hold is recorded or ended under one."""
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        """The running lanes."""
        self._holds = dict(ledger.holds)
        """The holds of all boards, also of those that the configuration has no more."""
        self._unit_holds: dict[str, BoardHold] = {}
        """The holds of slots that are about the unit in them: they go with it."""
        self._lost = ledger.lost
        """Reason of the holds of boards whose own was lost with an earlier journal; "" once all are released."""
        self._changes = changes = BoardChanges(self._lanes, self._publish)
        self.lab = LabBook(lambda: self.config.labgrid, self._reopened)
        self.book = JobBook(hub, journal, ledger, changes.note)
        self.satisfaction = Satisfaction(self.book, shelf)
        self.maps = FlashMaps(hub, self.book, shelf, self._board_of)
        hub.draw_maps_with(self.maps.draw)
        self.files = WatchedFiles(hub, changes.note_profile)
        self._histories = BootloaderBook(hub, journal, ledger.histories, changes.note)
        self._comings = Comings(hub, changes.note)
        self._later_verdicts = LaterVerdicts(hub, self.book)
        self._sightings = Sightings(self.book, journal, ledger.ports, ledger.shared_serials)
        self._facts = BoardFacts(
            hub,
            self._lanes,
            self.book,
            self.satisfaction,
            self.files,
            away=self._comings.away,
            console=consoles.state_of,
        )
        consoles.tell_with(changes.note, self._note_verdict)
        consoles.know_programs(self._programs_of)
        consoles.configure(config)
        for board in config.boards.values():
            self._open(board)
        changes.tell_all()
        hub.listen(changes.hear)

    @cached_property
    def controllers(self) -> Controllers:
        """The host controllers of the boards, and who talks to one there."""
        return Controllers(self.config.daemon.max_per_controller)

    def _programs_of(self, name: str) -> tuple[BoardProgram, ...]:
        """Return what a board may be running."""
        board = self.config.boards.get(name)
        return () if board is None else tuple(running_programs(board, self.book.contents, self.shelf.image))

    async def see(self, devices: frozenset[UsbDevice], unread: Iterable[UnreadDevice] = ()) -> None:
        """Takes note of everything that is on the bus now; of `unread` it cannot be said what they are."""
        self._devices, self._unread = devices, tuple(unread)
        self._sightings.note_what_runs(self.config.boards, devices)
        async with self._seeing:  # an adoption looks, too, and the older of two looks must not come last
            await self._look()

    async def _look(self) -> None:
        roster = recognise(
            self.config,
            self._devices,
            self._sightings.ports,
            shared=self._sightings.shared,
            unread=self._unread,
            with_units=self.gate.with_units,
        )
        self._tell_of_unread(roster)
        self.gate.look(roster)
        try:
            await self._sightings.note_shared(roster.shared)
        except FlashdeckError as error:
            text = f"that two devices show one serial could not be recorded: {error.message}"
            self._hub.log(text, level=LogLevel.WARNING)
        for name in [name for name in roster.boards if name in self._lanes]:
            lane = self._lanes[name]
            sighting = self._admitted(lane, roster.boards[name])
            if sighting == lane.sighting:
                continue
            before, restart = lane.sighting, restart_of(lane, self.book.active(name))
            lane.see(sighting)
            self.consoles.see(name, sighting)
            if sighting.presence is not before.presence:
                self._comings.tell(name, sighting, restart)
            try:
                await self._sightings.remember(lane.board, sighting)
            except FlashdeckError as error:
                self._hub.log(f"could not be recorded: {error.message}", level=LogLevel.WARNING, board=name)
            if sighting.trouble and sighting.trouble != before.trouble:
                self._hub.log(sighting.trouble, level=LogLevel.WARNING, board=name)
        self.consoles.look(self._devices)
        listed = {(each.port, each.usb_id, each.serial, each.note) for each in self._hub.devices}
        for stranger in roster.strangers:
            if (stranger.port, stranger.usb_id, stranger.serial, stranger.note) in listed:
                continue
            serial = f" {stranger.serial}" if stranger.serial else ""
            self._hub.log(f"DFU device {stranger.usb_id}{serial} at {stranger.port}: {stranger.note}")
        self._hub.running_devices = roster.running
        self._hub.publish_devices(roster.strangers)

    def _admitted(self, lane: Lane, sighting: Sighting) -> Sighting:
        return sighting if lane.board.slot is None else self.gate.admit(lane.board.name, sighting)

    async def look_again(self) -> None:
        """Look at what was on the bus last once more: something else is known of it."""
        await self.see(self._devices, self._unread)

    def knows(self, name: str) -> bool:
        """Tell whether anything is known of what is in the place of a board, or is to be done to it."""
        partitions = self._lanes[name].board.profile.partitions
        has_contents = any(self.book.contents(name, partition) is not None for partition in partitions)
        return has_contents or bool(self.book.active(name)) or self._histories.knows(name)

    async def renew(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        """Give a slot another lane, for another unit: all that is known of the one before is forgotten.

        `close` records that, once nothing runs on it any more; where it raises, nothing is forgotten. What is set on
        the slot itself (hold of a person, lease, armed) stays.
        """
        await self._end_lanes((name,))
        async with self.reshaping:
            lane = self._lanes.get(name)
            if lane is None:
                return  # the configuration has it no more
            await close()
            self.book.forget_board(name)
            self._histories.forget_board(name)
            self._sightings.forget_board(name)
            self.maps.forget(name)
            unit_hold = self._unit_holds.pop(name, None)
            if unit_hold is not None and self._holds.get(name) is unit_hold:
                del self._holds[name]
                await self._journal.save_hold(name, None)
            again = self._open(lane.board)
            again.armed, again.once, again.lease = lane.armed, lane.once, lane.lease
        self._changes.note(name)

    async def forget_contents(self, name: str) -> None:
        """Forget what the partitions of a board have, and nothing else."""
        for partition in self._lanes[name].board.profile.partitions:
            await self.book.forget(name, partition)

    async def answers(self) -> None:
        """Return once no look at the bus is under way: what is plugged in is taken note of."""
        async with self._seeing:
            pass

    def _tell_of_unread(self, roster: Roster) -> None:
        """Name each device that cannot be read, and the boards that it may be, until it can or has left."""
        for name in self._told_unread - roster.unread.keys():
            self._health.report(f"device {name}", "")
        for device in self._unread:
            hint = "unplug it and plug it in again, or power-cycle its hub"
            self._health.report(f"device {device.name}", device.reason, hint=hint, boards=roster.unread[device.name])
        self._told_unread = set(roster.unread)

    async def run(self) -> None:
        """Runs all lanes, and records all consoles, until `stop`."""
        self.consoles.begin()
        try:
            async with asyncio.TaskGroup() as self._running:
                for name, lane in self._lanes.items():
                    self._tasks[name] = self._running.create_task(lane.run())
                await self._stopped.wait()
        finally:
            await self.consoles.close()

    def stop(self) -> None:
        """Parks what runs and lets `run` end."""
        self._stopped.set()
        self._comings.end()
        for lane in self._lanes.values():
            lane.stop()

    @property
    def devices(self) -> frozenset[UsbDevice]:
        """Everything that is on the bus now."""
        return self._devices

    @property
    def unread(self) -> tuple[UnreadDevice, ...]:
        """The devices on the bus that cannot be read."""
        return self._unread

    def is_shared(self, device: UsbDevice) -> bool:
        """Tell whether two devices have shown the serial of this one at once: only its port tells which one it is."""
        return SharedSerial(device.usb_id, device.serial) in self._shared

    def was_shared(self, board: Board) -> bool:
        """Tell whether two devices have shown a board's serial at once, and nobody has released it since."""
        return not self._shared.isdisjoint(serials_of(board))

    @property
    def _shared(self) -> frozenset[SharedSerial]:
        return self._sightings.shared | shared_now(self.config, self._devices, self._unread)

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """All lanes, by the names of their boards."""
        return self._lanes

    def _note_verdict(self, name: str, judgement: Judgement, before: Judgement | None) -> None:
        """A start was judged: its lane waits for that; or what was judged has turned out otherwise."""
        lane = self._lanes.get(name)
        if lane is None:
            return
        if before is None:
            lane.poke()
        elif self._running is not None and not self._stopped.is_set():
            self._running.create_task(self._later_verdicts.note(lane.board, judgement, before))

    def _board_of(self, name: str) -> Board | None:
        return self.config.boards.get(name)

    def lane(self, name: str) -> Lane:
        """A board's lane; raises RequestError (`no-such-board`)."""
        try:
            return self._lanes[name]
        except KeyError:
            raise RequestError(
                f"there is no board {name!r}", kind=ErrorKind.NO_SUCH_BOARD, hint=which(name, self._lanes)
            ) from None

    def matching(self, patterns: Iterable[str]) -> dict[str, Board]:
        """The boards that names and globs mean, all for none; raises RequestError (`no-such-board`)."""
        boards = self.config.boards
        chosen = select(tuple(patterns) or ("*",), boards, none="`flashdeck suggest` prints one to begin with")
        return {name: boards[name] for name in chosen}

    def select(self, partition: str, patterns: Iterable[str] = ()) -> list[Board]:
        """The boards that the names and globs mean, those that have the partition.

        Raises RequestError (`no-such-board`, `no-such-partition`) with what there is instead, RefusedError
        (`protected`) when the partition is protected on one of them (safety rule 2).
        """
        patterns = tuple(patterns)
        chosen = self.matching(patterns)
        having = [board for board in chosen.values() if partition in board.profile.partitions]
        if not patterns:  # what is in a slot is nobody's board, and is meant by its name alone
            having = [board for board in having if board.slot is None] or having
        if not having:
            known = {name for board in chosen.values() for name in board.profile.partitions}
            raise RequestError(
                f"no board has a partition {partition!r}",
                kind=ErrorKind.NO_SUCH_PARTITION,
                hint=which(partition, known),
            )
        for board in having:
            if board.profile.partitions[partition].protected:
                raise RefusedError(
                    f"partition {partition} of board {board.name} is protected: it cannot be flashed",
                    kind=ErrorKind.PROTECTED,
                    hint="name another partition; what is protected is decided by the configuration alone",
                )
        return having

    async def image_for(self, board: Board, partition: str, sha256: str) -> Image:
        """Return an image that is wanted in a partition; raises what `read_image` does.

        It is in the spool then, and stays there while it is in use (`Shelf.held`).
        """
        place = board.profile.partitions[partition]
        image = await read_image(self.shelf, self._rebuilt, board.profile, place, sha256)
        await threads.run(self.shelf.put_back, image)
        return image

    def is_armed(self, name: str) -> bool:
        """Return whether builds are flashed by themselves on a board."""
        return self._lanes[name].armed

    def add(self, board: Board) -> None:
        """Give a board its lane; one that the configuration named takes over what was set on it."""
        self.config = replace(self.config, boards={**self.config.boards, board.name: board})
        self.consoles.configure(self.config)
        former = self._lanes.get(board.name)
        lane = self._open(board)
        if former is not None:
            lane.armed, lane.once = former.armed, former.once
            lane.lease = former.lease
            former.stop()

    def configure(self, config: Config) -> None:
        """Take over another configuration: boards that are new get a lane, the others hear of what is different.

        A job that runs ends under the configuration that it began with, unless its partition is protected by now. The
        lanes of boards that are not in it stay until `retire`.
        """
        self.config = config
        self.controllers.configure(config.daemon.max_per_controller)
        self.consoles.configure(config)
        for name, board in config.boards.items():
            lane = self._lanes.get(name)
            if lane is None:
                self._open(board)
            elif lane.board != board:
                lane.configure(board)
                lane.refuse_protected()
            self._arm_as_configured(self._lanes[name])
        self._changes.tell_all()

    async def rename_boards(self, names: Mapping[str, str], config: Config, mark: str) -> None:
        """Give boards, whose lanes rest, other names, and take over a configuration that has these.

        All that is known of a board goes with it: hold, lease, contents, queue. Boards that have no lane are renamed,
        too.
        Raises FlashdeckError where that cannot be recorded; nothing is renamed then. See `Journal.rename_boards`.
        """
        async with self._seeing:
            await self._end_lanes(names)
            async with self._naming:
                await self._rename_boards(names, config, mark)
        for old, new in names.items():
            self._hub.log(f"board {old} is called {new} now", board=new)

    async def _rename_boards(self, names: Mapping[str, str], config: Config, mark: str) -> None:
        try:
            await self.book.rename_boards(names, mark)
        except FlashdeckError:
            for lane in [self._lanes[name] for name in names if name in self._lanes]:
                again = self._open(lane.board)
                again.armed, again.once, again.lease = lane.armed, lane.once, lane.lease
                again.see(lane.sighting)
            raise
        self._histories.rename_boards(names)
        self.lab.rename_boards(names)
        self._sightings.rename_boards(names)
        self._comings.rename_boards(names)
        replaced = set(names.values()) - names.keys()
        kept = {name: hold for name, hold in self._holds.items() if name not in replaced}
        self._holds = {names.get(name, name): hold for name, hold in kept.items()}
        former = {new: self._lanes.pop(old) for old, new in names.items() if old in self._lanes}
        self._hub.forget_boards(names)
        self.names.follow(names)
        self.maps.rename_boards(names)
        self.consoles.rename_boards(names)
        self.gate.rename_boards(names)
        self.configure(config)
        for name, lane in former.items():
            self._lanes[name].lease = lane.lease
            self._lanes[name].see(lane.sighting)

    async def retire(self, names: Iterable[str]) -> None:
        """End what is to be done on boards that the configuration has no more; what is known of them is kept."""
        await asyncio.gather(*(self._retire(name) for name in names))

    async def _retire(self, name: str) -> None:
        async with self.gate.still((name,)):
            lane = self._lanes[name]
            kind = "slot" if lane.board.slot is not None else "board"
            why = f"{kind} {name} is no longer in the configuration"
            await self.end_jobs({job.id: why for job in self.book.active(name)})
            await self._end_lanes((name,))
            await self.gate.retire(name, why)
            if self._lanes.get(name) is lane:
                del self._lanes[name]
                self._hub.forget_boards((name,))
                self.maps.forget(name)
            self._hub.log(why, board=name)

    async def end_jobs(self, reasons: Mapping[int, str]) -> None:
        """End jobs that the configuration has no use for any more: a running one at its next safe point."""
        jobs = [self.book.job(number) for number in reasons]
        lanes = [(self._lanes[job.board], job) for job in jobs if job.board in self._lanes]
        await asyncio.gather(*(lane.cancel(job, Canceller.CONFIGURATION, reasons[job.id]) for lane, job in lanes))

    async def _end_lanes(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._lanes:
                self._lanes[name].stop()
        await asyncio.gather(*(self._tasks.pop(name) for name in names if name in self._tasks))

    def _arm_as_configured(self, lane: Lane) -> None:
        name = lane.board.name
        lane.armed = name not in self.config.disarmed
        lane.once = lane.armed and name in self.config.once

    def _open(self, board: Board) -> Lane:
        """Give a board a lane with all that is known of its name."""
        lane = self._lanes[board.name] = self._lane(board)
        self._arm_as_configured(lane)
        lane.hold = self._holds.get(board.name)
        if self._running is not None and not self._stopped.is_set():
            # In a context of its own: what the lane asks for by itself is not asked for by whoever had it opened.
            self._tasks[board.name] = self._running.create_task(lane.run(), context=Context())
        return lane

    def _lane(self, board: Board) -> Lane:
        return Lane(
            board,
            book=self.book,
            histories=self._histories,
            hub=self._hub,
            shelf=self.shelf,
            verdicts=self.verdicts,
            rebuilt=self._rebuilt,
            backend=self._backend,
            entry_of=partial(entry_of, ports=self.ports, keeper=self.consoles.keeper_of(board.name)),
            hold=partial(self._hold_by_lane, board.name),
            disarm=partial(self._disarm_used_up, board.name),
            changed=partial(self._changes.note, board.name),
            show_work=partial(self.maps.note, board.name),
            on_restart=partial(self.consoles.restarts, board.name),
            hearing=self.consoles.hearing_of(board.name),
            health=self._health,
            gate=partial(self.lab.gate_of, board.name),
            controllers=self.controllers,
        )

    def _reopened(self, names: Iterable[str] | None) -> None:
        """Look again at boards (None: all) of which their lab says something else now."""
        for name in self._lanes if names is None else [name for name in names if name in self._lanes]:
            self._lanes[name].poke()
            self._changes.note(name)

    async def _hold_by_lane(self, name: str, reason: str) -> BoardState:
        held = await self.hold(name, reason, HoldBy.FLASHDECK)
        if name in self._lanes and self._lanes[name].board.slot is not None and name in self._holds:
            self._unit_holds[name] = self._holds[name]
        return held

    def disarm_with(self, disarm: Callable[[str], Awaitable[object]]) -> None:
        """From now on `disarm` disarms a board durably whose one job has come."""
        self._disarm = disarm

    async def _disarm_used_up(self, name: str) -> None:
        if self._disarm is not None:
            await self._disarm(name)

    async def hold(self, name: str, reason: str, by: HoldBy = HoldBy.PERSON) -> BoardState:
        """Stops a lane from starting anything, also over a restart.

        The board may get another name meanwhile. Raises RequestError (`no-such-board`) where there is none, or no more.
        """
        lane, names = self.lane(name), self.names.of((name,))
        # Every state of the board carries it, and has to fit into one line of the protocol.
        user = on_behalf_of.get() if by is HoldBy.PERSON else ""
        hold = BoardHold(reason=clean(reason, LONGEST_LINE) or "by hand", by=by, user=user)
        lane.hold = self._holds[name] = hold  # from now on, also where that cannot be recorded
        async with self._naming:
            await self._journal.save_hold(names.of(name), hold)
        self._hub.log(f"on hold: {hold.reason}", board=names.of(name))
        return self.state_of(names.of(name))

    async def hold_unknown(self, ledger: Ledger) -> None:
        """Put all boards on hold whose hold was lost with an earlier journal, durably."""
        if ledger.lost:
            for name in [name for name in self._lanes if name not in ledger.holds]:
                await self.hold(name, ledger.lost, by=HoldBy.FLASHDECK)
            await self._journal.save_hold(EVERY_BOARD, None)

    async def hold_for_changes(self, name: str, reason: str) -> None:
        """Put a board on hold because its configuration has changed, also one that has no lane yet.

        A hold that it has is kept in words.
        """
        held = self._holds.get(name)
        if held is not None and reason not in held.reason:
            reason = f"{reason}; it was on hold before: {held.reason}"
        if name in self._lanes:
            await self.hold(name, reason, HoldBy.FLASHDECK)
            return
        self._holds[name] = hold = BoardHold(reason=clean(reason, LONGEST_LINE), by=HoldBy.FLASHDECK)
        await self._journal.save_hold(name, hold)

    async def release(self, name: str) -> BoardState:
        """Ends a hold. Jobs that are blocked for a reason of their own are looked at once more (`Lane.release`).

        The one device that has its serial is the board then, also where there were two of them. The board may get
        another name meanwhile. Raises RequestError (`no-such-board`) where there is none, or no more.
        """
        names = self.names.of((name,))
        released = self.lane(name).hold  # one that comes from now on stays, as it does in the journal
        async with self._naming:
            await self._journal.save_hold(names.of(name), None)
            if self._holds.get(names.of(name)) is released:
                self._holds.pop(names.of(name), None)
        self._hub.log("released", board=names.of(name))
        if await self._sightings.forget_shared(self.lane(names.of(name)).board):
            await self.see(self._devices, self._unread)
            device = self.lane(names.of(name)).sighting.device
            if device is not None:
                text = f"the device at {device.name} is this board: a person has said so"
                self._hub.log(text, level=LogLevel.WARNING, board=names.of(name))
        lane = self.lane(names.of(name))
        if lane.hold is released:
            lane.hold = None
        if self._lost and not any(each.hold and each.hold.reason == self._lost for each in self._lanes.values()):
            self._lost = ""
            self._journal.heeded()
        await lane.release()
        return self.state_of(names.of(name))

    def state_of(self, name: str) -> BoardState:
        """Return the state of a board as it is now; raises RequestError (`no-such-board`)."""
        self.lane(name)  # or it says that there is none
        return self._facts.state_of(name)

    def _publish(self, name: str) -> None:
        self._hub.publish_board(self.state_of(name))
        self.maps.tell(name)
