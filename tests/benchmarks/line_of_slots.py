"""The throughput of many slots beside the same work done one after the other, in one run: a ratio.

The boards are slowed down alike, so that one Python keeps up with all of them: what is measured is what flashdeck adds.
"""

import tempfile
from pathlib import Path
from typing import Final

from benchmarks.rows import Measure, Row, Unit
from flashdeck import api
from flashdeck.slot_state import UnitRecord, UnitResult
from rig import Rig, board, firmware, prepare, running
from slot_line import only_app1

AIM: Final = 2
"""Times the part that each of so many slots has of the time: 1 is the ideal."""
SIZE: Final = 16 * 1024
"""Bytes of the image."""
SLOWDOWN: Final = 5
"""The boards are so many times slower than real ones."""


async def row(slots: int) -> Row:
    """All slots at once, against each unit plugged in once the one before has passed."""
    together, alone = await _seconds(slots, together=True), await _seconds(slots, together=False)
    return Row(
        what=f"{slots} slots at once: {SIZE // 1024} KiB a unit, time against one unit after the other",
        seconds=together / SLOWDOWN,
        measure=Measure(together / alone, Unit.TIMES),
        aim=round(AIM / slots, 2),
        remark=f"ST classic, a real daemon; the boards are slowed down by {SLOWDOWN}, the seconds divided by that",
    )


async def _seconds(count: int, *, together: bool) -> float:
    """From the first sight of the first unit to the result of the last."""
    numbers = range(1, count + 1)
    bench = "".join(
        board(f"port{number}", number, plugged=False, timing="real", slowdown=SLOWDOWN) for number in numbers
    )
    slots = "".join(f'[slots.slot{number}]\nprofile = "product"\nport = "1-{number}"\n' for number in numbers)
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        prepare(Path(directory), boards=slots, bench=bench)
        only_app1(Path(directory))
        async with running(Path(directory)) as rig:
            rig.build(firmware("line", size=SIZE))
            await rig.until(lambda now: bool(now.artifacts))
            if together:
                await rig.client.call(api.VirtualPlug(boards=tuple(f"port{number}" for number in numbers)))
                await _until_passed(rig, count)
            else:
                for number in numbers:
                    await rig.plug(f"port{number}")
                    await _until_passed(rig, number)
            units = (await rig.client.call(api.GetUnits())).units
    return max(unit.decided_at or 0.0 for unit in units) - min(unit.began_at for unit in units)


async def _until_passed(rig: Rig, count: int) -> None:
    """Wait until so many units have passed; raises RuntimeError for one that has failed."""

    def there(units: list[UnitRecord], result: UnitResult) -> int:
        return sum(unit.result is result for unit in units)

    def reached(units: list[UnitRecord]) -> bool:
        if there(units, UnitResult.FAILED):
            raise RuntimeError(f"a unit failed: {units}")
        return there(units, UnitResult.PASSED) == count

    await rig.until(lambda now: reached([slot.unit for slot in now.slots if slot.unit is not None]))
