"""A configuration that changes while the daemon runs: boards come, go and change, and a bad one is refused."""

import asyncio
import os
import signal
import tomllib
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Cancelled, Done, Failed, Phase, Running, Waiting, Written
from flashdeck.model import Disposition, JobState, Snapshot
from flashdeck_tui.store import Store
from rig import APP1, SLOW, WAIT_SECONDS, Rig, begun, board, firmware, prepare, running

pytestmark = pytest.mark.long

LEFT = '[boards.left]\nprofile = "product"\nserial = "A1"\n'
RIGHT = '[boards.right]\nprofile = "product"\nserial = "B2"\n'
SLOW_LEFT = board("left", 1, serial="A1", **SLOW)
"""With images of tens of kilobytes, and of hundreds where it is not waited for their end."""
BENCH = board("left", 1, serial="A1") + board("right", 2, serial="B2")
APP1_TABLE = '[profiles.product.partitions.app1]\naddress = 0x08020000\nsize = "384K"\n'


def edit(rig: Rig, change: Callable[[str], str], name: str = "config.toml") -> None:
    """Change a file as editors do: a new one takes its name."""
    path = rig.root / name
    new = path.with_suffix(".new")
    new.write_text(change(path.read_text()))
    os.replace(new, path)  # noqa: PTH105 - as an editor does


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


