"""`make sim-coverage`: the lines of the daemon that seeds reach by themselves, and why not the others.

Ends with 1 where lines were never reached and nobody has said why in `unreached`.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

from simulation.page import write_part
from simulation.reached import Function, Lines, functions, shares, unexplained
from simulation.seed_run import Outcome, run_forked
from simulation.unreached import UNREACHED


def main() -> int:
    options = _arguments()
    reached = _reached(range(1, options.seeds + 1), options.processes)
    found = list(functions())
    lines = [*_rooms(found, reached), "", *_reasons(found, reached)]
    _say("\n".join(lines))
    if options.page:
        write_part("coverage", f"make sim-coverage SEEDS={options.seeds}", lines)
    left = list(unexplained(found, reached, UNREACHED))
    for function, missed in left:
        _say(f"never reached, and nobody says why: {function} lines {_rows(missed)}")
    return 1 if left else 0


def _rooms(found: Sequence[Function], reached: Lines) -> Iterator[str]:
    yield "| room of the daemon | lines | reached |"
    yield "| --- | --: | --: |"
    rooms = shares(found, reached)
    for room in rooms:
        yield f"| `{room.room}` | {room.lines} | {100 * room.reached / max(room.lines, 1):.0f} % |"
    lines, hit = sum(room.lines for room in rooms), sum(room.reached for room in rooms)
    yield f"| all | {lines} | {100 * hit / lines:.0f} % |"


def _reached(seeds: range, processes: int) -> dict[str, frozenset[int]]:
    """Return the lines that these seeds reach."""
    known: defaultdict[str, set[int]] = defaultdict(set)

    def run(seed: int) -> Outcome:
        return run_forked(seed, {module: frozenset(lines) for module, lines in known.copy().items()})

    with ThreadPoolExecutor(max_workers=processes) as pool:
        for outcome in pool.map(run, seeds):
            for module, lines in outcome.reached.items():
                known[module].update(lines)
            if outcome.failures:
                sys.stderr.write(f"seed {outcome.seed} fails: {outcome.failures[0]}\n")
    return {module: frozenset(lines) for module, lines in known.items()}


def _reasons(found: Sequence[Function], reached: Lines) -> Iterator[str]:
    yield "| lines that are not reached | why |"
    yield "| --: | --- |"
    for reason, patterns in UNREACHED.items():
        count = sum(
            len(each.lines - reached.get(each.module, frozenset()))
            for each in found
            if any(fnmatchcase(str(each), pattern) for pattern in patterns)
        )
        yield f"| {count} | {reason} |"
    left = sum(len(missed) for _, missed in unexplained(found, reached, UNREACHED))
    yield f"| {left} | not yet: seeds have not met these, and each of them is listed by the command |"


def _rows(lines: frozenset[int]) -> str:
    """Return line numbers, neighbours as one row."""
    rows: list[list[int]] = []
    for line in sorted(lines):
        if rows and line <= rows[-1][1] + 1:
            rows[-1][1] = line
        else:
            rows.append([line, line])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in rows)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sim-coverage", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--page", action="store_true", help="put the tables into docs/simulation.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
