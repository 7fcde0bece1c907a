"""All metrics: for each its name, kind, labels, meaning, and where its values come from. Pure.

Names and units are as https://prometheus.io/docs/practices/naming wants them: base units, and a time as the moment at
which something happened. A label takes few values, all known from the configuration, the code or, as controllers,
the machine: no job, no hash, no serial, no path.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from flashdeck.controller_load import controller_states
from flashdeck.job_state import SETTLED, STATUSES, FlashWork, JobKind, Unknown, name_of
from flashdeck.model import BoardState, DaemonState, JobState, PartitionState, Presence, Trouble
from flashdeck.problems import ProblemKind, condition, jobs_by_board
from flashdeck.slot_condition import CONDITIONS, SlotUnknown, condition_name
from flashdeck.slot_state import LotState, SlotState, UnitResult
from flashdeckd.metrics.job_tally import NO_WORK, CountedEnd, CountedPlace, JobTally, Spread

Labels = tuple[str, ...]
"""The values of a metric's labels, in their order."""
PARTS: Final = (
    *("board", "boards.toml", "builds", "clients", "configuration", "console", "device", "flashdeckd", "hooks"),
    *("included", "journal", "libusb", "log", "metrics", "more", "names", "record", "socket", "spool"),
    *("state directory", "usb"),
)
"""The parts that may be degraded, by the beginnings of their names: the rest of a name may be anything, as a path."""
OTHER_PART: Final = "other"
"""The label for any other part."""
_UNFINISHED: Final = tuple(name_of(each) for each in STATUSES if each not in SETTLED and each is not Unknown)
"""The names of the states of jobs that have not ended."""
_RESULTS: Final = tuple(map(name_of, SETTLED))
_GONE: Final = (UnitResult.PASSED, UnitResult.FAILED, UnitResult.LEFT)
"""The results of units that have left their slots."""
_SLOT_STATES: Final = tuple(condition_name(each) for each in CONDITIONS if each is not SlotUnknown)
_SINCE: Final = "Counts from 0 when the daemon starts or the endpoint is opened."


class MetricKind(StrEnum):
    """The kind of a metric, as Prometheus has it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Watched:
    """All that the values come from, at one moment."""

    daemon: DaemonState
    boards: tuple[BoardState, ...]
    jobs: tuple[JobState, ...]
    tally: JobTally
    slots: tuple[SlotState, ...] = ()
    lots: tuple[LotState, ...] = ()
    """Those that go on."""
    units: Mapping[tuple[str, UnitResult], int] = field(default_factory=dict[tuple[str, UnitResult], int])
    """The units that have left each slot, by their result."""

    @property
    def partitions(self) -> Iterator[tuple[BoardState, PartitionState]]:
        """The partitions that can be flashed."""
        for board in self.boards:
            for partition in board.partitions:
                if not partition.protected:
                    yield board, partition

    @property
    def places(self) -> Iterator[CountedPlace]:
        """The same, by name."""
        return (CountedPlace(board.name, partition.name) for board, partition in self.partitions)


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One metric."""

    name: str
    """Without the ending that its kind gives to its samples."""
    kind: MetricKind
    labels: Labels
    meaning: str
    values: Callable[[Watched], Iterable[tuple[Labels, "float | Spread"]]]

    @property
    def shown(self) -> str:
        """The name as a query has it."""
        endings = {MetricKind.COUNTER: "_total", MetricKind.INFO: "_info"}
        return self.name + endings.get(self.kind, "")


# What it counts


def _ended(watched: Watched) -> Iterator[tuple[Labels, float]]:
    """Yield also the ends that no flash has come to yet: an alert has to see the step from 0 to 1."""
    none = {
        CountedEnd(place.board, place.partition, JobKind.FLASH.value, result): 0
        for place in watched.places
        for result in _RESULTS
    }
    yield from (none | dict(watched.tally.ended)).items()


def _work(number: Callable[[FlashWork], int]) -> Callable[[Watched], Iterator[tuple[Labels, float]]]:
    def values(watched: Watched) -> Iterator[tuple[Labels, float]]:
        work = dict.fromkeys(watched.places, NO_WORK) | watched.tally.work
        return ((place, number(each)) for place, each in work.items())

    return values


