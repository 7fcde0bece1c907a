"""Names and globs that people type, and the nearest of those that there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ErrorKind, RequestError
from flashdeck.names import SHOWN, did_you_mean, few, is_meant, literal, near, required, select, select_one, which

RACK = [f"rack-{number:03}" for number in range(1, 101)]
BENCH = ["left", "right", "spare"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lfet", "left"),
        ("Left", "left"),
        ("RIGTH", "right"),
        ("sp", "spare"),
        ("rigt*", "right"),
        ("nope", ""),
        ("", ""),
    ],
)
def test_the_nearest_name(typed: str, meant: str) -> None:
    assert did_you_mean(typed, BENCH) == (f"did you mean {meant}?" if meant else "")


def test_a_glob_of_nothing_but_wild_cards_is_near_to_nothing() -> None:
    assert near("*", BENCH) == near("??", BENCH) == []


def test_a_message_lists_a_few_of_many_names() -> None:
    assert few(BENCH) == "left, right, spare"
    assert few(RACK) == "rack-001, rack-002, rack-003, rack-004, rack-005 and 95 more"
    assert few(RACK[:SHOWN]) == ", ".join(RACK[:SHOWN])
    assert which("nope", RACK) == f"there are: {few(RACK)}"
    assert which("nope", [], none="build one") == "build one"


def test_a_name_that_would_harm_a_terminal_is_shown_without_harm() -> None:
    assert "\x1b" not in which("nope", ["\x1b[31m", "x" * 5000])
    assert len(which("nope", ["x" * 5000] * 9)) < 500
    assert "\x1b" not in did_you_mean("\x1b[31n", ["\x1b[31m"])


def test_names_and_globs_mean_boards_once_each_in_their_order() -> None:
    assert select(("spare", "*t", "left"), BENCH) == BENCH
    assert select(("r*",), BENCH) == ["right"]
    assert select((), BENCH) == []


@pytest.mark.parametrize(
    ("patterns", "message", "hint"),
    [
        (("left", "lfet"), "there is no board 'lfet'", "did you mean left?"),
        (("x*",), "no board matches 'x*'", "there are: left, right, spare"),
        (("left", ""), "there is no board ''", "there are: left, right, spare"),
    ],
)
def test_what_means_no_board_is_refused(patterns: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        select(patterns, BENCH)
    assert (refused.value.kind, refused.value.message, refused.value.hint) == (ErrorKind.NO_SUCH_BOARD, message, hint)


def test_where_there_are_no_boards_the_hint_says_how_to_get_one() -> None:
    with pytest.raises(RequestError, match="there are no boards") as refused:
        select(("*",), [], none="adopt one")
    assert refused.value.hint == "adopt one"


def test_one_board_may_be_meant_by_a_glob() -> None:
    assert select_one("l*", BENCH) == "left"
    with pytest.raises(RequestError, match="means 3 boards: left, right, spare") as refused:
        select_one("*", BENCH)
    assert refused.value.kind is ErrorKind.AMBIGUOUS


def test_none_is_never_all() -> None:
    assert required(("left",)) == ("left",)
    with pytest.raises(RequestError, match="no board is named") as refused:
        required(())
    assert refused.value.kind is ErrorKind.BAD_REQUEST


@given(st.text(), st.text())
def test_a_literal_means_itself_alone(name: str, other: str) -> None:
    assert is_meant(name, (literal(name),))
    assert is_meant(other, (literal(name),)) == (other in {name, literal(name)})


@given(st.text(), st.lists(st.text(), max_size=8))
def test_anything_may_be_typed(word: str, known: list[str]) -> None:
    assert set(near(word, known)) <= set(known)
    assert which(word, known, none="none").isprintable()
