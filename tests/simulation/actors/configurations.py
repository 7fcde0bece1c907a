"""Somebody edits the configuration: while the daemon runs, while it does not, and sometimes wrongly."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flashdeck.job_state import Queued, Running
from simulation.actors.moments import Moment
from simulation.seen import Named, Place, Product, Setup

if TYPE_CHECKING:
    from simulation.world import World

_BROKEN = b"[daemon\nsettle = 5\n"


class Configurations:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("configurations")
        self._pause = world.mood.pause("configurations", (4.0, 15.0, 60.0, 1000.0, 1000.0))
        self._gone: dict[str, Named] = {}
        """Boards that were taken out."""
        self._is_broken = False
        self._aimed_at = ""
        """The name of a partition that is edited now; "": any."""
        if world.mood.favours("edit at work"):
            for moment in (Moment.QUEUED, Moment.RUNS):
                world.moments.when(moment, self._edit_now)
            for moment in (Moment.BEGINS, Moment.WHOLE):
                world.moments.when(moment, lambda _: self._edit_now(""))

    async def trouble(self) -> None:
        """Edit, and mostly say so."""
        edits = self._edits
        names = list(edits)
        weights = self._world.mood.weights("configurations", {name: edits[name][0] for name in names})
        while True:
            await self._world.pause(self._seed, self._pause)
            if self._seed.random() < 0.1:
                self._is_broken = True
                self._world.tell("configure", "broken")
                self._world.save(self._world.config, _BROKEN)
            else:
                name = self._seed.choices(names, weights)[0] if self._has_free else "protect"
                self._world.tell("configure", name)
                self._write(edits[name][1](self._world.setup))
            if self._seed.random() < 0.6:
                await asyncio.sleep(self._seed.choice((0.0, 0.0, 0.1)))
                self._world.reload()

    @property
    def _edits(self) -> Mapping[str, tuple[float, Callable[[Setup], Setup]]]:
        return {
            "protect": (2, self._protect),
            "resize": (2, self._move),
            "guard": (2, self._guard),
            "rename": (1, self._rename),
            "recognise": (1, self._recognise),
            "offer": (1, self._offer),
            "take out": (1, self._take_out),
            "put back": (1, self._put_back),
            "include": (1, self._include),
        }

    def _edit_now(self, name: str) -> None:
        """Edit, and say so at once, while a job of a board or device is about to begin, or runs: mostly its place."""
        jobs = self._world.witness.seen.shown.jobs.values()
        places = [job.partition for job in jobs if name in ("", job.board) and isinstance(job.status, Queued | Running)]
        place = self._seed.choice(places) if places and self._seed.random() < 0.7 else ""
        self._world.loop.call_soon_threadsafe(self._edit_and_reload, place)

    def _edit_and_reload(self, place: str) -> None:
        if self._world.is_calm:
            return
        names = [name for name in self._edits if self._world.mood.favours(name)]
        name = self._seed.choice(names) if self._has_free else "protect"
        self._world.tell("configure", name)
        self._aimed_at = place
        self._write(self._edits[name][1](self._world.setup))
        self._aimed_at = ""
        self._world.reload()

    def calm(self) -> None:
        """Leave one that can be read."""
        if self._is_broken:
            self._write(self._world.setup)

    @property
    def _has_free(self) -> bool:
        products = self._world.setup.products.values()
        return any(place.image and not place.protected for each in products for place in each.places.values())

    def _write(self, setup: Setup) -> None:
        self._is_broken = False
        self._world.configure(setup)

    # Edits.

    def _move(self, setup: Setup) -> Setup:
        """The last sector of a partition is taken away from it, or given back."""
        product, place = self._some(setup)
        sector = self._world.plan.lines[product.name].layout.sector
        is_whole = place.size % (2 * sector) == 0
        size = place.size - sector if is_whole else place.size + sector
        return setup if product.is_plain else _with_place(setup, product, replace(place, size=size))

    def _protect(self, setup: Setup) -> Setup:
        """A partition is protected now, or not any more."""
        product = self._seed.choice(list(setup.products.values()))
        place = self._seed.choice(self._meant([each for each in product.places.values() if each.image]))
        return _with_place(setup, product, replace(place, protected=not place.protected, auto=True))

    def _guard(self, setup: Setup) -> Setup:
        """A guard is left out, or asked for again."""
        product, place = self._some(setup)
        if product.is_plain or place.is_data:
            return setup
        return _with_place(
            setup, product, replace(place, guards=place.guards ^ {self._seed.choice(("stack", "reset"))})
        )

    def _rename(self, setup: Setup) -> Setup:
        """A board has another name."""
        named = self._seed.choice(list(setup.boards.values()))
        name = named.name.removesuffix("x") if named.name.endswith("x") else f"{named.name}x"
        boards = {other: each for other, each in setup.boards.items() if other != named.name}
        return setup if name in boards else replace(setup, boards={**boards, name: replace(named, name=name)})

    def _recognise(self, setup: Setup) -> Setup:
        """A board is known by its port, too, or not any more."""
        named = self._seed.choice(list(setup.boards.values()))
        if not named.serial:
            return setup
        port = "" if named.port else f"1-{named.name.removesuffix('x').removeprefix('board')}"
        return replace(setup, boards={**setup.boards, named.name: replace(named, port=port)})

    def _offer(self, setup: Setup) -> Setup:
        """Builds of a partition are only offered, or flashed again."""
        product, place = self._some(setup)
        return _with_place(setup, product, replace(place, auto=not place.auto))

    def _take_out(self, setup: Setup) -> Setup:
        """A board is not configured any more."""
        if len(setup.boards) < 2:
            return setup
        named = self._seed.choice(list(setup.boards.values()))
        self._gone[named.name] = named
        return replace(setup, boards={name: each for name, each in setup.boards.items() if each is not named})

    def _put_back(self, setup: Setup) -> Setup:
        """A board is configured again, as its product is now."""
        if not self._gone:
            return setup
        name, named = self._gone.popitem()
        product = setup.products[named.product.name]
        return replace(setup, boards={**setup.boards, name: replace(named, product=product)})

    def _include(self, setup: Setup) -> Setup:
        """A product stands in the file of its project, or in the main one again."""
        product = self._seed.choice(list(setup.products.values()))
        return _with_product(setup, replace(product, is_included=not product.is_included))

    def _meant(self, places: Sequence[Place]) -> Sequence[Place]:
        """Return those that are edited now; all of them where none is meant."""
        return [place for place in places if place.name == self._aimed_at] or places

    def _some(self, setup: Setup) -> tuple[Product, Place]:
        """Return a partition that is not protected: of one that is, nothing else is written."""
        free = [
            (product, place)
            for product in setup.products.values()
            for place in product.places.values()
            if place.image and not place.protected
        ]
        return self._seed.choice([each for each in free if each[1].name == self._aimed_at] or free)


def _with_place(setup: Setup, product: Product, place: Place) -> Setup:
    """Return a configuration in which a partition is another one, for all boards of its product."""
    return _with_product(setup, replace(product, places={**product.places, place.name: place}))


def _with_product(setup: Setup, product: Product) -> Setup:
    """Return a configuration in which a product is another one, for all of its boards."""
    boards = {
        name: replace(named, product=product) if named.product.name == product.name else named
        for name, named in setup.boards.items()
    }
    return replace(setup, products={**setup.products, product.name: product}, boards=boards)
