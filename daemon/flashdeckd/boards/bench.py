"""All boards of one daemon: who is here, what each is to do, and what clients may ask of them."""

import asyncio
import difflib
from collections.abc import Iterable
from dataclasses import replace as replace_config
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final

import usb.backend
from msgspec.structs import replace

from flashdeck.config import Board, Config, Partition
from flashdeck.errors import ErrorKind, FlashdeckError, RefusedError, RequestError
from flashdeck.job_state import Cancelled, Canceller, Done, Queued, Running, WaitFor, Waiting, Written
from flashdeck.model import BoardHold, BoardState, Disposition, Event, HoldBy, JobState, LogLevel, Origin, Presence
from flashdeck.text import clean
from flashdeck.words.boards import presence_word
from flashdeckd.boards.adoption import adopted, find_device, find_name, find_profile
from flashdeckd.boards.board_file import write_board_file
from flashdeckd.boards.board_state import PartitionFacts, board_state
from flashdeckd.boards.roster import Sighting, recognise
from flashdeckd.host import clock, threads
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook, doubts
from flashdeckd.jobs.contents import is_patch, known_bytes
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.job_images import GuardVerdicts, Rebuilt, read_image
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.queue import admit, outrun
from flashdeckd.jobs.satisfaction import Satisfaction
from flashdeckd.jobs.worker import Worker
from flashdeckd.state.hub import LONGEST_LINE, Hub
from flashdeckd.state.journal import Journal, Ledger
from flashdeckd.usb.device import UsbDevice

RETURN_SECONDS: Final = 3.0
"""A board that is back in DFU mode so soon after a leave was not brought there by a person."""


