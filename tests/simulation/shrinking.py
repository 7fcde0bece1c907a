"""From a seed that fails to the least that still fails in the same way: fewer kinds of trouble, and less time."""

from dataclasses import replace

from simulation.seed_run import Outcome, Trial, run_trial

LEAST_SECONDS = 2.0


def shrunk(failed: Outcome) -> tuple[Outcome, Trial]:
    """Return the smallest trial that fails as `failed` does, and what became of it.

    Each kind of trouble draws from a generator of its own: without one of them, the others do the same as before for
    as long as the daemon does.
    """
    best, trial = failed, Trial(failed.seed)
    for name in failed.actors:
        best, trial = _better(best, trial, replace(trial, without=(*trial.without, name)))
    seconds = 30.0
    while seconds >= LEAST_SECONDS:
        before = trial
        best, trial = _better(best, trial, replace(trial, seconds=seconds))
        if trial is before:
            break
        seconds /= 2
    return best, trial


def _better(best: Outcome, trial: Trial, smaller: Trial) -> tuple[Outcome, Trial]:
    outcome = run_trial(smaller)
    if outcome.failures and _kind(outcome) == _kind(best):
        return outcome, smaller
    return best, trial


def _kind(outcome: Outcome) -> str:
    """Return in which way a seed has failed: the rule that was broken, or the last line of a traceback."""
    first = outcome.failures[0]
    if first.startswith("rule "):
        return first.partition(":")[0]
    return first.strip().splitlines()[-1]
