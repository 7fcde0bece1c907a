"""`make sim`: many seeds in two processes, or one seed whole (`make sim SEED=n`); what failed is told, and shrunk."""

import argparse
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from simulation.reached import Lines
from simulation.seed_run import Begun, Outcome, Trial, begin, run_forked
from simulation.shrinking import shrunk

FIRST = 1
DEFAULT_SEEDS = 1200
"""About five minutes of two processors."""
PROGRESS_SECONDS = 10.0
MOST_FAILURES = 3
"""Failing seeds after which no more are begun."""
HEADLINES = {
    "control transfers": ("transfer",),
    "builds": ("build",),
    "kills": ("kill", "power"),
    "client calls": ("call",),
}
"""The counts that are printed first, and the kinds of the story that each is made of."""


def outcomes(seeds: Iterable[int], processes: int, known: Lines | None = None) -> Iterator[Outcome]:
    """Yield what becomes of seeds, each in a process of its own, so many at a time; in the order in which they end.

    Where `known` lines are given, which may grow meanwhile, each tells of all others that it reaches.
    """
    waiting = iter(seeds)
    running: list[Begun] = []
    cpus = sorted(os.sched_getaffinity(0))
    free = [cpus[number % len(cpus)] for number in range(processes)]
    while True:
        while free and (seed := next(waiting, None)) is not None:
            # The threads of a seed take turns: on one processor they need not wake up another one for that.
            running.append(begin(Trial(seed), known, cpu=free.pop()))
        if not running:
            return
        done = Begun.first_done(running)
        running.remove(done)
        free.append(done.cpu)
        yield done.outcome()


def tell_counts(counts: Counter[str], seeds: int, seconds: float, cpu: float) -> None:
    """Print what was done in all."""
    print(f"\n{seeds} seeds in {seconds / 60:.1f} minutes ({cpu / 60:.1f} minutes of processor time):")
    for name, kinds in HEADLINES.items():
        print(f"  {sum(counts[kind] for kind in kinds):>10} {name}")
    told = {kind for kinds in HEADLINES.values() for kind in kinds}
    print("  and of each kind:")
    for kind, count in sorted(counts.items()):
        if kind not in told:
            print(f"  {count:>10} {kind}")


def tell_failure(outcome: Outcome) -> None:
    """Print the story of a seed that failed, and the smallest trial that fails in the same way."""
    print(f"\nseed {outcome.seed} failed:")
    smallest, trial = shrunk(outcome)
    print("\n".join(smallest.story))
    print("\n".join(smallest.failures))
    print(f"again: make sim SEED={outcome.seed}" + (f"   (shrunk: {trial.text()})" if trial.text() else ""), flush=True)


def within(seeds: Iterable[int], minutes: float | None) -> Iterator[int]:
    """Yield seeds until so many minutes are over; None: all of them."""
    end = None if minutes is None else time.monotonic() + 60 * minutes
    return itertools.takewhile(lambda _: end is None or time.monotonic() < end, seeds)


def run_many(seeds: range, processes: int, minutes: float | None = None) -> int:
    """Run seeds, tell how far they are, and return the exit code; none is begun after so many minutes."""
    began = last = time.monotonic()
    counts: Counter[str] = Counter()
    done, cpu = 0, 0.0
    failed: list[Outcome] = []
    for outcome in outcomes(within(seeds, minutes), processes):
        done += 1
        cpu += outcome.seconds
        counts.update(outcome.counts)
        if outcome.failures:
            failed.append(outcome)
            print(f"seed {outcome.seed} failed: {outcome.failures[0].splitlines()[0][:200]}", flush=True)
            if len(failed) >= MOST_FAILURES:
                break
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            print(f"{done} of {len(seeds)} seeds, {counts['transfer']} control transfers", flush=True)
    tell_counts(counts, done, time.monotonic() - began, cpu)
    for outcome in failed:
        tell_failure(outcome)
    return 1 if failed else 0


def run_one(seed: int) -> int:
    """Run one seed, and tell all that it tells."""
    outcome = run_forked(seed)
    print(f"seed {seed}: SHA-256 of its log {outcome.digest}")
    tell_counts(Counter(outcome.counts), 1, outcome.seconds, outcome.seconds)
    if outcome.failures:
        tell_failure(outcome)
    return 1 if outcome.failures else 0


def main() -> None:
    """Run the seeds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one")
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="run so many")
    parser.add_argument("--first", type=int, default=FIRST, help="the first of them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="begin none after so many")
    asked = parser.parse_args()
    if asked.seed is not None:
        sys.exit(run_one(asked.seed))
    sys.exit(run_many(range(asked.first, asked.first + asked.seeds), asked.processes, asked.minutes))


if __name__ == "__main__":
    main()
