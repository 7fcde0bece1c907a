"""Builds: tools that write the image of a partition, each in its own way."""

import asyncio
import os
import re
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from image_writers import hexed
from simulation.firmware import program
from simulation.invariants.memory import name_of
from simulation.seen import Build, Place, Product

if TYPE_CHECKING:
    from simulation.world import World

VERSION = "flashdeck-test "
EARLIER = 4
"""Builds of a path that may come back."""
REVERTED = 0.12
"""The share of builds that are an earlier one again."""
MISLINKED = 0.06
"""The share of builds that were linked for another place, or have no stack."""
LAST_BUILD = 0.6
"""The share of seeds in which there is a build in the calm."""
OFTEN = 0.4
"""The share of either in seeds that are about it."""
PARTS = ("whole", "whole", "gap", "patch")
"""The forms of a build that can be in pieces."""
PATCHED_WITHIN = 0.02
"""Virtual seconds in which a post-build step patches what was copied: fewer than `settle`."""


@dataclass(frozen=True, slots=True)
class Output:
    """The outcome of a build, before it is written."""

    build: Build
    data: bytes
    """The bytes of the file."""


class Writers:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("writers")
        mood = world.mood
        self._pause = mood.pause("writers", (2.0, 5.0, 15.0))
        self._reverted = OFTEN if mood.favours("earlier") else REVERTED
        self._mislinked = OFTEN if mood.favours("mislinked") else MISLINKED
        self._in_parts = ("whole", "gap", "patch", "patch") if mood.favours("in pieces") else PARTS
        if mood.favours("trailer"):
            self._in_parts += ("trailer", "trailer")
        self._ends: dict[str, int] = {}
        """By path: how long the last program was."""
        self._is_one_place = mood.random("one place").random() < 0.3
        """True in seeds of which each build is for the first partition, so that much happens there."""
        self._count = 0
        self._last: dict[str, Output] = {}
        """By path: what is there, or was there last."""
        self._earlier: dict[str, deque[Output]] = defaultdict(partial(deque[Output], maxlen=EARLIER))
        """By path: what was there before."""
        self._made: dict[bytes, Output] = {}
        """All that was ever made, by the bytes of its file."""
        world.after_cuts.append(self._survey)

    async def trouble(self) -> None:
        """Build, pause, build."""
        ways: Mapping[str, tuple[float, Callable[[Path, Output], Awaitable[None]]]] = {
            "at once": (2, self._at_once),
            "by rename": (2, self._by_rename),
            "slowly": (1, self._slowly),
            "again": (1, self._again),
            "remove": (1, self._remove),
            "patched": (1, self._patched),
        }
        names = list(ways)
        weights = self._world.mood.weights("writers", {name: ways[name][0] for name in names})
        while True:
            await self._world.pause(self._seed, self._pause)
            product = self._seed.choice(list(self._world.setup.products.values()))
            places = [each for each in product.places.values() if each.image]
            place = self._seed.choice((places[0], self._seed.choice(places[:1] if self._is_one_place else places)))
            output = self._built(product, place)
            self._world.tell("build", f"{place.name} {output.build.version} {output.build.sha256[:12]}")
            await ways[self._seed.choices(names, weights)[0]][1](Path(place.image), output)

    def calm(self) -> None:
        """Sometimes somebody builds once more, and then nothing is left to happen."""
        self._survey()  # a tool may be ended before it has patched what it wrote
        if self._seed.random() < LAST_BUILD and not self._world.mood.favours("left alone"):
            self._world.spawn(self._build_once_more())

    async def _build_once_more(self) -> None:
        """Build the first image of each product: whatever lane has gone to sleep by mistake does not bring it."""
        await asyncio.sleep(self._seed.choice((0.0, 1.0, 20.0, 60.0)))
        for product in self._world.setup.products.values():
            place = next((each for each in product.places.values() if each.image and not each.protected), None)
            if place is not None:
                output = self._built(product, place)
                self._world.tell("build", f"{place.name} {output.build.version} {output.build.sha256[:12]}")
                await self._at_once(Path(place.image), output)

    def _built(self, product: Product, place: Place) -> Output:
        """Return a new build; or an older one once more, as after `git checkout`; or one that does not belong there."""
        seed, earlier = self._seed, self._earlier[place.image]
        if earlier and seed.random() < self._reverted:
            return seed.choice(earlier)
        if seed.random() < self._mislinked:
            elsewhere, stack = seed.choice(((0x8000, None), (0, 0x30000000), (-0x1000, None)))
            return self._linked(product, place, place.address + elsewhere, stack=stack)
        return self._linked(product, place, place.address)

    def _linked(self, product: Product, place: Place, base: int, *, stack: int | None = None) -> Output:
        seed = self._seed
        self._count += 1
        version = f"1.0.{self._count}"
        most = min(place.size, seed.choice(self._world.night.builds))
        # Mostly the same bytes but for a few, as from one build to the next.
        stack = product.ram[0][1] - 0x1000 if stack is None and product.ram else stack or 0x2001F000
        data = program(base, seed.randint(min(512, most), most), seed, version, stack=stack)
        last = self._last.get(place.image)
        if last is not None and seed.random() < 0.5 and len(old := last.build.pieces[0][1]) > 600:
            at = seed.randrange(256, len(old) - 8)
            is_versioned = base != place.address or seed.random() < 0.5
            head = data[:128] if is_versioned else old[:128]
            version = version if is_versioned else last.build.version.removeprefix(VERSION)
            data = head + old[128:at] + seed.randbytes(4) + old[at + 4 :]
        pieces = ((0, data),)
        if place.image.endswith(".hex") and len(data) > 600:
            pieces = self._in_pieces(place, data)
        if not pieces[0][0]:
            self._ends[place.image] = pieces[-1][0] + len(pieces[-1][1])
        build = _build(product, place, pieces, f"{VERSION}{version}" if version and not pieces[0][0] else "")
        is_hex = place.image.endswith(".hex")
        raw = hexed([(place.address + at, piece) for at, piece in pieces], width=64) if is_hex else data
        output = self._made[raw] = Output(build, raw)
        return output

    def _in_pieces(self, place: Place, data: bytes) -> tuple[tuple[int, bytes], ...]:
        """Return a program with a gap, a patch, what is laid right behind the last program, or all of it."""
        at = self._seed.randrange(160, len(data) - 160)
        match self._seed.choice(self._in_parts):
            case "gap":
                return (0, data[:at]), (at + 64, data[at + 64 :])
            case "patch":
                return ((at, data[at : at + self._seed.randint(1, 600)]),)
            case "trailer" if place.size - 16 > (end := self._ends.get(place.image, place.size)) > 160:
                return ((end, data[160 : 160 + min(place.size - end, self._seed.randint(16, 400))]),)
            case _:
                return ((0, data),)

    async def _at_once(self, path: Path, output: Output) -> None:
        """Write it as most linkers do."""
        self._world.write(path, output.data)
        self._is_whole(path, output)

    async def _by_rename(self, path: Path, output: Output) -> None:
        """Write it beside its place, and move it there."""
        beside = path.with_name(f"{path.name}.tmp")
        self._world.write(beside, output.data)
        await asyncio.sleep(self._seed.choice((0.0, 0.01, 0.3)))
        with self._world.disk.by_hand:
            if beside.exists():  # a power cut may have taken it away
                self._world.disk.replace(beside, path)
                self._is_whole(path, output)
        self._world.hint()

    async def _slowly(self, path: Path, output: Output) -> None:
        """Keep it open, and write it in pieces."""
        disk, deaths = self._world.disk, self._world.deaths
        with disk.by_hand:
            try:
                descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o644)
            except BlockingIOError:  # the daemon reads it at this moment
                return
        told_at: float | None = None
        for start in range(0, len(output.data), 1500):
            try:
                await asyncio.sleep(self._seed.choice((0.0, 0.02, 0.2)))
            except asyncio.CancelledError:  # the calm: the tool is ended, and half of it is left
                if self._world.deaths == deaths:
                    with disk.by_hand:
                        disk.close(descriptor)
                self._survey()
                self._world.hint()
                raise
            if self._world.deaths != deaths:
                self._survey()  # all open files are closed then: half of it is left
                return
            if told_at is not None:
                self._world.witness.writes(str(path), told_at)
            with disk.by_hand:
                disk.write(descriptor, output.data[start : start + 1500])
            self._world.hint()
            told_at = self._world.baton.now if told_at is None else told_at
        with disk.by_hand:
            disk.close(descriptor)
        self._is_whole(path, output)
        self._world.hint()

    async def _patched(self, path: Path, output: Output) -> None:
        """Copy it there with its old time, as `cp -p` does, and patch it right behind that, as a post-build does."""
        if len(output.data) < 600 or path.suffix == ".hex":
            await self._at_once(path, output)
            return
        disk, beside = self._world.disk, path.with_name(f"{path.name}.tmp")
        self._world.write(beside, output.data[:-8] + bytes(8))
        with disk.by_hand:
            disk.set_times(beside, self._world.clock.time() - 3600.0)
            disk.replace(beside, path)
            self._world.witness.removed(output.build.product, output.build.place)
        self._world.hint()
        await asyncio.sleep(PATCHED_WITHIN)
        self._world.write(path, output.data)
        self._is_whole(path, output)

    async def _again(self, path: Path, output: Output) -> None:
        """Write the same bytes once more, as a build does that had nothing to do."""
        await self._at_once(path, self._last.get(str(path), output))

    async def _remove(self, path: Path, output: Output) -> None:
        """Remove it (a clean build), and then write it."""
        with self._world.disk.by_hand, suppress(FileNotFoundError):
            self._world.disk.unlink(path)
        self._world.witness.removed(output.build.product, output.build.place)
        self._world.hint()
        await asyncio.sleep(self._seed.choice((0.0, 0.1, 2.0)))
        await self._at_once(path, output)

    def _is_whole(self, path: Path, output: Output) -> None:
        if (last := self._last.get(str(path))) is not None:
            self._earlier[str(path)].append(last)
        self._last[str(path)] = output
        self._world.witness.built(output.build)

    def _survey(self) -> None:
        """See what lies at each path: a power cut has left an older file there, or a kill of the tool half of one."""
        for product in self._world.setup.products.values():
            for place in product.places.values():
                path = Path(place.image)
                data = path.read_bytes() if place.image and path.is_file() else b""
                found = self._made.get(data)
                if found is None and data and path.suffix == ".bin":
                    found = Output(_build(product, place, ((0, data),), _version_in(data)), data)
                if found is None:
                    self._world.witness.removed(product.name, place.name)
                elif self._last.get(place.image) != found or data != found.data:
                    self._is_whole(path, found)


def _build(product: Product, place: Place, pieces: tuple[tuple[int, bytes], ...], version: str) -> Build:
    return Build(
        sha256=name_of(pieces),
        pieces=pieces,
        product=product.name,
        place=place.name,
        path=place.image,
        version=version,
    )


def _version_in(data: bytes) -> str:
    """Return the version that stands in an image; "" for none."""
    found = re.search(rb"flashdeck-test [0-9.]+(?=\0)", data)
    return "" if found is None else found[0].decode()
