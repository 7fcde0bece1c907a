"""The cuts of the exhaustive part: jobs of every kind on every emulated bootloader, each place in them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from flashdeck.config import UsbId
from flashdeck.geometry import Range
from flashdeckd.host.randomness import noise
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import PARTITIONS, PLAIN_MODELS, STORES_NOTHING, BoardSpec, Content, Model, Start, Timing
from image_writers import binary, hexed

SECTOR, WORD = 512, 16
BOOTLOADER = Range.sized(0x08020000 - 2 * SECTOR, 2 * SECTOR)
"""In front of where the plain models have their first partition."""
PARTITION = Range.sized(BOOTLOADER.end, 6 * SECTOR)
LAYOUT = FlashLayout(base=BOOTLOADER.start, size=16 * SECTOR, sector=SECTOR, word=WORD, bank=8 * SECTOR)
BANK = 256 * 1024
"""A bank of the flash that has room for a partition of Zephyr's."""
RAM = Range.sized(0x20000000, 0x10000)
BOOT_UNIT = 16
NAME = "left"
DFUSE_IDS = UsbId(0x0483, 0xDF11), UsbId(0x0483, 0x5740)
"""USB ids in DFU mode and of the running application."""
PLAIN_IDS = UsbId(0xCAFE, 0x4000), UsbId(0xCAFE, 0x4001)
"""The same of a board with plain DFU."""
Pieces = tuple[tuple[int, bytes], ...]
"""Offsets from the start of the partition, and bytes."""


class Job(Enum):
    """A kind of job."""

    FULL = "full"
    """Another image in every sector."""
    ONE_SECTOR = "one sector"
    """An image that differs in one sector, which is not the first."""
    TWO_PIECES = "two pieces"
    """An image of two pieces, between which sectors stay as they are."""
    ROLLBACK = "rollback"
    """Back to the image before."""


def image(name: str, size: int = 3 * SECTOR - 100) -> bytes:
    """Return a program that every guard and every boot check accepts."""
    head = (0x20005000).to_bytes(4, "little") + (PARTITION.start + 0x41).to_bytes(4, "little")
    body = head + f"\0flashdeck-test {name}\0".encode()
    return body + noise(name, size - len(body))


OLD, NEW = image("1.0.0"), image("2.0.0")
LARGE = image("1.0.0", 5 * SECTOR - 100)
"""So large that it pays to compare it before it is written."""
CHANGED = 2 * SECTOR + 77
IMAGES: Mapping[Job, tuple[Pieces, Pieces]] = {
    Job.FULL: (((0, OLD),), ((0, NEW),)),
    Job.ONE_SECTOR: (((0, LARGE),), ((0, LARGE[:CHANGED] + b"changed" + LARGE[CHANGED + 7 :]),)),
    Job.TWO_PIECES: (
        ((0, OLD),),
        ((0, image("2.0.0", SECTOR + 200)), (3 * SECTOR + 100, noise("second", SECTOR))),
    ),
    Job.ROLLBACK: (((0, NEW),), ((0, OLD),)),
}
"""The image before each job, and the one that it brings."""


