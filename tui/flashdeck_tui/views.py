"""The store in words: rows, sentences and tones that the widgets show. Pure; no colour is named here.

Every string that came from a device, a file or a client goes through `clean` on its way into a cell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flashdeck.model import (
    ArtifactState,
    BoardState,
    Contents,
    DeviceState,
    Disposition,
    JobResult,
    JobState,
    JobStatus,
    LogLevel,
    LogLine,
    PartitionState,
    Phase,
    Presence,
    Verified,
)
from flashdeck.text import clean, counted, format_age, format_duration, format_size, short_sha
from flashdeck.words import contents_name, image_name
from flashdeck_tui.link import LinkState, LinkStatus
from flashdeck_tui.store import Selection, Store

NONE = "-"
LONG_TEXT = 1000
"""Characters of a message that is shown whole."""
DOUBTS = 8
"""Things that are held against one bootloader and shown."""
RECENT_JOBS = 50
"""Ended jobs in the list."""

_BAR_CELLS = 12
_MINUTE = 60
_NAME = 40


class Tone(StrEnum):
    """What a text means; the widgets' style sheet gives each a colour. Never the only bearer of a meaning."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"  # verified, up to date, done
    WAIT = "wait"  # waiting, held, offered, not verified
    BAD = "bad"  # failed, incomplete
    BUSY = "busy"  # running


@dataclass(frozen=True, slots=True)
class Cell:
    """One text of a row."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list, and what it stands for."""

    key: Selection
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the details."""

    text: str
    tone: Tone = Tone.PLAIN


_PRESENCE = {
    Presence.ABSENT: Cell("absent", Tone.FAINT),
    Presence.DFU: Cell("DFU mode"),
    Presence.APP: Cell("app runs"),
    Presence.AMBIGUOUS: Cell("ambiguous", Tone.BAD),
}
_STATUS_TONES = {
    JobStatus.QUEUED: Tone.PLAIN,
    JobStatus.WAITING: Tone.WAIT,
    JobStatus.RUNNING: Tone.BUSY,
    JobStatus.HELD: Tone.WAIT,
    JobStatus.DONE: Tone.GOOD,
    JobStatus.FAILED: Tone.BAD,
    JobStatus.SUPERSEDED: Tone.FAINT,
    JobStatus.CANCELLED: Tone.FAINT,
}
_PHASES = {
    Phase.DETACH: "detaching",
    Phase.OPEN: "opening",
    Phase.COMPARE: "comparing",
    Phase.ERASE: "erasing",
    Phase.WRITE: "writing",
    Phase.VERIFY: "verifying",
    Phase.BOOT_UNIT: "boot unit",
    Phase.LEAVE: "leaving",
    Phase.START: "starting",
    Phase.OTHER: "working",
}
_IDLE = Cell("no build seen yet", Tone.FAINT)
_MEASURED_PHASES = (Phase.COMPARE, Phase.ERASE, Phase.WRITE, Phase.VERIFY)
_TIMED_PHASES = (Phase.WRITE, Phase.VERIFY)


def board_rows(store: Store, now: float) -> list[Row]:
    """Each board with its partitions below it, then the devices that are no board. `now` is in epoch seconds."""
    rows: list[Row] = []
    for board in store.boards.values():
        rows.append(_board_row(board))
        rows += [_partition_row(store, board, p, now) for p in board.partitions if not p.protected]
    return rows + [_device_row(device) for device in store.devices]


def without_idle(rows: Iterable[Row]) -> list[Row]:
    """The rows without the partitions that there is nothing to tell of; they can still be flashed from their board."""
    return [row for row in rows if not (row.key.partition and row.cells[-1] == _IDLE)]


def no_boards(store: Store) -> str:
    """What stands where the boards would be."""
    if store.daemon is None:
        return "no daemon yet, so no boards are known"
    return "no boards are configured; 'flashdeck suggest' prints what is plugged in as configuration"


def job_rows(store: Store, now: float) -> list[Row]:
    """What runs, then every lane's queue in its order, then what ended, newest first."""
    active = [job for job in store.jobs.values() if not job.status.ended]
    active.sort(key=lambda job: (job.status is not JobStatus.RUNNING, job.id))
    ended = sorted((job for job in store.jobs.values() if job.status.ended), key=lambda job: -job.id)
    return [_job_row(store, job, now) for job in (*active, *ended[:RECENT_JOBS])]


