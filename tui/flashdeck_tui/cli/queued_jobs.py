"""Jobs that have not ended when nobody follows them any more."""

from collections.abc import Sequence

import click

from flashdeck.job_state import Written
from flashdeck.model import JobState
from flashdeck.names import few
from flashdeck_tui.cli.output import say
from flashdeck_tui.cli.remote import command_words


def tell_of_queued(jobs: Sequence[JobState], *, cancelled: bool = False) -> None:
    """Say what becomes of those jobs that have not ended, now that nobody follows them any more."""
    numbers = [str(job.id) for job in jobs if not job.is_settled]
    match numbers:
        case []:
            return
        case [number]:
            which, stays = f"job {number} is", f"it stays in the queue; '{_cancel(number)}' ends it"
        case _:
            which, stays = f"jobs {few(numbers)} are", f"they stay in the queue; '{_cancel('JOB')}' ends one"
    say(f"{which} not done: {'the daemon cancels that' if cancelled else stays}")


def tell_of_begun(jobs: Sequence[JobState]) -> None:
    """Say of jobs that nobody follows any more whether they go on: only what never began is cancelled."""
    for job in jobs:
        if job.is_settled or isinstance(job.status, Written):
            continue
        if job.attempts:
            say(f"job {job.id} of {job.board} is not done: it goes on; '{_cancel(str(job.id))}' ends it")
        else:
            say(f"job {job.id} of {job.board} is cancelled: it never began")


def _cancel(job: str) -> str:
    return command_words(click.get_current_context(silent=True), f"cancel {job}")