@dataclass(frozen=True)
class Subject:
    """A job on a board."""

    model: Model
    job: Job

    def __str__(self) -> str:
        return f"{self.job.value} on {self.model.value}"

    @property
    def is_plain(self) -> bool:
        """True if its bootloader speaks plain DFU, which protects no half image."""
        return self.model in PLAIN_MODELS

    @property
    def ids(self) -> tuple[UsbId, UsbId]:
        """Its USB ids."""
        return PLAIN_IDS if self.is_plain else DFUSE_IDS

    @property
    def before(self) -> Pieces:
        """The image that is in the partition when the job is asked for."""
        return IMAGES[self.job][0]

    @property
    def wanted(self) -> Pieces:
        """The image that the job brings."""
        return IMAGES[self.job][1]

    @property
    def built(self) -> tuple[Pieces, ...]:
        """The images that are built before the job, one after the other."""
        return (self.wanted, self.before) if self.job is Job.ROLLBACK else (self.before,)

    def file_of(self, pieces: Pieces) -> bytes:
        """Return an image as the file that is built."""
        if self.is_plain:
            return binary([(PARTITION.start + at, data) for at, data in pieces], fill=0xFF)
        return hexed([(PARTITION.start + at, data) for at, data in pieces])

    @property
    def file_name(self) -> str:
        """The name of that file."""
        return "APP1.bin" if self.is_plain else "APP1.hex"

    def spec(self, flash: bytes) -> BoardSpec:
        """Return the board with this flash."""
        return BoardSpec(
            name=NAME,
            model=self.model,
            serial="SIM000000001",
            timing=Timing.REAL,
            layout=self.layout,
            ram=() if self.is_plain else (RAM,),
            app_address=PARTITION.start,
            start=Start.BOOT,
            runtime=True,
            contents=(Content(LAYOUT.base, flash),),
            # A block of plain DFU is a sector: its bootloaders erase no more for it.
            transfer_size=SECTOR if self.is_plain else None,
            dfu=self.ids[0],
            app=self.ids[1],
        )

    @property
    def partition(self) -> Range:
        """Its partition; Zephyr's has its full size, as it erases the end of it, too."""
        return PARTITIONS[0][1] if self.model is Model.ZEPHYR else PARTITION

    @property
    def layout(self) -> FlashLayout:
        """Its flash, with something behind the partition."""
        return replace(LAYOUT, size=2 * BANK, bank=BANK) if self.model is Model.ZEPHYR else LAYOUT

    def blank(self) -> bytes:
        """Return a flash with something everywhere but in the partition."""
        flash = bytearray(fill(self.layout.size, 7))
        start = self.partition.start - LAYOUT.base
        flash[start : start + self.partition.size] = b"\xff" * self.partition.size
        return bytes(flash)

    def config(self, builds: Path) -> str:
        """Return the configuration, as a person would write it."""
        place = "alt = 0" if self.is_plain else f"address = 0x{PARTITION.start:08x}"
        flash = "" if self.is_plain else f'sectors = "{LAYOUT.size // SECTOR}*{SECTOR}@0x{LAYOUT.base:08x}"\n'
        ram = "" if self.is_plain else f'ram = "0x{RAM.start:08x}+{RAM.size}"\n'
        return (
            '[daemon]\nsettle = "50ms"\n[profiles.product]\n'
            f'dfu = "{self.ids[0]}"\napp = "{self.ids[1]}"\nenter = "detach"\n{flash}{ram}'
            f"[profiles.product.partitions.app1]\n{place}\nsize = {self.partition.size}\n"
            f'image = "{builds / self.file_name}"\n[boards.{NAME}]\nprofile = "product"\nserial = "SIM000000001"\n'
        )

    def holds(self, flash: bytes, pieces: Pieces) -> bool:
        """Return whether a flash has every byte of an image."""
        start = PARTITION.start - LAYOUT.base
        return all(flash[start + at : start + at + len(data)] == data for at, data in pieces)

    def changed_outside(self, before: bytes, now: bytes) -> bool:
        """Return whether any byte outside of the partition is another one."""
        start, end = self.partition.start - LAYOUT.base, self.partition.end - LAYOUT.base
        return (before[:start], before[end:]) != (now[:start], now[end:])


def subjects() -> Iterator[Subject]:
    """Yield every job on every bootloader that keeps what is written to it."""
    for model in Model:
        for job in Job:
            if model not in STORES_NOTHING and not (model in PLAIN_MODELS and job is Job.TWO_PIECES):
                yield Subject(model, job)


class At(Enum):
    """A kind of place at which a job is cut."""

    FLASH = "power of board and host in a flash operation"
    """The host's disk is then in one of its legal states, another one each time."""
    TRANSFER = "kill before a transfer"
    DISK_BEFORE = "kill before a disk operation"
    DISK_AFTER = "kill after a disk operation"
    COMMIT = "kill before or after a commit of the journal"
    POWER = "power of the host after a disk operation, or before or after a commit"
    """One for each typical state of its disk."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One place at which a job is cut."""

    at: At
    number: int
    state: int = 0
    """The number of the state of the disk, of those that there are."""


@dataclass
class Measured:
    """The steps of a job when nothing happens."""

    flash: bytes = b""
    """The flash behind it."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """By the name of `At`: how many places there are."""
    states: list[int] = field(default_factory=list[int])
    """At each place for a power cut: in how many typical states it may leave the disk."""

    def cuts(self) -> Iterator[Cut]:
        """Yield every place at which the job can be cut."""
        for at in At:
            if at is not At.POWER:
                yield from (Cut(at, number) for number in range(1, self.counts.get(at.name, 0) + 1))
        for number, states in enumerate(self.states, start=1):
            yield from (Cut(At.POWER, number, state) for state in range(states))
