"""One board in one line: its glyph, its map, its versions, its state in words. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeGuard

from flashdeck.flash_map import FlashMap
from flashdeck.job_state import JobKind, Queued, Running, Verified, Written
from flashdeck.model import BoardLease, BoardState, Contents, JobState, PartitionState
from flashdeck.problems import Problem, ProblemKind
from flashdeck.text import counted, format_age
from flashdeck.verdict import does_not_run, runs
from flashdeck.words.boards import hold_text, holder_text, lease_text, where_word
from flashdeck.words.conditions import condition_word
from flashdeck.words.contents import contents_name, contents_state, image_name
from flashdeck.words.jobs import (
    AT_THE_BOARD,
    claim_in_brief,
    claim_text,
    is_measured,
    no_answer_text,
    percent,
    phase_noun,
    standstill_text,
)
from flashdeck.words.partitions import build_state
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.work import kind_word, work_name
from flashdeck_tui.board_list import ListedBoard, flashed_at
from flashdeck_tui.clauses import Clause, Rank, Sentence
from flashdeck_tui.glyphs import BoardGlyph, MarkGlyph, VersionGlyph
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.map_cells import map_cells
from flashdeck_tui.store import Selection, Store
from flashdeck_tui.views.cells import NONE, Cell, Spans, ago, short_name, whole_text
from flashdeck_tui.views.version_names import VersionNames, version_names

_GLYPHS: Final = {
    ProblemKind.ON_HOLD: BoardGlyph.ON_HOLD,
    ProblemKind.FLASHING: BoardGlyph.BUSY,
    ProblemKind.BUSY: BoardGlyph.BUSY,
    ProblemKind.TAKEN: BoardGlyph.TAKEN,
    ProblemKind.QUEUED: BoardGlyph.WAITING,
    ProblemKind.WAITING: BoardGlyph.WAITING,
    ProblemKind.ABSENT: BoardGlyph.ABSENT,
    ProblemKind.OFFERED: BoardGlyph.OFFERED,
    ProblemKind.NOT_CURRENT: BoardGlyph.OFFERED,
    ProblemKind.CURRENT: BoardGlyph.GOOD,
    ProblemKind.NO_BUILD: BoardGlyph.GOOD,
}
"""The glyphs of conditions; those that are not here need a person, and have one in common: they are found by it."""
VERIFIED_SIGN: Final = "ok"
"""Behind a version that was read back."""
_MAPS_KEPT: Final = 1024
"""Maps whose cells are kept: of all the boards of a large bench few change, and a look draws all of them."""
_LOUD: Final = frozenset((ProblemKind.FAILED, ProblemKind.INCOMPLETE))
"""Conditions in capitals, so that they are seen without colour."""
_NO_ANSWER: Final = "NO ANSWER"
"""Of a board in capitals likewise; behind it stands for how long."""
_PLACE_OF_A_FAILURE: Final = re.compile(r"(erase|write|read)\b[^:;]{0,40}?\b(0x[0-9a-fA-F]{6,16})")


def glyph_of(each: ListedBoard) -> BoardGlyph:
    """Return the glyph of a board's condition."""
    return glyph_of_condition(each.health.condition)


def glyph_of_condition(condition: ProblemKind) -> BoardGlyph:
    """Return the glyph of a condition."""
    return _GLYPHS.get(condition, BoardGlyph.NEEDS_PERSON)


def name_cell(each: ListedBoard) -> Spans:
    """Return the glyph of a board and its name. What needs a person is as urgent as its condition."""
    glyph, condition = glyph_of(each).value, each.health.condition
    tone = condition_word(condition).tone if condition.needs_person else glyph.tone
    return Spans((Phrase(f"{glyph.symbol} ", tone), Phrase(short_name(each.shown), Tone.STRONG)))


def mark_sign(each: ListedBoard, marks: Collection[Selection]) -> str:
    """Return the sign of a board that is among `marks`; "" for any other."""
    return MarkGlyph.MARKED.value.symbol if each.place in marks else ""


def open_partitions(board: BoardState) -> tuple[PartitionState, ...]:
    """Return the partitions that can be flashed."""
    return tuple(partition for partition in board.partitions if not partition.protected)


def map_cell(each: ListedBoard, width: int) -> Spans:
    """Return the board's flash in so many cells."""
    return _map_spans(each.host.store.map_of(each.board.name), width)


@lru_cache(_MAPS_KEPT)
def _map_spans(shown: FlashMap, width: int) -> Spans:
    cells = map_cells(shown, width)
    parts: list[Phrase] = []
    for glyph in cells:
        sign, tone = glyph.value.symbol, glyph.value.tone
        if parts and parts[-1].tone is tone:
            parts[-1] = Phrase(parts[-1].text + sign, tone)
        else:
            parts.append(Phrase(sign, tone))
    return Spans(tuple(parts))


