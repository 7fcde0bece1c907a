"""Which lines of the daemon were reached is counted line by line, and what was not needs a reason."""

import _thread
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ErrorKind
from flashdeckd.jobs import retry_policy
from limits.tree import ROOT
from simulation.account import Account, Reason, Reasons
from simulation.coverage import told
from simulation.reached import DAEMON, Function, Share, Tracer, functions, shares
from simulation.unreached import REASONS

POLICY = "jobs/retry_policy.py"
WHAT_RUNS = {"first": frozenset({4, 5, 6}), "second": frozenset({10, 11, 12})}
SOME_DAY = Reason("somebody asks", ("jobs/one.py:second",))


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


CODE = '''
def first(a):
    """Return one or two."""
    if a:
        return 1
    return 2


def second(kind):
    match kind:
        case int():
            return 3
        case _:
            assert_never(kind)


class Asked(Protocol):
    def answer(self) -> None:
        """Answer."""
        ...
'''
FIRST, SECOND = (Function("jobs/one.py", name, lines) for name, lines in WHAT_RUNS.items())


def account(reached: set[int], *excused: Reason, reachable: tuple[Reason, ...] = ()) -> Account:
    """Return the account of the two functions, of which some lines were reached."""
    return Account([FIRST, SECOND], {"jobs/one.py": frozenset(reached)}, Reasons(reachable, excused))


def test_what_may_run_is_counted_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/one.py").write_text(CODE)
    assert list(functions(tmp_path)) == [FIRST, SECOND]


def test_a_line_that_was_not_reached_needs_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    found = account({4, 6, 10, 11, 12})
    assert list(found.unexplained) == [(FIRST, frozenset({5}))]
    assert told(found) == 1
    assert "never reached, and nobody says why: jobs/one.py:first lines 5\n" in capsys.readouterr().out


def test_with_a_reason_for_each_line_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    found = account(set(), Reason("a line of a person", ("jobs/one.py:f*",), ("unit/jobs",)), reachable=(SOME_DAY,))
    assert list(found.unexplained) == []
    assert told(found) == 0
    assert capsys.readouterr().out == ""
    tables = list(found.tables())
    assert "| `jobs` | 6 | 0 % |" in tables
    assert "| 3 | a line of a person | `tests/unit/jobs` |" in tables
    assert "| 0 | without a reason, and each of them is listed by the command | |" in tables
    assert "| 3 | somebody asks |" in tables


def test_an_excuse_is_refuted_by_seeds_that_reach_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = account({4, 5, 6, 10, 11, 12}, Reason("no seed can", ("jobs/one.py:first",), ("unit/jobs",)))
    assert told(found) == 1
    assert "seeds reach all of it, and a reason says that they never do: jobs/one.py:first\n" in capsys.readouterr().out


def test_what_seeds_were_to_reach_and_do_is_told_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    found = account({4, 5, 6, 10, 11, 12}, reachable=(SOME_DAY,))
    assert told(found) == 0
    assert capsys.readouterr().out == "seeds reach all of it by now: jobs/one.py:second\n"


def test_a_reason_that_decides_nothing_is_stale() -> None:
    gone = Reason("no seed can", ("jobs/one.py:second", "jobs/two.py:*"), ("unit/jobs",))
    assert list(Reasons((SOME_DAY,), (gone,)).stale([FIRST, SECOND])) == ["jobs/one.py:second", "jobs/two.py:*"]


def test_what_seeds_ought_to_reach_has_no_excuse() -> None:
    excuse = Reason("no seed can", ("jobs/*:*",), ("unit/jobs",))
    assert Reasons((SOME_DAY,), (excuse,)).of(SECOND) is SOME_DAY
    assert Reasons((SOME_DAY,), (excuse,)).of(FIRST) is excuse


def test_no_reason_is_stale() -> None:
    assert list(REASONS.stale(list(functions()))) == []


@pytest.mark.parametrize("reason", REASONS.excused, ids=lambda reason: reason.why[:40])
def test_a_reason_names_tests_that_there_are(reason: Reason) -> None:
    assert reason.tested
    assert [name for name in reason.tested if not (ROOT / "tests" / name).exists()] == []


def test_the_rooms_in_order() -> None:
    assert shares([FIRST, SECOND], {"jobs/one.py": frozenset({4})}) == [Share("jobs", 6, 1)]
