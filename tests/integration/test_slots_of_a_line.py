"""24 slots, units whose serials collide, pulled and pushed at any moment, some of them broken."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from flashdeck.slot_condition import SlotFailed, SlotPassed
from flashdeck.slot_state import UnitResult
from rig import running
from slot_line import LOT_SLOTS, Line, check_unit, prepare_line, slot_name
from soaking import sized

SEED = 18


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_every_unit_gets_its_image_once_or_is_told_to_have_failed() -> None:
    count = sized(48, 100, 500)
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as name:
        prepare_line(Path(name))
        async with running(Path(name)) as rig:
            line = Line(rig, count, SEED)
            await line.begin(count)
            await line.run()
            records = await line.records()
            (lot,) = (await rig.until(lambda _: True)).lots
    assert len(line.units) == len(records) == count, "a record for each"
    for slot in sorted({unit.slot for unit in line.units}):
        units = [unit for unit in line.units if unit.slot == slot]
        its = [record for record in records if record.slot == slot]
        for unit, record in zip(units, its, strict=True):
            check_unit(unit, record, line)
    of_lot = [record for record in records if record.lot]
    assert {record.slot for record in of_lot} <= {slot_name(number) for number in range(1, LOT_SLOTS + 1)}
    assert {image.sha256 for record in of_lot for image in record.images} == {line.lot_image}
    others = {image.sha256 for record in records if not record.lot for image in record.images}
    assert line.lot_image not in others
    results = Counter(record.result for record in of_lot)
    assert (lot.passed, lot.failed) == (results[UnitResult.PASSED], results[UnitResult.FAILED])
    assert lot.good_share == lot.passed / (lot.passed + lot.failed)
    good = [unit for unit in line.units if not unit.fault and not unit.pulled]
    assert sum(isinstance(unit.seen, SlotPassed) for unit in good) > len(good) / 2
    told = [unit for unit in line.units if unit.fault]
    assert told
    assert all(isinstance(unit.seen, SlotFailed) for unit in told), "a broken one is told while it is there"
    cut_short = [unit for unit in line.units if unit.pulled and unit.seen is None and unit.flash != line.fresh]
    assert cut_short, "some were pulled in the middle"
