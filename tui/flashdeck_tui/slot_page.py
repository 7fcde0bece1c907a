"""The page of the slots: the lots, a tile for each slot of all hosts, and the units that failed last. Pure.

It is made for a screen on a wall: what matters is read from far away, and nothing jumps while it changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, assert_never

from flashdeck.job_state import Verified
from flashdeck.slot_condition import (
    SlotCondition,
    SlotEmpty,
    SlotFailed,
    SlotFlashing,
    SlotOccupied,
    SlotPassed,
    SlotUnknown,
    SlotWaiting,
)
from flashdeck.slot_state import LotState, SlotState, UnitRecord
from flashdeck.text import clean, counted
from flashdeck.words.contents import image_name
from flashdeck.words.jobs import phase_word, verified_word
from flashdeck.words.log_times import clock_time
from flashdeck.words.slots import failure_text, share_text, slot_counts, slot_word
from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.cell_width import cell_width, cut_at_end
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.slot_tiles import Line, SlotTile, TileGrid, grid_for, tile_lines
from flashdeck_tui.views.cells import LONG_TEXT, short_name
from flashdeck_tui.widgets.columns import ELLIPSIS

Failures = Mapping[str, Sequence[UnitRecord]]
"""The units that failed last, newest first, by the names of hosts."""

MOST_FAILURES = 8
"""Failed units that the page tells of at the most."""
FAILURE_SHARE = 4
"""Failed units have at most one line of so many."""
_LOT_GAP: Final = "  "
_MODEL: Final = "PASS"
"""A word for which every tile has room: PASS, FAIL, WAIT and 100% are equally long."""
_EDGES: Final[Mapping[type[SlotCondition], str]] = {
    SlotPassed: "=",
    SlotFailed: "!",
    SlotFlashing: ">",
    SlotWaiting: ":",
}
"""The signs beside a word in small letters, as everywhere: `!` is wrong, `>` work, `:` waits."""


def slot_page(fleet: Fleet, failures: Failures, keys: KeyNames, *, width: int, height: int) -> list[Line]:
    """Return the page in lines of at most `width` cells; more than `height` of them where not all slots have room."""
    head = [_line(phrases, width) for phrases in _head(fleet, keys, width)]
    tiles = list(slot_tiles(fleet))
    if not tiles:
        return [*head, (Phrase("There is no slot. Write [slots.NAME] with port and profile into the configuration."),)]
    told = list(_failed_last(fleet, failures))
    grid, room = _shared_out(len(tiles), min(len(told), MOST_FAILURES), width, height - len(head))
    drawn = tile_lines(tiles, grid)
    return [*head, *drawn, *(_line(each, width) for each in told[:room])]


def _shared_out(count: int, failures: int, width: int, height: int) -> tuple[TileGrid, int]:
    """Return the grid of the tiles, and the lines for failed units: more than one only if no tile is worse for it."""
    least = min(1, failures)
    grid = grid_for(count, _MODEL, width, height - least)
    for lines in range(min(failures, height // FAILURE_SHARE), least, -1):
        smaller = grid_for(count, _MODEL, width, height - lines)
        if smaller.height + lines <= height and (smaller.scale, smaller.across) >= (grid.scale, grid.across):
            return smaller, lines
    return grid, least


def _line(phrases: Sequence[Phrase], width: int) -> Line:
    """Return phrases as a line, the last of which is cut where they have no room."""
    line: list[Phrase] = []
    left = width
    for each in phrases:
        line.append(Phrase(cut_at_end(each.text, max(0, left), ELLIPSIS if left > 0 else ""), each.tone))
        left -= cell_width(line[-1].text)
    return tuple(line)


# Above the tiles.


def _head(fleet: Fleet, keys: KeyNames, width: int) -> Iterator[list[Phrase]]:
    """Yield a line for each lot, or one that counts the slots where there is none; then why a host is away."""
    told = [_lot(host, lot) for host in fleet for lot in host.store.lots.values()] or [_counts(fleet)]
    way_back = Phrase(f"{keys['help']} help  {keys['slots']} back", Tone.FAINT)
    room = width - cell_width(_text(told[0])) - cell_width(way_back.text)
    yield [*told[0], Phrase(" " * room), way_back] if room >= len(_LOT_GAP) else told[0]
    yield from told[1:]
    for host in fleet:
        if host.link.state.status is not LinkStatus.CONNECTED:
            where = f"{short_name(host.name)}: " if host.name else ""
            reason = clean(host.link.state.reason, LONG_TEXT)
            yield [Phrase(f"{where}not connected, as last seen" + (f": {reason}" if reason else ""), Tone.BAD)]


def _text(phrases: Sequence[Phrase]) -> str:
    return "".join(each.text for each in phrases)


def _lot(host: FleetHost, lot: LotState) -> list[Phrase]:
    """Return a lot, what matters most first: a narrow screen cuts the end off."""
    where = f"{short_name(host.name)}/" if host.name else ""
    parts = [
        Phrase(f"lot {where}{short_name(lot.name)}", Tone.STRONG),
        Phrase(f"{lot.passed}/{lot.count} PASS", Tone.GOOD if lot.passed else Tone.PLAIN),
        Phrase(f"{lot.failed} FAIL", Tone.BAD if lot.failed else Tone.FAINT),
        Phrase(f"yield {share_text(lot.good_share)}"),
    ]
    if lot.is_complete:
        parts.insert(1, Phrase("COMPLETE", Tone.GOOD))
    parts.append(Phrase(f"{clean(lot.partition)} {image_name(clean(lot.version), lot.sha256)}", Tone.FAINT))
    return _spaced(parts)


def _counts(fleet: Fleet) -> list[Phrase]:
    conditions = [slot.condition for host in fleet for slot in host.store.slots.values()]
    title = Phrase(counted(len(conditions), "slot"), Tone.STRONG)
    return _spaced([title, *(Phrase(f"{number} {word.text}", word.tone) for word, number in slot_counts(conditions))])


def _spaced(parts: Sequence[Phrase]) -> list[Phrase]:
    return [each for part in parts for each in (Phrase(_LOT_GAP), part)][1:]


# The tiles.


def slot_tiles(fleet: Fleet) -> Iterator[SlotTile]:
    """Yield a tile for each slot: those of a host in the order of its configuration, groups together."""
    for host in fleet:
        slots = list(host.store.slots.values())
        groups = list(dict.fromkeys(slot.group for slot in slots))
        for slot in sorted(slots, key=lambda slot: groups.index(slot.group)):
            yield _tile(host, slot)


def _tile(host: FleetHost, slot: SlotState) -> SlotTile:
    condition = slot.condition
    place = "/".join(filter(None, (host.name, slot.group, slot.name)))
    return SlotTile(
        name=clean(place),
        word=_big_word(condition),
        tone=slot_word(condition).tone,
        is_solid=isinstance(condition, SlotPassed | SlotFailed),
        edge=_EDGES.get(type(condition), " "),
        serial=clean(slot.unit.serial) if slot.unit is not None else "",
        detail=_detail(slot),
        stale=host.link.state.status is not LinkStatus.CONNECTED,
    )


def _big_word(condition: SlotCondition) -> str:
    """Return the word of a tile: what `slot_word` has, and of a unit that is flashed how much is done."""
    match condition:
        case SlotFlashing(done=done, total=total):
            return f"{100 * done // total}%" if total else "..."
        case SlotWaiting():
            return "WAIT"
        case _:
            return slot_word(condition).text


def _detail(slot: SlotState) -> str:
    """Return what there is to say below the word."""
    match slot.condition:
        case SlotEmpty():
            told = ""
        case SlotWaiting(reason=reason, hint=hint):
            told = f"{reason}; {hint}" if hint else reason
        case SlotFlashing(partition=partition, phase=phase):
            told = partition if phase is None else f"{partition}: {phase_word(phase)}"
        case SlotPassed(verified=Verified.YES):
            told = f"{_versions(slot.unit)} {verified_word(Verified.YES)}".lstrip()
        case SlotPassed(verified=verified):  # that first: the narrowest tile has room for it
            told = f"{verified_word(verified)} {_versions(slot.unit)}".rstrip()
        case SlotFailed(failure=failure):
            told = failure_text(failure)
        case SlotOccupied(board=board):
            told = f"board {board}"
        case SlotUnknown():
            told = slot.text
        case _:
            assert_never(slot.condition)
    return clean(told, LONG_TEXT)


def _versions(unit: UnitRecord | None) -> str:
    images = unit.images if unit is not None else ()
    return ", ".join(image_name(image.version, image.sha256) for image in images)


# Below them.


def _failed_last(fleet: Fleet, failures: Failures) -> Iterator[list[Phrase]]:
    """Yield the units that failed last on all hosts, newest first."""
    units = [(host, unit) for host in fleet for unit in failures.get(host.name, ()) if unit.failure is not None]
    for host, unit in sorted(units, key=lambda each: _ended_at(each[1]), reverse=True):
        place = "/".join(filter(None, (host.name, unit.slot)))
        time, _, _ = clock_time(_ended_at(unit)).partition(".")
        reason = clean(failure_text(unit.failure), LONG_TEXT) if unit.failure is not None else ""
        yield [
            Phrase("FAIL ", Tone.BAD),
            Phrase(f"{time} ", Tone.FAINT),
            Phrase(f"{clean(place)} {clean(unit.serial)}".rstrip(), Tone.STRONG),
            Phrase(f": {reason}"),
        ]


def _ended_at(unit: UnitRecord) -> float:
    return unit.decided_at or unit.left_at or unit.began_at
