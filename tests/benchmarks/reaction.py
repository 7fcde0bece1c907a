"""From the moment in which the writer of an image closes it to the start of what it triggers."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.desk import BOARD, SETTLE, desk
from benchmarks.rows import Measure, Row, Unit
from flashdeck import api
from flashdeck.job_state import Running
from flashdeck.text import parse_duration
from rig import WAIT_SECONDS, firmware

_WHAT = "writer's close to the start of"
_READY_SECONDS = 1.0
"""Enough for entr to watch; it does not say when it does."""


async def rows(repeats: int) -> AsyncIterator[Row]:
    """flashdeck's job, and entr's command where entr is installed."""
    yield Row(
        what=f"{_WHAT} the job",
        measure=Measure.median([each async for each in _to_job(repeats)], Unit.MILLISECONDS),
        aim=1000 * parse_duration(SETTLE) + 20,
        remark=f'of which settle = "{SETTLE}": the file must be unchanged that long, once no writer has it open, '
        "by the kernel's clock, which ticks every 4 ms at 250 Hz",
    )
    if shutil.which("entr") is None:
        yield Row(what=f"{_WHAT} the command", tool="entr", remark="not installed: apt install entr")
    else:
        yield Row(
            what=f"{_WHAT} the command",
            tool="entr",
            measure=Measure.median([each async for each in _to_command(repeats)], Unit.MILLISECONDS),
        )


async def _to_job(repeats: int) -> AsyncIterator[float]:
    async with desk() as rig:
        for number in range(repeats):
            events = await rig.client.subscribe()
            data = firmware(f"reaction {number}")
            rig.build(data)
            closed = time.monotonic()
            async with asyncio.timeout(WAIT_SECONDS):
                async for event in events:
                    if event.job is not None and isinstance(event.job.status, Running):
                        break
            yield (time.monotonic() - closed) * 1000
            await rig.wait(data=data)
            await rig.client.call(api.VirtualPress(boards=(BOARD,)))
            await rig.until(lambda now: now.boards[0].presence == "dfu")


async def _to_command(repeats: int) -> AsyncIterator[float]:
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory, "image.bin")
        for number in range(repeats):
            image.write_bytes(b"old")  # noqa: ASYNC240 -- nothing else runs here
            yield await _to_one_command(image, firmware(f"reaction {number}"))


async def _to_one_command(image: Path, data: bytes) -> float:
    """With an entr of its own, because one write may start several commands."""
    process = await asyncio.create_subprocess_exec(
        *("entr", "-n", "-p", "echo", "started"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("entr was started without pipes")
    process.stdin.write(f"{image}\n".encode())
    process.stdin.close()
    try:
        await asyncio.sleep(_READY_SECONDS)
        image.write_bytes(data)  # noqa: ASYNC240 -- nothing else runs here
        closed = time.monotonic()
        async with asyncio.timeout(WAIT_SECONDS):
            await process.stdout.readline()
        return (time.monotonic() - closed) * 1000
    finally:
        process.terminate()
        await process.wait()
