"""`history`: the jobs of the whole journal, a piece at a time."""

from flashdeck.api import GetHistory, HistoryPage
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.model import JobState
from flashdeck.names import is_meant, select, which
from flashdeckd.boards.bench import Bench
from flashdeckd.state.journal import Journal


class HistoryRequests:
    """Answers from the journal, which has more than the book of jobs keeps in memory."""

    def __init__(self, bench: Bench, journal: Journal) -> None:
        self._bench = bench
        self._journal = journal

    async def page(self, wanted: GetHistory) -> HistoryPage:
        """Return the next piece.

        Raises RequestError (`no-such-board`, `no-such-partition`) where a name means none that ever was.
        """
        await self._require_known(wanted.boards)
        await self._require_partition(wanted.partition)
        page = await self._journal.jobs_below(max(0, wanted.before))
        reach = await self._journal.reach()
        known = self._bench.book.jobs  # the file has not how far a running one is
        jobs = [job for job in (known.get(job.id, job) for job in page.jobs) if _is_wanted(job, wanted)]
        limit = max(1, wanted.limit)
        following = jobs[limit - 1].id if len(jobs) > limit else page.next
        return HistoryPage(jobs=tuple(jobs[:limit]), next=following, since=reach.since, kept=reach.kept)

    async def _require_known(self, patterns: tuple[str, ...]) -> None:
        configured = dict.fromkeys(self._bench.config.boards)
        if not all(any(is_meant(name, (pattern,)) for name in configured) for pattern in patterns):
            select(patterns, {**configured, **dict.fromkeys(sorted(await self._journal.with_jobs("board")))})

    async def _require_partition(self, name: str) -> None:
        known = {each for profile in self._bench.config.profiles.values() for each in profile.partitions}
        if name and name not in known:
            known |= await self._journal.with_jobs("partition")
            if name not in known:
                raise RequestError(
                    f"no board has or had a partition {name!r}",
                    kind=ErrorKind.NO_SUCH_PARTITION,
                    hint=which(name, known),
                )


def _is_wanted(job: JobState, wanted: GetHistory) -> bool:
    return (
        (not wanted.boards or is_meant(job.board, wanted.boards))
        and wanted.partition in ("", job.partition)
        and (wanted.since is None or job.at >= wanted.since)
        and (wanted.until is None or job.at <= wanted.until)
    )
