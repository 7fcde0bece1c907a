"""The console of one board: its port is open whenever it can be, and what comes from it is recorded.

One task opens and closes the port, in a thread of its own. What comes is read in the event loop, in small pieces, and
no more in a second than the daemon has time for: what is more is counted.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from flashdeck.config import Console
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.model import ConsoleEntry, ConsoleState
from flashdeck.text import clean
from flashdeck.verdict import Judgement
from flashdeck.words.consoles import dropped_text
from flashdeck.words.verdicts import judgement_text
from flashdeckd.consoles.console_marks import Mark
from flashdeckd.consoles.console_port import PortSurroundings, PortTroubleError, find_port, open_port
from flashdeckd.consoles.console_record import ConsoleRecord
from flashdeckd.consoles.line_cutter import LineCutter, Said
from flashdeckd.consoles.start_judge import start_rules
from flashdeckd.consoles.start_watch import StartWatch
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.crash_watch import CrashWatch
from flashdeckd.host import clock, threads
from flashdeckd.host.serial_lines import HeardPort
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPorts

PIECE: Final = 4096
"""Bytes that are read at once: others have their turn after that."""
BYTES_A_SECOND: Final = 128 * 1024
"""Bytes that are recorded in a second: more than a UART at 921,600 baud says."""
ENTRIES_A_SECOND: Final = 4000
"""Entries likewise."""
DRAIN_SECONDS: Final = 0.003
"""Pause between two reads of what is only counted. The kernel has 4 KiB of it at once: so a board on a full-speed bus
never has to wait, and costs a few hundredths of a processor."""
DRAINED: Final = 64 * 1024
"""Bytes of what is only counted between two pauses, where the kernel has them."""
SILENCE_SECONDS: Final = 0.2
"""Seconds after which a line that has not ended is shown as it is, as a prompt."""
LOOK_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between two looks for a port that cannot be had; the last one repeats. The kernel makes a port, and udev lets
us have it, a moment after the device."""
LENT_SECONDS: Final = 2.0
"""Seconds for which the port stays closed after somebody else had it, unless the board shows itself anew: a board that
was asked to restart takes that back when its port is opened."""
GIVEN_BACK_SECONDS: Final = 5.0
"""Longest wait for a port that is to be closed."""
QUIET_SECONDS: Final = 0.02
"""Pause after which what was said before a leave has come: adapters keep it back for 16 ms."""
DRAIN_LIMIT: Final = 10
"""Pauses that are waited for at the most."""
_REFUSED: Final = frozenset({ConsoleCondition.HELD, ConsoleCondition.UNAVAILABLE, ConsoleCondition.RELEASED})
"""Conditions in which others have the port, or nobody can: what is said meanwhile may be lost."""


