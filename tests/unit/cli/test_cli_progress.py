"""Progress of jobs on stderr: what is said of a board that does not answer."""

import pytest

from canned_daemon import NOW, job
from flashdeck.job_state import Phase, Running
from flashdeck_tui.cli import progress


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def writing(answered_at: float, done: int = 100) -> Running:
    return Running(phase=Phase.WRITE, done=done, total=1000, since=NOW, answered_at=answered_at)


def test_a_board_that_does_not_answer_is_told_once_until_it_answers(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = progress.Lines([job(status=writing(NOW))], clock)
    for _ in range(20):
        clock.now += 1
        lines.look()
    assert capsys.readouterr().err.splitlines() == ["left app1: writing", "left app1: writing, no answer for 3 s"]
    lines.show(job(status=writing(clock.now, 200)))
    lines.look()
    assert capsys.readouterr().err == ""
    clock.now += 12
    lines.look()
    assert capsys.readouterr().err == "left app1: writing, no answer for 12 s\n"


def test_a_bar_counts_the_seconds_without_an_answer(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bars = progress.Bars([job(status=writing(NOW))], clock)
    capsys.readouterr()
    bars.look()
    assert capsys.readouterr().err == "", "nothing is new"
    for seconds in (3, 12):
        clock.now = NOW + seconds
        bars.look()
        assert capsys.readouterr().err.endswith(f"10 % of 1000 B, no answer for {seconds} s\n")
