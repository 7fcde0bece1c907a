"""The times that code asks for, noted instead of waited for."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest


@dataclass
class AskedTimes:
    """Seconds, in order."""

    timeouts: list[float | None] = field(default_factory=list[float | None])
    naps: list[float] = field(default_factory=list[float])


def asked_times(monkeypatch: pytest.MonkeyPatch) -> AskedTimes:
    """Notes what `asyncio.timeout`, `asyncio.sleep` and `time.sleep` are asked for: timeouts are real, sleeps short."""
    asked = AskedTimes()
    real_timeout, real_sleep = asyncio.timeout, asyncio.sleep

    def timeout(seconds: float | None) -> asyncio.Timeout:
        asked.timeouts.append(seconds)
        return real_timeout(seconds)

    async def sleep(seconds: float) -> None:
        asked.naps.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "timeout", timeout)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "sleep", asked.naps.append)
    return asked
