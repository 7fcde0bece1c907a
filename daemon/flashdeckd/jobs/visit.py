"""One stay of a board in DFU mode: what runs in it, in which order, and what keeps it from leaving. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flashdeck.config import Profile
from flashdeck.job_state import JobKind, Written
from flashdeck.model import JobState


@dataclass(slots=True)
class Visit:
    """The jobs that have run since the board came into DFU mode, or since the last visit ended there."""

    newest: int
    """The newest job of the board when the visit began."""
    changed: set[str] = field(default_factory=set[str])
    """Partitions of which something was erased."""
    returns: bool = False
    """True if a job that only reads was done on a board that was running: it is started again."""
    _taken: set[tuple[JobKind, str, bool]] = field(default_factory=set[tuple[JobKind, str, bool]])
    """Partitions that need not be taken any more, by what was done there, and whether that was with a patch."""

    def take(self, job: JobState) -> None:
        """Note that a job begins: what is built for its partition from now on waits for the next visit."""
        self._taken.add(_turn(job))
        self.returns = self.returns or job.was_running

    def give_back(self, job: JobState) -> None:
        """Note that a job did not bring its image: its partition may be taken again."""
        self._taken.discard(_turn(job))

    def may_take(self, job: JobState) -> bool:
        """Tell whether a job may run in this visit: each partition is taken at most once after the visit began.

        Otherwise a partition that is built again and again would keep the board from ever starting.
        """
        return job.id <= self.newest or _turn(job) not in self._taken


def written(jobs: Iterable[JobState]) -> list[JobState]:
    """Return the jobs whose work on the board is complete, and that end with the leave."""
    return [job for job in jobs if isinstance(job.status, Written)]


def wants_leave(job: JobState, profile: Profile) -> bool:
    """Tell whether the board is to leave DFU mode for a job that is written, in the end."""
    match job.kind:
        case JobKind.FLASH:
            return profile.leave
        case JobKind.RESET:
            return True
        case JobKind.VERIFY | JobKind.READ:
            return job.was_running
        case _:
            return False


def why_not_started(incomplete: Sequence[str], erased: Sequence[str]) -> str:
    """Return why a board is not started while partitions are `incomplete` or `erased`; "" where it may."""
    are = f"{' and '.join(erased)} {'was' if len(erased) == 1 else 'were'} erased" if erased else ""
    return "; ".join(part for part in (why_incomplete(incomplete), are) if part)


def why_incomplete(partitions: Sequence[str]) -> str:
    """Return why incomplete `partitions` keep a board from being started; "" for none."""
    return f"{' and '.join(partitions)} {'is' if len(partitions) == 1 else 'are'} incomplete" if partitions else ""


def _turn(job: JobState) -> tuple[JobKind, str, bool]:
    return (job.kind, job.partition, job.patch)
