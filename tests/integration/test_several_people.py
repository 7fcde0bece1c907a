"""Several people on one bench: real processes of other users at a real daemon, which knows each by name."""

import asyncio
import grp
import json
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ExitCode, FlashdeckError
from flashdeck.model import HoldBy
from rig import DAEMON, START_SECONDS, WAIT_SECONDS, board, firmware, prepare

GROUP, ONE, OTHER, STRANGER = "nogroup", "nobody", "sync", "games"
"""A group of every Debian, two accounts that are in it, and one that is not."""
AS_SOMEBODY = str(Path(__file__).parents[1] / "as_somebody.py")


def need_root() -> None:
    """Goes on where processes of other users can be had."""
    reason = "" if os.geteuid() == 0 else "only root can start processes of other users"
    try:
        assert grp.getgrnam(GROUP).gr_gid in {pwd.getpwnam(ONE).pw_gid} & {pwd.getpwnam(OTHER).pw_gid}
        assert pwd.getpwnam(STRANGER).pw_gid != grp.getgrnam(GROUP).gr_gid
    except (KeyError, AssertionError):
        reason = reason or "this system has other accounts than Debian"
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class SharedBench:
    """A daemon of root's with a group, a client of root's, and everybody else as processes."""

    root: Path
    client: Client

    @property
    def socket(self) -> Path:
        return self.root / "door" / "s"

    async def begun(self, user: str, *words: str, group: int | None = None) -> asyncio.subprocess.Process:
        """Start `flashdeck` as somebody."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, AS_SOMEBODY, user, "" if group is None else str(group)),
            *words,
            env={**os.environ, "HOME": "/nonexistent", "FLASHDECK_SOCKET": str(self.socket)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def says(self, user: str, *words: str, group: int | None = None) -> Said:
        """Run `flashdeck` as somebody to its end."""
        process = await self.begun(user, *words, group=group)
        out, err = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def log(self) -> str:
        return "\n".join(line.text for line in (await self.client.call(api.GetLogs(limit=500))).lines)

    async def hold(self) -> tuple[HoldBy, str] | None:
        hold = (await self.client.call(api.GetBoards())).boards[0].hold
        return None if hold is None else (hold.by, hold.user)


@pytest.fixture
async def bench() -> AsyncIterator[SharedBench]:
    need_root()
    root = Path(tempfile.mkdtemp(prefix="fd-"))
    os.chmod(root, 0o755)  # noqa: PTH101, S103 - no disk is behind it, and others have to get through
    prepare(root, boards='[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n', bench=board("left"))
    config = root / "config.toml"
    config.write_text(config.read_text().replace("[daemon]\n", f'[daemon]\ngroup = "{GROUP}"\n'))
    (root / "app.bin").write_bytes(firmware("1.0.0"))
    with (root / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *DAEMON, "--virtual", str(root / "bench.toml"), "--config", str(config)),
            *("--socket", str(root / "door" / "s"), "--state-dir", str(root / "state")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert process.returncode is None, (root / "log").read_text()
                try:
                    client = await Client.connect(root / "door" / "s", client="test")
                    break
                except FlashdeckError:
                    await asyncio.sleep(0.02)  # the socket file appears without an event of its own
        async with client:
            yield SharedBench(root, client)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(root)


async def test_members_get_in_by_name_and_others_are_told_why_not(bench: SharedBench) -> None:
    assert stat.S_IMODE(bench.socket.stat().st_mode) == 0o660
    assert stat.S_IMODE(bench.socket.parent.stat().st_mode) == 0o750
    flashed, kept_out, intruder, confirmed = await asyncio.gather(
        bench.says(ONE, "flash", "app1", str(bench.root / "app.bin"), "--json"),
        bench.says(STRANGER, "status"),
        bench.says(STRANGER, "status", group=grp.getgrnam(GROUP).gr_gid),
        bench.says(OTHER, "config", "trust", str(bench.root / "config.toml")),
    )
    assert flashed.code == ExitCode.OK, flashed
    (job,) = (await bench.client.call(api.GetJobs())).jobs
    assert job.user == ONE
    assert kept_out.code == ExitCode.NO_PERMISSION
    assert f"members of the group {GROUP}" in kept_out.err
    assert intruder.code == ExitCode.NO_PERMISSION, "in the group by its process, and not by the name service"
    assert f"it is no member of the group {GROUP}" in intruder.err
    assert confirmed.code == ExitCode.NO_PERMISSION
    assert "'config.trust' is for the user that flashdeckd runs as" in confirmed.err
    assert f"{ONE} asked: flash app1" in await bench.log()
    listed = await bench.says(OTHER, "jobs")
    assert f"for {ONE}" in listed.out


async def test_anothers_hold_ends_by_force_only_and_the_log_has_both_names(bench: SharedBench) -> None:
    assert (await bench.says(ONE, "hold", "left", "--reason", "soldering")).code == ExitCode.OK
    assert await bench.hold() == (HoldBy.PERSON, ONE)
    refused = await bench.says(OTHER, "release", "left")
    assert refused.code == ExitCode.BLOCKED
    assert f"{ONE} has put board left on hold: soldering" in refused.err
    assert await bench.hold() == (HoldBy.PERSON, ONE)
    shown = await bench.says(OTHER, "release", "left", "--force")
    assert shown.code == ExitCode.OK
    assert await bench.hold() is None
    assert f"{OTHER} ended a hold of {ONE} by force: soldering" in await bench.log()
    assert (await bench.says(ONE, "hold", "left")).code == ExitCode.OK
    assert (await bench.says(ONE, "release", "left")).code == ExitCode.OK, "one's own needs no force"


async def test_anothers_lease_ends_by_force_only_and_its_holder_is_told(bench: SharedBench) -> None:
    holder = await bench.begun("root", "take", "left", "--for", "a measurement", "--", "sleep", "60")
    subscription = await bench.client.subscribe()
    async with asyncio.timeout(WAIT_SECONDS):
        while (lease := (await bench.client.call(api.GetBoards())).boards[0].lease) is None:
            await anext(subscription)
    assert lease.user == "root"
    assert (await bench.says(OTHER, "release", "left")).code == ExitCode.OK
    assert (await bench.client.call(api.GetBoards())).boards[0].lease == lease, "without --force it stays"
    assert (await bench.says(OTHER, "release", "left", "--force")).code == ExitCode.OK
    assert (await bench.client.call(api.GetBoards())).boards[0].lease is None
    assert f"no longer taken by root, process {holder.pid} for a measurement: {OTHER} ended that by force" in (
        await bench.log()
    )
    assert holder.stderr is not None
    said = await asyncio.wait_for(holder.stderr.readline(), WAIT_SECONDS)
    assert b"the lease of left was ended, the command goes on" in said
    holder.terminate()
    await asyncio.wait_for(holder.communicate(), WAIT_SECONDS)
