"""Follows jobs until nothing more will happen to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from flashdeck.api import GetJobs
from flashdeck.client import Client
from flashdeck.model import Event, JobState, Snapshot
from flashdeck_tui.cli.outcome import settled
from flashdeck_tui.cli.output import put_json, say
from flashdeck_tui.cli.progress import progress


async def follow(
    client: Client, changes: AsyncIterator[Snapshot | Event], jobs: Sequence[JobState], *, as_jsonl: bool
) -> list[JobState]:
    """The last states of `jobs`, once each has ended or is held.

    `changes` is `Client.follow()`, begun before the jobs were made. Progress is talk on stderr; with `as_jsonl` every
    state of a job is also an object on stdout. Raises ConnectionFailedError when the daemon ends first.
    """
    latest = {job.id: job for job in jobs}
    shown = progress(jobs)
    if as_jsonl:
        for job in jobs:
            put_json({"job": job})
    try:
        while not all(map(settled, latest.values())):
            for job in await _changed(client, await anext(changes), tuple(latest)):
                latest[job.id] = job
                shown.show(job)
                if as_jsonl:
                    put_json({"job": job})
    except asyncio.CancelledError:
        numbers = ", ".join(str(job.id) for job in latest.values() if not settled(job))
        say(f"the daemon goes on by itself with job {numbers}; 'flashdeck jobs' shows what becomes of it")
        raise
    finally:
        shown.close()
    return list(latest.values())


async def _changed(client: Client, change: Snapshot | Event, ids: tuple[int, ...]) -> Sequence[JobState]:
    """Those of the jobs `ids` that `change` tells something of; after a gap that is all of them."""
    if isinstance(change, Snapshot):
        # Asked for by number: a snapshot leaves out jobs that ended long ago.
        return (await client.call(GetJobs(ids=ids))).jobs
    return (change.job,) if change.job is not None and change.job.id in ids else ()
