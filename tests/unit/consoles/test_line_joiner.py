"""From the bytes after a leave to the lines that a start is judged by, however they come."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.line_patterns import LinePattern
from flashdeck.verdict import Verdict
from flashdeckd.consoles.line_cutter import LONGEST_ENTRY
from flashdeckd.consoles.line_joiner import LineJoiner
from flashdeckd.consoles.start_judge import StartJudge, StartRules
from flashdeckd.crashes.crash_reader import CrashReader

RULES = StartRules(
    ready=LinePattern(r"boot ✓(, app1 (?P<version>\S+))?"),
    fail=(LinePattern("HardFault"),),
    within=5.0,
    expected="1.0.1",
    sees_app=False,
)
SAID = "boot ✓, app1 1.0.1"


class Heard:
    """A start and what is heard of it."""

    def __init__(self, *, is_behind_old: bool = False, expected: str = "1.0.1") -> None:
        self.judge = StartJudge(replace(RULES, expected=expected), 100.0)
        self.joiner = LineJoiner(self.judge, CrashReader(), is_behind_old=is_behind_old)

    def feed(self, *pieces: str | bytes) -> "Heard":
        for piece in pieces:
            self.joiner.feed(piece.encode() if isinstance(piece, str) else piece, 101.0)
        return self

    def pause(self) -> "Heard":
        self.joiner.pause(102.0)
        return self

    def time_is_over(self) -> "Heard":
        self.joiner.end_of_time(106.0)
        return self

    @property
    def verdict(self) -> Verdict | None:
        return self.judge.verdict and self.judge.verdict.verdict


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize(
    ("line", "verdict"),
    [(SAID, Verdict.RUNS), (SAID + "2", Verdict.ANOTHER_BUILD), ("a HardFault", Verdict.CRASHED)],
)
def test_a_line_counts_as_a_whole_wherever_it_is_cut(line: str, verdict: Verdict, end: str) -> None:
    data = f"größe\r\n{line}{end}".encode()
    for place in range(len(data)):
        assert Heard().feed(data[:place], data[place:]).verdict is verdict
        assert Heard().feed(data[:place]).pause().feed(data[place:]).verdict is verdict


def test_a_line_that_ends_with_a_version_may_go_on() -> None:
    heard = Heard().feed(SAID).pause()
    assert heard.verdict is None
    assert heard.feed("2\r\n").verdict is Verdict.ANOTHER_BUILD


def test_a_line_that_says_all_needs_no_end() -> None:
    assert Heard().feed(SAID + " >").verdict is None
    assert Heard().feed(SAID + " >").pause().verdict is Verdict.RUNS
    assert Heard().feed("boot ✓> ").pause().verdict is None
    assert Heard().feed("boot ✓> ").pause().time_is_over().verdict is Verdict.RUNS
    assert Heard(expected="").feed("boot ✓> ").pause().verdict is Verdict.RUNS


@pytest.mark.parametrize(("said", "verdict"), [(SAID, Verdict.RUNS), (SAID + "2", Verdict.ANOTHER_BUILD)])
def test_a_line_that_stands_as_the_time_is_over_is_all_of_it(said: str, verdict: Verdict) -> None:
    assert Heard().feed(said).pause().time_is_over().verdict is verdict
    assert Heard().feed(said).time_is_over().verdict is None


@pytest.mark.parametrize("place", range(1, len((SAID + "\r\n").encode()) + 1))
def test_the_rest_of_an_old_line_is_no_word_of_the_new_application(place: int) -> None:
    rest = (SAID + "\r\n").encode()[place:]
    heard = Heard(is_behind_old=True).feed(rest)
    assert heard.verdict is None
    assert not heard.judge.is_seen
    if rest:
        assert heard.feed(SAID + "\r\n").verdict is Verdict.RUNS
        assert Heard(is_behind_old=True).feed(rest + SAID.encode() + b"\n").verdict is Verdict.RUNS


def test_ends_of_lines_are_no_sign_of_life() -> None:
    assert not Heard().feed("\n", "\r\n").judge.is_seen
    assert Heard().feed("\n", "x").judge.is_seen


@given(st.integers(0, 3 * LONGEST_ENTRY), st.lists(st.integers(1, 700), max_size=12))
def test_a_line_of_any_length_is_searched_whole(dots: int, cuts: list[int]) -> None:
    data = b"." * dots + SAID.encode() + b"." * 5
    data = data.replace(b"1.0.1.....", b"1.0.1 ....") + b"\r\n"
    heard = Heard()
    for cut in cuts:
        heard.feed(data[:cut])
        data = data[cut:]
    assert heard.feed(data).verdict is Verdict.RUNS


def test_noise_before_a_line_is_no_part_of_it() -> None:
    assert Heard().feed(b"\x00\xff\xfe" + SAID.encode() + b"\r\n").verdict is Verdict.RUNS


@pytest.mark.parametrize(
    "line",
    [
        ">>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0",
        "panicked at src/main.rs:12:5:",
        'assertion "p != NULL" failed: file "control.c", line 118',
    ],
)
def test_a_crash_that_any_application_may_have_needs_no_pattern(line: str) -> None:
    heard = Heard().feed(f"{line}\r\n{SAID}\r\n")
    assert heard.verdict is Verdict.CRASHED
    assert heard.judge.verdict is not None
    assert heard.judge.verdict.reason
    later = Heard().feed(f"{SAID}\r\n{line}\r\n")
    assert later.verdict is Verdict.RUNS
    assert later.judge.shown is not None
    assert later.judge.shown.verdict is Verdict.CRASHED
