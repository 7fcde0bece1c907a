"""The hearing of one board as it starts, as its lane needs it: whoever reads its console at the time does the work."""

from collections.abc import Callable, Mapping
from typing import Final

from flashdeck.errors import FlashdeckError
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.consoles.console_reader import ConsoleReader
from flashdeckd.consoles.start_judge import StartJudge

_TAKEN_OUT: Final = Judgement(
    verdict=Verdict.UNKNOWN, reason="its console was taken out of the configuration as it started"
)


class BoardHearing:
    """The hearing of one board. Runs in the event loop's thread only."""

    def __init__(self, readers: Mapping[str, ConsoleReader], name: str, sees_app: Callable[[], bool]) -> None:
        """`sees_app` tells whether its application shows itself as a USB device."""
        self._readers = readers
        self._name = name
        self._sees_app = sees_app
        self._unheard: Judgement | None = None
        """There is no verdict on the start that goes on, and this is why."""
        self._hears: ConsoleReader | None = None
        """Whoever hears the start that goes on; None: no start goes on, or nobody could hear it."""

    @property
    def is_wanted(self) -> bool:
        """See the base."""
        reader = self._readers.get(self._name)
        return reader is not None and reader.judges

    @property
    def is_under_way(self) -> bool:
        """See the base."""
        return self._why_unheard is not None or self._judge is not None

    @property
    def is_seen(self) -> bool:
        """See the base."""
        judge = self._judge
        return judge is not None and judge.is_seen

    @property
    def verdict(self) -> Judgement | None:
        """See the base."""
        judge = self._judge
        return judge.verdict if judge is not None else self._why_unheard

    @property
    def shown(self) -> Judgement | None:
        """See the base."""
        judge = self._judge
        return judge.shown if judge is not None else self._why_unheard

    @property
    def _why_unheard(self) -> Judgement | None:
        """The reason why nobody hears the start that goes on; None: somebody does, or there is none."""
        if self._hears is not None and self._readers.get(self._name) is not self._hears:
            return _TAKEN_OUT
        return self._unheard

    @property
    def _judge(self) -> StartJudge | None:
        reader = self._readers.get(self._name)
        return reader.watch.judge if reader is not None else None

    async def drain(self) -> None:
        """See the base."""
        if (reader := self._readers.get(self._name)) is not None:
            await reader.drained()

    def begin(self, expected: str) -> None:
        """See the base."""
        self._unheard = None
        self._hears = reader = self._readers.get(self._name)
        if reader is None:
            return
        try:
            reader.begin_start(expected, sees_app=self._sees_app())
        except FlashdeckError as error:
            reader.watch.end()
            self._hears = None
            self._unheard = Judgement(verdict=Verdict.UNKNOWN, reason=error.message)

    def end(self) -> None:
        """See the base."""
        self._unheard = self._hears = None
        if (reader := self._readers.get(self._name)) is not None:
            reader.watch.end()
