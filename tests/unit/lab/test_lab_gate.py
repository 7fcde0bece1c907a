"""Whose jobs start on a board of a lab: every case of what is known, against who asks."""

import itertools

import pytest

from flashdeck.job_state import Origin
from flashdeckd.jobs.lab_gate import LabGate, LabHolding

ANN, BOB, EVE = "desk/ann", "cellar/bob", "attic/eve"
HELD = LabHolding(place="left", holder=ANN, allowed=frozenset({BOB}), since=1.0)
COMING = LabHolding(place="left")


@pytest.mark.parametrize("origin", [Origin.BUILD, Origin.HAND, Origin.FLASHDECK])
@pytest.mark.parametrize("is_away", [True, False])
def test_what_is_held_is_used_by_its_holder_and_those_whom_it_allows(origin: Origin, *, is_away: bool) -> None:
    gate = LabGate(holding=HELD, is_known=True, is_away=is_away)
    assert [gate.why_not(origin, user) for user in (ANN, BOB)] == ["", ""]
    for user in ("", EVE):
        assert gate.why_not(origin, user) == f"taken by {ANN} for place left"
    assert [gate.admits(user) for user in (ANN, BOB, EVE, "")] == [True, True, False, False]


@pytest.mark.parametrize(("origin", "user"), [*itertools.product([Origin.BUILD, Origin.HAND], ["", ANN, BOB])])
def test_what_is_acquired_just_now_is_nobodys_until_the_holder_is_known(origin: Origin, user: str) -> None:
    gate = LabGate(holding=COMING, is_known=True, only_for=ANN)
    assert "taken by a user of labgrid" in gate.why_not(origin, user)
    assert not gate.admits(user)


def test_builds_flash_for_one_user_alone() -> None:
    def why(*, holding: LabHolding | None, is_known: bool = True, is_away: bool = False) -> str:
        return LabGate(holding=holding, is_known=is_known, is_away=is_away, only_for=ANN).why_not(Origin.BUILD, "")

    assert why(holding=HELD) == ""
    assert why(holding=None) == f"builds wait until {ANN} has acquired its place in labgrid"
    assert why(holding=LabHolding(place="left", holder=BOB)) == f"taken by {BOB} for place left"
    assert "is away" in why(holding=HELD, is_away=True)
    assert "is away" in why(holding=None, is_away=True)
    assert "labgrid has said" in why(holding=None, is_known=False)


def test_before_anything_is_known_nothing_starts_and_with_no_coordinator_hands_alone() -> None:
    unknown, alone = LabGate(), LabGate(is_away=True)
    for user in ("", ANN):
        assert "has not yet said" in unknown.why_not(Origin.HAND, user)
        assert not unknown.admits(user)
        assert alone.why_not(Origin.HAND, user) == ""
        assert alone.admits(user)
    assert "builds wait" in unknown.why_not(Origin.BUILD, "")
    assert "builds wait" in alone.why_not(Origin.BUILD, "")
    assert "builds wait" in alone.why_not(Origin.FLASHDECK, "")


def test_a_free_board_is_everybodys() -> None:
    for is_away in (False, True):
        gate = LabGate(is_known=True, is_away=is_away)
        assert [gate.why_not(origin, "") for origin in (Origin.BUILD, Origin.HAND)] == ["", ""]
