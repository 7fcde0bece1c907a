"""What `make bench` finds out, as values: rows of costs, measurements and promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Self

from flashdeck.api import VirtualBoardState

FLASHDECK = "flashdeck"


class Unit(StrEnum):
    """What a measurement counts."""

    TIMES = "x"
    """A ratio."""
    MILLISECONDS = "ms"
    MEGABYTES = "MB"
    PERCENT = "%"
    A_SECOND = "/s"
    BYTES_A_SECOND = "B/s"
    BYTES_A_MINUTE = "B/min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one flash cost one board, as the board saw it."""

    downloads: int = 0
    statuses: int = 0
    """GETSTATUS requests."""
    uploads: int = 0
    others: int = 0
    """The other DFU class requests."""
    bytes: int = 0
    """Bytes from the host in DFU requests, commands included."""
    words: int = 0
    """Program units written."""
    erases: int = 0
    sleeps: int = 0
    """Pauses of the host in which the board had nothing to do."""
    slept: float = 0.0
    """Seconds of these pauses at the speed of a real board."""
    model_seconds: float = 0.0
    """What these transfers and this flash work take by the board's model, at the speed of a real board."""

    @classmethod
    def between(cls, before: VirtualBoardState, after: VirtualBoardState, *, slowdown: float = 1.0) -> Self:
        """The difference of two looks at one board, whose model is slowed down by that factor."""
        requests = after.requests - before.requests
        downloads = after.downloads - before.downloads
        statuses = after.statuses - before.statuses
        uploads = after.uploads - before.uploads
        passed = after.bus_seconds + after.busy_seconds - before.bus_seconds - before.busy_seconds
        return cls(
            downloads=downloads,
            statuses=statuses,
            uploads=uploads,
            others=requests - downloads - statuses - uploads,
            bytes=after.bytes_down - before.bytes_down,
            words=after.words - before.words,
            erases=after.erases - before.erases,
            sleeps=after.sleeps - before.sleeps,
            slept=(after.slept - before.slept) / slowdown,
            model_seconds=passed / slowdown,
        )

    @property
    def requests(self) -> int:
        """DFU class requests without the UPLOADs, which is how the promises count them."""
        return self.downloads + self.statuses + self.others


@dataclass(frozen=True, slots=True)
class Measure:
    """The median of measurements."""

    value: float
    unit: Unit
    of: int = 1
    """How many there were."""

    @classmethod
    def median(cls, values: Sequence[float], unit: Unit) -> Self:
        return cls(median(values), unit, len(values))


@dataclass(frozen=True, slots=True)
class Promise:
    """A number that may not be exceeded. A count is the same on every machine; what is timed is never a promise."""

    what: str
    limit: int
    found: int

    @property
    def kept(self) -> bool:
        return self.found <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    tool: str = FLASHDECK
    cost: Cost | None = None
    seconds: float | None = None
    """At the speed of real boards."""
    measure: Measure | None = None
    promises: tuple[Promise, ...] = ()
    aim: float | None = None
    """What `measure` should not exceed on a quiet machine."""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured, and with which versions."""

    processor: str
    cores: int
    load: float
    """Load average of the minute before."""
    kernel: str
    versions: dict[str, str]
    """By the names of programs and packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of one run."""

    machine: Machine
    command: str
    """What it was run with."""
    image: int
    """Bytes of a full image."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What must be known to read the rows, and what was left out."""

    @property
    def broken(self) -> tuple[str, ...]:
        """The promises that were not kept."""
        return tuple(
            f"{row.what}: {promise.found} {promise.what}, promised are at most {promise.limit}"
            for row in self.rows
            for promise in row.promises
            if not promise.kept
        )