async def until(rig: Rig, reached: Callable[[Snapshot], bool]) -> Snapshot:
    """Return the first snapshot in which something is so, also behind a gap in the events."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not reached(snapshot := await rig.client.call(api.GetStatus())):
            subscription = await rig.client.subscribe()
            if reached(subscription.snapshot):
                return subscription.snapshot
            await anext(aiter(subscription), None)
    return snapshot


async def reload(rig: Rig) -> api.ConfigReloaded:
    return await rig.client.call(api.ReloadConfig())


def names(snapshot: Snapshot) -> list[str]:
    return sorted(each.name for each in snapshot.boards)


def hold_of(snapshot: Snapshot, name: str) -> str:
    (hold,) = [each.hold for each in snapshot.boards if each.name == name]
    return hold.reason if hold is not None else ""


def lease_of(snapshot: Snapshot, name: str) -> str:
    (lease,) = [each.lease for each in snapshot.boards if each.name == name]
    return lease.by if lease is not None else ""


async def status(rig: Rig) -> Snapshot:
    return await rig.client.call(api.GetStatus())


async def newest(rig: Rig) -> JobState:
    return (await rig.jobs())[-1]


async def is_writing(rig: Rig) -> JobState:
    def is_so(job: JobState) -> bool:
        return isinstance(job.status, Running) and job.status.phase is Phase.WRITE

    snapshot = await until(rig, lambda seen: any(map(is_so, seen.jobs)))
    return next(filter(is_so, snapshot.jobs))


async def test_boards_come_and_go_when_the_file_changes(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        edit(rig, lambda text: text + RIGHT)
        await until(rig, lambda seen: names(seen) == ["left", "right"])
        rig.build(firmware("1.0.0"))
        await rig.wait()
        assert await rig.partition_of("right", 20_000) == firmware("1.0.0")
        edit(rig, replaced(LEFT, ""))
        await until(rig, lambda seen: names(seen) == ["right"])
        with pytest.raises(RemoteError) as refused:
            await rig.client.call(api.Flash(partition="app1", boards=("left",)))
        assert refused.value.kind is ErrorKind.NO_SUCH_BOARD


@pytest.mark.parametrize("way", ["file", "signal", "call"])
async def test_a_bad_configuration_is_refused_whole_and_said_until_it_is_mended(root: Path, way: str) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        edit(rig, lambda text: text + RIGHT.replace("serial", "seriel") + "[nonsense]\n")
        if way == "signal":
            rig.send_signal(signal.SIGHUP)
        message = ""
        if way == "call":
            with pytest.raises(RemoteError) as refused:
                await reload(rig)
            assert refused.value.exit_code == 11
            message = refused.value.message
        seen = await until(rig, lambda seen: bool(seen.daemon.troubles))
        (trouble,) = seen.daemon.troubles
        assert trouble.part == "configuration"
        assert "2 mistakes: " in trouble.text
        assert "seriel: unknown key: did you mean serial?" in trouble.text
        assert "nonsense" in trouble.text
        assert message in trouble.text
        assert names(seen) == ["left"]
        assert seen.daemon.configuration is not None
        assert seen.daemon.configuration.changed
        assert "seriel" in seen.daemon.configuration.refused
        edit(rig, lambda text: text.replace("seriel", "serial").replace("[nonsense]", ""))
        seen = await until(rig, lambda seen: names(seen) == ["left", "right"])
        seen = await until(rig, lambda seen: not seen.daemon.degraded)
        assert seen.daemon.configuration is not None
        assert not seen.daemon.configuration.changed
        assert not seen.daemon.configuration.refused


async def test_a_configuration_that_is_gone_keeps_its_boards(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        path = rig.root / "config.toml"
        text = path.read_text()
        path.unlink()
        seen = await until(rig, lambda seen: bool(seen.daemon.troubles))
        assert "no such file" in seen.daemon.troubles[0].text
        assert names(seen) == ["left"]
        path.write_text(text + RIGHT)
        await until(rig, lambda seen: names(seen) == ["left", "right"])


async def test_a_reply_means_done(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        edit(rig, lambda text: text + RIGHT)
        reply = await reload(rig)
        assert names(await status(rig)) == ["left", "right"]
        assert reply.configuration.files == (str(rig.root / "config.toml"),)


async def test_a_removed_boards_job_ends_at_its_next_safe_point_and_its_queue_with_the_reason(
    root: Path,
) -> None:
    prepare(root, boards=LEFT + RIGHT, bench=SLOW_LEFT)
    async with running(root) as rig:
        await rig.client.call(api.Hold(boards=("right",), reason="mine"))
        rig.build(firmware("1.0.0", size=300_000))
        rig.build(firmware("1.0.0", base=0x08080000), name="APP2.bin")
        await until(rig, lambda seen: len(seen.jobs) >= 4)
        await rig.press("left")
        running_job = await is_writing(rig)
        edit(rig, lambda text: text.replace(LEFT, "").replace(RIGHT, ""))
        await reload(rig)
        jobs = {job.id: job for job in await rig.jobs()}
        assert all(isinstance(job.status, Cancelled) for job in jobs.values())
        for job in jobs.values():
            assert f"because board {job.board} is no longer in the configuration" in job.text
        assert "incomplete" in jobs[running_job.id].text
        assert names(await status(rig)) == []
        edit(rig, lambda text: text + LEFT + RIGHT)
        await reload(rig)
        assert hold_of(await status(rig), "right") == "mine"


async def test_a_board_that_is_renamed_while_it_is_flashed_keeps_all_that_it_had(root: Path) -> None:
    prepare(root, boards=LEFT, bench=SLOW_LEFT)
    async with running(root) as rig:
        await rig.client.call(api.Disarm(boards=("left",)))
        rig.build(firmware("1.0.0", size=60_000))
        rig.build(firmware("1.0.0", base=0x08080000), name="APP2.bin")
        await until(rig, lambda seen: len(seen.artifacts) == 2)
        for partition in ("app1", "partition2"):
            await rig.client.call(api.Flash(partition=partition, boards=("left",)))
        job = await is_writing(rig)
        edit(rig, replaced("[boards.left]", "[boards.desk]"))
        reply = await reload(rig)
        assert "board left is called desk now" in reply.changes
        snapshot = await status(rig)
        assert names(snapshot) == ["desk"]
        assert isinstance(next(each for each in snapshot.jobs if each.id == job.id).status, Written | Done)
        await rig.client.call(api.WaitJobs(ids=tuple(job.id for job in snapshot.jobs)))
        jobs = await rig.jobs()
        assert {each.board for each in jobs} == {"desk"}
        assert all(isinstance(each.status, Done) for each in jobs), [each.text for each in jobs]
        (desk,) = (await status(rig)).boards
        assert not desk.armed
        assert all(each.current for each in desk.partitions if not each.protected)
        assert "desk" in (rig.root / "boards.toml").read_text()


async def test_who_waits_for_a_board_that_is_renamed_gets_its_answer(root: Path) -> None:
    prepare(root, boards=LEFT + RIGHT, bench=BENCH)
    async with running(root) as rig:
        await rig.unplug("left")
        rig.build(firmware("1.0.0"))
        await rig.wait(boards=("right",))
        (job,) = [each for each in await rig.jobs() if each.board == "left"]
        waiting = await begun(rig.client, api.Wait(partition="app1", boards=("left",), timeout=WAIT_SECONDS))
        edit(rig, lambda text: text.replace("boards.left", "boards.x").replace("boards.right", "boards.left"))
        await reload(rig)
        assert not waiting.done(), "the board that has its former name now is another one"
        await rig.plug("left")
        (outcome,) = (await waiting).boards
        assert (outcome.board, outcome.is_there) == ("x", True)
        assert outcome.job is not None
        assert outcome.job.id == job.id


async def test_a_board_that_is_renamed_stays_with_who_has_taken_it_and_with_who_is_next_in_line(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig, await Client.connect(rig.socket, client="first") as first:
        await first.call(api.Take(boards=("left",), by="first"))
        async with await Client.connect(rig.socket, client="second") as second:
            with pytest.raises(RemoteError):
                await second.call(api.Take(boards=("left",), no_wait=True))
            next_one = await begun(second, api.Take(boards=("left",), by="second"))
            edit(rig, replaced("[boards.left]", "[boards.desk]"))
            await reload(rig)
            assert lease_of(await status(rig), "desk") == "first"
            rig.build(firmware("1.0.0"))
            snapshot = await until(rig, lambda seen: any(isinstance(job.status, Waiting) for job in seen.jobs))
            assert "taken by first" in snapshot.jobs[0].text
            upload = await first.upload("app.bin", firmware("1.0.1"), partition="app1")
            (mine,) = (await first.call(api.Flash(partition="app1", sha256=upload.sha256, boards=("desk",)))).jobs
            (mine,) = (await first.call(api.WaitJobs(ids=(mine.id,), timeout=WAIT_SECONDS))).jobs
            assert isinstance(mine.status, Done), mine.text
            await first.close()
            assert (await next_one).boards == ("desk",)
            assert lease_of(await status(rig), "desk") == "second"
        await until(rig, lambda seen: lease_of(seen, "desk") == "")


async def test_a_board_that_is_armed_once_is_so_by_its_new_name(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        await rig.client.call(api.Arm(boards=("left",), once=True))
        edit(rig, replaced("[boards.left]", "[boards.desk]"))
        await reload(rig)
        (desk,) = (await status(rig)).boards
        assert (desk.name, desk.armed, desk.once) == ("desk", True, True)
        assert tomllib.loads((rig.root / "boards.toml").read_text()) == {"once": ["desk"]}
        rig.build(firmware("1.0.0"))
        await rig.wait()
        await until(rig, lambda seen: not seen.boards[0].armed)
        await until(rig, lambda _: tomllib.loads((rig.root / "boards.toml").read_text()) == {"disarmed": ["desk"]})


async def test_boards_that_exchange_their_names_keep_their_holds(root: Path) -> None:
    prepare(root, boards=LEFT + RIGHT, bench=BENCH)
    async with running(root) as rig:
        await rig.client.call(api.Hold(boards=("left",), reason="A1 is mine"))
        edit(rig, lambda text: text.replace("A1", "x").replace("B2", "A1").replace('"x"', '"B2"'))
        await reload(rig)
        seen = await status(rig)
        assert (hold_of(seen, "left"), hold_of(seen, "right")) == ("", "A1 is mine")


async def test_a_board_that_is_renamed_while_the_daemon_is_down_keeps_its_hold(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await rig.wait()
        await rig.client.call(api.Hold(boards=("left",), reason="mine"))
        await rig.client.call(api.Disarm(boards=("left",)))
        await rig.stop()
        edit(rig, replaced("[boards.left]", "[boards.desk]"))
        await rig.restart()
        seen = await status(rig)
        assert hold_of(seen, "desk") == "mine"
        assert not seen.boards[0].armed
        assert seen.boards[0].partitions[1].current


FULL = """
import errno, os, sys
from flashdeckd.boards import enrolment
from flashdeckd.__main__ import main

