"""Actions on jobs: cancel, try again, move in the queue of their board."""

from collections.abc import Sequence

from flashdeck import api
from flashdeck.job_state import CHANGES, Blocked, JobKind, Running
from flashdeck.model import JobState
from flashdeck.names import few
from flashdeck.queue_order import QueueMove, is_in_queue, why_not_moved
from flashdeck.text import clean, counted
from flashdeck.words.jobs import status_word
from flashdeck.words.work import doing_word
from flashdeck_tui.actions.action import Action, Context, Needs
from flashdeck_tui.actions.many import Answers, gathered, tell
from flashdeck_tui.fleet import FleetHost
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.undo import Undo

_Found = tuple[FleetHost, JobState]


def _place(job: JobState) -> str:
    return clean(f"{job.partition} of {job.board}" if job.partition else job.board)


def _about(job: JobState) -> str:
    return f"job {job.id} ({_place(job)})"


def _places(context: Context) -> list[tuple[FleetHost, Selection]]:
    """Return what an action on jobs is for: the selected job or partition, else each of the boards."""
    selection, marked = context.selection, context.targets
    if selection.job or not marked or marked == (selection.whole_board,):
        return [(context.host, selection)]
    return [(context.fleet.host_of(place), place) for place in marked]


# Cancel.


async def _cancel(context: Context) -> None:
    jobs = _cancellable(context)
    shown = [context.fleet.shown_job(host, job) for host, job in jobs]
    running = [job for job in shown if isinstance(job.status, Running)]
    if running and not await context.confirm(*_cancel_question(shown, running)):
        return
    answers = await gathered(
        [
            (host, _about(context.fleet.shown_job(host, job)), context.call(api.Cancel(job=job.id), host=host))
            for host, job in jobs
        ]
    )
    _tell_jobs(context, answers)


def _cancellable(context: Context) -> list[_Found]:
    found = ((host, host.store.active_job(place)) for host, place in _places(context))
    return [(host, job) for host, job in found if job is not None]


def _cancel_question(jobs: Sequence[JobState], running: Sequence[JobState]) -> tuple[str, str]:
    lost = "It stops at the next safe point." if len(running) == 1 else "They stop at their next safe points."
    if any(job.kind in CHANGES for job in running):
        lost += " What was begun to be erased cannot boot until you reflash it."
    if len(jobs) == 1:
        (job,) = jobs
        return f"Cancel job {job.id}, which is {doing_word(job.kind)} {_place(job)}?", lost
    names = few([_place(job) for job in running])
    return f"Cancel {counted(len(jobs), 'job')}, of which {len(running)} run ({names})?", lost


def _cancel_why_not(context: Context) -> str | None:
    if _cancellable(context):
        return None
    places = _places(context)
    if len(places) > 1:
        return f"No job of the {len(places)} marked boards runs or waits."
    job = context.store.jobs.get(context.selection.job)
    return (
        f"Job {job.id} is over: {status_word(job.status, job.kind).text}."
        if job
        else "No job of this board runs or waits."
    )


def _tell_jobs(context: Context, answers: Answers[JobState]) -> None:
    jobs = [context.fleet.shown_job(host, job) for host, job in answers.given]
    if len(jobs) == 1:
        (job,) = jobs
        tell(context, f"Job {job.id} ({_place(job)}): {job.text}.", answers)
    else:
        details = [f"job {job.id} ({_place(job)}): {job.text}" for job in jobs]
        tell(context, f"{counted(len(jobs), 'job')}: {few([_place(job) for job in jobs])}.", answers, details)


# Retry.


async def _retry(context: Context) -> None:
    jobs = _retriable(context)
    answers = await gathered(
        [
            (host, _about(context.fleet.shown_job(host, job)), context.call(api.Retry(job=job.id), host=host))
            for host, job in jobs
        ]
    )
    _tell_jobs(context, answers)


def _retriable(context: Context) -> list[_Found]:
    found = ((host, _retriable_at(host.store, place)) for host, place in _places(context))
    return [(host, job) for host, job in found if job is not None]


def _retriable_at(store: Store, place: Selection) -> JobState | None:
    if place.job:
        job = store.jobs.get(place.job)
    else:
        jobs = store.jobs_at(place.board, place.partition)
        job = next((job for job in jobs if isinstance(job.status, Blocked)), None)
        job = job or store.last_failure(place.board, place.partition) or store.active_job(place)
        job = job or next(
            (each for each in store.jobs_at(place.board, place.partition) if _can_be_repeated(each)), None
        )
    is_over = job is not None and (job.is_settled or isinstance(job.status, Blocked))
    return job if job is not None and is_over and _can_be_repeated(job) else None


