"""All about one thing, the most urgent first. Pure."""

from collections.abc import Callable, Iterator, Sequence

from flashdeck.controller_load import controller_states, controller_text, is_worth_a_line
from flashdeck.job_state import Running
from flashdeck.model import ArtifactState, BoardState, Contents, Disposition, PartitionState, Presence
from flashdeck.problems import KEPT_OPEN_HINT
from flashdeck.text import format_size
from flashdeck.verdict import does_not_run
from flashdeck.words.boards import armed_text, hold_text, lease_text, where_word
from flashdeck.words.consoles import console_word
from flashdeck.words.contents import BEING_FLASHED, contents_flaw, contents_name, contents_state, contents_text
from flashdeck.words.partitions import build_state
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.clauses import filled
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.cells import ago, short_name, version_of, whole_text
from flashdeck_tui.views.devices import device_details
from flashdeck_tui.views.jobs import job_details, job_story

_RAGGED = 6
"""Cells that a line leaves empty at its end, as the words are."""
DOUBTS = 8
"""Faults of one bootloader that are shown."""


def details(store: Store, selection: Selection, now: float, keys: KeyNames) -> list[Phrase]:
    """Return all about what is selected, the most urgent first; every line may be wrapped."""
    if selection.job:
        job = store.jobs.get(selection.job)
        return list(job_details(store, job, now, keys)) if job is not None else []
    if selection.device:
        return [line for device in store.devices if device.port == selection.device for line in device_details(device)]
    board = store.boards.get(selection.board)
    if board is None:
        return []
    lines = list(_board_troubles(board, now, keys))
    partition = store.partition(selection.board, selection.partition)
    if partition is None:
        for shown in board.partitions:
            lines += _urgent_job(store, board, shown.name, now, keys)
        lines += _flaws(store, board, keys)
        lines += [_partition_line(store, board, shown, now) for shown in board.partitions if not shown.protected]
        lines += _board_facts(board)
        lines += _controller_line(store, board)
    else:
        lines += _urgent_job(store, board, partition.name, now, keys)
        lines += _partition_facts(store, board, partition, now, keys)
    return lines


def shortened(lines: Sequence[Phrase], width: int, height: int) -> list[Phrase]:
    """Return details so that in `height` lines of `width` cells there is what to do, and not only what went wrong.

    Nothing is cut where both have room.
    """
    todo = next((number for number, line in enumerate(lines) if line.tone is Tone.STRONG), 0)
    if not todo or not width:
        return list(lines)
    kept = list(lines)
    rows = max(1, height - todo)  # each line before what to do has one at least
    kept[todo] = Phrase(filled(lines[todo].text, rows * width - (rows - 1) * _RAGGED), lines[todo].tone)
    room = height - len(wrapped(kept[todo].text, width))
    for number, line in enumerate(lines[:todo]):
        needs_behind = todo - number - 1
        pieces = wrapped(line.text, width) or [""]
        most = max(1, room - needs_behind)
        if len(pieces) > most:
            text = filled(" ".join(pieces[most - 1 :]), width)
            kept[number] = Phrase(" ".join((*pieces[: most - 1], text)), line.tone)
        room -= min(len(pieces), most)
    return kept


def title_of(store: Store, selection: Selection, shown_name: Callable[[str], str] = str) -> str:
    """Return a heading for the details; `shown_name` of a board is that on the screen."""
    job = store.jobs.get(selection.job)
    if job is not None:
        return (
            f"job {job.id}: "
            + (f"{short_name(job.partition)} of " if job.partition else "")
            + short_name(shown_name(job.board))
        )
    if selection.device:
        return f"device at {short_name(selection.device)}"
    if selection.partition:
        return f"{short_name(selection.partition)} of {short_name(shown_name(selection.board))}"
    return short_name(shown_name(selection.board)) if selection.board else ""


