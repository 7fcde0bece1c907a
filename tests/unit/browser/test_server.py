"""The server behind the entrance: a page, its files, and a screen for each page, as a browser's requests get them."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck_tui.browser.door import Door
from flashdeck_tui.browser.packets import LONGEST_MESSAGE
from flashdeck_tui.browser.screen_process import END_SECONDS
from flashdeck_tui.browser.server import CLOSE_SECONDS, HEARTBEAT, MOST_SCREENS, TOKEN_BYTES, ServedScreen, serving
from unit.browser.test_screen_process import ECHO, is_alive

ARGV = (
    sys.executable,
    "-S",
    "-c",
    ECHO.replace('"TEXTUAL_DRIVER"', '"PID"').replace(
        "import json", "import json\nimport os\nos.environ['PID'] = str(os.getpid())\nimport json"
    ),
)
"""A screen that draws its process number and its size first, and then what it is sent."""


class House:
    """A server, and a browser before it."""

    def __init__(self, door: Door, browser: aiohttp.ClientSession, told: list[str]) -> None:
        self.door = door
        self.browser = browser
        self.told = told

    async def get(self, path: str = "", **headers: str) -> tuple[int, str, Any]:
        async with self.browser.get(self.door.url + path, headers=headers) as answer:
            return answer.status, await answer.text(errors="replace"), answer.headers

    async def screen(self, query: str = "?width=80&height=24", **headers: str) -> aiohttp.ClientWebSocketResponse:
        return await self.browser.ws_connect(
            self.door.screen_url + query, headers={"Origin": self.door.origin, **headers}, autoping=True
        )


@asynccontextmanager
async def house(argv: tuple[str, ...] = ARGV, address: str = "127.0.0.1") -> AsyncGenerator[House]:
    told: list[str] = []
    async with (
        serving(ServedScreen(argv, "flashdeck on <bench>", address), told.append) as door,
        aiohttp.ClientSession() as browser,
    ):
        yield House(door, browser, told)


async def pid_of(screen: aiohttp.ClientWebSocketResponse) -> int:
    return int((await screen.receive_bytes()).split()[0])


async def gone(pid: int) -> None:
    """Until a process has ended, of which nothing tells this one."""
    while is_alive(pid):  # noqa: ASYNC110 - a child of nobody here
        await asyncio.sleep(0.01)


async def test_a_page_brings_all_that_it_loads_itself() -> None:
    async with house() as it:
        status, text, headers = await it.get()
        assert status == 200
        assert "<title>flashdeck on &lt;bench&gt;</title>" in text
        places = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert len(places) > 3
        for place in places:
            if place not in ("", "data:,"):
                assert ":" not in place
                status, _, _ = await it.get(place)
                assert status == 200, place
        _, style, _ = await it.get("page.css")
        for place in re.findall(r'url\("([^"]*)"\)', style):
            assert (await it.get(place))[0] == 200, place
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Connection"] == "close"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert f"connect-src ws://{it.door.authority};" in policy
        assert re.findall(r"\w+://\S+", policy) == [f"ws://{it.door.authority};"]


async def test_what_is_not_there_is_no_secret_and_has_the_same_headers() -> None:
    async with house() as it:
        for path in ("download/x", "static/../server.py", "static/", "static/" + "x" * 5000, "nothing"):
            status, text, headers = await it.get(path)
            assert status in (403, 404), path
            assert headers["Referrer-Policy"] == "no-referrer"
            assert it.door.token not in text


async def test_odd_requests_of_whoever_has_the_token_are_answered_and_end_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with house() as it:
        cookies = {"Cookie": "; ".join(f"c{number}={'x' * 100}" for number in range(250))}
        assert (await it.get(**cookies))[0] == 200, "those that other ports of this machine have set"
        assert (await it.get("?" + "a" * 20_000))[0] == 200
        own = {"Origin": it.door.origin}
        no_handshakes: tuple[dict[str, str], ...] = ({}, {"Upgrade": "h2c", "Connection": "Upgrade"})
        for odd in (*no_handshakes, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "99"}):
            assert (await it.get("screen", **own, **odd))[0] == 400
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await it.browser.post(it.door.url + "screen", headers=own)
        async with await it.screen() as screen:
            assert await pid_of(screen)
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_without_the_token_nothing_is_answered() -> None:
    async with house() as it:
        for path in ("/", "/page.css", "/static/js/textual.js", "/screen", "/download/x", "/favicon.ico", "/x/"):
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await it.browser.get(it.door.origin + path)
        with pytest.raises(aiohttp.ClientError):
            await it.browser.ws_connect(f"ws://{it.door.authority}/screen", headers={"Origin": it.door.origin})
        assert not it.told


async def test_a_screen_is_not_for_another_page() -> None:
    """The case that was seen once: such a connection got in, and pressed a key."""
    async with house() as it:
        for origin in ("http://evil.example", "null", "http://127.0.0.1"):
            with pytest.raises(aiohttp.ClientError):
                await it.screen(Origin=origin)
        with pytest.raises(aiohttp.ClientError):
            await it.browser.ws_connect(it.door.screen_url)
        assert not [told for told in it.told if "opened" in told]


async def test_a_name_that_was_made_to_mean_this_machine_is_not_answered() -> None:
    async with house() as it:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await it.get(Host=f"evil.example:{it.door.port}")
        assert "evil.example" in it.told[0]


async def test_keys_go_to_the_screen_and_what_it_draws_comes_back() -> None:
    async with house() as it, await it.screen("?width=81&height=25") as screen:
        assert (await screen.receive_bytes()).split()[1:] == [b"81", b"25"]
        await screen.send_json(["stdin", "n"])
        assert await screen.receive_bytes() == b"Dn"
        await screen.send_json(["resize", {"width": 100, "height": 30}])
        assert b'"width": 100' in await screen.receive_bytes()
        await screen.send_json(["ping", "17"])
        assert await screen.receive_json() == ["pong", "17"]
        await screen.send_json(["of a later release"])
        await screen.send_json(["stdin", "q"])
        assert (await screen.receive()).type is aiohttp.WSMsgType.CLOSE
        assert it.told == ["a page was opened (1 page now)"]


async def test_closing_a_page_ends_its_screen_and_no_other() -> None:
    async with house() as it, await it.screen() as other:
        screen = await it.screen()
        pid, stays = await pid_of(screen), await pid_of(other)
        await screen.close()
        await gone(pid)
        assert is_alive(stays)


async def test_a_page_that_is_cut_off_ends_its_screen() -> None:
    async with house() as it:
        screen = await it.screen()
        pid = await pid_of(screen)
        cast("Any", screen)._response.connection.transport.abort()  # without a goodbye
        await gone(pid)


async def test_the_end_of_the_server_ends_all_screens() -> None:
    async with house() as it:
        screens = [await it.screen() for _ in range(3)]
        pids = [await pid_of(screen) for screen in screens]
    for pid in pids:
        assert not is_alive(pid)


async def test_there_are_so_many_pages_and_no_more() -> None:
    async with house() as it:
        screens = [await it.screen() for _ in range(MOST_SCREENS)]
        pids = [await pid_of(screen) for screen in screens]
        with pytest.raises(aiohttp.WSServerHandshakeError) as full:
            await it.screen()
        assert full.value.status == 503
        status, text, _ = await it.get()
        assert status == 503
        assert f"{MOST_SCREENS} pages are open" in text
        await screens[0].close()
        await gone(pids[0])
        assert (await it.get())[0] == 200


@pytest.mark.parametrize("said", ["{", '["resize", {"width": "x", "height": 1}]', "[[]]"])
async def test_a_page_that_says_nonsense_is_closed(said: str) -> None:
    async with house() as it, await it.screen() as screen:
        pid = await pid_of(screen)
        await screen.send_str(said)
        assert (await screen.receive()).type is aiohttp.WSMsgType.CLOSE
        await gone(pid)
        assert it.told[-1].startswith("a page was closed: ")


async def test_a_message_has_a_limit() -> None:
    async with house() as it, await it.screen() as screen:
        await pid_of(screen)
        most = LONGEST_MESSAGE - len('["stdin", ""]')
        await screen.send_json(["stdin", "k" * (most - 1)])
        assert len(await screen.receive_bytes()) == most
        await screen.send_json(["stdin", "k" * (most + 1)])
        assert (await screen.receive()).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_size_that_is_none_opens_no_screen() -> None:
    async with house() as it, await it.screen("?width=wide") as screen:
        assert (await screen.receive()).type is aiohttp.WSMsgType.CLOSE
        assert it.told == ["a page was closed: 'wide' times '24' is no size"]


async def test_a_screen_that_does_not_start_is_told() -> None:
    async with house(("/nowhere/flashdeck",)) as it, await it.screen() as screen:
        assert (await screen.receive()).type is aiohttp.WSMsgType.CLOSE
        assert "/nowhere/flashdeck" in it.told[-1]


async def test_the_other_address_of_this_machine_will_do() -> None:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        async with house(address="::1") as it, await it.screen() as screen:
            assert it.door.url.startswith("http://[::1]:")
            assert await pid_of(screen)
            assert (await it.get())[0] == 200
        return
    pytest.skip("this machine has no ::1")


async def test_a_port_that_cannot_be_had_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FlashdeckError, match=f"cannot listen on 127.0.0.1, port {port}"):
            async with serving(ServedScreen(ARGV, "", "127.0.0.1", port), print):
                pass


async def test_a_port_for_root_alone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: Any, **_options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", denied)
    with pytest.raises(FlashdeckError, match="port 80 is not for you") as found:
        async with serving(ServedScreen(ARGV, "", "127.0.0.1", 80), print):
            pass
    assert found.value.kind is ErrorKind.NO_PERMISSION


async def test_the_token_cannot_be_guessed() -> None:
    async with house() as one, house() as two:
        assert one.door.token != two.door.token
        assert len(one.door.token) == -(-TOKEN_BYTES * 8 // 6)
        assert TOKEN_BYTES * 8 >= 256


async def test_a_page_has_so_long_to_show_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that says nothing any more is seen to have gone; one that agrees to no end is not waited for."""
    made: list[dict[str, Any]] = []
    real = web.WebSocketResponse

    class Noted(real):
        def __init__(self, **options: Any) -> None:
            made.append(options)
            super().__init__(**options)

    runners: list[dict[str, Any]] = []
    real_runner = web.AppRunner

    def runner(*args: Any, **options: Any) -> Any:
        runners.append(options)
        return real_runner(*args, **options)

    monkeypatch.setattr(web, "WebSocketResponse", Noted)
    monkeypatch.setattr(web, "AppRunner", runner)
    async with house() as it, await it.screen() as screen:
        await pid_of(screen)
    assert (made[0]["heartbeat"], made[0]["timeout"]) == (HEARTBEAT, CLOSE_SECONDS)
    assert runners[0]["shutdown_timeout"] == CLOSE_SECONDS + END_SECONDS


async def test_the_token_is_in_no_command_line_and_no_environment() -> None:
    async with house() as it, await it.screen() as screen:
        pid = await pid_of(screen)
        for name in ("cmdline", "environ"):
            for process in (os.getpid(), pid):
                with open(f"/proc/{process}/{name}", "rb") as file:  # noqa: ASYNC230, PTH123 - of the kernel
                    assert it.door.token.encode() not in file.read()
