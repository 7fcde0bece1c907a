"""Boards go back by themselves after a crash, where the configuration says so: to the images with which they last ran.

A job that ends with such a verdict is undecided from then on, durably. What follows is decided here, right away, and
again by the next daemon where this one was killed before that was recorded: `way_back` finds it in the journal.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from flashdeck.config import Board
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import JobKind, Origin, Written
from flashdeck.model import Event, HoldBy, JobState, LogLevel
from flashdeck.words.back_by_itself import crash_clause, crashed_again_text, went_back_text
from flashdeckd.boards.bench import Bench
from flashdeckd.host import threads
from flashdeckd.images.spool import Artifact
from flashdeckd.images.version import find_version
from flashdeckd.jobs.what_ran import BoardPast, CrashedAgain, Decision, GoesBack, Stays, way_back
from flashdeckd.requests.queueing import note_gone_back
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal

_NOT: Final = "does not go back by itself: "
_log = logging.getLogger(__name__)


class SelfRollback:
    """Decides what follows where builds have crashed. Runs in the event loop's thread only."""

    def __init__(self, bench: Bench, journal: Journal, hub: Hub) -> None:
        self._bench = bench
        self._journal = journal
        self._hub = hub
        self._origins: dict[tuple[str, str, str], Origin | None] = {}
        """The one who asked last for an image in a partition of a board, for the decision that is made now."""
        self._deciding: set[str] = set()
        """Boards of which it is decided now."""

    async def run(self) -> None:
        """Decide whenever a build has crashed, first what an earlier daemon has left undecided; until cancelled."""
        async with asyncio.TaskGroup() as tasks:

            def hear(event: Event) -> None:
                if event.job is not None and event.job.undecided and event.job.is_settled:
                    begin(event.job.board)

            def begin(name: str) -> None:
                if name not in self._deciding:
                    self._deciding.add(name)
                    tasks.create_task(self._decide(name), name=f"going back: {name}")

            unlisten = self._hub.listen(hear)
            try:
                for name in self._bench.lanes:
                    if self._bench.book.undecided_jobs(name):
                        begin(name)
                await asyncio.Event().wait()
            finally:
                unlisten()

    async def _decide(self, name: str) -> None:
        try:
            await self._visit_ended(name)
            await self._carry_out(name)
        except FlashdeckError as error:
            self._hub.log(f"{_NOT}{error.message}", level=LogLevel.ERROR, board=name)
        except Exception:  # noqa: BLE001 -- a fault of ours on one board must not end the others
            _log.exception("what follows from a crash of %s could not be decided", name)
        finally:
            self._deciding.discard(name)

    async def _visit_ended(self, name: str) -> None:
        """Return once all jobs of the visit have ended: those that are started together end one after the other."""

        def has_ended() -> bool:
            active = self._bench.book.active(name)
            return not any(isinstance(job.status, Written) and job.status.phase is not None for job in active)

        await self._hub.until(has_ended)

    async def _carry_out(self, name: str) -> None:
        while (board := self._bench.config.boards.get(name)) is not None:
            await self._look_up_origins(board)
            decision = self._decision(board)
            crashed = self._bench.book.undecided_jobs(name)
            match decision:
                case GoesBack():
                    if not await self._go_back(board, decision, crashed):
                        continue  # something else was asked for meanwhile
                case CrashedAgain(jobs):
                    await self._bench.hold(name, crashed_again_text(jobs), HoldBy.FLASHDECK)
                    await self._bench.book.go_back(name, {}, "")
                case Stays(reason):
                    await self._stay(name, reason, crashed)
            return

    def _decision(self, board: Board) -> Decision:
        book, partitions = self._bench.book, board.profile.partitions
        contents = {name: book.contents(board.name, name) for name in partitions}
        past = BoardPast(
            contents={name: each for name, each in contents.items() if each is not None},
            protected={name for name, each in partitions.items() if each.protected or board.profile.protects(each)},
            crashed=tuple(book.undecided_jobs(board.name)),
            active=tuple(book.active(board.name)),
            why_not=self._why_not(board),
        )
        return way_back(past, lambda partition, sha256: self._origins.get((board.name, partition, sha256)))

    def _why_not(self, board: Board) -> str:
        """Return why nothing is done to a board by itself now; "" where it may."""
        lane, console = self._bench.lane(board.name), board.profile.console
        if console is None or not console.goes_back_after:
            return "the configuration does not say so any more"
        if lane.hold is not None:
            return f"it is on hold: {lane.hold.reason}"
        if lane.shown_lease is not None:
            return f"{lane.shown_lease.by} has taken it"
        return "" if lane.armed else "it is disarmed"

    async def _stay(self, name: str, reason: str, crashed: Sequence[JobState]) -> None:
        await self._bench.book.go_back(name, {}, "")
        if reason:
            self._hub.log(f"{_NOT}{reason}", level=LogLevel.WARNING, board=name, job=crashed[0].id if crashed else 0)

    async def _go_back(self, board: Board, decision: GoesBack, crashed: Sequence[JobState]) -> bool:
        """Queue the images of a set that ran; False where something was asked for meanwhile that changes the decision.

        Who asks for a job, and a reload, waits until that is done.
        """
        book, name = self._bench.book, board.name
        with ExitStack() as held:
            try:
                images = {
                    partition: [await self._artifact(board, partition, each, held) for each in ran.images]
                    for partition, ran in decision.to.items()
                }
            except FlashdeckError as error:  # the bytes are gone, or a guard refuses them by now
                await self._stay(name, error.message, crashed)
                return True
            async with self._bench.reshaping:
                if self._bench.config.boards.get(name) != board or self._decision(board) != decision:
                    return False
                for partition, gone in decision.gone.items():
                    await note_gone_back(self._bench, board, partition, gone)
                if self._decision(board) != decision:
                    return False
                note = f"goes back by itself: {crash_clause(crashed)}"
                jobs = await book.go_back(name, images, note)
        text = went_back_text(jobs, crashed)
        self._hub.log(text, level=LogLevel.WARNING, board=name, job=crashed[0].id)
        self._bench.lane(name).poke()
        return True

    async def _artifact(self, board: Board, partition: str, sha256: str, held: ExitStack) -> Artifact:
        """Return an image once its bytes and its guards are looked at; raises what speaks against it."""
        held.enter_context(self._bench.shelf.held(sha256))
        image, place = await self._bench.image_for(board, partition, sha256), board.profile.partitions[partition]
        await self._bench.verdicts.check(image, board.profile, place)
        return Artifact.of(image, await threads.run(find_version, image, place))

    async def _look_up_origins(self, board: Board) -> None:
        """Find out who asked for what the board has now, in memory and else in the journal."""
        self._origins = {key: each for key, each in self._origins.items() if key[0] != board.name}
        contents = {name: self._bench.book.contents(board.name, name) for name in board.profile.partitions}
        wanted = {
            (board.name, name, sha256)
            for name, each in contents.items()
            if each is not None
            for sha256 in (each.sha256, *(patch.sha256 for patch in each.patches))
        }
        known = sorted(self._bench.book.jobs.values(), key=lambda job: job.id, reverse=True)
        self._note_origins(wanted, known)
        before = known[-1].id if known else 0
        while before and wanted - self._origins.keys():
            page = await self._journal.jobs_below(before)
            self._note_origins(wanted, page.jobs)
            before = page.next

    def _note_origins(self, wanted: set[tuple[str, str, str]], jobs: Sequence[JobState]) -> None:
        """Note the origins of what is wanted; the newest jobs come first."""
        for job in jobs:
            key = (job.board, job.partition, job.sha256)
            if job.kind is JobKind.FLASH and job.started_at is not None and key in wanted:
                self._origins.setdefault(key, job.origin)