def names_by_partition(boards: Iterable[ListedBoard]) -> Mapping[str, VersionNames]:
    """Return how the versions of each partition are written, by its name: all boards count."""
    found: dict[str, set[str]] = {}
    for each in boards:
        for partition in open_partitions(each.board):
            found.setdefault(partition.name, set()).update(_versions_at(each, partition))
    return {name: version_names(versions) for name, versions in found.items()}


def _versions_at(each: ListedBoard, partition: PartitionState) -> Iterator[str]:
    job = _coming(each, partition)
    if _is_there(partition.contents):
        yield contents_name(partition.contents)
    if job is not None:
        yield image_name(job.version, job.sha256)


def _coming(each: ListedBoard, partition: PartitionState) -> JobState | None:
    """Return the job that brings another image to a partition."""
    job = each.host.store.active_job(Selection(board=each.board.name, partition=partition.name))
    if job is None or job.kind is not JobKind.FLASH or isinstance(job.status, Written):
        return None
    return job if image_name(job.version, job.sha256) else None


def version_cell(each: ListedBoard, partition: PartitionState, names: VersionNames, room: int) -> Phrase:
    """Return the version that a partition has, and the one that is on its way to it, in at most `room` cells."""
    job, contents = _coming(each, partition), partition.contents
    if job is not None:
        is_running = isinstance(job.status, Running)
        now = contents_name(contents) if _is_there(contents) else NONE
        glyph = (VersionGlyph.BUSY if is_running else VersionGlyph.WAITING).value
        return Phrase(names.change(now, image_name(job.version, job.sha256), room, glyph.symbol), glyph.tone)
    if contents is not None and not contents.complete:
        return contents_state(contents)
    if not _is_there(contents):
        return Phrase(NONE, Tone.FAINT)
    tone = contents_state(contents).tone
    if contents.uncertain:
        sign = f" {VersionGlyph.UNCERTAIN.value.symbol}"
    elif contents.started is False or does_not_run(contents.verdict):
        sign = f" {VersionGlyph.NOT_STARTED.value.symbol}"
    else:
        is_good = contents.verified is Verified.YES or runs(contents.verdict)
        sign, tone = f" {VERIFIED_SIGN}" if is_good else "", Tone.PLAIN
    return Phrase(f"{names.short(contents_name(contents), room - len(sign))}{sign}", tone)


def _is_there(contents: Contents | None) -> TypeGuard[Contents]:
    """True if a partition is known to have an image, and all of it."""
    return contents is not None and contents.complete and not contents.erased


def partitions_cell(each: ListedBoard, names: Mapping[str, VersionNames], room: int, chosen: str = "") -> Cell:
    """Return all partitions with their versions, for boards that do not have the same ones."""
    parts: list[Phrase] = []
    for partition in open_partitions(each.board):
        cell = version_cell(each, partition, names[partition.name], room)
        gap = ", " if parts else ""
        mark = f"[{short_name(partition.name)}]" if partition.name == chosen else short_name(partition.name)
        parts += [Phrase(f"{gap}{mark} ", Tone.FAINT), cell]
    return Spans(tuple(parts)) if parts else Phrase(NONE, Tone.FAINT)


def state_cell(each: ListedBoard, now: float, keys: KeyNames, names: Mapping[str, VersionNames]) -> Sentence:
    """Return how a board is, in words: what is under way there, what is wrong, what waits, what can be done."""
    store, board = each.host.store, each.board
    health = each.health
    told = list(_work(store, board, now))
    tone = condition_word(health.condition).tone
    if stands_still := any(clause.rank > Rank.WORK for clause in told):
        tone = tone if health.problems else Tone.WAIT
    clauses = list(told)
    if health.problems:
        clauses += _problem(board, health.problems[0], keys)
        more = len(health.problems) - 1
        clauses += [Clause(counted(more, "more problem"), Rank.ASIDE)] if more else []
    elif not told:
        clauses += _quiet(each, now, keys, names)
    if board.hold is None and (board.once or not board.armed):
        clauses.append(Clause("armed once" if board.once else "disarmed", Rank.ASIDE))
        tone = Tone.WAIT if tone in (Tone.GOOD, Tone.FAINT, Tone.PLAIN) and not stands_still else tone
    harmless = (replace(clause, text=whole_text(clause.text), brief=whole_text(clause.brief)) for clause in clauses)
    return Sentence(tuple(harmless), tone, lead="last seen " if each.is_stale else "")


def _work(store: Store, board: BoardState, now: float) -> Iterator[Clause]:
    """Yield what is under way at a board; that one stands still matters more than what it does."""
    waiting = 0
    for job in store.jobs_at(board.name):
        if isinstance(job.status, Running | Written):
            yield from _running(job, now)
        elif isinstance(job.status, Queued):
            waiting += 1
    if waiting and any(isinstance(job.status, Running) for job in store.jobs_at(board.name)):
        yield Clause(f"{counted(waiting, 'job')} queued", Rank.ASIDE)


