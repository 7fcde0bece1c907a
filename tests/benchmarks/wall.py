"""How much longer than the device itself flashdeck takes, on boards that take as long as real ones.

The time of the device is the bus time of all transfers and its flash work, by the model of the emulated board: full
speed, and the flash of an STM32H5.
"""

import time
from collections.abc import Iterator
from statistics import median

from benchmarks.counts import CASES, FULL, Case, flashed, one_sector_changed, remark_on
from benchmarks.rows import Measure, Row, Unit
from flash_rig import ROOM, ROOM_TWIN, Rig, blank, image
from flashdeckd.virtual.spec import Timing

AIM = 1.05


class PacedRig(Rig):
    """A board at its own speed, and a host that really sleeps."""

    def nap(self, seconds: float) -> None:
        time.sleep(seconds)
        super().nap(seconds)


def rows(size: int, repeats: int) -> Iterator[Row]:
    """A full image, one changed sector and an unchanged image on each kind of board."""
    for case in CASES:
        yield from _jobs(case, size, repeats)


def _jobs(case: Case, size: int, repeats: int) -> Iterator[Row]:
    old = blank(ROOM, ROOM_TWIN)
    rig = PacedRig(case.model, old=old, transfer_size=case.block, timing=Timing.REAL, attach_time=0.0)
    _timed(rig, image(size, seed=0))
    ratios: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for seed in range(1, repeats + 1):
        data = image(size, seed=seed)
        for job, content in (
            (FULL, data),
            ("unchanged image", data),
            ("one sector changed", one_sector_changed(data)),
        ):
            device, seconds = _timed(rig, content)
            times.setdefault(job, []).append(seconds)
            ratios.setdefault(job, []).append(seconds / device)
    for job, seconds in times.items():
        yield Row(
            what=f"{case.name}: {job}, time against the device's own",
            seconds=median(seconds),
            measure=Measure.median(ratios[job], Unit.TIMES),
            aim=None if case.patient else AIM,
            remark=remark_on(case, job),
        )


def _timed(rig: Rig, data: bytes) -> tuple[float, float]:
    """The seconds that the device needs for a flash, and those from opening it to the leave."""
    started = time.monotonic()
    cost = flashed(rig, data)
    return cost.model_seconds, time.monotonic() - started
