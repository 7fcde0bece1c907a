"""The times in which a start could not be heard: which of them take its meaning from silence."""

import pytest

from flashdeckd.consoles.deaf_times import LATE_SECONDS, DeafTimes

LATE = LATE_SECONDS + 0.1
SOON = LATE_SECONDS - 0.1
HELD = "tio (pid 7) has it open"


def times(*what: tuple[float, str], there: bool = False, is_open: bool = False) -> DeafTimes:
    made = DeafTimes(0.0, is_there=there, is_open=is_open)
    for at, each in what:
        match each:
            case "open":
                made.opened(at)
            case "closed":
                made.closed(at)
            case "held":
                made.refused(HELD)
            case _:
                made.there(at, is_there=each == "there")
    return made


@pytest.mark.parametrize(
    ("what", "is_deaf"),
    [
        pytest.param([(1, "there"), (1.1, "open")], False, id="opened at once"),
        pytest.param([(1, "there"), (1 + SOON, "open")], False, id="a moment later"),
        pytest.param([(1, "there"), (1 + LATE, "open")], True, id="late"),
        pytest.param([(1, "there")], True, id="never"),
        pytest.param([(1, "there"), (1, "held"), (1.2, "open")], True, id="another program had it, however short"),
        pytest.param([(1, "held"), (1, "there"), (1.2, "open")], False, id="that was before it came"),
        pytest.param([(1, "there"), (1.1, "open"), (2, "gone"), (2, "closed"), (5, "there"), (5.1, "open")], False),
        pytest.param(
            [
                each
                for n in range(9)
                for each in ((n, "there"), (n + 0.2, "open"), (n + 0.5, "gone"), (n + 0.5, "closed"))
            ],
            False,
            id="a boot loop",
        ),
        pytest.param([(1, "there"), (1.1, "open"), (2, "closed"), (2, "gone"), (9.95, "there")], False, id="just come"),
        pytest.param([(1, "there"), (1.1, "open"), (2, "closed"), (9, "held")], True, id="taken"),
    ],
)
def test_silence_proves_nothing_where_nobody_could_hear(what: list[tuple[float, str]], is_deaf: bool) -> None:
    assert bool(times(*what).since(0.0, 10.0)) is is_deaf


def test_only_what_was_missed_since_counts() -> None:
    late = times((1, "there"), (4, "held"), (5, "open"))
    assert HELD in late.since(0.0, 10.0)
    assert not late.since(6.0, 10.0)


def test_a_port_that_stays_is_missed_from_the_leave_on() -> None:
    assert not times(there=True, is_open=True).since(0.0, 10.0)
    assert times((LATE, "open"), there=True).since(0.0, 10.0)
    assert not times((SOON, "open"), there=True).since(0.0, 10.0)
