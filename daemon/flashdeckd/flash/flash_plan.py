"""The plan of a flash as a value: its steps, what may be done about an error at each, and what it costs."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from flashdeck.geometry import Range
from flashdeck.memory_map import MemoryMap
from flashdeckd.dfu.facts import Facts
from flashdeckd.flash.banks import Site
from flashdeckd.flash.layout import blocks
from flashdeckd.flash.survey import UNASKED, Seen
from flashdeckd.images.image import Image


class StepKind(StrEnum):
    """The kinds of steps."""

    SAMPLE = "sample"
    """Reads the first block that the image touches, where reading is not yet believed: a stale read can be told by it
    later. Plain DFU 1.1: up to the first block that is not what is to be written."""
    CHECK_BLOCKS = "check blocks"
    """Reads one block by its number, and again by its address: so the device multiplies as it says. Where it does not,
    or that cannot be seen, each block gets its own address."""
    MEASURE_BLOCKS = "measure blocks"
    """The same with two blocks that were just written, where each has got its own address so far: the later ones need
    none then."""
    COMPARE = "compare"
    """Reads what is there, where reading was proved before: what is equal is left alone. Of what differs, no more is
    read than shows that; and where one sector after the other differs, the rest is not read."""
    FIND_BLANK = "find blank"
    """Looks for a blank sector whose twin in the other bank is blank too, and remembers what it must not change. Looks
    also where an earlier job may have left a canary."""
    KEEP = "keep"
    """Nothing: these sectors hold their part of the image already."""
    LEAVE_BLANK = "leave blank"
    """Nothing: in these blocks the image is as erased flash, once their sectors are erased."""
    WRITE_CANARY = "write canary"
    READ_CANARY = "read canary"
    ERASE_CANARY = "erase canary"
    CHECK_BANKS = "check banks"
    """The canary must be gone, and nothing else may have changed: the bootloader erases the right bank. Its sector is
    blank then, and not erased once more."""
    ERASE = "erase"
    CHECK_BLANK = "check blank"
    """Reads an erased sector before anything is written: the first half of the proof that reading works."""
    WRITE = "write"
    PROVE_READING = "prove reading"
    """Reads back what was written first: the other half."""
    READ_BACK = "read back"
    WRITE_BOOT_UNIT = "write boot unit"
    READ_BOOT_UNIT = "read boot unit"
    LEAVE = "leave"
    DOWNLOAD = "download"
    """Plain DFU 1.1: the whole image, in blocks one after the other."""
    MANIFEST = "manifest"
    """Plain DFU 1.1: the end of the image; the device checks it, and starts it or goes back to dfuIDLE."""


READS = frozenset(
    (
        StepKind.SAMPLE,
        StepKind.CHECK_BLOCKS,
        StepKind.MEASURE_BLOCKS,
        StepKind.COMPARE,
        StepKind.FIND_BLANK,
        StepKind.READ_CANARY,
        StepKind.CHECK_BANKS,
        StepKind.CHECK_BLANK,
        StepKind.PROVE_READING,
        StepKind.READ_BACK,
        StepKind.READ_BOOT_UNIT,
    )
)
"""Steps that only read. They are left out once reading has turned out not to work."""
SKIPS = frozenset((StepKind.KEEP, StepKind.LEAVE_BLANK))
"""Steps that say what is left out."""
CANARY = frozenset((StepKind.WRITE_CANARY, StepKind.READ_CANARY, StepKind.ERASE_CANARY, StepKind.CHECK_BANKS))
"""Steps that come before everything else in a bank, in blank flash."""
_READ_BACK = frozenset((StepKind.CHECK_BLANK, StepKind.PROVE_READING, StepKind.READ_BACK, StepKind.READ_BOOT_UNIT))

RECOVERIES = {
    StepKind.SAMPLE: "go on without reading",
    StepKind.CHECK_BLOCKS: "go on without reading",
    StepKind.MEASURE_BLOCKS: "measure again once; then go on without reading",
    StepKind.COMPARE: "read again once; after that everything is written",
    StepKind.FIND_BLANK: "go on without the canary",
    StepKind.WRITE_CANARY: "go on without the canary",
    StepKind.READ_CANARY: "go on without the canary",
    StepKind.ERASE_CANARY: "erase again once",
    StepKind.ERASE: "erase again once",
    StepKind.CHECK_BLANK: "go on without reading",
    StepKind.WRITE: "its sector again once, from the erase",
    StepKind.PROVE_READING: "go on without reading",
    StepKind.READ_BACK: "its sector again once, from the erase",
    StepKind.WRITE_BOOT_UNIT: "its sector again once, from the erase; then that is erased and left blank",
    StepKind.READ_BOOT_UNIT: "its sector again once, from the erase; then that is erased and left blank",
}
"""The remedy for an error, by step: nothing can be done where none is named here. A board that is lost is none of
these: the job begins anew when it is back."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The facts that a device states of itself, as far as a plan needs them."""

    transfer_size: int
    """wTransferSize; 0 where the device does not say."""
    memory_map: MemoryMap | None = None
    map_error: str = ""
    """The reason why there is no map."""
    can_upload: bool = True
    can_download: bool = True

    @property
    def map_fingerprint(self) -> str:
        """A short name of the memory map, the same for equal maps; "" where there is none."""
        return "" if self.memory_map is None else hashlib.sha256(repr(self.memory_map).encode()).hexdigest()[:16]

    @classmethod
    def of(cls, facts: Facts) -> "DeviceFacts":
        """The same from an opened session."""
        return cls(
            transfer_size=facts.functional.transfer_size,
            memory_map=facts.memory_map,
            map_error=facts.map_error,
            can_upload=facts.functional.can_upload,
            can_download=facts.functional.can_download,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step; reads of more than one transfer are done in blocks."""

    action: StepKind
    span: Range


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """The steps of one flash, in order. The program does nothing that is not in it."""

    image: Image = field(repr=False)
    """The bytes that the image defines, by address. On a plain DFU 1.1 device: all that is sent."""
    boot_unit: int
    """Length in bytes of the part that is written last; 0 where nothing is."""
    block: int
    """The most bytes in one transfer."""
    steps: tuple[Step, ...]
    requests: int
    """Control requests that it costs on a device that answers at once, from opening the session to the leave."""
    protection: str
    """The way in which a half-written image is kept from booting."""
    erased: tuple[Range, ...]
    """The sectors that are erased for the image, in ascending order, neighbours joined. Where it defines nothing there,
    they read 0xFF afterwards. The sector of a canary is among them only if it is one of these anyway. On a plain DFU
    1.1 device: all that is sent, which says nothing of what lies behind it."""
    erased_beside: int = 0
    """Bytes in these sectors that the image does not bring back; where they were read, those that are 0xFF do not
    count."""
    trials: tuple[Site, ...] = ()
    """The places where canaries show whether the right bank is erased."""
    is_mapped: bool = False
    """False where only the profile says how large the sectors are: an erase may take more than one."""
    seen: Seen = UNASKED
    """The answers of the board when the plan was made."""
    unchanged: int = 0
    """Bytes of the sectors that hold the image already, and are left alone."""
    trusts_cache: bool = False
    """True if some of these were not read, but taken for what was last flashed there."""
    notes: tuple[str, ...] = ()

    @property
    def erases(self) -> int:
        """Sectors that are erased, the canary's among them."""
        return self._count(StepKind.ERASE) + self._count(StepKind.ERASE_CANARY)

    @property
    def blocks(self) -> int:
        """Blocks that are written, the boot unit's among them."""
        return sum(map(self._count, (StepKind.WRITE, StepKind.WRITE_BOOT_UNIT, StepKind.DOWNLOAD)))

    @property
    def reads(self) -> bool:
        """Tell whether anything that is written is read back, where reading turns out to work."""
        return any(step.action in _READ_BACK for step in self.steps)

    @property
    def changes(self) -> bool:
        """Tell whether anything of the image is written, or erased for it."""
        return bool(self.erased)

    @property
    def tries_canary(self) -> bool:
        """Tell whether canaries come and go first, in sectors of the partition that hold nothing else."""
        return self._count(StepKind.ERASE_CANARY) > 0

    @property
    def touched(self) -> frozenset[Range]:
        """The sectors that are erased at all, those of canaries included: nothing else changes."""
        return frozenset(s.span for s in self.steps if s.action in (StepKind.ERASE, StepKind.ERASE_CANARY))

    def data(self, span: Range) -> bytes:
        """Return the bytes that `span` holds afterwards, 0xFF where the image defines nothing."""
        return self.image.read(span)

    def read_blocks(self, span: Range) -> Iterator[Range]:
        """Divide `span` into transfers."""
        return blocks(span, self.block)

    def _count(self, action: StepKind) -> int:
        return sum(1 for step in self.steps if step.action is action)
