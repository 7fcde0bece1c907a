"""A bench on which everything happens at once, and a link that needs no daemon."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis, Finding, Severity
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck.job_state import (
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    JobResult,
    JobStatus,
    Phase,
    Queued,
    Running,
    Verified,
    WaitFor,
    Waiting,
    is_settled,
)
from flashdeck.model import (
    ArtifactState,
    BoardHold,
    BoardState,
    ConfigurationState,
    Contents,
    DaemonState,
    DeviceState,
    Disposition,
    Event,
    JobState,
    LogLevel,
    LogLine,
    Origin,
    PartitionState,
    Presence,
    Snapshot,
)
from flashdeck.queue_order import moved
from flashdeck.value import Value
from flashdeck_tui.actions.registry import registry
from flashdeck_tui.app import FlashdeckApp
from flashdeck_tui.bench_actions import BenchActions
from flashdeck_tui.board_list import Arrangement, groups_of
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.keymap import key_names
from flashdeck_tui.link import Link, LinkState, LinkStatus
from flashdeck_tui.settings import Settings
from flashdeck_tui.store import Store
from flashdeck_tui.terminal_app import USUAL
from flashdeck_tui.views.boards import Appearance, board_table
from flashdeck_tui.views.cells import Row

R = TypeVar("R", bound=Value)

SOCKET = Path("/run/user/1000/flashdeck/flashdeckd.sock")
KEYS = key_names(registry())
"""The keys as they are where nobody has said another one."""
NOW = 1_700_000_000.0
NEWEST = hashlib.sha256(b"1.0.2").hexdigest()
OLDER = hashlib.sha256(b"1.0.1").hexdigest()
HOSTILE = "\x1b]0;owned\x07[/][bold red]board[/bold] \u202egnp"

DAEMON = DaemonState(
    version="0.1.0", pid=4711, instance="one", host="bench", started_at=NOW - 4000, virtual=False, degraded=()
)


_QUEUED = Queued()


def contents(sha256: str = NEWEST, **fields: Any) -> Contents:
    version = "1.0.2" if sha256 == NEWEST else "1.0.1"
    known: dict[str, Any] = {
        "sha256": sha256,
        "size": 100_352,
        "version": version,
        "flashed_at": NOW - 130,
        "verified": Verified.YES,
        "job": 1,
    }
    return Contents(**known | fields)


def partitions(app1: Contents | None = None, *, offered: str = "", trouble: str = "") -> tuple[PartitionState, ...]:
    return (
        PartitionState(name="bootloader", address=0x08000000, size=0x20000, protected=True),
        PartitionState(
            name="app1",
            address=0x08020000,
            size=0x60000,
            image="/home/dev/fw/app1/Debug/APP1.bin",
            contents=app1,
            offered=offered,
            current=app1 is not None and app1.complete and app1.sha256 == NEWEST,
            trouble=trouble,
        ),
        PartitionState(name="partition2", address=0x08080000, size=0x60000, image="/home/dev/fw/app2/Debug/APP2.bin"),
    )


def board(name: str = "left", **fields: Any) -> BoardState:
    known: dict[str, Any] = {
        "profile": "product",
        "presence": Presence.APP,
        "serial": "336E36833233",
        "port": "1-4.2",
        "partitions": partitions(contents()),
    }
    return BoardState(name=name, **known | fields)


def job(number: int = 7, name: str = "left", status: JobStatus = _QUEUED, **fields: Any) -> JobState:
    known: dict[str, Any] = {
        "partition": "app1",
        "sha256": NEWEST,
        "size": 100_352,
        "version": "1.0.2",
        "origin": Origin.BUILD,
        "created_at": NOW - 60,
    }
    if is_settled(status):
        known["finished_at"] = NOW - 30
    return JobState(id=number, board=name, status=status, **known | fields)


RESULT = JobResult(
    bytes_written=100_352,
    erases=13,
    blocks=98,
    transfers=420,
    uploads=98,
    slept=1.2,
    seconds=3.4,
    verified=Verified.YES,
    protection="boot unit last",
    started=True,
)
FAILURE = Failure(
    kind=ErrorKind.NOT_ACCEPTED,
    message="board right came back in DFU mode: the bootloader did not accept the image 4a5be60c1f1e in app1",
    hint="check that the image is linked for this partition, that its initial stack pointer passes "
    "the bootloader's boot check, and that the partition which is booted has an application",
)
ARTIFACT = ArtifactState(
    sha256=NEWEST,
    size=100_352,
    source="/home/dev/fw/app1/Debug/APP1.bin",
    profile="product",
    partition="app1",
    version="1.0.2",
    seen_at=NOW - 65,
    disposition=Disposition.QUEUED,
)


def plan(name: str, partition: str, **fields: Any) -> api.BoardPlan:
    known: dict[str, Any] = {
        "sha256": OLDER,
        "steps": (
            api.PlanStep(action="erase", address=0x08020000, size=0x2000, note="try again once"),
            api.PlanStep(action="write", address=0x08020000, size=0x800),
            api.PlanStep(action="leave", address=0x08020000, size=0),
        ),
        "erases": 1,
        "blocks": 1,
        "requests": 20,
        "protection": "boot unit last",
    }
    return api.BoardPlan(board=name, partition=partition, **known | fields)


def report(name: str) -> BoardReport:
    finding = Finding(
        code="read-refused",
        severity=Severity.WARNING,
        seen=f"UPLOAD was answered with a STALL {HOSTILE}",
        means="nothing is verified",
        mend="implement MEM_If_Read_HS",
    )
    return BoardReport(board=name, profile="product", presence=Presence.DFU, findings=(finding,), requests=12)


def running(phase: Phase = Phase.WRITE, done: int = 42_000, total: int = 100_352, *, silent: float = 0.1) -> Running:
    """A job that runs, on a board that has not answered for `silent` seconds."""
    return Running(phase=phase, done=done, total=total, since=NOW - 3, answered_at=NOW - silent)


WAITING = job(
    9,
    "spare",
    Waiting(for_=WaitFor.ABSENT, reason="not connected", hint="hold SW2, press RESET"),
)
RUNNING = job(8, "bench-1", running(), attempts=1, started_at=NOW - 3)

BENCH = Snapshot(
    seq=1,
    daemon=DAEMON,
    boards=(
        board("left"),
        board(
            "bench-1",
            presence=Presence.DFU,
            port="1-4.1",
            serial="205E38833233",
            partitions=partitions(contents(OLDER)),
        ),
        board("right", presence=Presence.DFU, port="1-4.3", serial="", partitions=partitions(contents(started=False))),
        board(
            "lab",
            port="1-4.4",
            hold=BoardHold(reason="the scope is on it, Eva"),
            partitions=partitions(contents(OLDER, verified=Verified.NO), offered=NEWEST),
        ),
        board("spare", presence=Presence.ABSENT, port="", serial="", partitions=partitions(None)),
        board(
            "twin",
            presence=Presence.AMBIGUOUS,
            port="",
            trouble="2 devices look like board twin (at 1-4.5, 1-4.6): unplug all but one, or add its port to the "
            "configuration",
            partitions=partitions(contents(OLDER, complete=False)),
        ),
    ),
    devices=(
        DeviceState(port="1-5", usb_id="0483:df11", serial="X1", product=HOSTILE, note="not configured: never touched"),
    ),
    jobs=(
        job(5, "left", Done(result=RESULT), origin=Origin.HAND),
        job(6, "right", Failed(failure=FAILURE, result=RESULT)),
        RUNNING,
        WAITING,
        job(10, "lab"),
    ),
    artifacts=(ARTIFACT,),
)
LOG = (
    LogLine(id=1, time=NOW - 65, level=LogLevel.INFO, text="APP1.bin settled: 1.0.2, 98 KiB"),
    LogLine(
        id=2, time=NOW - 60, level=LogLevel.INFO, text="flashing 1.0.2 (100352 bytes) into app1", board="left", job=5
    ),
    LogLine(id=3, time=NOW - 30, level=LogLevel.ERROR, text=f"failed: {FAILURE.message}", board="right", job=6),
    LogLine(id=4, time=NOW - 10, level=LogLevel.WARNING, text=f"DFU device {HOSTILE} at 1-5: not configured"),
    LogLine(
        id=5, time=NOW - 3, level=LogLevel.INFO, text="flashing 1.0.2 (100352 bytes) into app1", board="bench-1", job=8
    ),
)


class FakeLink:
    """Stands in for `Link`: says what it is told to, and remembers what was asked."""

    def __init__(self, store: Store) -> None:
        self.socket = SOCKET
        self.store = store
        self.state = LinkState(LinkStatus.CONNECTED)
        self.calls: list[api.Params[Any]] = []
        self.answers: dict[type[api.Params[Any]], Value | FlashdeckError] = {}
        self.uploads: list[tuple[str, bytes, str, tuple[str, ...]]] = []
        self.history: tuple[JobState, ...] = ()
        """The jobs in the journal."""

    async def run(self) -> None:
        """The test feeds the store itself."""

    async def call(self, params: api.Params[R]) -> Any:
        if self.state.status is not LinkStatus.CONNECTED:
            raise ConnectionFailedError("not connected")
        self.calls.append(params)
        answer = self.answers.get(type(params))
        if isinstance(answer, FlashdeckError):
            raise answer
        return answer if answer is not None else self.usual_answer(params)

    @property
    def connected(self) -> bool:
        return self.state.status is LinkStatus.CONNECTED

    async def upload(self, name: str, data: bytes, *, partition: str, boards: tuple[str, ...]) -> api.UploadDone:
        self.uploads.append((name, data, partition, boards))
        return api.UploadDone(sha256=hashlib.sha256(data).hexdigest(), size=len(data), version="")

    def _moved(self, params: api.MoveJob) -> api.QueueOrder:
        queue = self.store.queue(self.store.jobs[params.job].board)
        return api.QueueOrder(jobs=tuple(moved(self.store.jobs[params.job], params.to, queue)))

    def usual_answer(self, params: api.Params[Any]) -> Value:
        answer = self._answers().get(type(params))
        if answer is None:
            raise AssertionError(f"nothing should ask for {params}")
        return answer(params)

    def _answers(self) -> dict[type[api.Params[Any]], Callable[[Any], Value]]:
        """Return the answer of a daemon where a test does not say otherwise."""
        reloaded = api.ConfigReloaded(
            configuration=ConfigurationState(files=("/c.toml",), read_at=NOW), changes=("board left is new",)
        )
        return {
            api.Flash: lambda asked: _jobs(11, asked),
            api.Verify: lambda asked: _jobs(21, asked),
            api.Erase: lambda asked: _jobs(31, asked),
            api.Rollback: lambda asked: _jobs(41, asked),
            api.ResetBoards: lambda asked: api.JobList(
                jobs=tuple(job(51 + at, name, partition="") for at, name in enumerate(asked.boards))
            ),
            api.Plan: _plans,
            api.PlanRollback: _plans,
            api.GetLogs: lambda _: api.LogPage(lines=(), next=0, before=0),
            api.GetUnits: lambda _: api.UnitPage(),
            api.GetHistory: lambda _: api.HistoryPage(jobs=self.history),
            api.Take: lambda asked: api.LeaseToken(token="", boards=asked.boards),
            api.EndLease: lambda _: api.Empty(),
            api.Examine: lambda asked: Diagnosis(installation=(), boards=tuple(map(report, asked.boards))),
            api.MoveJob: self._moved,
            api.Adopt: lambda asked: board(asked.name or "made", profile=asked.profile or "product"),
            api.ReloadConfig: lambda _: reloaded,
            api.TrustConfig: lambda asked: api.ConfigTrusted(file=asked.file, lines=("[profiles.p] enter = c",)),
            api.Cancel: lambda asked: replace(
                self.store.jobs.get(asked.job) or job(asked.job), status=Cancelled(by=Canceller.PERSON)
            ),
            api.Retry: lambda _: job(12),
            api.Hold: lambda asked: _boards(asked, hold=BoardHold(reason=asked.reason)),
            api.Release: _boards,
            api.Arm: _boards,
            api.Disarm: _boards,
        }


def _jobs(first: int, asked: Any) -> api.JobList:
    return api.JobList(
        jobs=tuple(job(first + at, name, partition=asked.partition) for at, name in enumerate(asked.boards))
    )


def _plans(asked: Any) -> api.PlanList:
    return api.PlanList(plans=tuple(plan(name, asked.partition) for name in asked.boards))


def _boards(asked: Any, **fields: Any) -> api.BoardList:
    return api.BoardList(boards=tuple(board(name, **fields) for name in asked.boards), devices=())


def event(seq: int = 2, **what: Any) -> Event:
    return Event(seq=seq, **what)


def filled_store(snapshot: Snapshot = BENCH) -> Store:
    """A store that saw a job advance by 22000 bytes in half a second."""
    at = [0.0]
    store = Store(clock=lambda: at[0])
    store.take(snapshot)
    store.take_log(LOG)
    if RUNNING in snapshot.jobs:
        store.take(event(job=replace(RUNNING, status=running(done=20_000))))
        at[0] = 0.5
        store.take(event(job=RUNNING))
    return store


def fleet_of(store: Store, state: LinkState | None = None, name: str = "") -> Fleet:
    """The fleet of one daemon that is not there."""
    link = FakeLink(store)
    link.state = state or link.state
    return Fleet((FleetHost(name, store, cast("Link", link)),))


def listed_rows(store: Store, wanted: str = "", now: float = NOW) -> list[Row]:
    """The list of boards as its rows."""
    fleet, listing = fleet_of(store), Arrangement(wanted=wanted)
    return board_table(fleet, groups_of(fleet, listing), listing, now, Appearance(KEYS)).rows


def make_app(
    snapshot: Snapshot | None = BENCH,
    *,
    state: LinkState | None = None,
    hands: BenchActions | None = None,
    clock: Callable[[], float] = lambda: NOW,
    keys: Mapping[str, str] | None = None,
) -> tuple[FlashdeckApp, FakeLink]:
    """The application on a daemon that is not there, at a time that stands still."""
    store = filled_store(snapshot) if snapshot is not None else Store()
    link = FakeLink(store)
    link.state = state or link.state
    settings = USUAL if keys is None else Settings(keys=keys)
    return FlashdeckApp(Fleet((FleetHost("", store, cast("Link", link)),)), hands, settings=settings, clock=clock), link
