"""What lies in the state directory of a daemon that is idle, read from outside and without asking it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from flashdeck.model import ArtifactState, Contents, JobState
from flashdeckd.host.durable import TEMPORARY
from simulation.seen import Disk

T = TypeVar("T")
NEWEST_JOBS = 40
"""Ended jobs that are compared, the newest."""


def look_at(state: Path, *, is_whole: bool) -> Disk:
    """Return what the journal and the spool have. The daemon has the journal open, and writes nothing meanwhile."""
    spool = state / "spool"
    files = {path.name: path.read_bytes() for path in sorted(spool.iterdir())} if spool.is_dir() else {}
    with closing(sqlite3.connect(f"file:{state / 'journal.sqlite3'}?mode=ro", uri=True)) as journal:

        def read(kind: type[T], query: str, *values: object) -> Iterator[tuple[tuple[str, ...], T]]:
            for *key, text in journal.execute(query, values).fetchall():
                yield tuple(key), msgspec.json.decode(text, type=kind)

        jobs = "SELECT state FROM job WHERE NOT ended OR id IN (SELECT id FROM job ORDER BY id DESC LIMIT ?)"
        return Disk(
            jobs={job.id: job for _, job in read(JobState, jobs, NEWEST_JOBS)},
            contents={
                (board, place): contents
                for (board, place), contents in read(Contents, "SELECT board, partition, state FROM holding")
            },
            artifacts={
                (profile, place): artifact
                for (profile, place), artifact in read(ArtifactState, "SELECT profile, partition, state FROM artifact")
            },
            holds=frozenset(board for (board,) in journal.execute("SELECT board FROM hold").fetchall()),
            spool={name: data for name, data in files.items() if not name.startswith(TEMPORARY)},
            left_over=tuple(name for name in files if name.startswith(TEMPORARY)) if is_whole else (),
            is_whole=is_whole,
        )
