"""The daemon's side of a lab, with a process beside it that a test plays, line by line."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from asked_times import asked_times
from bench_rig import CONFIG, opened
from flash_rig import image
from flashdeck.config_labgrid import LabgridTable
from flashdeck.errors import BlockedError, FlashdeckError
from flashdeck.job_state import Origin, Superseded
from flashdeck.model import JobState
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.leases import Leases
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.taken_boards import lab_user
from flashdeckd.lab import lab_watch
from flashdeckd.lab.lab_lines import (
    FromLab,
    HeldBoard,
    LabAnswer,
    LabAsk,
    LabAway,
    LabBoards,
    LabSettings,
    LabState,
    ToLab,
)
from flashdeckd.lab.lab_record_file import LAB_RECORD_NAME, LabRecordFile
from flashdeckd.lab.lab_watch import LONGEST_NAME, PART, QUIET_SECONDS, RESTART_PAUSES, LabWatch
from flashdeckd.requests.queueing import queue_build, queue_by_hand
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub

LAB = LabgridTable(coordinator="lab", name="rack")
ANN, BOB, EVE = "desk/ann", "cellar/bob", "attic/eve"
BOARDS = ("left", "right")
one_turn = asyncio.sleep
"""The real one, for tests that note what is slept."""


class PlayedProcess:
    """A process whose part a test plays."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[ToLab] = asyncio.Queue()
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_ended = False

    def send(self, line: bytes) -> None:
        self.heard.put_nowait(msgspec.json.decode(line, type=ToLab))

    async def lines(self) -> AsyncIterator[bytes]:
        while line := await self.said.get():
            yield line

    async def end(self) -> None:
        self.is_ended = True

    def say(self, line: FromLab) -> None:
        self.said.put_nowait(msgspec.json.encode(line))


@dataclass
class Lab:
    bench: Bench
    hub: Hub
    health: Health
    leases: Leases
    spool: Spool
    starts: "asyncio.Queue[PlayedProcess]" = field(default_factory=asyncio.Queue[PlayedProcess])
    trouble: FlashdeckError | None = None

    async def start(self) -> PlayedProcess:
        if self.trouble is not None:
            raise self.trouble
        process = PlayedProcess()
        self.starts.put_nowait(process)
        return process

    async def begun(self) -> PlayedProcess:
        """Return the next process once it has its settings and all boards."""
        process = await self.starts.get()
        assert isinstance(await process.heard.get(), LabSettings)
        assert isinstance(await process.heard.get(), LabBoards)
        return process

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not reached():  # not each of these is an event of the hub
                await one_turn(0)

    async def synced(self, process: PlayedProcess, *held: HeldBoard) -> None:
        process.say(LabState(boards=BOARDS, held=held))
        shown = {each.board: each.holder or "a user of labgrid" for each in held}

        def is_shown() -> bool:
            gates = {name: self.bench.lab.gate_of(name) for name in BOARDS}
            by = {name: lane.shown_lease.by for name, lane in self.bench.lanes.items() if lane.shown_lease is not None}
            return by == shown and all(
                gate is not None and gate.is_known and not gate.is_away for gate in gates.values()
            )

        await self.until(is_shown)

    def why_not(self, board: str, origin: Origin = Origin.BUILD, user: str = "") -> str:
        gate = self.bench.lab.gate_of(board)
        return "" if gate is None else gate.why_not(origin, user)


@asynccontextmanager
async def in_lab(root: Path, table: LabgridTable | None = LAB) -> AsyncGenerator[Lab]:
    async with opened(root, replace(CONFIG, labgrid=table)) as scene:
        health = Health(scene.hub)
        lab = Lab(scene.bench, scene.hub, health, Leases(scene.bench, scene.hub), scene.spool)
        record = LabRecordFile(root)
        watch = LabWatch(
            lab.bench, lab.leases, lab.hub, health, socket_path=Path("/run/s"), record=record, start=lab.start
        )
        try:
            yield lab
        finally:
            await watch.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with in_lab(tmp_path) as lab:
        yield lab


async def test_boards_are_offered_with_the_way_to_them(tmp_path: Path) -> None:
    table = replace(LAB, group="desk", host="bench.example", ssh="ann@bench.example")
    async with in_lab(tmp_path, table) as lab:
        process = await lab.starts.get()
        assert await process.heard.get() == LabSettings(coordinator=table.address, name="rack")
        said = await process.heard.get()
        assert isinstance(said, LabBoards)
        left = next(each for each in said.boards if each.name == "left")
        assert left.params == {
            "host": "bench.example",
            "socket": "/run/s",
            "ssh": "ann@bench.example",
            "board": "left",
            "partitions": "app1,partition2",
        }
        assert (left.group, left.available) == ("desk", False)


async def test_nothing_starts_before_the_coordinator_has_said_who_has_what(lab: Lab) -> None:
    process = await lab.begun()
    for origin in (Origin.BUILD, Origin.HAND):
        assert "labgrid has" in lab.why_not("left", origin)
    await lab.synced(process, HeldBoard(board="right", place="desk", holder=ANN))
    assert lab.why_not("left") == lab.why_not("right", Origin.HAND, ANN) == ""
    assert lab.why_not("right") == lab.why_not("right", Origin.HAND) == f"taken by {ANN} for place desk"
    await lab.until(lambda: lab.hub.boards["right"].lease is not None)


