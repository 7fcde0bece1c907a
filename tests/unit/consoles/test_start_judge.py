"""The verdict on a start: one row for each order of events, then whatever comes in any order."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.line_patterns import LinePattern
from flashdeck.verdict import DOES_NOT_RUN, Verdict
from flashdeckd.consoles.start_judge import KEPT_LINE, LATEST_SIGHT, StartJudge, StartRules, is_same_version

READY = LinePattern(r"boot ok, app1 (?P<version>\S+)")
FAIL = (LinePattern("HardFault"), LinePattern("^assert"))
SAID = "boot ok, app1 1.0.7"


def rules(*, stays: float = 0.0, expected: str = "1.0.7", sees_app: bool = True) -> StartRules:
    return StartRules(ready=READY, fail=FAIL, within=5.0, stays=stays, expected=expected, sees_app=sees_app)


@dataclass(frozen=True)
class Order:
    """Something that happens so many seconds after the leave."""

    at: float
    what: str
    """`app`, `gone`, `byte`, `time`, `deaf`, `half …`, or a line."""


def judged(of: StartRules, *orders: Order) -> StartJudge:
    judge = StartJudge(of, 100.0)
    for order in orders:
        at = 100.0 + order.at
        match order.what:
            case "app":
                judge.see_app(at)
            case "gone":
                judge.lose_app(at)
            case "dfu":
                judge.see_bootloader(at)
            case "byte":
                judge.hear_byte(at)
            case "time":
                judge.pass_time(at)
            case "deaf":
                judge.pass_time(at, "tio (123) has it open")
            case text if text.startswith("half "):
                judge.hear_line(text.removeprefix("half "), at, is_whole=False)
            case text:
                judge.hear_byte(at)
                judge.hear_line(text, at)
    return judge


def after(*orders: tuple[float, str]) -> tuple[Order, ...]:
    return tuple(Order(at, what) for at, what in orders)


@pytest.mark.parametrize(
    ("orders", "stays", "verdict"),
    [
        pytest.param(after((0.2, "app"), (0.3, SAID)), 0, Verdict.RUNS, id="it says so"),
        pytest.param(after((0.2, "app"), (0.3, SAID)), 2, None, id="it says so, and has not stood yet"),
        pytest.param(after((0.2, "app"), (0.3, SAID), (2.4, "time")), 2, Verdict.RUNS, id="it has stood"),
        pytest.param(after((0.1, SAID), (0.2, "app")), 0, Verdict.RUNS, id="before it has enumerated"),
        pytest.param(after((0.2, "app"), (5.3, "time")), 0, Verdict.SILENT, id="it says nothing"),
        pytest.param(after((0.2, "app"), (4.9, "time")), 0, None, id="it may still say it"),
        pytest.param(after((9.0, "app"), (13.9, "time")), 0, None, id="seen late, so it has longer"),
        pytest.param(after((9.0, "app"), (14.1, "time")), 0, Verdict.SILENT, id="seen late, and silent"),
        pytest.param(after((15.0, "app"), (19.9, "time")), 0, None, id="seen as late as can be, so it has as long"),
        pytest.param(after((15.0, "app"), (20.1, "time")), 0, Verdict.SILENT, id="seen as late as can be, and silent"),
        pytest.param(after((15.1, "deaf")), 0, None, id="that nobody heard it is no sign of it"),
        pytest.param(after((0.3, "byte"), (5.4, "time")), 0, Verdict.SILENT, id="noise is a sign of it"),
        pytest.param(after((15.1, "time")), 0, None, id="whoever looks at the bus says that it was not seen"),
        pytest.param(after((17.0, "app"), (21.9, "time")), 0, None, id="seen very late, it has all of its time"),
        pytest.param(after((17.0, "app"), (22.1, "time")), 0, Verdict.SILENT, id="seen very late, and silent"),
        pytest.param(after((0.2, "app"), (0.3, "HardFault at 0x0")), 0, Verdict.CRASHED, id="it crashes first"),
        pytest.param(after((0.3, SAID), (0.9, "HardFault")), 2, Verdict.CRASHED, id="it crashes inside stays"),
        pytest.param(after((0.3, SAID), (0.9, SAID)), 2, Verdict.CRASHED, id="it starts twice inside stays"),
        pytest.param(after((0.2, "app"), (0.3, SAID), (0.9, "gone")), 2, Verdict.CRASHED, id="it restarts in stays"),
        pytest.param(
            after((0.2, SAID), (0.3, "gone"), (0.4, "app")), 2, None, id="it speaks before it enumerates: no restart"
        ),
        pytest.param(
            after((0.2, SAID), (0.4, "app"), (0.9, "gone")), 2, Verdict.CRASHED, id="it speaks first, and restarts"
        ),
        pytest.param(after((0.2, SAID), (0.4, "dfu")), 2, Verdict.CRASHED, id="back in its bootloader in stays"),
        pytest.param(
            after((0.2, "app"), (0.5, "gone"), (0.9, "app"), (1.0, SAID)), 0, Verdict.RUNS, id="a replug before it"
        ),
        pytest.param(
            after(*((0.5 * n, what) for n in range(1, 11) for what in ("app", "gone")), (5.6, "time")),
            0,
            Verdict.SILENT,
            id="a boot loop without a word",
        ),
        pytest.param(after((0.3, "boot ok, app1 1.0.6")), 0, Verdict.ANOTHER_BUILD, id="another version"),
        pytest.param(after((0.3, "boot ok, app1 1.0.6")), 2, Verdict.ANOTHER_BUILD, id="at once, whatever stays"),
        pytest.param(after((0.3, "half boot ok, app1 1.0"), (0.5, SAID)), 0, Verdict.RUNS, id="half a version"),
        pytest.param(after((0.3, "half " + SAID + " > ")), 0, Verdict.RUNS, id="no end of line, as a prompt"),
        pytest.param(after((0.3, "half " + SAID)), 0, None, id="no end of line, and more of the version may come"),
        pytest.param(after((0.3, SAID + " HardFault")), 0, Verdict.CRASHED, id="both in one line"),
        pytest.param(after((0.2, "app"), (5.2, "deaf")), 0, Verdict.UNKNOWN, id="another program has the port"),
        pytest.param(after((0.3, SAID), (2.4, "deaf")), 2, Verdict.UNKNOWN, id="it was taken inside stays"),
    ],
)
def test_each_order_of_events_has_its_verdict(orders: tuple[Order, ...], stays: float, verdict: Verdict | None) -> None:
    judge = judged(rules(stays=stays), *orders)
    assert (judge.verdict and judge.verdict.verdict) is verdict


@pytest.mark.parametrize(("said", "expected"), [("1.0.6", ""), ("1.0.7", "1.0.7")])
def test_without_a_version_to_compare_there_is_no_other_build(said: str, expected: str) -> None:
    judge = judged(rules(expected=expected), Order(0.3, f"boot ok, app1 {said}"))
    assert judge.verdict is not None
    assert judge.verdict.verdict is Verdict.RUNS
    assert judge.verdict.version == said


@pytest.mark.parametrize(
    ("said", "expected", "same"),
    [
        ("1.0.7", "1.0.7", True),
        ("1.0.7", "app1 1.0.7", True),
        ("app1 1.0.7", "1.0.7", True),
        ("v1.0.7", "1.0.7", True),
        ("1.0.7", "app1 v1.0.7 (gcc 13)", True),
        ("1.0.7", "1.0.7-dirty", False),
        ("1.0", "1.0.7", False),
        ("1.0.6", "app1 1.0.7", False),
        ("app2 1.0.7", "app1 1.0.7", False),
        ("1.0.7", "build-id 1f2e3d4c5b6a", True),
        ("a1b2c3d", "build-id 1f2e3d4c5b6a", True),
        ("1F2E3D4C5B6A", "build-id 1f2e3d4c5b6a", True),
        ("1f2e3d4c5b6b", "build-id 1f2e3d4c5b6a", False),
    ],
)
def test_a_version_is_the_same_with_and_without_the_name_of_the_program(said: str, expected: str, same: bool) -> None:
    assert is_same_version(said, expected) is same


def test_time_decides_nothing_of_a_board_that_was_not_seen() -> None:
    assert judged(rules()).due is None
    assert judged(rules(), Order(0.2, "app")).due == 100.2 + 5
    assert judged(rules(sees_app=False)).due == 100 + LATEST_SIGHT + 5


def test_a_board_without_a_usb_device_that_says_nothing_is_not_seen() -> None:
    quiet = rules(sees_app=False)
    early, late = (judged(quiet, Order(LATEST_SIGHT + 5 + more, "time")) for more in (-0.1, 0.1))
    assert early.verdict is None
    assert late.verdict is not None
    assert late.verdict.verdict is Verdict.NOT_SEEN


@pytest.mark.parametrize(
    ("orders", "answer", "shown"),
    [
        (after((0.3, SAID), (9.0, "HardFault")), Verdict.RUNS, Verdict.CRASHED),
        (after((0.3, SAID), (9.0, "HardFault"), (9.5, SAID)), Verdict.RUNS, Verdict.CRASHED),
        (after((0.2, "app"), (5.3, "time"), (7.0, SAID)), Verdict.SILENT, Verdict.RUNS),
        (after((0.2, "app"), (5.3, "time"), (7.0, "boot ok, app1 1")), Verdict.SILENT, Verdict.ANOTHER_BUILD),
        (after((0.2, "app"), (5.3, "deaf"), (7.0, SAID)), Verdict.UNKNOWN, Verdict.RUNS),
        (after((0.3, SAID), (9.0, "gone"), (9.4, "app"), (9.5, SAID)), Verdict.RUNS, Verdict.RUNS),
    ],
)
def test_what_comes_later_changes_what_is_shown_and_not_the_answer(
    orders: tuple[Order, ...], answer: Verdict, shown: Verdict
) -> None:
    judge = judged(rules(), *orders)
    assert judge.verdict is not None
    assert judge.shown is not None
    assert (judge.verdict.verdict, judge.shown.verdict) == (answer, shown)


def test_the_lines_that_decided_are_kept() -> None:
    judge = judged(rules(stays=2), Order(0.3, SAID), Order(0.9, "HardFault " + "x" * 2 * KEPT_LINE))
    assert judge.verdict is not None
    first, second = judge.verdict.lines
    assert first == SAID
    assert second.startswith("HardFault")
    assert len(second) == KEPT_LINE
    assert judge.verdict.after == 0.9


EVENTS = st.sampled_from(
    ["app", "gone", "byte", "time", SAID, "boot ok, app1 2", "half boot ok, app1 1", "x", "HardFault"]
)


@given(st.lists(st.tuples(st.floats(0, 30), EVENTS), max_size=30), st.sampled_from([0.0, 2.0]), st.booleans())
def test_no_answer_changes_and_time_brings_one(events: list[tuple[float, str]], stays: float, sees: bool) -> None:
    judge = StartJudge(rules(stays=stays, sees_app=sees), 100.0)
    answer = None
    for at, what in sorted(events):
        match what:
            case "app":
                judge.see_app(100 + at)
            case "gone":
                judge.lose_app(100 + at)
            case "byte":
                judge.hear_byte(100 + at)
            case "time":
                judge.pass_time(100 + at)
            case text:
                judge.hear_line(text.removeprefix("half "), 100 + at, is_whole=not text.startswith("half "))
        assert answer is None or judge.verdict == answer
        answer = judge.verdict
        assert judge.shown is None or judge.verdict is not None
    for _ in range(2):
        if (due := judge.due) is not None:
            judge.pass_time(due)
            assert judge.due is None or judge.due > due, "whoever waits for it would ask again and again"
    assert judge.verdict is not None or (sees and not judge.is_seen)
    said = {what.removeprefix("half ") for _, what in events}
    if judge.verdict is not None and judge.verdict.verdict is Verdict.RUNS:
        assert SAID in said
    if judge.verdict is not None and judge.verdict.verdict in DOES_NOT_RUN - {Verdict.SILENT}:
        assert said & {"HardFault", "boot ok, app1 2", SAID}
