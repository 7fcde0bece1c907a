"""The place of one lane at the host controller of its board: asked for by its steps, used by its thread.

Without a limit all of this is bookkeeping, and nobody ever awaits anything.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind
from flashdeck.job_state import WaitFor, Waiting
from flashdeck.names import few
from flashdeckd.jobs.controller_budget import ControllerBudget, ControllerLine
from flashdeckd.usb.device import UsbDevice

LOOK_PATIENCE = 30.0
"""Seconds for which somebody who looks at a board waits for a place: a person asks again, and a job has its turn."""


class Controllers:
    """The host controllers of one daemon, and the places of all its lanes there."""

    def __init__(self, limit: int | None = None) -> None:
        self.budget = ControllerBudget["ControllerPlace"](limit)

    def configure(self, limit: int | None) -> None:
        """Take over another limit: what runs ends, whoever waits begins where there is more room."""
        if limit == self.budget.limit:
            return
        waiting = self.budget.everybody_waiting()
        self.budget.set_limit(limit)
        for place in waiting:
            place.wake()


class ControllerPlace:
    """The place of one lane. Its steps ask for it, and whoever looks at its board, and share it: one thread talks."""

    def __init__(self, board: str, controllers: Controllers, poke: Callable[[], object]) -> None:
        """`poke` lets the lane look again: it has got a place, or its turn is nearer."""
        self.board = board
        self._budget = controllers.budget
        self._poke = poke
        self._woken = asyncio.Event()
        self._runs = 0
        """Pieces of work that run in its thread, or wait for it there."""
        self._lookers = 0
        """Those who look at the board, and wait for a place."""
        self._is_asked = False
        """True if this step of the lane has asked."""
        self._is_refused = False
        """True if the last step that asked had to do without: it stays in line."""

    @property
    def is_limited(self) -> bool:
        """True if there is a limit at all."""
        return self._budget.limit is not None

    def begin_step(self) -> None:
        """A step of the lane begins, which did not ask for a place yet."""
        self._is_asked = False

    def ask(self, device: UsbDevice) -> bool:
        """Return whether the lane may talk to its board in this step; else it stays in line, and is poked in time."""
        self._is_asked = True
        has = self._budget.ask(self, device.controller)
        self._is_refused = not has
        return has

    def ask_again(self, device: UsbDevice) -> bool:
        """Return whether a talk that was broken off may begin anew now; nobody stands in line for that."""
        has = self._budget.ask(self, device.controller)
        if not has:
            self._wake_all(self._budget.leave(self))
        return has

    def end_step(self) -> None:
        """A step of the lane is over: a place that it did not use, or does not ask for any more, is given back."""
        if self._is_asked and self._is_refused:
            return  # it is in line; or has got its place since, and was poked
        self._is_refused = False
        self._tidy()

    def end(self) -> None:
        """The lane has ended, or rests: it wants no place."""
        self.wake_lookers()
        self._is_refused = False
        self._tidy()

    async def wait_to_look(self, device: UsbDevice, is_there: Callable[[], bool], stopped: asyncio.Event) -> None:
        """Return once the board may be talked to; at once where the lane has a place, or there is no limit.

        Only somebody who looks at the board waits here. Raises DeviceGoneError where it is not there any more, and
        DeviceError (`device-busy`) where there was no place for `LOOK_PATIENCE`, or the lane is stopped.
        """
        if self._budget.ask(self, device.controller):
            return
        self._lookers += 1
        error: DeviceError | None = None
        has = False
        try:
            async with asyncio.timeout(LOOK_PATIENCE):
                while not (has := self._budget.ask(self, device.controller)) and error is None:
                    self._woken.clear()
                    await self._woken.wait()
                    error = self._error_of_wait(device, is_there=is_there(), is_stopped=stopped.is_set())
        except TimeoutError:
            error = self._no_place(device)
        finally:
            self._lookers -= 1
            if not has:
                self._tidy()
        if not has and error is not None:
            raise error

    @contextmanager
    def used(self) -> Generator[None]:
        """The thread talks for as long as the block goes on, and the place is given back with its end."""
        self._runs += 1
        try:
            yield
        finally:
            self._runs -= 1
            if not self._runs:
                self._give_back()
                if self._is_refused:
                    self._poke()

    def lose(self) -> None:
        """The kernel does not give back what runs: it does not count any more, so that it costs no other board."""
        self._give_back()

    def regain(self, device: UsbDevice | None) -> None:
        """Count again what was given up, for it has come back and goes on."""
        if self._runs and device is not None and not self._budget.has(self):
            self._budget.take(self, device.controller)

    def wake(self) -> None:
        """Something is different for the line: the lane looks again, and whoever wants to look at the board."""
        self.wake_lookers()
        self._poke()

    def wake_lookers(self) -> None:
        """The board is elsewhere, or the lane is stopped."""
        self._woken.set()

    def why(self) -> Waiting | None:
        """Return what the lane waits for, in words; None where it does not."""
        line = self._budget.line(self)
        return None if line is None else Waiting(for_=WaitFor.CONTROLLER, reason=line_text(line))

    def _error_of_wait(self, device: UsbDevice, *, is_there: bool, is_stopped: bool) -> DeviceError | None:
        """Return what ends the wait of somebody who looks; None where it goes on."""
        if not is_there:
            return DeviceGoneError(f"board {self.board} left the bus while it waited for its controller")
        return self._no_place(device) if is_stopped else None

    def _no_place(self, device: UsbDevice) -> DeviceError:
        return DeviceError(
            f"board {self.board} cannot be looked at now: controller {device.controller} has no place for it",
            kind=ErrorKind.DEVICE_BUSY,
            hint="ask again once fewer of its boards are busy, or raise max_per_controller",
        )

    def _tidy(self) -> None:
        """Give back what nobody uses or wants."""
        if not (self._runs or self._lookers or self._is_refused):
            self._give_back()
            self._wake_all(self._budget.leave(self))

    def _give_back(self) -> None:
        controller = self._budget.controller_of(self)
        if self._budget.has(self):
            self._wake_all((*self._budget.give_back(self), *self._budget.waiting(controller)))

    def _wake_all(self, places: tuple["ControllerPlace", ...]) -> None:
        for place in places:
            place.wake()


def line_text(line: ControllerLine[ControllerPlace]) -> str:
    """Return for which place somebody waits, who has those that there are, and who comes before."""
    text = f"controller {line.controller} is busy with {len(line.busy)} of {line.limit} boards"
    text += f" ({few([place.board for place in line.busy])})" if line.busy else ""
    if not line.ahead:
        return f"{text}; next in line"
    return f"{text}; {few([place.board for place in line.ahead])} {'come' if line.ahead[1:] else 'comes'} first"
