"""The map of a profile as a picture: a bar to scale, its addresses, and a line for each partition. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from flashdeck.config import Partition, Profile
from flashdeck.geometry import Range
from flashdeck.text import MAX_PATH, clean, format_size
from flashdeck_tui.cell_width import cell_width, centred, cut_at_end, cut_at_start, padded

NARROWEST = 40
"""Columns for which a picture is made where a terminal says that it has less."""
WIDEST = 100
"""Columns of a picture at the most: a longer bar says nothing more."""
UNTOUCHED = "untouched"
"""The label of what no partition covers: it may have anything in it, and is never written."""
_ADDRESS = 10
"""Characters of an address, as 0x08000000."""
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Style:
    """The characters that the bar is drawn with."""

    corners: str
    """Of the upper and the lower edge: left, between two segments, right."""
    line: str
    side: str
    protected: str
    """Fills a protected segment."""
    more: str
    """Stands for what was cut off."""

    @property
    def characters(self) -> str:
        """All of them."""
        return self.corners + self.line + self.side + self.protected + self.more


UNICODE = Style("┌┬┐└┴┘", "─", "│", "░", "…")
ASCII = Style("++++++", "-", "|", "#", "~")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A run of the flash, from one border to the next."""

    span: Range
    label: str
    protected: bool = False


def picture(profile: Profile, columns: int, style: Style, *, below: str = "") -> list[str]:
    """Return the lines of the picture, none longer than `columns` where those are enough for the addresses.

    Paths `below` a directory are shown without it.
    """
    width = max(NARROWEST, min(WIDEST, columns)) - len(_INDENT) - 1
    lines = [] if profile.is_plain else _bar(_segments(profile), width, style)
    return [_INDENT + line for line in (*lines, *_table(profile, width, style, below))]


def _segments(profile: Profile) -> list[_Stretch]:
    """Return partitions and the gaps between them, through all of the flash."""
    found: list[_Stretch] = []
    flash = [region.span for region in profile.geometry.regions]
    at = min((span.start for span in flash), default=0)
    for each in sorted(profile.partitions.values(), key=lambda partition: partition.span):
        if each.span.start > at:
            found.append(_Stretch(Range(at, each.span.start), UNTOUCHED))
        found.append(_Stretch(each.span, each.name, each.protected))
        at = each.span.end
    end = max((span.end for span in flash), default=at)
    if end > at:
        found.append(_Stretch(Range(at, end), UNTOUCHED))
    return found


def _bar(segments: Sequence[_Stretch], width: int, style: Style) -> list[str]:
    """Return the bar; nothing where it has too many segments to be read."""
    widths = _widths(segments, width - len(segments) - 1)
    if not widths:
        return []
    upper, lower = style.corners[:3], style.corners[3:]
    edges = [_edge(widths, each, style.line) for each in (upper, lower)]
    cells = [_cell(segment, cells, style) for segment, cells in zip(segments, widths, strict=True)]
    middle = style.side + style.side.join(cells) + style.side
    starts = "".join(
        f"0x{segment.span.start:08x}".ljust(cells + 1) for segment, cells in zip(segments, widths, strict=True)
    )
    return [edges[0], middle, edges[1], starts.rstrip()]


def _widths(segments: Sequence[_Stretch], width: int) -> list[int]:
    """Return the columns of each segment: enough for its address and its name, and the rest to scale."""
    least = [max(_ADDRESS, cell_width(segment.label) + 2) for segment in segments]
    if sum(least) > width:
        least = [_ADDRESS] * len(segments)
    spare = width - sum(least)
    if spare < 0 or not segments:
        return []
    total = sum(segment.span.size for segment in segments)
    wanted = [
        max(0, segment.span.size * width // total - columns) for segment, columns in zip(segments, least, strict=True)
    ]
    scale = min(1.0, spare / sum(wanted)) if sum(wanted) else 0.0
    widths = [columns + int(more * scale) for columns, more in zip(least, wanted, strict=True)]
    largest = max(range(len(segments)), key=lambda index: segments[index].span.size)
    widths[largest] += width - sum(widths)
    return widths


def _edge(widths: Sequence[int], corners: str, line: str) -> str:
    left, between, right = corners
    return left + between.join(line * cells for cells in widths) + right


def _cell(segment: _Stretch, width: int, style: Style) -> str:
    label = cut_at_end(segment.label, width, style.more)
    return centred(label, width, style.protected if segment.protected else " ")


def _table(profile: Profile, width: int, style: Style, below: str) -> list[str]:
    """Return a line for each partition: name, place, size, and its image."""
    partitions = sorted(profile.partitions.values(), key=lambda each: (each.span.start, _number(each), each.name))
    names = max((cell_width(clean(each.name)) for each in partitions), default=0)
    two_banks = len({region.bank for region in profile.geometry.regions}) > 1
    lines: list[str] = []
    for each in partitions:
        place = f"alt {each.alternate}" if each.alternate is not None else f"0x{each.span.start:08x}"
        size = "" if each.alternate is not None else f"  {format_size(each.span.size):>8}"
        head = f"{padded(clean(each.name), names)}  {clean(place)}{size}  "
        use = f"bank {_banks(profile, each)}  " if two_banks else ""
        if cell_width(head) + len(use) + _ADDRESS > width:  # a line of its own
            lines.append(head.rstrip())
            head = _INDENT
        head += use
        lines.append(head + cut_at_start(_use(each, below), max(width - cell_width(head), _ADDRESS), style.more))
    return lines


def _number(partition: Partition) -> int:
    """Return the number of its alternate setting, where it has one."""
    return partition.alternate if isinstance(partition.alternate, int) else 0


def _banks(profile: Profile, partition: Partition) -> str:
    banks = sorted(profile.geometry.banks_of(partition.span))
    return "+".join(str(bank + 1) for bank in banks)


def _use(partition: Partition, below: str) -> str:
    if partition.protected:
        return "protected"
    return clean(short_path(partition.image, below), MAX_PATH) if partition.image else "no image"


def short_path(path: str, below: str) -> str:
    """Return a path without the directory `below`, where it lies in there."""
    return path.removeprefix(below.rstrip("/") + "/") if below else path
