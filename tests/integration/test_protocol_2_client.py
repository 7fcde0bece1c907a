"""A client that was written for protocol 2 works with the daemon of today."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from frozen_wire import CLIENT
from rig import Rig, firmware, sha256

IMAGE = firmware("1.0.0")


async def run_client(rig: Rig, tmp_path: Path) -> dict[str, Any]:
    image = tmp_path / "image.bin"
    image.write_bytes(IMAGE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(CLIENT), str(rig.socket), "left", "app1", str(image)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_a_client_of_protocol_2_flashes_a_board(rig: Rig, tmp_path: Path) -> None:
    seen = await run_client(rig, tmp_path)
    assert seen["sha256"] == sha256(IMAGE)
    assert seen["before"][-1].startswith("on hold: ")
    assert seen["after"][-1].startswith("done: ")
    assert seen["listed"] == seen["after"][-1]
    assert seen["is_there"]
    assert seen["board"]
    assert seen["lines"]
    assert seen["refusal"]["kind"] == "no-such-job"
    assert await rig.partition_of("left", len(IMAGE)) == IMAGE
