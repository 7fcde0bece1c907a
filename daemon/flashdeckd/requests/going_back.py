"""`rollback`: back to the last program that was good on a board before the present one."""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck.api import BoardPlan, JobList
from flashdeck.config import Board
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.job_state import Done, JobKind
from flashdeck.model import Contents, JobState
from flashdeck.text import counted
from flashdeck.verdict import does_not_run
from flashdeck.words.contents import image_name
from flashdeckd.boards.bench import Bench
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal


@dataclass(frozen=True, slots=True)
class _WayBack:
    """The way back of one board."""

    to: JobState
    """The job that brought the image to which it goes back."""
    back_from: tuple[str, ...]
    """The images that it goes back from."""
    note: str


class RollbackRequests:
    """Finds in the journal what was good before, and brings it as a person's own flash."""

    def __init__(self, bench: Bench, journal: Journal, hub: Hub, by_hand: HandRequests) -> None:
        self._bench = bench
        self._journal = journal
        self._hub = hub
        self._by_hand = by_hand

    async def rollback(self, partition: str, patterns: Iterable[str], *, no_wait: bool) -> JobList:
        """Queue one job a board, all or none.

        Raises RequestError (`no-such-artifact`) where a board has nothing to go back to, and what `flash` raises.
        """
        boards = self._bench.select(partition, patterns)
        ways = [await self._way(board, partition) for board in boards]
        jobs = await self._by_hand.bring(
            boards, partition, [way.to.sha256 for way in ways], no_wait=no_wait, back_from=[w.back_from for w in ways]
        )
        for board, way in zip(boards, ways, strict=True):
            self._hub.log(way.note, board=board.name)
        return replace(
            jobs, notes=(*(f"{b.name}: {way.note}" for b, way in zip(boards, ways, strict=True)), *jobs.notes)
        )

    async def plan(self, partition: str, patterns: Iterable[str]) -> list[BoardPlan]:
        """Return the plan of each board; raises as `rollback` does."""
        boards = self._bench.select(partition, patterns)
        ways = [await self._way(board, partition) for board in boards]
        plans = await self._by_hand.plan_of(boards, partition, [way.to.sha256 for way in ways])
        return [replace(plan, notes=(way.note, *plan.notes)) for plan, way in zip(plans, ways, strict=True)]

    async def _way(self, board: Board, partition: str) -> _WayBack:
        if board.slot is not None:
            raise RequestError(
                f"the unit in slot {board.name} has nothing to go back to: the journal has what others got there",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
                hint=f"`flashdeck flash {partition} FILE --board {board.name}` flashes any file",
            )
        contents = self._bench.book.contents(board.name, partition)
        to = await self._last_good(board, partition, contents)
        if to is None:
            raise RequestError(
                f"board {board.name} has nothing to go back to in {partition}: no other program was flashed there and "
                "found good, as far as the journal goes back",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
                hint=f"`flashdeck history {board.name} --partition {partition}` shows what was flashed; `flashdeck "
                f"flash {partition} FILE` flashes any file",
            )
        name = image_name(to.version, to.sha256)
        try:
            await self._bench.image_for(board, partition, to.sha256)
        except RequestError as error:
            raise RequestError(
                f"board {board.name} would go back to {name} in {partition} (job {to.id}), and its bytes are gone",
                kind=error.kind,
                hint=f"name its file: `flashdeck flash {partition} FILE --board {board.name}`",
            ) from error
        present = (contents.sha256, *(patch.sha256 for patch in contents.patches)) if contents is not None else ()
        newest = self._hub.artifacts.get((board.profile.name, partition))
        gone = dict.fromkeys(filter(None, (*present, newest.sha256 if newest is not None else "")))
        gone.pop(to.sha256, None)
        return _WayBack(to, tuple(gone), _note(contents, name, to.id))

    async def _last_good(self, board: Board, partition: str, contents: Contents | None) -> JobState | None:
        """Return the newest job that brought another program than the present one, and of which nothing bad is known.

        What a person went back from earlier is passed over: several rollbacks in a row go further and further back.
        """
        place = board.profile.partitions[partition]
        before = 0
        while True:
            page = await self._journal.jobs_below(before)
            for job in page.jobs:
                if (job.board, job.partition) != (board.name, partition) or not _was_good(job):
                    continue
                is_present = contents is not None and self._bench.satisfaction.has(board, place, job.sha256)
                is_gone = contents is not None and job.sha256 in (contents.sha256, *contents.went_back)
                if not is_present and not is_gone:
                    return job
            before = page.next
            if not before:
                return None


def _was_good(job: JobState) -> bool:
    """Tell whether a job brought a program, and it started as far as could be seen, and ran as far as it said."""
    status = job.status
    if job.kind is not JobKind.FLASH or job.patch or not isinstance(status, Done) or status.not_started:
        return False
    started = status.result.started if status.result is not None else None
    return started is not False and not does_not_run(status.verdict)


def _note(contents: Contents | None, name: str, job: int) -> str:
    if contents is None:
        return f"goes back to {name}, which job {job} brought"
    present = image_name(contents.version, contents.sha256) if contents.sha256 else "what it has"
    lost = f"; {counted(len(contents.patches), 'patch')} over it goes with it" if contents.patches else ""
    if len(contents.patches) > 1:
        lost = f"; {len(contents.patches)} patches over it go with it"
    return (
        f"goes back from {present} to {name}, which job {job} brought{lost}; builds of {present} are offered until "
        "you flash one"
    )
