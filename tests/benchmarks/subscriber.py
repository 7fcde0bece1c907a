"""How many events a second reach a client: the daemon's server in one process, the client in another."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.publisher import BATCH
from benchmarks.rows import Measure, Row, Unit
from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError
from rig import START_SECONDS, WAIT_SECONDS

_TESTS = Path(__file__).resolve().parents[1]


async def row(batches: int) -> Row:
    """The median over batches that are fewer events than wait for one client."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        socket = Path(directory, "d", "s")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.publisher", str(socket)), cwd=_TESTS
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                client = await _connected(socket)
            async with client:
                rates = [await _rate(client) for _ in range(batches)]
        finally:
            process.terminate()
            await process.wait()
    return Row(
        what="events that a subscriber takes",
        measure=Measure.median(rates, Unit.A_SECOND),
        remark=f"states of jobs, {BATCH} at a time, all different",
    )


async def _connected(socket: Path) -> Client:
    while True:
        try:
            return await Client.connect(socket, client="bench")
        except ConnectionFailedError:
            await asyncio.sleep(0.02)  # the socket file appears without an event of its own


async def _rate(client: Client) -> float:
    events = await client.subscribe()
    started = time.monotonic()
    published = asyncio.create_task(client.call(api.GetLogs()))
    async with asyncio.timeout(WAIT_SECONDS):
        for _ in range(BATCH):
            await anext(events)
    taken = time.monotonic() - started
    await published
    return BATCH / taken
