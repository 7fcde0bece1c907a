"""The daemon's real server and hub as a process: whoever calls `logs` makes it publish one batch of events."""

import asyncio
import sys
import time
from pathlib import Path

from flashdeck import api
from flashdeck.job_state import Queued
from flashdeck.model import DaemonState, JobState, Origin
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub

BATCH = 2000
"""Events that are published at once: fewer than the server keeps for one client."""


async def main(socket: Path) -> None:
    """Serves until the process is ended."""
    now = time.time()
    hub = Hub(DaemonState(version="0", pid=0, instance="bench", host="bench", started_at=now, virtual=True))
    batches = iter(range(1, sys.maxsize))

    async def publish(_: api.GetLogs, __: Connection) -> api.LogPage:
        batch = next(batches)
        for number in range(1, BATCH + 1):
            hub.publish_job(
                JobState(
                    id=number,
                    board=f"board{number}",
                    partition="app1",
                    sha256="0" * 64,
                    size=batch,
                    origin=Origin.BUILD,
                    status=Queued(),
                    created_at=now,
                )
            )
        return api.LogPage(lines=(), next=0)

    async with Server(hub, {api.GetLogs: publish}).listening(socket):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
