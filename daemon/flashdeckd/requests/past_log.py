"""`logs`: the newest lines from memory, and older ones from the disk, a page at a time."""

from flashdeck.api import LOG_PAGE, GetLogs, LogPage
from flashdeck.log_filter import LogFilter
from flashdeckd.boards.bench import Bench
from flashdeckd.state.hub import Hub
from flashdeckd.state.kept_log import KeptLog


class LogRequests:
    """Joins what this daemon has in memory and what it and earlier ones have written."""

    def __init__(self, bench: Bench, hub: Hub, kept: KeptLog) -> None:
        self._bench = bench
        self._hub = hub
        self._kept = kept

    async def page(self, asked: GetLogs) -> LogPage:
        """Return the lines that are asked for; raises RequestError (`no-such-board`).

        Nobody who asks for the newest lines of this daemon waits for the disk.
        """
        boards = tuple(self._bench.matching(asked.boards)) if asked.boards else ()
        limit, before = max(0, min(asked.limit, LOG_PAGE)), max(0, asked.before)
        wanted = LogFilter(boards, asked.level, asked.text, asked.job)
        oldest = self._hub.oldest_line
        lines = self._hub.logs(
            after=asked.after,
            before=before,
            limit=limit,
            boards=boards,
            level=asked.level,
            text=asked.text,
            job=asked.job,
        )
        is_full = len(lines) == limit
        goes_on = lines[0].id if is_full and lines else min(before or oldest, oldest)
        if not is_full and (before or asked.text or asked.job):
            older = await self._kept.below(goes_on, after=asked.after, limit=limit - len(lines), wanted=wanted)
            lines, goes_on = (*older.lines, *lines), older.before
        return LogPage(lines=lines, next=lines[-1].id if lines else asked.after, before=goes_on if goes_on > 1 else 0)
