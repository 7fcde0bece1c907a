"""One emulated board: a flash, a bootloader and an application on the end of a cable.

Any thread may transfer, plug, unplug or press. `_lock` guards the state and is never taken while time passes, so that
the cable can be pulled in the middle of a transfer; `_endpoint` lets one control transfer at a time through, as
endpoint 0 does.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import usb.core

from flashdeck.api import CHUNK, FlashBytes, VirtualBoardState
from flashdeck.errors import ErrorKind, RequestError
from flashdeckd.host import clock, threads
from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.bus_clock import BusClock, bus_time
from flashdeckd.virtual.control import (
    ACK,
    CLASS_REQUEST,
    STALL,
    Answer,
    Bus,
    Dfu,
    Outcome,
    Recipient,
    Setup,
    State,
    UsbFunction,
)
from flashdeckd.virtual.faults import ERROR, Affliction, AppCrash, Fault, Faults, lost
from flashdeckd.virtual.identity import Identity
from flashdeckd.virtual.nor import Operation
from flashdeckd.virtual.replay import REPLAY, ReplayedBoard
from flashdeckd.virtual.spec import PLAIN_MODELS, TINYUSB_MODELS, BoardSpec, Model, Start, Timing
from flashdeckd.virtual.speech import Speech
from flashdeckd.virtual.violations import judge
from flashdeckd.virtual.voice import LINE_END, MAX_SAYING, PortOutput

MAX_VIOLATIONS = 50
"""Violations kept of one board."""
BUSY_REQUESTS = 3
"""Without timing, an operation that runs beside the bus is still busy for so many requests."""
_PAUSELESS = (State.APP_IDLE, State.APP_DETACH, State.IDLE, State.ERROR)
"""States in which a device waits for whoever comes next: no session, or one that has not begun."""
_STEPS_HOME = 8
_CURE_TYPE = CLASS_REQUEST | Recipient.INTERFACE
_STARTS = (Bus.RESTARTS, Bus.JUMPS)
LIBUSB_NO_DEVICE, LIBUSB_TIMEOUT, LIBUSB_OVERFLOW, LIBUSB_PIPE = -4, -7, -8, -9


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """One enumeration of a board: it ends with the next restart, replug or detach, and never comes back."""

    board: "VirtualBoard"
    address: int
    identity: Identity
    is_dfu: bool
    visible_from: float
    """Time at which the host has enumerated it, on the monotonic clock."""
    output: PortOutput | None = None
    """The words of its application on its serial port; None where it has none, and in DFU mode."""


@dataclass(slots=True)
class _RunningOperation:
    """A flash operation under way."""

    operation: Operation
    started: float
    ends: float
    requests_left: int
    """Without timing: requests until it ends."""
    beside_bus: bool


class VirtualBoard:
    """A board on a bench. `on_change` is called, from any thread, whenever what is on the bus may have changed."""

    def __init__(self, spec: BoardSpec, new_address: Callable[[], int], on_change: Callable[[], None]) -> None:
        self.spec = spec
        self._new_address = new_address
        self._on_change = on_change
        self._endpoint = threads.lock()
        self._lock = threads.condition()
        self._flash = spec.new_flash()
        self._bus_clock = BusClock() if spec.timing is Timing.REAL else None
        self._clock = clock.monotonic if self._bus_clock else spec.clock
        """Seconds, by which transfers are dated."""
        self._judge = partial(judge, transfer_size=spec.block_size, plain=spec.model in PLAIN_MODELS)
        """See `judge`: its model and its blocks stay as they are, also where a unit is exchanged."""
        self.faults = Faults(spec.crashes)
        """The faults of this board; `fault` and `crash` arm one."""
        self._speech = Speech(has_uart=spec.uart is not None)
        self._starts = 0
        self._plugged = False
        self._mode = "unplugged"
        self._function: UsbFunction | None = None
        self._connection: Attachment | None = None
        self._running: _RunningOperation | None = None
        self._crashed = False
        self._hung = False
        self._reset_waits = False
        """True if the bus was reset while the device worked inside a request, and it has not heard of it yet."""
        self._affliction: Affliction | None = None
        self._steps_to_cut: int | None = None
        self._share_cut: float | None = None
        self._given_up: threads.ThreadEvent | None = None
        self._requests = self._transfers = self._downloads = self._statuses = self._uploads = 0
        self._bytes_down = self._bytes_up = 0
        self._sleeps, self._slept = 0, 0.0
        self._bus_seconds = self._busy_seconds = 0.0
        self._answered = 0.0
        """End of the last transfer."""
        self._replayed = 0
        """Transfers of a recording that came as recorded."""
        self._violations: list[str] = []
        if spec.plugged:
            with self._lock:
                self._power_up()

    # The hands on the bench.

    def state(self) -> VirtualBoardState:
        """The board as it is now."""
        with self._lock:
            self._live_on()
            self._settle()
            return VirtualBoardState(
                name=self.spec.name,
                model=self.spec.model.value if self.spec.recording is None else REPLAY,
                port=f"1-{self.spec.port}",
                serial=self.spec.serial,
                plugged=self._plugged,
                mode=self._mode,
                starts=self._starts,
                erases=self._flash.erases,
                words=self._flash.words,
                requests=self._requests,
                transfers=self._transfers,
                downloads=self._downloads,
                statuses=self._statuses,
                uploads=self._uploads,
                bytes_down=self._bytes_down,
                bytes_up=self._bytes_up,
                sleeps=self._sleeps,
                slept=self._slept,
                bus_seconds=self._bus_seconds,
                busy_seconds=self._busy_seconds,
                violations=tuple(self._violations),
                recorded=0 if self.spec.recording is None else self.spec.recording.transfers,
                replayed=self._replayed,
            )

    def plug(self) -> VirtualBoardState:
        """Connects the cable; a board that is connected already stays as it is."""
        with self._lock:
            if not self._plugged:
                self._power_up()
        self._on_change()
        return self.state()

    def unplug(self) -> VirtualBoardState:
        """Pulls the cable: power is lost at once, in the middle of whatever runs."""
        with self._lock:
            self._power_down()
        self._on_change()
        return self.state()

    def exchange(self, serial: str | None = None) -> VirtualBoardState:
        """Takes this unit away, and gets another one of the same model ready: fresh from its maker, not plugged in.

        It has another serial where one is given, and no faults; what it counts goes on.
        """
        if self.spec.flash_file is not None or self.spec.recording is not None:
            what = "keeps its flash in a file" if self.spec.flash_file is not None else "replays a recording"
            raise RequestError(f"{self.spec.name} {what}, and is the only one of its kind", hint="take another board")
        with self._lock:
            self._power_down()
            self.spec = replace(self.spec, serial=self.spec.serial if serial is None else serial)
            self._flash, before = self.spec.new_flash(), self._flash
            self._flash.erases, self._flash.words = before.erases, before.words
            self.faults = Faults(self.spec.crashes)
        self._on_change()
        return self.state()

    def press(self) -> VirtualBoardState:
        """Restarts the board into its bootloader."""
        with self._lock:
            if not self._plugged:
                raise RequestError(
                    f"virtual board {self.spec.name} is not plugged in",
                    hint=f"plug it in first: flashdeck virtual plug {self.spec.name}",
                    kind=ErrorKind.ABSENT,
                )
            self._stop_running()
            self._enter_bootloader()
        self._on_change()
        return self.state()

    def say(self, text: str) -> VirtualBoardState:
        """Lets the board say a line: the application on its serial port, and whatever runs on the UART."""
        words = text.encode(errors="replace")
        if not 0 < len(words) <= MAX_SAYING:
            raise RequestError(f"a line of {len(words)} bytes cannot be said", hint=f"from 1 to {MAX_SAYING} bytes")
        if self.spec.serial_port is AppPort.NONE and self.spec.uart is None:
            raise RequestError(
                f"the application of {self.spec.name} has no serial port",
                hint='give it serial_port = "plain", or a uart',
            )
        with self._lock:
            self._live_on()
            has_port = self._connection is not None and self._connection.output is not None
            can_speak = has_port or (self._plugged and self.spec.uart is not None)
            if can_speak:
                self._speech.say(words + LINE_END, clock.monotonic(), on_port=has_port)
        if not can_speak:
            raise RequestError(
                f"the application of {self.spec.name} is not running",
                hint=f"see its mode: flashdeck virtual list; it is {self.state().mode}",
                kind=ErrorKind.ABSENT,
            )
        return self.state()

    def crash(self, crash: AppCrash) -> VirtualBoardState:
        """Arms a fault of the application that runs, or of the next one."""
        if self.spec.recording is not None:
            raise self._no_faults()
        with self._lock:
            self.faults.arm_crash(crash)
            self._live_on()
        self._on_change()
        return self.state()

    def fault(
        self, fault: Fault, after: int, *, any_transfer: bool = False, times: int = 1, address: int | None = None
    ) -> VirtualBoardState:
        """Arms a fault at the `after`-th DFU request from now; with `any_transfer`, at the control transfer.

        It happens `times`; one of the flash only to what touches `address`, if that is given.
        """
        if self.spec.recording is not None:
            raise self._no_faults()
        if address is not None and self._flash.sector_of(address) < 0:
            raise RequestError(
                f"0x{address:08x} is not in the flash of {self.spec.name}", hint=f"it is {self._flash.whole}"
            )
        with self._lock:
            self.faults.arm(fault, after, any_transfer=any_transfer, times=times, address=address)
        return self.state()

    def _no_faults(self) -> RequestError:
        return RequestError(
            f"{self.spec.name} replays a recording, and has no faults but those that are in it",
            hint="take another model",
        )

    def cut_power(self, after: int, share: float | None = None) -> None:
        """Lets the power fail once `after` more steps of flash work (a sector erased, a word programmed) are done.

        The step that would follow is cut when that `share` of it is done; None: half of an erase, nothing of a word.
        The board is unplugged from then on.
        """
        with self._lock:
            self._steps_to_cut, self._share_cut = after, share

    def dump(self, address: int, size: int) -> FlashBytes:
        """A piece of the flash, at most 256 KiB; address 0 means its start."""
        if self.spec.recording is not None:
            raise RequestError(
                f"{self.spec.name} replays a recording, and has no flash", hint="only what it answers is known"
            )
        layout = self._flash.layout
        start = (address or layout.base) - layout.base
        if not 0 <= start < layout.size or not 0 < size <= CHUNK:
            raise RequestError(
                f"no {size} bytes of flash at 0x{address:08x}",
                hint=f"the flash of {self.spec.name} is {self._flash.whole}; ask for at most {CHUNK} bytes",
            )
        with self._lock:
            self._settle()
            data = bytes(self._flash.content[start : start + size])
        return FlashBytes(address=layout.base + start, data=data, size=layout.size, base=layout.base)

    # The host's side of the cable.

    def connection(self) -> Attachment | None:
        """The device on the bus; None while there is none."""
        with self._lock:
            self._live_on()
            found = self._connection
            return found if found is not None and found.visible_from <= clock.monotonic() else None

    def changes_at(self) -> float | None:
        """Time at which the board is enumerated, or crashes, by itself; None where neither is to come."""
        with self._lock:
            found, due = self._connection, self.faults.due
            if found is not None and found.visible_from > clock.monotonic():
                return found.visible_from if due is None else min(found.visible_from, due)
            return due

    def speak(self, connection: Attachment | None, most: int, take: Callable[[bytes], int]) -> None:
        """Give what the board has said to `take`, the oldest first, at most so many bytes; it returns how many it took.

        That is on the port of an enumeration, as long as it lasts, or on the UART where none is given. `take` is called
        under the board's lock, and must not wait for anything.
        """
        with self._lock:
            self._live_on()
            if connection is not None and connection is not self._connection:
                return
            output = self._speech.uart if connection is None else connection.output
            if output is not None and not output.is_silent:
                output.send(clock.monotonic(), most, take)

    def check(self, connection: Attachment) -> None:
        """Raises as libusb does if that enumeration has ended."""
        with self._lock:
            self._live_on()
            if connection is not self._connection:
                raise gone()

    def reset(self, connection: Attachment) -> None:
        """A bus reset: the device is configured again and keeps its place.

        TinyUSB's in dfuMANIFEST-WAIT-RESET restarts instead (USB DFU 1.1, A.2.9), dapboot in any state, and is gone.
        Flash work beside the bus goes on; a device that works inside a request hears of the reset after that.
        """
        with self._endpoint, self._lock:
            self._live_on()
            self._expect(connection)
            self._hung, self._affliction = False, None
            self._settle()
            if self._running is not None and not self._running.beside_bus:
                self._reset_waits = True
                return
            self._take_reset()
            self._expect(connection)

    def _take_reset(self) -> None:
        """The device hears of a bus reset, unless its processor stands still. What restarts by that is gone."""
        self._reset_waits = False
        if self._crashed:
            return
        function = self._fresh()
        model = self.spec.model
        waits = function.state is State.MANIFEST_WAIT_RESET and model in TINYUSB_MODELS
        if self._mode == "dfu" and (waits or model is Model.DAPBOOT):
            self._restart()
            self._on_change()
            return
        function.attach()
        if isinstance(function, ReplayedBoard):
            self._note_replay(function)
            if function.is_gone:
                self._restart()
                self._on_change()

    def transfer(
        self,
        connection: Attachment,
        setup: Setup,
        data: bytes,
        timeout: float | None,
        *,
        given_up: threads.ThreadEvent | None = None,
    ) -> bytes:
        """One control transfer; the data stage of an IN transfer. `timeout` in seconds, None for ever.

        Once `given_up` is set and `look_up` called, the host has waited long enough: it ends as if by its timeout.
        Raises usb.core.USBError as pyusb's libusb backend does.
        """
        with self._endpoint:
            self._given_up = given_up
            try:
                return self._transfer(connection, setup, data, timeout)
            finally:
                self._answered = now = self._clock()
                if self._bus_clock:
                    self._bus_clock.returned(now)

    def look_up(self) -> None:
        """Lets a transfer under way see that the host has given it up."""
        with self._lock:
            self._lock.notify_all()

    def _transfer(self, connection: Attachment, setup: Setup, data: bytes, timeout: float | None) -> bytes:
        with self._lock:
            self._live_on()
            self._expect(connection)
            now = self._clock()
            fault = self._count(setup, data, now)
            if self._bus_clock and self._bus_clock.begin(now) - now > BusClock.GRAIN:
                self._pass_time(connection, self._bus_clock.deadline)
            if self._running is not None and not self._running.beside_bus:
                self._wait_for_bus_work(connection, timeout)
            if fault is not None or self._hung or self._crashed:
                self._strike(connection, fault, timeout)
            suffered = None if self._affliction is None else self._suffer(setup)
            outcome = suffered or self._ask(connection, setup, data)
            on_bus = bus_time(len(data) + len(outcome.data)) * self.spec.slowdown
            self._bus_seconds += on_bus
            started = self._bus_clock.spend(on_bus) if self._bus_clock else 0.0
            self._begin_work(outcome, started)
            if fault is Fault.UNPLUG:
                self._start_cut(outcome)
                raise gone()
            if outcome.operation is not None and not outcome.after_status:
                outcome = self._run(connection, outcome, outcome.operation, started, timeout)
            if outcome.delay_ms and self._bus_clock:
                self._block(connection, self._bus_clock, outcome, timeout)
            if self._bus_clock:
                self._pass_time(connection, self._bus_clock.deadline)
            if fault is Fault.WRONG_STATE and outcome.bus is Bus.STAYS:
                self._afflict(lost(self._transfers))
                outcome = self._suffer(setup, answered=outcome) or outcome
            if fault is Fault.LOST_ANSWER:
                outcome = replace(outcome, answer=Answer.NAK, cut_short=False)
            answer = self._end(connection, outcome, timeout)
            self._bytes_up += len(answer) if setup.request == Dfu.UPLOAD and setup.is_dfu else 0
            return answer

    def _strike(self, connection: Attachment, fault: Fault | None, timeout: float | None) -> None:
        """Lets a fault happen before the device hears of the request; raises if it never does."""
        if fault is Fault.STALL:
            raise stalled()
        self._hung |= fault is Fault.HANG
        if fault is Fault.TIMEOUT or self._hung or self._crashed:
            raise self._never(connection, timeout)
        if fault is Fault.ERROR_STATUS:
            self._afflict(ERROR)

    def _count(self, setup: Setup, data: bytes, now: float) -> Fault | None:
        self._transfers += 1
        self._note_pause(now)
        if setup.is_dfu:
            self._requests += 1
            self._downloads += setup.request == Dfu.DNLOAD
            self._statuses += setup.request == Dfu.GETSTATUS
            self._uploads += setup.request == Dfu.UPLOAD
            self._bytes_down += len(data)
        return self.faults.on_transfer(setup)

    def _note_pause(self, now: float) -> None:
        """Counts a pause of the host in which this device, in the middle of a session, had nothing to do."""
        running, since = self._running, self._answered
        if running is not None and running.beside_bus:
            if self._bus_clock is None:
                return  # busy for a number of requests, however long the host waits for each
            since = max(since, running.ends)
        if now - since >= self.spec.shortest_pause * self.spec.slowdown and self._fresh().state not in _PAUSELESS:
            self._sleeps += 1
            self._slept += now - since

    def _afflict(self, affliction: Affliction) -> None:
        """Puts the device into a state of that fault's choice. Its bootloader ends its work and waits in dfuIDLE."""
        while self._running is not None:
            self._finish()
        self._affliction = affliction
        function = self._fresh()
        for _ in range(_STEPS_HOME):
            if function.state is State.IDLE:
                return
            cure = Dfu.CLRSTATUS if function.state in (State.ERROR, State.ILLEGAL, State.DNBUSY) else Dfu.ABORT
            function.request(Setup(_CURE_TYPE, cure, 0, 0, 0))
        function.attach()

    def _suffer(self, setup: Setup, answered: Outcome | None = None) -> Outcome | None:
        """Return the answer of an afflicted device to a DFU request; None where its bootloader is to answer.

        `answered` is what the bootloader has done with this very request already.
        """
        affliction = self._affliction
        if affliction is None or not setup.is_dfu:
            return None
        if answered is None and setup.request in affliction.cures:
            self._affliction = None
            return ACK
        told = affliction.answer(setup)
        if answered is not None:
            return None if told is None else replace(answered, data=told)
        return STALL if told is None else Outcome(data=told)

    def _ask(self, connection: Attachment, setup: Setup, data: bytes) -> Outcome:
        if self._running is not None:
            self._settle(on_request=True)
        function = self._fresh()
        before = function.state
        outcome = function.request(setup, data)
        if outcome.dtr is not None and connection.output is not None:
            connection.output.set_dtr(clock.monotonic(), is_raised=outcome.dtr)
        if isinstance(function, ReplayedBoard):
            self._note_replay(function)
        elif connection.is_dfu:
            reason = self._judge(setup, data, outcome, before=before, after=function.state)
            if reason and len(self._violations) < MAX_VIOLATIONS:
                self._violations.append(reason)
        return outcome

    def _note_replay(self, function: ReplayedBoard) -> None:
        self._replayed = function.replayed
        if function.difference and function.difference not in self._violations:
            self._violations.append(function.difference)

    def _end(self, connection: Attachment, outcome: Outcome, timeout: float | None) -> bytes:
        """Lets the bus see what the request did, then ends the transfer."""
        if outcome.bus is not Bus.STAYS:
            self._change_bus(connection, outcome)
            if outcome.bus is Bus.REATTACHES or (outcome.bus in _STARTS and outcome.cut_short):
                raise gone()
        match outcome.answer:
            case Answer.OK:
                return outcome.data
            case Answer.STALL:
                raise stalled()
            case Answer.OVERFLOW:
                raise usb.core.USBError("Overflow", LIBUSB_OVERFLOW, errno.EOVERFLOW)
            case Answer.NAK:
                raise self._never(connection, timeout)

    def _change_bus(self, connection: Attachment, outcome: Outcome) -> None:
        match outcome.bus:
            case Bus.STAYS:
                return
            case Bus.CRASHES:
                self._crashed = True
                return
            case Bus.RESTARTS:
                self._restart()
            case Bus.JUMPS:
                self._jump(outcome.jump)
            case Bus.ENTERS_BOOTLOADER:
                self._enter_bootloader()
            case Bus.REATTACHES:
                self._fresh().attach()
                self._connect(connection.identity, is_dfu=connection.is_dfu)
        self._on_change()

    def _never(self, connection: Attachment, timeout: float | None) -> usb.core.USBError:
        """The answer never comes: the host waits for all of its timeout."""
        if self._bus_clock:
            self._pass_time(connection, None if timeout is None else clock.monotonic() + timeout)
        return timed_out()

    # Time and flash work. All with the lock held; `_pass_time` gives it up while it waits.

    def _pass_time(self, connection: Attachment, until: float | None) -> None:
        """Waits on the clock; raises at once if the connection ends meanwhile."""
        while (left := 1.0 if until is None else until - clock.monotonic()) > BusClock.GRAIN:
            was_told = self._lock.wait(left)
            self._expect(connection)
            if self._given_up is not None and self._given_up.is_set():
                raise timed_out()
            if until is not None and not was_told:
                return

    def _run(
        self, connection: Attachment, outcome: Outcome, operation: Operation, started: float, timeout: float | None
    ) -> Outcome:
        """Carries out an operation, and those that follow it, while the host waits for the status stage."""
        running: _RunningOperation | None = self._begin(operation, started, beside_bus=False)
        while running is not None:
            if self._bus_clock:
                self._bus_clock.deadline = running.ends
                if timeout is not None and running.ends - started > timeout:
                    self._pass_time(connection, started + timeout)
                    raise timed_out()  # the device goes on; `_wait_for_bus_work` sees to the rest
                self._pass_time(connection, running.ends)
            self._finish()
            self._expect(connection)
            running = self._running
        failed = outcome.refused_on_error and self._fresh().state is State.ERROR
        return STALL if failed else outcome

    def _block(self, connection: Attachment, clock: BusClock, outcome: Outcome, timeout: float | None) -> None:
        """The device does not answer for a while; a host with less patience is gone by then."""
        seconds = outcome.delay_ms / 1000
        if timeout is not None and seconds > timeout:
            self._pass_time(connection, clock.block(timeout))
            self._change_bus(connection, outcome)
            raise timed_out()
        self._pass_time(connection, clock.block(seconds))

    def _wait_for_bus_work(self, connection: Attachment, timeout: float | None) -> None:
        """An operation that outlived its transfer, or began after it, still holds endpoint 0."""
        until = None if timeout is None else clock.monotonic() + timeout
        while (running := self._running) is not None and not running.beside_bus:
            limit = running.ends if until is None else min(running.ends, until)
            self._pass_time(connection, limit)
            if limit < running.ends:
                raise timed_out()
            self._finish()
            self._expect(connection)

    def _begin_work(self, outcome: Outcome, started: float) -> None:
        """Starts the clock of an operation that the last request set going, if it did, when its data had arrived."""
        if outcome.operation is not None:
            if outcome.after_status:
                self._begin(outcome.operation, started, beside_bus=False)
            return
        if self._running is None and (operation := self._fresh().busy) is not None:
            self._begin(operation, started, beside_bus=True)

    def _begin(self, operation: Operation, started: float, *, beside_bus: bool) -> _RunningOperation:
        self.faults.on_operation(operation)
        requests = BUSY_REQUESTS if beside_bus and not self._bus_clock else 0
        takes = self._duration(operation)
        self._busy_seconds += takes
        ends = started + (takes if self._bus_clock else 0.0)
        self._running = _RunningOperation(operation, started, ends, requests, beside_bus=beside_bus)
        return self._running

    def _settle(self, *, on_request: bool = False) -> None:
        """Ends what runs beside the bus or after a status stage, if its time is over."""
        while (running := self._running) is not None and not running.beside_bus:
            if self._bus_clock and clock.monotonic() < running.ends:
                return
            self._finish()
        if running is None:
            return
        if self._bus_clock:
            # A request is dated on the device's clock, which our own lateness does not move.
            if (self._bus_clock.deadline if on_request else clock.monotonic()) >= running.ends:
                self._finish()
            return
        if on_request:
            running.requests_left -= 1
            if running.requests_left < 0:
                self._finish()

    def _duration(self, operation: Operation) -> float:
        """Seconds that flash work takes by the board's model."""
        if not operation.steps:
            return 0.0
        if operation.data:
            seconds = self.spec.word_time * operation.steps
        else:
            seconds = self.spec.erase_time * self._flash.share_of(operation.sector)
        return seconds * self.spec.slowdown

    def _finish(self) -> None:
        """Carries out what is left of the running operation, unless the power fails in the middle of it."""
        running = self._running
        if running is None:
            return
        self._running = None
        operation = running.operation
        if self._steps_to_cut is not None:
            if operation.steps > self._steps_to_cut:
                operation.advance(self._steps_to_cut)
                operation.cut(self._share_cut)
                self._steps_to_cut = None
                self._power_down()
                self._on_change()
                return
            self._steps_to_cut -= operation.steps
        operation.advance()
        if operation.crashed:
            self._crashed = True
            return
        function = self._fresh()
        function.ended(operation)
        if (following := function.busy) is not None:  # one piece of work leads to the next
            self._begin(following, running.ends, beside_bus=running.beside_bus)
        elif self._reset_waits:
            self._take_reset()

    def _start_cut(self, outcome: Outcome) -> None:
        """The cable is pulled half-way through what this request started."""
        if outcome.operation is not None and not outcome.after_status:
            self.faults.on_operation(outcome.operation)
            self._running = _RunningOperation(outcome.operation, 0, 0, 0, beside_bus=False)
        if self._running is not None:
            operation = self._running.operation
            self._running = None
            operation.advance(operation.steps // 2)
            operation.cut()
        self._power_down()
        self._on_change()

    def _stop_running(self) -> None:
        """Power is lost or the processor reset: what runs has got as far as the clock says."""
        running, self._running = self._running, None
        if running is None:
            return
        span = running.ends - running.started
        share = min(1.0, (clock.monotonic() - running.started) / span) if span > 0 else 0.0
        running.operation.advance(int(running.operation.steps * share))
        running.operation.cut()

    # Power, restart and the bus. All with the lock held.

    def _power_up(self) -> None:
        self._plugged = True
        if self.spec.start is Start.DFU:
            self._enter_bootloader()
        else:
            self._restart()

    def _power_down(self) -> None:
        self._stop_running()
        self._plugged = False
        self._mode = "unplugged"
        self._function = self._connection = None
        self._speech.lose_power(clock.monotonic())
        self.faults.on_end()
        self._recovered()
        self._lock.notify_all()

    def _restart(self) -> None:
        self._stop_running()
        if not self.spec.boots(self._flash):
            self._enter_bootloader()
            return
        self._speech.bootloader_starts(self.spec, self._flash, clock.monotonic())
        self._start_application()

    def _jump(self, address: int) -> None:
        """Starts what is there. What is no application runs into nothing, and the board leaves the bus."""
        self._stop_running()
        if self.spec.boots(self._flash, address):
            self._start_application()
            return
        self._mode = "app"
        self.faults.on_end()
        self._leave_bus(clock.monotonic())

    def _leave_bus(self, now: float) -> None:
        """The board is off the bus from now on, and says nothing more."""
        self._speech.end(now)
        self._function = self._connection = None
        self._lock.notify_all()

    def _start_application(self) -> None:
        self._mode = "app"
        self._recovered()
        now = clock.monotonic()
        output = self._speech.application_starts(self.spec, self._flash, now)
        self._count_start(now)
        started = self.spec.application()
        if started is None:
            self._function = self._connection = None
            self._lock.notify_all()
            return
        identity, self._function = started
        self._function.attach()
        self._connect(identity, is_dfu=False, output=output)

    def _count_start(self, now: float) -> None:
        self._starts += 1
        self.faults.on_start(now, self.spec.image(self._flash) if self.faults.looks_at_image else b"")

    def _live_on(self) -> None:
        """Lets those faults of the application happen whose time has come."""
        has_crashed = False
        while (due := self.faults.due) is not None and due <= clock.monotonic():
            self._crash(self.faults.crash(), due)
            has_crashed = True
        if has_crashed:
            self._on_change()

    def _crash(self, fault: Fault, at: float) -> None:
        match fault:
            case Fault.APP_VANISH:
                self._leave_bus(at)
            case Fault.APP_HANG:
                self._speech.end(at)
                self._crashed = True
            case Fault.APP_RESET:
                self._speech.end(at)
                self._restart()
            case _:
                self._speech.end(at)
                self._recovered()
                now = clock.monotonic()
                self._speech.application_restarts(self.spec, self._flash, now)
                self._count_start(now)

    def _enter_bootloader(self) -> None:
        self._mode = "dfu"
        self.faults.on_end()
        self._speech.bootloader_starts(self.spec, self._flash, clock.monotonic())
        self._recovered()
        identity, self._function = self.spec.bootloader(self._flash)
        self._function.attach()
        self._connect(identity, is_dfu=True)

    def _recovered(self) -> None:
        self._crashed = self._hung = self._reset_waits = False
        self._affliction = None

    def _connect(self, identity: Identity, *, is_dfu: bool, output: PortOutput | None = None) -> None:
        delay = self.spec.attach_time * self.spec.slowdown if self._bus_clock else 0.0
        self._connection = Attachment(self, self._new_address(), identity, is_dfu, clock.monotonic() + delay, output)
        self._lock.notify_all()

    def _expect(self, connection: Attachment) -> None:
        if connection is not self._connection:
            raise gone()

    def _fresh(self) -> UsbFunction:
        """Return the function that runs on the board; there is one whenever there is a connection."""
        if self._function is None:
            raise gone()
        return self._function


def gone() -> usb.core.USBError:
    """Return libusb's error for a device that left the bus."""
    return usb.core.USBError("No such device (it may have been disconnected)", LIBUSB_NO_DEVICE, errno.ENODEV)


def stalled() -> usb.core.USBError:
    """Return libusb's error for a STALL."""
    return usb.core.USBError("Pipe error", LIBUSB_PIPE, errno.EPIPE)


def timed_out() -> usb.core.USBTimeoutError:
    """Return libusb's error when no answer came in time."""
    return usb.core.USBTimeoutError("Operation timed out", LIBUSB_TIMEOUT, errno.ETIMEDOUT)
