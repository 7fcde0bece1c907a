"""The header and the notices: the daemon, the way to it, and what is wrong with either. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Final

from rich.cells import cell_len

from flashdeck.model import BoardState, ConfigurationState
from flashdeck.problems import ProblemKind
from flashdeck.text import MAX_PATH, clean, counted
from flashdeck.words.conditions import condition_word
from flashdeck.words.slots import slot_counts
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.troubles import trouble_lines
from flashdeck_tui.board_list import boards_of
from flashdeck_tui.clauses import filled
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.glyphs import BoardGlyph
from flashdeck_tui.key_names import KeyNames
from flashdeck_tui.link import LinkStatus
from flashdeck_tui.views.board_line import glyph_of_condition
from flashdeck_tui.views.cells import short_name, whole_text

GAP: Final = "  "
"""Between two cells of the header."""
NOTICE_LINES = 5
"""Lines of the screen for notices: several share them, so that none hides the others."""
_LINK_TONES: Final = {
    LinkStatus.CONNECTED: Tone.GOOD,
    LinkStatus.CONNECTING: Tone.WAIT,
    LinkStatus.DISCONNECTED: Tone.BAD,
}
_BRACKETS: Final = re.compile(r" \([^()]*\)$")
"""The end of a reason: what ssh said, in its own words."""
_MARGIN: Final = 2
"""Columns beside a notice."""
_LONGEST_WORD: Final = 12
"""Columns that a wrapped line may leave empty at its end."""


def header(fleet: Fleet, keys: KeyNames, wanted: str = "", width: int = MAX_PATH) -> list[Phrase]:
    """Return how many boards are in which condition, and which daemons these are, the most urgent first.

    Where not all of it fits into `width` cells, conditions are counted together: nothing that matters is cut off. Where
    not even that fits, the last counts are left out, and none is cut.
    """
    shapes = list(_shapes(fleet, keys, wanted))
    cells = next((shape for shape in shapes if _cells(shape) <= width), None)
    if cells is None:
        *_, least = shapes
        return next(least[:end] for end in range(len(least), -1, -1) if _cells(least[:end]) <= width or not end)
    for more in _one_daemon(fleet.hosts[0]) if len(fleet.hosts) == 1 else ():
        if _cells([*cells, more]) > width:
            break
        cells.append(more)
    return cells


def _shapes(fleet: Fleet, keys: KeyNames, wanted: str) -> Iterator[list[Phrase]]:
    """Yield the header in ever fewer words: in this order things give way where there is no room.

    First the key of the filter. Then the program's name, and the word "virtual"; both come again where conditions are
    counted in fewer numbers, and go before that is not enough. Last the filter, which the list says, too.
    """
    name, filtered = [Phrase("flashdeck", Tone.STRONG)], [Phrase(f"filter /{clean(wanted)}", Tone.STRONG)]
    state, bare = _state(fleet), _state(fleet, is_bare=True)
    last = filtered if wanted else []
    counts = [_counts(fleet, brevity) for brevity in _Brevity]
    if not wanted:
        yield [*name, *state, *counts[0], Phrase(f"[{keys['filter']}] filter", Tone.FAINT)]
    for told in counts:
        yield [*name, *state, *told, *last]
        yield [*state, *told, *last]
        yield [*bare, *told, *last]
    yield [*bare, *counts[-1]]


def _cells(phrases: Sequence[Phrase]) -> int:
    return cell_len(GAP.join(phrase.text for phrase in phrases))


def _state(fleet: Fleet, *, is_bare: bool = False) -> list[Phrase]:
    """Return how the daemons are reached, and what else matters more than the boards; bare of what matters less."""
    hosts = fleet.hosts
    cells = list(_connection(fleet))
    if not is_bare and any(host.store.daemon is not None and host.store.daemon.virtual for host in hosts):
        cells.append(Phrase("virtual", Tone.WAIT))
    if any(host.link.state.read_only for host in hosts):
        cells.append(Phrase("read-only", Tone.WAIT))
    if len(hosts) == 1 and hosts[0].name:
        cells.append(Phrase(clean(hosts[0].name), Tone.STRONG))
    daemons = [host.store.daemon for host in hosts if host.store.daemon is not None]
    for daemon in daemons[:1] if len(hosts) == 1 else daemons:
        cells += _out_of_date(daemon.configuration)  # before what a narrow screen may cut off
    return cells


def _connection(fleet: Fleet) -> Iterator[Phrase]:
    """Yield how the daemons are reached: nothing where there is one and all is well."""
    states = [host.link.state.status for host in fleet]
    if len(states) == 1:
        if states[0] is not LinkStatus.CONNECTED:
            yield Phrase(states[0].value, _LINK_TONES[states[0]])
        return
    away, coming = states.count(LinkStatus.DISCONNECTED), states.count(LinkStatus.CONNECTING)
    told = f"{len(states)} hosts" + (f", {away} away" if away else "") + (f", {coming} connecting" if coming else "")
    yield Phrase(told, Tone.BAD if away else Tone.WAIT if coming else Tone.PLAIN)


class _Brevity(IntEnum):
    """The ways to count boards, each shorter than the one before."""

    EACH = 0
    """Each condition by itself."""
    CURRENT_OR_NOT = 1
    """Boards that go on without anybody are counted by whether they have the newest builds."""
    PROBLEMS_TOGETHER = 2
    """And those that need a person are one number, with the failures of it."""
    ALL_TOGETHER = 3
    """And of the others only those that are flashed or current have a number."""


_GOES_ON: Final = frozenset(
    kind
    for kind in ProblemKind
    if not kind.needs_person and kind not in (ProblemKind.FLASHING, ProblemKind.CURRENT, ProblemKind.NO_BUILD)
)
"""Conditions of boards that nothing is wrong with, whatever they have."""


def _counts(fleet: Fleet, brevity: _Brevity) -> list[Phrase]:
    """Return how many boards and slots are in which condition, boards worst first; each count says of what."""
    found = Counter[ProblemKind]()
    for each in boards_of(fleet):
        if each.board.slot:
            continue
        kind = each.health.condition
        if brevity >= _Brevity.CURRENT_OR_NOT and kind in _GOES_ON:
            kind = ProblemKind.CURRENT if _has_newest(each.board) else ProblemKind.NOT_CURRENT
        found[kind] += 1
    slots = _slots(fleet, brevity)
    if not found:
        return slots
    total = Phrase(counted(found.total(), "board"))
    problems = {kind: found.pop(kind) for kind in ProblemKind if kind.needs_person and found[kind]}
    if brevity >= _Brevity.PROBLEMS_TOGETHER and len(problems) > 1:
        told = [_problems_together(problems)]
    else:
        told = [_counted(kind, number) for kind, number in problems.items()]
    if brevity is _Brevity.ALL_TOGETHER:
        found = Counter({kind: found[kind] for kind in (ProblemKind.FLASHING, ProblemKind.CURRENT)})
    return [total, *told, *(_counted(kind, found[kind]) for kind in ProblemKind if found[kind]), *slots]


def _slots(fleet: Fleet, brevity: _Brevity) -> list[Phrase]:
    """Return how many slots there are, and how many in which condition; in brief only those that somebody looks for."""
    found = slot_counts(slot.condition for host in fleet for slot in host.store.slots.values())
    if not found:
        return []
    told = found if brevity is _Brevity.EACH else [each for each in found if each[0].tone is Tone.BAD]
    total = Phrase(counted(sum(number for _, number in found), "slot"))
    return [total, *(Phrase(f"{number} {word.text}", word.tone) for word, number in told)]


def _has_newest(board: BoardState) -> bool:
    """True if all that can be flashed has its newest build, and some of it has one."""
    parts = [partition for partition in board.partitions if partition.image and not partition.protected]
    return bool(parts) and all(partition.current for partition in parts)


def _counted(kind: ProblemKind, number: int) -> Phrase:
    word = condition_word(kind)
    return Phrase(f"{number} {_loud(kind)}", word.tone)


def _loud(kind: ProblemKind) -> str:
    word = condition_word(kind).text
    return word.upper() if kind is ProblemKind.FAILED else word


def _problems_together(problems: Mapping[ProblemKind, int]) -> Phrase:
    """Return how many boards need a person, and how many of them for a failure."""
    total, failed = sum(problems.values()), problems.get(ProblemKind.FAILED, 0)
    of_these = f" ({failed} {_loud(ProblemKind.FAILED)})" if failed else ""
    found = {glyph_of_condition(kind) for kind in problems}
    signs = "".join(glyph.value.symbol for glyph in BoardGlyph if glyph in found)  # as before each of these boards
    return Phrase(f"{signs}{total} need you{of_these}", Tone.BAD if failed else Tone.WAIT)


def _one_daemon(host: FleetHost) -> Iterator[Phrase]:
    """Yield which daemon this is."""
    if host.link.state.status is LinkStatus.CONNECTED:
        yield Phrase("connected", Tone.GOOD)
    daemon = host.store.daemon
    if daemon is not None:
        yield Phrase(f"flashdeckd {short_name(daemon.version)} on {short_name(daemon.host)}")
        if daemon.configuration is not None:
            files = daemon.configuration.files
            yield Phrase(clean(files[0], MAX_PATH) if files else "no configuration", Tone.FAINT)
    if not host.name:
        yield Phrase(clean(str(host.link.socket)), Tone.FAINT)


def _out_of_date(configuration: ConfigurationState | None) -> Iterator[Phrase]:
    """Yield that the files of the configuration are not what is in force, where it is so."""
    if configuration is not None and (configuration.refused or configuration.changed):
        yield Phrase("configuration " + ("refused" if configuration.refused else "changed"), Tone.WAIT)


def notices(fleet: Fleet, now: float, width: int) -> list[Phrase]:
    """Return what is wrong with the daemons or the ways to them, each with what to do, on a screen of that width.

    One alone is told whole. Of several hosts, each that is away has its own: the others go on.
    """
    if len(fleet.hosts) == 1:
        (host,) = fleet
        told = _alone(host, now)
        return told if host.link.state.status is LinkStatus.DISCONNECTED else _sharing(told, width)
    away = [host for host in fleet if host.link.state.status is LinkStatus.DISCONNECTED]
    troubles = [
        Phrase(whole_text(f"{short_name(host.name)}: {line}"), Tone.WAIT)
        for host in fleet
        for line in _troubles(host, now)
    ]
    brief = len(away) + len(troubles) > 1
    return _sharing([*(_away(host, brief=brief) for host in away), *troubles], width)


def _away(host: FleetHost, *, brief: bool) -> Phrase:
    """Return why a host is away, and what to do; in brief without what ssh said, and the name only once."""
    link, name = host.link.state, short_name(host.name)
    reason = link.reason.removeprefix(f"{name}: ").rstrip(".")
    if brief:
        reason = _BRACKETS.sub("", reason)
    lead = "" if brief and name in reason else f"{name} is away: " if brief else f"{name} is away, reconnecting: "
    return Phrase(whole_text(". ".join(part for part in (f"{lead}{reason}", link.hint) if part)), Tone.BAD)


def _troubles(host: FleetHost, now: float) -> list[str]:
    """Return what a daemon that is connected cannot do, or its connection cannot give."""
    link, daemon = host.link.state, host.store.daemon
    if link.status is LinkStatus.DISCONNECTED or daemon is None:
        return []
    return [*([f"{link.reason}: {link.hint}"] if link.reason else []), *trouble_lines(daemon, now)]


def _sharing(told: list[Phrase], width: int) -> list[Phrase]:
    """Return the notices with the lines that there are shared out; the last one counts those that have none."""
    if len(told) <= 1:
        return told
    lines = max(1, NOTICE_LINES // len(told))
    room = lines * (width - _MARGIN) - (lines - 1) * _LONGEST_WORD
    shown = told if len(told) <= NOTICE_LINES else told[: NOTICE_LINES - 1]
    fitting = [Phrase(filled(each.text, room), each.tone) for each in shown]
    if left := told[len(shown) :]:
        fitting.append(Phrase(f"and {counted(len(left), 'more notice')}: see 'flashdeck status'", left[0].tone))
    return fitting


def _alone(host: FleetHost, now: float) -> list[Phrase]:
    link = host.link.state
    if link.status is not LinkStatus.DISCONNECTED:
        return [Phrase(whole_text(line), Tone.WAIT) for line in _troubles(host, now)]
    lines = [Phrase(whole_text(link.reason), Tone.BAD)]
    if link.hint:
        lines.append(Phrase(whole_text(link.hint), Tone.STRONG))
    kept = "Showing the last known state. " if host.store.daemon is not None else ""
    return [*lines, Phrase(f"{kept}Reconnecting.", Tone.FAINT)]
