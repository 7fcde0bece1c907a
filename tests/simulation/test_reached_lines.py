"""Which lines of the daemon were reached is counted line by line, and what was not needs a reason."""

import _thread
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind
from flashdeckd.jobs import retry_policy
from simulation.reached import DAEMON, Function, Share, Tracer, functions, shares, unexplained

POLICY = "jobs/retry_policy.py"


def reached_by(monkeypatch: pytest.MonkeyPatch, known: dict[str, frozenset[int]]) -> dict[str, list[int]]:
    """Return the lines that a call reaches."""
    monkeypatch.setattr(_thread, "start_new_thread", _thread.start_new_thread)  # the tracer replaces it
    tracer, before = Tracer(known), sys.gettrace()
    try:
        tracer.begin()
        retry_policy.rule_for(ErrorKind.STALL)
    finally:
        sys.settrace(before)
    return tracer.reached


def test_the_lines_of_a_function_that_ran_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reached_by(monkeypatch, {})
    (rule_for,) = (each for each in functions() if (each.module, each.name) == (POLICY, "rule_for"))
    reached = frozenset(found[POLICY]) & rule_for.lines
    source = (DAEMON / POLICY).read_text().splitlines()
    ran = [source[line - 1].strip() for line in sorted(reached)]
    assert ran[0] == "rule = RULES.get(kind, NEVER)"
    assert ran[-1] == "return rule"
    missed = {source[line - 1].strip() for line in rule_for.lines - reached}
    assert "return NEVER" in missed
    assert not any('"""' in line for line in (*ran, *missed))


def test_lines_that_are_known_are_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert POLICY not in reached_by(monkeypatch, {POLICY: frozenset(range(1, 1000))})


def test_what_was_never_reached_needs_a_reason(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/one.py").write_text("def run(a):\n    '''Run.'''\n    if a:\n        return 1\n    return 2\n")
    (run,) = functions(tmp_path)
    assert run == Function("jobs/one.py", "run", frozenset({3, 4, 5}))
    reached = {"jobs/one.py": frozenset({3, 5})}
    assert list(unexplained([run], reached, {})) == [(run, frozenset({4}))]
    assert list(unexplained([run], reached, {"nobody asks": ("jobs/one.py:r*",)})) == []
    assert shares([run], reached) == [Share("jobs", 3, 2)]
