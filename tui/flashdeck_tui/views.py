"""The store in rows and lines that the widgets show; the words of every state come from `flashdeck.words`. Pure.

Every string that came from a device, a file or a client goes through `clean` on its way into a cell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flashdeck.job_state import (
    Blocked,
    Done,
    Failed,
    JobKind,
    JobStatus,
    Phase,
    Queued,
    Running,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import (
    ArtifactState,
    BoardState,
    ConfigurationState,
    Contents,
    DeviceState,
    Disposition,
    JobState,
    LogLevel,
    LogLine,
    PartitionState,
    Presence,
)
from flashdeck.problems import KEPT_OPEN_HINT, counts
from flashdeck.text import MAX_PATH, clean, counted, format_age, format_size, short_sha
from flashdeck.words.boards import armed_text, armed_word, hold_text, lease_text, presence_word
from flashdeck.words.conditions import condition_word
from flashdeck.words.contents import (
    BEING_ERASED,
    BEING_FLASHED,
    contents_flaw,
    contents_name,
    contents_state,
    contents_text,
    image_name,
)
from flashdeck.words.jobs import (
    hook_text,
    is_measured,
    origin_text,
    percent,
    standstill_text,
    status_detail,
    status_hint,
    status_word,
    times_text,
)
from flashdeck.words.partitions import build_state
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.troubles import trouble_lines
from flashdeck.words.work import kind_word, work_name, work_text
from flashdeck_tui.board_list import shown_boards
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store

NONE = "-"
LONG_TEXT = 1000
"""Characters of a message that is shown whole."""
SHORT_NOTICE = 150
"""Characters of each of several troubles: two lines of a narrow screen, so that one does not hide the others."""
DOUBTS = 8
"""Faults of one bootloader that are shown."""
RECENT_JOBS = 50
"""Settled jobs in the list."""

_BAR_CELLS = 12
_MINUTE = 60
_NAME = 40
_TIMED_PHASES: Final = (Phase.WRITE, Phase.VERIFY)
_LINK_TONES: Final = {
    LinkStatus.CONNECTED: Tone.GOOD,
    LinkStatus.CONNECTING: Tone.WAIT,
    LinkStatus.DISCONNECTED: Tone.BAD,
}
_LEVELS: Final = {LogLevel.DEBUG: "debug: ", LogLevel.WARNING: "warning: ", LogLevel.ERROR: "ERROR: "}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list, and what it stands for."""

    key: Selection
    cells: tuple[Phrase, ...]


def board_rows(store: Store, now: float, *, wanted: str = "", with_idle: bool = True) -> list[Row]:
    """Return each board with its partitions below it, those with problems first, then the devices that are no board.

    `now` is in epoch seconds, `wanted` the filter. Without the idle ones, partitions that there is nothing to tell of
    are left out: they can still be flashed from their board.
    """
    rows: list[Row] = []
    for board in shown_boards(store, wanted):
        rows.append(_board_row(board))
        rows += [
            _partition_row(store, board, partition, now)
            for partition in board.partitions
            if not partition.protected and (with_idle or not _is_idle(store, board, partition))
        ]
    return rows if wanted else rows + [_device_row(device) for device in store.devices]


def no_boards(store: Store, wanted: str = "") -> str:
    """Return what stands where the boards would be."""
    if store.daemon is None:
        return "no daemon yet, so no boards are known"
    if wanted and store.boards:
        return "no board matches; Esc shows all"
    return "no boards are configured; 'flashdeck suggest' prints what is plugged in as configuration"


def filter_note(store: Store, wanted: str) -> str:
    """Return what the filter shows, for the title of the boards; "" without one."""
    return f"/{clean(wanted)}: {len(shown_boards(store, wanted))} of {len(store.boards)}" if wanted else ""


