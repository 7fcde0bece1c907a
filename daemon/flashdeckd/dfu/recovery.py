"""From whatever state a device was left in to dfuIDLE, with every loop capped.

The ladder begins with GETSTATE: GETSTATUS would run an erase or a write that a crashed host left pending (ST's class,
TinyUSB and others run it there, and begin a manifestation). CLRSTATUS is not sent where the state does not ask for it:
ST's class answers a stray one with dfuERROR. What is done in which state is one table, `WAYS_OUT`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import assert_never

from flashdeck.errors import DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeck.job_state import DeviceWork, TimeClaim
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.claims import TOLD_FROM, OnClaim, tell_nobody
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


class Remedy(Enum):
    """One step out of a state."""

    ABORT = "ABORT; USBX refuses it in dfuDNLOAD-SYNC, Zephyr's class in both SYNC states, and are then in dfuERROR"
    CLEAR = "CLRSTATUS"
    CLEAR_TWICE = "CLRSTATUS two times: one leads to dfuERROR, the other to dfuIDLE"
    CLEAR_LATER = "CLRSTATUS, then a pause: it may be busy, and refuse everything meanwhile"
    OUTWAIT = "wait as long as it is busy, and no longer than an erase takes; then CLRSTATUS two times"
    WAIT = "a pause: another host may have begun what it does"
    RESET = "a bus reset, once"


WAYS_OUT: Mapping[int | None, tuple[Remedy, ...]] = {
    None: (Remedy.CLEAR_LATER,),
    DfuState.DNLOAD_SYNC: (Remedy.ABORT,),
    DfuState.DNBUSY: (Remedy.OUTWAIT,),
    DfuState.DNLOAD_IDLE: (Remedy.ABORT,),
    # A host died behind the last block. ABORT is enough for ST's class, TinyUSB and dapboot, which starts its
    # application at a reset; some take it and stay.
    DfuState.MANIFEST_SYNC: (Remedy.ABORT, Remedy.WAIT, Remedy.RESET),
    DfuState.MANIFEST: (Remedy.WAIT, Remedy.RESET),
    DfuState.MANIFEST_WAIT_RESET: (Remedy.RESET,),
    DfuState.UPLOAD_IDLE: (Remedy.ABORT,),
    DfuState.ERROR: (Remedy.CLEAR,),
}
"""The remedies for each state but dfuIDLE, in turn as often as it is met; the last one again and again. None: the
device says no state."""
OTHERWISE = (Remedy.CLEAR_TWICE,)
"""For a state that there is not: ST's class says 15 after a refused read."""


def to_idle(
    pipe: ControlPipe,
    sleep: Sleep,
    seen: int | None = None,
    *,
    stuck: bool = False,
    may_reset: bool = True,
    on_claim: OnClaim = tell_nobody,
) -> None:
    """Brings the device to dfuIDLE; raises DeviceError naming the state that it stays in.

    `seen` is the state that the request before this has told. `stuck`: it was in dfuDNBUSY for so long that nobody need
    wait for it again. A bus reset is the last resort, and comes once, where the device `may_reset`: DeviceGoneError
    where it enumerates anew for that. `on_claim` hears of each longer wait that a busy device claims, before it begins.
    """
    _Ladder(pipe, sleep, on_claim, stuck=stuck, may_reset=may_reset).climb(seen)


class _Ladder:
    def __init__(
        self,
        pipe: ControlPipe,
        sleep: Sleep,
        on_claim: OnClaim,
        *,
        stuck: bool,
        may_reset: bool,
    ) -> None:
        self._pipe = pipe
        self._sleep = sleep
        self._on_claim = on_claim
        self._stuck = stuck
        self._nap = FIRST_NAP
        self._waited = 0.0
        self._may_reset = may_reset
        self._met: dict[int | None, int] = {}
        """The number of times that the device was in each state."""

    def climb(self, told: int | None) -> None:
        seen = "no answer"
        for step in range(MAX_STEPS):
            try:
                if step == STEPS_BEFORE_RESET and self._may_reset:
                    self._reset()
                state, told = (self._state() if told is None else told), None
                if state == DfuState.IDLE:
                    return
                seen = "a STALL of every request" if state is None else state_name(state)
                if not self._step(state):
                    break
            except TransferTimeoutError:
                if not self._may_reset:
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

    def _step(self, state: int | None) -> bool:
        """Take the next remedy for a state; False where none is left."""
        if state is not None and state in (DfuState.APP_IDLE, DfuState.APP_DETACH):
            raise DeviceError(
                f"the board is running, with its application ({state_name(state)}), not its bootloader",
                hint="bring it into DFU mode first",
            )
        remedies = WAYS_OUT.get(state, OTHERWISE)
        turn = self._met.get(state, 0)
        self._met[state] = turn + 1
        return self._take(remedies[min(turn, len(remedies) - 1)])

    def _take(self, remedy: Remedy) -> bool:
        match remedy:
            case Remedy.ABORT:
                with suppress(StallError):
                    class_requests.abort(self._pipe)
            case Remedy.CLEAR:
                self._clear()
            case Remedy.CLEAR_TWICE:
                self._clear()
                self._clear()
            case Remedy.CLEAR_LATER:
                self._clear()
                self._doze()
            case Remedy.OUTWAIT:
                self._wait_while_busy()
            case Remedy.WAIT:
                self._sleep(MANIFEST_WAIT)
            case Remedy.RESET:
                if not self._may_reset:
                    return False
                self._reset()
            case _:
                assert_never(remedy)
        return True

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
                if nap >= TOLD_FROM:
                    self._on_claim(TimeClaim(work=DeviceWork.OTHER, seconds=max(claimed, nap), waits=nap))
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
        self._may_reset = False
        try:
            self._pipe.reset()
        except DeviceGoneError as error:
            raise DeviceGoneError(
                f"the bootloader did not come back to dfuIDLE, so its port was reset; then {error.message}",
                hint="it enumerates anew; a bootloader that starts the application at a reset (dapboot does) has to be "
                "entered again",
            ) from error
