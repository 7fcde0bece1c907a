"""A unit that is read again is the one that was done only where it has all of its images, and nothing is written."""

import pytest

from flashdeck.job_state import FlashWork, Origin, Queued
from flashdeck.model import JobState
from flashdeck.slot_state import UnitImage, UnitRecord, UnitResult
from flashdeckd.slotting.unit_outcome import is_another

_READ = FlashWork(bytes_read=4096)
_ERASED = FlashWork(sectors_erased=1)
_WRITTEN = FlashWork(bytes_written=16)


def _another(result: UnitResult, *works: FlashWork) -> bool | None:
    jobs = {
        number: JobState(
            id=number,
            board="s1",
            partition=f"app{number}",
            sha256="aa" * 32,
            size=4096,
            status=Queued(),
            origin=Origin.BUILD,
            created_at=1.0,
            work=work,
        )
        for number, work in enumerate(works, 1)
    }
    images = tuple(UnitImage(partition=job.partition, sha256="aa" * 32, job=job.id) for job in jobs.values())
    return is_another(UnitRecord(id=1, slot="s1", began_at=1.0, images=images, result=result), jobs)


@pytest.mark.parametrize(
    ("result", "works", "expected"),
    [
        (UnitResult.NONE, (_READ,), None),
        (UnitResult.NONE, (_READ, _ERASED), True),
        (UnitResult.NONE, (_WRITTEN,), True),
        (UnitResult.PASSED, (_READ, _READ), False),
        (UnitResult.PASSED, (_READ, _WRITTEN), True),
        (UnitResult.FAILED, (_READ,), True),
    ],
)
def test_it_is_another_unit_once_anything_is_written_and_never_the_same_where_it_failed(
    result: UnitResult, works: tuple[FlashWork, ...], expected: bool | None
) -> None:
    assert _another(result, *works) is expected
