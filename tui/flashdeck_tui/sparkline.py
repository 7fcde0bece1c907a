"""Numbers as a line of small bars, the oldest first. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from flashdeck.text import format_duration

BARS: Final = "▁▂▃▄▅▆▇█"
"""The bars, from the lowest to the highest: eighths of the highest number."""


def sparkline(numbers: Sequence[float], width: int) -> str:
    """Return a bar for each of the newest `width` numbers, which are not negative. The highest bar is the largest."""
    shown = numbers[-width:] if width > 0 else ()
    most = max(shown, default=0.0)
    if most <= 0:
        return BARS[0] * len(shown)
    return "".join(BARS[max(0, min(len(BARS), -int(-number * len(BARS) // most)) - 1)] for number in shown)


def scale_text(seconds: Sequence[float]) -> str:
    """Return what a line of durations says, in words."""
    if not seconds:
        return ""
    shortest, longest, middle = min(seconds), max(seconds), median(seconds)
    if len(seconds) == 1:
        return f"1 flash: {format_duration(longest)}"
    return (
        f"{len(seconds)} flashes, {format_duration(shortest)} to {format_duration(longest)}, "
        f"half of them within {format_duration(middle)}"
    )
