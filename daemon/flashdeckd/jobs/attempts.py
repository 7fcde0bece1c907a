"""The attempts of one lane, by the kinds of jobs: the one place where a kind of job meets what carries it out."""

from collections.abc import Mapping

from flashdeck.job_state import JobKind
from flashdeckd.jobs.attempt import Attempt, Workplace
from flashdeckd.jobs.departure import Departure
from flashdeckd.jobs.erase_attempt import EraseAttempt
from flashdeckd.jobs.flash_attempt import FlashAttempt
from flashdeckd.jobs.look_attempt import LookAttempt
from flashdeckd.jobs.reset_attempt import ResetAttempt


def attempts_of(place: Workplace, departure: Departure) -> Mapping[JobKind, Attempt]:
    """Return what carries out each kind of job."""
    look = LookAttempt(place, departure)
    return {
        JobKind.FLASH: FlashAttempt(place, departure),
        JobKind.VERIFY: look,
        JobKind.READ: look,
        JobKind.ERASE: EraseAttempt(place, departure),
        JobKind.RESET: ResetAttempt(place, departure),
    }
