"""The answers of several machines as one: boards are called HOST/BOARD, rows stand in one table. Pure."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from flashdeck import api
from flashdeck.board_run import RunOutcome, RunResult
from flashdeck.diagnosis import BoardReport, Diagnosis, Finding
from flashdeck.model import BoardState, DeviceState, JobState, LogLine
from flashdeck.outcome import BoardResult, Outcome
from flashdeck.slot_state import LotState, SlotState, UnitRecord
from flashdeck_tui.cli.answers import History, UnitList

T = TypeVar("T")
R = TypeVar("R")
Answers = Sequence[tuple[str, T]]
"""Each machine that answered, with its answer."""


def mark_board(host: str, board: BoardState) -> BoardState:
    """Return a board under the name that it has among those of several machines."""
    return replace(board, name=f"{host}/{board.name}")


def mark_job(host: str, job: JobState) -> JobState:
    """Return a job of such a board."""
    return replace(job, board=f"{host}/{job.board}")


def mark_device(host: str, device: DeviceState) -> DeviceState:
    """Return a device with the machine that its port is at."""
    return replace(device, port=f"{host}/{device.port}")


def mark_slot(host: str, slot: SlotState) -> SlotState:
    """Return a slot under the name that it has among those of several machines."""
    return replace(slot, name=f"{host}/{slot.name}", lot=f"{host}/{slot.lot}" if slot.lot else "")


def mark_lot(host: str, lot: LotState) -> LotState:
    """Return a lot of such slots."""
    return replace(lot, name=f"{host}/{lot.name}", slots=tuple(f"{host}/{slot}" for slot in lot.slots))


def mark_unit(host: str, unit: UnitRecord) -> UnitRecord:
    """Return a unit that was in such a slot."""
    return replace(unit, slot=f"{host}/{unit.slot}", lot=f"{host}/{unit.lot}" if unit.lot else "")


def each(
    answers: Iterable[tuple[str, T]], rows: Callable[[T], Iterable[R]], mark: Callable[[str, R], R]
) -> tuple[R, ...]:
    """Return the rows of all answers, each marked with its machine; those of this machine, "", stay as they are."""
    return tuple(mark(host, row) if host else row for host, answer in answers for row in rows(answer))


def boards(answers: Answers[api.BoardList]) -> api.BoardList:
    """Return all boards, and all devices that are none."""
    return api.BoardList(
        boards=each(answers, lambda reply: reply.boards, mark_board),
        devices=each(answers, lambda reply: reply.devices, mark_device),
    )


def jobs(answers: Answers[api.JobList], *, limit: int | None = None) -> api.JobList:
    """Return the newest jobs of all, the newest first; without a limit all of them."""
    found = each(answers, lambda reply: reply.jobs, mark_job)
    notes = each(answers, lambda reply: reply.notes, _mark_note)
    return api.JobList(jobs=tuple(sorted(found, key=lambda job: job.at, reverse=True))[:limit], notes=notes)


def plans(answers: Answers[api.PlanList]) -> api.PlanList:
    """Return all plans."""
    return api.PlanList(plans=each(answers, lambda reply: reply.plans, _mark_plan))


def outcomes(answers: Answers[Outcome]) -> Outcome:
    """Return what became of the boards of all."""
    (_, first), *_ = answers
    return Outcome(
        what=first.what,
        rows=each(answers, lambda reply: reply.rows, _mark_result),
        notes=each(answers, lambda reply: reply.notes, _mark_note),
        taken_back=each(answers, lambda reply: reply.taken_back, mark_job),
    )


def runs(answers: Answers[RunOutcome]) -> RunOutcome:
    """Return what became of the runs of all."""
    (_, first), *_ = answers
    return RunOutcome(
        what=first.what,
        rows=each(answers, lambda reply: reply.rows, _mark_run),
        notes=each(answers, lambda reply: reply.notes, _mark_note),
        taken_back=each(answers, lambda reply: reply.taken_back, mark_job),
    )


def history(answers: Answers[History], *, limit: int | None = None) -> History:
    """Return the newest jobs of all, the newest first; without a limit all of them.

    They are complete from the time on from which each machine's are.
    """
    found = each(answers, lambda reply: reply.jobs, mark_job)
    since = [reply.since for _, reply in answers if reply.since is not None]
    return History(
        jobs=tuple(sorted(found, key=lambda job: job.at, reverse=True))[:limit],
        since=max(since, default=None),
        kept=min((reply.kept for _, reply in answers if reply.kept), default=0),
    )


def lots(answers: Answers[api.LotList]) -> api.LotList:
    """Return the lots of all, those of each machine in its order."""
    return api.LotList(lots=each(answers, lambda reply: reply.lots, mark_lot))


def units(answers: Answers[UnitList], *, limit: int | None = None) -> UnitList:
    """Return the newest units of all, the newest first; without a limit all of them."""
    found = each(answers, lambda reply: reply.units, mark_unit)
    return UnitList(
        units=tuple(sorted(found, key=lambda unit: unit.began_at, reverse=True))[:limit],
        kept=min((reply.kept for _, reply in answers if reply.kept), default=0),
    )


def diagnoses(answers: Answers[Diagnosis]) -> Diagnosis:
    """Return what was found on all machines; a trouble of an installation names its machine where it says what is seen.

    The first error counts that kept a machine from looking at any board.
    """
    return Diagnosis(
        installation=each(answers, lambda reply: reply.installation, _mark_finding),
        boards=each(answers, lambda reply: reply.boards, _mark_report),
        devices=each(answers, lambda reply: reply.devices, mark_device),
        failure=next((reply.failure for _, reply in answers if reply.failure is not None), None),
    )


def log_lines(answers: Answers[Sequence[LogLine]], *, limit: int) -> Sequence[LogLine]:
    """Return the newest lines of all, by their times; what is about no board is about the machine."""
    lines = sorted(each(answers, lambda reply: reply, mark_line), key=lambda line: line.time)
    return lines[-limit:] if limit else []


def mark_line(host: str, line: LogLine) -> LogLine:
    """Return a line of the log of such a machine."""
    return replace(line, board=f"{host}/{line.board}" if line.board else host)


def _mark_finding(host: str, finding: Finding) -> Finding:
    return replace(finding, seen=f"{host}: {finding.seen}")


def _mark_report(host: str, report: BoardReport) -> BoardReport:
    return replace(report, board=f"{host}/{report.board}")


def _mark_note(host: str, note: str) -> str:
    return f"{host}: {note}"


def _mark_plan(host: str, plan: api.BoardPlan) -> api.BoardPlan:
    return replace(plan, board=f"{host}/{plan.board}")


def _mark_run(host: str, result: RunResult) -> RunResult:
    job = None if result.job is None else mark_job(host, result.job)
    return dataclasses.replace(result, board=f"{host}/{result.board}", job=job)


def _mark_result(host: str, result: BoardResult) -> BoardResult:
    job = None if result.job is None else mark_job(host, result.job)
    return dataclasses.replace(result, board=f"{host}/{result.board}", job=job)
