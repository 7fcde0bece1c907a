"""Work that is carried through: it ends, also where nobody waits for it, and a failure is told where it has to be."""

import asyncio
import logging

import pytest

from flashdeck.errors import FlashdeckError
from flashdeckd.state.carried_through import carried_through


async def test_it_returns_and_raises_what_the_work_does() -> None:
    async def fails() -> None:
        raise FlashdeckError("no")

    assert await carried_through(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(FlashdeckError, match="no"):
        await carried_through(fails())


@pytest.mark.parametrize(
    ("error", "told"),
    [(None, ""), (FlashdeckError("the journal is closed"), ""), (KeyError("x"), "stopped by a fault in flashdeckd")],
)
async def test_it_goes_on_where_whoever_asked_is_gone(
    error: Exception | None, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        ended.set()
        if error is not None:
            raise error

    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
    asked = asyncio.ensure_future(carried_through(work()))
    await begun.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    del asked
    assert not ended.is_set()
    with caplog.at_level(logging.WARNING):
        may_end.set()
        await ended.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not unheard
    assert [record.getMessage() for record in caplog.records] == ([told] if told else [])
