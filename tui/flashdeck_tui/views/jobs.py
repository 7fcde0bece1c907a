"""Jobs as rows, and the story of one. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from flashdeck.job_state import (
    Blocked,
    Done,
    Failed,
    JobKind,
    Phase,
    Queued,
    Running,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import JobState
from flashdeck.queue_order import is_in_queue
from flashdeck.text import clean, counted, format_size, short_sha
from flashdeck.words.contents import image_name
from flashdeck.words.jobs import (
    AT_THE_BOARD,
    hook_text,
    is_measured,
    origin_text,
    percent,
    standstill_text,
    status_detail,
    status_hint,
    status_word,
    times_text,
    todo_text,
)
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.work import kind_word, work_text
from flashdeck_tui.clauses import Clause, Rank, Sentence
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.cells import NONE, Cell, Row, ago, short_name, whole_text
from flashdeck_tui.views.version_names import VersionNames, version_names
from flashdeck_tui.widgets.columns import JOB_VERSION_CELLS

RECENT_JOBS = 50
"""Settled jobs in the list."""
_BAR_CELLS = 12
_RUNS, _WAITS, _SETTLED = range(3)
"""The ranks of jobs in the list."""
_TIMED_PHASES: Final = (Phase.WRITE, Phase.VERIFY)


def fleet_job_rows(fleet: Fleet, now: float) -> list[Row]:
    """Return the jobs of all hosts: what runs, then what waits in its order, then what is settled, newest first."""
    names = version_names(job.version for host in fleet for job in host.store.jobs.values() if job.version)
    rows = [(rank, row) for host in fleet for rank, row in _ranked_rows(fleet, host, now, names)]
    return [row for _, row in sorted(rows, key=lambda ranked: ranked[0])]


def job_rows(store: Store, now: float) -> list[Row]:
    """Return what runs, then what waits in the order in which it runs, then what is settled, newest first."""
    names = version_names(job.version for job in store.jobs.values() if job.version)
    return [_job_row(store, job, position, now, names) for _, position, job in _in_order(store)]


def _ranked_rows(
    fleet: Fleet, host: FleetHost, now: float, names: VersionNames
) -> Iterator[tuple[tuple[int, float], Row]]:
    stale = host.link.state.status is not LinkStatus.CONNECTED
    for rank, position, job in _in_order(host.store):
        row = _job_row(host.store, job, position, now, names, shown=fleet.shown_name(host, job.board))
        # Among settled jobs of several hosts the newest comes first; what runs and waits keeps the order of its host.
        yield (
            (rank, -job.at if rank == _SETTLED else 0.0),
            replace(row, key=replace(row.key, host=host.name), stale=stale),
        )


def _in_order(store: Store) -> Iterator[tuple[int, int, JobState]]:
    """Yield the jobs with their rank and their position in the queue of their board, 0 for those that are in none."""
    begun = [job for job in store.jobs.values() if not job.is_settled and not is_in_queue(job)]
    begun.sort(key=lambda job: (not isinstance(job.status, Running), job.id))
    for job in begun:
        yield (_RUNS, 0, job)
    positions: dict[str, int] = {}
    for job in store.queue():
        positions[job.board] = positions.get(job.board, 0) + 1
        yield (_WAITS, positions[job.board], job)
    settled = sorted((job for job in store.jobs.values() if job.is_settled), key=lambda job: -job.id)
    for job in settled[:RECENT_JOBS]:
        yield (_SETTLED, 0, job)


def _job_row(store: Store, job: JobState, position: int, now: float, names: VersionNames, *, shown: str = "") -> Row:
    return Row(
        Selection(board=job.board, partition=job.partition, job=job.id),
        (
            Phrase(str(position) if position else "", Tone.STRONG),
            Phrase(str(job.id), Tone.FAINT),
            Phrase(short_name(shown or job.board)),
            Phrase(short_name(job.partition)),
            Phrase(names.short(image_name(job.version, job.sha256), JOB_VERSION_CELLS) or NONE),
            status_word(job.status, job.kind),
            _job_cell(store, job, now),
        ),
    )


def _job_cell(store: Store, job: JobState, now: float) -> Cell:
    """Return how far a job is, or what it came to; one that does not flash says first what it does."""
    cell = _work_cell(store, job, now)
    if job.kind is JobKind.FLASH:
        return cell
    lead = f"{kind_word(job.kind)}: "
    return (
        replace(cell, lead=lead) if isinstance(cell, Sentence) else Phrase(f"{lead}{cell.text}".strip(": "), cell.tone)
    )


def _work_cell(store: Store, job: JobState, now: float) -> Phrase | Sentence:
    tone = status_word(job.status, job.kind).tone
    detail = whole_text(status_detail(job.status, job.kind))
    match job.status:
        case Running():
            silent = standstill_text(job.status, now)
            return Phrase(progress_text(store, job.id, job.status, silent), Tone.WAIT if silent else tone)
        case Done():
            told = ", ".join(part for part in (ago(job.finished_at or job.created_at, now), detail) if part)
            return Phrase(told, tone if job.status.not_started else Tone.FAINT)
        case Waiting(for_=WaitFor.HAND, hint=hint) if hint:
            todo = whole_text(status_hint(job.status)).removeprefix(AT_THE_BOARD)
            return Sentence((Clause(detail, Rank.ASIDE), Clause(todo, Rank.TROUBLE)), tone)
        case _:
            return Phrase(detail, tone if tone in (Tone.BAD, Tone.WAIT) else Tone.FAINT)


def progress_text(store: Store, job: int, status: Running, silent: str) -> str:
    """Return how far and how fast a job is; or how far, and that its board is `silent`."""
    if not is_measured(status):
        return silent
    done = percent(status)
    if silent:
        return f"{done:3d} %, {silent}"
    full = done * _BAR_CELLS // 100
    speed = store.speed(job) if status.phase in _TIMED_PHASES else None
    rate = f" {speed / 1024:.1f} KiB/s" if speed is not None else ""
    return f"{done:3d} % {'█' * full}{'░' * (_BAR_CELLS - full)}{rate}"


def job_story(store: Store, job: JobState, now: float, keys: KeyNames) -> Iterator[Phrase]:
    """Yield what a job does or came to, and what a person can do about it."""
    tone = status_word(job.status, job.kind).tone
    told = job.text
    if isinstance(job.status, Running):
        silent = standstill_text(job.status, now)
        between = " " if is_measured(job.status) else ", "
        parts = (status_word(job.status, job.kind).text, progress_text(store, job.id, job.status, silent))
        told = between.join(part for part in parts if part)
        tone = Tone.WAIT if silent else tone
    yield Phrase(f"job {job.id} ({work_text(job)}): {whole_text(told)}", tone)
    todo, pressed = whole_text(todo_text(job.status)), _keys_for(store, job, keys)
    if todo:
        yield Phrase(f"{todo}; {pressed}" if pressed else todo, Tone.STRONG)
    elif pressed:
        yield Phrase(pressed, Tone.FAINT)


def _keys_for(store: Store, job: JobState, keys: KeyNames) -> str:
    """Return the keys that help with a job."""
    again, cancels = f"{keys['retry']} retries this job", f"{keys['cancel']} cancels"
    match job.status:
        case Failed():
            another = [f"{keys['flash']} flashes another image"] if job.kind is JobKind.FLASH else []
            told = [again, *another, f"{keys['doctor']} examines the board"]
        case Blocked():
            told = [again, cancels]
        case Waiting(for_=WaitFor.HOLD | WaitFor.OTHER_DEVICE):
            board = store.boards.get(job.board)
            releases = "hold" if board is not None and board.hold is not None else "release"
            told = [f"{keys[releases]} releases the board", cancels]
        case Waiting():
            told = ["then it goes on by itself" if todo_text(job.status) else "it goes on by itself", cancels]
        case Queued() | Running() | Written():
            told = [cancels]
        case _:
            told = []
    return ", ".join(told)


def job_details(store: Store, job: JobState, now: float, keys: KeyNames) -> Iterator[Phrase]:
    """Yield the story of a job, and all that is known of it."""
    yield from job_story(store, job, now, keys)
    result = job.result
    if result is not None:
        protection = f"; {whole_text(result.protection)}" if result.protection else ""
        yield Phrase(f"{counted(result.transfers, 'transfer')}{protection}")
        yield from (Phrase(whole_text(remark), Tone.WAIT) for remark in result.remarks)
    if job.hook is not None:
        yield Phrase(whole_text(hook_text(job.hook)), Tone.PLAIN if job.hook.code == 0 else Tone.WAIT)
    if told := times_text(job.times):
        yield Phrase(f"took: {told}", Tone.FAINT)
    when = ago(job.at, now)
    image = f"; {format_size(job.size)}, SHA-256 {short_sha(clean(job.sha256))}" if job.sha256 else ""
    yield Phrase(f"{whole_text(job.note) or origin_text(job.origin, clean(job.user))}, {when}{image}", Tone.FAINT)