def _interruptions(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (dict.fromkeys(watched.places, 0) | dict(watched.tally.interruptions)).items()


def _verdicts(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from watched.tally.verdicts.items()


def _last_done(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from watched.tally.last_done.items()


def _times(watched: Watched) -> Iterator[tuple[Labels, Spread]]:
    yield from watched.tally.times.items()


def _build(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield (watched.daemon.version,), 1


def _begun(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield (), watched.daemon.started_at


def _boards(watched: Watched) -> Iterator[tuple[Labels, float]]:
    slots = {slot.name for slot in watched.slots}
    found = Counter(kind for name, kind in _conditions(watched).items() if name not in slots)
    yield from (((kind.value,), found[kind]) for kind in ProblemKind)


def _conditions(watched: Watched) -> dict[str, ProblemKind]:
    at = jobs_by_board(watched.jobs)
    return {board.name: condition(board, at.get(board.name, ())) for board in watched.boards}


def _needs_person(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((name,), kind.needs_person) for name, kind in _conditions(watched).items())


def _board_info(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((board.name, board.profile), 1) for board in watched.boards)


def _present(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((board.name,), board.presence is not Presence.ABSENT) for board in watched.boards)


def _controllers(watched: Watched) -> Iterator[tuple[Labels, float]]:
    for each in controller_states(watched.boards, watched.jobs, watched.daemon.max_per_controller):
        yield (each.name, "present"), len(each.boards)
        yield (each.name, "busy"), len(each.busy)
        yield (each.name, "waiting"), len(each.waiting)


def _queued(watched: Watched) -> Iterator[tuple[Labels, float]]:
    found = Counter((job.board, name_of(job.status)) for job in watched.jobs if not job.is_settled)
    yield from (((board.name, state), found[board.name, state]) for board in watched.boards for state in _UNFINISHED)


def _current(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((board.name, partition.name), partition.current) for board, partition in watched.partitions)


def _slots(watched: Watched) -> Iterator[tuple[Labels, float]]:
    found = Counter(condition_name(slot.condition) for slot in watched.slots)
    yield from (((state,), found[state]) for state in _SLOT_STATES)


def _slot_info(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((slot.name, slot.profile), 1) for slot in watched.slots)


def _occupied(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield from (((slot.name,), slot.unit is not None) for slot in watched.slots)


def _units(watched: Watched) -> Iterator[tuple[Labels, float]]:
    """Yield also the results that no unit has had yet, as of jobs."""
    for slot in watched.slots:
        yield from (((slot.name, result.value), watched.units.get((slot.name, result), 0)) for result in _GONE)


def _lots(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield (), len(watched.lots)


def _lot_units(watched: Watched) -> Iterator[tuple[Labels, float]]:
    yield ("wanted",), sum(lot.count for lot in watched.lots)
    yield (UnitResult.PASSED.value,), sum(lot.passed for lot in watched.lots)
    yield (UnitResult.FAILED.value,), sum(lot.failed for lot in watched.lots)


def _degraded(watched: Watched) -> Iterator[tuple[Labels, float]]:
    found = Counter(map(part_of, watched.daemon.troubles))
    yield from (((part,), found[part]) for part in (*PARTS, OTHER_PART))


def part_of(trouble: Trouble) -> str:
    """Return the label for the part that does not work."""
    return max((part for part in PARTS if trouble.part.startswith(part)), key=len, default=OTHER_PART)


_PLACE: Final = ("board", "partition")
_BYTES: Final = "also in attempts that were cut short"

METRICS: Final = (
    MetricDescription("flashdeck_build", MetricKind.INFO, ("version",), "The release of flashdeckd.", _build),
    MetricDescription(
        "flashdeck_start_time_seconds", MetricKind.GAUGE, (), "Start of the daemon, in seconds since the epoch.", _begun
    ),
    MetricDescription(
        "flashdeck_boards",
        MetricKind.GAUGE,
        ("state",),
        "Boards by the worst state that each is in, in the words of `flashdeck status`.",
        _boards,
    ),
    MetricDescription(
        "flashdeck_board", MetricKind.INFO, ("board", "profile"), "The profile of each board.", _board_info
    ),
    MetricDescription(
        "flashdeck_board_present", MetricKind.GAUGE, ("board",), "1 if the board is connected, else 0.", _present
    ),
    MetricDescription(
        "flashdeck_board_needs_person",
        MetricKind.GAUGE,
        ("board",),
        "1 if the board goes on only once a person has acted, else 0.",
        _needs_person,
    ),
    MetricDescription(
        "flashdeck_partition_current",
        MetricKind.GAUGE,
        _PLACE,
        "1 if the partition has its newest build, else 0.",
        _current,
    ),
    MetricDescription(
        "flashdeck_unfinished_jobs",
        MetricKind.GAUGE,
        ("board", "state"),
        "Jobs that have not ended, by their state: the queue of each board.",
        _queued,
    ),
    MetricDescription(
        "flashdeck_controller_boards",
        MetricKind.GAUGE,
        ("controller", "state"),
        "Boards of each USB host controller: present, busy, or waiting for their turn there.",
        _controllers,
    ),
    MetricDescription(
        "flashdeck_jobs",
        MetricKind.COUNTER,
        (*_PLACE, "kind", "result"),
        f"Jobs that have ended, by what they were for and their result. {_SINCE}",
        _ended,
    ),
    MetricDescription(
        "flashdeck_verdicts",
        MetricKind.COUNTER,
        ("board", "verdict"),
        f"Verdicts on starts, by the consoles of boards. {_SINCE}",
        _verdicts,
    ),
    MetricDescription(
        "flashdeck_interruptions",
        MetricKind.COUNTER,
        _PLACE,
        f"Attempts that ended in the middle of their work: the board was lost, or refused something. {_SINCE}",
        _interruptions,
    ),
    MetricDescription(
        "flashdeck_job_phase_seconds",
        MetricKind.HISTOGRAM,
        ("profile", "phase"),
        f"Time of each phase of jobs that have ended, over all their attempts. {_SINCE}",
        _times,
    ),
    MetricDescription(
        "flashdeck_last_success_timestamp_seconds",
        MetricKind.GAUGE,
        _PLACE,
        "End of the newest flash that was done, in seconds since the epoch; also from before a restart.",
        _last_done,
    ),
    MetricDescription(
        "flashdeck_sectors_erased",
        MetricKind.COUNTER,
        _PLACE,
        f"Erases of sectors, which wear the flash, {_BYTES}. {_SINCE}",
        _work(lambda work: work.sectors_erased),
    ),
    MetricDescription(
        "flashdeck_written_bytes",
        MetricKind.COUNTER,
        _PLACE,
        f"Bytes that were written to boards, {_BYTES}. {_SINCE}",
        _work(lambda work: work.bytes_written),
    ),
    MetricDescription(
        "flashdeck_read_bytes",
        MetricKind.COUNTER,
        _PLACE,
        f"Bytes that were read from boards to compare, verify or keep them. {_SINCE}",
        _work(lambda work: work.bytes_read),
    ),
    MetricDescription(
        "flashdeck_slots", MetricKind.GAUGE, ("state",), "Slots by their state; they are not among the boards.", _slots
    ),
    MetricDescription("flashdeck_slot", MetricKind.INFO, ("slot", "profile"), "The profile of each slot.", _slot_info),
    MetricDescription(
        "flashdeck_slot_occupied", MetricKind.GAUGE, ("slot",), "1 if a unit is in the slot, else 0.", _occupied
    ),
    MetricDescription(
        "flashdeck_units",
        MetricKind.COUNTER,
        ("slot", "result"),
        "Units that have left their slots, by their result, since the daemon has been started.",
        _units,
    ),
    MetricDescription("flashdeck_lots", MetricKind.GAUGE, (), "Lots that go on.", _lots),
    MetricDescription(
        "flashdeck_lot_units",
        MetricKind.GAUGE,
        ("result",),
        "Units of all lots that go on: how many are wanted, and how many have passed and failed so far.",
        _lot_units,
    ),
    MetricDescription(
        "flashdeck_degraded",
        MetricKind.GAUGE,
        ("part",),
        "Parts of the daemon, or of its host, that do not work as they should.",
        _degraded,
    ),
)
"""In the order in which they are shown."""
