"""Sentences that are cut are whole thoughts, or whole words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from flashdeck.words.tone import Tone
from flashdeck_tui.clauses import Clause, Rank, Sentence, cut, filled

WHY = "(Enter: why)"


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [
        ("FAILED erase 0x08024000: erase of the sector 0x08024000", 25, "FAILED erase 0x08024000"),
        ("f flashes 1.0.2; running, 2 min", 25, "f flashes 1.0.2; running"),
        ("taken: night run, by ci@desk", 25, "taken: night run"),
        ("blocked: the memory map differs from the profile", 25, f"blocked {WHY}"),
        ("blocked: the memory map differs from the profile", 19, "blocked"),
        ("blocked: the memory map differs because it lies", 35, "blocked: the memory map differs"),
        ('needs a hand: "hold SW2, press RESET"', 30, f"needs a hand {WHY}"),
        ("job 7 (1.0.2, by hand): failed: no board", 31, "job 7 (1.0.2, by hand): failed"),
        ("Job 7: 1.0.1 into app1; rack-001: nothing else is known", 40, "Job 7: 1.0.1 into app1"),
        ("write 40%", 25, "write 40%"),
        ("FAILED erase 0x08024000: erase", 15, "FAILED erase…"),
        ("waiting until the board is back", 15, "waiting"),
        ("an-endless-word-without-any-end", 10, "an-endles…"),
        ("anything", 0, ""),
        ('"unplug it, hold BOOT, plug it in"', 26, '"unplug it, hold BOOT…"'),
        ('"unplug it, hold BOOT"', 22, '"unplug it, hold BOOT"'),
        ('"unplug"', 3, '"u…'),
    ],
)
def test_a_state_ends_between_two_clauses(text: str, width: int, told: str) -> None:
    assert cut(text, width, more=WHY) == told


def test_where_too_little_would_be_left_it_ends_between_two_words() -> None:
    line = "10:40:47.441 rack-018: flashing APP1.bin into app1 of this very board"
    assert cut(line, 50) == "10:40:47.441 rack-018"
    assert filled(line, 50) == "10:40:47.441 rack-018: flashing APP1.bin into…"
    assert filled(line, 30) == "10:40:47.441 rack-018"
    assert filled("no room: " + "x" * 60, 30) == "no room: " + "x" * 20 + "…"


@given(st.text(alphabet='ab :;,."()[]é', max_size=80), st.integers(1, 60), st.integers(0, 60))
def test_what_is_left_fits_and_is_a_beginning(text: str, width: int, least: int) -> None:
    told = cut(text, width, least=least)
    assert cell_len(told) <= width
    assert text.startswith(told.removesuffix("…"))
    if told != text and " " in told:
        behind = text[len(told.removesuffix("…")) :]
        assert behind[:1] in " ;:,." or least > 1, f"a word is broken: {told!r}"


SILENT = Sentence(
    (
        Clause("write 31%", Rank.WORK),
        Clause("NO ANSWER 12 min", Rank.ALARM, brief="NO ANSWER", joint=" "),
        Clause("disarmed", Rank.ASIDE),
    ),
    Tone.WAIT,
)


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (36, "write 31% NO ANSWER 12 min; disarmed"),
        (35, "write 31% NO ANSWER; disarmed"),
        (28, "write 31% NO ANSWER 12 min"),
        (25, "write 31% NO ANSWER"),
        (18, "NO ANSWER 12 min"),
        (15, "NO ANSWER"),
        (8, "NO…"),
    ],
)
def test_what_matters_least_goes_first_and_what_is_left_is_whole(width: int, told: str) -> None:
    assert SILENT.within(width) == told


def test_of_two_clauses_that_matter_as_much_the_later_one_goes() -> None:
    told = Sentence((Clause("one", Rank.ASIDE), Clause("two", Rank.ASIDE)), Tone.PLAIN, lead="last seen ")
    assert told.text == "last seen one; two"
    assert told.within(17) == "last seen one"


@given(
    st.lists(st.tuples(st.text(alphabet="ab :;", min_size=1, max_size=20), st.sampled_from(Rank)), max_size=5),
    st.integers(0, 60),
)
def test_a_sentence_fits_and_has_its_weightiest_clause(clauses: list[tuple[str, Rank]], width: int) -> None:
    told = Sentence(tuple(Clause(text, weight) for text, weight in clauses), Tone.PLAIN).within(width)
    assert cell_len(told) <= width
    heaviest = max(clauses, key=lambda clause: clause[1], default=("", Rank.ASIDE))[0]
    assert heaviest in told or cell_len(heaviest) > width
