"""Whoever may only look: a real daemon refuses the rest, also to the client behind a bridge that narrowed it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import flashdeck
from flashdeck import api, rpc
from flashdeck.errors import ErrorKind, ExitCode, FlashdeckError
from flashdeck.job_state import Done
from flashdeck.model import Snapshot
from rig import APP1, WAIT_SECONDS, Rig, firmware

PROGRAM = (sys.executable, "-m", "flashdeck_tui")


async def cli(rig: Rig, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *words,
        env={**os.environ, "FLASHDECK_SOCKET": str(rig.socket)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def bridge(rig: Rig, *words: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The other end of an ssh, as its forced command."""
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "--socket", str(rig.socket), "connect", "--stdio", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=rpc.MAX_LINE,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), WAIT_SECONDS)


async def asked(process: asyncio.subprocess.Process, method: str, **params: object) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    line = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    process.stdin.write(json.dumps(line).encode() + b"\n")
    return json.loads(await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS))


async def test_commands_that_look_work_and_others_end_with_12(rig: Rig) -> None:
    image = rig.root / "mine.bin"
    image.write_bytes(firmware("1.0.1"))
    for words in (["status", "--json"], ["virtual", "list"]):
        code, out, err = await cli(rig, "--read-only", *words)
        assert code == 0, (words, err)
        assert "left" in out
    before = await rig.emulated("left")
    for words in (
        ["flash", "app1", str(image)],
        ["hold", "left"],
        ["doctor"],
        ["take", "left", "--", "true"],
    ):
        code, _, err = await cli(rig, *words[:1], "--read-only", *words[1:])
        assert code == ExitCode.NO_PERMISSION, (words, err)
        assert "this connection is read-only" in err
        assert "hint: connect without --read-only" in err
    assert await rig.jobs() == []
    assert await rig.emulated("left") == before, "no board was touched"
    (board,) = (await rig.client.call(api.GetBoards())).boards
    assert board.hold is None
    assert board.armed


async def test_one_who_looks_sees_a_flash_live(rig: Rig) -> None:
    async with flashdeck.connect_async(rig.socket, read_only=True) as bench:
        seen = asyncio.create_task(_until_done(bench))
        rig.build(firmware("1.0.1"))
        await rig.wait(data=firmware("1.0.1"))
        assert await asyncio.wait_for(seen, WAIT_SECONDS)
        with pytest.raises(FlashdeckError) as refused:
            await bench.hold("left")
        assert refused.value.kind is ErrorKind.NO_PERMISSION
    assert await rig.partition_of("left", 4, address=APP1) == firmware("1.0.1")[:4]


async def _until_done(bench: flashdeck.AsyncBench) -> bool:
    async for change in bench.events():
        jobs = change.jobs if isinstance(change, Snapshot) else (change.job,)
        if any(job is not None and isinstance(job.status, Done) for job in jobs):
            return True
    return False


async def test_a_bridge_that_may_only_look_cannot_be_widened_from_behind(rig: Rig) -> None:
    async with bridge(rig, "--read-only") as far:
        for _ in range(2):
            hello = await asked(far, "hello", protocol=2, client="far", read_only=False)
            assert hello["result"]["read_only"] is True
            error = (await asked(far, "hold", boards=["left"]))["error"]
            assert error["data"]["kind"] == "no-permission"
        assert (await asked(far, "status"))["result"]["boards"][0]["name"] == "left"
    async with bridge(rig) as far:
        assert "read_only" not in (await asked(far, "hello", protocol=2))["result"]
        assert (await asked(far, "hold", boards=["left"]))["result"]["boards"][0]["hold"]


async def test_a_bridge_hears_no_call_before_it_is_narrow(rig: Rig) -> None:
    """Also one that says no hello at all: the bridge has said it."""
    async with bridge(rig, "--read-only") as far:
        assert (await asked(far, "hold", boards=["left"]))["error"]["data"]["kind"] == "no-permission"
        assert (await asked(far, "status"))["result"]["boards"][0]["name"] == "left"


async def test_a_client_behind_a_narrow_bridge_works_as_one_that_may_only_look(rig: Rig) -> None:
    ssh = rig.root / "ssh"
    program = " ".join((*PROGRAM, "--socket", str(rig.socket)))
    ssh.write_text(f"#!/bin/sh\nexec {program} connect --stdio --read-only\n")  # whatever was asked for
    ssh.chmod(0o755)
    path = f"{rig.root}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "--host", "ann@bench", "hold", "left"),
        env={**os.environ, "PATH": path},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)
    assert process.returncode == ExitCode.NO_PERMISSION
    assert "this connection is read-only: 'hold' is refused" in err.decode()
