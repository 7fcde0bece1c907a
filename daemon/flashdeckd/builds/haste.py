"""A settle time that is too short for a build: a file goes on being written soon after it counted as written. Pure.

People and scripts build twice within seconds, too. So what comes soon is taken for the rest of the same build only
where the file had not been finished (what it has now fills what was open), or where the change followed at once.
"""

import math

from flashdeckd.builds.gate import Fingerprint

SOON = 3.0
"""Seconds after a file counted as written in which the rest of the same build may come."""
AT_ONCE = 0.2
"""Seconds after it counted as written in which any change is taken for one of the same build: nobody builds so fast."""
CLEAN_BUILDS = 3
"""Builds in a row that settled once and for all, after which it is not said any more."""
MARGIN = 1.5
"""The settle time that is named, at least, as a multiple of the longest rest that was seen within a build."""
_OPEN = bytes(0 if byte in (0x00, 0xFF) else 0xFF for byte in range(256))
"""By its value: 0 for a byte that may not have been written yet, as in a gap or in the place of a CRC."""


class Haste:
    """The builds of one file, and how many of them were taken too early."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._last: Fingerprint | None = None
        self._data: bytes | None = None
        """The bytes that counted as written last; None where the rest of their build cannot come any more."""
        self._digest: bytes = b""
        self._passed_at = 0.0
        self._rest = 0.0
        """Seconds between the last change of what was taken and the next, where that came soon; else 0."""
        self._longest = 0.0
        self._clean = 0

    def see(self, state: Fingerprint) -> None:
        """Take a state that is not the one that was taken last; only the first after that one counts.

        Both times are by the file's own clock: how late anybody looked does not matter.
        """
        last, self._last = self._last, None
        if last is not None and last.path == state.path:
            rest = (state.changed_ns - last.changed_ns) / 1e9
            self._rest = rest if 0 < rest < self._settle + SOON else 0.0

    def rests(self, now: float) -> None:
        """Take that the file is as it was taken: after a while its bytes need not be kept for a comparison."""
        if now > self._passed_at + SOON:
            self._data = None

    def passed(self, state: Fingerprint, data: bytes, digest: bytes, now: float) -> None:
        """Take a state that counts as written, its bytes and their hash. The same again, as after a chmod, is none."""
        if self._digest and digest != self._digest:
            if self._rest and (self._rest < self._settle + AT_ONCE or self._was_unfinished(data)):
                self._longest, self._clean = max(self._longest, self._rest), 0
            elif self._longest:
                self._clean += 1
                if self._clean == CLEAN_BUILDS:
                    self._longest = 0.0
        self._last, self._data, self._digest, self._passed_at, self._rest = state, data, digest, now, 0.0

    def _was_unfinished(self, data: bytes) -> bool:
        return self._data is not None and is_unfinished(self._data, data)

    def in_words(self, where: str) -> tuple[str, str]:
        """Return what is wrong with the settle time, and what to do; both "" where nothing is."""
        if not self._longest:
            return "", ""
        trouble = (
            f"it is too short: the file was unchanged for {self._settle:g} s, so it counted as written, and it "
            f"changed again {self._longest:.2g} s after its last change; half a build may have been flashed"
        )
        return trouble, f'set settle = "{_round_up(MARGIN * self._longest):g}s" or more for {where}'


def is_unfinished(first: bytes, second: bytes) -> bool:
    """Return whether `second` may be the finished form of `first`: it is as long or longer, and only fills in.

    Filled in can be what follows the end, and places that were 0x00 or 0xFF.
    """
    if len(first) > len(second):
        return False
    differs = int.from_bytes(first, "little") ^ int.from_bytes(second[: len(first)], "little")
    return not differs & int.from_bytes(first.translate(_OPEN), "little")


def _round_up(seconds: float) -> float:
    """Return the next of 0.1, 0.2, 0.5, 1, 2, 5 and so on."""
    scale = 10.0 ** math.floor(math.log10(seconds))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= seconds)
