"""The watch over the starts of one board: it feeds the judge, and asks him again in time."""

import asyncio
from collections.abc import Callable

from flashdeck.verdict import Judgement
from flashdeckd.consoles.deaf_times import DeafTimes
from flashdeckd.consoles.line_joiner import LineJoiner
from flashdeckd.consoles.start_judge import StartJudge, StartRules
from flashdeckd.host import clock


class StartWatch:
    """The watch over one board. Runs in the event loop's thread only."""

    def __init__(
        self,
        *,
        read_rest: Callable[[], object],
        told: Callable[[Judgement, Judgement | None], object],
    ) -> None:
        """`read_rest` reads what has come and was not read yet.

        `told` is told of the verdict, and of what changes it later: the new one, and the one before; None for none.
        """
        self._read_rest = read_rest
        self._told = told
        self._judge: StartJudge | None = None
        self._joiner: LineJoiner | None = None
        self._deaf = DeafTimes(0.0, is_there=False, is_open=False)
        self._is_port_open = False
        self._port_stays = False
        """True if the port is there whether the application is, or not."""
        self._shown: Judgement | None = None
        """The newest verdict that was told."""
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        """The time for which the timer is set."""

    @property
    def judge(self) -> StartJudge | None:
        """Return the judge of the start that is watched; None for none."""
        return self._judge

    def begin(self, rules: StartRules, *, is_behind_old: bool, port_stays: bool) -> None:
        """The board leaves DFU mode now. `is_behind_old`: a line has begun before, and has not ended.

        `port_stays`: its port is not that of the application, so that it is missed from now on if it is not open.
        """
        self.end()
        now = clock.monotonic()
        self._judge = judge = StartJudge(rules, now)
        self._port_stays = port_stays
        self._deaf = DeafTimes(now, is_there=port_stays, is_open=self._is_port_open)
        self._joiner = LineJoiner(judge, is_behind_old=is_behind_old)
        self._arm()

    def end(self) -> None:
        """Nothing is judged any more."""
        self._judge = self._joiner = self._shown = None
        self._arm()

    def opened(self) -> None:
        """The port is open from now on."""
        self._is_port_open = True
        self._deaf.opened(clock.monotonic())

    def refused(self, why: str) -> None:
        """The port cannot be had, for a reason that does not pass by itself."""
        self._deaf.refused(why)

    def closed(self) -> None:
        """The port is closed: half a line stays half a line."""
        self._is_port_open = False
        self._deaf.closed(clock.monotonic())
        if self._judge is not None and self._joiner is not None:
            self._joiner.pause(clock.monotonic())
            self._joiner = LineJoiner(self._judge, is_behind_old=False)
            self._follow()

    def feed(self, data: bytes) -> None:
        """Take what the board said."""
        if self._joiner is not None:
            self._joiner.feed(data, clock.monotonic())
            self._follow()

    def pause(self) -> None:
        """Nothing more came for a while."""
        if self._joiner is not None:
            self._joiner.pause(clock.monotonic())
            self._follow()

    def hear_crash(self, reason: str, line: str) -> None:
        """A line was said by which an application is known to have crashed."""
        if self._judge is not None:
            self._judge.hear_crash(reason, line, clock.monotonic())
            self._follow()

    def see(self, *, is_app: bool, is_dfu: bool, is_other: bool) -> None:
        """The board shows itself anew, or is gone; `is_other` if that is another device than before."""
        if self._judge is None:
            return
        if is_dfu and self._judge.verdict is not None:
            self.end()  # it was brought there, and its bootloader is not judged
            return
        self._read_rest()  # it was said before that was seen
        now = clock.monotonic()
        if not is_app or is_other:
            self._judge.lose_app(now)
            self._deaf.there(now, is_there=self._port_stays)
        if is_app:
            self._judge.see_app(now)
            self._deaf.there(now, is_there=True)
        elif is_dfu and is_other:
            self._judge.see_bootloader(now)
        self._follow()

    def _follow(self) -> None:
        """Tell what is new, and be asked again in time."""
        judge = self._judge
        if judge is not None and judge.shown is not self._shown and judge.shown is not None:
            before, self._shown = self._shown, judge.shown
            self._told(judge.shown, before)
        self._arm()

    def _arm(self) -> None:
        due = self._judge.due if self._judge is not None else None
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = due, None
        if due is not None:
            left = max(0.0, due - clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(left, self._ring)

    def _ring(self) -> None:
        """The time is over: decide by it, once all that has come is heard."""
        self._due = self._timer = None
        self._read_rest()
        if self._judge is None or self._joiner is None:
            return
        now = clock.monotonic()
        self._joiner.end_of_time(now)
        self._judge.pass_time(now, self._deaf.since(self._judge.listens_since, now))
        self._follow()
