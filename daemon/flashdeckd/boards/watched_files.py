"""The image files that the daemon watches for builds, and what keeps it from taking what lies there."""

from collections.abc import Callable, Iterable

from flashdeck.model import Disposition
from flashdeckd.host import clock
from flashdeckd.state.hub import Hub


class WatchedFiles:
    """One file for each image of a profile's partition. Runs in the event loop's thread only."""

    def __init__(self, hub: Hub, changed: Callable[[str], object]) -> None:
        """`changed` is told the profile whose boards show another state of a file from now on."""
        self._hub = hub
        self._changed = changed
        self._being_written: set[tuple[str, str]] = set()
        self._kept_open: dict[tuple[str, str], str] = {}
        self._untaken: dict[tuple[str, str], str] = {}
        """The reason why what lies at a watched path cannot be taken, by profile and partition."""
        self._moved: dict[tuple[str, str], float] = {}
        """The time at which a partition was moved, in epoch seconds."""
        self._written_in_between: set[tuple[str, str]] = set()
        """Files that were being written when their partition was moved."""

    def note_being_written(self, profile: str, partition: str, *, being_written: bool) -> None:
        """Note that a file is being written, or is not any more."""
        if being_written:
            self._being_written.add((profile, partition))
        else:
            self._being_written.discard((profile, partition))
        self._changed(profile)

    def note_kept_open(self, profile: str, partition: str, who: str) -> None:
        """Note who has had a file open for writing for long, in a sentence; "" once that is over."""
        if who:
            self._kept_open[profile, partition] = who
        else:
            self._kept_open.pop((profile, partition), None)
        self._changed(profile)

    def note_untaken(self, profile: str, partition: str, reason: str) -> None:
        """Note why what lies at an image's path cannot be taken; "" once it can."""
        if reason:
            self._untaken[profile, partition] = reason
        else:
            self._untaken.pop((profile, partition), None)
        self._changed(profile)

    def note_moved(self, profile: str, partition: str) -> None:
        """Note that the configuration moves a partition now: a build from before is none for the new place."""
        self._moved[profile, partition] = clock.now()
        if self.is_being_written(profile, partition):
            self._written_in_between.add((profile, partition))

    def take_from_before_move(self, profile: str, partition: str, changed_at: float) -> bool:
        """Return whether a build that was last changed at that time is one for the partition's former place."""
        place = (profile, partition)
        was_written_then = place in self._written_in_between
        self._written_in_between.discard(place)
        return was_written_then or (place in self._moved and changed_at <= self._moved[place])

    def is_being_written(self, profile: str, partition: str) -> bool:
        """Tell whether a file is being written now."""
        return (profile, partition) in self._being_written

    def kept_open(self, profile: str, partition: str) -> str:
        """Return who has had a file open for writing for long, in a sentence; "" for nobody."""
        return self._kept_open.get((profile, partition), "")

    def who_keeps_open(self, profiles: Iterable[str], partition: str) -> str:
        """Return the same for the first of several profiles' files that is kept open."""
        return next(filter(None, (self.kept_open(profile, partition) for profile in sorted(profiles))), "")

    def untaken(self, profile: str, partition: str) -> str:
        """Return why what lies at an image's path cannot be taken, with what to do; "" where it can."""
        artifact = self._hub.artifacts.get((profile, partition))
        refused = artifact.reason if artifact is not None and artifact.disposition is Disposition.REFUSED else ""
        return self._untaken.get((profile, partition), "") or refused
