"""Looks for a seed that finds one planted bug, quickly: without a copy of the tree, and in several processes.

`PYTHONPATH=tests python -m simulation.planted.search NAME`, with `--note` to write the seed into the head of its file.
A seed that fails with the bug is run once more without it: only one that passes then counts.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from limits.tree import ROOT
from simulation.moods import Mood
from simulation.planted import Plant, plants

_SEED = re.compile(r"(?m)^Seed: .+\n")


class PatchedSources(importlib.machinery.PathFinder):
    """Finds modules as always, and reads some of them with a bug in them."""

    def __init__(self, plant: Plant) -> None:
        self._texts = {str(ROOT / path): text for path, text in plant.files().items()}

    def find_spec(  # pyright: ignore[reportIncompatibleMethodOverride] -- a class method there
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See the base."""
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin not in self._texts:
            return None
        return importlib.util.spec_from_loader(fullname, _FromText(fullname, spec.origin, self._texts[spec.origin]))


class _FromText(importlib.abc.SourceLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        self._name, self._path, self._text = name, path, text

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        return self._text.encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--about", default="", metavar="THEMES", help="themes of the seeds that are tried first")
    parser.add_argument("--seconds", type=float, default=600.0, help="longest time")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--note", action="store_true", help="write the seed into the bug's file")
    asked = parser.parse_args()
    plant = next(each for each in plants() if each.name == asked.name)
    sys.meta_path.insert(0, PatchedSources(plant))
    began = time.monotonic()
    tried = 0
    seeds = _in_order(range(asked.first, asked.first + asked.seeds), asked.about.split(","), plant.seed)
    for seed, failure in _failing(seeds, asked.processes):
        tried += 1
        if failure and _passes_without(seed):
            line = failure.strip().splitlines()[-1 if failure.startswith("Traceback") else 0]
            sys.stdout.write(f"{plant.name}: seed {seed} ({Mood(seed).name}), {tried} tried: {line[:200]}\n")
            if asked.note:
                _note(plant, seed)
            return 0
        if failure:
            sys.stdout.write(f"{plant.name}: seed {seed} fails without it, too: {failure.splitlines()[0][:150]}\n")
        if time.monotonic() - began > asked.seconds:
            break
    sys.stdout.write(f"{plant.name}: not found, {tried} tried in {time.monotonic() - began:.0f} s\n")
    return 1


def _in_order(seeds: range, themes: Sequence[str], known: int) -> list[int]:
    """Return all seeds: first the one that has found it before, and then those of some themes."""
    return sorted(seeds, key=lambda seed: (seed != known, Mood(seed).name not in themes, seed))


def _failing(seeds: Sequence[int], processes: int) -> Iterator[tuple[int, str]]:
    """Yield each seed that has ended, with its failure; "" for none."""
    from simulation.__main__ import outcomes  # noqa: PLC0415 -- the product is imported with the bug in it

    for outcome in outcomes(seeds, processes):
        yield outcome.seed, outcome.failures[0] if outcome.failures else ""


def _passes_without(seed: int) -> bool:
    done = subprocess.run(  # noqa: S603 -- it is this very program
        (sys.executable, "-m", "simulation", "--seed", str(seed)),
        env={"PYTHONPATH": str(ROOT / "tests"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _note(plant: Plant, seed: int) -> None:
    path = Path(__file__).with_name(f"{plant.name}.patch")
    head, diff = path.read_text().split("\ndiff --git ", 1)
    path.write_text(f"{_SEED.sub('', head + chr(10)).rstrip()}\nSeed: {seed}\n\ndiff --git {diff}")


if __name__ == "__main__":
    sys.exit(main())
