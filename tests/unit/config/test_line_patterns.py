"""Patterns for what boards say: what they find, and what is refused by its name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.line_patterns import LONGEST_PATTERN, MOST_MEMORY, LinePattern


def test_a_group_says_the_version() -> None:
    pattern = LinePattern(r"boot ok, app1 (?P<version>\S+)")
    found = pattern.search("[00:00:01] boot ok, app1 1.0.7 at 48 MHz")
    assert found is not None
    assert found.text == "boot ok, app1 1.0.7"
    assert found.groups == {"version": "1.0.7"}
    assert pattern.names == {"version"}
    assert pattern.search("boot ok") is None


def test_a_group_that_took_no_part_is_no_group() -> None:
    found = LinePattern(r"ready( (?P<version>[0-9.]+))?$").search("ready")
    assert found is not None
    assert not found.groups


def test_text_beyond_ascii_is_found_at_its_place() -> None:
    found = LinePattern("ä(?P<version>[0-9]+)").search("über ä12 ü")
    assert found is not None
    assert found.groups == {"version": "12"}
    assert LinePattern("ok").search("\udcff half a character, ok") is not None


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (r"ok(?=\d)", "a look-ahead"),
        (r"ok(?!\d)", "a negative look-ahead"),
        (r"(?<=x)ok", "a look-behind"),
        (r"(?<!x)ok", "a look-behind"),
        (r"(a|b)\1", "a back-reference"),
        (r"(?>a+)b", "an atomic group"),
        (r"(a)?(?(1)b|c)", "a condition"),
        (r"(?#so)a", "a comment"),
        (r"a\Z", r"\Z"),
        (r"a++b", "a possessive quantifier"),
        (r"a*+b", "a possessive quantifier"),
        (r"a{5000}", "a count that is too high"),
        (r"(a{1000}){1000}", "a count that is too high"),
        ("(", "missing )"),
        ("[a", "missing ]"),
        ("x" * (LONGEST_PATTERN + 1), "longer than"),
    ],
)
def test_what_cannot_be_matched_in_a_bounded_time_is_named(pattern: str, named: str) -> None:
    with pytest.raises(FlashdeckError) as caught:
        LinePattern(pattern)
    assert named in caught.value.message
    assert caught.value.hint
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_a_pattern_has_so_much_memory_and_no_more() -> None:
    steps = MOST_MEMORY // 3 * 2 // 8  # RE2 gives two thirds to the program, and a step takes 8 bytes
    assert LinePattern("a{1000}" * (steps * 9 // 10 // 1000)).search("a") is None
    with pytest.raises(FlashdeckError, match="too large"):
        LinePattern("a{1000}" * (steps * 11 // 10 // 1000))


@given(st.text(max_size=60))
def test_a_pattern_is_compiled_or_refused_in_words(text: str) -> None:
    refused = None
    try:
        LinePattern(text).search(text)
    except FlashdeckError as error:
        refused = error
    assert refused is None or refused.hint


@given(st.text(alphabet="ab01 .", max_size=40), st.text(alphabet="ab01.", min_size=1, max_size=5))
def test_plain_text_is_found_where_python_finds_it(line: str, wanted: str) -> None:
    found = LinePattern(re.escape(wanted)).search(line)
    assert (found is not None) == (wanted in line)
