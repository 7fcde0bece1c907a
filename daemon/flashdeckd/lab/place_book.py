"""The places that have boards, from what two streams of a coordinator say, in whatever order. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from flashdeckd.lab.lab_lines import HeldBoard

RESOURCE_CLASS = "FlashdeckBoard"
"""The class of the resource that a board is; `flashdeck.labgrid_driver` has it for clients."""


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A place as the coordinator published it last."""

    acquired: str = ""
    """The user who has it; "" for nobody."""
    resources: frozenset[str] = frozenset()
    """The paths of what it has got."""
    allowed: tuple[str, ...] = ()


@dataclass(slots=True)
class PlaceBook:
    """Places by what their updates say, and boards by what was asked of the exporter.

    The second comes first where a place is acquired, and is what counts then: who has it follows with the update.
    """

    exporter: str
    groups: dict[str, str] = field(default_factory=dict[str, str])
    """The group of each board."""
    places: dict[str, KnownPlace] = field(default_factory=dict[str, KnownPlace])
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """By board, the place that it was acquired for on the stream of the exporter."""

    wanted: dict[str, str] = field(default_factory=dict[str, str])
    """By board, the place that wants it, and is to get it once the daemon has agreed."""

    def path_of(self, board: str) -> str:
        """Return the path of the resource that a board is."""
        return f"{self.exporter}/{self.groups[board]}/{RESOURCE_CLASS}/{board}"

    def board_at(self, group: str, resource: str) -> str:
        """Return the board that a resource of this exporter is; "" for none."""
        return resource if self.groups.get(resource) == group else ""

    def has(self, place: str, board: str) -> bool:
        """Return whether a place has a board by its own update."""
        known = self.places.get(place)
        return known is not None and bool(known.acquired) and self.path_of(board) in known.resources

    def held(self) -> tuple[HeldBoard, ...]:
        """Return all boards that a place has, or is known to get."""
        return tuple(each for board in self.groups for each in self._holding(board))

    def _holding(self, board: str) -> Iterable[HeldBoard]:
        by_update = [name for name in self.places if self.has(name, board)]
        place = self.asked.get(board) or self.wanted.get(board) or (by_update[0] if by_update else "")
        if not place:
            return ()
        known = self.places[place] if self.has(place, board) else KnownPlace()
        return (HeldBoard(board=board, place=place, holder=known.acquired, allowed=known.allowed),)
