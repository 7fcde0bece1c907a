"""`make limits`: doubles and halves every limit of the product, one at a time, and names those that no test noticed.

A limit counts as noticed if a test that imports it fails with either change. Only those tests are run, in a copy of the
tree, which they must pass as it is. Ends with 1 where something was not noticed. Results are kept in build/limits.json,
and are not asked for again until the mutant or a file of its tests has changed.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from limits.copies import Copies, Copy, Verdict
from limits.limits import Limit, limits
from limits.mutants import Change, mutant
from limits.results import Results, digest
from limits.selection import importers
from limits.tree import ROOT, files_of_tests, product

_SAID = 30
_RESULTS = ROOT / "build" / "limits.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A changed limit, and the tests that are to notice it."""

    limit: Limit
    change: Change
    files: dict[Path, str]
    tests: list[str]
    digest: str

    def __str__(self) -> str:
        return f"{self.limit.name} {self.change}"


def main() -> int:
    options = _arguments()
    modules = product()
    chosen = [limit for limit in limits(modules) if fnmatchcase(str(limit.name), f"*{options.only}*")]
    if options.list:
        for limit in chosen:
            _say(f"{limit.name} = {limit.value}")
        return 0
    trials = list(_trials(chosen))
    results = Results(_RESULTS, fresh=options.fresh)
    missing = [trial for trial in trials if trial.tests and results.of(str(trial), trial.digest) is None]
    with Copies.made(options.processes if missing else 0) as copies:
        if missing and not all(copies.tried(lambda copy, all_: _pass_as_it_is(copy, all_, options.seconds), [missing])):
            return 2
        _judge(missing, copies, results, options.seconds)
    unnoticed = [trial for trial in trials if results.of(str(trial), trial.digest) is not Verdict.FAILED]
    for trial in unnoticed:
        reason = results.of(str(trial), trial.digest) if trial.tests else "no test imports it"
        _say(f"{trial}: {reason}")
    left = {trial.limit.name for trial in unnoticed}
    _say(f"{len(chosen)} limits, {len(chosen) - len(left)} noticed, {len(left)} not")
    return 1 if left else 0


def _trials(chosen: Sequence[Limit]) -> Iterator[Trial]:
    modules = product()
    files = importers(files_of_tests(), modules)
    for limit in chosen:
        wanted = [test for file in files for test in file.naming(limit.name)]
        texts = {test.partition("::")[0]: "" for test in wanted}
        texts = {path: (ROOT / path).read_text() for path in texts}
        for change in Change:
            changed = mutant(limit, change, modules)
            yield Trial(limit=limit, change=change, files=changed, tests=wanted, digest=digest(changed, texts))


def _pass_as_it_is(copy: Copy, trials: Sequence[Trial], seconds: float) -> bool:
    wanted = sorted({test for trial in trials for test in trial.tests})
    verdict = copy.with_files({}, wanted, seconds=max(seconds, 5 * len(wanted)))
    if verdict is not Verdict.PASSED:
        _note(f"the tests that import limits do not pass as they are ({verdict}):")
        _note("\n".join(copy.said.splitlines()[-_SAID:]))
    return verdict is Verdict.PASSED


def _judge(trials: Sequence[Trial], copies: Copies, results: Results, seconds: float) -> None:
    def judged(copy: Copy, trial: Trial) -> Verdict:
        return copy.with_files(trial.files, trial.tests, seconds=seconds)

    for trial, verdict in zip(trials, copies.tried(judged, trials), strict=True):
        results.keep(str(trial), trial.digest, verdict)
        _note(f"{trial}: {verdict}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make limits", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="limits whose module:NAME has this in it")
    parser.add_argument("--list", action="store_true", help="the limits and their values, and nothing is tried")
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="for one test")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
