"""Boards that are brought into DFU mode by a touch, or by a command, and those that keep their USB id in both modes."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest

from flashdeck import api
from flashdeck.diagnosis import Diagnosis
from flashdeck.job_state import Done, WaitFor, Waiting
from flashdeck.model import BoardState, JobState, Presence, Snapshot
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running

BY_SERIAL = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0")


def left(now: Snapshot) -> BoardState:
    (state,) = now.boards
    return state


async def runs(rig: Rig) -> None:
    """The first image is flashed, and the board runs it."""
    rig.build(FIRST)
    await rig.wait(data=FIRST)
    await rig.until(lambda now: left(now).presence is Presence.APP)


async def flashed_again(rig: Rig) -> JobState:
    """The second one is, and nobody has pressed anything."""
    rig.build(SECOND)
    (job,) = await rig.wait(data=SECOND)
    assert isinstance(job.status, Done)
    assert await rig.partition_of("left", len(SECOND)) == SECOND
    return job


async def tty_of(rig: Rig) -> str:
    """The serial port of the application, once it has one: nobody tells of that."""
    while not (tty := (await rig.emulated("left")).tty):
        await rig.client.call(api.GetStatus())
    return tty


async def waits_for_hand(rig: Rig) -> Waiting:
    rig.build(SECOND)

    def waiting(now: Snapshot) -> Waiting | None:
        status = max(now.jobs, key=lambda job: job.id).status
        return status if isinstance(status, Waiting) and status.for_ is WaitFor.HAND else None

    found = waiting(await rig.until(lambda now: waiting(now) is not None))
    assert found is not None
    return found


async def log_of(rig: Rig, job: JobState) -> list[str]:
    return [line.text for line in (await rig.client.call(api.GetLogs(limit=1000))).lines if line.job == job.id]


async def test_a_running_board_is_touched_and_flashed(root: Path) -> None:
    bench = board("left", runtime=False, serial_port="touch-1200", start="dfu")
    prepare(root, boards=BY_SERIAL, bench=bench, enter='"touch-1200"')
    async with running(root) as rig:
        await runs(rig)
        tty = await tty_of(rig)
        job = await flashed_again(rig)
        assert f"touched {tty} at 1200 baud" in await log_of(rig, job)


async def test_a_port_that_somebody_has_open_is_touched_and_that_is_said(root: Path) -> None:
    bench = board("left", runtime=False, serial_port="touch-1200", start="dfu")
    prepare(root, boards=BY_SERIAL, bench=bench, enter='"touch-1200"')
    async with running(root) as rig:
        await runs(rig)
        tty = await tty_of(rig)
        terminal = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()  # noqa: ASYNC240 -- no disk is behind it
        rig.build(SECOND)
        await rig.until_logged(f"touched {tty} at 1200 baud; {name} (pid {os.getpid()}) has {tty} open, too")
        os.close(terminal)  # the application sees it now: a pseudo-terminal has no DTR that could be dropped
        await rig.wait(data=SECOND)


async def test_a_board_without_a_serial_port_waits_for_a_person(root: Path) -> None:
    prepare(root, boards=BY_SERIAL, bench=board("left", runtime=False, start="dfu"), enter='"touch-1200"')
    async with running(root) as rig:
        await runs(rig)
        waiting = await waits_for_hand(rig)
        assert waiting.reason == "it cannot be brought into DFU mode: the application at 1-1 has no serial port"


def command(root: Path, script: str) -> str:
    """The way of a profile whose command is a script beside the configuration."""
    path = root / "enter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return '{ command = ["./enter", "--now"] }'


async def test_a_command_brings_the_board_into_dfu_mode_and_what_it_prints_is_in_the_log(root: Path) -> None:
    script = 'echo "$0 $* for $BOARD at $PORT, serial $SERIAL"; echo "private: $PRIVATE"; exec stty -F "$TTY" 1200'
    bench = board("left", runtime=False, serial_port="touch-1200", start="dfu")
    prepare(root, boards=BY_SERIAL, bench=bench, enter=command(root, script))
    os.environ["PRIVATE"] = "of the daemon"
    try:
        async with running(root) as rig:
            await runs(rig)
            await tty_of(rig)
            lines = await log_of(rig, await flashed_again(rig))
    finally:
        del os.environ["PRIVATE"]
    begin = lines.index("runs enter to bring the board into DFU mode")
    told = f"enter: {root}/enter --now for left at 1-1, serial TEST00000001"
    assert lines[begin + 1 : begin + 3] == [told, "enter: private: "]


@pytest.mark.parametrize(
    ("runtime", "serial_port", "app_serial", "enter"),
    [
        (True, "none", "TEST00000001", '"detach"'),
        (False, "touch-1200", "TEST00000001", '"touch-1200"'),
        (True, "none", "APP", '"detach"'),
    ],
)
async def test_one_usb_id_for_both_modes(
    root: Path, *, runtime: bool, serial_port: str, app_serial: str, enter: str
) -> None:
    keys = {"runtime": runtime, "serial_port": serial_port, "app_serial": app_serial}
    bench = board("left", 1, app="0483:df11", start="dfu", **keys)
    prepare(root, boards=BY_SERIAL, bench=bench, enter=enter, app="0483:df11")
    async with running(root) as rig:
        await runs(rig)
        job = await flashed_again(rig)
        assert job.result is not None
        assert job.result.started
        await rig.until(lambda now: left(now).presence is Presence.APP)
        (report,) = (await rig.client.call(api.Examine(boards=()))).boards
        assert (report.presence, report.failure) == (Presence.APP, None)
        assert (await rig.client.call(api.GetStatus())).devices == ()


async def test_an_application_with_another_serial_is_followed_by_its_port(root: Path) -> None:
    for boards in (BY_SERIAL, BY_PORT):
        prepare(root, boards=boards, bench=board("left", app_serial="APP", start="dfu"))
        async with running(root) as rig:
            await rig.client.call(
                api.Release(boards=("left",))
            )  # by its port it is on hold: it was known by its serial
            await rig.press("left")
            rig.build(FIRST if boards is BY_SERIAL else SECOND)
            await rig.wait()
            await rig.until(lambda now: left(now).presence is Presence.APP)
            serial = left(await rig.client.call(api.GetStatus())).serial
            assert serial == "APP"


@pytest.mark.parametrize(
    ("port", "enter", "code"),
    [
        ("touch-1200", '"touch-1200"', "port-there"),
        ("none", '"touch-1200"', "port-missing"),
        ("none", '{ command = ["./enter"] }', "command-missing"),
        ("none", '"manual"', "by-hand"),
    ],
)
async def test_the_doctor_without_a_daemon_says_which_way_it_goes(
    root: Path, *, port: str, enter: str, code: str
) -> None:
    (root / "APP.bin").write_bytes(FIRST)
    bench = board("left", app="0483:df11", runtime=False, serial_port=port)
    bench += 'contents = [{ address = 0x08020000, file = "APP.bin" }]\n'
    prepare(root, boards=BY_SERIAL, bench=bench, enter=enter, app="0483:df11")
    places = ("--virtual", root / "bench.toml", "--config", root / "config.toml", "--state-dir", root / "state")
    words = (sys.executable, "-m", "flashdeckd", "doctor", *map(str, places))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    (report,) = msgspec.json.decode(out, type=Diagnosis).boards
    assert report.presence is Presence.APP
    assert {each.code for each in report.findings} >= {code, "runs-application"}
