"""A settle time that is too short shows, and a build that follows soon on another does not look like it for ever."""

import hashlib
from dataclasses import replace

import pytest

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.haste import AT_ONCE, CLEAN_BUILDS, MARGIN, SOON, Haste, is_unfinished

SETTLE = 0.5
FILE = Fingerprint("/build/APP1.bin", 1, 2, 3, 4, 0)


def at(seconds: float) -> Fingerprint:
    return replace(FILE, changed_ns=int(seconds * 1e9))


WHOLE = bytes(range(1, 200))


def taken(haste: Haste, when: float, data: bytes) -> str:
    """Take a build whose file changed last at that time; return what is said then."""
    digest = hashlib.sha256(data).digest()
    haste.see(at(when))
    haste.passed(at(when), data, digest, when + SETTLE)
    return haste.in_words("app1 of product")[0]


def build(haste: Haste, *changes: float, data: bytes | None = None) -> str:
    """Builds whose file changes at these times, each of them the beginning of the next. What is said of them."""
    said = ""
    for change in changes:
        said = taken(haste, change, data or b"x" * round(change * 100))
    return said


@pytest.mark.parametrize(("gap", "is_said"), [(0.99 * (SETTLE + SOON), True), (1.01 * (SETTLE + SOON), False)])
def test_a_file_that_is_finished_soon_after_it_settled_was_taken_too_early(gap: float, is_said: bool) -> None:
    assert bool(build(Haste(SETTLE), 100, 100 + gap)) is is_said


@pytest.mark.parametrize(("gap", "is_said"), [(0.99 * (SETTLE + AT_ONCE), True), (1.01 * (SETTLE + AT_ONCE), False)])
def test_another_build_within_seconds_is_none_of_the_first_but_for_one_that_follows_at_once(
    gap: float, is_said: bool
) -> None:
    haste = Haste(SETTLE)
    taken(haste, 100, WHOLE)
    assert bool(taken(haste, 100 + gap, WHOLE.replace(b"A", b"B"))) is is_said


@pytest.mark.parametrize(
    ("first", "is_part"),
    [
        (WHOLE[:-1], True),
        (b"", True),
        (b"\0" * len(WHOLE), True),
        (WHOLE.replace(b"ABCD", b"\xff\xff\xff\xff"), True),  # the place of a CRC
        (WHOLE.replace(b"ABCD", b"\0\0\0\0")[:-9], True),
        (WHOLE.replace(b"A", b"B"), False),
        (WHOLE[1:], False),
        (WHOLE + b"\0", False),
        (WHOLE[:50] + b"\1" + WHOLE[51:], False),
    ],
)
def test_what_is_filled_in_was_unfinished(first: bytes, is_part: bool) -> None:
    assert is_unfinished(first, WHOLE) is is_part
    haste = Haste(SETTLE)
    taken(haste, 100, first)
    assert bool(taken(haste, 102, WHOLE)) is is_part


@pytest.mark.parametrize(("rests", "is_said"), [(0.99 * SOON, True), (1.01 * SOON, False)])
def test_bytes_are_kept_no_longer_than_they_can_be_the_first_half(rests: float, is_said: bool) -> None:
    haste = Haste(SETTLE)
    taken(haste, 100, WHOLE[:-1])
    haste.rests(100 + SETTLE + rests)
    assert bool(taken(haste, 103, WHOLE)) is is_said


def test_the_numbers_and_a_better_settle_time_are_said() -> None:
    haste = Haste(SETTLE)
    build(haste, 100, 100.7)
    trouble, mend = haste.in_words("app1 of product")
    assert "unchanged for 0.5 s" in trouble
    assert "again 0.7 s after" in trouble
    assert mend == 'set settle = "2s" or more for app1 of product'
    assert MARGIN * 0.7 < 2


@pytest.mark.parametrize(
    ("gap", "better"), [(0.06, "0.1s"), (0.1, "0.2s"), (0.3, "0.5s"), (0.6, "1s"), (1.9, "5s"), (3.4, "10s")]
)
def test_the_better_settle_time_is_round_and_long_enough(gap: float, better: str) -> None:
    haste = Haste(SETTLE)
    build(haste, 100, 100 + gap)
    assert f'settle = "{better}"' in haste.in_words("app1")[1]


def test_a_touch_or_a_chmod_is_no_second_half() -> None:
    assert not build(Haste(SETTLE), 100, 100.7, data=b"the same")


def test_another_match_of_a_glob_is_no_second_half() -> None:
    haste = Haste(SETTLE)
    build(haste, 100)
    other = replace(at(100.7), path="/build/APP2.bin")
    haste.see(other)
    haste.passed(other, b"other", b"hash of other", 101.2)
    assert not haste.in_words("app1")[0]


def test_only_the_first_change_after_it_settled_tells_how_soon_that_was() -> None:
    haste = Haste(SETTLE)
    build(haste, 100)
    for change in (100.7, 102, 110):  # it goes on being written
        haste.see(at(change))
    data = b"x" * 11000
    haste.passed(at(110), data, hashlib.sha256(data).digest(), 110.5)
    assert "again 0.7 s after" in haste.in_words("app1")[0]


def test_it_is_said_until_some_builds_in_a_row_were_taken_whole() -> None:
    haste = Haste(SETTLE)
    build(haste, 100, 100.7)
    for number in range(CLEAN_BUILDS):
        assert haste.in_words("app1")[0]
        build(haste, 200 + 100 * number)
    assert not haste.in_words("app1")[0]
    build(haste, 1000, 1000.7, 1100, 1200, 1200.2)
    assert "again 0.7 s after" in haste.in_words("app1")[0], "the longest that was seen counts"
    assert build(haste, *(1300 + 100 * number for number in range(CLEAN_BUILDS - 1)))


def test_a_clock_that_was_set_back_between_two_builds_says_nothing() -> None:
    assert not build(Haste(SETTLE), 100, 50)