def job_rows(store: Store, now: float) -> list[Row]:
    """Return what runs, then what waits in its order, then what is settled, newest first."""
    active = [job for job in store.jobs.values() if not job.is_settled]
    active.sort(key=lambda job: (not isinstance(job.status, Running), job.id))
    settled = sorted((job for job in store.jobs.values() if job.is_settled), key=lambda job: -job.id)
    return [_job_row(store, job, now) for job in (*active, *settled[:RECENT_JOBS])]


def details(store: Store, selection: Selection, now: float) -> list[Phrase]:
    """Return all about what is selected, the most urgent first; every line may be wrapped."""
    if selection.job:
        job = store.jobs.get(selection.job)
        return list(_job_details(store, job, now)) if job is not None else []
    if selection.device:
        return [line for device in store.devices if device.port == selection.device for line in _device_details(device)]
    board = store.boards.get(selection.board)
    if board is None:
        return []
    lines = list(_board_troubles(board, now))
    partition = store.partition(selection.board, selection.partition)
    if partition is None:
        for shown in board.partitions:
            lines += _urgent_job(store, board, shown.name, now)
        lines += _flaws(store, board)
        lines += _board_facts(board)
    else:
        lines += _urgent_job(store, board, partition.name, now)
        lines += _partition_facts(store, board, partition, now)
    return lines


def title_of(store: Store, selection: Selection) -> str:
    """Return a heading for the details."""
    job = store.jobs.get(selection.job)
    if job is not None:
        return f"job {job.id}: " + (f"{_name(job.partition)} of " if job.partition else "") + _name(job.board)
    if selection.device:
        return f"device at {_name(selection.device)}"
    if selection.partition:
        return f"{_name(selection.partition)} of {_name(selection.board)}"
    return _name(selection.board) if selection.board else ""


def header(store: Store, link: LinkState, socket: str, host: str = "") -> list[Phrase]:
    """Return whether we are connected, what needs a person and may be out of sight, and which daemon this is."""
    cells = [Phrase("flashdeck", Tone.STRONG), Phrase(link.status.value, _LINK_TONES[link.status])]
    if host:
        cells.append(Phrase(clean(host), Tone.STRONG))
    for kind, number in counts(store.boards.values(), store.jobs.values()).items():
        if kind.needs_person:
            word = condition_word(kind)
            cells.append(Phrase(f"{number} {word.text}", word.tone))
    daemon = store.daemon
    if daemon is not None:
        cells += _out_of_date(daemon.configuration)  # before what a narrow screen may cut off
        cells.append(Phrase(f"flashdeckd {_name(daemon.version)} on {_name(daemon.host)}"))
        if daemon.virtual:
            cells.append(Phrase("virtual boards", Tone.WAIT))
        if daemon.configuration is not None:
            files = daemon.configuration.files
            cells.append(Phrase(clean(files[0], MAX_PATH) if files else "no configuration", Tone.FAINT))
    if not host:
        cells.append(Phrase(clean(socket), Tone.FAINT))
    return cells


def _out_of_date(configuration: ConfigurationState | None) -> Iterator[Phrase]:
    """Yield that the files of the configuration are not what is in force, where it is so."""
    if configuration is not None and (configuration.refused or configuration.changed):
        yield Phrase("configuration " + ("refused" if configuration.refused else "changed"), Tone.WAIT)


def notices(store: Store, link: LinkState, now: float) -> list[Phrase]:
    """Return what is wrong with the daemon or the way to it, each with what to do."""
    lines: list[Phrase] = []
    if link.status is LinkStatus.DISCONNECTED:
        lines.append(Phrase(_long(link.reason), Tone.BAD))
        if link.hint:
            lines.append(Phrase(_long(link.hint), Tone.STRONG))
        kept = "Showing the last known state. " if store.daemon is not None else ""
        lines.append(Phrase(f"{kept}Reconnecting.", Tone.FAINT))
    elif store.daemon is not None:
        if link.reason:
            lines.append(Phrase(_long(f"{link.reason}: {link.hint}"), Tone.WAIT))
        troubles = trouble_lines(store.daemon, now)
        longest = LONG_TEXT if len(troubles) == 1 else SHORT_NOTICE
        lines += [Phrase(clean(line, longest), Tone.WAIT) for line in troubles]
    return lines


