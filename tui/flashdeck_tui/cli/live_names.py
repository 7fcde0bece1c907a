"""Names for a shell to complete: boards, partitions and jobs, as the running daemon has them.

Asking is short, reads only, and is silent where no daemon answers.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, TypeVar

import click
from click.shell_completion import CompletionItem

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import SETTLED, STATUSES, Blocked, JobStatus, Waiting, name_of
from flashdeck.model import BoardState, JobState
from flashdeck.toml.spellings import is_name
from flashdeck.value import Value
from flashdeck_tui.cli.connect import whereabouts

PATIENCE: Final = 0.5
"""Seconds that a person who pressed Tab waits at the most for a daemon."""
JOBS: Final = 100
"""Jobs that are proposed at the most, the newest."""

R = TypeVar("R", bound=Value)


def boards(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the configured boards."""
    return _beginning((board.name for board in _boards(context)), incomplete)


def partitions(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the partitions of all boards that can be flashed."""
    each = (part.name for board in _boards(context) for part in board.partitions if not part.protected)
    return _beginning(each, incomplete)


def strangers(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the ports of the DFU devices that are no configured board. A serial is a device's own word: never that."""
    reply = _ask(context, api.GetBoards())
    return _beginning((device.port for device in reply.devices) if reply else (), incomplete)


def virtual_boards(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the boards of an emulated bench."""
    reply = _ask(context, api.VirtualList(), virtual=True)
    return _beginning((board.name for board in reply.boards) if reply else (), incomplete)


def jobs_to_cancel(context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Return the jobs that have not ended."""
    return _jobs(context, incomplete, [status for status in STATUSES if status not in SETTLED])


def jobs_to_retry(context: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Return the jobs that have ended, or are blocked."""
    return _jobs(context, incomplete, [*SETTLED, Blocked, Waiting])


def _jobs(context: click.Context, incomplete: str, statuses: Iterable[type[JobStatus]]) -> "list[CompletionItem[str]]":
    reply = _ask(context, api.GetJobs(limit=JOBS, statuses=tuple(map(name_of, statuses))))
    found = [job for job in reply.jobs if str(job.id).startswith(incomplete)] if reply else []
    return [CompletionItem(str(job.id), help=_described(job)) for job in found]


def _described(job: JobState) -> str:
    return (
        f"{job.partition} of {job.board} {name_of(job.status)}" if is_name(job.board) and is_name(job.partition) else ""
    )


def _boards(context: click.Context) -> tuple[BoardState, ...]:
    reply = _ask(context, api.GetBoards())
    return reply.boards if reply else ()


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    """Return each name once that begins so. One that a shell could read as anything else is left out."""
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and is_name(name)]


def _ask(context: click.Context, params: api.Params[R], *, virtual: bool = False) -> R | None:
    """Return the daemon's answer; None where there is none in time."""

    async def asked() -> R:
        async with (
            asyncio.timeout(PATIENCE),
            await whereabouts(context, virtual=virtual).connect(client="flashdeck-completion") as client,
        ):
            return await client.call(params)

    try:
        return asyncio.run(asked())
    except (FlashdeckError, TimeoutError):
        return None
