"""Past jobs as rows, and one job on a page. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import compress
from typing import Final

from flashdeck.job_state import Done, JobKind, JobResult, Origin, Running, judgement_of
from flashdeck.model import JobState
from flashdeck.text import clean, counted, format_duration, format_size
from flashdeck.words.contents import image_name
from flashdeck.words.jobs import hook_text, origin_text, result_text, status_detail, status_word
from flashdeck.words.log_times import dated_time
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.work import kind_word
from flashdeck_tui.board_history import BoardHistory
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.log_source import SourceLine
from flashdeck_tui.phase_chart import phase_chart
from flashdeck_tui.sparkline import scale_text, sparkline
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.cells import NONE, Row, short_name, whole_text
from flashdeck_tui.views.jobs import job_story
from flashdeck_tui.views.log import source_text
from flashdeck_tui.views.version_names import VersionNames, version_names
from flashdeck_tui.widgets.columns import JOB_VERSION_CELLS, Column

_ORIGINS: Final = {Origin.BUILD: "build", Origin.HAND: "hand", Origin.FLASHDECK: "itself", Origin.OTHER: "other"}
_MINUTES: Final = len("2026-01-31 13:05")
_LEVEL_TONES: Final = {"warning": Tone.WAIT, "error": Tone.BAD, "debug": Tone.FAINT}
_COLUMNS: Final = (
    Column("WHEN", most=16),
    Column("JOB", most=6, drop=4),
    Column("BOARD", most=16, drop=5),
    Column("PARTITION", most=14, drop=3),
    Column("VERSION", most=JOB_VERSION_CELLS, least=8),
    Column("STATUS", most=12),
    Column("TOOK", most=12),
    Column("BY", most=6, drop=6),
    Column("RESULT", least=19, is_prose=True),
)
LONGEST_OUTPUT = 50
"""Lines of what a command printed that are shown of a job."""


def history_columns(history: BoardHistory) -> tuple[Column, ...]:
    """Return the columns of the list: what is the same in all of its rows stands in its title."""
    return tuple(column for column, is_shown in zip(_COLUMNS, _shown(history), strict=True) if is_shown)


def _shown(history: BoardHistory) -> list[bool]:
    """Return which of all columns a history needs."""
    same = {"BOARD": history.board, "PARTITION": history.partition}
    return [not same.get(column.title) for column in _COLUMNS]


def history_rows(history: BoardHistory, host: str = "") -> list[Row]:
    """Return a row for each past job, the newest first."""
    names, shown = version_names(job.version for job in history.jobs if job.version), _shown(history)
    rows = [_row(job, host, names) for job in history.jobs]
    return [replace(row, cells=tuple(compress(row.cells, shown))) for row in rows]


def history_title(history: BoardHistory) -> str:
    """Return what the list shows."""
    if not history.board:
        return "history of all boards"
    place = f"{short_name(history.partition)} of " if history.partition else ""
    return f"history of {place}{short_name(history.board)}"


def durations_lines(history: BoardHistory, width: int) -> list[Phrase]:
    """Return how long flashes took, the oldest first, and the scale in words."""
    seconds = history.durations
    if not seconds:
        return [Phrase("no flash that was carried out yet", Tone.FAINT)]
    return [Phrase(sparkline(seconds, width)), Phrase(f"oldest to newest: {scale_text(seconds)}", Tone.FAINT)]


def took(job: JobState) -> float | None:
    """Return the seconds that a job took; None where nobody knows."""
    if job.result is not None and job.result.seconds:
        return job.result.seconds
    if job.started_at is not None and job.finished_at is not None:
        return max(0.0, job.finished_at - job.started_at)
    return None


def _row(job: JobState, host: str, names: VersionNames) -> Row:
    seconds = took(job)
    word = status_word(job.status, job.kind)
    what = names.short(image_name(job.version, job.sha256), JOB_VERSION_CELLS) or NONE
    kind = "" if job.kind is JobKind.FLASH else f"{kind_word(job.kind)}: "
    detail = whole_text(status_detail(job.status, job.kind))
    return Row(
        Selection(board=job.board, partition=job.partition, job=job.id, host=host),
        (
            Phrase(dated_time(job.at)[:_MINUTES], Tone.FAINT),
            Phrase(f"{job.id}", Tone.FAINT),
            Phrase(short_name(job.board)),
            Phrase(short_name(job.partition) or NONE),
            Phrase(what),
            word,
            Phrase(format_duration(seconds) if seconds is not None else NONE),
            Phrase(_ORIGINS[job.origin], Tone.FAINT),
            Phrase(f"{kind}{detail}".strip(": "), word.tone if word.tone in (Tone.BAD, Tone.WAIT) else Tone.FAINT),
        ),
    )


def job_page(
    store: Store,
    job: JobState,
    log: Sequence[SourceLine],
    now: float,
    keys: KeyNames,
    *,
    width: int,
    log_note: str = "",
) -> list[Phrase]:
    """Return all that is known of a job, its log last; `width` are the cells of a line of the chart."""
    lines = [*job_story(store, job, now, keys), *_image_lines(job), *_time_lines(job), *_result_lines(job)]
    now_in = job.status.phase if isinstance(job.status, Running) else None
    chart = phase_chart(job.times, width, now=now_in)
    if chart:
        lines += [Phrase(""), Phrase("where the time went", Tone.STRONG), *chart]
    if job.hook is not None:
        lines += [Phrase(""), Phrase(whole_text(hook_text(job.hook)), Tone.PLAIN if job.hook.code == 0 else Tone.WAIT)]
        lines += [Phrase(f"  {whole_text(line)}", Tone.FAINT) for line in job.hook.output[-LONGEST_OUTPUT:]]
    lines += [Phrase(""), Phrase("log", Tone.STRONG)]
    if log_note:
        lines.append(Phrase(log_note, Tone.FAINT))
    return [*lines, *(Phrase(source_text(line), _LEVEL_TONES.get(line.level, Tone.PLAIN)) for line in log)]


def _image_lines(job: JobState) -> Iterator[Phrase]:
    if job.sha256:
        yield Phrase(f"image: {image_name(job.version, job.sha256)}, {format_size(job.size)}")
        yield Phrase(f"SHA-256: {clean(job.sha256)}", Tone.FAINT)
        if job.patch:
            yield Phrase("a patch: it was laid over the program that was there", Tone.FAINT)


def _time_lines(job: JobState) -> Iterator[Phrase]:
    yield Phrase(f"{whole_text(job.note) or origin_text(job.origin)}, {dated_time(job.created_at)}", Tone.FAINT)
    begun = f"begun {dated_time(job.started_at)}" if job.started_at is not None else ""
    ended = f"ended {dated_time(job.finished_at)}" if job.finished_at is not None else ""
    tried = counted(job.attempts, "attempt") if job.attempts else ""
    if told := ", ".join(filter(None, (begun, ended, tried))):
        yield Phrase(told, Tone.FAINT)


def _result_lines(job: JobState) -> Iterator[Phrase]:
    result = job.result
    if result is None:
        return
    if not isinstance(job.status, Done):  # there its state has said it
        yield Phrase(result_text(result, job.kind, judgement_of(job.status)))
    yield Phrase(
        f"{counted(result.transfers, 'transfer')}, {counted(result.uploads, 'read')}, "
        f"{counted(result.blocks, 'block')} and {counted(result.erases, 'erase')}; the host waited "
        f"{format_duration(result.slept)} because the board asked for it",
        Tone.FAINT,
    )
    if saved := _saved_text(result):
        yield Phrase(saved, Tone.GOOD)
    if result.erased_beside:
        yield Phrase(f"{format_size(result.erased_beside)} beside the image were erased", Tone.WAIT)
    if result.protection:
        yield Phrase(f"against half an image: {whole_text(result.protection)}", Tone.FAINT)
    for remark in result.remarks:
        yield Phrase(whole_text(remark), Tone.WAIT)


def _saved_text(result: JobResult) -> str:
    """Return what did not have to be written."""
    if not result.unchanged:
        return ""
    whole = result.unchanged + result.bytes_written
    return f"saved: {format_size(result.unchanged)} of {format_size(whole)} were right already and were left alone"
