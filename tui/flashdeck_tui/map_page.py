"""The page of one board's flash: the job that changes it, the map, its legend, and where the seconds went. Pure.

A page is lines of phrases, as wide as it is asked to be. It goes by what the store knows, and says what that lacks.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from flashdeck.flash_map import FlashMap, FlashSums
from flashdeck.job_state import Phase, PhaseTimes, Running
from flashdeck.model import BoardState, JobState, PartitionState
from flashdeck.text import clean, counted, format_duration, format_size
from flashdeck.words.boards import where_word
from flashdeck.words.contents import contents_name
from flashdeck.words.jobs import is_measured, percent, phase_word, standstill_text, status_word, todo_text
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.work import work_text
from flashdeck_tui.cell_width import cell_width, cut_at_end
from flashdeck_tui.cell_wrap import wrapped
from flashdeck_tui.glyphs import FlashGlyph
from flashdeck_tui.map_cells import MapLine, line_cells, map_lines
from flashdeck_tui.phase_chart import phase_chart
from flashdeck_tui.store import Selection, Store

Line = tuple[Phrase, ...]

LONGEST_STORY = 300
"""Characters of what a job came to."""
_ADDRESS: Final = 10
_GAP: Final = 2
_LEAST_CHART: Final = 2
_STORY_LINES: Final = 4
"""Lines for what a job does, needed or not: the map below them stays where it is, and is not drawn anew."""
_TIMED: Final = frozenset((Phase.WRITE, Phase.VERIFY, Phase.READ))
"""Phases of which a speed in bytes says something."""
_OF_A_JOB: Final = frozenset(
    (
        FlashGlyph.EQUAL,
        FlashGlyph.TO_ERASE,
        FlashGlyph.BUSY,
        FlashGlyph.ERASED,
        FlashGlyph.WRITTEN,
        FlashGlyph.VERIFIED,
        FlashGlyph.FAILED,
    )
)
"""Glyphs that the legend has while a job runs, whether they are there yet or not: it is not to jump."""


def map_page(store: Store, board: str, now: float, *, width: int, height: int) -> list[Line]:
    """Return the page of a board; what does not fit into `height` lines is the end of the chart, then the map's."""
    state = store.boards.get(board)
    if state is None:
        return [(Phrase(f"There is no board {clean(board)} any more.", Tone.WAIT),)]
    shown = store.map_of(board)
    job = _job_of(store, shown, board)
    story = list(_wrapped(_story(store, shown, state, job, now), width))
    head = [_title(state, job), *story, *[()] * (_STORY_LINES - len(story) if job is not None else 0)]
    is_running = job is not None and isinstance(job.status, Running)
    drawn = drawn_map(shown, state.partitions, width, is_running=is_running)
    page = [*head, (), *drawn] if drawn else head
    chart = _chart(job, now, width, max(_LEAST_CHART, height - len(page) - 1))
    return [*page, (), *chart] if chart else page


def _job_of(store: Store, shown: FlashMap, board: str) -> JobState | None:
    """Return the job that the page tells of: the one that runs, else the one whose work the map shows."""
    active = store.active_job(Selection(board=board))
    return active if active is not None and isinstance(active.status, Running) else store.jobs.get(shown.job)


# Above the map.


def _title(board: BoardState, job: JobState | None) -> Line:
    """Return what is seen. While a job runs, that says where the board is: it restarts now and then."""
    is_running = job is not None and isinstance(job.status, Running)
    place = () if is_running else (Phrase("  "), where_word(board))
    return (Phrase(f"{clean(board.name)}: flash map", Tone.STRONG), *place, Phrase("  Esc: back", Tone.FAINT))


def _story(store: Store, shown: FlashMap, board: BoardState, job: JobState | None, now: float) -> Iterator[Phrase]:
    if job is not None:
        yield Phrase(f"job {job.id}: {work_text(job)}", Tone.STRONG)
        yield from _progress(store, job, now)
        if shown.job == job.id:
            yield from _sums(shown.sums)
    elif not shown.reason:
        yield Phrase("No job has changed this board since flashdeckd started.", Tone.FAINT)
    if shown.reason:
        yield Phrase(f"{clean(shown.reason)}.", Tone.WAIT)
    elif board.name not in store.maps:
        yield Phrase("This flashdeckd tells no sectors: each cell is a partition.", Tone.WAIT)
    elif shown.grouped > 1:
        yield Phrase(f"Each cell is {shown.grouped} sectors.", Tone.FAINT)


def _progress(store: Store, job: JobState, now: float) -> Iterator[Phrase]:
    """Yield how far a job is, how fast, and how long its phase still takes; or what it came to."""
    status = job.status
    if not isinstance(status, Running):
        todo = todo_text(status)
        yield Phrase(clean(job.text, LONGEST_STORY), status_word(status, job.kind).tone)
        if todo:
            yield Phrase(clean(todo, LONGEST_STORY), Tone.STRONG)
        return
    told = phase_word(status.phase)
    if silent := standstill_text(status, now):
        done = f" {percent(status)} %" if is_measured(status) else ""
        yield Phrase(f"{told}{done}, {silent}", Tone.WAIT)
        return
    speed = store.speed(job.id) if is_measured(status) else None
    parts = [f"{told} {percent(status)} %" if is_measured(status) else told]
    if speed is not None:
        parts += [f"{format_size(round(speed))}/s"] if status.phase in _TIMED else []
        parts += [f"{format_duration(max(1.0, (status.total - status.done) / speed))} left"]
    yield Phrase(", ".join(parts), Tone.BUSY)


