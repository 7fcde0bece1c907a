"""A bench of slots in every condition that a slot can be in, a lot, and the units that failed last."""

import hashlib
from typing import Final

from msgspec.structs import replace

from flashdeck import api
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Failure, Phase, Verified
from flashdeck.model import Snapshot
from flashdeck.slot_condition import (
    SlotCondition,
    SlotEmpty,
    SlotFailed,
    SlotFlashing,
    SlotOccupied,
    SlotPassed,
    SlotWaiting,
)
from flashdeck.slot_state import LotState, SlotState, UnitImage, UnitRecord, UnitResult
from tui_scene import BENCH, HOSTILE, NEWEST, NOW

SERIAL: Final = "336E36833233"
"""All units have the same one, as cheap ones do."""
ERASE_FAILED: Final = Failure(
    kind=ErrorKind.NOT_ACCEPTED,
    message="erase failed at 0x08024000 (errVENDOR)",
    hint="check write protection; put the unit aside",
)
PULLED: Final = Failure(kind=ErrorKind.ABSENT, message="pulled in the middle of a flash", hint="plug it in again")
IMAGE: Final = UnitImage(partition="app1", sha256=NEWEST, version="1.0.2", job=70)
_CYCLE: Final[tuple[SlotCondition, ...]] = (
    SlotPassed(verified=Verified.YES),
    SlotPassed(verified=Verified.YES),
    SlotFlashing(job=71, partition="app1", phase=Phase.WRITE, done=42, total=100),
    SlotFailed(failure=ERASE_FAILED),
    SlotPassed(verified=Verified.NO),
    SlotEmpty(),
    SlotWaiting(reason="it cannot be asked to leave", hint="hold SW2, press RESET", needs_person=True),
    SlotOccupied(board="golden"),
    SlotFlashing(job=72, partition="app1"),
)
LOT: Final = LotState(
    name="spring-7",
    image="APP1.bin",
    partition="app1",
    sha256=hashlib.sha256(b"1.0.2").hexdigest(),
    size=100_352,
    version="1.0.2",
    count=100,
    passed=12,
    failed=2,
    begun_at=NOW - 900,
)


def unit(number: int, slot: str, failure: Failure | None = None) -> UnitRecord:
    """The record of a unit; one without a failure has passed."""
    return UnitRecord(
        id=number,
        slot=slot,
        lot=LOT.name,
        serial=SERIAL,
        port="1-4.1",
        began_at=NOW - 60 * number,
        decided_at=NOW - 60 * number + 12,
        images=(IMAGE,),
        result=UnitResult.PASSED if failure is None else UnitResult.FAILED,
        failure=failure,
        verified=Verified.YES,
    )


def slot(number: int, condition: SlotCondition, *, group: str = "") -> SlotState:
    """One slot."""
    name = f"jig-{number:02}"
    has_unit = not isinstance(condition, SlotEmpty | SlotOccupied)
    return SlotState(
        name=name,
        profile="product",
        port=f"1-4.{number}",
        group=group,
        lot=LOT.name,
        unit=unit(number, name) if has_unit else None,
        condition=condition,
        since=NOW - 20,
    )


def slots(count: int, *lots: LotState) -> Snapshot:
    """The bench with so many slots, one after the other in each condition."""
    made = tuple(slot(number, _CYCLE[(number - 1) % len(_CYCLE)]) for number in range(1, count + 1))
    return replace(BENCH, slots=made, lots=lots)


FAILURES: Final = api.UnitPage(
    units=(
        unit(4, "jig-04", ERASE_FAILED),
        unit(5, "jig-05"),
        unit(9, "jig-09", PULLED),
        unit(11, "jig-11", replace(ERASE_FAILED, message=HOSTILE, hint="")),
    )
)
