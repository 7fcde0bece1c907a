"""The images to flash: builds that fit the board, newest first, and where each goes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flashdeck.chips import Chip
from flashdeck.errors import RequestError
from flashdeck.first_board.chip_guess import maps_of
from flashdeck.first_board.found import FoundBuild
from flashdeck.first_board.partition_layout import (
    LeftOut,
    PartitionLayout,
    PlannedPartition,
    free_name,
    lay_out,
    partition_name,
)
from flashdeck.geometry import Geometry
from flashdeck.memory_map import MemoryMap
from flashdeck.model import DeviceState
from flashdeck.text import MAX_PATH, clean, counted, format_age, format_size
from flashdeck.toml.spellings import is_name
from flashdeck.trustzone import SECURE_FLASH, secure_view
from flashdeck_tui.first_steps.asked_questions import PossibleAnswer, Question, Topic, TypedAnswer, WrongAnswerError
from flashdeck_tui.first_steps.given import Given
from flashdeck_tui.first_steps.known_facts import KnownFacts
from flashdeck_tui.first_steps.picture import short_path

MOST_LISTED: Final = 9
"""Builds that are listed; the newest for each place are always among them."""
MOST_REASONS: Final = 3
"""Builds that do not fit, of which the reason is said."""


@dataclass(frozen=True, slots=True)
class Places:
    """The flash that builds are laid out in."""

    geometry: Geometry
    maps: tuple[MemoryMap, ...]

    @classmethod
    def of(cls, flash: Chip | Geometry, device: DeviceState, builds: Iterable[FoundBuild]) -> "Places":
        """Return the flash at the kind of addresses that the builds are linked for."""
        if isinstance(flash, Geometry):
            return cls(flash, maps_of(device))
        starts = [build.best.start for build in builds if build.best.start is not None]
        is_secure = [SECURE_FLASH.start <= start < SECURE_FLASH.end for start in starts]
        if flash.secure_alias and starts and all(is_secure):
            return cls(secure_view(flash.geometry), ())  # the map of a device has the other addresses
        return cls(flash.geometry, maps_of(device))

    def layout(self, builds: Iterable[FoundBuild], others: Iterable[FoundBuild] = ()) -> PartitionLayout:
        """Return where the builds go; `others` were found and are not chosen."""
        return lay_out(builds, self.geometry, self.maps, others)


def require_any(facts: KnownFacts) -> None:
    """Raise RequestError where no build was found at all."""
    if not facts.builds:
        raise _nothing(facts, ())


def not_offered(facts: KnownFacts, places: Places | None) -> list[str]:
    """Return what is said of builds that are not offered, those first of which another file can be taken."""
    unfit = sorted(_fitting(facts, places)[1], key=lambda each: not _has_signed_file(each.build))
    more = [f"{counted(len(unfit) - MOST_REASONS, 'more build')} cannot go onto this board."]
    said = [f"Not offered: {_shown(each.build, facts)}: {each.reason}." for each in unfit[:MOST_REASONS]]
    return said + (more if len(unfit) > MOST_REASONS else [])


def _has_signed_file(build: FoundBuild) -> bool:
    return bool(build.best.header_room) or any(other.has_header for other in build.others)


def choose(facts: KnownFacts, given: Given, places: Places | None) -> tuple[tuple[FoundBuild, ...], str] | Question:
    """Return the builds and the words for them, or the question which; no `places` where the device has no addresses.

    There, builds are in the order of the addresses that they are linked for, which is that of most devices' settings.

    Raises RequestError where nothing fits.
    """
    if given.images is not None:
        chosen = _by_path(facts, given.images)
        return chosen, _names(chosen)
    fitting, unfit = _fitting(facts, places)
    if not fitting:
        raise _nothing(facts, unfit)
    if len(fitting) == 1:
        return tuple(fitting), _line(fitting[0], facts)
    default = _default(fitting, places)
    listed = [*default, *(each for each in fitting if each not in default)][: max(MOST_LISTED, len(default))]
    listed.sort(key=fitting.index)
    options = tuple(
        PossibleAnswer(str(number), each.best.path, _line(each, facts)) for number, each in enumerate(listed, 1)
    )
    more = len(fitting) - len(listed)
    return Question(
        Topic.IMAGES,
        "What to flash? The newest is first.",
        options,
        "Numbers, several with spaces",
        "--image PARTITION=FILE",
        default=tuple(each.best.path for each in listed if each in default),
        several=True,
        intro=(f"{more} older ones are not listed.",) if more else (),
    )


def taken(facts: KnownFacts, answer: TypedAnswer, places: Places | None) -> tuple[str, ...]:
    """Return the paths that were chosen. Raises WrongAnswerError where two are for one place."""
    chosen = _by_path(facts, answer.values)
    if places is None:
        chosen = tuple(sorted(chosen, key=lambda each: (each.best.start or 0, each.best.path)))
    elif left := places.layout(chosen).left_out:
        raise WrongAnswerError(f"{_shown(left[0].build, facts)} cannot go with it: {left[0].reason}.")
    return tuple(each.best.path for each in chosen)


def partitions(facts: KnownFacts, given: Given, places: Places, chosen: Sequence[FoundBuild]) -> PartitionLayout:
    """Return the map, with the names that somebody gave. Raises RequestError where a build has no place in it."""
    layout = places.layout(chosen, [each for each in facts.builds if each not in chosen])
    if layout.left_out:
        left = layout.left_out[0]
        raise RequestError(
            f"{clean(left.build.best.path, MAX_PATH)} has no place in the flash: {left.reason}",
            hint="is it linked for this chip, and built for the flash?",
        )
    named = tuple(_named(each, given) for each in layout.partitions)
    names = [each.name for each in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(f"two partitions would be called {twice[0]}", hint="name them otherwise with --image")
    return replace(layout, partitions=named)


def names_of(given: Given, builds: Sequence[FoundBuild]) -> list[str]:
    """Return a name for the partition of each build on a device without addresses."""
    taken: set[str] = set()
    return [free_name(given.names.get(each.best.path) or partition_name(each), taken) for each in builds]


def _named(planned: PlannedPartition, given: Given) -> PlannedPartition:
    name = given.names.get(planned.build.best.path, "") if planned.build is not None else ""
    return replace(planned, name=name) if is_name(name) else planned


def _fitting(facts: KnownFacts, places: Places | None) -> tuple[list[FoundBuild], list[LeftOut]]:
    fitting: list[FoundBuild] = []
    unfit: list[LeftOut] = []
    for build in facts.builds:
        left = () if places is None else places.layout((build,)).left_out
        if clean(build.best.path, MAX_PATH) != build.best.path:
            left = (LeftOut(build, "its name cannot be written into a file"),)
        if left:
            unfit += left
        else:
            fitting.append(build)
    return fitting, unfit


def _default(fitting: Sequence[FoundBuild], places: Places | None) -> list[FoundBuild]:
    """Return the newest build for each place; one that would be protected is not among them."""
    if places is None:
        return [fitting[0]]
    wanted = [each.build for each in places.layout(fitting).partitions if each.image]
    return [build for build in wanted if build is not None] or [fitting[0]]


def _by_path(facts: KnownFacts, paths: Sequence[str]) -> tuple[FoundBuild, ...]:
    return tuple(build for path in paths for build in facts.builds if build.best.path == path)


def _nothing(facts: KnownFacts, unfit: Sequence[LeftOut]) -> RequestError:
    below = clean(str(facts.root), MAX_PATH)
    reasons = [f"{_shown(each.build, facts)}: {each.reason}" for each in unfit[:MOST_REASONS]]
    if not reasons:
        return RequestError(
            f"no image was found below {below}",
            hint="build the firmware first, or name its directory: flashdeck init DIR",
        )
    more = f"; and {len(unfit) - MOST_REASONS} more" if len(unfit) > MOST_REASONS else ""
    return RequestError(
        f"no image below {below} fits this board: {'; '.join(reasons)}{more}",
        hint="build the firmware for this board first, or name its directory: flashdeck init DIR",
    )


def _line(build: FoundBuild, facts: KnownFacts) -> str:
    best = build.best
    age = format_age(facts.time - build.modified_at)
    place = "" if best.start is None else f"0x{best.start:08x}{'?' if best.start_is_guess else ' '}  "
    return f"{place}{format_size(best.size):>9}  {age:>6}  {_shown(build, facts)}"


def _names(builds: Sequence[FoundBuild]) -> str:
    return ", ".join(clean(build.name, 40) for build in builds)


def _shown(build: FoundBuild, facts: KnownFacts) -> str:
    return clean(short_path(build.best.path, str(facts.root)), MAX_PATH)
