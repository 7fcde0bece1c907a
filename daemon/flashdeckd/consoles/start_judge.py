"""The verdict on a start: from what is seen and heard of a board after its leave of DFU mode. Pure.

One state machine. Whoever feeds it tells when each thing came, by a clock that only goes forward, and asks again at
`due`. It answers once; what comes later changes what is shown, and never the answer: that it crashed after all, or
that it did speak, too late.

    fail, crash -> CRASHED          at any time
    ready       -> ANOTHER_BUILD    it says another version
                -> RUNS             once it has stood for `stays`
    ready, gone -> CRASHED          inside `stays`: it restarted
    `within`    -> SILENT           no `ready` from the first sight on
                -> NOT_SEEN         nothing at all, and its USB device is no sign of the application
                -> UNKNOWN          nobody could hear it, by then or while `ready` had to stand
"""

import re
from dataclasses import dataclass
from typing import Final

from flashdeck.config import Console
from flashdeck.line_patterns import LinePattern
from flashdeck.text import clean, format_duration
from flashdeck.verdict import Judgement, Verdict

LATEST_SIGHT: Final = 10.0
"""Seconds after the leave from which `within` counts where nothing was heard, of a board that has no USB device."""
_UNHEARD: Final = frozenset({Verdict.SILENT, Verdict.UNKNOWN, Verdict.NOT_SEEN})
"""Verdicts after which the application may still say that it runs."""
_BUILD_ID: Final = "build-id "
"""The beginning of a version that is none, but the linker's word for the bytes."""
_V: Final = re.compile(r"^[vV](?=[0-9])")
KEPT_LINE: Final = 200
"""Characters of a line that are kept with a verdict."""
VERSION_GROUP: Final = "version"
"""The group of `ready` that says the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRules:
    """Signs by which a start is judged."""

    ready: LinePattern
    """Its line says that the application runs."""
    fail: tuple[LinePattern, ...] = ()
    """Lines by which it has crashed."""
    within: float
    """Seconds from the first sight in which `ready` has to come."""
    stays: float = 0.0
    """Seconds for which it has to stand."""
    expected: str = ""
    """The version that `ready` has to say; "" where any is right."""
    sees_app: bool
    """True if the application shows itself as a USB device: then its absence is judged by whoever looks at the bus."""


class StartJudge:
    """The judge of one start."""

    def __init__(self, rules: StartRules, left_at: float) -> None:
        """`left_at` is when the board left DFU mode: what was heard before does not count."""
        self.rules = rules
        self.verdict: Judgement | None = None
        """The verdict that is the answer; None while it is open."""
        self.shown: Judgement | None = None
        """The newest one, as far as it changed since."""
        self.is_seen = False
        """True once its USB device was seen, or a byte of its console was heard."""
        self._left_at = left_at
        self._first_sight = left_at + LATEST_SIGHT
        self._ready_at: float | None = None
        self._ready_line = ""
        self._version = ""
        self._is_on_bus = False
        """True while its USB device is there."""
        self._is_away = False
        """True if it has left the bus since it was seen."""

    @property
    def listens_since(self) -> float:
        """Return from when on nothing may be missed: what is said before `ready` is, or after it."""
        return self._left_at if self._ready_at is None else self._ready_at

    @property
    def due(self) -> float | None:
        """Return when it has to be asked with `pass_time`; None where the passing of time decides nothing."""
        if not self._is_open:
            return None
        if self._ready_at is not None:
            return self._ready_at + self.rules.stays
        if self.rules.sees_app and not self.is_seen:
            return None  # whoever looks at the bus says that it was not seen, and `within` begins once it is
        return self._first_sight + self.rules.within if self.verdict is None else None

    def see_app(self, at: float) -> None:
        """The application's USB device is there."""
        self._is_on_bus, self._is_away = True, False
        self._see(at)

    def lose_app(self, at: float) -> None:
        """It has left the bus, or shows itself anew. One that speaks before it enumerates has not been there."""
        if self._is_on_bus:
            self._is_on_bus, self._is_away = False, True
            self._restarted(at, "left the bus")

    def see_bootloader(self, at: float) -> None:
        """It is back in DFU mode."""
        self._restarted(at, "came back in DFU mode")

    def hear_byte(self, at: float) -> None:
        """Something came from its console, whatever it was."""
        self._see(at)

    def hear_line(self, text: str, at: float, *, is_whole: bool = True, has_counted: bool = False) -> bool:
        """Judge a line; return whether it counted as `ready`.

        One that is not whole may go on: it says no other version, and does not count where it ends with its version, or
        may still say one. One that `has_counted` as far as it had come is looked at once more for what `fail` names.
        """
        if fault := next((each for each in self.rules.fail if each.search(text)), None):
            self.hear_crash(f"it said what {clean(fault.text, 40)!r} looks for", text, at)
            return False
        found = None if has_counted or not self._is_open else self.rules.ready.search(text)
        if found is None:
            return False
        version = found.groups.get(VERSION_GROUP, "").strip()
        if self.rules.expected and version and not is_same_version(version, self.rules.expected):
            if is_whole:
                self._version = clean(version, KEPT_LINE)
                why = f"it says {clean(version, 40)}, and {clean(self.rules.expected, 40)} was flashed"
                self._decide(Verdict.ANOTHER_BUILD, at, why, text)
            return False
        if not is_whole and (text.endswith(version) if version else self._may_say_version):
            return False
        if self._ready_at is not None:
            again = f"it started again within {_seconds(self.rules.stays)}"
            self._decide(Verdict.CRASHED, at, again, text)
            return True
        self._ready_at, self._ready_line, self._version = at, text, clean(version, KEPT_LINE)
        if not self.rules.stays:
            self._decide(Verdict.RUNS, at, "")
        return True

    def hear_crash(self, reason: str, text: str, at: float) -> None:
        """Something said that the application has crashed: a line that `fail` names, or one that is known as such."""
        self._decide(Verdict.CRASHED, at, reason, text)

    def pass_time(self, at: float, deaf: str = "") -> None:
        """Decide by the time that is over; all that was heard by then has been told.

        `deaf` says why nothing can be heard now; "" where it can.
        """
        due = self.due
        if due is None or at < due:
            return
        if deaf:
            self._ready_at = None
            self._decide(Verdict.UNKNOWN, at, deaf)
        elif self._ready_at is not None:
            self._decide(Verdict.RUNS, at, "")
        elif self.is_seen:
            away = ", and it has left the bus" if self._is_away else ""
            wanted = clean(self.rules.ready.text, 60)
            within = _seconds(self.rules.within)
            self._decide(Verdict.SILENT, at, f"no line with {wanted!r} within {within} of its first sign{away}")
        else:
            self._decide(Verdict.NOT_SEEN, at, "not a byte came from its console")

    @property
    def _may_say_version(self) -> bool:
        """Return whether it matters which version a line says that goes on."""
        return bool(self.rules.expected) and VERSION_GROUP in self.rules.ready.names

    @property
    def _is_open(self) -> bool:
        """Return whether it can still be said that it runs."""
        return self.shown is None or self.shown.verdict in _UNHEARD

    def _restarted(self, at: float, how: str) -> None:
        if self._ready_at is not None and self._is_open:
            self._decide(Verdict.CRASHED, at, f"it {how} within {_seconds(self.rules.stays)} of that line")

    def _see(self, at: float) -> None:
        if not self.is_seen:
            self.is_seen = True
            self._first_sight = at if self.rules.sees_app else min(self._first_sight, at)

    def _decide(self, verdict: Verdict, at: float, reason: str, line: str = "") -> None:
        lines = dict.fromkeys(clean(each, KEPT_LINE) for each in (self._ready_line, line) if each)
        after = round(max(0.0, at - self._left_at), 3)
        judgement = Judgement(verdict=verdict, reason=reason, lines=tuple(lines), version=self._version, after=after)
        if self.verdict is None:
            self.verdict = self.shown = judgement
        elif verdict not in _UNHEARD and self.shown is not None and self.shown.verdict is not Verdict.CRASHED:
            self.shown = judgement  # a board that restarts again and again has crashed, until it is flashed or reset


def is_same_version(said: str, expected: str) -> bool:
    """Tell whether an application says the version of its image: one of them may name the program, too.

    "1.0.7" is that of "app1 1.0.7", and of "v1.0.7"; "1.0.7" is not that of "1.0.7-dirty". Where only the build-id of
    an image is known, no other sort of version can be compared with that.
    """
    if expected.startswith(_BUILD_ID):
        known = expected.removeprefix(_BUILD_ID)
        return len(said) != len(known) or said.lower() == known
    one, other = (f" {' '.join(_V.sub('', word) for word in text.split())} " for text in (said, expected))
    return one in other or other in one


def start_rules(console: Console, expected: str, *, sees_app: bool) -> StartRules:
    """Return how the starts of a board with this console are judged. Raises FlashdeckError where google-re2 is missing.

    The console has a `ready`.
    """
    return StartRules(
        ready=LinePattern(console.ready),
        fail=tuple(map(LinePattern, console.fail)),
        within=console.within,
        stays=console.stays,
        expected=expected,
        sees_app=sees_app,
    )


def _seconds(seconds: float) -> str:
    return format_duration(seconds).replace(".0 s", " s")
