"""Spooled images that are looked at again and again, in memory."""

from collections import OrderedDict
from contextlib import AbstractContextManager

from flashdeck.errors import FlashdeckError
from flashdeckd.host import threads
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact, Spool

KEPT_BYTES = 32 * 1024 * 1024
"""Bytes that are kept in memory; the image that was asked for last is kept whatever its size."""
KEPT_IMAGES = 256
"""Images that are kept in memory, however small they are."""


class Shelf:
    """Images by their SHA-256, read from the spool once. May be used from several threads."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._lock = threads.lock()

    def read(self, sha256: str) -> Image:
        """Return an image; raises RequestError (`no-such-artifact`) and HostError as `Spool.read` does."""
        with self._lock:
            if sha256 in self._images:
                self._images.move_to_end(sha256)
                return self._images[sha256]
        image = self._spool.read(sha256)
        with self._lock:
            self._images[sha256] = image
            size = sum(each.size for each in self._images.values())
            while len(self._images) > 1 and (size > KEPT_BYTES or len(self._images) > KEPT_IMAGES):
                size -= self._images.popitem(last=False)[1].size
        return image

    def held(self, sha256: str) -> AbstractContextManager[None]:
        """Keep an image in the spool for the length of a block, in which it becomes what somebody needs."""
        return self._spool.held(sha256)

    def put_back(self, image: Image) -> None:
        """Keep an image that was pruned while it was still in memory; raises what `Spool.add` does."""
        if not self._spool.has(image.sha256):
            self._spool.add(image)

    def add(self, image: Image) -> Artifact:
        """Spool an image, and keep it for as long as a client may ask for it; raises HostError as `Spool.add` does."""
        with self._spool.held(image.sha256):
            artifact = self._spool.add(image)
            self._spool.note_sent(image.sha256)
        return artifact

    def image(self, sha256: str) -> Image | None:
        """Return an image; None where the spool does not have it (any more), or it cannot be read."""
        try:
            return self.read(sha256)
        except FlashdeckError:  # pruned, damaged, or never there: nothing is known of its bytes
            return None