def details(store: Store, selection: Selection, now: float) -> list[Line]:
    """All that there is to say of what is selected, the most urgent first; every line may be wrapped."""
    if selection.job:
        job = store.jobs.get(selection.job)
        return list(_job_details(store, job, now)) if job is not None else []
    if selection.device:
        return [line for device in store.devices if device.port == selection.device for line in _device_details(device)]
    board = store.boards.get(selection.board)
    if board is None:
        return []
    lines = list(_board_troubles(board))
    partition = store.partition(selection.board, selection.partition)
    if partition is None:
        for shown in board.partitions:
            lines += _urgent_job(store, board, shown.name)
        lines += _board_facts(board)
    else:
        lines += _urgent_job(store, board, partition.name)
        lines += _partition_facts(store, board, partition, now)
    return lines


def title_of(store: Store, selection: Selection) -> str:
    """A heading for the details."""
    job = store.jobs.get(selection.job)
    if job is not None:
        return f"job {job.id}: {_name(job.partition)} of {_name(job.board)}"
    if selection.device:
        return f"device at {_name(selection.device)}"
    if selection.partition:
        return f"{_name(selection.partition)} of {_name(selection.board)}"
    return _name(selection.board) if selection.board else ""


def header(store: Store, link: LinkState, socket: str) -> list[Cell]:
    """Whether we are connected, whether something failed that may be out of sight, and which daemon this is."""
    tones = {LinkStatus.CONNECTED: Tone.GOOD, LinkStatus.CONNECTING: Tone.WAIT, LinkStatus.DISCONNECTED: Tone.BAD}
    cells = [Cell("flashdeck", Tone.STRONG), Cell(link.status.value, tones[link.status])]
    failed = sum(store.last_failure(board) is not None for board in store.boards)
    if failed:
        cells.append(Cell(f"{counted(failed, 'board')} failed", Tone.BAD))
    daemon = store.daemon
    if daemon is not None:
        cells.append(Cell(f"flashdeckd {_name(daemon.version)} on {_name(daemon.host)}"))
        if daemon.virtual:
            cells.append(Cell("virtual boards", Tone.WAIT))
    cells.append(Cell(clean(socket), Tone.FAINT))
    return cells


def notices(store: Store, link: LinkState) -> list[Line]:
    """What is wrong with the daemon or the way to it, each with what to do."""
    lines: list[Line] = []
    if link.status is LinkStatus.DISCONNECTED:
        lines.append(Line(_long(link.reason), Tone.BAD))
        if link.hint:
            lines.append(Line(_long(link.hint), Tone.STRONG))
        kept = "What follows is how it was. " if store.daemon is not None else ""
        lines.append(Line(f"{kept}Trying again by itself.", Tone.FAINT))
    elif store.daemon is not None:
        lines += [Line(_long(part), Tone.WAIT) for part in store.daemon.degraded]
    return lines


def log_text(line: LogLine) -> str:
    """A line of the log, in local time."""
    at = datetime.fromtimestamp(line.time).strftime("%H:%M:%S")  # noqa: DTZ006 - local time is what people compare with
    level = {LogLevel.INFO: "", LogLevel.WARNING: "warning: ", LogLevel.ERROR: "ERROR: "}[line.level]
    board = f"{_name(line.board)}: " if line.board else ""
    return f"{at} {board}{level}{_long(line.text)}"


def ago(then: float, now: float) -> str:
    """How long ago something was. Changes once a minute at the most, so that a quiet screen stays quiet."""
    return f"{format_age(now - then)} ago" if now - then >= _MINUTE else "just now"


def version_of(thing: JobState | ArtifactState) -> str:
    """Return how people tell images apart."""
    return image_name(thing.version, thing.sha256)


