"""Boards of the same name on two hosts: whatever is said of one of them says of which host it is."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Failed
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.failure_notices import FailureNotices
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.details import title_of
from many_boards import ERASE_FAILED, bench
from tui_hands import Screen
from tui_scene import NOW, FakeLink, event, job, running

BOARD = "rack-001"
SIZES = ((60, 20), (80, 24), (120, 40))


def two_hosts() -> tuple[Fleet, list[FakeLink]]:
    links: list[FakeLink] = []
    for _ in range(2):
        store = Store()
        store.take(bench(2))
        links.append(FakeLink(store))
    return Fleet(
        [FleetHost(name, each.store, cast("Link", each)) for name, each in zip("ab", links, strict=True)]
    ), links


@asynccontextmanager
async def on_two_hosts(size: tuple[int, int] = (120, 40)) -> AsyncGenerator[tuple[Screen, list[FakeLink]]]:
    fleet, links = two_hosts()
    app = FlashdeckApp(fleet, clock=lambda: NOW)
    async with app.run_test(size=size) as pilot:
        app.refresh_views()
        screen = Screen(app, links[0], pilot)
        await screen.settle()
        yield screen, links


def mark_both(screen: Screen) -> None:
    screen.app.main.toggle_marks([Selection(board=BOARD, host=host) for host in "ab"])


@pytest.mark.parametrize("size", SIZES)
async def test_one_deed_for_boards_of_two_hosts_says_which_they_are(size: tuple[int, int]) -> None:
    async with on_two_hosts(size) as (screen, links):
        mark_both(screen)
        await screen.press("H")
        screen.type("lunch")
        await screen.press("enter")
        assert screen.said[-1].startswith(f"2 boards (a/{BOARD}, b/{BOARD}) are on hold: lunch.")
        assert [[call.boards for call in each.calls if isinstance(call, api.Hold)] for each in links] == [
            [(BOARD,)]
        ] * 2
        await screen.press("u")
        assert f"hold a/{BOARD}" in screen.said[-1], "of the host under the cursor"


async def test_a_host_that_is_away_or_refuses_is_named_and_the_deed_is_done_on_the_other() -> None:
    async with on_two_hosts() as (screen, links):
        mark_both(screen)
        links[1].answers[api.Disarm] = RemoteError("the disk is full", kind=ErrorKind.OTHER, hint="make room")
        await screen.press("Z")
        assert [call.boards for call in links[0].calls if isinstance(call, api.Disarm)] == [(BOARD,)]
        assert f"b/{BOARD}" in screen.said[-1]
        assert "the disk is full" in screen.said[-1]
        links[1].state = LinkState(LinkStatus.DISCONNECTED, "b does not answer", "wait")
        screen.app.refresh_views()
        await screen.press("z", "z")  # by host
        assert "host b is away" in screen.shown


async def test_why_something_cannot_be_done_and_the_details_name_the_host() -> None:
    async with on_two_hosts() as (screen, _):
        await screen.select(Selection(board=BOARD, host="b"))
        assert f"b/{BOARD}" in str(screen.app.main.query_one("#details-panel").border_title)
        await screen.press("A")
        assert screen.said[-1].startswith(f"b/{BOARD} is already armed")
        await screen.press("L")
        assert screen.said[-1].startswith(f"b/{BOARD} is not on hold")


async def test_jobs_that_are_cancelled_are_named_with_their_hosts() -> None:
    async with on_two_hosts() as (screen, links):
        for each in links:
            each.store.take(event(job=job(7, BOARD, running())))
        mark_both(screen)
        await screen.press("c")
        assert f"(app1 of a/{BOARD}, app1 of b/{BOARD})" in screen.text
        await screen.press("y")
        assert f"app1 of b/{BOARD}" in screen.said[-1]


def test_a_notice_of_a_failure_names_the_host() -> None:
    fleet, links = two_hosts()
    notices = FailureNotices()
    assert notices.look(fleet, NOW) == ""
    links[1].store.take(event(job=job(9, BOARD, Failed(failure=ERASE_FAILED))))
    assert notices.look(fleet, NOW + 100.0).startswith(f"b/{BOARD} app1: ")


def test_a_job_of_the_queue_is_titled_with_the_host() -> None:
    fleet, links = two_hosts()
    links[1].store.take(event(job=job(9, BOARD, running())))
    host = fleet.hosts[1]
    title = title_of(host.store, Selection(board=BOARD, job=9, host="b"), lambda name: fleet.shown_name(host, name))
    assert title == f"job 9: app1 of b/{BOARD}"