def log_text(line: LogLine) -> str:
    """Return a line of the log, in local time."""
    at = datetime.fromtimestamp(line.time).strftime("%H:%M:%S")  # noqa: DTZ006 - local time is what people compare with
    board = f"{_name(line.board)}: " if line.board else ""
    return f"{at} {board}{_LEVELS.get(line.level, '')}{_long(line.text)}"


def ago(then: float, now: float) -> str:
    """Return how long ago something was. Changes once a minute at the most, so that a quiet screen stays quiet."""
    return f"{format_age(now - then)} ago" if now - then >= _MINUTE else "just now"


def version_of(build: ArtifactState) -> str:
    """Return how people tell builds apart."""
    return image_name(build.version, build.sha256)


def _board_row(board: BoardState) -> Row:
    where = " ".join(_name(text) for text in (board.port, board.serial) if text)
    return Row(
        Selection(board=board.name),
        (
            Phrase(_name(board.name), Tone.STRONG),
            presence_word(board.presence),
            Phrase(where or NONE, Tone.FAINT),
            _board_now(board),
        ),
    )


def _board_now(board: BoardState) -> Phrase:
    if board.trouble:
        return Phrase(_long(board.trouble), Tone.BAD)
    if board.hold is not None:
        return Phrase(_long(hold_text(board)), Tone.WAIT)
    if board.lease is not None:
        return Phrase(_long(lease_text(board.lease)), Tone.WAIT)
    return armed_word(board)


def _partition_row(store: Store, board: BoardState, partition: PartitionState, now: float) -> Row:
    contents = partition.contents
    return Row(
        Selection(board=board.name, partition=partition.name),
        (
            Phrase(f"  {_name(partition.name)}"),
            Phrase(contents_name(contents) if contents else NONE, Tone.PLAIN if contents else Tone.FAINT),
            _contents_cell(store, board, partition, now),
            _partition_now(store, board, partition, now),
        ),
    )


def _contents_cell(store: Store, board: BoardState, partition: PartitionState, now: float) -> Phrase:
    contents, state = partition.contents, contents_state(partition.contents)
    if _is_being_flashed(store, board, partition):
        return BEING_ERASED if contents is not None and contents.erased else BEING_FLASHED
    return Phrase(f"{state.text}, {ago(contents.flashed_at, now)}", state.tone) if contents is not None else state


def _is_being_flashed(store: Store, board: BoardState, partition: PartitionState) -> bool:
    job = store.active_job(Selection(board=board.name, partition=partition.name))
    is_incomplete = partition.contents is not None and not partition.contents.complete
    return is_incomplete and job is not None and isinstance(job.status, Running)


def _partition_now(store: Store, board: BoardState, partition: PartitionState, now: float) -> Phrase:
    """Return the most urgent of a partition: its job, what went wrong there, or what there is to flash."""
    job = store.active_job(Selection(board=board.name, partition=partition.name))
    if job is not None:
        return _active_cell(job, now)
    failed = store.last_failure(board.name, partition.name)
    if failed is not None and not partition.being_written:
        return Phrase(_long(failed.text), status_word(failed.status, failed.kind).tone)
    return _build_cell(partition, store.artifact(board.name, partition.name))


def _build_cell(partition: PartitionState, artifact: ArtifactState | None) -> Phrase:
    build, contents = build_state(partition, artifact), partition.contents
    if partition.kept_open:
        return Phrase(_long(partition.kept_open), build.tone)
    if partition.being_written:
        return build
    if partition.trouble:
        return Phrase(f"{build.text}: {_long(partition.trouble)}", build.tone)
    if partition.offered:
        return Phrase(f"{build.text}; f flashes it", build.tone)
    if contents is not None and contents_flaw(contents, plain=bool(partition.alternate)):
        state = contents_state(contents)
        return Phrase(f"{state.text}; f reflashes", state.tone)
    return build


