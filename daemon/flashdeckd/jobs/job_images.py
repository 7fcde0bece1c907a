"""The images of jobs: read and hashed once, guarded once, and read again from the build where the spool lost one."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from flashdeck.config import Partition, Profile
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.model import JobState
from flashdeckd.host import threads
from flashdeckd.images import guards
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Artifact

REMEMBERED = 256
"""Verdicts of the guards that are kept."""

Rebuilt = Callable[[Profile, Partition, str], Awaitable[bool]]
"""Puts the image of a SHA-256 back into the spool, if the newest build of that partition still makes it."""


async def read_image(shelf: Shelf, rebuilt: Rebuilt, profile: Profile, partition: Partition, sha256: str) -> Image:
    """Return an image, read again from the build where the spool has lost it.

    Raises RequestError (`no-such-artifact`) and HostError as `Spool.read` does.
    """
    try:
        return await threads.run(shelf.read, sha256)
    except RequestError as error:
        if error.kind is not ErrorKind.NO_SUCH_ARTIFACT or not await rebuilt(profile, partition, sha256):
            raise
    return await threads.run(shelf.read, sha256)


class GuardVerdicts:
    """The guards' verdicts on images; each is asked once. Runs in the event loop's thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], tuple[Profile, tuple[str, ...]]] = OrderedDict()

    async def check(self, image: Image, profile: Profile, partition: Partition) -> tuple[str, ...]:
        """Return what the guards warn of; raises RefusedError, as `guards.check` does."""
        key = (image.sha256, profile.name, partition.name)
        judged_by, warnings = self._known.get(key, (None, ()))
        if judged_by is not profile:  # by the profile itself: a configuration that was read again may ask for more
            warnings = await threads.run(guards.check, image, profile, partition)
            self._known[key] = (profile, warnings)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return warnings


class JobImages:
    """The images of one board's jobs."""

    def __init__(self, profile: Profile, shelf: Shelf, verdicts: GuardVerdicts, rebuilt: Rebuilt) -> None:
        self.shelf = shelf
        self._profile = profile
        self._verdicts = verdicts
        self._rebuilt = rebuilt

    async def read(self, job: JobState) -> Image:
        """Return a job's image; raises what `read_image` does."""
        partition = self._profile.partitions[job.partition]
        return await read_image(self.shelf, self._rebuilt, self._profile, partition, job.sha256)

    async def keep(self, image: Image) -> Artifact:
        """Spool what was read from a board; raises HostError as `Spool.add` does."""
        return await threads.run(self.shelf.add, image)

    async def check(self, image: Image, partition: Partition) -> tuple[str, ...]:
        """Return what the guards of a partition warn of; raises RefusedError where the image must not go there."""
        return await self._verdicts.check(image, self._profile, partition)