def _board_troubles(board: BoardState, now: float, keys: KeyNames) -> Iterator[Phrase]:
    if board.trouble:
        yield Phrase(whole_text(board.trouble), Tone.BAD)
    if board.hold is not None:
        yield Phrase(f"{whole_text(hold_text(board))}. No job starts; {keys['hold']} releases it.", Tone.WAIT)
    if board.lease is not None:
        since = ago(board.lease.since, now)
        yield Phrase(f"{whole_text(lease_text(board.lease))}, {since}. Only its jobs start; others wait.", Tone.WAIT)
    for doubt in board.doubts[:DOUBTS]:
        yield Phrase(f"{whole_text(doubt)}; {keys['release']} tries it again.", Tone.WAIT)
    if board.once:
        yield Phrase(f"{armed_text(board)}; {keys['arm']} arms it for all.", Tone.WAIT)
    elif not board.armed:
        yield Phrase(f"{armed_text(board)}; {keys['arm']} arms it.", Tone.WAIT)


def _urgent_job(store: Store, board: BoardState, partition: str, now: float, keys: KeyNames) -> Iterator[Phrase]:
    """Yield what runs, waits or went wrong on a partition."""
    job = store.active_job(Selection(board=board.name, partition=partition))
    job = job or store.last_failure(board.name, partition)
    if job is not None:
        yield from job_story(store, job, now, keys)


def _flaws(store: Store, board: BoardState, keys: KeyNames) -> Iterator[Phrase]:
    """Yield what is wrong with what the partitions of a board have, where no job is putting it right."""
    for partition in board.partitions:
        contents = partition.contents
        job = store.active_job(Selection(board=board.name, partition=partition.name))
        if contents is not None and job is None and contents_flaw(contents, plain=bool(partition.alternate)):
            told = contents_text(contents, plain=bool(partition.alternate))
            what_to_do = "its console tells more" if does_not_run(contents.verdict) else f"{keys['flash']} reflashes"
            yield Phrase(f"{short_name(partition.name)}: {told.text}; {what_to_do}", told.tone)
        if partition.trouble:
            yield Phrase(f"{short_name(partition.name)}: build refused: {whole_text(partition.trouble)}", Tone.BAD)
        if partition.kept_open:
            yield Phrase(
                f"{short_name(partition.name)}: {whole_text(partition.kept_open)}; {KEPT_OPEN_HINT}", Tone.WAIT
            )


def _controller_line(store: Store, board: BoardState) -> Iterator[Phrase]:
    """Yield what the board's host controller carries, where there is a limit, or more than one of them."""
    limit = None if store.daemon is None else store.daemon.max_per_controller
    states = controller_states(store.boards.values(), store.jobs.values(), limit)
    if is_worth_a_line(states):
        for state in states:
            if state.name == board.controller:
                yield Phrase(f"controller {short_name(state.name)}: {controller_text(state)}")


def _board_facts(board: BoardState) -> Iterator[Phrase]:
    known = [f"profile {short_name(board.profile)}", where_word(board).text]
    known += [f"{word} {short_name(text)}" for word, text in (("port", board.port), ("serial", board.serial)) if text]
    if board.product:
        known.append(short_name(board.product))
    yield Phrase(", ".join(known))
    if board.presence is Presence.OTHER and board.text:
        yield Phrase(whole_text(board.text), Tone.WAIT)
    if board.console is not None:
        tone = console_word(board.console.condition).tone
        yield Phrase(f"console: {whole_text(board.console.text)}", tone)
    protected = [short_name(partition.name) for partition in board.partitions if partition.protected]
    if protected:
        yield Phrase(f"protected, never touched: {', '.join(protected)}", Tone.FAINT)


