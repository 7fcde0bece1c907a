"""How long a file has rested, by its own time of change: never longer than it really has, however clocks are set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.builds.status_clock import CLOCK_STEP, WHOLE_SECONDS, StatusClock

EPOCH = 1_700_000_000.25
TICK = 0.004
STARTED = 100.0


class Machine:
    """A monotonic clock, and a wall clock that can be set."""

    def __init__(self) -> None:
        self.now = STARTED
        self.set_by = 0.0
        self.clock = StatusClock(TICK)
        self.rested(0)  # a first look, long ago

    @property
    def wall(self) -> float:
        return EPOCH + self.now + self.set_by

    def stamp(self) -> int:
        """The time of change of a file that changes now."""
        return int(self.wall * 1e9)

    def rested(self, changed_ns: int, *, reading: float = 0.0) -> float:
        self.clock.read(self.now, self.wall, self.now + reading)
        return self.clock.rested(changed_ns)


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.now += 1000
    return machine


def test_a_late_look_knows_how_long_the_file_has_rested(machine: Machine) -> None:
    changed = machine.stamp()
    machine.now += 0.7
    assert machine.rested(changed) == pytest.approx(0.7 - TICK, abs=1e-5)


def test_the_first_look_of_all_knows_nothing(machine: Machine) -> None:
    machine.clock = StatusClock(TICK)
    assert machine.rested(machine.stamp() - 10**9) == 0


def test_a_change_in_the_future_is_not_believed(machine: Machine) -> None:
    assert machine.rested(machine.stamp() + 3600 * 10**9) == 0


@pytest.mark.parametrize("by", [3600.0, 1.1 * CLOCK_STEP])
def test_a_clock_set_forward_since_the_change_adds_nothing(machine: Machine, by: float) -> None:
    changed = machine.stamp()
    machine.set_by += by
    assert machine.rested(changed) == 0
    machine.now += 0.3
    assert machine.rested(changed) == pytest.approx(0.3)


def test_a_clock_set_back_since_the_change_adds_nothing(machine: Machine) -> None:
    changed = machine.stamp()
    machine.set_by -= 3600
    machine.now += 0.3
    assert machine.rested(changed) == 0
    later = machine.stamp()
    machine.now += 0.3
    assert machine.rested(later) == pytest.approx(0.3 - TICK, abs=1e-5)


def test_a_clock_that_was_set_back_and_forth_between_two_looks_adds_nothing_that_was_not(machine: Machine) -> None:
    machine.set_by -= 3600
    changed = machine.stamp()  # "an hour ago"
    machine.set_by += 3600 + 1.1 * CLOCK_STEP
    assert machine.rested(changed) == 0


@pytest.mark.parametrize(("by", "is_believed"), [(0.9 * CLOCK_STEP, True), (1.1 * CLOCK_STEP, False)])
def test_clocks_may_part_a_little_between_two_looks(machine: Machine, by: float, is_believed: bool) -> None:
    changed = machine.stamp()
    machine.now += 5
    machine.set_by += by
    assert (machine.rested(changed) > 0) is is_believed


def test_clocks_that_could_not_be_read_together_say_nothing_and_hide_nothing(machine: Machine) -> None:
    changed = machine.stamp()
    machine.now += 1
    assert machine.rested(changed, reading=1.1 * CLOCK_STEP) == 0
    assert machine.rested(changed, reading=0.9 * CLOCK_STEP) > 0
    machine.set_by += 3600
    assert machine.rested(changed, reading=1.1 * CLOCK_STEP) == 0
    assert machine.rested(changed) == 0


@pytest.mark.parametrize("rested", [0.9, 1.5])
def test_a_file_system_that_keeps_whole_seconds_is_believed_a_second_less(machine: Machine, rested: float) -> None:
    changed = machine.stamp()
    machine.now += rested
    assert machine.rested(changed // 10**9 * 10**9) == pytest.approx(max(0.0, rested + 0.25 - WHOLE_SECONDS), abs=1e-5)


events = st.lists(
    st.one_of(
        st.tuples(st.just("time passes"), st.floats(0, 5)),
        st.tuples(st.just("the clock is set"), st.floats(-3600, 3600)),
        st.tuples(st.just("the file changes"), st.just(0.0)),
        st.tuples(st.just("somebody looks"), st.just(0.0)),
    ),
    max_size=30,
)


@given(events)
def test_a_file_never_seems_to_have_rested_longer_than_it_has(happening: list[tuple[str, float]]) -> None:
    machine = Machine()
    changed, really = machine.stamp(), machine.now
    for what, amount in happening:
        if what == "time passes":
            machine.now += amount
        elif what == "the clock is set":
            machine.set_by += amount
        elif what == "the file changes":
            changed, really = machine.stamp(), machine.now
        else:
            # Setting it so little at once is not told from slewing, and costs no more than that.
            assert machine.rested(changed) <= machine.now - really + 30 * CLOCK_STEP