async def test_who_has_a_board_keeps_it_while_the_coordinator_is_away(lab: Lab) -> None:
    process = await lab.begun()
    await lab.synced(process, HeldBoard(board="right", place="desk", holder=ANN))
    process.say(LabAway(reason="no answer", hint="wait"))
    await lab.until(lambda: any(PART in line for line in lab.hub.daemon.degraded))
    assert ANN in lab.why_not("right", Origin.HAND)
    assert lab.why_not("left") == ""
    await lab.synced(process)
    assert lab.why_not("right", Origin.HAND) == ""
    assert lab.hub.daemon.degraded == ()


async def test_who_had_a_board_keeps_it_over_a_restart_until_the_coordinator_says_more(tmp_path: Path) -> None:
    async with in_lab(tmp_path) as lab:
        await lab.synced(await lab.begun(), HeldBoard(board="right", place="desk", holder=ANN, allowed=(EVE,)))
    async with in_lab(tmp_path) as lab:
        process = await lab.begun()
        assert [lab.why_not("right", Origin.HAND, user) for user in (ANN, EVE)] == ["", ""]
        assert "labgrid has not yet said" in lab.why_not("left", Origin.HAND)
        process.say(LabAway(reason="no answer"))
        await lab.until(lambda: lab.why_not("left", Origin.HAND) == "")
        for origin in (Origin.BUILD, Origin.HAND):
            assert lab.why_not("right", origin, BOB) == f"taken by {ANN} for place desk"
        await lab.synced(process)
        assert lab.why_not("right", Origin.HAND, BOB) == ""


async def test_what_was_known_of_another_lab_does_not_count(tmp_path: Path) -> None:
    async with in_lab(tmp_path) as lab:
        await lab.synced(await lab.begun(), HeldBoard(board="right", place="desk", holder=ANN))
    async with in_lab(tmp_path, replace(LAB, coordinator="other")) as lab:
        (await lab.begun()).say(LabAway(reason="no answer"))
        await lab.until(lambda: lab.why_not("right", Origin.HAND) == "")


@pytest.mark.parametrize("text", ["", "[]", '{"held": [{"board": 1}]}'])
async def test_a_record_that_cannot_be_understood_is_moved_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / LAB_RECORD_NAME).write_text(text)
    async with in_lab(tmp_path) as lab:
        await lab.synced(await lab.begun())
    assert kept_text(tmp_path) == text


def kept_text(root: Path) -> str:
    """Return what is in the record that was moved aside."""
    (kept,) = root.glob(f"{LAB_RECORD_NAME}.kept-*")
    return kept.read_text()


