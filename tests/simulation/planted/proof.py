"""`make sim-proof`: each planted bug, and some random mutations, and which seed of the simulation finds them.

A bug counts as found if a seed fails with it that passes without. Ends with 1 where a planted bug was not found, or a
mutation survived that nobody has explained in `survivors.toml`.
"""

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from limits.copies import Copies, Copy, Verdict
from limits.tree import ROOT
from simulation.planted import Plant, StalePlantError, plants
from simulation.planted.hunt import Found, told_in
from simulation.planted.mutations import Mutation, chosen
from simulation.seed_run import MOST_SECONDS

SMOKE: Final = "tests/integration/test_builds_become_jobs.py::test_a_replace_by_rename_is_one_job"
"""A first flash and a rebuild, which go well with every planted bug."""
MUTATIONS: Final = 50
MUTATION_SEED: Final = 1
SECONDS_A_SEED: Final = MOST_SECONDS + 10.0
"""Longest time that a seed takes: what takes longer is ended by itself, and has failed."""
_SURVIVORS: Final = Path(__file__).with_name("survivors.toml")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """Something wrong with the product, to be found."""

    name: str
    of_what: str
    files: Mapping[Path, str]
    smoke: bool
    """True if an ordinary flash must go well with it."""
    seed: int = 0
    """The seed that has found it before, which is tried first; 0: none has."""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a trial."""

    trial: Trial
    found: Found | None = None
    wrong: str = ""
    """Why it is no fair trial; "" where it is."""

    @property
    def line(self) -> str:
        """The result in one line."""
        head = f"{self.trial.name} ({self.trial.of_what})"
        if self.wrong:
            return f"{head}: {self.wrong}"
        if self.found is None:
            return f"{head}: not found"
        return f"{head}: found at seed {self.found.seed}, after {self.found.tried}: {_first_line(self.found.failure)}"


def main() -> int:
    options = _arguments()
    try:
        bugs = [_planted(plant) for plant in wanted(options)]
    except StalePlantError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    mutations = chosen(options.mutation_seed, options.mutations)
    with Copies.made(options.processes) as copies:
        judge = partial(_judged, seeds=options.seeds)
        lost = _tell_planted(_all(copies.tried(judge, bugs)))
        judge = partial(_judged, seeds=options.mutation_seeds)
        left = _tell_mutations(_all(copies.tried(judge, map(_mutated, mutations))), mutations)
    return 1 if lost or left else 0


def _all(results: Iterable[Result]) -> list[Result]:
    """Return all results, each told as soon as it is there."""
    found: list[Result] = []
    for result in results:
        sys.stdout.write(f"{result.line}\n")
        sys.stdout.flush()
        found.append(result)
    return found


def _judged(copy: Copy, trial: Trial, *, seeds: int) -> Result:
    """Hunt for one bug."""
    if trial.smoke and copy.with_files(trial.files, [SMOKE], seconds=60) is not Verdict.PASSED:
        return Result(trial, wrong=f"an ordinary flash does not go well with it\n{copy.said[-2000:]}")
    tried = 0
    ranges = [*([(trial.seed, trial.seed)] if trial.seed else []), (1, seeds)]
    while ranges:
        first, last = ranges.pop(0)
        with copy.changed(trial.files):
            found = _hunted(copy, first, last)
        tried += last - first + 1 if found is None else found.tried
        if found is not None and _hunted(copy, found.seed, found.seed) is None:
            return Result(trial, Found(found.seed, tried, found.failure))
        if found is not None and found.seed < last:
            ranges.insert(0, (found.seed + 1, last))  # it fails without the bug, too: that shows nothing
    return Result(trial)


def _hunted(copy: Copy, first: int, last: int) -> Found | None:
    """Return what some seeds find; raises RuntimeError where they cannot even be run."""
    seconds = SECONDS_A_SEED * (last - first + 1)
    code = copy.run("simulation.planted.hunt", str(first), str(last), seconds=seconds, room="tests")
    found = told_in(copy.said)
    if found is None and code is None:
        raise RuntimeError(f"the seeds {first} to {last} do not end")
    if found is None and code:
        return Found(first, 1, copy.said[-_LONGEST:])  # the daemon cannot even be imported
    return found


def _tell_planted(results: Sequence[Result]) -> int:
    """Say how many were found; return how many were not."""
    lost = [result for result in results if result.found is None]
    if results:
        sys.stdout.write(f"{len(results)} planted bugs, {len(results) - len(lost)} found, {len(lost)} not\n")
    return len(lost)


def _tell_mutations(results: Sequence[Result], mutations: Sequence[Mutation]) -> int:
    """Say which share was found, and why the others were not; return how many nobody has explained."""
    if not results:
        return 0
    explained: dict[str, str] = tomllib.loads(_SURVIVORS.read_text())
    survivors = [mutation for mutation, result in zip(mutations, results, strict=True) if result.found is None]
    share = 100 * (len(results) - len(survivors)) / len(results)
    sys.stdout.write(f"{len(results)} random mutations, {len(results) - len(survivors)} found ({share:.0f} %)\n")
    for mutation in survivors:
        why = explained.get(mutation.name, "NOT EXPLAINED in tests/simulation/planted/survivors.toml")
        sys.stdout.write(f"survives: {mutation.path}:{mutation.line}: {mutation.name}\n    {why}\n")
    return sum(mutation.name not in explained for mutation in survivors)


def _planted(plant: Plant) -> Trial:
    return Trial(plant.name, plant.of_what, plant.files(), smoke=True, seed=plant.seed)


def _mutated(mutation: Mutation) -> Trial:
    return Trial(mutation.name, f"line {mutation.line}", mutation.files(), smoke=False)


def wanted(options: argparse.Namespace) -> list[Plant]:
    """Return the planted bugs that are asked for: all, none, or some of those found before, whose turn it is now."""
    if options.no_planted:
        return []
    every = [plant for plant in plants() if options.only in plant.name and (plant.seed or not options.some)]
    if not options.some:
        return every
    counted = subprocess.run(
        ("git", "rev-list", "--count", "HEAD"),  # noqa: S607 -- as everywhere in the workshop
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    begin = int(counted.stdout) * options.some
    sys.stdout.write(f"{options.some} of {len(every)} planted bugs, by the number of commits: {counted.stdout}")
    return [every[(begin + at) % len(every)] for at in range(min(options.some, len(every)))]


def _first_line(failure: str) -> str:
    lines = [line for line in failure.strip().splitlines() if line.strip()]
    line = lines[-1] if lines and lines[0].startswith("Traceback") else (lines or [""])[0]
    return line[:_LONGEST]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim-proof", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="planted bugs whose name has this in it")
    parser.add_argument("--no-planted", action="store_true", help="random mutations alone")
    parser.add_argument("--some", type=int, default=0, metavar="N", help="only so many, others at each commit")
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="for each planted bug")
    parser.add_argument("--mutations", type=int, default=MUTATIONS, metavar="N", help="random mutations")
    parser.add_argument("--mutation-seed", type=int, default=MUTATION_SEED, metavar="N", help="which ones")
    parser.add_argument("--mutation-seeds", type=int, default=200, metavar="N", help="seeds for each of them")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
