"""A real browser without a window, Chromium, over its DevTools protocol: pages that are opened, read and closed."""

import asyncio
import base64
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from needed_tools import need
from rig import WAIT_SECONDS

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""The programs, by the names that they have on different systems."""
LOOK_AGAIN = 0.1
"""Seconds between two looks at what a page shows: nothing tells of it."""
_FIND_TERMINAL = """
Object.defineProperty(Object.prototype, "terminal", {
  configurable: true,
  set(made) {
    Object.defineProperty(this, "terminal", {value: made, writable: true});
    if (made && made.buffer) { window.seenTerminal = made; }
  },
});
"""
"""Run before the page: keeps the terminal that it makes, whose lines are what a person sees. Its pixels are no text."""
_LINES = """
(() => {
  const made = window.seenTerminal;
  if (!made) { return document.body ? document.body.innerText : ""; }
  const lines = [];
  for (let at = 0; at < made.rows; at++) {
    lines.push(made.buffer.active.getLine(made.buffer.active.viewportY + at).translateToString(true));
  }
  return lines.join("\\n");
})()
"""


class Browser:
    """A running browser."""

    def __init__(self, devtools: aiohttp.ClientWebSocketResponse) -> None:
        self._devtools = devtools
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.events: list[dict[str, Any]] = []
        """All that it has told of, by itself."""
        self._hearing = asyncio.create_task(self._hear())

    async def call(self, method: str, *, session: str = "", **params: object) -> Any:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        asked: dict[str, object] = {"id": number, "method": method, "params": params}
        await self._devtools.send_json(asked | ({"sessionId": session} if session else {}))
        answer = await asyncio.wait_for(self._answers[number], WAIT_SECONDS)
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url: str) -> "Page":
        """Open a page, and return once it is being loaded."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = Page(self, target, session)
        for method in ("Page.enable", "Network.enable", "Runtime.enable", "Log.enable"):
            await page.call(method)
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=_FIND_TERMINAL)
        await page.call("Page.navigate", url=url)
        return page

    async def close(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            await self.call("Browser.close")
        self._hearing.cancel()
        await asyncio.wait((self._hearing,))

    async def _hear(self) -> None:
        async for message in self._devtools:
            said = message.json()
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            else:
                self.events.append(said)


class Page:
    """One page of it."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    async def call(self, method: str, **params: object) -> Any:
        return await self._browser.call(method, session=self._session, **params)

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return the things that the browser has told of this page under a name."""
        return [
            each["params"]
            for each in self._browser.events
            if each.get("sessionId") == self._session and each["method"] == method
        ]

    async def evaluate(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def shown(self) -> str:
        """The lines of the terminal in the page, else its text."""
        return str(await self.evaluate(_LINES))

    async def until(self, is_so: Callable[[str], bool]) -> str:
        """Return the thing that is shown once it is so."""
        return await self._until(is_so, self.shown)

    async def until_text(self, text: str) -> None:
        """Wait until the page has a text beside its terminal."""

        async def own_text() -> str:
            return str(await self.evaluate("document.body.innerText"))

        await self._until(lambda shown: text in shown, own_text)

    async def _until(self, is_so: Callable[[str], bool], look: Callable[[], Awaitable[str]]) -> str:
        shown = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while not is_so(shown := await look()):  # noqa: ASYNC110 - a page tells of nothing
                    await asyncio.sleep(LOOK_AGAIN)
                return shown
        console = [self.events("Runtime.exceptionThrown"), self.events("Log.entryAdded")]
        raise AssertionError(f"{shown}\n{console}")

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    async def picture(self, to: Path) -> None:
        data = (await self.call("Page.captureScreenshot"))["data"]
        to.write_bytes(base64.b64decode(data))  # noqa: ASYNC240 - of the test's own

    async def close(self) -> None:
        await self._browser.call("Target.closeTarget", targetId=self._target)


@asynccontextmanager
async def headless_browser() -> AsyncGenerator[Browser]:
    """A browser with nothing of a person's, for the length of a block."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        need(NAMES[0], packages=NAMES[0])
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="fd-browser-", ignore_cleanup_errors=True) as made:
        room = Path(made)
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={room}",
            "--window-size=1000,600",
            "--no-first-run",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HOME": made},
            start_new_session=True,
        )
        try:
            port, path = await _door(room / "DevToolsActivePort", process)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as devtools,
            ):
                browser = Browser(devtools)
                try:
                    yield browser
                finally:
                    await browser.close()
            async with asyncio.timeout(WAIT_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _door(file: Path, process: asyncio.subprocess.Process) -> tuple[str, str]:
    """The port and path of the DevTools protocol, once the browser has written them down."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with suppress(FileNotFoundError, ValueError):
                port, path = file.read_text().splitlines()  # noqa: ASYNC240 - of the test's own
                return port, path
            assert process.returncode is None, "the browser ended"
            await asyncio.sleep(LOOK_AGAIN)
