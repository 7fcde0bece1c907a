"""The seconds of a job as a chart: a bar for each phase, on one scale. Pure.

Any screen that tells of a job can draw it: the lines are phrases, as wide as they are asked to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flashdeck.job_state import Phase, PhaseTimes
from flashdeck.text import format_duration
from flashdeck.words.jobs import phase_noun
from flashdeck.words.tone import Phrase, Tone

LEAST_BAR = 4
"""Cells of the longest bar at the least; where a line has fewer left, the seconds stand alone."""
_GAP: Final = 2
_FULL: Final = "█"
_HALF: Final = "▌"
_ORDER: Final = tuple(phase for phase in Phase if phase is not Phase.OTHER)


@dataclass(frozen=True, slots=True)
class PhaseBar:
    """One phase of the chart."""

    phase: Phase | None
    """None for the sum of several."""
    seconds: float
    share: float
    """Its part of all the seconds, from 0 to 1."""


def phase_bars(times: PhaseTimes) -> tuple[PhaseBar, ...]:
    """Return the phases in which any time was spent, in the order in which they come."""
    spent = {phase: times.of(phase) for phase in _ORDER}
    total = sum(spent.values())
    return tuple(PhaseBar(phase, seconds, seconds / total) for phase, seconds in spent.items() if seconds > 0)


def phase_chart(
    times: PhaseTimes,
    width: int,
    *,
    now: Phase | None = None,
    most: int | None = None,
) -> list[Phrase]:
    """Return a line for each phase that took time: its name, its bar, its seconds and its part of the whole.

    `width` are the cells of a line, and `now` the phase that is under way. Where there are more than `most` lines (1 or
    more), the phases that took least are summed up in the last one. Nothing where no time was measured.
    """
    bars = phase_bars(times)
    shown = bars if most is None else _summed_up(bars, most)
    return list(_lines(shown, width, now=now))


def _summed_up(bars: tuple[PhaseBar, ...], most: int) -> tuple[PhaseBar, ...]:
    if len(bars) <= most:
        return bars
    kept = sorted(bars, key=lambda bar: bar.seconds, reverse=True)[: most - 1]
    rest = [bar for bar in bars if bar not in kept]
    summed = PhaseBar(None, sum(bar.seconds for bar in rest), sum(bar.share for bar in rest))
    return (*(bar for bar in bars if bar in kept), summed)


def _lines(bars: tuple[PhaseBar, ...], width: int, *, now: Phase | None) -> Iterator[Phrase]:
    names = ["all other" if bar.phase is None else phase_noun(bar.phase) for bar in bars]
    numbers = [format_duration(bar.seconds) for bar in bars]
    parts = [f"{round(100 * bar.share)} %" for bar in bars]
    wide, long, part = (max(map(len, column), default=0) for column in (names, numbers, parts))
    room = width - wide - long - part - 3 * _GAP
    longest = max((bar.seconds for bar in bars), default=0.0)
    gap = " " * _GAP
    for bar, name, number, share in zip(bars, names, numbers, parts, strict=True):
        drawn = _bar(bar.seconds / longest, room) if room >= LEAST_BAR else None
        cells = [name.ljust(wide), *([drawn.ljust(room)] if drawn is not None else []), number.rjust(long)]
        line = gap.join([*cells, share.rjust(part)])
        is_now = now is not None and bar.phase is now
        yield Phrase(line[:width].rstrip(), Tone.BUSY if is_now else Tone.PLAIN)


def _bar(part: float, room: int) -> str:
    """Return a bar of `part` (from 0 to 1) of `room` cells; what took any time has at least the thinnest one."""
    full, rest = divmod(max(1, round(2 * part * room)), 2)
    return _FULL * full + _HALF * rest
