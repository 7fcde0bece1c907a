"""A board whose flash is shown while a job changes it, and afterwards."""

from typing import Final

from msgspec.structs import replace

from flashdeck.flash_map import FlashMap, FlashSums, SectorCount, SectorRun, SectorState
from flashdeck.job_state import Done, Failed, JobStatus, Phase, PhaseTimes
from flashdeck.model import JobState, Snapshot
from tui_scene import BENCH, FAILURE, NOW, RESULT, RUNNING, running

SECTOR: Final = 8192
TIMES: Final = PhaseTimes(
    detach=1.24, open=0.02, compare=0.41, erase=0.93, write=2.1, verify=0.62, leave=0.01, start=1.5
)


def runs(*parts: tuple[int, SectorState], start: int = 0x08000000) -> tuple[SectorRun, ...]:
    """Runs of so many sectors, one behind the other."""
    made: list[SectorRun] = []
    for count, state in parts:
        made.append(SectorRun(address=start, size=SECTOR, count=count, state=state))
        start = made[-1].end
    return tuple(made)


def counted(sectors: int) -> SectorCount:
    return SectorCount(sectors=sectors, bytes=sectors * SECTOR)


FRAME: Final = ((16, SectorState.PROTECTED),)
BEHIND: Final = ((35, SectorState.UNTOUCHED), (48, SectorState.UNTOUCHED), (16, SectorState.FOREIGN))
BUSY_MAP: Final = FlashMap(
    board="bench-1",
    job=8,
    partition="app1",
    runs=runs(
        *FRAME,
        (1, SectorState.WRITING),
        (3, SectorState.EQUAL),
        (2, SectorState.VERIFIED),
        (3, SectorState.WRITTEN),
        (1, SectorState.WRITING),
        (3, SectorState.ERASED),
        *BEHIND,
    ),
    sums=FlashSums(
        to_erase=counted(10),
        erased=counted(10),
        written=counted(5),
        verified=counted(2),
        equal=counted(3),
        bytes_saved=3 * SECTOR,
    ),
)
DONE_MAP: Final = FlashMap(
    board="bench-1",
    job=8,
    partition="app1",
    runs=runs(*FRAME, (1, SectorState.VERIFIED), (3, SectorState.EQUAL), (9, SectorState.VERIFIED), *BEHIND),
    sums=FlashSums(
        to_erase=counted(10),
        erased=counted(10),
        written=counted(10),
        verified=counted(10),
        equal=counted(3),
        bytes_saved=3 * SECTOR,
    ),
)
FAILED_MAP: Final = FlashMap(
    board="bench-1",
    job=8,
    partition="app1",
    runs=runs(*FRAME, (2, SectorState.ERASED), (1, SectorState.FAILED), (10, SectorState.INCOMPLETE), *BEHIND),
    sums=FlashSums(to_erase=counted(13), erased=counted(2), failed=counted(1)),
)


def _job(status: JobStatus) -> JobState:
    return replace(RUNNING, status=status, times=TIMES, started_at=NOW - 7, finished_at=NOW - 1)


def scene(shown: FlashMap, job: JobState) -> Snapshot:
    """The bench with this map, and this job on its board."""
    jobs = tuple(job if each.id == job.id else each for each in BENCH.jobs)
    return replace(BENCH, jobs=jobs, maps=(shown,))


BUSY: Final = scene(
    BUSY_MAP,
    replace(RUNNING, status=running(Phase.WRITE), times=PhaseTimes(detach=1.24, open=0.02, compare=0.41, erase=0.93)),
)
DONE: Final = scene(DONE_MAP, _job(Done(result=RESULT)))
FAILED: Final = scene(FAILED_MAP, _job(Failed(failure=FAILURE)))
