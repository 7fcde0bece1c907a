"""A settle time that is too short for a build: a file changes again soon after it counted as written. Pure."""

import math

from flashdeckd.builds.gate import Fingerprint

SOON = 3.0
"""Seconds after a file counted as written in which another change is taken for one of the same build."""
CLEAN_BUILDS = 3
"""Builds in a row that settled once and for all, after which it is not said any more."""
MARGIN = 1.5
"""The settle time that is named, at least, as a multiple of the longest rest that was seen within a build."""


class Haste:
    """The builds of one file, and how many of them were taken too early."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._last: Fingerprint | None = None
        self._digest: bytes = b""
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

    def passed(self, state: Fingerprint, digest: bytes) -> None:
        """Take a state that counts as written. The same bytes again, as after a chmod, were no half build."""
        if self._digest and digest != self._digest:
            if self._rest:
                self._longest, self._clean = max(self._longest, self._rest), 0
            elif self._longest:
                self._clean += 1
                if self._clean == CLEAN_BUILDS:
                    self._longest = 0.0
        self._last, self._digest, self._rest = state, digest, 0.0

    def in_words(self, where: str) -> tuple[str, str]:
        """Return what is wrong with the settle time, and what to do; both "" where nothing is."""
        if not self._longest:
            return "", ""
        trouble = (
            f"it is too short: the file was unchanged for {self._settle:g} s, so it counted as written, and it "
            f"changed again {self._longest:.2g} s after its last change; half a build may have been flashed"
        )
        return trouble, f'set settle = "{_round_up(MARGIN * self._longest):g}s" or more for {where}'


def _round_up(seconds: float) -> float:
    """Return the next of 0.1, 0.2, 0.5, 1, 2, 5 and so on."""
    scale = 10.0 ** math.floor(math.log10(seconds))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= seconds)
