"""The answers of several machines as one: boards are called HOST/BOARD, rows stand in one table. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace

from flashdeck import api
from flashdeck.model import BoardState, DeviceState, JobState, LogLine
from flashdeck_tui.cli.answers import History
from flashdeck_tui.cli.outcome import Result

T = TypeVar("T")
Answers = Sequence[tuple[str, T]]
"""Each machine that answered, with its answer."""


def mark_board(host: str, board: BoardState) -> BoardState:
    """Return a board under the name that it has among those of several machines."""
    return replace(board, name=f"{host}/{board.name}")


def mark_job(host: str, job: JobState) -> JobState:
    """Return a job of such a board."""
    return replace(job, board=f"{host}/{job.board}")


def boards(answers: Answers[api.BoardList]) -> api.BoardList:
    """Return all boards, and all devices that are none."""
    return api.BoardList(
        boards=_each(answers, lambda host, reply: (mark_board(host, board) for board in reply.boards)),
        devices=_each(answers, lambda host, reply: (mark_device(host, device) for device in reply.devices)),
    )


def mark_device(host: str, device: DeviceState) -> DeviceState:
    """Return a device with the machine that its port is at."""
    return replace(device, port=f"{host}/{device.port}")


def jobs(answers: Answers[api.JobList]) -> api.JobList:
    """Return all jobs, the newest first."""
    found = _each(answers, lambda host, reply: (mark_job(host, job) for job in reply.jobs))
    notes = _each(answers, lambda host, reply: (f"{host}: {note}" for note in reply.notes))
    return api.JobList(jobs=tuple(sorted(found, key=lambda job: job.at, reverse=True)), notes=notes)


def plans(answers: Answers[api.PlanList]) -> api.PlanList:
    """Return all plans."""
    return api.PlanList(plans=_each(answers, _plans))


def results(answers: Answers[Result]) -> Result:
    """Return what became of the jobs of all."""
    return Result(
        _each(answers, lambda host, reply: (mark_job(host, job) for job in reply.jobs)),
        _each(answers, lambda _host, reply: iter(reply.failures)),
        _each(answers, lambda host, reply: (f"{host}: {note}" for note in reply.notes)),
    )


def outcomes(answers: Answers[Sequence[api.BoardOutcome]]) -> Sequence[api.BoardOutcome]:
    """Return what became of all boards that were waited for."""
    return _each(answers, _outcomes)


def history(answers: Answers[History]) -> History:
    """Return the jobs of all, the newest first; they are complete from the time on from which each machine's are."""
    found = _each(answers, lambda host, reply: (mark_job(host, job) for job in reply.jobs))
    since = [reply.since for _, reply in answers if reply.since is not None]
    return History(
        jobs=tuple(sorted(found, key=lambda job: job.at, reverse=True)),
        since=max(since, default=None),
        kept=min((reply.kept for _, reply in answers if reply.kept), default=0),
    )


def log_lines(answers: Answers[Sequence[LogLine]]) -> Sequence[LogLine]:
    """Return the lines of all by their times; what is about no board is about the machine."""
    found = _each(answers, _lines)
    return sorted(found, key=lambda line: line.time)


def _plans(host: str, reply: api.PlanList) -> Iterator[api.BoardPlan]:
    for plan in reply.plans:
        yield replace(plan, board=f"{host}/{plan.board}")


def _outcomes(host: str, reply: Sequence[api.BoardOutcome]) -> Iterator[api.BoardOutcome]:
    for outcome in reply:
        job = None if outcome.job is None else mark_job(host, outcome.job)
        yield replace(outcome, board=f"{host}/{outcome.board}", job=job)


def _lines(host: str, reply: Sequence[LogLine]) -> Iterator[LogLine]:
    for line in reply:
        yield replace(line, board=f"{host}/{line.board}" if line.board else host)


R = TypeVar("R")


def _each(answers: Answers[T], rows: Callable[[str, T], Iterator[R]]) -> tuple[R, ...]:
    return tuple(chain.from_iterable(rows(host, reply) for host, reply in answers))
