"""`doctor` against a daemon with emulated boards: what it finds, what it leaves alone, and whom it does not disturb."""

import asyncio
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done, Running
from flashdeck.model import Presence
from job_states import phase_of
from rig import SLOW, WAIT_SECONDS, Rig, firmware, prepare, running

FIRST = firmware("1.0.0")
LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
BENCH = """
[boards.{name}]
model = "{model}"
serial = "{serial}"
port = {port}
timing = "{timing}"
start = "{start}"
app = "0483:5740"
runtime = true
"""


def bench_board(
    name: str = "left",
    *,
    model: str = "classic",
    serial: str = "TEST00000001",
    port: int = 1,
    timing: str = "none",
    start: str = "dfu",
    **times: float,
) -> str:
    lines = "".join(f"{name} = {seconds}\n" for name, seconds in times.items())
    return BENCH.format(name=name, model=model, serial=serial, port=port, timing=timing, start=start) + lines


async def examine(rig: Rig, *boards: str) -> Diagnosis:
    return await rig.client.call(api.Examine(boards=boards))


def codes(report: BoardReport) -> set[str]:
    return {finding.code for finding in report.findings}


async def test_a_readable_board_is_looked_at_and_nothing_on_it_changes(root: Path) -> None:
    prepare(root, boards=LEFT, bench=bench_board())
    async with running(root) as rig:
        before = await rig.flash_of("left")
        (report,) = (await examine(rig)).boards
        state = await rig.emulated("left")
        assert (report.failure, report.presence) == (None, Presence.DFU)
        assert {"read-blank", "map-agrees", "claims-slow", "bank-unproved"} <= codes(report)
        assert (state.erases, state.words, state.violations) == (0, 0, ())
        assert report.requests >= state.transfers > 0
        assert await rig.flash_of("left") == before


async def test_after_a_flash_it_knows_what_the_flash_has_proved(root: Path) -> None:
    prepare(root, boards=LEFT, bench=bench_board(), profile="leave = false\n")
    async with running(root) as rig:
        rig.build(FIRST)
        await rig.client.call(api.Flash(partition="app1", sha256=(await rig.client.upload("a.bin", FIRST)).sha256))
        await rig.until(lambda now: any(isinstance(job.status, Done) for job in now.jobs))
        (report,) = (await examine(rig, "left")).boards
        assert {"read-proved", "pace-known"} <= codes(report)
        assert await rig.partition_of("left", len(FIRST)) == FIRST


async def test_a_board_whose_job_runs_is_not_disturbed(root: Path) -> None:
    bench = bench_board(timing="real", erase_time=SLOW["erase_time"], word_time=SLOW["word_time"])
    prepare(root, boards=LEFT, bench=bench, profile="leave = false\n")
    async with running(root) as rig:
        image = firmware("1.0.0", size=60_000)
        sha256 = (await rig.client.upload("a.bin", image)).sha256
        await rig.client.call(api.Flash(partition="app1", sha256=sha256))
        await rig.until(
            lambda now: any(isinstance(job.status, Running) and phase_of(job) == "write" for job in now.jobs)
        )
        (report,) = (await examine(rig, "left")).boards
        assert report.failure is not None
        assert (report.failure.kind, report.requests) == (ErrorKind.DEVICE_BUSY, 0)
        assert "job 1" in report.failure.message
        await rig.until(lambda now: all(isinstance(job.status, Done) for job in now.jobs))
        assert await rig.partition_of("left", len(image)) == image
        assert (await rig.emulated("left")).violations == ()


async def test_a_job_that_comes_while_the_doctor_looks_waits_for_its_end(root: Path) -> None:
    prepare(root, boards=LEFT, bench=bench_board(timing="real"), profile="leave = false\n")
    async with running(root) as rig:
        sha256 = (await rig.client.upload("a.bin", FIRST)).sha256
        await rig.until(lambda now: now.boards[0].presence is Presence.DFU)
        asked = (await rig.emulated("left")).transfers
        looks = [asyncio.create_task(examine(rig, "left")) for _ in range(3)]
        async with asyncio.timeout(WAIT_SECONDS):
            while (await rig.emulated("left")).transfers == asked:  # noqa: ASYNC110 - nobody tells that one has begun
                await asyncio.sleep(0)
        await rig.client.call(api.Flash(partition="app1", sha256=sha256))
        failures = [(await look).boards[0].failure for look in looks]
        await rig.until(lambda now: all(isinstance(job.status, Done) for job in now.jobs))
        assert None in failures
        assert {failure.kind for failure in failures if failure} <= {ErrorKind.DEVICE_BUSY}
        assert await rig.partition_of("left", len(FIRST)) == FIRST
        assert (await rig.emulated("left")).violations == ()


async def test_strangers_are_listed_and_never_asked_a_thing(root: Path) -> None:
    prepare(root, boards=LEFT, bench=bench_board() + bench_board("stranger", serial="OTHER", port=2))
    async with running(root) as rig:
        found = await examine(rig)
        assert [report.board for report in found.boards] == ["left"]
        assert [device.serial for device in found.devices] == ["OTHER"]
        assert (await rig.emulated("stranger")).transfers == 0


async def test_boards_that_are_away_or_run_their_application_say_so(root: Path) -> None:
    away = '[boards.away]\nprofile = "product"\nserial = "NOT-HERE"\n'
    prepare(root, boards=LEFT + away, bench=bench_board(start="dfu"))
    async with running(root) as rig:
        await rig.client.call(api.Flash(partition="app1", sha256=(await rig.client.upload("a", FIRST)).sha256))
        await rig.until(lambda now: {board.name: board.presence for board in now.boards}["left"] is Presence.APP)
        reports = {report.board: report for report in (await examine(rig)).boards}
        gone = reports["away"].failure
        assert gone is not None
        assert gone.kind is ErrorKind.ABSENT
        assert reports["left"].failure is None
        assert {"runtime-there", "runs-application"} <= codes(reports["left"])


async def test_a_name_that_no_board_has_is_an_error_that_names_the_nearest(root: Path) -> None:
    prepare(root, boards=LEFT, bench=bench_board())
    async with running(root) as rig:
        with pytest.raises(FlashdeckError, match="no board 'lfet'") as caught:
            await examine(rig, "lfet")
        assert caught.value.kind is ErrorKind.NO_SUCH_BOARD
        assert "left" in caught.value.hint
