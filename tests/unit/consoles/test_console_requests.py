"""What a client may ask of consoles: pages of a bounded size, and a wait of a bounded length."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import cast

import pytest

from flashdeck import api
from flashdeck.config import Board, Profile
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.names import select
from flashdeckd.boards.bench import Bench
from flashdeckd.requests import following_consoles
from flashdeckd.requests.following_consoles import LONGEST_CONSOLE_WAIT, ConsoleRequests
from lane_rig import PROFILE
from talking_boards import ON_APP, Talk, talking


class Asked:
    """The part of a bench that these requests want."""

    def __init__(self, talk: Talk) -> None:
        self.consoles = talk.consoles
        self._profile: Profile = PROFILE

    def matching(self, patterns: Iterable[str]) -> dict[str, Board]:
        return {name: Board(name, self._profile) for name in select(patterns, ("left", "right"))}


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "consoles") as found:
        found.configure(left=ON_APP, right=None)
        yield found


@pytest.fixture
def requests(talk: Talk) -> ConsoleRequests:
    return ConsoleRequests(cast("Bench", Asked(talk)))


async def test_a_page_says_where_it_goes_on(talk: Talk, requests: ConsoleRequests) -> None:
    record = talk.consoles.of("left").record
    for number in range(api.CONSOLE_PAGE + 10):
        record.add(0.0, ConsoleKind.LINE, str(number))
    page = await requests.page(api.GetConsole(board="left", after=1, limit=10_000))
    assert (page.board, len(page.entries), page.next) == ("left", api.CONSOLE_PAGE, api.CONSOLE_PAGE + 1)
    page = await requests.page(api.GetConsole(board="l*", after=page.next))
    assert [entry.number for entry in page.entries] == list(range(api.CONSOLE_PAGE + 2, api.CONSOLE_PAGE + 11))
    page = await requests.page(api.GetConsole(board="left", after=page.next))
    assert (page.entries, page.next) == ((), api.CONSOLE_PAGE + 10)


async def test_who_waits_gets_what_comes_next(talk: Talk, requests: ConsoleRequests) -> None:
    waiting = asyncio.create_task(requests.page(api.GetConsole(board="left", wait=1000)))
    await asyncio.sleep(0)
    talk.consoles.of("left").record.add(0.0, ConsoleKind.LINE, "here")
    assert [entry.text for entry in (await waiting).entries] == ["here"]


async def test_nobody_waits_for_ever(requests: ConsoleRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LONGEST_CONSOLE_WAIT == 60
    monkeypatch.setattr(following_consoles, "LONGEST_CONSOLE_WAIT", 0.01)
    assert (await requests.page(api.GetConsole(board="left", wait=1e9))).entries == ()


async def test_the_port_is_released_and_resumed(talk: Talk, requests: ConsoleRequests) -> None:
    talk.left.start()
    talk.see()
    released = await requests.release("left")
    assert (released.board, released.console.condition) == ("left", ConsoleCondition.RELEASED)
    assert "flashdeck console left --resume" in released.console.hint
    resumed = await requests.resume("left")
    assert talk.left.port is not None
    assert (resumed.console.condition, resumed.console.node) == (ConsoleCondition.OPEN, str(talk.left.port.node))


@pytest.mark.parametrize(
    ("board", "kind", "told"),
    [
        ("right", ErrorKind.BAD_REQUEST, "board right has no console"),
        ("*", ErrorKind.AMBIGUOUS, r"\* means 2 boards"),
        ("middle", ErrorKind.NO_SUCH_BOARD, "middle"),
        ("", ErrorKind.BAD_REQUEST, "no board is named"),
    ],
)
async def test_which_board_is_meant(requests: ConsoleRequests, board: str, kind: ErrorKind, told: str) -> None:
    for ask in (requests.page(api.GetConsole(board=board)), requests.release(board), requests.resume(board)):
        with pytest.raises(RequestError, match=told) as caught:
            await ask
        assert caught.value.kind is kind
