"""The boards for which a list has no room, in the one line below it: their names, conditions and versions. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from rich.cells import cell_len

from flashdeck.problems import ProblemKind
from flashdeck.text import clean, counted
from flashdeck.words.conditions import condition_word
from flashdeck.words.contents import contents_name
from flashdeck_tui.board_list import ListedBoard
from flashdeck_tui.views.board_line import open_partitions
from flashdeck_tui.views.cells import NONE
from flashdeck_tui.views.version_names import VersionNames

_NUMBERED: Final = re.compile(r"(.*?)(\d{1,9})")


def below_text(boards: Sequence[ListedBoard], others: int, versions: Mapping[str, VersionNames], width: int) -> str:
    """Return which boards come below, as exactly as `width` cells allow; `others` are devices that are no boards.

    First with names and versions, then with names, then the numbers of those in each condition, the worst first.
    """
    if not boards and not others:
        return ""
    counts = ((len(boards), "board"), (others, "device"))
    count = " and ".join(counted(number, noun) for number, noun in counts if number) + " below"
    by_kind: dict[ProblemKind, list[ListedBoard]] = {}
    for each in sorted(boards, key=lambda each: each.health.condition.rank):
        by_kind.setdefault(each.health.condition, []).append(each)
    named = [f"{condition_word(kind).text}: {short_list(_names(found))}" for kind, found in by_kind.items()]
    full = [
        f"{condition_word(kind).text}{_versions_text(found, versions)}: {short_list(_names(found))}"
        for kind, found in by_kind.items()
    ]
    kinds = [f"{len(found)} {condition_word(kind).text}" for kind, found in by_kind.items()]
    for told, gap in ((full, "; "), (named, "; "), (kinds, ", ")):
        text = f"{count}, {gap.join(told)}" if told else count
        if cell_len(text) <= width:
            return text
    return count


def short_list(names: Iterable[str]) -> str:
    """Return names with what several begin with said once, and runs of numbers as their first and last.

    "rack-001 002 007-012, left": each number goes with the name before it.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        prefix, number = (match[1], match[2]) if match else (name, "")
        found.setdefault(prefix, []).append(number)
    return ", ".join(f"{prefix}{' '.join(_runs(numbers))}" for prefix, numbers in found.items())


def _runs(numbers: Iterable[str]) -> Iterator[str]:
    """Yield numbers, and runs of three or more as "7-12"; how many digits they have counts."""
    run: list[str] = []
    for number in sorted(numbers, key=lambda number: (len(number), number)):
        if run and (not number or len(number) != len(run[-1]) or int(number) != int(run[-1]) + 1):
            yield from _run(run)
            run = []
        run.append(number)
    yield from _run(run)


def _run(numbers: Sequence[str]) -> Sequence[str]:
    return (f"{numbers[0]}-{numbers[-1]}",) if len(numbers) > 2 else numbers  # noqa: PLR2004 - two are as short by themselves


def _names(boards: Iterable[ListedBoard]) -> list[str]:
    return [clean(each.shown) for each in boards]


def _versions_text(boards: Sequence[ListedBoard], versions: Mapping[str, VersionNames]) -> str:
    """Return what the partitions have, where it is the same on all of these boards; else ""."""
    found = {tuple(_has(each, versions)) for each in boards}
    told = ", ".join(found.pop()) if len(found) == 1 else ""
    return f" ({told})" if told else ""


def _has(each: ListedBoard, versions: Mapping[str, VersionNames]) -> Iterator[str]:
    for partition in open_partitions(each.board):
        contents = partition.contents
        name = contents_name(contents) if contents is not None else NONE
        yield versions[partition.name].without_program(name)
