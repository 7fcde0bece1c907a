"""The screen's link, store and words with a daemon of another release of its protocol."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flashdeck import __version__
from flashdeck.api import GetStatus, Hold
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.model import Disposition, Presence
from flashdeck_tui.link import Link, LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.details import details, title_of
from flashdeck_tui.views.header import header, notices
from flashdeck_tui.views.jobs import job_rows
from flashdeck_tui.views.log import log_text
from stand_in_daemon import RELEASE, TEXT, StandIn, stand_in
from tui_scene import KEYS, NOW, fleet_of, listed_rows


@asynccontextmanager
async def linked(daemon: StandIn, store: Store) -> AsyncGenerator[Link]:
    link = Link(daemon.socket, store)
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def until(reached: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - the store has no event: screens look at it now and then, as here
            await asyncio.sleep(0.005)


def everything(store: Store, link: Link) -> list[str]:
    """All that the screen could show."""
    rows = [*listed_rows(store), *job_rows(store, NOW)]
    cells = [phrase.text for row in rows for phrase in row.cells]
    lines = [line.text for row in rows for line in details(store, row.key, NOW, KEYS)]
    titles = [title_of(store, row.key) for row in rows]
    about = [
        phrase.text
        for phrase in (*header(fleet_of(store, link.state), KEYS), *notices(fleet_of(store, link.state), NOW, 80))
    ]
    return [*cells, *lines, *titles, *about, *map(log_text, store.log)]


@pytest.mark.parametrize("later", [False, True], ids=["same", "later"])
async def test_the_screen_follows_another_release_of_its_protocol(*, later: bool) -> None:
    with stand_in(later=later) as daemon:
        events = [daemon.protocol.event(number, later=later) for number in range(len(daemon.protocol.events))]
        last = {"log": {"id": 4711, "time": NOW, "level": "info", "text": "the last line", "board": "", "job": 0}}
        daemon.after["logs"] = [{k: v for k, v in each.items() if k != "seq"} for each in (*events, last)]
        store = Store()
        async with linked(daemon, store) as link:
            await until(lambda: store.last_line == 4711)
            assert link.state.status is LinkStatus.CONNECTED
            told = everything(store, link)
            assert any("the last line" in line for line in told)
            assert any(TEXT in line for line in told) is later
            assert (await link.call(GetStatus())).daemon.host == "bench"
        left = store.boards["left"]
        assert (left.presence is Presence.OTHER) is later
        assert left.text in told or not later
        (artifact,) = store.artifacts.values()
        assert (artifact.disposition is Disposition.OTHER) is later
        settled = [job.id for job in store.jobs.values() if job.is_settled]
        assert settled == [6, 7, 8, 9]


async def test_a_log_that_the_daemon_does_not_have_costs_the_screen_nothing_else() -> None:
    with stand_in(without=["logs", "hold"]) as daemon:
        store = Store()
        async with linked(daemon, store) as link:
            await until(lambda: link.connected)
            told = everything(store, link)
            assert any(f"flashdeckd {RELEASE}" in line and "'logs'" in line for line in told)
            assert any(f"flashdeck {__version__}" in line for line in told)
            with pytest.raises(FlashdeckError, match="has no method 'hold'") as refused:
                await link.call(Hold(boards=("left",)))
            assert refused.value.kind is ErrorKind.PROTOCOL_MISMATCH
            assert link.connected
            assert details(store, Selection(board="left"), NOW, KEYS)
            assert (await link.call(GetStatus())).boards


async def test_a_daemon_of_another_protocol_is_named_with_us() -> None:
    with stand_in() as daemon:
        message = f"flashdeckd {RELEASE} speaks protocol 1, the client 2"
        daemon.errors["hello"] = {"code": 8, "message": message, "data": {"kind": "protocol-mismatch", "hint": "same"}}
        store = Store()
        async with linked(daemon, store) as link:
            await until(lambda: link.state.status is LinkStatus.DISCONNECTED)
            (told, *_) = notices(fleet_of(store, link.state), NOW, 80)
            assert RELEASE in told.text
            assert f"flashdeck {__version__}" in told.text
