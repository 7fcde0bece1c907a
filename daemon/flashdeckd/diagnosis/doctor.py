"""The doctor of a bench: looks at its boards, each in its own lane's thread, and at this installation."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from flashdeck.config import Board
from flashdeck.diagnosis import BoardReport, Diagnosis, Finding
from flashdeck.errors import BlockedError, DeviceError, ErrorKind, FlashdeckError
from flashdeck.model import Presence, Trouble
from flashdeckd.boards.bench import Bench
from flashdeckd.dfu.wire import MAX_TRANSFER
from flashdeckd.diagnosis import controller_findings, installation
from flashdeckd.diagnosis.entry_facts import look
from flashdeckd.diagnosis.judge import judge
from flashdeckd.diagnosis.machine import (
    interface_holders,
    lingering,
    port_grabbers,
    stale_sockets,
    storage,
    watch_limits,
)
from flashdeckd.diagnosis.machine.surroundings import Surroundings
from flashdeckd.diagnosis.observation import Case, EntryFacts, Observation, ReadOutcome
from flashdeckd.diagnosis.probe import observe
from flashdeckd.host import clock, threads
from flashdeckd.jobs.contents import known_bytes
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.lane import Lane
from flashdeckd.state.hub import Hub

Look = Callable[[Surroundings], Iterator[Finding]]
_EVERYWHERE: Final[tuple[Look, ...]] = (storage.findings, watch_limits.findings, lingering.findings)
_OF_USB: Final[tuple[Look, ...]] = (interface_holders.findings, port_grabbers.findings, stale_sockets.findings)


class Doctor:
    """Looks and tells; nothing is erased or written. Runs in the event loop's thread."""

    def __init__(self, bench: Bench, hub: Hub, *, state_dir: Path, sockets: Sequence[Path] = ()) -> None:
        """`sockets` are places where a client looks for a daemon, and this one does not listen."""
        self._bench = bench
        self._hub = hub
        self._state_dir = state_dir
        self._sockets = tuple(sockets)

    async def examine(self, patterns: Iterable[str] = ()) -> Diagnosis:
        """All boards that names and globs mean, all for none.

        Boards that cannot be looked at have the reason in their report. Raises RequestError (`no-such-board`).
        """
        patterns = tuple(patterns)
        boards = self._bench.matching(patterns) if patterns or self._bench.config.boards else {}
        reports = await asyncio.gather(*(self._board(board) for board in boards.values()))
        return Diagnosis(
            installation=(
                *await self._installation(self._hub.daemon.troubles),
                *installation.configuration_findings(self._hub.daemon.configuration, clock.now()),
                *controller_findings.findings(self._hub.controllers, self._hub.jobs.values()),
            ),
            boards=tuple(reports),
            devices=self._hub.devices,
        )

    async def _installation(self, troubles: tuple[Trouble, ...]) -> tuple[Finding, ...]:
        config, devices = self._bench.config, self._bench.devices
        around = Surroundings(
            config=config, devices=frozenset(devices), state_dir=self._state_dir, sockets=self._sockets
        )
        if self._hub.daemon.virtual:  # nothing of this machine's USB is used, nor looked at
            found = installation.findings(installation.Machine(troubles))
            return (*found, *await threads.run(_around, _EVERYWHERE, around))
        machine = await threads.run(installation.inspect, config, devices, troubles)
        return (*installation.findings(machine), *await threads.run(_around, _EVERYWHERE + _OF_USB, around))

    async def _board(self, board: Board) -> BoardReport:
        lane = self._bench.lane(board.name)
        sighting, history = lane.sighting, lane.history
        seen: Observation | None = None
        problem: FlashdeckError | None = None
        if sighting.presence is Presence.DFU:
            try:
                seen = await lane.examine(lambda pipe, known: observe(pipe, board.profile, known, clock.sleep))
            except (BlockedError, DeviceError) as error:
                problem = error
        elif sighting.presence is not Presence.APP:
            problem = _absent(board, lane)
        device = sighting.device
        if device is not None and seen is not None and any(r.outcome is ReadOutcome.LOST for r in seen.reads):
            await lane.lost_in_a_read(device)
        entry = EntryFacts()
        if device is not None and sighting.presence is Presence.APP:
            entry = await threads.run(look, board.profile, device, self._bench.ports)
        others = [each for each in self._bench.devices if device is not None and each != device]
        case = Case(
            board=board.name,
            profile=board.profile,
            presence=sighting.presence,
            device=device,
            seen=seen,
            entry=entry,
            speed="" if device is None else device.speed,
            history=history,
            pinned_map=None if board.pins is None else board.pins.map,
            rivals=tuple(sorted(each.name for each in others if device and device.serial == each.serial != "")),
            was_shared=self._bench.was_shared(board),
            known=await self._known(board),
            unaccepted=self._unaccepted(board),
        )
        return judge(case, problem)

    async def _known(self, board: Board) -> tuple[tuple[str, bytes], ...]:
        """Return the bytes that each partition should begin with, where this daemon flashed it whole."""
        known: list[tuple[str, bytes]] = []
        for name, partition in board.profile.partitions.items():
            contents, target = self._bench.book.contents(board.name, name), target_of(board, partition)
            image = await threads.run(known_bytes, contents, target, self._bench.shelf.image)
            if image.is_program:
                known.append((name, image.pieces[0].data[:MAX_TRANSFER]))
        return tuple(known)

    def _unaccepted(self, board: Board) -> frozenset[str]:
        contents = {name: self._bench.book.contents(board.name, name) for name in board.profile.partitions}
        return frozenset(name for name, each in contents.items() if each is not None and each.started is False)


def _around(looks: Sequence[Look], around: Surroundings) -> tuple[Finding, ...]:
    return tuple(chain.from_iterable(look(around) for look in looks))


def _absent(board: Board, lane: Lane) -> FlashdeckError:
    if lane.sighting.presence is Presence.AMBIGUOUS:
        return FlashdeckError(lane.sighting.trouble, kind=ErrorKind.AMBIGUOUS)
    hint = lane.sighting.trouble or board.profile.enter_hint or "plug it in and bring it into DFU mode"
    return FlashdeckError(f"board {board.name} is not connected", hint=hint, kind=ErrorKind.ABSENT)
