"""The same time of day everywhere, so that pictures can be compared; and a pause that lasts until all has been done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from textual import pilot

MOST_TURNS = 10_000
"""Turns of the loop in which a test that makes work for itself again and again is at rest all the same."""
_textual_waits: Callable[..., Awaitable[None]] = cast("Any", pilot).wait_for_idle


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def pauses_are_as_long_as_they_need_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of Textual's ends once this process has used no processor for 20 ms: on a busy machine it got none."""

    async def wait_for_idle(*limits: float) -> None:
        await _textual_waits(*limits)
        loop: Any = asyncio.get_running_loop()
        for _ in range(MOST_TURNS):
            if not loop._ready:  # nobody else knows
                break
            await asyncio.sleep(0)

    monkeypatch.setattr(pilot, "wait_for_idle", wait_for_idle)
