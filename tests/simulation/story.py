"""The log of a seed: every event a line with its virtual time. Its SHA-256 tells two runs apart."""

import hashlib
from collections import Counter, deque

KEPT_LINES = 400
"""Newest lines that a failing seed prints."""
_AT_ONCE = 256


class Story:
    """What happened, in order."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """How often each kind of thing happened."""
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self.whole: list[str] | None = None
        """All lines, where somebody wants to compare them."""
        self._digest = hashlib.sha256()
        self._gathered: list[str] = []

    def tell(self, now: float, kind: str, text: str) -> None:
        """Add a line, and count its kind."""
        self.counts[kind] += 1
        line = f"{now:.6f} {kind} {text}"
        self.last.append(line)
        if self.whole is not None:
            self.whole.append(line)
        self._gathered.append(line)
        if len(self._gathered) == _AT_ONCE:
            self._take_in()

    def digest(self) -> str:
        """Return the SHA-256 of all lines so far."""
        self._take_in()
        return self._digest.hexdigest()

    def _take_in(self) -> None:
        if self._gathered:
            self._digest.update(("\n".join(self._gathered) + "\n").encode(errors="surrogateescape"))
            self._gathered.clear()