def _is_idle(store: Store, board: BoardState, partition: PartitionState) -> bool:
    """Tell whether there is nothing to say of a partition: it was never flashed, and nobody wants to flash it."""
    is_untouched = partition.contents is None and not (partition.being_written or partition.trouble)
    jobs = store.jobs_at(board.name, partition.name)
    return is_untouched and store.artifact(board.name, partition.name) is None and next(jobs, None) is None


def _active_cell(job: JobState, now: float) -> Phrase:
    word = status_word(job.status, job.kind)
    match job.status:
        case Running():
            told = f"{word.text} {status_detail(job.status, job.kind)}".rstrip()
            if silent := standstill_text(job.status, now):
                return Phrase(f"{silent}, {told}", Tone.WAIT)
            is_flash = job.kind is JobKind.FLASH
            return Phrase(f"{told}, {work_name(job)}" if is_flash else f"{kind_word(job.kind)}: {told}", word.tone)
        case Queued(note=""):
            return Phrase(f"{word.text}: {work_name(job)}", word.tone)
        case _:
            return Phrase(_long(job.text), word.tone)


def _device_row(device: DeviceState) -> Row:
    where = " ".join(_name(text) for text in (device.port, device.serial) if text)
    return Row(
        Selection(device=device.port),
        (
            Phrase(_name(device.product or "unknown device"), Tone.WAIT),
            Phrase(_name(device.usb_id)),
            Phrase(where, Tone.FAINT),
            Phrase(_long(device.note or "not configured: never touched"), Tone.WAIT),
        ),
    )


def _job_row(store: Store, job: JobState, now: float) -> Row:
    return Row(
        Selection(board=job.board, partition=job.partition, job=job.id),
        (
            Phrase(str(job.id), Tone.FAINT),
            Phrase(_name(job.board)),
            Phrase(_name(job.partition)),
            Phrase(image_name(job.version, job.sha256) or NONE),
            status_word(job.status, job.kind),
            _job_cell(store, job, now),
        ),
    )


def _job_cell(store: Store, job: JobState, now: float) -> Phrase:
    """Return how far a job is, or what it came to; one that does not flash says first what it does."""
    cell = _work_cell(store, job, now)
    return cell if job.kind is JobKind.FLASH else Phrase(f"{kind_word(job.kind)}: {cell.text}".strip(": "), cell.tone)


def _work_cell(store: Store, job: JobState, now: float) -> Phrase:
    tone = status_word(job.status, job.kind).tone
    detail = _long(status_detail(job.status, job.kind))
    match job.status:
        case Running():
            silent = standstill_text(job.status, now)
            return Phrase(_progress(store, job.id, job.status, silent), Tone.WAIT if silent else tone)
        case Done():
            told = ", ".join(part for part in (ago(job.finished_at or job.created_at, now), detail) if part)
            return Phrase(told, tone if job.status.not_started else Tone.FAINT)
        case _:
            return Phrase(detail, tone if tone in (Tone.BAD, Tone.WAIT) else Tone.FAINT)


def _progress(store: Store, job: int, status: Running, silent: str) -> str:
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


def _board_troubles(board: BoardState, now: float) -> Iterator[Phrase]:
    if board.trouble:
        yield Phrase(_long(board.trouble), Tone.BAD)
    if board.hold is not None:
        yield Phrase(f"{_long(hold_text(board))}. No job starts; e releases it.", Tone.WAIT)
    if board.lease is not None:
        since = ago(board.lease.since, now)
        yield Phrase(f"{_long(lease_text(board.lease))}, {since}. Only its jobs start; others wait.", Tone.WAIT)
    for doubt in board.doubts[:DOUBTS]:
        yield Phrase(f"{_long(doubt)}; e tries it again.", Tone.WAIT)
    if board.once:
        yield Phrase(f"{armed_text(board)}; a arms it for all.", Tone.WAIT)
    elif not board.armed:
        yield Phrase(f"{armed_text(board)}; a arms it.", Tone.WAIT)