class ConsoleReader:
    """The console of one board. Runs in the event loop's thread only, but for `has`."""

    def __init__(
        self,
        board: str,
        console: Console,
        *,
        ports: SerialPorts,
        around: Callable[[str], PortSurroundings],
        keep: Callable[[str, ConsoleEntry], object],
        changed: Callable[[str, ConsoleState], object],
        judged: Callable[[str, Judgement, Judgement | None], object],
        programs: Callable[[str], Sequence[BoardProgram]],
        ended: Callable[[asyncio.Task[None]], object],
    ) -> None:
        """`around` returns what the port of a board may belong to, and `programs` what it may be running.

        `keep` is told of each entry, `changed` of each new condition, and `judged` of each verdict on a start, with the
        one that it changes; all with the name of the board. `ended` is told of tasks that have
        come to their end.
        """
        self.board = board
        """Its name, which may change."""
        self.record = ConsoleRecord()
        self._console = console
        self._ports = ports
        self._around = around
        self._keep = keep
        self._on_change = changed
        self._crashes = CrashWatch(lambda: programs(self.board), self._tell_crash, ended)
        self._thread = threads.OwnThread("console")
        self._cutter = LineCutter()
        self._port: HeardPort | None = None
        self._opened_for: tuple[Console, UsbDevice | None] | None = None
        """The configuration and the device that the port was opened for."""
        self._lost = ""
        """The reason why the port that is open is of no use any more."""
        self._released = False
        self._lent = 0
        """The number of those who have it closed for a while."""
        self._is_busy = False
        """True while the port is opened or closed."""
        self._away_until = 0.0
        """By the monotonic clock, while nobody opens it; `LENT_SECONDS` say why."""
        self._looks = 0
        """Looks for a port since something changed."""
        self._poked = asyncio.Event()
        self._stepped = asyncio.Event()
        self._silence: asyncio.TimerHandle | None = None
        self._drain: asyncio.TimerHandle | None = None
        self._window: asyncio.TimerHandle | None = None
        """Tells what was dropped, once the second is over."""
        self._window_ends = 0.0
        """The end of the second that is counted, by the monotonic clock."""
        self._bytes = self._entries = self._dropping = 0
        """The bytes and the entries of that second, and the bytes of it that were not recorded."""
        self._heard = 0
        """Pieces that were read."""
        self._was_quiet_at = 0
        """The number of these behind which nothing came for a while."""
        self.watch = StartWatch(read_rest=self._read_rest, told=self._tell_verdict)
        """Judges how the application starts."""
        self._on_verdict = judged
        self.state = ConsoleState(port=console.port, condition=ConsoleCondition.ABSENT)

    @property
    def is_of_app(self) -> bool:
        """Return whether its port is that of the application."""
        return self._console.is_of_app

    def has(self, node: Path, /) -> bool:
        """Return whether it has a port open now."""
        port = self._port
        return port is not None and port.node == node

    def mark(self, marks: Iterable[Mark]) -> None:
        """Put marks behind what the board has said by now."""
        for mark in marks:
            self._take(self._cutter.rest())
            self._keep(self.board, self.record.add_mark(clock.now(), mark))

    def poke(self) -> None:
        """Something changed that may matter to the port: look at once."""
        self._looks = 0
        self._poked.set()

    def seen_anew(self) -> None:
        """The board shows itself anew: nobody's wish of its former self counts any more."""
        self._away_until = 0.0
        self.poke()

    async def drained(self) -> None:
        """Return once what was said by now has come, through an adapter, too; not later than after ten pauses."""
        for _ in range(DRAIN_LIMIT):
            if self._port is None or self.is_of_app:
                return
            before = self._heard
            await asyncio.sleep(QUIET_SECONDS)
            if self._heard == before:
                self._was_quiet_at = before
                return

    def begin_start(self, expected: str, *, sees_app: bool) -> None:
        """The board leaves DFU mode now, and its application has to say the version `expected`; "": any.

        `sees_app`: it shows itself as a USB device. Raises FlashdeckError where patterns cannot be used here.
        """
        rules = start_rules(self._console, expected, sees_app=sees_app)
        self._read_rest()
        # Where nothing came for a while, nothing is on its way: what comes now is new, as behind a prompt.
        is_behind_old = self._cutter.is_in_line and self._was_quiet_at != self._heard
        self.watch.begin(rules, is_behind_old=self._port is not None and is_behind_old, port_stays=not self.is_of_app)
        self._tell_watch_of_trouble()

    @property
    def judges(self) -> bool:
        """Return whether the configuration says what its application has to say."""
        return bool(self._console.ready)

    def configure(self, console: Console) -> None:
        """Take over what the configuration says of the port."""
        if console != self._console:
            self._console = console
            self._tell(self.state.condition, self.state.node, self.state.reason, self.state.hint)
            self.poke()

    async def release(self) -> None:
        """Close the port, until `resume`; returns once it is closed."""
        if not self._released:
            self._released = True
        await self._settled(lambda: self._is_closed and self.state.condition is ConsoleCondition.RELEASED)

    async def resume(self) -> None:
        """Open the port again where it can be had; returns once that was tried."""
        if self._released:
            self._released = False
            self._away_until = 0.0
        await self._settled(lambda: self.state.condition is not ConsoleCondition.RELEASED)

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[None]:
        """Have the port closed for the length of the block, and a moment longer."""
        self._lent += 1
        try:
            await self._settled(lambda: self._is_closed)
            yield
        finally:
            self._lent -= 1
            self._away_until = clock.monotonic() + LENT_SECONDS
            self.poke()

    async def run(self) -> None:
        """Have the port open whenever it can be, until cancelled."""
        try:
            while True:
                self._poked.clear()
                self._is_busy = True
                await self._step()
                self._is_busy = False
                self._stepped.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._poked.wait()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(GIVEN_BACK_SECONDS):
                    await self._close("port closed: it is not recorded any more")
            await self._crashes.close()
            self._thread.let_go()

    @property
    def _is_closed(self) -> bool:
        return self._port is None and not self._is_busy

    async def _settled(self, reached: Callable[[], bool]) -> None:
        """Wait until the task has brought something about; not longer than `GIVEN_BACK_SECONDS`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVEN_BACK_SECONDS):
                self.poke()
                while not reached():
                    self._stepped.clear()
                    await self._stepped.wait()

    def _pause(self) -> float | None:
        """Return after how many seconds there may be something to do by itself."""
        if self._port is not None or self._released or self._lent:
            return None
        if (rest := self._away_until - clock.monotonic()) > 0:
            return rest
        if self._console.is_of_app and self._around(self.board).device is None:
            return None
        self._looks += 1
        return LOOK_SECONDS[min(self._looks, len(LOOK_SECONDS)) - 1]

    async def _step(self) -> None:
        """Close a port that must not be open any more, and open it where it can be."""
        around = self._around(self.board)
        is_away = bool(self._lent) or self._away_until > clock.monotonic()
        if self._port is not None:
            if reason := await self._why_to_close(around, is_away=is_away):
                await self._close(reason)
            else:
                return
        if self._released:
            hint = f"`flashdeck console {self.board} --resume` records it again"
            self._tell(ConsoleCondition.RELEASED, self.state.node, "", hint)
        elif is_away:
            self._tell(ConsoleCondition.ABSENT, "", "the port is used to bring the board into DFU mode", "")
        else:
            await self._open(around)

    async def _why_to_close(self, around: PortSurroundings, *, is_away: bool) -> str:
        """Return why the port that is open has to be closed; "" where it stays."""
        reasons = {
            f"port lost: {self._lost}": bool(self._lost),
            "port released to other programs": self._released,
            "port closed for the way into DFU mode": is_away,
            "port closed": self._opened_for != (self._console, around.device if self._console.is_of_app else None),
        }
        if reason := next((reason for reason, holds in reasons.items() if holds), ""):
            return reason
        if self._console.is_of_app:
            return ""
        try:
            await self._thread.run(find_port, self._console, around, self._ports)
        except PortTroubleError as error:  # another board has come to be behind that path
            return f"port closed: {error.reason}"
        return ""

    async def _open(self, around: PortSurroundings) -> None:
        console = self._console
        if console.is_of_app and around.device is None:
            self._tell(ConsoleCondition.ABSENT, "", "the board is not running", "")
            return
        try:
            opening = self._thread.run(open_port, console, around, self._ports)
            try:
                port = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_late)
                raise
        except PortTroubleError as error:
            self._tell(error.condition, error.node, error.reason, error.hint)
            return
        self._port, self._lost = port, ""
        self._opened_for = (console, around.device if console.is_of_app else None)
        self._cutter = LineCutter()
        self.mark((Mark(f"{port.node} opened at {console.baud} baud"),))
        self._tell(ConsoleCondition.OPEN, str(port.node), "", "")
        self._looks = 0
        self.watch.opened()
        port.watch(self._come)

    async def _close(self, why: str) -> None:
        """End the reading, and close the port."""
        port, self._port, self._opened_for = self._port, None, None
        if port is None:
            return
        port.unwatch()
        for timer in (self._silence, self._drain):
            if timer is not None:
                timer.cancel()
        self._take(self._cutter.end())
        self._end_window()
        self.watch.closed()
        self._crashes.end()
        self.mark((Mark(why),))
        await self._thread.run(port.close)

    # What comes

    def _come(self) -> bool:
        """Read the next piece; return whether there was one."""
        port = self._port
        if port is None or self._lost:
            return False
        try:
            if self._is_over_budget():
                self._drop_from(port)
                return False
            data = port.read(PIECE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(clean(error.strerror or str(error)))
            return False
        if not data:
            self._lose("hung up")
            return False
        self._bytes += len(data)
        self._heard += 1
        self._take(self._cutter.feed(data, clock.now()))
        self.watch.feed(data)
        self._wait_for_silence()
        return True

    def _read_rest(self) -> None:
        """Read what has come, also where so much comes that it is only counted; more than that is on its way."""
        for _ in range(DRAINED // PIECE):
            if not self._come():
                return

    def _drop_from(self, port: HeardPort) -> None:
        """Count what has come, and look again after a pause. Raises OSError."""
        self._take(self._cutter.end())  # what comes after the gap does not go on with it
        count = 0
        with suppress(BlockingIOError):
            while count < DRAINED:
                if not (data := port.read(DRAINED)):
                    self._lose("hung up")
                    break
                count += len(data)
                self._heard += 1
                self.watch.feed(data)  # a flood must not hide what the application says of itself
        if count:
            self._drop(count)
        if self._lost:
            return
        port.unwatch()
        if self._drain is not None:
            self._drain.cancel()
        self._drain = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._watch_again, port)

    def _watch_again(self, port: HeardPort) -> None:
        self._drain = None
        if port is self._port and not self._lost:
            port.watch(self._come)

    def _wait_for_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self._cutter.is_pending:
            self._silence = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._rest)

    def _rest(self) -> None:
        self._is_over_budget()  # another second may have begun
        self._take(self._cutter.rest())
        self.watch.pause()

    def _tell_verdict(self, judgement: Judgement, before: Judgement | None) -> None:
        self.mark((Mark(judgement_text(judgement)),))
        self._on_verdict(self.board, judgement, before)

    def _lose(self, reason: str) -> None:
        """The port is of no use any more: the task closes it, and looks for another one."""
        if self._port is not None:
            self._port.unwatch()
        self._lost = reason
        self.poke()

    def _is_over_budget(self) -> bool:
        """Return whether this second has had all that is recorded of it."""
        now = clock.monotonic()
        if now >= self._window_ends:
            self._end_window()
            self._window_ends = now + 1
        return self._bytes >= BYTES_A_SECOND or self._entries >= ENTRIES_A_SECOND

    def _end_window(self) -> None:
        """Tell how much was dropped in the second that is over."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        dropped, self._bytes, self._entries, self._dropping = self._dropping, 0, 0, 0
        if dropped:
            self._keep(self.board, self.record.add(clock.now(), ConsoleKind.NOISE, dropped_text(dropped)))
            state = self.state
            self._tell(state.condition, state.node, state.reason, state.hint, state.dropped + dropped)

    def _drop(self, count: int) -> None:
        if not self._dropping:
            left = max(0.0, self._window_ends - clock.monotonic())
            self._window = asyncio.get_running_loop().call_later(left, self._end_window)
        self._dropping += count

    def _take(self, said: Iterable[Said]) -> None:
        for each in said:
            if self._entries < ENTRIES_A_SECOND:
                self._entries += 1
                entry = self.record.add(each.at, each.kind, each.text)
                self._keep(self.board, entry)
                if each.kind is ConsoleKind.LINE:
                    self._crashes.read(each.text)
            else:
                self._drop(len(each.text.encode()) + 1)

    def _tell_crash(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._keep(self.board, self.record.add(clock.now(), ConsoleKind.CRASH, line))

    def _tell(self, condition: ConsoleCondition, node: str, reason: str, hint: str, dropped: int | None = None) -> None:
        state = ConsoleState(
            port=self._console.port,
            condition=condition,
            node=node,
            reason=reason,
            hint=hint,
            dropped=self.state.dropped if dropped is None else dropped,
        )
        if state != self.state:
            self.state = state
            self._on_change(self.board, state)
        self._tell_watch_of_trouble()

    def _tell_watch_of_trouble(self) -> None:
        if self.state.condition in _REFUSED:
            self.watch.refused(f"its console could not be heard: {self.state.text}")


def _close_late(opening: "asyncio.Future[HeardPort]") -> None:
    """Close a port that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
