"""The work of jobs in words: what each does, to which partition. Pure."""

from typing import Final

from flashdeck.job_state import JobKind
from flashdeck.model import JobState
from flashdeck.text import clean
from flashdeck.words.contents import image_name

_WORDS: Final = {
    JobKind.FLASH: "flash",
    JobKind.VERIFY: "verify",
    JobKind.READ: "read",
    JobKind.ERASE: "erase",
    JobKind.RESET: "leave DFU mode",
    JobKind.OTHER: "other work",
}
_DOING: Final = {
    JobKind.FLASH: "flashing",
    JobKind.VERIFY: "verifying",
    JobKind.READ: "reading",
    JobKind.ERASE: "erasing",
    JobKind.RESET: "taking out of DFU mode",
    JobKind.OTHER: "working on",
}
_CALLED_BY_IMAGE: Final = frozenset((JobKind.FLASH, JobKind.VERIFY))
"""Kinds of jobs of which people want to know the image before all else."""


def kind_word(kind: JobKind) -> str:
    """Return what jobs of a kind do."""
    return _WORDS[kind]


def doing_word(kind: JobKind) -> str:
    """Return what a job of a kind is doing, to be put before the name of a partition or board."""
    return _DOING[kind]


def work_name(job: JobState) -> str:
    """Return what a job does, for a narrow column: an image that is flashed goes by its own name."""
    if job.kind not in _CALLED_BY_IMAGE or not job.sha256:
        return kind_word(job.kind)
    name = image_name(job.version, job.sha256)
    return name if job.kind is JobKind.FLASH else f"{kind_word(job.kind)} {name}"


def work_text(job: JobState) -> str:
    """Return what a job does, and to which partition."""
    into = "into " if job.kind is JobKind.FLASH else ""
    return f"{work_name(job)} {into}{clean(job.partition)}".strip()
