"""The socket stays where clients look for it: it is made again where somebody removed it, or at the next place."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from flashdeck.errors import FlashdeckError
from flashdeck.text import clean
from flashdeckd.host import threads
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.server.endpoint import Endpoint, claimed
from flashdeckd.server.server import Server
from flashdeckd.state.health import Health


class Doorkeeper:
    """Keeps a server reachable. A directory of the run time goes when its user logs out, with the socket in it."""

    def __init__(
        self,
        endpoint: Endpoint,
        others: Sequence[Path],
        server: Server,
        health: Health,
        *,
        moved: Callable[[Path], object],
        looks: QuietLooks,
    ) -> None:
        """`others` are the places where clients look, too; `moved` is told where we listen then."""
        self._looks = looks
        self._first = endpoint
        self._now = endpoint
        self._others = [path for path in others if path != endpoint.path]
        self._server = server
        self._health = health
        self._moved = moved
        self._elsewhere = ExitStack()
        """Ends our stay at one of the other places."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            while True:
                if not await self._looks.next(self._is_at_home):
                    await self.look()
        finally:
            self._elsewhere.close()

    async def look(self) -> None:
        """Make the socket again where clients do not find it any more."""
        if await threads.run(self._is_at_home):
            return
        if self._now is self._first:
            self._health.report("socket", f"{clean(str(self._first.path))} was removed: it is made again")
        try:
            await self._go_to(self._first)
        except FlashdeckError as error:
            if self._now is self._first or not await threads.run(lambda: self._now.is_there):
                await self._go_elsewhere(error)
        else:
            self._elsewhere.close()
            self._health.report("socket", "")

    def _is_at_home(self) -> bool:
        """Return whether clients find our socket at the first place. Blocks on the disk."""
        return self._now is self._first and self._first.is_there

    async def _go_elsewhere(self, reason: FlashdeckError) -> None:
        """Listen at the next place that can be had."""
        self._elsewhere.close()
        self._now = self._first
        for path in self._others:
            with suppress(FlashdeckError):
                await self._go_to(self._elsewhere.enter_context(claimed(path)))
                self._elsewhere.callback(self._now.close)
                self._report(reason, f"it listens on {clean(str(path))} meanwhile, where flashdeck looks, too")
                return
            self._elsewhere.close()
        self._report(reason, "it is tried again every few seconds; or restart flashdeckd")

    async def _go_to(self, endpoint: Endpoint) -> None:
        listener = endpoint.listener()
        await self._server.listen_on(listener)
        self._now = endpoint
        self._moved(endpoint.path)

    def _report(self, reason: FlashdeckError, hint: str) -> None:
        self._health.report("socket", f"the socket was removed and cannot be made again: {reason.message}", hint=hint)
