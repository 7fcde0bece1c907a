"""The doctor on host controllers: quiet on one without a limit, a hint where many boards are cut short."""

from flashdeck.job_state import Done, JobKind, Origin
from flashdeck.model import ControllerState, JobState
from flashdeckd.diagnosis.controller_findings import CROWD, SETTLED_ON, findings

NAMES = tuple(f"rack-{number}" for number in range(CROWD))
ONE = ControllerState(name="pci-0000:00:14.0", boards=NAMES)
OTHER = ControllerState(name="pci-0000:00:1a.0", boards=("far",))


def jobs_of(names: tuple[str, ...], attempts: int) -> list[JobState]:
    return [
        JobState(
            id=number,
            board=name,
            partition="app1",
            kind=JobKind.FLASH,
            sha256="",
            size=1,
            version="",
            origin=Origin.BUILD,
            created_at=0.0,
            attempts=attempts,
            status=Done(),
        )
        for number, name in enumerate(names, 1)
    ]


def test_one_controller_without_a_limit_is_nothing_to_tell() -> None:
    assert list(findings((ONE,), jobs_of(NAMES, 1))) == []


def test_what_each_carries_is_told_where_there_are_two_or_a_limit() -> None:
    assert [each.seen for each in findings((ONE, OTHER), ())] == [
        "controller pci-0000:00:14.0: 3 boards, 0 busy",
        "controller pci-0000:00:1a.0: 1 board, 0 busy",
    ]
    limited = ControllerState(name="pci", boards=NAMES, busy=NAMES[:1], waiting=NAMES[1:], limit=1)
    (told,) = findings((limited,), jobs_of(NAMES, 5))
    assert told.seen == "controller pci: 3 boards, 1 of at most 1 busy, 2 waiting"


def test_many_boards_that_were_cut_short_are_a_reason_for_a_limit() -> None:
    (told,) = findings((ONE,), jobs_of(NAMES, 3))
    assert told.code == "controller-crowded"
    assert f"needed {2 * CROWD} more attempts" in told.seen
    assert f"max_per_controller = {SETTLED_ON} " in told.mend


def test_a_few_boards_that_were_cut_short_are_their_own_trouble() -> None:
    assert list(findings((ONE,), jobs_of(NAMES[:-1], 9))) == []