def percent(job: JobState) -> int:
    """How far the phase of a running job is."""
    return max(0, min(100, 100 * job.done // job.total)) if job.total > 0 else 0


def _board_row(board: BoardState) -> Row:
    presence = _PRESENCE[board.presence]
    where = " ".join(_name(text) for text in (board.port, board.serial) if text)
    return Row(
        Selection(board=board.name),
        (Cell(_name(board.name), Tone.STRONG), presence, Cell(where or NONE, Tone.FAINT), _board_now(board)),
    )


def _board_now(board: BoardState) -> Cell:
    if board.trouble:
        return Cell(_long(board.trouble), Tone.BAD)
    if board.held:
        return Cell(f"held: {_long(board.held)}", Tone.WAIT)
    if not board.armed:
        return Cell("disarmed: builds are offered", Tone.WAIT)
    return Cell("armed: flashes new builds", Tone.FAINT)


def _partition_row(store: Store, board: BoardState, partition: PartitionState, now: float) -> Row:
    contents = partition.contents
    return Row(
        Selection(board=board.name, partition=partition.name),
        (
            Cell(f"  {_name(partition.name)}"),
            Cell(contents_name(contents) if contents else NONE, Tone.PLAIN if contents else Tone.FAINT),
            _being_written(store, board, partition) or _contents_cell(contents, now),
            _partition_now(store, board, partition),
        ),
    )


def _being_written(store: Store, board: BoardState, partition: PartitionState) -> Cell | None:
    """An incomplete partition is none to worry about while its job runs."""
    job = store.active_job(Selection(board=board.name, partition=partition.name))
    running = job is not None and job.status is JobStatus.RUNNING
    incomplete = partition.contents is not None and not partition.contents.complete
    return Cell("being written", Tone.BUSY) if running and incomplete else None


def _contents_cell(contents: Contents | None, now: float) -> Cell:
    if contents is None:
        return Cell("never flashed", Tone.FAINT)
    if not contents.complete:
        return Cell(f"incomplete, {ago(contents.flashed_at, now)}", Tone.BAD)
    tone = Tone.GOOD if contents.verified is Verified.YES else Tone.WAIT
    return Cell(f"{contents.verified}, {ago(contents.flashed_at, now)}", tone)


def _partition_now(store: Store, board: BoardState, partition: PartitionState) -> Cell:
    job = store.active_job(Selection(board=board.name, partition=partition.name))
    if job is not None:
        return _active_cell(job)
    if partition.settling:
        return Cell("a build is settling", Tone.BUSY)
    failed = store.last_failure(board.name, partition.name)
    if failed is not None:
        return Cell(f"failed: {_reason(failed)}", Tone.BAD)
    return _idle_cell(store.artifact(board.name, partition.name), partition)


def _active_cell(job: JobState) -> Cell:
    tone = _STATUS_TONES[job.status]
    version = version_of(job)
    match job.status:
        case JobStatus.RUNNING:
            return Cell(f"{_phase(job)}{f' {percent(job)} %' if _is_measured(job) else ''}, {version}", tone)
        case JobStatus.QUEUED:
            return Cell(f"queued {version}", tone)
        case _:
            reason = _reason(job)
            return Cell(reason if reason.startswith(job.status) else f"{job.status}: {reason}", tone)


def _idle_cell(artifact: ArtifactState | None, partition: PartitionState) -> Cell:
    if partition.trouble:
        return Cell(f"build not taken: {_long(partition.trouble)}", Tone.BAD)
    if partition.offered:
        version = version_of(artifact) if artifact and artifact.sha256 == partition.offered else "a build"
        return Cell(f"offered {version}: f flashes it", Tone.WAIT)
    return _flaw(partition.contents) or _compared(partition, artifact)


def _flaw(contents: Contents | None) -> Cell | None:
    if contents is not None and not contents.complete:
        return Cell("does not boot: f flashes it again", Tone.BAD)
    if contents is not None and contents.started is False:
        return Cell("was not seen to start", Tone.BAD)
    if contents is not None and contents.disturbed:
        return Cell("in doubt: f makes sure", Tone.WAIT)
    return None


def _compared(partition: PartitionState, artifact: ArtifactState | None) -> Cell:
    contents = partition.contents
    if artifact is None:
        return _IDLE if contents is None else Cell("no build seen", Tone.FAINT)
    if contents is not None and partition.current:
        sure = "" if contents.verified is Verified.YES else ", not verified"
        return Cell(f"up to date{sure}", Tone.GOOD)
    return Cell(f"newest build is {version_of(artifact)}", Tone.WAIT)


def _device_row(device: DeviceState) -> Row:
    where = " ".join(_name(text) for text in (device.port, device.serial) if text)
    return Row(
        Selection(device=device.port),
        (
            Cell(_name(device.product or "unknown device"), Tone.WAIT),
            Cell(_name(device.usb_id)),
            Cell(where, Tone.FAINT),
            Cell(_long(device.note or "not configured: never touched"), Tone.WAIT),
        ),
    )


def _job_row(store: Store, job: JobState, now: float) -> Row:
    status = _phase(job) if job.status is JobStatus.RUNNING else job.status.value
    return Row(
        Selection(board=job.board, partition=job.partition, job=job.id),
        (
            Cell(str(job.id), Tone.FAINT),
            Cell(_name(job.board)),
            Cell(_name(job.partition)),
            Cell(version_of(job)),
            Cell(status, _STATUS_TONES[job.status]),
            _job_cell(store, job, now),
        ),
    )


def _job_cell(store: Store, job: JobState, now: float) -> Cell:
    match job.status:
        case JobStatus.RUNNING:
            return Cell(_progress(store, job), Tone.BUSY)
        case JobStatus.DONE:
            result = f", {_short_result(job.result)}" if job.result is not None else ""
            return Cell(f"{ago(job.finished_at or job.created_at, now)}{result}", Tone.FAINT)
        case JobStatus.FAILED:
            return Cell(_reason(job), Tone.BAD)
        case JobStatus.WAITING | JobStatus.HELD:
            return Cell(_reason(job), Tone.WAIT)
        case _:
            return Cell(_reason(job), Tone.FAINT)


def _progress(store: Store, job: JobState) -> str:
    if not _is_measured(job):
        return ""
    done = percent(job)
    full = done * _BAR_CELLS // 100
    speed = store.speed(job.id) if job.phase in _TIMED_PHASES else None
    rate = f" {speed / 1024:.1f} KiB/s" if speed is not None else ""
    return f"{done:3d} % {'█' * full}{'░' * (_BAR_CELLS - full)}{rate}"


def _is_measured(job: JobState) -> bool:
    return job.phase in _MEASURED_PHASES and job.total > 0


def _phase(job: JobState) -> str:
    return _PHASES[job.phase] if job.phase is not None else "running"


def _reason(job: JobState) -> str:
    return _long(job.failure.message if job.failure is not None else job.reason)


def _short_result(result: JobResult) -> str:
    started = {True: ", started", False: ", did not start", None: ""}[result.started]
    return f"{format_size(result.bytes_written)} in {format_duration(result.seconds)}, {result.verified}{started}"


def _board_troubles(board: BoardState) -> Iterator[Line]:
    if board.trouble:
        yield Line(_long(board.trouble), Tone.BAD)
    if board.held:
        yield Line(f"held: {_long(board.held)}. No job starts until e releases it.", Tone.WAIT)
    for doubt in board.doubts[:DOUBTS]:
        yield Line(f"{_long(doubt)}. e has it tried anew.", Tone.WAIT)
    if not board.armed:
        yield Line("disarmed: new builds are only offered (f flashes one) until a arms it.", Tone.WAIT)


def _urgent_job(store: Store, board: BoardState, partition: str) -> Iterator[Line]:
    """What runs, waits or went wrong on a partition."""
    job = store.active_job(Selection(board=board.name, partition=partition))
    job = job or store.last_failure(board.name, partition)
    if job is not None:
        yield from _job_story(store, job)


def _job_story(store: Store, job: JobState) -> Iterator[Line]:
    name = f"job {job.id} ({version_of(job)} into {_name(job.partition)})"
    tone = _STATUS_TONES[job.status]
    match job.status:
        case JobStatus.FAILED:
            yield Line(f"{name} failed: {_reason(job)}", tone)
            hint = job.failure.hint if job.failure is not None else ""
            yield Line(f"r tries again, after this: {_long(hint)}" if hint else "r tries again", Tone.STRONG)
        case JobStatus.RUNNING:
            yield Line(f"{name} is {_phase(job)} {_progress(store, job)}".rstrip() + "; c cancels it.", tone)
        case JobStatus.HELD:
            yield Line(f"{name} is held: {_reason(job)}", tone)
            yield Line("Once that is put right, r looks at it again; c cancels it.", Tone.STRONG)
        case JobStatus.WAITING:
            yield Line(f"{name}: {_reason(job)}", tone)
            yield Line("It goes on by itself then; c cancels it.")
        case JobStatus.QUEUED:
            yield Line(f"{name} is queued{f': {_reason(job)}' if job.reason else ''}; c cancels it.")
        case _:
            yield Line(f"{name} is {job.status}{f': {_reason(job)}' if job.reason else ''}", tone)


def _job_details(store: Store, job: JobState, now: float) -> Iterator[Line]:
    yield from _job_story(store, job)
    result = job.result
    if result is not None:
        costs = f"{counted(result.erases, 'erase')}, {counted(result.transfers, 'transfer')}"
        same = f"; {format_size(result.unchanged)} were right already and left alone" if result.unchanged else ""
        yield Line(f"{_short_result(result)}; {costs}{same}")
        if result.protection:
            yield Line(_long(result.protection))
        yield from (Line(_long(remark), Tone.WAIT) for remark in result.remarks)
    when = ago(job.finished_at or job.started_at or job.created_at, now)
    yield Line(
        f"asked for by {'a build' if job.origin == 'build' else 'hand'}, {when}; {format_size(job.size)}, "
        f"SHA-256 {short_sha(clean(job.sha256))}",
        Tone.FAINT,
    )


def _board_facts(board: BoardState) -> Iterator[Line]:
    states = {
        Presence.ABSENT: "not connected",
        Presence.DFU: "in DFU mode",
        Presence.APP: "runs its application",
        Presence.AMBIGUOUS: "not to be told apart",
    }
    known = [f"profile {_name(board.profile)}", states[board.presence]]
    known += [f"{word} {_name(text)}" for word, text in (("port", board.port), ("serial", board.serial)) if text]
    if board.product:
        known.append(_name(board.product))
    yield Line(", ".join(known))
    protected = [_name(partition.name) for partition in board.partitions if partition.protected]
    if protected:
        yield Line(f"protected, never touched: {', '.join(protected)}", Tone.FAINT)


def _partition_facts(store: Store, board: BoardState, partition: PartitionState, now: float) -> Iterator[Line]:
    contents = partition.contents
    artifact = store.artifact(board.name, partition.name)
    if contents is not None:
        written = _being_written(store, board, partition)
        yield (
            Line(f"{contents_name(contents)} is being written", Tone.BUSY)
            if written
            else _contents_line(contents, now, plain=bool(partition.alternate))
        )
    if partition.trouble and (artifact is None or artifact.disposition is not Disposition.REFUSED):
        yield Line(f"the newest build can not be taken: {_long(partition.trouble)}", Tone.BAD)
    if partition.settling:
        yield Line("its image file is being written: it is taken once nobody writes it any more", Tone.BUSY)
    if artifact is not None:
        yield from _artifact_lines(artifact, partition, now)
    elif partition.image:
        if not partition.trouble:
            yield Line(f"waits for a first build of {_long(partition.image)}")
    else:
        yield Line("no image file is configured; f flashes one of yours")
    auto = "" if partition.auto else "; builds are only offered here"
    where = f"alternate setting {_name(partition.alternate)}" if partition.alternate else f"0x{partition.address:08x}"
    yield Line(f"{where}, {format_size(partition.size)}{auto}", Tone.FAINT)


def _contents_line(contents: Contents, now: float, *, plain: bool) -> Line:
    what = contents_name(contents)
    if contents.sha256:
        what += f" ({format_size(contents.size)}, SHA-256 {short_sha(clean(contents.sha256))})"
    when = f"flashed {ago(contents.flashed_at, now)} by job {contents.job}"
    if not contents.complete:
        boots = "half of it may be started" if plain else "no boot check accepts it"
        return Line(f"incomplete: {what} was not written to its end; {boots}. {when}.", Tone.BAD)
    if contents.verified is Verified.YES:
        return Line(f"holds {what}, {when}, read back and found equal")
    return Line(f"holds {what}, {when}, not verified: it was not read back", Tone.WAIT)


def _artifact_lines(artifact: ArtifactState, partition: PartitionState, now: float) -> Iterator[Line]:
    name = f"{version_of(artifact)}, {ago(artifact.seen_at, now)}, {_long(artifact.source)}"
    reason = f": {_long(artifact.reason)}" if artifact.reason else ""
    if artifact.disposition is Disposition.REFUSED:
        yield Line(f"the newest build was refused{reason}", Tone.BAD)
        yield Line(f"newest build: {name}", Tone.FAINT)
    elif partition.offered == artifact.sha256:
        yield Line(f"the newest build is offered{reason}; f flashes it ({name})", Tone.WAIT)
    else:
        yield Line(f"newest build: {name}", Tone.FAINT)


def _device_details(device: DeviceState) -> Iterable[Line]:
    yield Line(f"{_name(device.product or 'device')} {_name(device.usb_id)}: {_long(device.note)}", Tone.WAIT)
    yield Line(
        f"It is listed and never touched. 'flashdeck adopt {_name(device.port)}' makes it a board; "
        "'flashdeck suggest' prints it as configuration.",
        Tone.STRONG,
    )


def _name(text: str) -> str:
    return clean(text, _NAME)


def _long(text: str) -> str:
    return clean(text, LONG_TEXT)
