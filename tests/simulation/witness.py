"""Who sees all that happens in a world: tells it to the story, and to the rules, which are held after every step."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from flashdeck import rpc
from flashdeck.job_state import Queued, Running, WaitFor, Waiting, judgement_of
from flashdeck.model import Event, JobState
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.nor import NorFlash
from simulation.baton import Runner
from simulation.invariants.checker import Checker
from simulation.invariants.rule import BrokenRuleError
from simulation.seen import Ask, Build, Device, Did, Disk, FlashChange, Lie, Opened, Seen, Setup, Spoken, Started
from simulation.watched_flash import Cause, WatchedFaults

if TYPE_CHECKING:
    from simulation.life import DaemonLife
    from simulation.world import World

_LANE = "lane-"
_LONGEST_LINE = 600


class Witness:
    """See `watched_flash.Witness` and `life.Hears`. A rule that is broken ends the seed on the spot."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.seen = Seen(seed=world.seed)
        self.checker = Checker(self.seen, lambda: {} if world.life is None else world.life.sizes())
        self._boards: dict[str, VirtualBoard] = {}
        self._flashes: dict[str, NorFlash] = {}

    def know(self, devices: Mapping[str, Device], boards: Mapping[str, VirtualBoard]) -> None:
        """From now on these are the boards of the bench."""
        self._boards.update(boards)
        self.seen.devices.update(devices)
        for name, device in devices.items():
            board = boards[name]
            device.content = self._flashes[name].content
            device.wrong_requests = board._violations  # pyright: ignore[reportPrivateUsage] -- as it grows
            board.faults = WatchedFaults(partial(self.disturbed, name))
            self.look(name)
            device.changed_at = 0.0
            self._see_changes(name, board)

    def _see_changes(self, name: str, board: VirtualBoard) -> None:
        """Look whenever a board tells its bus that something has changed."""
        tell = board._on_change  # pyright: ignore[reportPrivateUsage] -- it tells nobody else

        def changed() -> None:
            self.seen.devices[name].changed_at = self._world.baton.now  # also where it comes back as it was
            self.look(name)
            tell()

        board._on_change = changed  # pyright: ignore[reportPrivateUsage] -- it tells nobody else

    @property
    def is_busy(self) -> bool:
        """True while a job runs, waits for its turn, or is about to be tried again."""
        states = [job.status for job in self.seen.shown.jobs.values()]
        return any(
            isinstance(state, Running | Queued) or (isinstance(state, Waiting) and state.for_ is WaitFor.PAUSE)
            for state in states
        )

    # The boards.

    def made(self, device: str, flash: NorFlash) -> None:
        """See `watched_flash.Witness`."""
        self._flashes[device] = flash

    def cause(self, device: str) -> Cause:
        """See `watched_flash.Witness`."""
        runner = self._world.baton.current
        lane = lane_of(runner)
        attempt = self.checker.attempts.running(lane)
        job = 0 if attempt is None else attempt.job.id
        return Cause(0 if runner.life is None else runner.life.number, lane, job)

    def changed(self, device: str, cause: Cause, did: Did, address: int, before: bytes, after: bytes) -> None:
        """See `watched_flash.Witness`."""
        self._tell("flash", f"{device} {did.value} 0x{address:08x} {len(after)} for {cause.lane} {cause.job}")
        change = FlashChange(
            step=self.seen.step,
            life=cause.life,
            device=device,
            lane=cause.lane,
            job=cause.job,
            did=did,
            address=address,
            size=len(after),
            before=before,
            after=after,
            is_astray=cause.is_astray,
        )
        self._judge(lambda: self.checker.changed(change))

    def lied(self, device: str, address: int, size: int, *, is_erase: bool) -> None:
        """See `watched_flash.Witness`."""
        self._tell("lie", f"{device} 0x{address:08x} {size}")
        self.checker.lied(device, Lie(step=self.seen.step, address=address, size=size, is_erase=is_erase))

    def spoke(self, spoken: Spoken, kind: str) -> None:
        """See `watched_flash.Witness`."""
        self._tell(f"says {kind}", spoken.device)
        self._judge(lambda: self.checker.spoke(spoken))

    def opened(self, device: str, *, was_dfu: bool) -> None:
        """A device was opened in this thread."""
        runner = self._world.baton.current
        opened = Opened(
            step=self._now(),
            life=0 if runner.life is None else runner.life.number,
            device=device,
            lane=lane_of(runner),
            was_dfu=was_dfu,
        )
        self._judge(lambda: self.checker.opened(opened))

    def commanded(self, board: str) -> None:
        """A command is run to bring a board into DFU mode."""
        self._tell("command", board)
        self._judge(lambda: self.checker.commanded(board))

    def touched(self) -> None:
        """The port of an application is touched in this thread."""
        lane = lane_of(self._world.baton.current)
        self._tell("touch", lane)
        self._judge(lambda: self.checker.commanded(lane))

    def disturbed(self, device: str, fault: Fault) -> None:
        """A fault strikes one of its requests."""
        self._tell(f"fault {fault.value}", device)
        self.seen.devices[device].disturbed_at = self.seen.devices[device].struck_at = self._now()

    def look(self, name: str) -> None:
        """Note in which mode a board is: something may just have changed it."""
        board, device = self._boards[name], self.seen.devices[name]
        mode = board._mode  # pyright: ignore[reportPrivateUsage] -- asking `state` would let time pass
        if mode == "app" and board._connection is None:  # pyright: ignore[reportPrivateUsage] -- likewise
            mode = "dark"
        if mode != device.mode:
            was, device.mode, device.is_plugged = device.mode, mode, mode != "unplugged"
            device.changed_at = self._world.baton.now
            device.disturbed_at = self._now()
            self._tell("mode", f"{name} {mode}")
            self._judge(self.checker.plugged)
            if was == "dfu" and mode in ("app", "dark"):
                cause = self.cause(name)
                started = Started(step=self._now(), device=name, lane=cause.lane, job=cause.job)
                self._judge(lambda: self.checker.started(started))

    # The daemon.

    def began(self, life: "DaemonLife") -> None:
        """A daemon begins."""
        self._now()
        self.seen.life = life.number
        self._judge(self.checker.began)

    def listens(self) -> None:
        """Its socket listens."""
        self._now()
        self.seen.is_alive = True
        self.seen.ready_at = self.seen.now

    def took(self, setup: Setup) -> None:
        """It has taken over a configuration."""
        self._judge(lambda: self.checker.took(setup))

    def published(self, life: "DaemonLife", event: Event) -> None:
        """Its hub has published something."""
        if life is self._world.life:
            self._tell("event", _brief(event, self._world.root))
            self._count_verdict(event.job)
            self._judge(lambda: self.checker.published(event))

    def _count_verdict(self, job: JobState | None) -> None:
        """Count the verdict with which a job ends."""
        judgement = judgement_of(job.status) if job is not None else None
        before = self.seen.shown.jobs.get(job.id) if job is not None else None
        if judgement is not None and before is not None and not before.is_settled:
            self._world.story.counts[f"verdict {judgement.verdict.value}"] += 1

    def died(self) -> None:
        """It has ended, in whatever way."""
        self._now()
        self._judge(self.checker.ended)

    # The world.

    def built(self, build: Build) -> None:
        """A file of a build is whole."""
        key = (build.product, build.place)
        before = self.seen.newest.get(key)
        if before is not None:
            self.seen.builds[before.sha256] = replace(before, is_newest=False)
        build = replace(build, settled_at=self._world.baton.now)
        self.seen.newest[key] = self.seen.builds[build.sha256] = build

    def writes(self, path: str, since: float) -> None:
        """A tool still has the file of a build open; since then it writes it, and has told so."""
        self._now()
        self._judge(lambda: self.checker.wrote(path, since))

    def removed(self, product: str, place: str) -> None:
        """A file of a build is gone."""
        self.seen.newest.pop((product, place), None)

    def known(self, build: Build) -> None:
        """A client sends an image, or one is made that is not written yet."""
        self.seen.builds.setdefault(build.sha256, build)

    def asked(self, ask: Ask) -> None:
        """A client asks."""
        self._now()
        self._tell("call", f"{ask.client} {ask.wish.value} {','.join(ask.boards)} {ask.place}")
        self._judge(lambda: self.checker.asked(ask))

    def answered(self, ask: Ask) -> None:
        """It has its answer."""
        self._now()
        self._tell("answer", f"{ask.client} {ask.wish.value} {ask.refused}")
        self._judge(lambda: self.checker.answered(ask))

    def touched_real(self, what: str) -> None:
        """The daemon has reached for the machine's own USB."""
        self._tell("real", what)
        self._judge(lambda: self.checker.touched_real(what))

    def seldom(self) -> None:
        """Look at what changes seldom."""
        self._now()
        self._judge(self.checker.seldom)

    def looked(self, disk: Disk) -> None:
        """The state directory was looked at."""
        self._now()
        self._judge(lambda: self.checker.looked(disk))

    def spooled(self, name: str, *, is_kept: bool) -> None:
        """An image has come into the spool, or was removed from it."""
        self._now()
        self._judge(lambda: self.checker.spooled(name, is_kept=is_kept))

    def rested(self) -> None:
        """The end."""
        self._now()
        self._judge(self.checker.rested)

    def _now(self) -> int:
        self.seen.now = self._world.baton.now
        self.seen.step = self._world.baton.points
        return self.seen.step

    def _tell(self, kind: str, text: str) -> None:
        self._now()
        self._world.tell(kind, text)

    def _judge(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BrokenRuleError as broken:
            self._world.fail(str(broken))


def lane_of(runner: Runner) -> str:
    """Return the board whose lane's thread this is; "" for every other."""
    if not runner.name.startswith(_LANE):
        return ""
    return runner.name.removeprefix(_LANE).rpartition("_")[0]


def _brief(event: Event, root: str) -> str:
    """Return an event in one line, in which what tells most stands first."""
    for what in ("log", "job", "board", "artifact", "daemon"):
        found = getattr(event, what)
        if found is not None:
            said = getattr(found, "text", "")
            raw = rpc.encode_notification(what, found).decode().replace(root, "~")
            return f"{what} {said!r} {raw[:_LONGEST_LINE].rstrip()}"
    return rpc.encode_notification(rpc.EVENT, event).decode().replace(root, "~")[:_LONGEST_LINE].rstrip()
