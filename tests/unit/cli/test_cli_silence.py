"""A board that stops answering while its job is followed: said though no change of the job comes."""

import pytest

from flashdeck.job_state import JobStatus, Phase, Running
from flashdeck.model import JobState, Origin
from flashdeck_tui.cli import progress


def job(status: JobStatus) -> JobState:
    return JobState(
        id=1,
        board="left",
        partition="app1",
        sha256="00",
        size=100,
        origin=Origin.HAND,
        status=status,
        created_at=0,
    )


def running(answered_at: float, done: int = 31) -> JobState:
    return job(Running(phase=Phase.WRITE, done=done, total=100, since=100, answered_at=answered_at))


def test_a_pipe_is_told_once_each_time_that_a_board_falls_silent(capsys: pytest.CaptureFixture[str]) -> None:
    now = 101.0
    lines = progress.Lines([running(100)], clock=lambda: now)
    lines.look()
    assert capsys.readouterr().err == "left app1: writing\n"
    for now in (104.0, 105.0, 106.0):  # noqa: B007 - the clock reads it
        lines.look()
    assert capsys.readouterr().err == "left app1: writing, no answer for 4 s\n"
    lines.show(running(107))
    now = 107.5
    lines.look()
    now = 120.0
    lines.look()
    assert capsys.readouterr().err == "left app1: writing, no answer for 13 s\n"


def test_a_bar_counts_the_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = 101.0
    bars = progress.Bars([running(100)], clock=lambda: now)
    assert "no answer" not in capsys.readouterr().err
    bars.look()
    assert capsys.readouterr().err == "", "nothing is drawn while the board answers"
    for now in (104.0, 112.0):
        bars.look()
        assert f"31 % of 100 B, no answer for {now - 100:.0f} s" in capsys.readouterr().err


def test_a_note_stands_above_the_bars_and_stays(capsys: pytest.CaptureFixture[str]) -> None:
    bars = progress.Bars([], clock=lambda: 100.0)
    bars.note("left app1: kept open")
    assert capsys.readouterr().err == "left app1: kept open\n"
    bars.show(running(100))
    capsys.readouterr()
    bars.note("left app1: kept open by another")
    drawn = capsys.readouterr().err
    assert drawn.startswith("\x1b[1A\x1b[J")
    assert drawn.index("kept open by another\n") < drawn.index("31 %")
    lines = progress.Lines([])
    lines.note("left app1: kept open")
    assert capsys.readouterr().err == "left app1: kept open\n"
