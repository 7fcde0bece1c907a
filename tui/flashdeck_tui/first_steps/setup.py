"""The outcome of the dialogue: a configuration that is checked, and images to flash. Pure."""

from dataclasses import dataclass

from flashdeck.config import Profile
from flashdeck_tui.first_steps.asked_questions import Question


@dataclass(frozen=True, slots=True)
class ImageFor:
    """An image file, and the partition that it goes into."""

    partition: str
    path: str


@dataclass(frozen=True, slots=True)
class BoardSetup:
    """All that the last yes is for."""

    board: str
    profile: Profile
    text: str
    """The file to write; "" where the board is configured already."""
    images: tuple[ImageFor, ...]
    waits_for_release: tuple[str, ...] = ()
    """Partitions that wait for one release where the board cannot be read."""
    other_ways: Question | None = None
    """The question about other ways into DFU mode, for a person who wants one; None where there are none."""
