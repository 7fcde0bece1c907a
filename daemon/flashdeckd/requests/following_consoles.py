"""The requests that concern consoles: what a board said, and that its port is left to another program for a while."""

from flashdeck import api
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.model import ConsoleEntry
from flashdeck.names import required
from flashdeckd.boards.bench import Bench

LONGEST_CONSOLE_WAIT = 60.0
"""Seconds that a client may wait for an entry in one call."""


class ConsoleRequests:
    """The requests that concern consoles. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def page(self, params: api.GetConsole) -> api.ConsolePage:
        """Return what a board said; waits for it where there is nothing yet. Raises RequestError."""
        reader = self._bench.consoles.of(self._one(params.board))
        limit = min(params.limit, api.CONSOLE_PAGE)

        def entries() -> tuple[ConsoleEntry, ...]:
            return reader.record.page(after=params.after, since_leave=params.since_leave, limit=limit)

        found = entries()
        if not found and params.wait > 0:
            await reader.record.grown(min(params.wait, LONGEST_CONSOLE_WAIT))
            found = entries()
        return api.ConsolePage(
            board=reader.board,
            entries=found,
            next=found[-1].number if found else max(0, params.after),
            dropped=reader.state.dropped,
        )

    async def release(self, board: str) -> api.BoardConsole:
        """Close the port of a board's console. Raises RequestError."""
        reader = self._bench.consoles.of(self._one(board))
        await reader.release()
        return api.BoardConsole(board=reader.board, console=reader.state)

    async def resume(self, board: str) -> api.BoardConsole:
        """Follow the console of a board again. Raises RequestError."""
        reader = self._bench.consoles.of(self._one(board))
        await reader.resume()
        return api.BoardConsole(board=reader.board, console=reader.state)

    def _one(self, board: str) -> str:
        """Return the one board that a name or a glob means. Raises RequestError."""
        chosen, *others = self._bench.matching(required((board,) if board else ()))
        if others:
            raise RequestError(
                f"{board} means {len(others) + 1} boards",
                kind=ErrorKind.AMBIGUOUS,
                hint=f"name one of them: {', '.join((chosen, *others))}",
            )
        return chosen
