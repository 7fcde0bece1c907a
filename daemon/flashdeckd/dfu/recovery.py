"""From whatever state a device was left in to dfuIDLE, with every loop capped.

The ladder begins with GETSTATE: GETSTATUS would run an erase or a write that a crashed host left pending (ST's class,
TinyUSB and others run it there). CLRSTATUS is not sent where the state does not ask for it: ST's class answers a stray
one with dfuERROR.
"""

from collections.abc import Callable
from contextlib import suppress

from flashdeck.errors import DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.wire import DfuState, state_name

Sleep = Callable[[float], object]

MAX_STEPS = 24
"""Times that the state is asked for, and something done about it."""
STEPS_BEFORE_RESET = 16
FIRST_NAP = 0.01
"""Seconds, while the device refuses everything; doubled each time."""
LONGEST_NAP = 0.5
SHORTEST_BUSY_WAIT = 5.0
"""Seconds for an erase that another host began: the slowest sectors of the STM32 take about four."""
LONGEST_BUSY_WAIT = 35.0
"""Seconds, however long the device claims to need."""
LONGEST_BUSY_NAP = 5.0
MANIFEST_WAIT = 1.0
"""Seconds for a manifestation that another host began, before the port is reset."""


def to_idle(pipe: ControlPipe, sleep: Sleep, *, stuck: bool = False) -> None:
    """Brings the device to dfuIDLE; raises DeviceError naming the state that it stays in.

    `stuck`: it was in dfuDNBUSY for so long that nobody need wait for it again. A bus reset is the last resort, and
    comes once: DeviceGoneError where the device enumerates anew for it.
    """
    _Ladder(pipe, sleep, stuck=stuck).climb()


class _Ladder:
    def __init__(self, pipe: ControlPipe, sleep: Sleep, *, stuck: bool) -> None:
        self._pipe = pipe
        self._sleep = sleep
        self._stuck = stuck
        self._nap = FIRST_NAP
        self._waited = 0.0
        self._was_reset = False

    def climb(self) -> None:
        seen = "no answer"
        for step in range(MAX_STEPS):
            try:
                if step == STEPS_BEFORE_RESET:
                    self._reset()
                state = self._state()
                if state == DfuState.IDLE:
                    return
                seen = "a STALL of every request" if state is None else state_name(state)
                self._step(state)
            except TransferTimeoutError:
                if self._was_reset:
                    raise
                self._reset()
        raise DeviceError(
            f"the bootloader does not come back to dfuIDLE: it stays with {seen}",
            hint="reset the board or unplug it, and enter DFU mode again",
        )

    def _state(self) -> int | None:
        """The state, or None where neither GETSTATE nor GETSTATUS is answered (USBX in dfuERROR or busy)."""
        with suppress(StallError):
            return class_requests.get_state(self._pipe)
        with suppress(StallError):  # old MicroPython bootloaders have no GETSTATE
            return class_requests.get_status(self._pipe).state
        return None

    def _step(self, state: int | None) -> None:
        match state:
            case None:
                self._clear()
                self._doze()
            case DfuState.DNLOAD_SYNC | DfuState.DNLOAD_IDLE | DfuState.UPLOAD_IDLE:
                with suppress(StallError):  # USBX refuses it in SYNC, and is then in dfuERROR
                    class_requests.abort(self._pipe)
            case DfuState.ERROR:
                self._clear()
            case DfuState.DNBUSY:
                self._wait_while_busy()
            case DfuState.MANIFEST_SYNC | DfuState.MANIFEST | DfuState.MANIFEST_WAIT_RESET:
                self._sleep(MANIFEST_WAIT)
                self._reset()
            case DfuState.APP_IDLE | DfuState.APP_DETACH:
                raise DeviceError(
                    f"the board is running, with its application ({state_name(state)}), not its bootloader",
                    hint="bring it into DFU mode first",
                )
            case _:  # ST's class says 15 after a refused read: the first goes to dfuERROR, the second to dfuIDLE
                self._clear()
                self._clear()

    def _wait_while_busy(self) -> None:
        limit = SHORTEST_BUSY_WAIT
        while not self._stuck and self._waited < limit:
            nap = FIRST_NAP
            with suppress(StallError):
                report = class_requests.get_status(self._pipe)
                if report.state != DfuState.DNBUSY:
                    return
                claimed = report.poll_ms / 1000
                limit = max(limit, min(2 * claimed, LONGEST_BUSY_WAIT))
                nap = min(max(claimed, FIRST_NAP), LONGEST_BUSY_NAP)
            self._sleep(nap)
            self._waited += nap
        self._stuck = True
        self._clear()  # stuck: an H743's second bank, or ST's class after a command it does not know
        self._clear()

    def _clear(self) -> None:
        with suppress(StallError):
            class_requests.clear_status(self._pipe)

    def _doze(self) -> None:
        self._sleep(self._nap)
        self._nap = min(2 * self._nap, LONGEST_NAP)

    def _reset(self) -> None:
        if self._was_reset:
            return
        self._was_reset = True
        try:
            self._pipe.reset()
        except DeviceGoneError as error:
            raise DeviceGoneError(
                f"the bootloader did not come back to dfuIDLE, so its port was reset; then {error.message}",
                hint="it enumerates anew; a bootloader that starts the application at a reset (dapboot does) has to be "
                "entered again",
            ) from error
