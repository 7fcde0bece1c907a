"""The server of `flashdeck serve`: behind the entrance there are a page, the files that it needs, and its screens."""

import asyncio
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean, counted
from flashdeck_tui.browser import page
from flashdeck_tui.browser.door import LONGEST_HEAD, SCREEN_PATH, Door
from flashdeck_tui.browser.entrance import Entrances
from flashdeck_tui.browser.packets import LONGEST_MESSAGE, PacketError, Pinged, ScreenSize, message
from flashdeck_tui.browser.screen_process import END_SECONDS, ScreenProcess

MOST_SCREENS: Final = 8
"""Pages at a time: each has a process of its own."""
HEARTBEAT: Final = 15.0
"""Seconds between two questions if a page is still there, after which one that has gone is seen to have."""
CLOSE_SECONDS: Final = 1.0
"""Seconds that a page has to agree to its end."""
TOKEN_BYTES: Final = 32
"""Random bytes in an address."""
_FULL: Final = f"{MOST_SCREENS} pages are open, which is as many as there may be. Close one, and load this page again."


@dataclass(frozen=True, slots=True)
class ServedScreen:
    """The things to serve, and the place for it."""

    argv: tuple[str, ...]
    """The command line of one screen."""
    title: str
    address: str
    """Of the loopback; see `door.loopback`."""
    port: int = 0
    """0: any that is free."""


@asynccontextmanager
async def serving(wanted: ServedScreen, tell: Callable[[str], object]) -> AsyncGenerator[Door]:
    """Serve for a block, whose end ends every page and its screen. `tell` is told of pages that come and go.

    Raises FlashdeckError where the port cannot be had.
    """
    with _listener(wanted.address, wanted.port) as listener:
        door = Door(wanted.address, listener.getsockname()[1], secrets.token_urlsafe(TOKEN_BYTES))
        screens = _Screens(door, wanted, tell)
        runner = web.AppRunner(
            screens.application(),
            access_log=None,
            handler_cancellation=True,  # a page that has gone ends its screen whatever is waited for
            shutdown_timeout=CLOSE_SECONDS + END_SECONDS,
            # The entrance bounds a request as a whole, and what it lets in is understood.
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
            max_headers=LONGEST_HEAD,
        )
        await runner.setup()
        try:
            assert runner.server is not None  # noqa: S101 - it was set up
            entrances = Entrances(door, runner.server, tell)
            server = await asyncio.get_running_loop().create_server(entrances, sock=listener)
            try:
                yield door
            finally:
                server.close()
                await screens.close()
        finally:
            await runner.cleanup()


def _listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except PermissionError as error:
        raise FlashdeckError(
            f"port {port} is not for you: {error.strerror}",
            hint="take one above 1023, or leave out --port",
            kind=ErrorKind.NO_PERMISSION,
        ) from error
    except OSError as error:
        raise FlashdeckError(
            f"cannot listen on {address}, port {port}: {error.strerror}", hint="take another one, or leave out --port"
        ) from error


class _Screens:
    """The pages that are open, and what they are answered."""

    def __init__(self, door: Door, wanted: ServedScreen, tell: Callable[[str], object]) -> None:
        self._door = door
        self._wanted = wanted
        self._tell = tell
        self._open: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """Return all that is behind the entrance, where paths have no token any more."""
        made = web.Application()
        made.add_routes(
            [
                web.get("/", self._page),
                web.get(f"/{page.STYLE_NAME}", self._style),
                web.get(f"/{page.SCRIPT_NAME}", self._script),
                web.get(SCREEN_PATH, self._screen),
                *(web.get(f"/static/{name}", partial(_file, file)) for name, file in _files()),
            ]
        )
        made.on_response_prepare.append(self._prepare)
        return made

    async def close(self) -> None:
        """End all pages."""
        await asyncio.gather(*(each.close(code=WSCloseCode.GOING_AWAY) for each in tuple(self._open)))

    async def _prepare(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(page.headers(self._door))
        if not isinstance(response, web.WebSocketResponse):
            response.headers["Connection"] = "close"  # the next request goes through the entrance again
        response.force_close()

    async def _page(self, _request: web.Request) -> web.Response:
        if len(self._open) >= MOST_SCREENS:
            return web.Response(text=_FULL, status=503)
        return web.Response(text=page.page(self._door, self._wanted.title), content_type="text/html")

    async def _style(self, _request: web.Request) -> web.Response:
        return web.Response(text=page.STYLE, content_type="text/css")

    async def _script(self, _request: web.Request) -> web.Response:
        return web.Response(text=page.SCRIPT, content_type="text/javascript")

    async def _screen(self, request: web.Request) -> web.StreamResponse:
        if len(self._open) >= MOST_SCREENS:
            return web.Response(text=_FULL, status=503)
        opened = web.WebSocketResponse(
            heartbeat=HEARTBEAT, timeout=CLOSE_SECONDS, max_msg_size=LONGEST_MESSAGE, compress=False
        )
        self._open.add(opened)
        try:
            await opened.prepare(request)
            size = ScreenSize.of(request.query.get("width", "80"), request.query.get("height", "24"))
            await self._show(opened, size)
        except (PacketError, OSError) as error:
            self._tell(f"a page was closed: {clean(str(error))}")
        finally:
            self._open.discard(opened)
            if opened.prepared:  # else it was no handshake, and is answered so
                with suppress(OSError):
                    await opened.close()
        return opened

    async def _show(self, opened: web.WebSocketResponse, size: ScreenSize) -> None:
        """Carry a screen to its page, and keys back, until one of them ends. Raises PacketError and OSError."""
        screen = await ScreenProcess.started(self._wanted.argv, size)
        self._tell(f"a page was opened ({counted(len(self._open), 'page')} now)")
        ways = (asyncio.create_task(_draw(screen, opened)), asyncio.create_task(_hear(opened, screen)))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            try:
                ended = await asyncio.gather(*ways, return_exceptions=True)
            finally:
                await screen.end()
        for each in ended:
            if isinstance(each, Exception):
                raise each


async def _draw(screen: ScreenProcess, opened: web.WebSocketResponse) -> None:
    async for drawn in screen.drawn():
        await opened.send_bytes(drawn)


async def _hear(opened: web.WebSocketResponse, screen: ScreenProcess) -> None:
    async for said in opened:
        heard = message(said.data) if said.type is WSMsgType.TEXT else None
        if isinstance(heard, Pinged):
            await opened.send_str(heard.answer)
        elif heard is not None:
            screen.take(heard.packet)


async def _file(file: Path, _request: web.Request) -> web.FileResponse:
    return web.FileResponse(file)


def _files() -> Iterator[tuple[str, Path]]:
    """Yield what runs in the browser, by name. The package is not imported: its server is not wanted."""
    found = find_spec("textual_serve")
    assert found is not None  # noqa: S101 - the extra was asked for
    assert found.origin is not None  # noqa: S101 - it is a package of files
    root = Path(found.origin).parent / "static"
    yield from ((str(file.relative_to(root)), file) for file in sorted(root.rglob("*")) if file.is_file())
