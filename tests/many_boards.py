"""A bench of many boards, in every state that a board can be in."""

import hashlib
from typing import Any

from msgspec.structs import replace

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Blocked, Failed, Failure, JobStatus, Phase, WaitFor, Waiting
from flashdeck.model import BoardHold, BoardLease, BoardState, Contents, JobState, PartitionState, Presence, Snapshot
from tui_scene import ARTIFACT, DAEMON, NEWEST, NOW, OLDER, board, contents, job, partitions, running

ERASE_FAILED = Failure(
    kind=ErrorKind.NOT_ACCEPTED,
    message="erase of the sector 0x08024000: the bootloader reports errVENDOR in dfuERROR; app1 cannot boot",
    hint="check write protection, or flash it again",
)


def part2() -> PartitionState:
    """The second partition, with contents that nobody has changed for long."""
    return PartitionState(
        name="part2",
        address=0x08080000,
        size=0x60000,
        image="/home/dev/fw/APP2.bin",
        contents=Contents(
            sha256=hashlib.sha256(b"1.2.0").hexdigest(),
            size=70_000,
            version="1.2.0",
            flashed_at=NOW - 90_000,
            verified=contents().verified,
            job=2,
        ),
        current=True,
    )


def parts(app1: Contents | None, **fields: Any) -> tuple[PartitionState, ...]:
    """A bootloader, app1 and part2."""
    bootloader, first, _ = partitions(app1)
    return (bootloader, replace(first, image="/home/dev/fw/APP1.bin", **fields), part2())


def rack(number: int, **fields: Any) -> BoardState:
    """One of the boards, on which all is well unless `fields` say something else."""
    known: dict[str, Any] = {
        "serial": f"{number:012X}",
        "port": f"1-{number}",
        "partitions": parts(contents()),
    }
    return board(f"rack-{number:03d}", **known | fields)


def bench(count: int) -> Snapshot:
    """So many boards; the more there are, the more of them have something to tell."""
    odd: dict[int, tuple[dict[str, Any], JobStatus | None]] = {
        3: ({"hold": BoardHold(reason="bench PSU swap")}, None),
        5: (
            {"presence": Presence.DFU, "partitions": parts(contents(OLDER, complete=False))},
            running(Phase.WRITE, 31, 100, silent=12),
        ),
        7: (
            {"presence": Presence.DFU, "partitions": parts(contents(complete=False))},
            Failed(failure=ERASE_FAILED),
        ),
        9: ({"partitions": parts(contents(OLDER), offered=NEWEST), "armed": False}, None),
        11: ({"presence": Presence.DFU, "partitions": parts(contents(OLDER))}, running(Phase.VERIFY, 60, 100)),
        12: ({"lease": BoardLease(by="ci@desk", reason="night run", since=NOW - 300)}, None),
        14: (
            {"presence": Presence.APP, "partitions": parts(contents(OLDER))},
            Waiting(for_=WaitFor.HAND, reason="it cannot be asked to leave", hint="hold SW2, press RESET"),
        ),
        16: ({"presence": Presence.ABSENT, "port": "", "partitions": parts(contents(OLDER))}, None),
        18: (
            {"partitions": parts(contents(OLDER))},
            Blocked(reason="the memory map differs from the profile", hint="see `flashdeck doctor`"),
        ),
    }
    boards: list[BoardState] = []
    jobs: list[JobState] = []
    for number in range(1, count + 1):
        fields, status = odd.get(number, ({}, None))
        boards.append(rack(number, **fields))
        if status is not None:
            jobs.append(job(200 + number, f"rack-{number:03d}", status, created_at=NOW - 40))
    return Snapshot(seq=1, daemon=DAEMON, boards=tuple(boards), jobs=tuple(jobs), artifacts=(ARTIFACT,))
