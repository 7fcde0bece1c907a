"""A daemon whose records are damaged starts, says so, and flashes nothing by itself that it might not have."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.config_file import BOARD_FILE_BEGIN
from flashdeck.job_state import Done
from flashdeck.model import BoardState, Disposition, HoldBy, Snapshot
from rig import Rig, board, firmware, prepare, running, sha256, start

BOARDS = """
[boards.left]
profile = "product"
serial = "TEST00000001"
[boards.right]
profile = "product"
serial = "TEST00000002"
"""
BENCH = board("left") + board("right", 2, serial="TEST00000002")
OLD, NEW = firmware("1.0.0"), firmware("2.0.0")


def without_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("DROP TABLE port")


def without_a_column(path: Path) -> None:
    with closing(sqlite3.connect(path)) as journal:
        journal.execute("ALTER TABLE hold DROP COLUMN who")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database " * 100)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_in_its_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def gone(path: Path) -> None:
    path.unlink()


async def stopped(root: Path) -> Rig:
    """A daemon that has flashed a build and put a board on hold, and ended."""
    prepare(root, boards=BOARDS, bench=BENCH)
    rig = await start(root)
    rig.build(OLD)
    await rig.wait(data=OLD)
    await rig.client.call(api.Hold(boards=("left",), reason="a probe is connected"))
    await rig.client.call(api.Disarm(boards=("right",)))
    assert await rig.stop() == 0
    return rig


def states(snapshot: Snapshot) -> dict[str, BoardState]:
    return {state.name: state for state in snapshot.boards}


def troubles(snapshot: Snapshot) -> dict[str, str]:
    return {trouble.part: trouble.line for trouble in snapshot.daemon.troubles}


@pytest.mark.parametrize(
    "damage", [without_a_table, without_a_column, empty, no_database, cut, cut_in_its_header, gone]
)
async def test_a_journal_that_was_lost_holds_all_boards_until_a_person_releases_them(
    root: Path, damage: Callable[[Path], None]
) -> None:
    await stopped(root)
    damage(root / "state" / "journal.sqlite3")
    async with running(root) as rig:
        snapshot = await rig.until(lambda snapshot: bool(snapshot.artifacts))
        assert "journal" in troubles(snapshot)
        assert "release" in troubles(snapshot)["journal"]
        for state in snapshot.boards:
            assert state.hold is not None
            assert state.hold.by is HoldBy.FLASHDECK
        (build,) = [build for build in snapshot.artifacts if build.partition == "app1"]
        assert build.disposition is Disposition.OFFERED, "a file that was never seen"
    kept = [path.name for path in (root / "state").iterdir() if ".kept-" in path.name]
    assert bool(kept) is (damage is not gone)
    async with running(root) as rig:  # a restart forgets none of it
        snapshot = await rig.client.call(api.GetStatus())
        assert not snapshot.daemon.troubles
        assert all(state.hold is not None for state in snapshot.boards)
        await rig.client.call(api.Release(boards=("left",)))
        rig.build(NEW)
        await rig.until(lambda snapshot: any(isinstance(job.status, Done) for job in snapshot.jobs))
        assert await rig.partition_of("left", len(NEW)) == NEW
        assert await rig.partition_of("right", len(NEW)) != NEW


async def test_that_a_journal_was_lost_is_said_until_the_last_board_is_released(root: Path) -> None:
    await stopped(root)
    gone(root / "state" / "journal.sqlite3")
    async with running(root) as rig:
        await rig.client.call(api.Release(boards=("left",)))
        assert "journal" in troubles(await rig.client.call(api.GetStatus()))
        await rig.client.call(api.Release(boards=("right",)))
        assert not troubles(await rig.client.call(api.GetStatus()))


async def test_a_doctor_that_comes_first_does_not_let_the_loss_be_forgotten(root: Path) -> None:
    await stopped(root)
    gone(root / "state" / "journal.sqlite3")
    words = ("-m", "flashdeckd", "doctor", "--config", "config.toml", "--state-dir", "state", "--virtual", "bench.toml")
    doctor = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=root, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await doctor.communicate()
    assert b"it is gone" in told
    async with running(root) as rig:
        snapshot = await rig.client.call(api.GetStatus())
        assert all(state.hold is not None for state in snapshot.boards)


async def test_a_first_start_holds_nothing(root: Path) -> None:
    prepare(root, boards=BOARDS, bench=BENCH)
    async with running(root) as rig:
        snapshot = await rig.client.call(api.GetStatus())
        assert not snapshot.daemon.troubles
        assert all(state.hold is None for state in snapshot.boards)


def not_toml(text: str) -> str:
    return text + "disarmed = ["


def cut_after_its_comment(text: str) -> str:
    return text[: text.index("\n\n")]


def cut_to_nothing(_text: str) -> str:
    return ""


def cut_in_its_first_line(_text: str) -> str:
    return BOARD_FILE_BEGIN[:10]


def kept_beside(path: Path) -> dict[str, str]:
    return {kept.name: kept.read_text() for kept in path.parent.glob(f"{path.name}.kept-*")}


@pytest.mark.parametrize("damage", [not_toml, cut_after_its_comment, cut_to_nothing, cut_in_its_first_line])
async def test_a_boards_toml_that_cannot_be_trusted_disarms_all_boards(
    root: Path, damage: Callable[[str], str]
) -> None:
    await stopped(root)
    board_file = root / "boards.toml"
    broken = damage(board_file.read_text())
    board_file.write_text(broken)
    for is_first in (True, False):  # also after another start
        async with running(root) as rig:
            snapshot = await rig.client.call(api.GetStatus())
            assert ("boards.toml" in troubles(snapshot)) is is_first
            assert not any(state.armed for state in snapshot.boards)
            rig.build(data := NEW if is_first else OLD)
            await rig.until(lambda snapshot: any(build.sha256 == sha256(data) for build in snapshot.artifacts))
            assert await rig.partition_of("left", len(data)) != data
            assert await rig.partition_of("right", len(data)) != data
    kept = kept_beside(board_file)
    assert list(kept.values()) == [broken]
    assert all(name in (root / "log").read_text() for name in kept)
    async with running(root) as rig:
        await rig.client.call(api.Arm(boards=("right",)))
        rig.build(firmware("3.0.0"))
        await rig.wait(data=firmware("3.0.0"), boards=("right",))


@pytest.mark.parametrize("since", ["this run", "before it"])
async def test_a_boards_toml_that_is_gone_disarms_all_boards(root: Path, since: str) -> None:
    """It was written while the daemon ran, or was there when it started."""
    rig = await stopped(root)
    if since == "before it":
        await rig.restart()
        await rig.stop()
    (root / "boards.toml").unlink()
    async with running(root) as rig:
        snapshot = await rig.client.call(api.GetStatus())
        assert "boards.toml is gone: all boards are disarmed" in troubles(snapshot)["boards.toml"]
        assert "flashdeck arm BOARD" in troubles(snapshot)["boards.toml"]
        assert not any(state.armed for state in snapshot.boards)
        rig.build(NEW)
        await rig.until(lambda snapshot: any(build.sha256 == sha256(NEW) for build in snapshot.artifacts))
        assert await rig.partition_of("left", len(NEW)) != NEW
        await rig.client.call(api.Arm(boards=("left", "right")))
        assert not troubles(await rig.client.call(api.GetStatus())), "a person has done what was asked for"
    async with running(root) as rig:
        snapshot = await rig.client.call(api.GetStatus())
        assert not snapshot.daemon.troubles
        assert all(state.armed for state in snapshot.boards)


async def test_a_boards_toml_that_never_was_there_disarms_nothing(root: Path) -> None:
    prepare(root, boards=BOARDS, bench=BENCH)
    for _ in range(2):
        async with running(root) as rig:
            snapshot = await rig.client.call(api.GetStatus())
            assert not snapshot.daemon.troubles
            assert all(state.armed for state in snapshot.boards)


async def test_what_an_earlier_release_wrote_is_believed(root: Path) -> None:
    prepare(root, boards=BOARDS, bench=BENCH)
    (root / "boards.toml").write_text('# written by flashdeckd; `flashdeck adopt`\n\ndisarmed = ["left"]\n')
    async with running(root) as rig:
        snapshot = await rig.client.call(api.GetStatus())
        assert not snapshot.daemon.troubles
        assert {name: state.armed for name, state in states(snapshot).items()} == {"left": False, "right": True}


async def test_a_second_daemon_sets_nothing_of_the_first_aside(root: Path) -> None:
    prepare(root, boards=BOARDS, bench=BENCH)
    async with running(root):
        (root / "boards.toml").write_text("")
        options = ("--config", "config.toml", "--socket", "s2", "--state-dir", "state")
        second = await asyncio.create_subprocess_exec(sys.executable, "-m", "flashdeckd", *options, cwd=root)
        assert await second.wait() == 1
        assert await asyncio.to_thread((root / "boards.toml").read_text) == ""
