"""Terminals that stall and go at any moment: nothing outlives them, neither the screen nor what belongs to a demo."""

import random
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leftovers import left_behind
from pseudo_terminal import PATIENCE, OnTerminal
from soaking import sized

ROUNDS = sized(4, 8, 100)
AT_ONCE = sized(4, 4, 20)
LONGEST_START = 1.5
"""Seconds: about what it takes to draw the first screen."""
LOOK_AGAIN = 0.1


def one_round(seed: int) -> None:
    """Starts it, reads for a while, or not, and hangs up."""
    moments = random.Random(seed)  # noqa: S311 - a choice of moments, nothing secret
    with tempfile.TemporaryDirectory(prefix="fd-") as name:
        place = Path(name)
        (place / "tmp").mkdir()
        words = ("demo",) if seed % 3 == 0 else ("--socket", str(place / "s"))
        app = OnTerminal(*words, ignore_hangup=seed % 4 == 1, TMPDIR=str(place / "tmp"))
        end = time.monotonic() + moments.uniform(0, 2 * LONGEST_START)  # a moment of its own choice is the point
        while time.monotonic() < end and app.reads(end - time.monotonic()):
            pass
        if seed % 2:
            app.stalls()
        if seed % 5 == 4:
            app.process.send_signal(signal.SIGTERM)
        app.close()
        assert app.ended() != 0
        deadline = time.monotonic() + PATIENCE
        while left := left_behind(place):
            assert time.monotonic() < deadline, left
            time.sleep(LOOK_AGAIN)  # they are no children of ours that could be waited for


@pytest.mark.soak
def test_nothing_outlives_its_terminal() -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(one_round, range(ROUNDS)):
            pass
