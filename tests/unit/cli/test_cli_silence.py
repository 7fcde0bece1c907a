"""A board that stops answering while its job is followed: said though no change of the job comes."""

import pytest

from flashdeck.job_state import DeviceWork, JobStatus, Phase, Running, TimeClaim
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


def claiming(seconds: float, work: DeviceWork = DeviceWork.BLOCK, answered_at: float = 100) -> JobState:
    claim = TimeClaim(work=work, seconds=seconds, waits=min(seconds, 10))
    return job(Running(phase=Phase.WRITE, done=31, total=100, since=100, answered_at=answered_at, claim=claim))


def test_a_pipe_is_told_at_once_what_a_board_claims_and_once_for_each_kind_of_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 100.0
    lines = progress.Lines([running(100)], clock=lambda: now)
    capsys.readouterr()
    for block in range(3):
        lines.show(claiming(10, answered_at=now))
        now += 5
        lines.look()
        now += 5
        lines.show(running(now, done=31 + block))
    assert capsys.readouterr().err == "left app1: writing, the board claims 10 s for this block\n"
    lines.show(claiming(16777.215, DeviceWork.ERASE, answered_at=now))
    said = "left app1: writing, the board claims 4 h 39 min for this erase (waiting 10 s)\n"
    assert capsys.readouterr().err == said
    now += 30
    lines.look()
    assert capsys.readouterr().err == "left app1: writing, no answer for 30 s\n"


def test_a_bar_says_what_a_board_claims(capsys: pytest.CaptureFixture[str]) -> None:
    bars = progress.Bars([claiming(10)], clock=lambda: 104.0)
    assert "left app1  writing 31 %, the board claims 10 s for this block\n" in capsys.readouterr().err
    bars.close()


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
