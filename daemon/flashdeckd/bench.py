"""All boards of one daemon: who is here, what each is to do, and what clients may ask of them."""

import asyncio
import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

import usb.backend
from msgspec.structs import replace

from flashdeck.api import BoardPlan
from flashdeck.config import Board, Config, Partition
from flashdeck.errors import DeviceError, ErrorKind, FlashdeckError, HeldError, RefusedError, RequestError
from flashdeck.model import BoardState, Disposition, JobState, JobStatus, LogLevel, Origin, PartitionState, Presence
from flashdeckd.boards import recognise
from flashdeckd.flash.plan import make_plan
from flashdeckd.hub import Hub
from flashdeckd.images import guards
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.queue import admit
from flashdeckd.jobs.unseen import UNSEEN, UNSEEN_NOTE
from flashdeckd.journal import Journal, Ledger
from flashdeckd.planning import described
from flashdeckd.usb.device import UsbDevice


class Bench:
    """The boards of the configuration and their lanes. Runs in the event loop's thread only."""

    def __init__(
        self,
        config: Config,
        *,
        hub: Hub,
        journal: Journal,
        ledger: Ledger,
        spool: Spool,
        backend: usb.backend.IBackend | None,
    ) -> None:
        self.config = config
        self.book = JobBook(hub, journal, ledger, self.publish)
        self._hub = hub
        self._journal = journal
        self._spool = spool
        self._ports = dict(ledger.ports)
        self._lanes = {name: Lane(board, self.book, hub, spool, backend) for name, board in config.boards.items()}
        for name, reason in ledger.holds.items():
            if name in self._lanes:
                self._lanes[name].held = reason
        for name in self._lanes:
            self.publish(name)

    async def restore(self) -> None:
        """Puts the jobs of an earlier daemon back into their lanes; those whose board or partition is gone end."""
        for job in [job for job in self.book.jobs.values() if not job.status.ended]:
            board = self.config.boards.get(job.board)
            partition = board.profile.partitions.get(job.partition) if board else None
            if partition is None or partition.protected:
                reason = f"{job.board}/{job.partition} is no longer a target in the configuration"
                await self.book.change(job.id, status=JobStatus.CANCELLED, phase=None, reason=reason)
            else:
                reason = "the daemon was restarted" if job.attempts else ""
                await self.book.change(job.id, status=JobStatus.QUEUED, phase=None, reason=reason)

    async def see(self, devices: Iterable[UsbDevice]) -> None:
        """Takes note of everything that is on the bus now."""
        roster = recognise(self.config, devices, self._ports)
        for name, sighting in roster.boards.items():
            lane = self._lanes[name]
            if sighting == lane.sighting:
                continue
            before, device = lane.sighting, sighting.device
            if device is not None and self._ports.get(name) != device.port:
                self._ports[name] = device.port
                await self._remember_port(name, device.port)
            lane.see(sighting)
            if sighting.presence is not before.presence:
                where = f" at {device.name}" if device else ""
                self._hub.log(f"{sighting.presence}{where}", board=name)
            if sighting.trouble and sighting.trouble != before.trouble:
                self._hub.log(sighting.trouble, level=LogLevel.WARNING, board=name)
            self.publish(name)
        for stranger in set(roster.strangers) - set(self._hub.devices):
            self._hub.log(f"DFU device {stranger.usb_id} {stranger.serial} at {stranger.port}: {stranger.note}")
        self._hub.publish_devices(roster.strangers)

    async def run(self) -> None:
        """Runs all lanes until `stop`."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes.values():
                group.create_task(lane.run())

    def stop(self) -> None:
        """Parks what runs and lets `run` end."""
        for lane in self._lanes.values():
            lane.stop()

    def select(self, partition: str, patterns: Iterable[str] = ()) -> list[Board]:
        """The boards that the names and globs mean, those that have the partition.

        Raises RequestError (`no-such-board`, `no-such-partition`) with what there is instead, RefusedError
        (`protected`) when the partition is protected on one of them (safety rule 2).
        """
        chosen: dict[str, Board] = {}
        for pattern in tuple(patterns) or ("*",):
            matching = {name: board for name, board in self.config.boards.items() if fnmatchcase(name, pattern)}
            if not matching:
                raise RequestError(
                    f"there is no board {pattern!r}",
                    kind=ErrorKind.NO_SUCH_BOARD,
                    hint=_known(pattern, self.config.boards),
                )
            chosen |= matching
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

    async def enqueue(self, board: Board, partition: str, artifact: Artifact, origin: Origin) -> JobState | None:
        """Queues a job unless it is not needed (safety rule 7); older ones that have not begun give way."""
        active = self.book.active(board.name)
        admission = admit(active, self.book.holding(board.name, partition), partition, artifact.sha256, origin)
        job = await self.book.create(board.name, partition, artifact, origin) if admission.create else None
        for old in admission.superseded:
            reason = f"superseded by job {job.id}" if job else "superseded: the newest artifact is on the board already"
            await self.book.change(old, status=JobStatus.SUPERSEDED, phase=None, reason=reason)
        self.publish(board.name)
        self._lanes[board.name].poke()
        return job

    async def flash(
        self, partition: str, sha256: str, patterns: Iterable[str], *, present_only: bool
    ) -> list[JobState]:
        """Queues one job a board by hand; all or none.

        Raises RequestError, RefusedError or FlashdeckError (`ambiguous`).
        """
        boards = self.select(partition, patterns)
        for board in boards:
            sighting = self._lanes[board.name].sighting
            if sighting.presence is Presence.AMBIGUOUS:
                raise FlashdeckError(sighting.trouble, kind=ErrorKind.AMBIGUOUS)
            if present_only and sighting.presence is Presence.ABSENT:
                raise RequestError(
                    f"board {board.name} is not connected",
                    kind=ErrorKind.ABSENT,
                    hint=sighting.trouble or "connect it, or leave out --no-wait and the job waits for it",
                )
        artifacts = [await self._artifact_for(board, partition, sha256) for board in boards]
        jobs = [
            await self.enqueue(board, partition, artifact, Origin.HAND)
            for board, artifact in zip(boards, artifacts, strict=True)
        ]
        return [job for job in jobs if job is not None]

    async def plan(self, partition: str, sha256: str, patterns: Iterable[str]) -> list[BoardPlan]:
        """What `flash` would do, board by board; asks the boards that are in DFU mode, and writes nothing."""
        plans: list[BoardPlan] = []
        for board in self.select(partition, patterns):
            artifact = await self._artifact_for(board, partition, sha256)
            plans.append(await self._plan_for(board, board.profile.partitions[partition], artifact))
        return plans

    async def hold(self, name: str, reason: str) -> BoardState:
        """Stops a lane from starting anything, also over a restart."""
        lane = self._lane(name)
        lane.held = reason or "held by hand"
        await self._journal.save_hold(name, lane.held)
        self._hub.log(f"held: {lane.held}", board=name)
        return self.publish(name)

    async def release(self, name: str) -> BoardState:
        """Ends a hold. Jobs that are held for a reason of their own are looked at once more."""
        lane = self._lane(name)
        lane.held = ""
        await self._journal.save_hold(name, None)
        for job in self.book.active(name):
            if job.status is JobStatus.HELD:
                await self.book.change(job.id, status=JobStatus.QUEUED, reason="")
        self._hub.log("released", board=name)
        lane.poke()
        return self.publish(name)

    def publish(self, name: str) -> BoardState:
        """Tells everybody the state of a board as it is now."""
        lane = self._lanes[name]
        board, device = lane.board, lane.sighting.device
        state = BoardState(
            name=name,
            profile=board.profile.name,
            presence=lane.sighting.presence,
            serial=device.serial if device else board.serial,
            port=device.name if device else board.port,
            product=device.product if device else "",
            held=lane.held,
            trouble=lane.sighting.trouble,
            partitions=tuple(self._partition_state(board, p) for p in board.profile.partitions.values()),
        )
        self._hub.publish_board(state)
        return state

    async def _remember_port(self, name: str, port: str) -> None:
        try:
            await self._journal.save_port(name, port)
        except FlashdeckError as error:
            self._hub.log(f"its port could not be recorded: {error.message}", level=LogLevel.WARNING, board=name)

    def _partition_state(self, board: Board, partition: Partition) -> PartitionState:
        holding = self.book.holding(board.name, partition.name)
        newest = self._hub.artifacts.get((board.profile.name, partition.name))
        waits = newest is not None and newest.disposition is Disposition.OFFERED
        offered = (
            newest.sha256 if newest is not None and waits and not (holding and holding.sha256 == newest.sha256) else ""
        )
        return PartitionState(
            name=partition.name,
            address=partition.span.start,
            size=partition.span.size,
            protected=partition.protected,
            auto=partition.auto,
            image=partition.image,
            holding=holding,
            offered=offered,
        )

    async def _artifact_for(self, board: Board, partition: str, sha256: str) -> Artifact:
        """The wanted image, or the newest one of the partition, checked by the guards for this very place."""
        if not sha256:
            newest = self._hub.artifacts.get((board.profile.name, partition))
            if newest is None:
                raise RequestError(
                    f"no artifact is known for partition {partition} of board {board.name}",
                    kind=ErrorKind.NO_SUCH_ARTIFACT,
                    hint="build it, or name a file",
                )
            if newest.disposition is Disposition.REFUSED:
                raise RefusedError(newest.reason)
            sha256 = newest.sha256
        image = await asyncio.to_thread(self._spool.read, sha256)
        guards.check(image, board.profile, board.profile.partitions[partition])
        return self._spool.describe(image)

    async def _plan_for(self, board: Board, partition: Partition, artifact: Artifact) -> BoardPlan:
        lane = self._lanes[board.name]
        image = await asyncio.to_thread(self._spool.read, artifact.sha256)
        wanted = BoardPlan(board=board.name, partition=partition.name, sha256=artifact.sha256)
        try:
            if lane.sighting.presence is Presence.DFU:
                plan = await lane.survey(image, partition)
            else:
                wanted = replace(wanted, notes=(f"the board is {lane.sighting.presence}: {UNSEEN_NOTE}",))
                plan = make_plan(image, lane.target(partition), UNSEEN)
        except (RefusedError, HeldError, DeviceError) as error:
            return replace(wanted, blocked=f"{error.message}: {error.hint}" if error.hint else error.message)
        if lane.held:
            wanted = replace(wanted, blocked=f"board {board.name} is held: {lane.held}")
        return described(wanted, plan)

    def _lane(self, name: str) -> Lane:
        try:
            return self._lanes[name]
        except KeyError:
            raise RequestError(
                f"there is no board {name!r}", kind=ErrorKind.NO_SUCH_BOARD, hint=_known(name, self._lanes)
            ) from None


def _known(wanted: str, names: Iterable[str]) -> str:
    """A hint that names the nearest, or what there is."""
    known = sorted(names)
    near = difflib.get_close_matches(wanted, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "the configuration has none"
