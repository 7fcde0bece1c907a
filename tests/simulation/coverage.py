"""`make sim-coverage`: the lines of the daemon that seeds reach by themselves, and why not the others.

Ends with 1 where lines were not reached and nobody has said why, or where seeds reach what is said to be out of their
reach (both in `unreached`).
"""

import argparse
import sys
from collections import defaultdict

from simulation.__main__ import outcomes
from simulation.account import Account
from simulation.page import write_part
from simulation.reached import functions
from simulation.unreached import REASONS


def main() -> int:
    options = _arguments()
    account = Account(list(functions()), _reached(range(1, options.seeds + 1), options.processes), REASONS)
    lines = list(account.tables())
    _say("\n".join(lines))
    if options.page:
        write_part("coverage", f"make sim-coverage SEEDS={options.seeds}", lines)
    return told(account)


def told(account: Account) -> int:
    """Say what is not as it should be, and return the exit code."""
    for function, missed in account.unexplained:
        _say(f"never reached, and nobody says why: {function} lines {_rows(missed)}")
    for pattern in account.refuted:
        _say(f"seeds reach all of it, and a reason says that they never do: {pattern}")
    for pattern in account.caught_up:
        _say(f"seeds reach all of it by now: {pattern}")
    return 0 if account.is_whole else 1


def _reached(seeds: range, processes: int) -> dict[str, frozenset[int]]:
    """Return the lines that these seeds reach."""
    known: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
    for outcome in outcomes(seeds, processes, known):
        for module, lines in outcome.reached.items():
            known[module] |= frozenset(lines)
        if outcome.failures:
            sys.stderr.write(f"seed {outcome.seed} fails: {outcome.failures[0]}\n")
    return known


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
