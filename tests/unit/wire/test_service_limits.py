"""How long the daemon waits for the bus and the builds, counted instead of waited for."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asked_times import asked_times
from flashdeckd.builds.builds import Builds
from flashdeckd.service import FIRST_LOOK_SECONDS, RESTART_SECONDS, first_look, follow_bus
from flashdeckd.usb.device import UsbDevice


class DeadSource:
    """A bus that can never be followed, until it has been tried so many times."""

    trouble = ""
    hint = ""
    unread = ()

    def __init__(self, tries: int) -> None:
        self._left = tries

    async def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError
        raise OSError("no netlink")
        yield


async def test_a_bus_that_can_not_be_followed_is_tried_again_after_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asked_times(monkeypatch)
    nobody = cast("Any", SimpleNamespace(report=lambda *_, **__: None))  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(asyncio.CancelledError):
        await follow_bus(DeadSource(len(RESTART_SECONDS) + 1), nobody, nobody, asyncio.Event())
    assert asked.naps == [*RESTART_SECONDS, RESTART_SECONDS[-1]]


async def test_the_first_look_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = asyncio.wait

    async def wait(tasks: "list[asyncio.Task[Any]]", timeout: float | None = None, **options: Any) -> Any:  # noqa: ASYNC109 - asyncio's own
        asked.append(timeout)
        return await real(tasks, timeout=timeout and 0.001, **options)

    monkeypatch.setattr(asyncio, "wait", wait)
    await first_look(asyncio.Event(), cast("Builds", None), asyncio.Event())
    assert asked == [FIRST_LOOK_SECONDS, None]