def _urgent_job(store: Store, board: BoardState, partition: str, now: float) -> Iterator[Phrase]:
    """Yield what runs, waits or went wrong on a partition."""
    job = store.active_job(Selection(board=board.name, partition=partition))
    job = job or store.last_failure(board.name, partition)
    if job is not None:
        yield from _job_story(store, job, now)


def _job_story(store: Store, job: JobState, now: float) -> Iterator[Phrase]:
    """Yield what a job does or came to, and what a person can do about it."""
    tone = status_word(job.status, job.kind).tone
    told = job.text
    if isinstance(job.status, Running):
        silent = standstill_text(job.status, now)
        between = " " if is_measured(job.status) else ", "
        parts = (status_word(job.status, job.kind).text, _progress(store, job.id, job.status, silent))
        told = between.join(part for part in parts if part)
        tone = Tone.WAIT if silent else tone
    yield Phrase(f"job {job.id} ({work_text(job)}): {_long(told)}", tone)
    hint, keys = _long(status_hint(job.status)), _keys_for(job.status)
    if hint:
        yield Phrase(f"To do: {hint}", Tone.STRONG)
    if keys:
        yield Phrase(keys, Tone.FAINT)


def _keys_for(status: JobStatus) -> str:
    """Return the keys that help with a job."""
    match status:
        case Failed():
            return "r tries again"
        case Blocked():
            return "r tries again, c cancels"
        case Waiting(for_=WaitFor.HOLD | WaitFor.OTHER_DEVICE):
            return "e releases the board, c cancels"
        case Waiting():
            return "goes on by itself; c cancels"
        case Queued() | Running() | Written():
            return "c cancels"
        case _:
            return ""


def _job_details(store: Store, job: JobState, now: float) -> Iterator[Phrase]:
    yield from _job_story(store, job, now)
    result = job.result
    if result is not None:
        protection = f"; {_long(result.protection)}" if result.protection else ""
        yield Phrase(f"{counted(result.transfers, 'transfer')}{protection}")
        yield from (Phrase(_long(remark), Tone.WAIT) for remark in result.remarks)
    if job.hook is not None:
        yield Phrase(_long(hook_text(job.hook)), Tone.PLAIN if job.hook.code == 0 else Tone.WAIT)
    if told := times_text(job.times):
        yield Phrase(f"took: {told}", Tone.FAINT)
    when = ago(job.at, now)
    image = f"; {format_size(job.size)}, SHA-256 {short_sha(clean(job.sha256))}" if job.sha256 else ""
    yield Phrase(f"{origin_text(job.origin)}, {when}{image}", Tone.FAINT)


def _flaws(store: Store, board: BoardState) -> Iterator[Phrase]:
    """Yield what is wrong with what the partitions of a board have, where no job is putting it right."""
    for partition in board.partitions:
        contents = partition.contents
        job = store.active_job(Selection(board=board.name, partition=partition.name))
        if contents is not None and job is None and contents_flaw(contents, plain=bool(partition.alternate)):
            told = contents_text(contents, plain=bool(partition.alternate))
            yield Phrase(f"{_name(partition.name)}: {told.text}; f reflashes", told.tone)
        if partition.trouble:
            yield Phrase(f"{_name(partition.name)}: build refused: {_long(partition.trouble)}", Tone.BAD)
        if partition.kept_open:
            yield Phrase(f"{_name(partition.name)}: {_long(partition.kept_open)}; {KEPT_OPEN_HINT}", Tone.WAIT)


