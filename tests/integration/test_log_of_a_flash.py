"""The log of a flash: a board that restarts reads otherwise than one whose cable was pulled; and paging back in it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flashdeck import api
from flashdeck.model import LogLevel, LogLine, Presence, Snapshot
from rig import Rig, board, firmware, prepare, running

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0")
RESTARTS: dict[str, Any] = {"start": "dfu", "timing": "real", "erase_time": 0.001, "word_time": 0.0000001}
"""A board that is off the bus for a moment while it restarts."""
INTO_DFU, INTO_APPLICATION = "restarts into DFU mode", "restarts into its application"
EITHER = "off the bus: its button was pressed, or its cable pulled"


def presence(now: Snapshot) -> Presence:
    return now.boards[0].presence


async def lines(rig: Rig) -> list[LogLine]:
    return list((await rig.client.call(api.GetLogs(limit=api.LOG_PAGE, boards=("left",)))).lines)


async def texts(rig: Rig) -> list[str]:
    return [line.text for line in await lines(rig)]


async def flashed(rig: Rig, data: bytes) -> None:
    rig.build(data)
    await rig.wait(data=data)
    await rig.until(lambda now: presence(now) is Presence.APP)


async def begun(rig: Rig) -> None:
    """The first image is on the board, which runs it."""
    await flashed(rig, FIRST)


WAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "detach": ({"runtime": True}, '"detach"', ""),
    "touch": ({"runtime": False, "serial_port": "touch-1200"}, '"touch-1200"', ""),
    "command": (
        {"runtime": False, "serial_port": "touch-1200"},
        '{ command = ["./enter"] }',
        'exec stty -F "$TTY" 1200',
    ),
}


@pytest.mark.parametrize(
    "way", ["detach", *(pytest.param(way, marks=pytest.mark.long) for way in WAYS if way != "detach")]
)
async def test_a_board_that_is_asked_to_restart_is_not_called_absent(root: Path, way: str) -> None:
    keys, enter, script = WAYS[way]
    (root / "enter").write_text(f"#!/bin/sh\n{script}\n")
    (root / "enter").chmod(0o700)
    prepare(root, boards=LEFT, bench=board("left", **RESTARTS | keys), enter=enter)
    async with running(root) as rig:
        await begun(rig)
        while not (way == "detach" or (await rig.emulated("left")).tty):
            await rig.client.call(api.GetStatus())
        await flashed(rig, SECOND)
        told = await texts(rig)
        assert not [text for text in told if "absent" in text]
        assert told.count(INTO_DFU) == 1
        assert told.count(INTO_APPLICATION) == 2
        assert told.index(INTO_APPLICATION) < told.index(INTO_DFU)


async def test_a_board_whose_application_is_not_seen_restarts_into_it(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", **RESTARTS), app="0483:5741")
    async with running(root) as rig:
        rig.build(FIRST)
        await rig.until_logged(INTO_APPLICATION)
        assert "absent" not in await texts(rig)


async def test_a_pulled_cable_reads_as_what_it_may_be_and_in_a_flash_as_one(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", **RESTARTS))
    async with running(root) as rig:
        await begun(rig)
        await rig.unplug("left")
        now = await rig.until(lambda now: presence(now) is Presence.ABSENT)
        assert now.boards[0].away == EITHER
        assert (await texts(rig))[-1] == EITHER
        await rig.plug("left")
        await rig.until(lambda now: presence(now) is not Presence.ABSENT)
        await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=60))
        rig.build(SECOND)
        await rig.until(lambda now: presence(now) is Presence.ABSENT and bool(now.jobs[-1].attempts))
        told = await texts(rig)
        assert told.count("absent") == 1


async def test_a_press_that_was_asked_for_is_told_as_what_it_may_be(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", runtime=False, **RESTARTS), enter='"manual"')
    async with running(root) as rig:
        await begun(rig)
        rig.build(SECOND)
        await rig.until_logged("has to be brought into DFU mode: press the button")
        await rig.press("left")
        await rig.wait(data=SECOND)
        await rig.until(lambda now: presence(now) is Presence.APP)
        await rig.press("left")  # which nobody has asked for
        now = await rig.until(lambda now: presence(now) is Presence.DFU)
        assert now.boards[0].away == ""
        told = await texts(rig)
        assert told.count(EITHER) == 2
        assert "absent" not in told


async def test_the_log_goes_back_beyond_the_daemon_and_a_page_at_a_time(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", start="dfu"))
    async with running(root) as rig:
        await begun(rig)
        (job,) = await rig.jobs()
        newest = await rig.client.call(api.GetLogs(limit=2))
        assert newest.before == newest.lines[0].id
        await rig.stop()
        await rig.restart()
        fresh = await rig.client.call(api.GetLogs(limit=api.LOG_PAGE))
        seen: list[LogLine] = list(fresh.lines)
        before, pages = fresh.before, 0
        while before:
            page = await rig.client.call(api.GetLogs(before=before, limit=3))
            assert len(page.lines) <= 3
            assert all(line.id < before for line in page.lines)
            seen, before, pages = [*page.lines, *seen], page.before, pages + 1
        assert before == 0
        assert pages >= 3
        ids = [line.id for line in seen]
        assert ids == list(range(1, len(ids) + 1)), "all lines of both daemons, each once"
        assert sum("listens on" in line.text for line in seen) == 2
        of_job = await rig.client.call(api.GetLogs(job=job.id))
        assert of_job.lines[0].text.startswith("flashing flashdeck-test 1.0.0")
        assert {line.job for line in of_job.lines} == {job.id}
        found = await rig.client.call(api.GetLogs(text="LISTENS ON"))
        assert len(found.lines) == 2
        worse = await rig.client.call(api.GetLogs(text="listens", level=LogLevel.WARNING))
        assert (worse.lines, worse.before) == ((), 0)


async def test_a_log_that_is_damaged_is_set_aside_and_the_daemon_goes_on(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", start="dfu"))
    async with running(root) as rig:
        await rig.stop()
        (root / "state" / "log.sqlite3").write_bytes(b"not a log at all" * 1000)
        await rig.restart()
        status = await rig.client.call(api.GetStatus())
        (trouble,) = [trouble for trouble in status.daemon.troubles if trouble.part == "log"]
        assert "it was kept as log.sqlite3.kept-" in trouble.text
        await asyncio.wait_for(begun(rig), 60)