class Bench:
    """The boards of the configuration and their lanes. Runs in the event loop's thread only."""

    def __init__(
        self,
        config: Config,
        *,
        hub: Hub,
        journal: Journal,
        ledger: Ledger,
        shelf: Shelf,
        backend: usb.backend.IBackend | None,
        board_file: Path,
        rebuilt: Rebuilt,
    ) -> None:
        """`rebuilt` makes an image anew that the spool has lost, where its build is still there."""
        self.config = config
        self.book = JobBook(hub, journal, ledger, self._changed)
        self.shelf = shelf
        self.satisfaction = Satisfaction(self.book, self.shelf)
        self._hub = hub
        self._journal = journal
        self._backend = backend
        self._rebuilt = rebuilt
        self._board_file = board_file
        self._ports = dict(ledger.ports)
        self._devices: frozenset[UsbDevice] = frozenset()
        self.verdicts = GuardVerdicts()
        self._being_written: set[tuple[str, str]] = set()
        self._untaken: dict[tuple[str, str], str] = {}
        """Why what lies at a watched path can not be taken, by profile and partition."""
        self._seeing = asyncio.Lock()
        self._adopting = asyncio.Lock()
        self._filing = asyncio.Lock()
        """What is written to boards.toml is all of it: what changes any of that comes one after the other."""
        self._running: asyncio.TaskGroup | None = None
        self._stopped = asyncio.Event()
        self._histories = BootloaderBook(hub, journal, ledger.histories, self._changed)
        self._lanes: dict[str, Lane] = {}
        self._unpublished: dict[str, None] = {}
        """Boards of which something has changed since their state was told."""
        self._ran: set[str] = set()
        """Boards in whose place something else than their bootloader was seen since it last was."""
        for name, board in config.boards.items():
            lane = self._lanes[name] = self._lane(board)
            lane.armed = name not in config.disarmed
            lane.hold = ledger.holds.get(name)
        self._publish()
        hub.listen(self._hear)

    async def restore(self) -> None:
        """Puts the jobs of an earlier daemon back into their lanes.

        Those whose board or partition is gone end, and those that had ended without a record of it.
        """
        for job in [job for job in self.book.jobs.values() if not job.is_settled]:
            contents = self.book.contents(job.board, job.partition)
            is_complete = contents is not None and contents.complete and contents.job == job.id
            if is_complete or isinstance(job.status, Written):
                lost = Written(result=job.result, reason="the daemon was restarted before the board was started")
                await self.book.move(job, lost)
            else:
                await self.book.move(job, Queued(note="the daemon was restarted" if job.attempts else ""))
        for job, newer in outrun(self.book.jobs.values()):
            await self.book.supersede(job, newer.id)
        for job in [job for job in self.book.jobs.values() if not job.is_settled]:
            board = self.config.boards.get(job.board)
            partition = board.profile.partitions.get(job.partition) if board else None
            if partition is None or partition.protected:
                await self.book.move(job, Cancelled(by=Canceller.CONFIGURATION))

    async def see(self, devices: frozenset[UsbDevice]) -> None:
        """Takes note of everything that is on the bus now."""
        self._devices = devices
        self._note_what_runs()
        async with self._seeing:  # an adoption looks, too, and the older of two looks must not come last
            await self._look()

    async def _look(self) -> None:
        roster = recognise(self.config, self._devices, self._ports)
        for name, sighting in roster.boards.items():
            lane = self._lanes[name]
            if sighting == lane.sighting:
                continue
            before, device = lane.sighting, sighting.device
            lane.see(sighting)
            try:
                await self._remember(name, sighting)
            except FlashdeckError as error:
                self._hub.log(f"could not be recorded: {error.message}", level=LogLevel.WARNING, board=name)
            if sighting.presence is not before.presence:
                where = f" at {device.name}" if device else ""
                self._hub.log(f"{presence_word(sighting.presence).text}{where}", board=name)
            if sighting.trouble and sighting.trouble != before.trouble:
                self._hub.log(sighting.trouble, level=LogLevel.WARNING, board=name)
        for stranger in (device for device in roster.strangers if device not in self._hub.devices):
            serial = f" {stranger.serial}" if stranger.serial else ""
            self._hub.log(f"DFU device {stranger.usb_id}{serial} at {stranger.port}: {stranger.note}")
        self._hub.publish_devices(roster.strangers)

    async def run(self) -> None:
        """Runs all lanes until `stop`."""
        async with asyncio.TaskGroup() as self._running:
            for lane in self._lanes.values():
                self._running.create_task(lane.run())
            await self._stopped.wait()

    def stop(self) -> None:
        """Parks what runs and lets `run` end."""
        self._stopped.set()
        for lane in self._lanes.values():
            lane.stop()

    @property
    def devices(self) -> frozenset[UsbDevice]:
        """Everything that is on the bus now."""
        return self._devices

    def lane(self, name: str) -> Lane:
        """A board's lane; raises RequestError (`no-such-board`)."""
        try:
            return self._lanes[name]
        except KeyError:
            raise RequestError(
                f"there is no board {name!r}", kind=ErrorKind.NO_SUCH_BOARD, hint=_known(name, self._lanes)
            ) from None

    def select(self, partition: str, patterns: Iterable[str] = ()) -> list[Board]:
        """The boards that the names and globs mean, those that have the partition.

        Raises RequestError (`no-such-board`, `no-such-partition`) with what there is instead, RefusedError
        (`protected`) when the partition is protected on one of them (safety rule 2).
        """
        chosen = self.matching(patterns)
        having = [board for board in chosen.values() if partition in board.profile.partitions]
        if not having:
            known = {name for board in chosen.values() for name in board.profile.partitions}
            raise RequestError(
                f"no board has a partition {partition!r}",
                kind=ErrorKind.NO_SUCH_PARTITION,
                hint=_known(partition, known),
            )
        for board in having:
            if board.profile.partitions[partition].protected:
                raise RefusedError(
                    f"partition {partition} of board {board.name} is protected: it can not be flashed",
                    kind=ErrorKind.PROTECTED,
                    hint="name another partition; what is protected is decided by the configuration alone",
                )
        return having

    async def image_for(self, board: Board, partition: str, sha256: str) -> Image:
        """Return an image that is wanted in a partition; raises what `read_image` does."""
        place = board.profile.partitions[partition]
        return await read_image(self.shelf, self._rebuilt, board.profile, place, sha256)

    async def enqueue(self, board: Board, partition: str, artifact: Artifact, origin: Origin) -> JobState | None:
        """Queue a job unless it is not needed (safety rule 7); older ones that have not begun give way.

        A program that is asked for by hand is followed by the patch that the newest build is, where the board has that
        patch, or was to get it: the flash takes it away.
        """
        lost = self._patch_to_queue_again(board, partition, artifact) if origin is Origin.HAND else None
        job = await self._enqueue(board, partition, artifact, origin)
        if job is not None and lost is not None:
            await self._enqueue(board, partition, lost, Origin.BUILD)
        self._lanes[board.name].poke()
        return job

    async def _enqueue(self, board: Board, partition: str, artifact: Artifact, origin: Origin) -> JobState | None:
        image = await self.image_for(board, partition, artifact.sha256)
        target = target_of(board, board.profile.partitions[partition])
        contents = self.book.contents(board.name, partition)
        known = await threads.run(known_bytes, contents, target, self.shelf.image)
        active = self.book.active(board.name)
        admission = admit(active, known, image, target=target, origin=origin, image_of=self.shelf.image)
        patch = is_patch(image, target)
        job = None
        if admission.create:
            job = await self.book.create(board.name, partition, artifact, origin, patch=patch)
        for old in admission.superseded:
            # One that began while the new one was being recorded is followed by it.
            await self.book.supersede(self.book.job(old), job.id if job else 0)
        return job

    def _patch_to_queue_again(self, board: Board, partition: str, program: Artifact) -> Artifact | None:
        newest = self._hub.artifacts.get((board.profile.name, partition))
        if newest is None or not newest.patch or newest.disposition is Disposition.REFUSED or not program.is_program:
            return None
        if newest.sha256 == program.sha256 or not self.is_armed(board.name):
            return None
        target = board.profile.partitions[partition]
        queued = self.satisfaction.job_for(board, target, newest.sha256)
        is_queued = queued is not None and not queued.is_settled
        if not is_queued and not self.satisfaction.has(board, target, newest.sha256):
            return None
        return Artifact(newest.sha256, newest.size, newest.version, is_program=False)

    async def rename_image(self, profile: str, partition: str, sha256: str, artifact: Artifact) -> None:
        """Let the jobs of a partition that wait with an image bring the one that the same file makes now."""
        for job in [job for job in self.book.jobs.values() if (job.partition, job.sha256) == (partition, sha256)]:
            board = self.config.boards.get(job.board)
            if board is None or board.profile.name != profile or job.is_settled or isinstance(job.status, Running):
                continue
            await self.book.name_anew(job, artifact)

    def is_armed(self, name: str) -> bool:
        """Whether new artifacts flash by themselves on a board."""
        return self._lanes[name].armed

    async def arm(self, patterns: Iterable[str], *, armed: bool) -> list[BoardState]:
        """Arms or disarms boards, also over a restart."""
        async with self._filing:
            boards = self.matching(patterns)
            disarmed = self._disarmed()
            await self._write_board_file(self.config, disarmed - set(boards) if armed else disarmed | set(boards))
            for name in boards:
                self._lanes[name].armed = armed
        for name in boards:
            self._hub.log("armed" if armed else "disarmed: new builds are only offered", board=name)
        return [self.state_of(name) for name in boards]

    async def adopt(self, wanted: str, profile_name: str, name: str) -> BoardState:
        """Makes a listed DFU device a board from now on, also over a restart; nothing is written to it.

        Raises RequestError, FlashdeckError (`ambiguous`), or DeviceError where the device can not be asked.
        """
        async with self._adopting:
            configured = {lane.sighting.device for lane in self._lanes.values() if lane.sighting.device is not None}
            device = find_device(wanted, [device for device in self._devices if device.has_dfu], configured)
            profile = find_profile(profile_name, device, self.config)
            name = find_name(name, profile, self.config)
            memory_map = await threads.run(Worker(self._backend).identify, device)
            board = adopted(name, profile, device, self._devices, memory_map)
            config = replace_config(self.config, boards={**self.config.boards, board.name: board})
            async with self._filing:
                await self._write_board_file(config, self._disarmed())
                self.config = config
                self._add(board)
        known_by = f"serial {board.serial}" if not board.port else f"port {board.port}"
        self._hub.log(f"adopted with profile {profile.name}, known by its {known_by}", board=board.name)
        await self.see(self._devices)
        return self.state_of(board.name)

    def _add(self, board: Board) -> None:
        """Gives an adopted board its lane; one that the configuration named takes over what was set on it."""
        lane = self._lane(board)
        lane.armed = board.name not in self.config.disarmed
        former, self._lanes[board.name] = self._lanes.get(board.name), lane
        if former is not None:
            lane.hold, lane.armed = former.hold, former.armed
            former.stop()
        if self._running is not None and not self._stopped.is_set():
            self._running.create_task(lane.run())

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
            hold=partial(self.hold, board.name, by=HoldBy.FLASHDECK),
            changed=partial(self._changed, board.name),
        )

    def _disarmed(self) -> set[str]:
        """Those that the configuration has no more are not forgotten: they may be back in it tomorrow."""
        return {name for name, lane in self._lanes.items() if not lane.armed} | (
            self.config.disarmed - set(self._lanes)
        )

    async def _write_board_file(self, config: Config, disarmed: set[str]) -> None:
        pinned = [board for board in config.boards.values() if board.pins is not None]
        await threads.run(write_board_file, self._board_file, pinned, disarmed)

    async def hold(self, name: str, reason: str, by: HoldBy = HoldBy.PERSON) -> BoardState:
        """Stops a lane from starting anything, also over a restart."""
        lane = self.lane(name)
        # Every state of the board carries it, and has to fit into one line of the protocol.
        hold = BoardHold(reason=clean(reason, LONGEST_LINE) or "by hand", by=by)
        lane.hold = hold  # from now on, also where that can not be recorded
        await self._journal.save_hold(name, hold)
        self._hub.log(f"on hold: {hold.reason}", board=name)
        return self.state_of(name)

    async def release(self, name: str) -> BoardState:
        """Ends a hold. Jobs that are blocked for a reason of their own are looked at once more (`Lane.release`)."""
        lane = self.lane(name)
        await self._journal.save_hold(name, None)
        self._hub.log("released", board=name)
        await lane.release()
        return self.state_of(name)

    def note_being_written(self, profile: str, partition: str, *, being_written: bool) -> None:
        """Shows at the boards of a profile whether an image file of theirs is being written."""
        if being_written:
            self._being_written.add((profile, partition))
        else:
            self._being_written.discard((profile, partition))
        self._changed_all(profile)

    def note_untaken(self, profile: str, partition: str, reason: str) -> None:
        """Show at the boards of a profile why what lies at an image's path can not be taken; "" once it can."""
        if reason:
            self._untaken[profile, partition] = reason
        else:
            self._untaken.pop((profile, partition), None)
        self._changed_all(profile)

    def untaken(self, profile: str, partition: str) -> str:
        """Return why what lies at an image's path can not be taken, with what to do; "" where it can."""
        artifact = self._hub.artifacts.get((profile, partition))
        refused = artifact.reason if artifact is not None and artifact.disposition is Disposition.REFUSED else ""
        return self._untaken.get((profile, partition), "") or refused

    def state_of(self, name: str) -> BoardState:
        """Return the state of a board as it is now."""
        lane = self._lanes[name]
        board = lane.board
        facts = {partition.name: self._facts_of(board, partition) for partition in board.profile.partitions.values()}
        noted = tuple(doubts(lane.history))
        return board_state(board, lane.sighting, facts, hold=lane.hold, armed=lane.armed, doubts=noted)

    def _facts_of(self, board: Board, partition: Partition) -> PartitionFacts:
        place = (board.profile.name, partition.name)
        newest = self._hub.artifacts.get(place)
        sha256 = newest.sha256 if newest is not None else ""
        return PartitionFacts(
            contents=self.book.contents(board.name, partition.name),
            newest=newest,
            is_current=newest is not None and self.satisfaction.has(board, partition, sha256),
            has_job=newest is not None and self.satisfaction.job_for(board, partition, sha256) is not None,
            is_being_written=place in self._being_written,
            trouble=self.untaken(*place),
        )

    def _hear(self, event: Event) -> None:
        """What a board is depends on its jobs and on the newest builds, too."""
        if event.job is not None and event.job.board in self._lanes and not isinstance(event.job.status, Running):
            self._changed(event.job.board)  # what is running was heard of when it was queued
        if event.artifact is not None:
            self._changed_all(event.artifact.profile)

    def _changed_all(self, profile: str) -> None:
        for board in self.config.boards.values():
            if board.profile.name == profile:
                self._changed(board.name)

    def _changed(self, name: str) -> None:
        """Something changed of what a board's state is made of: it is told once, when all has that changes with it."""
        if not self._unpublished and self._lanes:
            asyncio.get_running_loop().call_soon(self._publish)
        self._unpublished[name] = None

    def _publish(self) -> None:
        names, self._unpublished = self._unpublished, {}
        for name in names:
            if name in self._lanes:
                self._hub.publish_board(self.state_of(name))

    def _note_what_runs(self) -> None:
        for name, port in self._ports.items():
            board = self.config.boards.get(name)
            if board is not None and any(d.is_at(port) and d.usb_id != board.profile.dfu for d in self._devices):
                self._ran.add(name)

    async def _remember(self, name: str, sighting: Sighting) -> None:
        """Records where a board is, what that says of its flash, and that an application which shows late did start."""
        device = sighting.device
        if device is not None and self._ports.get(name) != device.port:
            self._ports[name] = device.port
            await self._journal.save_port(name, device.port)
        if device is not None and sighting.presence is Presence.DFU:
            await self._doubt_contents(name, device)
            await self._doubt_start(name)
            self._ran.discard(name)
        if sighting.presence is not Presence.APP:
            return
        for partition in self.config.boards[name].profile.partitions:
            contents = self.book.contents(name, partition)
            if contents is not None and contents.complete and contents.started is False:
                await self.book.record(name, partition, replace(contents, started=True))

    async def _doubt_contents(self, name: str, device: UsbDevice) -> None:
        """What was flashed into a board of another serial or bcdDevice may be something else by now."""
        for partition in self.config.boards[name].profile.partitions:
            contents = self.book.contents(name, partition)
            if contents is None or contents.uncertain:
                continue
            if (contents.serial, contents.bcd_device) != (device.serial, device.bcd_device):
                await self.book.record(name, partition, replace(contents, uncertain=True))

    async def _doubt_start(self, name: str) -> None:
        """A bootloader that is back soon after a leave did not start the image. Boards with an `app` were watched."""
        profile = self.config.boards[name].profile
        if profile.app is not None or not profile.leave or name in self._ran:
            return
        waiting = (job.status for job in self.book.active(name) if isinstance(job.status, Waiting))
        if any(status.for_ in (WaitFor.HAND, WaitFor.ABSENT) for status in waiting):
            return  # somebody was asked to bring it into DFU mode, and did
        for partition in profile.partitions:
            contents = self.book.contents(name, partition)
            job = self.book.jobs.get(contents.job) if contents is not None and contents.complete else None
            if contents is None or job is None or not isinstance(job.status, Done) or job.finished_at is None:
                continue
            if not 0 <= clock.now() - job.finished_at <= RETURN_SECONDS:  # a clock may have been set back
                continue
            await self.book.record(name, partition, replace(contents, started=False))
            text = "came back in DFU mode right after the leave: most likely the bootloader did not accept the image"
            self.book.log(job, f"{text} in {partition}", LogLevel.WARNING)

    def matching(self, patterns: Iterable[str]) -> dict[str, Board]:
        """The boards that names and globs mean, all for none; raises RequestError (`no-such-board`)."""
        chosen: dict[str, Board] = {}
        for pattern in tuple(patterns) or ("*",):
            matching = {name: board for name, board in self.config.boards.items() if fnmatchcase(name, pattern)}
            if not matching:
                raise RequestError(
                    f"there is no board {pattern!r}" if self.config.boards else "the configuration has no boards",
                    kind=ErrorKind.NO_SUCH_BOARD,
                    hint=_known(pattern, self.config.boards),
                )
            chosen |= matching
        return chosen


def _known(wanted: str, names: Iterable[str]) -> str:
    """A hint that names the nearest, or what there is."""
    known = sorted(names)
    near = difflib.get_close_matches(wanted, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "`flashdeck suggest` prints one to begin with"
