"""The settle rule, without files."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.builds.gate import BUSY_RETRY, BUSY_SHARE, MAX_BUSY_RETRY, ROUNDING, Fingerprint, Gate

FILE = Fingerprint("/build/APP1.bin", 1, 2, 3, 4, 5)
OTHER = replace(FILE, modified_ns=6, changed_ns=6)


def test_an_unchanged_file_settles_after_its_time() -> None:
    gate = Gate(0.5)
    assert gate.see(10.0, FILE) == 0.5
    assert gate.see(10.2, FILE) == pytest.approx(0.3)
    assert gate.see(10.5, FILE) == 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(FILE, path="/build/APP2.bin"),
        replace(FILE, device=9),
        replace(FILE, inode=9),
        replace(FILE, size=9),
        replace(FILE, modified_ns=9),
        replace(FILE, changed_ns=9),
    ],
)
def test_any_change_begins_the_time_anew(changed: Fingerprint) -> None:
    gate = Gate(0.5)
    gate.see(0.0, FILE)
    assert gate.see(0.4, changed) == 0.5
    assert gate.see(0.5, changed) == pytest.approx(0.4)


def test_a_file_that_is_gone_and_comes_back_begins_anew() -> None:
    gate = Gate(0.5)
    gate.see(0.0, FILE)
    assert gate.see(0.1, None) is None
    assert gate.see(0.5, FILE) == 0.5


def test_the_time_begins_when_the_last_writer_is_seen_gone() -> None:
    gate = Gate(0.5)
    for tick in range(100):
        assert gate.see(tick / 100, FILE, busy=True) == BUSY_RETRY
    assert gate.see(20.0, FILE) == 0.5
    assert gate.see(20.5, FILE) == 0


def test_a_file_that_stays_open_is_looked_at_less_and_less_often_up_to_a_limit() -> None:
    gate = Gate(0.5)
    assert gate.kept_open(0.0) == 0
    for now, pause in (
        (0.0, BUSY_RETRY),
        (BUSY_RETRY / BUSY_SHARE, BUSY_RETRY),
        (10 * BUSY_RETRY / BUSY_SHARE, 10 * BUSY_RETRY),
        (MAX_BUSY_RETRY / BUSY_SHARE, MAX_BUSY_RETRY),
        (9 * MAX_BUSY_RETRY / BUSY_SHARE, MAX_BUSY_RETRY),
    ):
        assert gate.see(now, replace(FILE, changed_ns=int(now)), busy=True) == pytest.approx(pause)
        assert gate.kept_open(now) == now
    gate.see(now, FILE)
    assert gate.kept_open(now) == 0
    assert gate.see(now, FILE, busy=True) == BUSY_RETRY


def test_the_rest_that_the_file_itself_shows_counts() -> None:
    gate = Gate(0.5)
    assert gate.see(10.0, FILE, rested=0.2) == pytest.approx(0.3)
    assert gate.see(10.1, FILE, rested=0.3) == pytest.approx(0.2)
    assert gate.see(10.2, OTHER, rested=0.5) == 0


def test_a_rest_that_is_not_known_any_more_takes_nothing_back() -> None:
    gate = Gate(0.5)
    gate.see(10.0, FILE, rested=0.3)
    assert gate.see(10.1, FILE) == pytest.approx(0.1)


def test_the_rest_before_the_last_writer_was_seen_gone_does_not_count() -> None:
    gate = Gate(0.5)
    gate.see(10.0, FILE, busy=True)
    gate.see(10.2, FILE, busy=True)
    assert gate.see(10.3, FILE, rested=60.0) == 0.5
    assert gate.see(10.4, FILE, rested=60.0) == pytest.approx(0.4)


def test_a_longer_rest_can_be_asked_for_and_a_settle_time_changed() -> None:
    gate = Gate(0.5)
    assert gate.see(0.0, FILE, least=2.0) == 2.0
    assert gate.see(0.0, FILE, least=0.1) == 0.5
    gate.settle = 3.0
    assert gate.see(0.5, FILE, least=2.0) == 2.5


def test_what_has_passed_is_not_waited_for_until_it_changes() -> None:
    gate = Gate(0.5)
    gate.see(0.0, FILE)
    gate.passed = FILE
    assert gate.see(9.0, FILE) is None
    assert gate.see(10.0, OTHER) == 0.5


def test_without_a_settle_time_the_writer_alone_decides() -> None:
    gate = Gate(0.0)
    assert gate.see(0.0, FILE, busy=True) == BUSY_RETRY
    assert gate.see(1.0, FILE) == 0


sightings = st.lists(
    st.tuples(st.floats(0.0, 1.0), st.sampled_from([None, FILE, OTHER]), st.booleans()), min_size=1, max_size=30
)


@given(sightings, st.floats(0.01, 1.0))
def test_nothing_settles_that_was_not_seen_at_rest_for_its_time(
    seen: list[tuple[float, Fingerprint | None, bool]], settle: float
) -> None:
    gate = Gate(settle)
    now = 0.0
    history: list[tuple[float, Fingerprint | None, bool]] = []
    for pause, fingerprint, busy in seen:
        now += pause
        history.append((now, fingerprint, busy))
        if gate.see(now, fingerprint, busy=busy) == 0:
            rest = now
            for when, what, written in reversed(history):
                if what != fingerprint or written:
                    break
                rest = when
            assert fingerprint is not None
            assert now - rest >= settle - 1e-5


def test_less_than_a_rounding_is_not_waited_for() -> None:
    gate = Gate(0.0)
    gate.see(0.0, FILE)
    for left, wait in ((1.01, True), (0.99, False)):
        gate = Gate(left * ROUNDING)
        assert (gate.see(0.0, FILE) != 0) is wait