def _board_facts(board: BoardState) -> Iterator[Phrase]:
    known = [f"profile {_name(board.profile)}", presence_word(board.presence).text]
    known += [f"{word} {_name(text)}" for word, text in (("port", board.port), ("serial", board.serial)) if text]
    if board.product:
        known.append(_name(board.product))
    yield Phrase(", ".join(known))
    if board.presence is Presence.OTHER and board.text:
        yield Phrase(_long(board.text), Tone.WAIT)
    protected = [_name(partition.name) for partition in board.partitions if partition.protected]
    if protected:
        yield Phrase(f"protected, never touched: {', '.join(protected)}", Tone.FAINT)


def _partition_facts(store: Store, board: BoardState, partition: PartitionState, now: float) -> Iterator[Phrase]:
    contents = partition.contents
    artifact = store.artifact(board.name, partition.name)
    if contents is not None:
        if _is_being_flashed(store, board, partition):
            yield Phrase(f"{contents_name(contents)}: {BEING_FLASHED.text}", BEING_FLASHED.tone)
        else:
            yield _contents_line(contents, now, plain=bool(partition.alternate))
    if partition.trouble and (artifact is None or artifact.disposition is not Disposition.REFUSED):
        yield Phrase(f"build refused: {_long(partition.trouble)}", Tone.BAD)
    if partition.kept_open:
        yield Phrase(f"{_long(partition.kept_open)}; {KEPT_OPEN_HINT}", Tone.WAIT)
    elif partition.being_written:
        yield Phrase(f"{build_state(partition, artifact).text}; it is flashed once it is complete", Tone.BUSY)
    if artifact is not None:
        yield from _artifact_lines(artifact, partition, now)
    elif partition.image:
        if not partition.trouble:
            yield Phrase(f"no build yet: {_long(partition.image)}")
    else:
        yield Phrase("no image file is configured; f flashes one of yours")
    auto = "" if partition.auto else "; builds are offered here"
    where = f"alternate setting {_name(partition.alternate)}" if partition.alternate else f"0x{partition.address:08x}"
    yield Phrase(f"{where}, {format_size(partition.size)}{auto}", Tone.FAINT)


def _contents_line(contents: Contents, now: float, *, plain: bool) -> Phrase:
    told = contents_text(contents, plain=plain)
    tone = Tone.PLAIN if told.tone is Tone.GOOD else told.tone
    return Phrase(f"{told.text}; flashed {ago(contents.flashed_at, now)} by job {contents.job}", tone)


def _artifact_lines(artifact: ArtifactState, partition: PartitionState, now: float) -> Iterator[Phrase]:
    name = f"{version_of(artifact)}, {ago(artifact.seen_at, now)}, {_long(artifact.source)}"
    reason = f": {_long(artifact.reason)}" if artifact.reason else ""
    if artifact.disposition is Disposition.OTHER:
        yield Phrase(f"newest build: {_long(artifact.text)}", Tone.WAIT)
    elif artifact.disposition is Disposition.REFUSED:
        yield Phrase(f"build refused{reason}", Tone.BAD)
    elif partition.offered == artifact.sha256:
        yield Phrase(f"{build_state(partition, artifact).text}{reason}; f flashes it", Tone.WAIT)
    yield Phrase(f"newest build: {name}", Tone.FAINT)


def _device_details(device: DeviceState) -> Iterable[Phrase]:
    yield Phrase(f"{_name(device.product or 'device')} {_name(device.usb_id)}: {_long(device.note)}", Tone.WAIT)
    yield Phrase(
        f"It is listed and never touched. 'flashdeck adopt {_name(device.port)}' makes it a board; "
        "'flashdeck suggest' prints it as configuration.",
        Tone.STRONG,
    )


def _name(text: str) -> str:
    return clean(text, _NAME)


def _long(text: str) -> str:
    return clean(text, LONG_TEXT)
