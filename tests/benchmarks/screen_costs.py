"""The cost of the screen for its terminal and its user, on a real pseudo-terminal, beside a minimal application."""

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import minimal_screen
import screen_in_steps
from benchmarks.rows import Measure, Row, Unit
from flashdeck_tui.settings import FRAMES_OVER_SSH
from pseudo_terminal import OnTerminal
from screen_in_steps import BEGIN, END, FLASH_SECONDS, LINES_A_SECOND, MANY_BOARDS, MARK

MINIMAL = "minimal Textual"
_OURS, _LEAST = screen_in_steps.__file__, minimal_screen.__file__
_BETWEEN = (0.03, 0.12)
"""Seconds between two keys: at no fixed distance, so that they fall anywhere between two pictures."""
_KEY_SECONDS = 5.0
_CALM_SECONDS = 2.0
"""For what a start still does afterwards."""
_STARTS = 3
_HELD_SECONDS = 5.0
_REPEATS = 0.03
"""Seconds between two characters of a key that is held, as terminals send them."""
_ASKED = b"\x1b[?2026$p"
_KNOWN = b"\x1b[?2026;2$y"
_PICTURE = b"\x1b[?2026h"
"""The question if a terminal knows where pictures begin, its answer, and such a beginning (synchronized output)."""
_KEY = "key to paint"
_BUSY = f"{MANY_BOARDS} boards, {LINES_A_SECOND} log lines a second"


def rows(keys: int) -> Iterator[Row]:
    """Key to paint, and bytes; times are medians, and what only one in twenty takes longer than."""
    ours, least = sorted(_milliseconds(_OURS, keys)), sorted(_milliseconds(_LEAST, keys))
    yield Row(what=f"{_KEY}: {_BUSY}", measure=Measure.median(ours, Unit.MILLISECONDS), aim=50)
    yield Row(what=f"{_KEY}, 95 of 100: {_BUSY}", measure=_slow(ours), aim=150)
    yield Row(
        what=f"{_KEY}: {minimal_screen.LINES} lines", tool=MINIMAL, measure=Measure.median(least, Unit.MILLISECONDS)
    )
    yield Row(what=f"{_KEY}, 95 of 100: {minimal_screen.LINES} lines", tool=MINIMAL, measure=_slow(least))
    starts = [_start() for _ in range(_STARTS)]
    yield Row(what="start to the first picture", tool=MINIMAL, measure=Measure.median(starts, Unit.MILLISECONDS))
    yield Row(
        what=f"screen's bytes, idle: {screen_in_steps.BOARDS} boards",
        measure=Measure(_sent(_OURS, "idle"), Unit.BYTES_A_MINUTE),
        aim=1000,
    )
    yield Row(
        what=f"screen's bytes, one board is flashed: {screen_in_steps.BOARDS} boards",
        measure=Measure(_sent(_OURS, "flashing") / FLASH_SECONDS, Unit.BYTES_A_SECOND),
        aim=10_000,
    )
    yield Row(
        what=f"screen's pictures over SSH, a key is held: {_BUSY}",
        measure=Measure(_pictures() / _HELD_SECONDS, Unit.A_SECOND),
        aim=FRAMES_OVER_SSH,
    )
    yield Row(
        what="screen's bytes, one number counts up",
        tool=MINIMAL,
        measure=Measure(_sent(_LEAST, "flashing") / FLASH_SECONDS, Unit.BYTES_A_SECOND),
        remark="at 4 pictures a second",
    )


def _slow(sorted_times: list[float]) -> Measure:
    return Measure(quantiles(sorted_times, n=20)[-1], Unit.MILLISECONDS, len(sorted_times))


def _screen(program: str, what: str, **variables: str) -> OnTerminal:
    path = str(Path(_OURS).parent)
    environment = {**os.environ, "LANG": "C.UTF-8", "PYTHONPATH": path}
    for name in ("LC_ALL", "LC_CTYPE", "NO_COLOR", "SSH_CONNECTION"):
        environment.pop(name, None)
    environment |= variables
    return OnTerminal(program, what, installed=(sys.executable, environment))


def _sent(program: str, what: str) -> int:
    screen = _screen(program, what)
    try:
        screen.until(END)
        return screen.seen.index(END) - screen.seen.index(BEGIN) - len(BEGIN)
    finally:
        screen.close()
        screen.ended()


def _pictures() -> int:
    """Return how many are drawn while the cursor goes up and down without a pause."""
    screen = _screen(_OURS, "keys", SSH_CONNECTION="192.0.2.1 5 192.0.2.2 22")
    try:
        screen.until(_ASKED)
        screen.types(_KNOWN)
        screen.until(MARK.strip().encode())
        _read_for(screen, _CALM_SECONDS)
        screen.seen = b""
        for number in range(round(_HELD_SECONDS / _REPEATS)):
            screen.types(b"jk"[number % 2 : number % 2 + 1])
            _read_for(screen, _REPEATS)
        return screen.seen.count(_PICTURE)
    finally:
        screen.types(b"q")
        screen.close()
        screen.ended()


def _milliseconds(program: str, keys: int) -> Iterator[float]:
    """Yield how long it takes from each key to the mark on another line."""
    pauses = random.Random(1)  # noqa: S311 - nothing secret
    mark = MARK.strip().encode()
    screen = _screen(program, "keys")
    try:
        screen.until(mark)
        _read_for(screen, _CALM_SECONDS)
        for number in range(keys):
            _read_for(screen, pauses.uniform(*_BETWEEN))
            screen.seen = b""
            pressed = time.monotonic()
            screen.types(b"jk"[number % 2 : number % 2 + 1])  # down and up: a list that scrolls leaves the mark alone
            while mark not in screen.seen and time.monotonic() - pressed < _KEY_SECONDS:
                screen.reads(_KEY_SECONDS)
            yield (time.monotonic() - pressed) * 1000
        screen.types(b"q")
    finally:
        screen.close()
        screen.ended()


def _start() -> float:
    """Return how long a minimal application takes until its first picture."""
    began = time.monotonic()
    screen = _screen(_LEAST, "keys")
    try:
        screen.until(MARK.strip().encode())
        return (time.monotonic() - began) * 1000
    finally:
        screen.types(b"q")
        screen.close()
        screen.ended()


def _read_for(screen: OnTerminal, seconds: float) -> None:
    """Let the screen draw, so that it never waits for its terminal."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        screen.reads(left)