async def test_a_place_gets_a_board_once_nothing_runs_there(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await lab.begun()
    await lab.synced(process)
    is_quiet = False
    monkeypatch.setattr(Lane, "is_quiet", property(lambda _: is_quiet))
    process.say(LabAsk(number=7, board="left", place="desk"))
    await lab.until(lambda: bool(lab.why_not("left", Origin.HAND)))
    assert process.heard.empty()
    assert "taken by a user of labgrid" in lab.why_not("left", Origin.HAND, ANN)
    is_quiet = True
    lab.hub.log("something happens")
    assert await process.heard.get() == LabAnswer(number=7)
    assert lab.why_not("left", Origin.HAND, ANN)
    await lab.synced(process, HeldBoard(board="left", place="desk", holder=ANN))
    assert lab.why_not("left", Origin.HAND, ANN) == ""


async def test_a_place_does_not_get_a_board_on_which_a_job_goes_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await lab.begun()
    await lab.synced(process)
    monkeypatch.setattr(Lane, "is_quiet", property(lambda _: False))
    monkeypatch.setattr(lab_watch, "QUIET_SECONDS", 0.01)
    process.say(LabAsk(number=1, board="left", place="desk"))
    answer = await process.heard.get()
    assert isinstance(answer, LabAnswer)
    assert "a job runs on board left" in answer.refused
    assert lab.why_not("left") == ""


async def test_a_place_does_not_get_what_a_client_has_taken_or_what_is_gone(lab: Lab) -> None:
    process = await lab.begun()
    await lab.synced(process)
    lease = await lab.leases.take(("left",), "eve@attic", "", no_wait=True, seconds=None)
    process.say(LabAsk(number=1, board="left", place="desk"))
    process.say(LabAsk(number=2, board="nobody", place="desk"))
    refused = {
        answer.number: answer.refused
        for answer in [await process.heard.get(), await process.heard.get()]
        if isinstance(answer, LabAnswer)
    }
    assert refused == {1: "board left is taken by eve@attic", 2: "there is no such board any more"}
    lab.leases.end(lease)
    process.say(LabAsk(number=3, board="left", place="desk"))
    assert await process.heard.get() == LabAnswer(number=3)


async def test_only_the_holder_takes_a_board_of_the_lab(lab: Lab) -> None:
    process = await lab.begun()
    await lab.synced(process, HeldBoard(board="left", place="desk", holder=ANN))

    async def take(user: str, *, no_wait: bool) -> str:
        lab_user.set(user)
        return (await lab.leases.take(("left",), user, "", no_wait=no_wait, seconds=None)).lab_user

    with pytest.raises(BlockedError, match=f"taken by {ANN}"):
        await asyncio.create_task(take(BOB, no_wait=True))
    waiting = asyncio.create_task(take(BOB, no_wait=False))
    await lab.synced(process)
    assert await waiting == BOB


async def test_the_job_of_a_holder_does_not_give_way_to_a_build_that_waits(lab: Lab) -> None:
    process = await lab.begun()
    await lab.synced(process, HeldBoard(board="left", place="desk", holder=ANN))
    board = lab.bench.config.boards["left"]
    one, two, three = [await asyncio.to_thread(lab.spool.add, Image.raw(image(size))) for size in (1000, 2000, 3000)]

    async def by_hand(user: str, artifact: Artifact) -> JobState | None:
        lab_user.set(user)
        return await queue_by_hand(lab.bench, board, "app1", artifact, None)

    mine = await asyncio.create_task(by_hand(ANN, one))
    build = await queue_build(lab.bench, board, "app1", two)
    assert mine is not None
    assert build is not None
    assert not lab.bench.book.job(mine.id).is_settled
    newer = await queue_build(lab.bench, board, "app1", three)
    assert newer is not None
    assert isinstance(lab.bench.book.job(build.id).status, Superseded)
    again = await asyncio.create_task(by_hand(ANN, two))
    assert again is not None
    assert isinstance(lab.bench.book.job(mine.id).status, Superseded)
    assert isinstance(lab.bench.book.job(newer.id).status, Superseded)


async def test_the_process_is_started_again_after_growing_pauses(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    for _ in range(len(RESTART_PAUSES) + 1):
        process = await lab.begun()
        process.said.put_nowait(b"")
    process = await lab.begun()
    assert asked.naps == [*RESTART_PAUSES, RESTART_PAUSES[-1]]
    await lab.synced(process)  # one that has reached its coordinator begins anew
    process.said.put_nowait(b"")
    await lab.begun()
    assert asked.naps[-1] == RESTART_PAUSES[0]
    assert process.is_ended


async def test_a_board_is_waited_for_that_long(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await lab.begun()
    await lab.synced(process)
    asked = asked_times(monkeypatch)
    process.say(LabAsk(number=1, board="left", place="desk"))
    await process.heard.get()
    assert QUIET_SECONDS in asked.timeouts


async def test_what_is_missing_is_told_and_hands_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_watch, "RESTART_PAUSES", (0.01,))
    async with in_lab(tmp_path) as lab:
        lab.trouble = FlashdeckError("[labgrid] needs labgrid, which is not installed", hint="add it")
        await lab.until(lambda: any("labgrid: [labgrid] needs labgrid" in line for line in lab.hub.daemon.degraded))
        assert lab.why_not("left", Origin.HAND) == ""
        assert "builds wait" in lab.why_not("left")


async def test_a_process_that_says_nonsense_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_watch, "RESTART_PAUSES", (0.0,))
    process = await lab.begun()
    process.said.put_nowait(b'{"line": "flash"}')
    await lab.begun()
    assert process.is_ended


async def test_the_configuration_is_followed(lab: Lab) -> None:
    process = await lab.begun()
    await lab.synced(process, HeldBoard(board="left", place="desk", holder=ANN))

    def reload(table: LabgridTable | None) -> None:
        lab.bench.configure(replace(lab.bench.config, labgrid=table))
        lab.hub.publish_daemon(msgspec.structs.replace(lab.hub.daemon, pid=lab.hub.daemon.pid + 1))

    reload(replace(LAB, only_for=BOB))
    again = await lab.begun()
    assert process.is_ended
    assert lab.why_not("left") == f"taken by {ANN} for place desk"  # the same lab: what was known of it stays
    reload(replace(LAB, coordinator="other"))
    other = await lab.begun()
    assert again.is_ended
    assert "labgrid has" in lab.why_not("left", Origin.HAND)
    reload(None)
    assert lab.why_not("left") == ""
    assert lab.bench.lab.gate_of("left") is None
    await lab.until(lambda: other.is_ended)


async def test_names_from_a_lab_are_made_harmless(lab: Lab) -> None:
    process = await lab.begun()
    place, holder = "\x1b[2J" + "p" * 300, "h/\x07" + "u" * 300
    process.say(LabState(boards=BOARDS, held=(HeldBoard(board="left", place=place, holder=holder),)))
    await lab.until(lambda: lab.bench.lanes["left"].shown_lease is not None)
    lease = lab.bench.lanes["left"].shown_lease
    assert lease is not None
    assert lease.by.isprintable()
    assert lease.reason.isprintable()
    assert len(lease.by) <= LONGEST_NAME
    assert len(lease.reason) <= len("place ") + LONGEST_NAME
