"""The directories below a running daemon go away, and come back: it is found again, and begins nothing meanwhile."""

import asyncio
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import Queued, Waiting
from flashdeck.model import Snapshot
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running

pytestmark = pytest.mark.long

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'


async def found(path: Path) -> Client:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await Client.connect(path, client="test")
            except FlashdeckError:
                await asyncio.sleep(0.05)


def parts(snapshot: Snapshot) -> set[str]:
    return {trouble.part for trouble in snapshot.daemon.troubles}


def second_daemon(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "flashdeckd", "--virtual", "bench.toml", "--config", "config.toml", *options)
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)  # noqa: S603 - ours


async def test_a_socket_that_was_removed_comes_back(rig: Rig) -> None:
    for _ in range(2):
        rig.socket.unlink()
        (rig.root / "s.lock").unlink()
        async with await found(rig.socket) as again:
            assert not (await again.call(api.GetStatus())).daemon.degraded
        assert stat.S_IMODE(rig.socket.stat().st_mode) == 0o600
        again_refused = await asyncio.to_thread(second_daemon, rig.root, "--socket", "s", "--state-dir", "other")
        assert "already serves" in again_refused.stderr


async def test_a_state_directory_that_was_moved_away_keeps_everything_until_it_is_back(rig: Rig) -> None:
    state, away = rig.root / "state", rig.root / "away"
    rig.build(firmware("1.0.0"))
    await rig.wait(data=firmware("1.0.0"))
    state.rename(away)
    await rig.until(lambda snapshot: {"state directory", "journal"} <= parts(snapshot))
    rig.build(data := firmware("2.0.0"))
    await rig.until(lambda snapshot: any("APP1.bin" in trouble.line for trouble in snapshot.daemon.troubles))
    with pytest.raises(FlashdeckError, match="journal"):
        await rig.client.call(api.Hold(boards=("left",), reason="test"))
    assert not state.exists()
    assert await rig.partition_of("left", len(data)) == firmware("1.0.0")

    state.mkdir(mode=0o700)
    refused = await asyncio.to_thread(second_daemon, rig.root, "--socket", "s2", "--state-dir", "state")
    assert f"pid {rig.process.pid} already uses" in refused.stderr
    await rig.until(lambda snapshot: "state directory" in parts(snapshot))
    shutil.rmtree(state)

    away.rename(state)
    await rig.client.call(api.Release(boards=("left",)))
    await rig.wait(data=data)
    await rig.until(lambda snapshot: parts(snapshot).isdisjoint({"state directory", "journal", "spool"}))


async def test_a_queued_job_waits_for_a_journal_that_was_removed(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left", runtime=False, plugged=False))
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        await rig.until(lambda snapshot: any(isinstance(job.status, Queued | Waiting) for job in snapshot.jobs))
        journal = root / "state" / "journal.sqlite3"
        journal.rename(root / "kept")
        await rig.plug("left")
        snapshot = await rig.until(lambda snapshot: "journal" in parts(snapshot))
        (trouble,) = [trouble for trouble in snapshot.daemon.troubles if trouble.part == "journal"]
        assert "was removed" in trouble.text
        assert await rig.partition_of("left", 4) == b"\xff" * 4
        (root / "kept").rename(journal)
        await rig.wait(data=firmware("1.0.0"))


async def test_a_state_directory_that_was_opened_to_others_is_said(rig: Rig) -> None:
    state = rig.root / "state"
    state.chmod(0o755)
    snapshot = await rig.until(lambda snapshot: "state directory" in parts(snapshot))
    assert "chmod 700" in snapshot.daemon.troubles[0].hint
    state.chmod(0o700)
    await rig.until(lambda snapshot: not parts(snapshot))