def _partition_line(store: Store, board: BoardState, partition: PartitionState, now: float) -> Phrase:
    """Return a partition of a board in one line: what it has, and what there is to flash."""
    contents = partition.contents
    build = build_state(partition, store.artifact(board.name, partition.name))
    if _is_being_flashed(store, board, partition):
        return Phrase(f"{short_name(partition.name)}: being flashed", Tone.BUSY)
    state = contents_state(contents)
    told = _contents_in_short(contents, now) if contents is not None else state.text
    tone = Tone.PLAIN if state.tone is Tone.GOOD else state.tone
    return Phrase(f"{short_name(partition.name)}: {told}; {build.text}", tone)


def _contents_in_short(contents: Contents, now: float) -> str:
    state, since = contents_state(contents).text, ago(contents.flashed_at, now)
    if contents.erased and contents.complete:
        return f"erased {since}" if not contents.uncertain else f"erased {since}, {state}"
    return f"{contents_name(contents)} {state}, flashed {since}"


def _is_being_flashed(store: Store, board: BoardState, partition: PartitionState) -> bool:
    """True if a running job is about to make what a partition has whole."""
    job = store.active_job(Selection(board=board.name, partition=partition.name))
    is_incomplete = partition.contents is not None and not partition.contents.complete
    return is_incomplete and job is not None and isinstance(job.status, Running)


def _partition_facts(
    store: Store, board: BoardState, partition: PartitionState, now: float, keys: KeyNames
) -> Iterator[Phrase]:
    contents = partition.contents
    artifact = store.artifact(board.name, partition.name)
    if contents is not None:
        if _is_being_flashed(store, board, partition):
            yield Phrase(f"{contents_name(contents)}: {BEING_FLASHED.text}", BEING_FLASHED.tone)
        else:
            yield _contents_line(contents, now, plain=bool(partition.alternate))
    if partition.trouble and (artifact is None or artifact.disposition is not Disposition.REFUSED):
        yield Phrase(f"build refused: {whole_text(partition.trouble)}", Tone.BAD)
    if partition.kept_open:
        yield Phrase(f"{whole_text(partition.kept_open)}; {KEPT_OPEN_HINT}", Tone.WAIT)
    elif partition.being_written:
        yield Phrase(f"{build_state(partition, artifact).text}; it is flashed once it is complete", Tone.BUSY)
    if artifact is not None:
        yield from _artifact_lines(artifact, partition, now, keys)
    elif partition.image:
        if not partition.trouble:
            yield Phrase(f"no build yet: {whole_text(partition.image)}")
    else:
        yield Phrase(f"no image file is configured; {keys['flash']} flashes one of yours")
    auto = "" if partition.auto else "; builds are offered here"
    where = (
        f"alternate setting {short_name(partition.alternate)}" if partition.alternate else f"0x{partition.address:08x}"
    )
    yield Phrase(f"{where}, {format_size(partition.size)}{auto}", Tone.FAINT)


def _contents_line(contents: Contents, now: float, *, plain: bool) -> Phrase:
    told = contents_text(contents, plain=plain)
    tone = Tone.PLAIN if told.tone is Tone.GOOD else told.tone
    done = "erased" if contents.erased else "flashed"
    return Phrase(f"{told.text}; {done} {ago(contents.flashed_at, now)} by job {contents.job}", tone)


def _artifact_lines(artifact: ArtifactState, partition: PartitionState, now: float, keys: KeyNames) -> Iterator[Phrase]:
    name = f"{version_of(artifact)}, {ago(artifact.seen_at, now)}, {whole_text(artifact.source)}"
    reason = f": {whole_text(artifact.reason)}" if artifact.reason else ""
    if artifact.disposition is Disposition.OTHER:
        yield Phrase(f"newest build: {whole_text(artifact.text)}", Tone.WAIT)
    elif artifact.disposition is Disposition.REFUSED:
        yield Phrase(f"build refused{reason}", Tone.BAD)
    elif partition.offered == artifact.sha256:
        yield Phrase(f"{build_state(partition, artifact).text}{reason}; {keys['flash']} flashes it", Tone.WAIT)
    yield Phrase(f"newest build: {name}", Tone.FAINT)
