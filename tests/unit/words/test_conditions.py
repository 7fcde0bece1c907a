"""The conditions of boards in words."""

from flashdeck.problems import ProblemKind
from flashdeck.words.conditions import condition_word
from flashdeck.words.tone import Tone


def test_what_needs_a_person_never_looks_good() -> None:
    for kind in ProblemKind:
        assert condition_word(kind).tone in (Tone.BAD, Tone.WAIT) or not kind.needs_person
    assert condition_word(ProblemKind.CURRENT).tone is Tone.GOOD
