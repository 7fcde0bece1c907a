"""`history` answers with the jobs that there are: all that were asked for, and no others."""

from flashdeck.job_state import name_of
from flashdeck.model import JobState
from simulation.invariants.rule import Rule
from simulation.seen import Ask


class Histories(Rule):
    """Whoever asks for the past is told all of it."""

    name = "history"
    sentence = "The jobs in the whole journal, newest first: those of the partition that was asked for."

    def asked(self, ask: Ask) -> None:
        """Note what is over already: that has to be in the answer as it is."""
        if ask.told is not None:
            ask.told.over = {job.id: job for job in self.seen.shown.jobs.values() if job.is_settled}

    def answered(self, ask: Ask) -> None:
        """Compare the answer with what is shown."""
        told = ask.told
        if told is None or ask.refused or ask.life != self.seen.life:
            return
        found = {job.id: job for job in told.jobs}
        if list(found) != sorted(found, reverse=True) or len(found) != len(told.jobs):
            raise self.broken(f"{ask.client} is told the jobs {[job.id for job in told.jobs]}, in that order")
        for job in told.jobs:
            if ask.place not in ("", job.partition):
                raise self.broken(f"{ask.client} asks for the jobs of {ask.place}, and is told of {_text(job)}")
        if self.seen.disk_failed_at > float("-inf"):
            return  # what could not be recorded is in no journal, or is there as it was
        for job in told.over.values():
            if ask.place in ("", job.partition) and job.id >= told.next:
                self._be_told(ask, job, found.get(job.id))

    def _be_told(self, ask: Ask, job: JobState, found: JobState | None) -> None:
        if found is None:
            raise self.broken(f"{ask.client} asks for the jobs of {ask.place or 'all'}, and {_text(job)} is left out")
        if name_of(found.status) != name_of(job.status):
            raise self.broken(f"{ask.client} is told that {_text(found)}, and it is {name_of(job.status)}")


def _text(job: JobState) -> str:
    return f"job {job.id} of {job.board}/{job.partition} is {name_of(job.status)}"
