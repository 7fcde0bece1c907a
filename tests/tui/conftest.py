"""The same time of day everywhere, so that pictures can be compared; and a pause that lasts until all has been done."""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import pytest
from textual import pilot

from idle_loop import until_nothing_is_ready

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
        await until_nothing_is_ready()

    monkeypatch.setattr(pilot, "wait_for_idle", wait_for_idle)
