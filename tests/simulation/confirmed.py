"""The part that a person has confirmed of the file that a configuration includes, as far as the world can know it.

A person's call may be cut off behind its record: then several versions of the file may count as confirmed, and a rule
goes by whichever allows most.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flashdeck.config import Config, Profile
from simulation.seen import Place, Product, Setup

Claims = Mapping[str, Product]
"""The products of an included file, by name, as it has them."""


class Confirmed:
    """The versions of the included file that may be confirmed."""

    def __init__(self, record: Path) -> None:
        """`record` is what the daemon keeps of its configuration: without one, a start is the first."""
        self._record = record
        self._possible: tuple[Claims, ...] = ()
        self._since: list[Claims] = []
        """Versions that there were since the first person asked who has no answer yet."""
        self._asking = 0

    def written(self, setup: Setup) -> None:
        """The files are these from now on."""
        if self._asking:
            self._since.append(claimed_by(setup))

    def asked(self, setup: Setup) -> None:
        """A person confirms the file as it is now."""
        self._asking += 1
        self._since.append(claimed_by(setup))

    def answered(self, *, is_done: bool) -> None:
        """That person has an answer; not `is_done` where it is refused, or never comes."""
        self._asking -= 1
        is_certain = is_done and not self._asking
        self._possible = tuple(self._since) if is_certain else (*self._possible, *self._since)
        if not self._asking:
            self._since.clear()

    def in_force(self, setup: Setup, config: Config) -> Setup:
        """Return what counts of a configuration that a daemon goes by from now on."""
        claimed = claimed_by(setup)
        if not self._record.exists():
            self._possible = (claimed,)
        counting = {name: _counting(product, config.profiles[name]) for name, product in claimed.items()}
        products = {**setup.products, **counting}
        boards = {name: replace(named, product=products[named.product.name]) for name, named in setup.boards.items()}
        possible = (*self._possible, *self._since)
        return replace(setup, products=products, boards=boards, claimed=claimed, confirmed=possible)


def claimed_by(setup: Setup) -> Claims:
    """Return what the included file has."""
    return {name: product for name, product in setup.products.items() if product.is_included}


def _counting(product: Product, profile: Profile) -> Product:
    """Return a product with that alone which counts; another rule judges whether that is right."""

    def place(claimed: Place) -> Place:
        counts = profile.partitions[claimed.name]
        guards = frozenset(str(guard) for guard in counts.guards) if claimed.image else claimed.guards
        return replace(claimed, protected=counts.protected, guards=guards)

    signs, console = product.signs, profile.console
    if signs is not None and console is not None:
        signs = replace(signs, goes_back=bool(console.goes_back_after))
    return replace(product, places={name: place(each) for name, each in product.places.items()}, signs=signs)
