"""The results of mutants so far, in a file that the next run goes on with."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from limits.copies import Verdict


class Results:
    """Verdicts by mutant, each with a digest of all that it depends on; in the file as soon as they are known."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        self._path = path
        self._known: dict[str, dict[str, str]] = {}
        if path.exists() and not fresh:
            self._known = json.loads(path.read_text())

    def of(self, mutant: str, digest: str) -> Verdict | None:
        """Return what is known of a mutant, if nothing of it changed since."""
        known = self._known.get(mutant)
        return Verdict(known["verdict"]) if known and known["digest"] == digest else None

    def keep(self, mutant: str, digest: str, verdict: Verdict) -> None:
        """Write a verdict down."""
        self._known[mutant] = {"digest": digest, "verdict": verdict.value}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._known, indent=1, sort_keys=True) + "\n")
        fresh.replace(self._path)


def digest(files: Mapping[Path, str], tests: Mapping[str, str]) -> str:
    """Return a number for a mutant's files and the tests that look at it."""
    parts = [*(f"{path}\0{text}" for path, text in files.items()), *(f"{name}\0{text}" for name, text in tests.items())]
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()
