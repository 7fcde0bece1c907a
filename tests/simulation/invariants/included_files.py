"""Rule 12: what an included file widens does not count before a person has confirmed it."""

from collections.abc import Iterable

from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Place, Product, Seen, Setup

RECORDED_SECONDS = 5.0
"""Seconds after which a daemon has recorded the configuration that it goes by."""
_USUAL = Place(name="", address=0, size=0).guards


class IncludedFiles(Rule):
    """In force is what was confirmed, else the stricter one."""

    name = "12, included"
    sentence = (
        "`protected` that is gone, guards that are left out and a board that goes back by itself count only from the "
        "main file, or from an included one "
        "where a person confirmed them. Until then the value that was last confirmed stands, else the stricter one."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._befores: list[Setup] = []
        """Configurations that the daemon may have recorded as the one that it went by."""
        self._took_at = 0.0

    def took(self, before: Setup, after: Setup) -> None:
        """Judge what is in force now."""
        is_recorded = self.seen.now - self._took_at > RECORDED_SECONDS and self.seen.disk_failed_at < self._took_at
        self._befores = [before] if is_recorded else [*self._befores, before]
        self._took_at = self.seen.now
        for name, claimed in after.claimed.items():
            if _goes_back(after.products[name]) and not any(_goes_back(each.get(name)) for each in after.confirmed):
                raise self.broken(f"boards of {name} go back by themselves, and that was not confirmed")
            for place in claimed.places.values():
                now = after.products[name].places[place.name]
                if not any(_is_narrow(now, place, stands) for stands in self._standing(name, place.name, after)):
                    raise self.broken(
                        f"{name}/{place.name} is {_text(now)}; the included file says {_text(place)}, and that was not "
                        "confirmed"
                    )

    def _standing(self, product: str, place: str, after: Setup) -> Iterable[Place | None]:
        """Yield what may have been confirmed last of a place, or else what was in force; None for nothing."""
        for confirmed in after.confirmed or ({},):
            if product in confirmed:
                yield confirmed[product].places.get(place)
            else:
                for before in self._befores:
                    known = before.products.get(product)
                    yield known.places.get(place) if known is not None else None


def _is_narrow(now: Place, claimed: Place, stands: Place | None) -> bool:
    """Tell whether what is in force is no wider than what the file says and what stands allow."""
    guards = _USUAL if stands is None else frozenset[str]() if stands.protected else stands.guards
    if claimed.protected or (stands is not None and stands.protected):
        return now.protected
    return now.protected or not claimed.image or now.guards >= claimed.guards | guards


def _goes_back(product: Product | None) -> bool:
    return product is not None and product.signs is not None and product.signs.goes_back


def _text(place: Place) -> str:
    return "protected" if place.protected else f"guarded by {', '.join(sorted(place.guards)) or 'nothing'}"
