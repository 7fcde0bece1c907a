"""A daemon that was forked for a test is as one that was started by exec, in all that tests look at."""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

import rig as rigs
from forked_daemons import ForkedProcess, forks_for
from leftovers import open_files
from rig import LOOK_AGAIN, WAIT_SECONDS, Rig, board, firmware, prepare, start

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
CHILD = "(env | sort; pwd; umask; ls /proc/self/fd; grep ^Sig[^Q] /proc/self/status) >{root}/said"
"""Says what a child of the daemon has from it."""
ONE = firmware("1.0.0")
STATUS = ("SigBlk", "SigIgn", "SigCgt", "Umask", "Groups")
TERMINAL = 4
"""The place of the controlling terminal in /proc/PID/stat, behind the name (proc(5))."""


def no_forks(_environment: Mapping[str, str]) -> None:
    """As where no run of tests offers any."""


async def started(directory: Path, *, by_exec: bool) -> Rig:
    with pytest.MonkeyPatch.context() as patch:
        if by_exec:
            patch.setattr(rigs, "forks_for", no_forks)
        rig = await start(directory)
    assert isinstance(rig.process, asyncio.subprocess.Process if by_exec else ForkedProcess)
    return rig


async def works(rig: Rig) -> None:
    """It flashes a board, and runs a hook."""
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.until(lambda now: now.jobs[0].hook is not None)


def seen(rig: Rig) -> dict[str, object]:
    """The process of a daemon that has worked, from outside and from its child."""
    pid, process = rig.process.pid, Path(f"/proc/{rig.process.pid}")
    mapped = {line.split()[-1] for line in (process / "maps").read_text().splitlines() if ".so" in line}
    return {
        "directory": (process / "cwd").readlink(),
        "leads its session": os.getsid(pid) == os.getpgid(pid) == pid,
        "terminal": (process / "stat").read_text().rpartition(")")[2].split()[TERMINAL],
        "limits": (process / "limits").read_text(),
        "status": [line for line in (process / "status").read_text().splitlines() if line.startswith(STATUS)],
        "open": sorted(without_numbers(name, rig.root) for name in open_files(pid)),
        "libraries": {name for name in mapped if "lib-dynload" not in name},  # Python's own, each where it is imported
        "child": (rig.root / "said").read_text().replace(str(rig.root), "ROOT"),
    }


def without_numbers(text: str, root: Path) -> str:
    return re.sub(r"\d+", "N", text.replace(str(root), "ROOT"))


async def test_nobody_can_tell_which_is_which(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/set/before/it/starts")
    monkeypatch.chdir(root)
    both: list[Rig] = []
    async with AsyncExitStack() as running:
        for by_exec in (False, True):
            directory = root / str(by_exec)
            directory.mkdir(mode=0o700)
            prepare(directory, boards=LEFT, bench=board("left"))
            config = (directory / "config.toml").read_text()
            hook = CHILD.format(root=directory)
            (directory / "config.toml").write_text(f"[hooks]\ndone = ['sh', '-c', '{hook}']\n{config}")
            rig = await started(directory, by_exec=by_exec)
            running.push_async_callback(rig.stop)
            await works(rig)
            both.append(rig)
        forked, other = await at_rest(*both)
        assert forked == other
        assert "HOME=/set/before/it/starts" in str(forked["child"])
        assert [await rig.stop(signal.SIGTERM) for rig in both] == [0, 0]


async def at_rest(one: Rig, other: Rig) -> tuple[dict[str, object], dict[str, object]]:
    """Return both once nothing is seen of what only one of them is doing, as a file that it has open for a moment."""
    both = seen(one), seen(other)
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while both[0] != both[1]:
                await asyncio.sleep(LOOK_AGAIN)  # nobody tells of that
                both = seen(one), seen(other)
    return both


async def test_it_is_killed_like_any_other(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left"))
    rig = await started(root, by_exec=False)
    assert await rig.stop(signal.SIGKILL) == -signal.SIGKILL
    assert rig.process.returncode == -signal.SIGKILL


async def test_both_say_why_they_do_not_start(root: Path) -> None:
    prepare(root, boards="[boards.left]\n", bench=board("left"))
    said: list[str] = []
    for by_exec in (False, True):
        with pytest.raises(AssertionError) as refused:
            await started(root, by_exec=by_exec)
        said.append(str(refused.value))
        (root / "log").unlink()
    assert said[0] == said[1]
    assert said[0].startswith("error: ")


def test_what_only_the_start_of_an_interpreter_heeds_needs_one() -> None:
    assert forks_for({**os.environ, "PYTHONUNBUFFERED": "1"})
    assert not forks_for({**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "1"})