def write(path, *what, really=enrolment.write_board_file):
    if path.with_name("full").exists():
        raise enrolment.HostError(f"{path} cannot be written: no space")
    really(path, *what)

enrolment.write_board_file = write
sys.argv[0] = "flashdeckd"
main()
"""
"""A daemon that cannot write boards.toml for as long as a file called `full` is beside it."""


async def test_a_board_that_is_renamed_while_boards_toml_cannot_be_written_stays_disarmed(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root, daemon=("-c", FULL)) as rig:
        await rig.client.call(api.Disarm(boards=("left",)))
        (root / "full").touch()
        edit(rig, replaced("[boards.left]", "[boards.desk]"))
        assert (await reload(rig)).changes == ("board left is called desk now",)
        for way in ("another reload", "a restart", "a write", "a restart"):
            match way:
                case "another reload":
                    edit(rig, lambda text: text + RIGHT)
                    await reload(rig)
                case "a write":
                    (root / "full").unlink()
                    await reload(rig)
                    assert tomllib.loads((root / "boards.toml").read_text()) == {"disarmed": ["desk"]}
                case _:
                    await rig.stop()
                    await rig.restart()
            armed = {each.name: each.armed for each in (await status(rig)).boards}
            assert armed == {"desk": False, "right": True}, way


MOVED = replaced('address = 0x08020000\nsize = "384K"', 'address = 0x08040000\nsize = "256K"')


async def test_a_partition_that_moves_puts_its_boards_on_hold_with_the_difference(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await rig.wait()
        edit(rig, MOVED)
        await reload(rig)
        seen = await status(rig)
        assert "partition app1 is moved from 0x08020000-0x0807ffff to 0x08040000" in hold_of(seen, "left")
        (app1,) = [each for each in seen.boards[0].partitions if each.name == "app1"]
        assert not app1.current
        assert app1.contents is None


async def test_the_same_at_a_start_for_a_board_that_was_adopted_before(root: Path) -> None:
    """Found by seed 153 of the simulation."""
    prepare(root, boards=LEFT, bench=BENCH + 'start = "dfu"\n')
    async with running(root) as rig:
        await rig.client.call(api.Adopt(device="1-2", name="right"))
        await rig.stop()
        edit(rig, MOVED)
        await rig.restart()
        seen = await status(rig)
        assert "partition app1 is moved" in hold_of(seen, "right")


UNHELD = """
import sys
from pathlib import Path
from flashdeck.errors import HostError
from flashdeckd.state.journal import Journal
from flashdeckd.__main__ import main

