"""Work that goes on to its end where whoever asked for it is gone meanwhile: half of it would be worse than none."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

from flashdeck.errors import FlashdeckError

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def carried_through(work: Awaitable[T]) -> T:
    """Return what `work` returns, and raise what it raises. It goes on where this is cancelled.

    A FlashdeckError that it raises then is for nobody: so ends what a daemon that stops has not begun yet.
    """
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_hear)
        raise


def _hear(future: asyncio.Future[Any]) -> None:
    """Say how work has failed that nobody waits for."""
    if future.cancelled():
        return
    match future.exception():
        case None:
            pass
        case FlashdeckError() as error:
            _log.debug("nobody waits for it any more: %s", error.message)
        case error:
            _log.error("stopped by a fault in flashdeckd", exc_info=error)