def _can_be_repeated(job: JobState) -> bool:
    """False for a read: nobody would take its bytes."""
    return job.kind is not JobKind.READ


def _retry_why_not(context: Context) -> str | None:
    if _retriable(context):
        return None
    places = _places(context)
    if len(places) > 1:
        return f"No job of the {len(places)} marked boards can be tried again."
    job = context.store.last_job(context.selection)
    if job is None:
        return "There is no job to try again."
    if not _can_be_repeated(job):
        return f"Nobody would take what job {job.id} reads: {context.keys['read']} reads it into a file."
    return f"Job {job.id} is not over: {status_word(job.status, job.kind).text}."


# The order in the queue.


class _Move:
    """Moves the selected job one way."""

    def __init__(self, to: QueueMove) -> None:
        self._to = to

    async def run(self, context: Context) -> None:
        """Move it, and remember how to take that back."""
        host, job = context.host, context.store.jobs[context.selection.job]
        before = [each.id for each in host.store.queue(job.board)]
        reply = await context.call(api.MoveJob(job=job.id, to=self._to), host=host)
        after = [each.id for each in reply.jobs]
        at = after.index(job.id) if job.id in after else 0
        shown = context.fleet.shown_name(host, job.board)
        context.tell(f"Job {job.id} is number {at + 1} of {len(after)} in the queue of {clean(shown)}.")
        if job.id in before and job.id in after:
            self._remember(context, host, job, steps=at - before.index(job.id), after=after)

    def _remember(self, context: Context, host: FleetHost, job: JobState, *, steps: int, after: list[int]) -> None:
        def why_not(store: Store) -> str:
            now = [each.id for each in store.queue(job.board)]
            return "" if now == after else f"The queue of {job.board} has changed since: move it by hand."

        back = QueueMove.UP if steps > 0 else QueueMove.DOWN
        context.remember(
            Undo(
                deed=f"move job {job.id}",
                done=f"Job {job.id} is back in its place in the queue of {job.board}.",
                why_not=why_not,
                calls=(api.MoveJob(job=job.id, to=back),) * abs(steps),
            ),
            host=host,
        )

    def why_not(self, context: Context) -> str | None:
        """Return why it cannot be moved so."""
        job = context.store.jobs.get(context.selection.job)
        if job is None:
            return f"Select a job in the queue first ({context.keys['queue']})."
        if not is_in_queue(job):
            return f"Job {job.id} is in no queue: it is {status_word(job.status, job.kind).text}."
        why = why_not_moved(job, self._to, context.store.queue(job.board))
        return f"{why[0].upper()}{why[1:]}." if why else None


_UP, _DOWN, _FIRST = map(_Move, (QueueMove.UP, QueueMove.DOWN, QueueMove.FIRST))

ACTIONS: tuple[Action, ...] = (
    Action(
        id="retry",
        key="r",
        title="Retry",
        description="Do the job again, with the same image. A blocked job is checked again.",
        needs=Needs.JOB,
        check=_retry_why_not,
        run=_retry,
        changes=True,
        command="retry",
    ),
    Action(
        id="cancel",
        key="c",
        title="Cancel",
        description="Cancel the job. A running job stops at its next safe point, after a question.",
        needs=Needs.JOB,
        check=_cancel_why_not,
        run=_cancel,
        changes=True,
        command="cancel",
    ),
    Action(
        id="move-up",
        key="K",
        title="Job up",
        description="Move the queued job up: it runs before the one above it.",
        needs=Needs.JOB,
        check=_UP.why_not,
        run=_UP.run,
        changes=True,
        command="move",
    ),
    Action(
        id="move-down",
        key="J",
        title="Job down",
        description="Move the queued job down: it runs after the one below it.",
        needs=Needs.JOB,
        check=_DOWN.why_not,
        run=_DOWN.run,
        changes=True,
        command="move",
    ),
    Action(
        id="move-first",
        key="",
        title="Job first",
        description="Move the queued job to the front of its board's queue.",
        needs=Needs.JOB,
        check=_FIRST.why_not,
        run=_FIRST.run,
        changes=True,
        command="move",
    ),
)
