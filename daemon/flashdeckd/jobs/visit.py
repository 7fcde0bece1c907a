"""One stay of a board in DFU mode: what runs in it, in which order, and what keeps it from leaving. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flashdeck.job_state import Written
from flashdeck.model import JobState


@dataclass(slots=True)
class Visit:
    """The jobs that have run since the board came into DFU mode, or since the last visit ended there."""

    newest: int
    """The newest job of the board when the visit began."""
    changed: set[str] = field(default_factory=set[str])
    """Partitions of which something was erased."""
    _taken: set[tuple[str, bool]] = field(default_factory=set[tuple[str, bool]])
    """Partitions that need not be taken any more, by whether that was with a patch."""

    def take(self, job: JobState) -> None:
        """Note that a job begins: what is built for its partition from now on waits for the next visit."""
        self._taken.add((job.partition, job.patch))

    def give_back(self, job: JobState) -> None:
        """Note that a job did not bring its image: its partition may be taken again."""
        self._taken.discard((job.partition, job.patch))

    def may_take(self, job: JobState) -> bool:
        """Tell whether a job may run in this visit: each partition is taken at most once after the visit began.

        Otherwise a partition that is built again and again would keep the board from ever starting.
        """
        return job.id <= self.newest or (job.partition, job.patch) not in self._taken


def in_order(jobs: Iterable[JobState], partitions: Sequence[str]) -> list[JobState]:
    """Return jobs in the order in which a visit runs them: that of the configuration, the older ones first."""
    places = {name: place for place, name in enumerate(partitions)}
    return sorted(jobs, key=lambda job: (places.get(job.partition, len(places)), job.id))


def written(jobs: Iterable[JobState]) -> list[JobState]:
    """Return the jobs whose images are complete on the board, and that end with the leave."""
    return [job for job in jobs if isinstance(job.status, Written)]


def why_incomplete(partitions: Sequence[str]) -> str:
    """Return why incomplete `partitions` keep a board from being started; "" for none."""
    return f"{' and '.join(partitions)} {'is' if len(partitions) == 1 else 'are'} incomplete" if partitions else ""