async def save_hold(self, board, hold, really=Journal.save_hold):
    if self._path.parent.with_name("full").exists():
        raise HostError("the journal is full")
    await really(self, board, hold)

Journal.save_hold = save_hold
sys.argv[0] = "flashdeckd"
main()
"""
"""A daemon whose journal takes no hold for as long as a file called `full` is beside its state directory."""


async def test_a_board_is_held_for_what_is_moved_back_after_a_hold_that_could_not_be_recorded(root: Path) -> None:
    """Found by seed 165 of the simulation: the record of the configuration was still that before the first reload."""
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root, daemon=("-c", UNHELD)) as rig:
        before = (rig.root / "config.toml").read_text()
        (root / "full").touch()
        edit(rig, MOVED)
        await reload(rig)
        (root / "full").unlink()
        await rig.client.call(api.Release(boards=("left",)))
        edit(rig, lambda _: before)
        await reload(rig)
        assert "app1 is moved" in hold_of(await status(rig), "left")


async def test_a_hold_that_could_not_be_recorded_is_by_the_next_reload_that_can(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root, daemon=("-c", UNHELD)) as rig:
        (root / "full").touch()
        edit(rig, MOVED)
        await reload(rig)
        assert "app1 is moved" in hold_of(await status(rig), "left")
        (root / "full").unlink()
        await reload(rig)
        await rig.stop()
        await rig.restart()
        assert "app1 is moved" in hold_of(await status(rig), "left")
        await rig.client.call(api.Release(boards=("left",)))
        await reload(rig)
        assert hold_of(await status(rig), "left") == ""


async def test_the_same_at_a_start(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        await rig.stop()
        edit(rig, MOVED)
        await rig.restart()
        assert "partition app1 is moved" in hold_of(await status(rig), "left")


async def test_a_partition_that_moves_while_its_build_is_settling_does_not_get_it_by_itself(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH, settle="600s", profile="leave = false")
    async with running(root) as rig:
        rig.build(firmware("1.0.0", base=0x08040000))
        await until(rig, lambda seen: any(each.being_written for each in seen.boards[0].partitions))
        edit(rig, MOVED)
        await reload(rig)
        await rig.client.call(api.Release(boards=("left",)))
        edit(rig, replaced('settle = "600s"', 'settle = "50ms"'))
        seen = await until(rig, lambda seen: bool(seen.artifacts))
        assert seen.artifacts[0].disposition is Disposition.OFFERED
        assert await rig.jobs() == []
        rig.build(firmware("1.0.1", base=0x08040000))
        await rig.wait(data=firmware("1.0.1", base=0x08040000))


@pytest.mark.parametrize("way", ["shorter", "of its own"])
async def test_a_settle_time_that_changes_while_a_file_is_being_written_counts_for_that_file(
    root: Path, way: str
) -> None:
    prepare(root, boards=LEFT, bench=BENCH, settle="600s")
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await until(rig, lambda seen: any(each.being_written for each in seen.boards[0].partitions))
        if way == "shorter":
            edit(rig, replaced('settle = "600s"', 'settle = "50ms"'))
        else:
            edit(rig, replaced('image = "build/APP1.bin"', 'image = "build/APP1.bin"\nsettle = "50ms"'))
        await rig.wait()
        assert await rig.partition_of("left", 20_000) == firmware("1.0.0")


@pytest.mark.parametrize(("phase", "name"), [("erase", "left"), ("write", "left"), ("write", "renamed")])
async def test_protected_that_is_added_while_a_job_runs_there_stops_it(root: Path, phase: str, name: str) -> None:
    """`name` is the one that the board has in the same new configuration."""
    prepare(root, boards=LEFT, bench=SLOW_LEFT)
    async with running(root) as rig:
        data = firmware("1.0.0", size=380_000)
        rig.build(data)
        await until(rig, lambda seen: any(isinstance(j.status, Running) and j.status.phase == phase for j in seen.jobs))
        text = (root / "config.toml").read_text().replace('image = "build/APP1.bin"', "protected = true")
        edit(rig, lambda _: text.replace("[boards.left]", f"[boards.{name}]"))
        await reload(rig)
        assert names(await status(rig)) == [name]
        (job,) = await rig.jobs()
        await rig.client.call(api.WaitJobs(ids=(job.id,)))
        (job,) = await rig.jobs()
        assert isinstance(job.status, Failed)
        assert job.status.failure.kind is ErrorKind.PROTECTED
        assert "app1 of board left is protected now" in job.text
        before = await rig.flash_of("left")
        assert before[APP1 - 0x08000000 :][:16] == b"\xff" * 16
        assert before[APP1 - 0x08000000 :][: len(data)] != data
        with pytest.raises(RemoteError) as refused:
            await rig.client.call(api.Flash(partition="app1"))
        assert refused.value.kind is ErrorKind.PROTECTED
        assert await rig.flash_of("left") == before


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            replaced('size = "128K"\nprotected = true', 'size = "128K"'),
            "bootloader, 0x08000000-0x0801ffff is not protected any more",
        ),
        (
            replaced(
                '[profiles.product.partitions.app1]\naddress = 0x08020000\nsize = "384K"',
                '[profiles.product.partitions.app1]\naddress = 0x08020000\nsize = "256K"',
            ),
            "partition app1 is resized",
        ),
        (replaced('serial = "A1"', 'serial = "A2"'), "serial is A2, and was A1"),
        (replaced('serial = "A1"', 'serial = "A1"\nport = "1-1"'), "port is 1-1, and was not given"),
        (replaced('dfu = "0483:df11"', 'dfu = "0483:df12"'), "dfu is 0483:df12, and was 0483:df11"),
        (replaced('app = "0483:5740"', 'app = "0483:5741"'), "app is 0483:5741, and was 0483:5740"),
    ],
    ids=["protected", "size", "serial", "port", "dfu", "app"],
)
async def test_what_a_person_has_to_look_at_puts_the_board_on_hold(
    root: Path, change: Callable[[str], str], difference: str
) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        edit(rig, change)
        await reload(rig)
        assert difference in hold_of(await status(rig), "left")
        await rig.client.call(api.Release(boards=("left",)))
        await reload(rig)
        assert hold_of(await status(rig), "left") == "", "it was looked at"


async def test_a_path_that_a_reload_brings_is_offered_and_the_next_build_there_is_flashed(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await rig.wait()
        rig.build(firmware("2.0.0"), name="OTHER.bin")
        edit(rig, replaced("build/APP1.bin", "build/OTHER.bin"))
        await reload(rig)
        seen = await until(rig, lambda seen: any(each.source.endswith("OTHER.bin") for each in seen.artifacts))
        assert seen.artifacts[0].disposition is Disposition.OFFERED
        assert len(await rig.jobs()) == 1
        rig.build(firmware("2.0.1"), name="OTHER.bin")
        await rig.wait(data=firmware("2.0.1"))


async def test_auto_and_guards_take_effect_at_once(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        rig.build(firmware("1.0.0", base=0x08080000))
        seen = await until(rig, lambda seen: bool(seen.artifacts))
        assert seen.artifacts[0].disposition is Disposition.REFUSED
        edit(rig, replaced('image = "build/APP1.bin"', 'image = "build/APP1.bin"\nguards = ["fits"]'))
        await reload(rig)
        await until(rig, lambda seen: seen.artifacts[0].disposition is Disposition.OFFERED)
        edit(rig, replaced('guards = ["fits"]', "auto = false"))
        await reload(rig)
        rig.build(firmware("1.0.1"))
        seen = await until(rig, lambda seen: "1.0.1" in seen.artifacts[0].version)
        assert seen.artifacts[0].reason == "auto is off for this partition"


async def test_a_job_on_a_partition_that_is_removed_ends_and_one_that_waits_says_why(root: Path) -> None:
    prepare(root, boards=LEFT, bench=SLOW_LEFT)
    async with running(root) as rig:
        rig.build(firmware("1.0.0", size=300_000))
        wait = asyncio.ensure_future(rig.waited(api.Wait(partition="app1", timeout=WAIT_SECONDS)))
        await is_writing(rig)
        edit(rig, replaced(APP1_TABLE + 'image = "build/APP1.bin"\n', ""))
        await reload(rig)
        (job,) = await rig.jobs()
        assert "because partition app1 of board left is no longer in the configuration" in job.text
        with pytest.raises(RemoteError, match="no longer in the configuration"):
            await wait


@pytest.mark.parametrize("goes", [False, True], ids=["protected", "gone"])
async def test_what_is_queued_for_a_board_that_is_renamed_ends_with_its_target(root: Path, *, goes: bool) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        await rig.client.call(api.Hold(boards=("left",), reason="mine"))
        rig.build(firmware("1.0.0"))
        await until(rig, lambda seen: bool(seen.jobs))
        image = 'image = "build/APP1.bin"\n'
        changed = replaced(APP1_TABLE + image, "" if goes else APP1_TABLE + "protected = true\n")
        edit(rig, lambda text: changed(text).replace("[boards.left]", "[boards.desk]"))
        await reload(rig)
        (job,) = await rig.jobs()
        assert isinstance(job.status, Cancelled), job.text
        assert ("is no longer in the configuration" if goes else "is protected now") in job.text
        assert hold_of(await status(rig), "desk") == "mine"


async def test_boards_toml_that_is_edited_by_hand_counts(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        (root / "boards.toml").write_text('disarmed = ["left"]\n')
        await until(rig, lambda seen: not seen.boards[0].armed)
        await rig.client.call(api.Arm(boards=("left",)))
        await reload(rig)
        assert (await status(rig)).boards[0].armed
        (root / "boards.toml").unlink()
        with pytest.raises(RemoteError, match=r"boards\.toml: there is no such file any more"):
            await reload(rig)


async def test_a_job_that_runs_ends_under_the_configuration_that_it_began_with(root: Path) -> None:
    prepare(root, boards=LEFT, bench=SLOW_LEFT)
    async with running(root) as rig:
        data = firmware("1.0.0", size=80_000)
        rig.build(data)
        job = await is_writing(rig)
        edit(rig, MOVED)
        await reload(rig)
        await rig.client.call(api.WaitJobs(ids=(job.id,)))
        (job,) = await rig.jobs()
        assert isinstance(job.status, Done), job.text
        assert "on hold: the configuration has changed" in job.status.not_started
        assert await rig.partition_of("left", len(data)) == data
        (left,) = (await status(rig)).boards
        assert [each.contents for each in left.partitions if each.name == "app1"] == [None]


async def test_a_board_that_returns_with_another_name_after_a_while_has_its_hold(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root) as rig:
        await rig.client.call(api.Hold(boards=("left",), reason="mine"))
        edit(rig, replaced(LEFT, ""))
        await reload(rig)
        edit(rig, lambda text: text + LEFT.replace("left", "desk"))
        await reload(rig)
        assert hold_of(await status(rig), "desk") == "mine"
        await rig.stop()
        await rig.restart()
        assert hold_of(await status(rig), "desk") == "mine"


async def test_whoever_follows_the_daemon_hears_that_a_board_is_gone(root: Path) -> None:
    prepare(root, boards=LEFT + RIGHT, bench=BENCH)
    async with running(root) as rig:
        seen = Store()
        async with asyncio.timeout(WAIT_SECONDS), aclosing(rig.client.follow()) as changes:
            async for change in changes:
                seen.take(change)
                if "right" in seen.boards and isinstance(change, Snapshot):
                    edit(rig, replaced(RIGHT, ""))
                if "right" not in seen.boards:
                    break
        assert list(seen.boards) == ["left"]
