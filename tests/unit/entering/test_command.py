"""A command that brings a board into DFU mode: what it is told, what is kept of it, and that nothing of it stays."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from flashdeck.config import EnterCommand, UsbId
from flashdeck.job_state import Cancelled, Done, Queued, WaitFor, Waiting
from flashdeck.model import JobState, LogLevel, Presence
from flashdeckd.entering import asking
from flashdeckd.entering.asking import MAX_ASKED
from flashdeckd.entering.command import COMMAND_SECONDS, MOST_LINES, MOST_OUTPUT
from flashdeckd.host import commands, threads
from flashdeckd.host.commands import CommandResult, Ending, Exited, Signalled, TimedOut
from flashdeckd.usb.recognition import ABSENT, Sighting
from flashdeckd.usb.serial_ports import SerialPort
from lane_rig import PROFILE, Scene, hurry, running_lane

APP = UsbId(0x2341, 0x8036)
HINT = "hold SW2"
ADDRESSES = count(50)
DONE = CommandResult(Exited(0))


@dataclass
class Commands:
    """Commands that are made up: what was run, and how it ends."""

    ends: CommandResult = DONE
    run_: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: tuple[float, int] = (0.0, 0)
    when_run: Callable[[], object] = lambda: None

    def find(self, program: str) -> str:
        raise AssertionError(program)

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        self.run_.append(tuple(argv))
        self.environment, self.limits = environment, (seconds, most_output)
        self.when_run()
        return self.ends


@asynccontextmanager
async def running(
    place: Path, monkeypatch: pytest.MonkeyPatch, *argv: str, patience: float = 0.01
) -> AsyncGenerator[Scene]:
    """A board that runs its application, and this command for it."""
    monkeypatch.setattr(asking, "ENTER_SECONDS", patience)
    hurry(monkeypatch)
    enter = EnterCommand(command=argv)
    async with running_lane(place, replace(PROFILE, app=APP, enter=enter, enter_hint=HINT)) as scene:
        start(scene)
        yield scene


def start(scene: Scene) -> None:
    """The application enumerates, each time at another address."""
    device = replace(scene.emulated.device, serial="A1", usb_id=APP, address=next(ADDRESSES))
    scene.lane.see(Sighting(Presence.APP, device))


async def waiting(scene: Scene, job: JobState, for_: WaitFor = WaitFor.HAND) -> str:
    """The reason why the job waits, once it does."""

    def is_so() -> bool:
        status = scene.book.job(job.id).status
        return isinstance(status, Waiting) and status.for_ is for_

    async with asyncio.timeout(30):
        await scene.hub.until(is_so)
    status = scene.book.job(job.id).status
    assert isinstance(status, Waiting)
    return status.reason


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Commands:
    made_up = Commands()
    monkeypatch.setattr(commands, "system", made_up)
    return made_up


async def test_it_is_told_which_board_and_the_board_is_flashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands
) -> None:
    async with running(tmp_path, monkeypatch, "/opt/probe/enter", "--now", patience=30) as scene:
        scene.ports.found = (
            SerialPort(0, Path("/dev/ttyACM7"), (166, 7)),
            SerialPort(2, Path("/dev/ttyACM8"), (166, 8)),
        )

        def run() -> None:
            assert scene.keeper.is_lent, "the board's own console gives way"
            scene.see()

        made_up.when_run = run
        made_up.ends = CommandResult(Exited(0), "probe found\nasserting BOOT0")
        device = scene.lane.sighting.device
        assert device is not None
        await scene.until(await scene.order(), Done)
        assert (scene.keeper.lent_times, scene.keeper.is_lent) == (1, False)
        assert made_up.run_ == [("/opt/probe/enter", "--now")]
        assert made_up.environment == {"BOARD": "left", "PORT": device.name, "SERIAL": "A1", "TTY": "/dev/ttyACM7"}
        assert made_up.limits == (COMMAND_SECONDS, MOST_OUTPUT)
        logged = scene.logged(LogLevel.INFO)
        begin = logged.index("runs enter to bring the board into DFU mode")
        assert logged[begin + 1 : begin + 3] == ["enter: probe found", "enter: asserting BOOT0"]


@pytest.mark.parametrize(
    ("ending", "output", "note"),
    [
        (Exited(0), "", ""),
        (Exited(3), "", ": enter ended with 3"),
        (Exited(3), "no probe\nis it plugged in?", ": enter ended with 3: is it plugged in?"),
        (Signalled(11), "", ": enter was ended by SIGSEGV"),
        (TimedOut(COMMAND_SECONDS), "waiting", ": enter did not end within 30 s: waiting"),
    ],
)
async def test_one_that_does_not_help_is_run_a_few_times_and_then_a_person_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands, *, ending: Ending, output: str, note: str
) -> None:
    made_up.ends = CommandResult(ending, output)
    async with running(tmp_path, monkeypatch, "enter") as scene:
        job = await scene.order()
        assert await waiting(scene, job) == f"it did not come back in DFU mode when asked{note}"
        reason = ""
        for _ in range(MAX_ASKED + 2):
            scene.lane.see(ABSENT)
            await waiting(scene, job, WaitFor.ABSENT)
            start(scene)
            reason = await waiting(scene, job)
        assert reason == f"it is running again, after {MAX_ASKED} runs of enter"
        assert len(made_up.run_) == MAX_ASKED


async def test_one_that_fails_may_have_done_its_work_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands
) -> None:
    made_up.ends = CommandResult(Exited(1), "the port has gone")
    async with running(tmp_path, monkeypatch, "enter", patience=30) as scene:
        made_up.when_run = scene.see
        await scene.until(await scene.order(), Done)
        assert "enter ended with 1" in scene.logged(LogLevel.WARNING)


async def test_the_last_lines_of_much_output_are_kept_with_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands
) -> None:
    made_up.ends = CommandResult(Exited(0), "\n".join(f"line {number}" for number in range(MOST_LINES + 1)))
    async with running(tmp_path, monkeypatch, "enter") as scene:
        job = await scene.order()
        await waiting(scene, job)
        lines = [line for line in scene.hub.logs(limit=1000) if line.text.startswith("enter: line ")]
        assert [line.text for line in lines] == [f"enter: line {number}" for number in range(1, MOST_LINES + 1)]
        assert {(line.board, line.job) for line in lines} == {("left", job.id)}


async def test_one_that_cannot_be_run_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = str(tmp_path / "enter")
    async with running(tmp_path, monkeypatch, program, patience=1000) as scene:
        job = await scene.order()
        reason = await waiting(scene, job)
        assert reason == f"it cannot be brought into DFU mode: {program} cannot be run: No such file or directory"
        await threads.run(Path(program).write_text, "no program\n")
        await scene.lane.look_again(scene.book.job(job.id))
        await scene.until_says(job, f"{program} cannot be run: Permission denied", Waiting)


async def test_a_board_that_is_another_one_by_now_gets_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands
) -> None:
    async with running(tmp_path, monkeypatch, "enter") as scene:
        move = scene.book.move

        async def moved(job: JobState, status: object) -> JobState:
            done = await move(job, status)  # type: ignore[arg-type] -- whatever it is, it is passed on
            if "into DFU mode" not in done.text and scene.lane.sighting.presence is Presence.APP and not made_up.run_:
                scene.lane.see(ABSENT)
            return done

        monkeypatch.setattr(scene.book, "move", moved)
        job = await scene.order()
        assert await waiting(scene, job, WaitFor.ABSENT) == "not connected"
        assert made_up.run_ == []


async def test_nothing_is_run_for_what_is_not_exactly_one_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: Commands
) -> None:
    async with running(tmp_path, monkeypatch, "enter") as scene:
        scene.lane.see(Sighting(Presence.AMBIGUOUS, trouble="2 devices look like board left"))
        assert await waiting(scene, await scene.order(), WaitFor.OTHER_DEVICE) == "2 devices look like board left"
        assert made_up.run_ == []


async def begun(scene: Scene, place: Path) -> "tuple[JobState, asyncio.Task[bytes]]":
    """A job whose command runs, and what the command's descriptor 3 gets until all that have it ended."""
    written = asyncio.create_task(threads.run((place / "open").read_bytes))
    job = await scene.order()
    assert await threads.run((place / "begins").read_bytes) == b"now\n"
    return job, written


STAYS = "exec 3>$D/open; sleep 1000 & echo now >$D/begins; wait"


async def test_one_that_runs_ends_with_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open", "begins"):
        os.mkfifo(tmp_path / name)
    async with running(tmp_path, monkeypatch, "sh", "-c", STAYS.replace("$D", str(tmp_path))) as scene:
        job, written = await begun(scene, tmp_path)
        await scene.lane.cancel(job)
        assert isinstance(scene.book.job(job.id).status, Cancelled)
        assert await written == b""


async def test_one_that_runs_ends_with_the_daemon_and_its_job_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "begins"):
        os.mkfifo(tmp_path / name)
    async with running(tmp_path, monkeypatch, "sh", "-c", STAYS.replace("$D", str(tmp_path))) as scene:
        job, written = await begun(scene, tmp_path)
        scene.lane.stop()
        assert (await scene.until(job, Queued)).text == "queued: parked: the daemon was stopped"
        assert await written == b""
