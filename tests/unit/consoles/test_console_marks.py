"""What happened to a board, as marks: one each, in the order in which it happened."""

from flashdeck.config import UsbId
from flashdeck.job_state import JobKind, JobStatus, Origin, Phase, Queued, Running, Written
from flashdeck.model import JobState, Presence
from flashdeckd.consoles.console_marks import BoardMarks, Mark
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Sighting


def device(address: int) -> UsbDevice:
    return UsbDevice("1-4", "pci-0000:00:14.0-usb-0:4", 1, address, UsbId(0x0483, 0xDF11), 0x0100)


def dfu(address: int = 1) -> Sighting:
    return Sighting(Presence.DFU, device(address))


def app(address: int = 2) -> Sighting:
    return Sighting(Presence.APP, device(address))


def job(status: JobStatus, number: int = 7) -> JobState:
    return JobState(
        id=number,
        kind=JobKind.FLASH,
        board="left",
        partition="app1",
        sha256="ab" * 32,
        size=1,
        version="1.0.1",
        origin=Origin.BUILD,
        status=status,
        created_at=0.0,
    )


RUNNING = Running(phase=Phase.WRITE, since=0.0, answered_at=0.0)
LEAVES = Presence.APP


def of(marks: BoardMarks, *happened: JobState | Sighting | Presence) -> list[Mark]:
    found: list[Mark] = []
    for each in happened:
        match each:
            case JobState():
                found += marks.of_job(each)
            case Sighting():
                found += marks.of_sighting(each)
            case _:
                found += marks.of_restart(each)
    return found


def test_a_flash_from_the_first_request_to_the_application() -> None:
    steps = (dfu(), job(Queued()), job(RUNNING), job(RUNNING), job(Written()), LEAVES, ABSENT, app())
    assert of(BoardMarks(), *steps) == [
        Mark("in DFU mode at 1-4"),
        Mark("job 7: 1.0.1 into app1", job=7),
        Mark("job 7: leave", is_leave=True, job=7),
        Mark("off the bus"),
        Mark("running at 1-4"),
    ]


def test_several_jobs_leave_once() -> None:
    steps = (dfu(), job(RUNNING), job(Written()), job(RUNNING, 8), LEAVES, LEAVES)
    assert [mark.text for mark in of(BoardMarks(), *steps) if mark.is_leave] == ["job 8: leave"]


def test_a_board_that_comes_back_in_dfu_mode_is_told_so_and_may_leave_again() -> None:
    marks = BoardMarks()
    steps = (dfu(), job(RUNNING), job(Written()), LEAVES, ABSENT, dfu(2))
    assert of(marks, *steps)[-1] == Mark("back in DFU mode at 1-4")
    assert of(marks, LEAVES) == [Mark("leave", is_leave=True)]


def test_a_board_that_is_asked_to_come_is_told_so() -> None:
    assert of(BoardMarks(app()), Presence.DFU, ABSENT, dfu(3)) == [
        Mark("asked to restart into DFU mode"),
        Mark("off the bus"),
        Mark("in DFU mode at 1-4"),
    ]


def test_who_leaves_by_hand_has_left_too() -> None:
    assert of(BoardMarks(dfu()), ABSENT, app()) == [Mark("off the bus", is_leave=True), Mark("running at 1-4")]
    assert of(BoardMarks(dfu()), app()) == [Mark("running at 1-4", is_leave=True)]


def test_a_replug_within_one_look_is_told() -> None:
    assert of(BoardMarks(app(2)), app(2), app(3)) == [Mark("running at 1-4 again")]


def test_a_job_that_goes_on_after_an_interruption_begins_again() -> None:
    steps = (job(RUNNING), job(Queued()), job(RUNNING))
    assert [mark.text for mark in of(BoardMarks(), *steps)] == ["job 7: 1.0.1 into app1"] * 2
