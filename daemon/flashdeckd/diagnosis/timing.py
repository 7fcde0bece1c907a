"""Findings on the times that a device claims, and their cost with hosts that obey them. Pure."""

from collections.abc import Iterator

from flashdeck.config import PollPolicy
from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import format_duration
from flashdeckd.dfu.pace import Pace
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.observation import Case, Observation

QUICK = 5
"""Milliseconds that Set Address may claim without a word: it changes a variable."""
ABSURD = 60_000


def findings(case: Case, seen: Observation) -> Iterator[Finding]:
    """Findings on bwPollTimeout, and on what is known of the board's pace."""
    if seen.claims:
        yield from _claims(case, seen, max(seen.claims))
    yield from _pace(case)


def _claims(case: Case, seen: Observation, claim: int) -> Iterator[Finding]:
    if claim <= QUICK:
        yield Finding(
            code="claims-honest",
            severity=Severity.GOOD,
            seen=f"{claim} ms were claimed for Set Address",
            means="no host waits for nothing",
        )
    elif claim > ABSURD:
        yield Finding(
            code="claims-absurd",
            severity=Severity.WARNING,
            seen=f"{format_duration(claim / 1000)} were claimed for Set Address (bwPollTimeout {claim})",
            means="a host that obeys hangs; flashdeck obeys for a minute at the most until it has learned better",
            mend=f"most likely uninitialised bytes; {st_sources.TIMES}",
        )
    else:
        yield Finding(
            code="claims-slow",
            severity=Severity.WARNING,
            seen=f"{claim} ms were claimed for Set Address, which only changes a variable",
            means=f"the same is most likely claimed for every block.{_cost(case, seen, claim)} flashdeck finds out on "
            "the first erase how soon this board may be asked, and then waits for nothing",
            mend=st_sources.TIMES,
        )


def _cost(case: Case, seen: Observation, claim: int) -> str:
    """Return how a host sleeps that sets the address before each block and waits after each command (dfu-util 0.11)."""
    spans = [each.span for each in case.profile.partitions.values() if not each.protected]
    size = seen.functional.transfer_size
    if not spans or not size:
        return ""
    largest = max(spans, key=lambda span: span.size)
    blocks, sectors = -(-largest.size // size), len(case.profile.geometry.sectors_in(largest))
    seconds = (2 * blocks + sectors) * claim / 1000
    return (
        f" dfu-util 0.11, which sets the address before every block, sleeps {format_duration(seconds)} for a full "
        f"partition of {largest.size // 1024} KiB."
    )


def _pace(case: Case) -> Iterator[Finding]:
    pace = case.history.pace
    if pace is Pace.CLAIMED and case.profile.poll is PollPolicy.AUTO:
        yield Finding(
            code="pace-claimed",
            severity=Severity.NOTE,
            seen="this board once objected to being asked early",
            means="it gets all the time that it claims, for good",
        )
    elif pace in (Pace.SYNCHRONOUS, Pace.STALLING, Pace.PATIENT):
        how = {
            Pace.SYNCHRONOUS: "it has finished when it has answered GETSTATUS",
            Pace.STALLING: "it answers with a STALL while it is busy, and takes no harm",
            Pace.PATIENT: "it says dfuDNBUSY as often as it is asked",
        }[pace]
        yield Finding(
            code="pace-known",
            severity=Severity.GOOD,
            seen=f"earlier flashes found when this board may be asked: {how}",
            means="nothing is waited for that the flash itself does not need",
        )
