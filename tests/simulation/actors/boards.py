"""Boards: cables, hands, faults of devices and of their flash, power that fails in the middle of a word, swaps, twins.

Each kind is a line of `KINDS`, with how often it is chosen, beside others; the story counts what was done.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flashdeck.errors import FlashdeckError
from flashdeck.job_state import WaitFor, Waiting
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.faults import OF_APPLICATION, ON_MEDIA, Fault
from flashdeckd.virtual.spec import BoardSpec, Model
from simulation.actors.moments import Moment
from simulation.baton import Point

if TYPE_CHECKING:
    from simulation.world import World

PAUSES = (1.5, 3.0, 3.0, 6.0, 10_000.0)
"""Virtual seconds between two things that happen to boards, in the mean; in some seeds they are left alone."""
AWAY_SECONDS = 4.0
"""Virtual seconds that a cable is out, in the mean; a hand comes that late, too."""
TRANSFERS = (8, 60, 300)
"""Transfers until a cable is pulled, or a fault strikes, at the most: the beginning of a job is as short as tricky."""
STEPS = (4, 60, 600)
"""Sectors erased and words programmed until the power fails, at the most."""
CUT_SECONDS = 30.0
"""Virtual seconds after which a board whose power may have failed is plugged in again."""
PORTS = 20
"""Ports of the bench; those behind them are free for boards that move."""
PRESS_SECONDS = 1.0
"""Virtual seconds between two looks whether a job waits for a hand."""
REQUEST_FAULTS: Final = tuple(fault for fault in Fault if fault not in {*ON_MEDIA, *OF_APPLICATION})


class Boards:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("boards")
        self._pull_after = 0
        """Transfers until a cable is pulled."""
        self._pause = world.mood.pause("boards", PAUSES)
        self._works = 0
        """Works of lanes until the board of one is gone as it begins."""
        self._is_gentle = world.mood.random("gentle").random() < 0.5 or world.mood.favours("left alone")
        """True in seeds in which nobody touches a board at the end that is well: nothing wakes what sleeps then."""
        moments: Mapping[str, tuple[Moment, Callable[[str], None]]] = {
            "damage as it is written": (Moment.BEGINS, self._damage_now),
            "disturb as it is written": (Moment.BEGINS, self._disturb_now),
            "lost with a canary": (Moment.CANARY, self._lose_now),
            "gone as it is asked": (Moment.ASKS, self._lose_as_it_is_recorded),
            "gone as it is opened": (Moment.OPENS, self._lose_as_it_is_opened),
            "gone as it is recorded": (Moment.RECORDS, self._lose_as_it_is_recorded),
            "back as it is recorded": (Moment.RECORDS, self._bring_one_back),
        }
        for kind, (moment, deed) in moments.items():
            if world.mood.favours(kind):
                world.moments.when(moment, deed)

    async def trouble(self) -> None:
        """Do one's worst to a board, and let it be for a while."""
        self._world.spawn(self._press_when_asked())
        names = list(KINDS)
        weights = self._world.mood.weights("boards", {name: KINDS[name][0] for name in names})
        while True:
            await self._world.pause(self._seed, self._pause)
            kind = self._seed.choices(names, weights)[0]
            board = self._seed.choice(list(self._world.bench.boards.values()))
            self._world.tell(kind, board.spec.name)
            KINDS[kind][1](self, board)

    def calm(self) -> None:
        """Take back what is still to happen, and plug everything in anew where it belongs."""
        self._count_down(0)
        self._count_works(0)
        at_home = list(zip(self._world.bench.boards.values(), self._world.plan.specs, strict=True))
        for board, _ in at_home:
            board.faults.disarm()
            board.cut_power(10**9)
        touched = [each for each in at_home if not (self._is_gentle and self._is_well(*each))]
        for board, _ in touched:
            board.unplug()
        for board, spec in touched:
            self._become(board, spec.serial, spec.port)
            board.plug()

    # What there is to do.

    def unplug(self, board: VirtualBoard) -> None:
        """Pull a cable, and plug it in again later."""
        board.unplug()
        self._later(self._seed.expovariate(1 / AWAY_SECONDS), board.plug)

    def pull_in_transfer(self, board: VirtualBoard) -> None:
        """Pull the cable of the board that is spoken to then, between two transfers."""
        self._count_down(self._seed.randint(1, self._seed.choice(TRANSFERS)))

    def vanish(self, board: VirtualBoard) -> None:
        """Pull the cable of a board as its lane begins to do something with it, and plug it in at once or later."""
        self._count_works(self._seed.choice((1, 2, 5)))

    def flicker(self, board: VirtualBoard) -> None:
        """Pull a cable and plug it in at once."""
        board.unplug()
        board.plug()

    def cut(self, board: VirtualBoard) -> None:
        """The power fails in the middle of a sector's erase, or of a word."""
        board.cut_power(self._seed.randint(0, self._seed.choice(STEPS)), self._seed.choice((None, 0.25, 0.5, 0.75)))
        self._later(CUT_SECONDS, board.plug)

    def press(self, board: VirtualBoard) -> None:
        """Press the button though nobody has asked."""
        with suppress(FlashdeckError):
            board.press()

    def disturb(self, board: VirtualBoard) -> None:
        """Let a request go wrong; a board that hangs is plugged in anew by somebody."""
        fault = self._seed.choice(REQUEST_FAULTS)
        self._arm(board, fault)
        if fault in (Fault.HANG, Fault.UNPLUG):
            self._later(AWAY_SECONDS * 10, lambda: self.flicker(board))

    def damage(self, board: VirtualBoard) -> None:
        """Let the flash go wrong: it fails, or lies."""
        self._arm(board, self._seed.choice(list(ON_MEDIA)))

    def swap(self, board: VirtualBoard) -> None:
        """Exchange two boards between their ports."""
        other = self._seed.choice(list(self._world.bench.boards.values()))
        if other is not board:
            mine, its = board.spec, other.spec
            board.unplug()
            other.unplug()
            self._become(board, mine.serial, its.port)
            self._become(other, its.serial, mine.port)
            board.plug()
            other.plug()

    def move(self, board: VirtualBoard) -> None:
        """Plug a board into a port that is free, for a while, without any time in between."""
        own = board.spec.port
        if own >= PORTS:
            return  # it has moved already
        self._replug_as(board, board.spec.serial, PORTS + list(self._world.bench.boards.values()).index(board))
        self._later(self._seed.expovariate(1 / (2 * AWAY_SECONDS)), lambda: self._go_home(board, own))

    def change_release(self, board: VirtualBoard) -> None:
        """A board comes back with another bootloader: its bcdDevice is another one."""
        board.unplug()
        board.spec = replace(board.spec, bcd_device=board.spec.bcd_device ^ 1)
        device = self._world.witness.seen.devices[board.spec.name]
        device.release, device.changed_at = board.spec.bcd_device, self._world.baton.now
        device.had_another_release = True
        board.plug()

    def twin(self, board: VirtualBoard) -> None:
        """A board comes back with another one's serial, for a while."""
        other = self._seed.choice(list(self._world.bench.boards.values()))
        own = board.spec.serial
        self._replug_as(board, other.spec.serial, board.spec.port)
        self._later(
            self._seed.expovariate(1 / (2 * AWAY_SECONDS)), lambda: self._replug_as(board, own, board.spec.port)
        )

    def leave_cache_on(self, board: VirtualBoard) -> None:
        """An application starts the bootloader with its cache on, until the board has no power: reads are stale."""
        device = self._world.witness.seen.devices[board.spec.name]
        products = self._world.setup.products.values()
        is_read_back = any(each.dfu_id == device.dfu_id and each.verify != "never" for each in products)
        if board.spec.model is not Model.CLASSIC or not is_read_back:
            return  # where nothing is read back, nothing shows it: see `bootloader_of`
        board.unplug()
        board.spec = replace(board.spec, model=Model.CLASSIC_STALE)
        device.reads_truly, device.is_stale, device.changed_at = False, True, self._world.baton.now
        board.plug()
        self._later(self._seed.expovariate(1 / (4 * AWAY_SECONDS)), lambda: self._switch_off_cache(board))

    # What is done at a moment.

    def _damage_now(self, device: str) -> None:
        """The flash that is being written goes wrong soon."""
        board, fault = self._world.bench.boards[device], self._seed.choice(list(ON_MEDIA))
        self._world.tell(f"fault {fault.value}", device)
        board.fault(fault, self._seed.randint(1, self._seed.choice(TRANSFERS[:2])), times=self._seed.choice((1, 1, 2)))

    def _disturb_now(self, device: str) -> None:
        """Some of the next requests go wrong, and the board does not hang for that."""
        fault = self._seed.choice([each for each in REQUEST_FAULTS if each not in (Fault.HANG, Fault.UNPLUG)])
        self._world.tell(f"fault {fault.value}", device)
        self._world.bench.boards[device].fault(
            fault, self._seed.randint(1, TRANSFERS[0]), times=self._seed.choice((1, 5, 20))
        )

    def _lose_now(self, device: str) -> None:
        """The board is lost, or its power fails in the next thing that its flash does."""
        board = self._world.bench.boards[device]
        if self._seed.random() < 0.5:
            board.cut_power(self._seed.choice((0, 0, 1)), self._seed.choice((None, 0.25, 0.5, 0.75)))
        else:
            board.unplug()
        self._world.loop.call_soon_threadsafe(self._plug_soon, board)

    def _lose_as_it_is_opened(self, lane: str) -> None:
        """A board is gone in this very moment, or it or another one is there anew."""
        if (board := self._board_of(lane)) is not None:
            self._world.tell("gone", board.spec.name)
            match self._seed.choice(("flicker", "swap", "unplug")):
                case "flicker":
                    self.flicker(board)
                case "swap":
                    self.swap(board)
                case _:
                    board.unplug()
                    self._world.loop.call_soon_threadsafe(self._plug_soon, board)

    def _lose_as_it_is_recorded(self, name: str) -> None:
        """A board goes, or is another one, while something of its job is recorded, which takes its time."""
        board = self._board_of(name)
        if board is not None:
            lose = self._seed.choice((self.flicker, self.swap, self.twin, self.unplug, self.move))
            self._soon(lambda: lose(board))
            self._world.baton.wait(self._world.baton.now + self._seed.choice((0.001, 0.05, 0.3)))

    def _bring_one_back(self, _: str) -> None:
        """A board that is away is plugged in."""
        devices = self._world.witness.seen.devices
        away = [board for board in self._world.bench.boards.values() if not devices[board.spec.name].is_plugged]
        if away:
            self._soon(self._seed.choice(away).plug)
            self._world.baton.wait(self._world.baton.now + self._seed.choice((0.001, 0.05, 0.3)))

    # Inside.

    def _soon(self, do: Callable[[], object]) -> None:
        """Do something in the world's own thread, unless the calm has come by then."""
        self._world.loop.call_soon_threadsafe(lambda: None if self._world.is_calm else do())

    def _switch_off_cache(self, board: VirtualBoard) -> None:
        board.unplug()
        board.spec = replace(board.spec, model=Model.CLASSIC)
        board.plug()

    def _arm(self, board: VirtualBoard, fault: Fault) -> None:
        self._world.tell(f"fault {fault.value}", board.spec.name)
        after = self._seed.randint(1, self._seed.choice(TRANSFERS))
        board.fault(fault, after, times=self._seed.choice((1, 1, 1, 2, 5)))

    def _go_home(self, board: VirtualBoard, port: int) -> None:
        """Plug a board into its own port again, unless another one is there."""
        if all(other.spec.port != port for other in self._world.bench.boards.values()):
            self._replug_as(board, board.spec.serial, port)

    def _replug_as(self, board: VirtualBoard, serial: str, port: int) -> None:
        board.unplug()
        self._become(board, serial, port)
        board.plug()

    def _is_well(self, board: VirtualBoard, spec: BoardSpec) -> bool:
        """Tell whether a board is plugged in where it belongs, as itself, and answers."""
        is_stuck = board._hung or board._crashed  # pyright: ignore[reportPrivateUsage] -- nobody else tells
        is_itself = (board.spec.serial, board.spec.port) == (spec.serial, spec.port)
        return is_itself and not is_stuck and self._world.witness.seen.devices[spec.name].is_plugged

    def _become(self, board: VirtualBoard, serial: str, port: int) -> None:
        """Give a board that is not plugged in another serial or port."""
        board.spec = replace(board.spec, serial=serial, port=port)
        device = self._world.witness.seen.devices[board.spec.name]
        device.serial, device.app_serial, device.port = serial, board.spec.running_serial, f"1-{port}"
        device.changed_at = self._world.baton.now

    def _later(self, seconds: float, do: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds / self._world.night.haste)
            if not self._world.is_calm:
                do()

        self._world.spawn(wait())

    def _count_down(self, transfers: int) -> None:
        """From now on look at so many transfers; at the last of them a cable is pulled."""
        self._pull_after = transfers
        self._world.watch(self._watch, is_on=transfers > 0)

    def _watch(self, at: Point) -> None:
        if at is not Point.TRANSFER:
            return
        self._pull_after -= 1
        if self._pull_after:
            return
        self._count_down(0)
        if (board := self._board_of(self._world.witness.cause("").lane)) is not None:
            board.unplug()
            self._world.loop.call_soon_threadsafe(self._plug_soon, board)

    def _count_works(self, works: int) -> None:
        """From now on look at so many works of lanes; as the last of them begins or ends, its board is gone."""
        self._works = works
        self._world.watch(self._watch_works, is_on=works > 0)

    def _watch_works(self, at: Point) -> None:
        lane = self._world.witness.cause("").lane if at is Point.WORK else ""
        if not lane:
            return
        self._works -= 1
        if self._works:
            return
        self._count_works(0)
        self._lose_as_it_is_opened(lane)

    def _plug_soon(self, board: VirtualBoard) -> None:
        self._later(self._seed.expovariate(1 / AWAY_SECONDS), board.plug)

    async def _press_when_asked(self) -> None:
        """A hand presses the button of a board that a job asks it for, sooner or later, to the end of the seed."""
        asked: dict[str, float] = {}
        while True:
            await asyncio.sleep(PRESS_SECONDS)
            for name in self._asking():
                late = self._seed.expovariate(1 / AWAY_SECONDS) / self._world.night.haste
                due = asked.setdefault(name, self._world.baton.now + late)
                board = self._board_of(name)
                if due <= self._world.baton.now and board is not None:
                    del asked[name]
                    self._world.tell("press", name)
                    self.press(board)

    def _asking(self) -> list[str]:
        jobs = self._world.witness.seen.shown.jobs.values()
        waiting = [job.board for job in jobs if isinstance(job.status, Waiting) and job.status.for_ is WaitFor.HAND]
        dark = [job.board for job in jobs if isinstance(job.status, Waiting) and job.status.for_ is WaitFor.ABSENT]
        devices = self._world.witness.seen.devices
        out = [name for name in dark if (board := self._board_of(name)) and devices[board.spec.name].mode == "dark"]
        return list(dict.fromkeys((*waiting, *out)))

    def _board_of(self, name: str) -> VirtualBoard | None:
        named = self._world.setup.boards.get(name)
        for board in self._world.bench.boards.values():
            if named is not None and (
                (named.serial and named.serial == board.spec.serial)
                or (not named.serial and named.port == f"1-{board.spec.port}")
            ):
                return board
        return None


KINDS: Final[Mapping[str, tuple[int, Callable[[Boards, VirtualBoard], None]]]] = {
    "unplug": (4, Boards.unplug),
    "unplug between transfers": (6, Boards.pull_in_transfer),
    "gone as work begins": (2, Boards.vanish),
    "flicker": (2, Boards.flicker),
    "power cut in the flash": (6, Boards.cut),
    "press unasked": (2, Boards.press),
    "disturb": (6, Boards.disturb),
    "damage": (4, Boards.damage),
    "swap": (2, Boards.swap),
    "move": (2, Boards.move),
    "twin": (1, Boards.twin),
    "another release": (1, Boards.change_release),
    "cache left on": (0, Boards.leave_cache_on),
}
"""The troubles of boards, and how often each comes beside the others; 0: only where the seed is about it."""
