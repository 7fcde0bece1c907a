"""Slots as daemon and clients see them: a port that takes one unit after the other, and a record for each. Pure.

A slot is a board by its port, and has a board's name, queue and lane; the thing that is plugged into it changes. Times
are epoch seconds. Nothing here is compared by sentences: who has to decide something matches on `condition`.
"""

from msgspec import field
from msgspec.structs import force_setattr

from flashdeck.job_state import Failure, Verified
from flashdeck.open_enum import OpenEnum
from flashdeck.slot_condition import SlotCondition, SlotUnknown
from flashdeck.value import Value
from flashdeck.verdict import Judgement
from flashdeck.words.slots import slot_text


class UnitResult(OpenEnum):
    """The end that a unit has come to."""

    NONE = "none"
    """Nothing yet: it waits, or is being flashed."""
    PASSED = "passed"
    """All of its images are on it, and it was not seen to do anything else than run."""
    FAILED = "failed"
    LEFT = "left"
    """It went before anything was begun on it; it counts for nothing."""
    OTHER = "other"


class UnitImage(Value, frozen=True, kw_only=True):
    """An image that a unit was to get."""

    partition: str
    sha256: str
    version: str = ""
    job: int = 0
    """The job that brings it; 0 where none was queued."""


class UnitRecord(Value, frozen=True, kw_only=True):
    """One unit in a slot, from the time it appeared until it was gone. Two with one serial are two units."""

    id: int
    slot: str
    lot: str = ""
    """The lot that it counts for; "" for none."""
    serial: str = ""
    """Its serial as it was shown first; "" where it has none. Others may have the same one."""
    port: str = ""
    began_at: float
    """The time when it appeared."""
    decided_at: float | None = None
    """The time of its result; None while there is none."""
    left_at: float | None = None
    """The time since which it is gone; None while it is there."""
    images: tuple[UnitImage, ...] = ()
    result: UnitResult = UnitResult.NONE
    failure: Failure | None = None
    """The reason of a unit that failed."""
    verified: Verified = Verified.NO
    """YES where every image was read back and compared."""
    verdict: Judgement | None = None
    """The verdict of its console on the last image; None where nothing is judged."""


class SlotState(Value, frozen=True, kw_only=True):
    """One slot, with the unit in it. The board of the same name has the rest: its partitions, its hold, its console."""

    name: str
    profile: str
    port: str
    """As the configuration has it."""
    group: str = ""
    """The group that it is shown in; "" for none."""
    lot: str = ""
    """The lot that its units are for; "": they get the newest build."""
    unit: UnitRecord | None = None
    """The unit that is there; None where there is none."""
    condition: SlotCondition
    since: float
    """The time since which it is in this kind of condition."""
    text: str = ""
    """The condition in a sentence; it follows from it, but for one that only a newer daemon knows."""

    def __post_init__(self) -> None:
        """Put the condition into words, once for everybody."""
        if not isinstance(self.condition, SlotUnknown):
            force_setattr(self, "text", slot_text(self.condition))


class LotState(Value, frozen=True, kw_only=True):
    """A lot: so many good units with one image."""

    name: str
    image: str
    """The name of its file, as the client gave it."""
    partition: str
    sha256: str
    size: int
    version: str = ""
    slots: tuple[str, ...] = ()
    """The slots whose units are for it."""
    count: int
    """The number of units that are to pass. No unit beyond is flashed."""
    passed: int = 0
    failed: int = 0
    begun_at: float
    ended_at: float | None = None
    """The time of its end; None while it goes on."""
    done: int = field(default_factory=int)
    """Units with a result: passed and failed."""
    good_share: float | None = field(name="yield", default=None)
    """The part of these that passed, from 0 to 1; None while there is none."""
    is_complete: bool = field(default_factory=bool)
    """True once `count` units have passed."""

    def __post_init__(self) -> None:
        """Count once for everybody."""
        done = self.passed + self.failed
        force_setattr(self, "done", done)
        force_setattr(self, "good_share", self.passed / done if done else None)
        force_setattr(self, "is_complete", self.passed >= self.count)
