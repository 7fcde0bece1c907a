"""Boards and problems in words."""

from flashdeck.problems import Problem, ProblemKind
from flashdeck.words.conditions import condition_word, counts_text, problem_text
from flashdeck.words.tone import Tone


def test_the_first_line_counts_every_board_once() -> None:
    counts = {ProblemKind.FAILED: 2, ProblemKind.ON_HOLD: 1, ProblemKind.CURRENT: 21}
    assert counts_text(counts) == "24 boards: 2 failed, 1 on hold, 21 current"
    assert counts_text({ProblemKind.CURRENT: 1}) == "1 board: 1 current"
    assert counts_text({}) == "0 boards"


def test_what_needs_a_person_never_looks_good() -> None:
    for kind in ProblemKind:
        assert (condition_word(kind).tone in (Tone.BAD, Tone.WAIT)) or not kind.needs_person
    assert condition_word(ProblemKind.CURRENT).tone is Tone.GOOD


def test_a_problem_says_where_it_is() -> None:
    failed = Problem("b0", "app1", ProblemKind.FAILED, "Erase failed", "Check write protection.")
    assert problem_text(failed) == "b0 app1: failed: Erase failed"
    assert problem_text(Problem("b0", "", ProblemKind.ON_HOLD, "Eva")) == "b0: on hold: Eva"