def _sums(sums: FlashSums) -> Iterator[Phrase]:
    """Yield what a job changes, how far that is done, and what it leaves alone."""
    if sums.to_erase.sectors:
        counts = ((sums.erased, "erased"), (sums.written, "written"), (sums.verified, "verified"))
        done = ", ".join(f"{count.sectors} {word}" for count, word in counts)
        size = format_size(sums.to_erase.bytes)
        yield Phrase(f"changes {counted(sums.to_erase.sectors, 'sector')} ({size}): {done}")
    if sums.failed.sectors:
        yield Phrase(f"{counted(sums.failed.sectors, 'sector')} failed", Tone.BAD)
    if sums.equal.sectors:
        saved = f", {format_size(sums.bytes_saved)} not sent" if sums.bytes_saved else ""
        alone = counted(sums.equal.sectors, "equal sector")
        yield Phrase(f"leaves {alone} alone{saved}", Tone.GOOD)


def _wrapped(story: Iterable[Phrase], width: int) -> Iterator[Line]:
    for phrase in story:
        for line in wrapped(phrase.text, max(1, width)) or [""]:
            yield (Phrase(line, phrase.tone),)


# The map.


def drawn_map(
    shown: FlashMap, partitions: Sequence[PartitionState], width: int, *, is_running: bool = False
) -> list[Line]:
    """Return the map sector by sector, and its legend below it, in lines of at most `width` cells."""
    lines = map_lines(shown, partitions, _room(partitions, width))
    drawn = [_map_line(line, partitions, width) for line in lines]
    return [*drawn, *_legend(lines, width, is_running=is_running)]


def _room(partitions: Sequence[PartitionState], width: int) -> int:
    """Return the cells that a line has for sectors, beside its address and the names of partitions."""
    longest = max((cell_width(clean(each.name)) for each in partitions), default=0)
    return max(1, width - _ADDRESS - 2 * _GAP - min(longest, width // 4))


def _map_line(line: MapLine, partitions: Sequence[PartitionState], width: int) -> Line:
    cells = [Phrase(glyph.value.symbol * count, glyph.value.tone) for glyph, count in line.cells]
    left = line_cells(_room(partitions, width)) - line.count
    beside = _beside(line, partitions, width - _ADDRESS - 2 * _GAP - line.count - left)
    pad = Phrase(" " * (left + _GAP)) if beside else Phrase("")
    return (Phrase(f"0x{line.address:08x}  ", Tone.FAINT), *cells, pad, *beside)


def _beside(line: MapLine, partitions: Sequence[PartitionState], room: int) -> Line:
    """Return the name of a partition, and as much more of it as there is room for."""
    if not line.is_first:
        return ()
    partition = next((each for each in partitions if line.name and each.name == line.name), None)
    parts = [clean(line.name) or ("no partition" if room >= len("no partition") else "none")]
    times = f"{line.sectors} x {format_size(line.size)}"
    for more in (times, _has(partition)):
        if more and cell_width("  ".join((*parts, more))) <= room:
            parts.append(more)
    name, *rest = parts
    more = "".join(f"  {each}" for each in rest)
    return (
        Phrase(cut_at_end(name, max(0, room), ""), Tone.STRONG if partition else Tone.FAINT),
        Phrase(more, Tone.FAINT),
    )


def _has(partition: PartitionState | None) -> str:
    """Return what a partition has, by its version or hash; "" where nothing is known."""
    if partition is None or partition.contents is None:
        return ""
    return contents_name(partition.contents)


def _legend(lines: Sequence[MapLine], width: int, *, is_running: bool) -> Iterator[Line]:
    """Yield the glyphs of the map and their meanings, as many in a line as it has room for."""
    there = {glyph for line in lines for glyph, _ in line.cells} | (_OF_A_JOB if is_running else set[FlashGlyph]())
    row: list[Phrase] = []
    taken = 0
    for glyph in (each.value for each in FlashGlyph if each in there):
        needs = len(glyph.meaning) + 2 + (_GAP if row else 0)
        if row and taken + needs > width:
            yield tuple(row)
            row, taken = [], 0
        gap = " " * _GAP if row else ""
        row += [Phrase(f"{gap}{glyph.symbol}", glyph.tone), Phrase(f" {glyph.meaning}", Tone.FAINT)]
        taken += needs
    if row:
        yield tuple(row)


# Below it.


def _chart(job: JobState | None, now: float, width: int, most: int) -> list[Line]:
    if job is None:
        return []
    times, under_way = _times(job, now)
    bars = phase_chart(times, width, now=under_way, most=most)
    return [(bar,) for bar in bars]


def _times(job: JobState, now: float) -> tuple[PhaseTimes, Phase | None]:
    """Return the seconds of each phase with those of the one that is under way, in whole seconds, and which it is."""
    status = job.status
    if not isinstance(status, Running):
        return job.times, None
    return job.times.plus(status.phase, float(int(max(0.0, now - status.since)))), status.phase
