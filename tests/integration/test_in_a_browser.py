"""`flashdeck serve` in a real browser: the boards are there, a flash is seen live, and a page ends its process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flashdeck import api
from headless_browser import Browser, headless_browser
from rig import WAIT_SECONDS, Rig, firmware

pytestmark = [pytest.mark.long, pytest.mark.parametrize("rig", ["slow"], indirect=True)]


@dataclass
class Served:
    """A running `flashdeck serve`."""

    url: str
    process: asyncio.subprocess.Process

    @property
    def screens(self) -> list[int]:
        """The processes that it has started and that are there."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in children.split()]

    async def until_screens(self, count: int) -> list[int]:
        """The processes, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := self.screens) != count:  # noqa: ASYNC110 - children of another process
                await asyncio.sleep(0.05)
        return found


@asynccontextmanager
async def served(rig: Rig, *words: str) -> AsyncGenerator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flashdeck_tui", "--socket", str(rig.socket), "serve", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield Served((await process.stdout.readline()).decode().strip(), process)
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 128 + signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def see_a_flash(browser: Browser, rig: Rig, it: Served) -> None:
    page = await browser.open(it.url)
    await page.until(lambda shown: "left" in shown and "read-only" in shown)
    (screen,) = await it.until_screens(1)
    data = firmware("1.0.1", size=200_000)  # a browser on a busy machine draws seldom
    rig.build(data)
    await page.until(lambda shown: "%" in shown)  # while it runs
    await rig.wait(data=data)
    await page.until(lambda shown: "1.0.1" in shown and "%" not in shown)
    if kept := os.environ.get("FLASHDECK_PICTURES"):
        await page.picture(Path(kept, "in-a-browser.png"))
    assert page.events("Runtime.exceptionThrown") == []
    asked = {each["request"]["url"] for each in page.events("Network.requestWillBeSent")}
    assert all(url.startswith((it.url, "data:")) for url in asked), asked
    await page.press("H")
    await page.until(lambda shown: "can look, and change nothing" in shown)
    (board,) = (await rig.client.call(api.GetBoards())).boards
    assert board.hold is None
    await page.close()
    await it.until_screens(0)
    with pytest.raises(ProcessLookupError):
        os.kill(screen, 0)


async def test_the_boards_are_there_a_flash_is_seen_live_and_a_page_ends_its_process(rig: Rig) -> None:
    async with headless_browser() as browser:
        async with served(rig) as it:
            await see_a_flash(browser, rig, it)
            page = await browser.open(it.url)
            await page.until(lambda shown: "left" in shown)
            await it.until_screens(1)
        # The end of `serve` has ended the screen; the page says so, and its address is good no more.
        await page.until_text("The screen was closed.")
        await strangers_get_nothing(browser, rig)


async def strangers_get_nothing(browser: Browser, rig: Rig) -> None:
    """A page of another site, which has got the address somehow, opens no screen; nor does one without the token."""
    async with served(rig, "--allow-changes") as it:
        page = await browser.open("data:text/html,<title>evil</title>")
        connect = """
        new Promise((done) => {
          const socket = new WebSocket("%s");
          socket.onopen = () => done("open");
          socket.onerror = () => done("refused");
        })
        """
        screen = it.url.replace("http://", "ws://") + "screen?width=80&height=24"
        assert await page.evaluate(connect % screen) == "refused"
        await page.evaluate(f"fetch('{it.url}', {{mode: 'no-cors'}}).then(() => 'read', () => 'refused')")
        assert it.screens == []
        origin = it.url.rsplit("/", 2)[0]
        for url in (f"{origin}/", f"{origin}/static/js/textual.js"):
            page = await browser.open(url)
            await page.until(lambda _shown: bool(page.events("Network.loadingFailed")))  # noqa: B023 - awaited here
        # The same address on its own page may change things, as that was allowed.
        page = await browser.open(it.url)
        await page.until(lambda shown: "left" in shown and "read-only" not in shown)
        await page.press("H")
        await page.until(lambda shown: "reason" in shown.casefold())
        await page.type("seen from a page")
        await page.press("\r")
        await rig.until(lambda snapshot: snapshot.boards[0].hold is not None)
        await page.close()
        await it.until_screens(0)
