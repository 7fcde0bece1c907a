"""The images of the spool that boards, jobs and builds need, and those that may be asked for again. Pure."""

from collections.abc import Iterable

from flashdeck.config import MAX_KEPT_BUILDS
from flashdeck.job_state import Cancelled, Done, Failed, JobKind
from flashdeck.model import ArtifactState, Contents, Disposition, JobState
from flashdeckd.state.journal import GoodImage


def needed_images(
    jobs: Iterable[JobState], contents: Iterable[Contents], builds: Iterable[ArtifactState]
) -> frozenset[str]:
    """Return the images that jobs are to bring, that boards have, ran with or went back from, and the newest builds."""
    names = {job.sha256 for job in jobs if not job.is_settled}
    names |= {build.sha256 for build in builds if build.disposition is not Disposition.REFUSED}
    for each in contents:
        names |= {each.sha256, *(layer.sha256 for layer in each.layers), *(patch.sha256 for patch in each.patches)}
        names |= {*each.went_back, *(each.ran.images if each.ran is not None else ())}
    return frozenset(names - {""})


class RecentImages:
    """The images that may be asked for again: the last ones of each partition of each board.

    Those that were flashed well, for a rollback; and as many of jobs that failed or were cancelled, for another try.
    """

    def __init__(self, good: Iterable[GoodImage]) -> None:
        """`good` are the newest first."""
        self._images: dict[tuple[str, str, type[object]], dict[str, int]] = {}
        """The newest job that brought each image, the newest one last."""
        for image in reversed(tuple(good)):
            self._add((image.board, image.partition, Done), image.sha256, image.job)

    def note(self, job: JobState) -> None:
        """Take in the state of a job; an older one comes before a newer one."""
        if job.kind is JobKind.FLASH and isinstance(job.status, Done | Failed | Cancelled):
            kind = Done if isinstance(job.status, Done) else Failed
            self._add((job.board, job.partition, kind), job.sha256, job.id)

    def newest_first(self, each: int) -> list[str]:
        """Return the last `each` images of every kind of every partition, those of the newest jobs first."""
        newest: dict[str, int] = {}
        for images in self._images.values():
            for sha256, job in list(images.items())[-each:] if each else ():
                newest[sha256] = max(job, newest.get(sha256, 0))
        return sorted(newest, key=newest.__getitem__, reverse=True)

    def _add(self, place: tuple[str, str, type[object]], sha256: str, job: int) -> None:
        images = self._images.setdefault(place, {})
        if images.get(sha256, 0) <= job:
            images.pop(sha256, None)
            images[sha256] = job
        while len(images) > MAX_KEPT_BUILDS:
            del images[next(iter(images))]