def _running(job: JobState, now: float) -> Iterator[Clause]:
    status = job.status
    kind = "" if job.kind is JobKind.FLASH else f"{kind_word(job.kind)}: "
    if not isinstance(status, Running):
        yield Clause(f"{kind}{job.text}", Rank.WORK)
        return
    word = phase_noun(status.phase)
    if job.kind is not JobKind.FLASH and word == kind_word(job.kind):
        kind = ""
    yield Clause(f"{kind}{word}" + (f" {percent(status)}%" if is_measured(status) else ""), Rank.WORK)
    no_answer = no_answer_text(status, now)
    if no_answer and standstill_text(status, now) == no_answer:
        silent = format_age(now - status.answered_at)
        yield Clause(f"{_NO_ANSWER} {silent}", Rank.ALARM, brief=_NO_ANSWER, joint=" ")
    elif claim := claim_text(status):
        yield Clause(claim, Rank.TROUBLE, brief=claim_in_brief(status), joint=", ")


def _problem(board: BoardState, problem: Problem, keys: KeyNames) -> Iterator[Clause]:
    """Yield a problem with what tells most of it first; of one that needs a hand, that is what the hand has to do."""
    word = condition_word(problem.kind).text
    loud = word.upper() if problem.kind in _LOUD else word
    where = f" ({short_name(problem.partition)})" if problem.partition and len(open_partitions(board)) > 1 else ""
    match problem.kind:
        case ProblemKind.NEEDS_HAND if problem.hint:
            yield Clause(word, Rank.OFFER)
            yield Clause(problem.hint.removeprefix(AT_THE_BOARD), Rank.TROUBLE, joint=": ")
            return
        case ProblemKind.ON_HOLD:
            told = hold_text(board) if board.hold is not None else f"on hold: {problem.text}"
        case ProblemKind.NEEDS_HAND:
            told = f"{word}: {problem.text}"
        case ProblemKind.FAILED:
            text = problem.text.removeprefix(f"board {board.name} ")
            place = _PLACE_OF_A_FAILURE.search(text)
            told = f"{loud} {place[1]} {place[2]}: {text}" if place is not None else f"{loud}: {text}"
            told += where
        case ProblemKind.NOT_STARTED:
            told = f"{short_name(problem.partition)} {word}: {problem.hint}"
        case ProblemKind.INCOMPLETE | ProblemKind.UNCERTAIN:
            told = f"{loud}: {keys['flash']} reflashes{where}"
        case _:
            told = f"{loud}: {problem.text}{where}"
    yield Clause(told, Rank.TROUBLE)


def _quiet(each: ListedBoard, now: float, keys: KeyNames, names: Mapping[str, VersionNames]) -> Iterator[Clause]:
    """Yield how a board is on which nothing runs and nothing is wrong."""
    board, store, condition = each.board, each.host.store, each.health.condition
    if board.lease is not None:
        yield Clause(_lease_text(board.lease), Rank.OFFER)
    job = store.active_job(Selection(board=board.name))
    if job is not None:
        yield Clause(f"queued: {work_name(job)}" if isinstance(job.status, Queued) else job.text, Rank.WORK)
        return
    then = flashed_at(board)
    is_there = condition is ProblemKind.CURRENT and not board.away
    where = where_word(board).text
    since = f", {_since(then, now)}" if then and is_there else ""
    yield Clause(f"{where}{since}", Rank.ASIDE, brief=where)
    if any(partition.being_written for partition in board.partitions):
        yield Clause("a build is being written", Rank.WORK)
    elif condition in (ProblemKind.OFFERED, ProblemKind.NOT_CURRENT):
        yield from _newer(store, board, keys, names)
    elif condition is ProblemKind.NO_BUILD:
        yield Clause("no build yet", Rank.ASIDE)


def _newer(store: Store, board: BoardState, keys: KeyNames, names: Mapping[str, VersionNames]) -> Iterator[Clause]:
    """Yield the newest build that a board has not, and the key that flashes it."""
    for partition in open_partitions(board):
        artifact = store.artifact(board.name, partition.name)
        if not partition.current and artifact is not None:
            name = image_name(artifact.version, artifact.sha256)
            version = names[partition.name].without_program(name)
            if partition.offered == artifact.sha256:
                yield Clause(f"{keys['flash']} flashes {version}", Rank.OFFER)
            else:
                yield Clause(build_state(partition, artifact).text.replace(name, version), Rank.OFFER)
            return


def _lease_text(lease: BoardLease) -> str:
    """Return what a board is taken for, which tells more than who has it."""
    return f"taken: {lease.reason}, by {holder_text(lease)}" if lease.reason else lease_text(lease)


def _since(then: float, now: float) -> str:
    """Return since when a board has what it has."""
    told = ago(then, now)
    return told.removesuffix(" ago") if told.endswith(" ago") else f"flashed {told}"


def same_partitions(boards: Sequence[ListedBoard]) -> tuple[str, ...] | None:
    """Return the names of the open partitions, where all boards have the same ones; else None."""
    found = {tuple(partition.name for partition in open_partitions(each.board)) for each in boards}
    return found.pop() if len(found) == 1 else None
