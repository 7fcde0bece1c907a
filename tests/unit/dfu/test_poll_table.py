"""The table of polling: every state is reached, every event decided, and nothing is learned from a late question."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.dfu.pace import LEARNED, NEXT, Pace, PollEvent, PollState, first_state

LAST = frozenset(PollState) - frozenset(NEXT)
STARTS = {first_state(pace, erase=erase) for pace in Pace for erase in (False, True)}
ENDINGS = frozenset((PollEvent.DONE, PollEvent.FAILURE, PollEvent.LOST, PollEvent.SILENCE, PollEvent.STUCK))
UNDER_WAY = sorted(frozenset(PollEvent) - ENDINGS, key=lambda event: event.name)


def reached(starts: Iterable[PollState]) -> set[PollState]:
    seen, left = set[PollState](), list(starts)
    while left:
        state = left.pop()
        if state not in seen:
            seen.add(state)
            left += NEXT.get(state, {}).values()
    return seen


def after(start: PollState, events: Iterable[PollEvent]) -> PollState:
    state = start
    for event in events:
        state = NEXT[state][event]
    return state


def test_every_state_is_reached() -> None:
    assert reached(STARTS) == set(PollState)


@pytest.mark.parametrize("state", list(NEXT))
def test_every_event_of_every_state_is_decided_and_every_ending_ends(state: PollState) -> None:
    assert set(NEXT[state]) == set(PollEvent)
    assert {event for event, to in NEXT[state].items() if to in LAST} == ENDINGS


def test_only_what_has_ended_teaches_anything() -> None:
    assert set(LEARNED) == LAST - {PollState.ENDED}


@pytest.mark.parametrize("pace", Pace)
def test_a_pace_that_is_known_never_becomes_another_but_for_an_objection(pace: Pace) -> None:
    for erase in (False, True):
        learned = {LEARNED[state] for state in reached([first_state(pace, erase=erase)]) if state in LEARNED}
        if pace is Pace.UNPROVEN and erase:
            assert learned == set(Pace) - {Pace.UNPROVEN}
        else:
            assert learned == (set() if pace in {Pace.UNPROVEN, Pace.CLAIMED} else {Pace.CLAIMED})


@given(
    start=st.sampled_from(sorted(STARTS, key=lambda state: state.name)),
    events=st.lists(st.sampled_from(UNDER_WAY), max_size=8),
    ending=st.sampled_from(sorted(ENDINGS, key=lambda event: event.name)),
)
def test_an_operation_that_was_never_asked_early_teaches_nothing(
    start: PollState, events: list[PollEvent], ending: PollEvent
) -> None:
    end = after(start, [*events, ending])
    if PollEvent.HURRY not in events or start is PollState.OBEYING:
        assert end is PollState.ENDED
    elif ending is PollEvent.FAILURE:
        assert end is PollState.OBJECTED
    elif ending is PollEvent.DONE and start is PollState.TRIAL:
        questions = [event for event in events if event is not PollEvent.HURRY]
        expected = PollState.PATIENT if questions else PollState.SYNCHRONOUS
        assert end is (PollState.STALLING if PollEvent.STALL in questions else expected)
