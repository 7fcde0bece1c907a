"""The changes that jobs make to the contents of a partition: what it has meanwhile, and afterwards. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flashdeck.geometry import Range
from flashdeck.model import Contents, JobState
from flashdeckd.flash.target import Target
from flashdeckd.jobs import contents
from flashdeckd.jobs.contents import ImageOf


class ContentsChange(Protocol):
    """The change that one job makes. `made` is the record of the partition with the job in it, its layers aside."""

    def begun(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:
        """Return what the partition has from the first erase on; `erased` counts from its start."""
        ...

    def done(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:
        """Return what it has once the job's work is complete. May read images, and so block."""
        ...


@dataclass(frozen=True, slots=True)
class Flashed:
    """An image is laid over what is there."""

    job: JobState
    target: Target
    image_of: ImageOf

    def begun(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:
        """Nothing is known of what is erased."""
        return contents.begun(before, self.job, erased, made=made, target=self.target)

    def done(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:
        """The image is there, and 0xFF around it where that was erased."""
        return contents.flashed(before, self.job, erased, made=made, target=self.target, image_of=self.image_of)


@dataclass(frozen=True, slots=True)
class Erased:
    """All of the partition becomes 0xFF."""

    target: Target

    def begun(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:
        """Nothing is known of what is erased, and builds are offered from now on, not flashed."""
        return contents.erase_begun(before, erased, made=made, target=self.target)

    def done(self, before: Contents | None, erased: Sequence[Range], made: Contents) -> Contents:  # noqa: ARG002 -- it is all the same
        """There is nothing but 0xFF."""
        return contents.erased(made, self.target)
