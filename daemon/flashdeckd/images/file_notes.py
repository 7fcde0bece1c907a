"""Notes about files that clients sent, for as long as their images may be asked for."""

from collections import OrderedDict

KEPT = 256
"""Files of which the notes are kept, the newest."""


class FileNotes:
    """Notes by partition and SHA-256 of the image. Runs in the event loop's thread only."""

    def __init__(self) -> None:
        self._notes: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    def keep(self, partition: str, sha256: str, notes: tuple[str, ...]) -> None:
        """Remember what was said of the file that an image was last made from."""
        self._notes[partition, sha256] = notes
        self._notes.move_to_end((partition, sha256))
        while len(self._notes) > KEPT:
            self._notes.popitem(last=False)

    def of(self, partition: str, sha256: str) -> tuple[str, ...]:
        """Return what was said; nothing for an image that no client has sent."""
        return self._notes.get((partition, sha256), ())
