"""Journal and spool agree, with each other and with what is shown."""

import hashlib
from collections.abc import Iterable
from typing import Final

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Failed, JobKind, name_of
from flashdeck.model import BoardState, Contents, Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Disk, Seen

TIDY_SECONDS: Final = 10.0
"""Seconds after which a daemon has removed what a killed one had left of a file."""

TOLD_SECONDS: Final = 2.0
"""Seconds after which everybody was told of the end of a job."""


class Records(Rule):
    """What a daemon that is killed now would find is what it shows now."""

    name = "records"
    sentence = "Artifact: an image file that has settled, read once, spooled by its SHA-256. A reply means done."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._removed: dict[str, float] = {}
        """Images that were removed from the spool in this life, and when."""

    def began(self) -> None:
        """What a power cut brings back is there again."""
        self._removed.clear()

    def spooled(self, name: str, *, is_kept: bool) -> None:
        """Note what is there, and what is not."""
        if is_kept:
            self._removed.pop(name, None)
        else:
            self._removed[name] = self.seen.now

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job whose image is not there any more."""
        job = event.job
        if job is not None and job.kind is JobKind.FLASH and not job.is_settled:
            self._be_kept(job)
        is_lost = (
            job is not None
            and job.kind is JobKind.FLASH
            and isinstance(job.status, Failed)
            and job.status.failure.kind is ErrorKind.NO_SUCH_ARTIFACT
            and self.seen.disk_failed_at == float("-inf")
        )
        if job is not None and is_lost and not (before is not None and before.is_settled):
            raise self.broken(f"job {job.id} of {job.board} has lost its image: {job.text}")

    def _be_kept(self, job: JobState) -> None:
        """Raise `broken` where a job was not over when its image was removed: that it is may be told a little later."""
        is_gone = self._removed.get(job.sha256, self.seen.now) < self.seen.now - TOLD_SECONDS
        if is_gone and self.seen.disk_failed_at == float("-inf"):
            raise self.broken(f"job {job.id} brings {job.sha256[:12]}, which was removed from the spool")

    def looked(self, disk: Disk) -> None:
        """Compare the disk with itself, and with what is shown."""
        for name, data in disk.spool.items():
            if hashlib.sha256(data).hexdigest() != name:
                raise self.broken(f"the spool's file {name[:12]} is not what its name says")
        if disk.left_over and self.seen.ready_at < self.seen.now - TIDY_SECONDS:
            raise self.broken(f"{disk.left_over[0]} was left behind")
        if not disk.is_whole or not self.seen.is_alive:
            return
        shown = self.seen.shown
        for job in shown.jobs.values():
            kept = disk.jobs.get(job.id)
            if not job.is_settled and (kept is None or kept.is_settled or kept.sha256 != job.sha256):
                state = "not there" if kept is None else name_of(kept.status)
                raise self.broken(f"job {job.id} is {name_of(job.status)}, and {state} in the journal")
            if job.is_settled and kept is not None and name_of(kept.status) != name_of(job.status):
                raise self.broken(f"job {job.id} is {name_of(job.status)}, and {name_of(kept.status)} in the journal")
            if not job.is_settled and job.kind is JobKind.FLASH and job.sha256 not in disk.spool:
                raise self.broken(f"job {job.id} brings {job.sha256[:12]}, which is not in the spool")
        for job in disk.jobs.values():
            if not job.is_settled and job.id not in shown.jobs:
                raise self.broken(f"job {job.id} is {name_of(job.status)} in the journal, and not shown")
        boards = [board for board in shown.boards.values() if board.name in self.seen.setup.boards]
        self._contents(disk, boards)
        if self.seen.disk_failed_at == float("-inf"):  # else contents may be older than what was pruned since
            self._layers(disk, boards)
        held = frozenset(board.name for board in boards if board.hold is not None)
        if held != disk.holds & {board.name for board in boards}:
            raise self.broken(f"on hold are {sorted(held)}, and in the journal {sorted(disk.holds)}")
        for key, artifact in shown.artifacts.items():
            if (kept_artifact := disk.artifacts.get(key)) != artifact:
                raise self.broken(
                    f"the newest build of {key} is {artifact.sha256[:12]}, in the journal {kept_artifact}"
                )

    def _contents(self, disk: Disk, boards: Iterable[BoardState]) -> None:
        for board in boards:
            for partition in board.partitions:
                kept = disk.contents.get((board.name, partition.name))
                if partition.contents != kept:
                    raise self.broken(
                        f"{board.name}/{partition.name} has {_text(partition.contents)}, in the journal {_text(kept)}"
                    )

    def _layers(self, disk: Disk, boards: Iterable[BoardState]) -> None:
        """Raise `broken` unless what lies below a shorter image, or a patch, is known for as long as its bytes are."""
        for board in boards:
            for partition in board.partitions:
                contents = partition.contents
                for layer in contents.layers if contents is not None and not contents.uncertain else ():
                    if layer.sha256 and layer.sha256 not in disk.spool:
                        raise self.broken(
                            f"{board.name}/{partition.name} has {layer.sha256[:12]}, which is not in the spool"
                        )


def _text(contents: object) -> str:
    if not isinstance(contents, Contents):
        return "nothing"
    return (
        f"{contents.sha256[:12] or 'patches'} (job {contents.job}, {'complete' if contents.complete else 'incomplete'})"
    )
