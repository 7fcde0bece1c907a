"""The words of applications: what an image says once it has started, as the seed decides, and as a person hears it.

The same image says the same on the same board, each time it starts. Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from flashdeckd.virtual.voice import LINE_END, Saying
from simulation.seen import Said, Signs

NAME: Final = "flashdeck-test "
"""The text by which an application says its version."""
CRASH: Final = "HardFault"
"""The text by which it says that it has crashed."""
READY_PATTERN: Final = rf"{NAME}(?P<version>\S+)"
"""The pattern for the former, as a person writes it; it is the only one there is."""
ANY_READY_PATTERN: Final = rf"{NAME}\S+"
"""The same where nobody says whose version it is."""
OTHER_VERSION: Final = "0.0.99"
"""A version that no build of the world has."""
LOOPS: Final = 5
"""Restarts of an application that never gets further."""
FLOOD: Final = 3000
"""Bytes that are said at once, fewer than a port keeps."""
_ENDS: Final = re.compile(rb"[\r\n]+")
_VERSION: Final = re.compile(NAME.encode() + rb"([!-~]+)\0")


@dataclass(frozen=True, slots=True)
class Speech:
    """All that an application will say, if nothing ends it."""

    kind: str
    sayings: tuple[Saying, ...]

    def lines(self, at: float) -> tuple[Said, ...]:
        """Return its lines, where it starts `at` some time; half of one, too, where the rest comes later."""
        return tuple(_lines(self.sayings, at))


def speech_of(seed: Random, image: bytes, signs: Signs) -> Speech:
    """Return what an application says; `seed` is of its board and image."""
    found = _VERSION.search(image)
    own = found[1].decode() if found else OTHER_VERSION
    usual = {each: times for each, (times, _) in KINDS.items()}
    often = {**usual, **OFTEN_WHERE_GOING_BACK} if signs.goes_back else usual
    kind = seed.choices(list(often), list(often.values()))[0]
    begun = [Saying(b"hello" + LINE_END, 0.01)] if seed.random() < 0.5 else []
    return Speech(kind, (*begun, *KINDS[kind][1](seed, own, signs)))


def _ready(version: str, after: float) -> Saying:
    return Saying(f"{NAME}{version}".encode() + LINE_END, after)


def _crash(after: float) -> Saying:
    return Saying(CRASH.encode() + LINE_END, after)


def _right(seed: Random, own: str, _: Signs) -> Sequence[Saying]:
    return (_ready(own, seed.uniform(0.02, 0.6)),)


def _another(seed: Random, _own: str, _: Signs) -> Sequence[Saying]:
    return (_ready(OTHER_VERSION, seed.uniform(0.02, 0.6)),)


def _nothing(_seed: Random, _own: str, _: Signs) -> Sequence[Saying]:
    return ()


def _crash_before(seed: Random, own: str, _: Signs) -> Sequence[Saying]:
    crashed = seed.uniform(0.02, 0.6)
    return (_crash(crashed), *([_ready(own, crashed + 0.3)] if seed.random() < 0.5 else []))


def _crash_after(seed: Random, own: str, signs: Signs) -> Sequence[Saying]:
    ready = seed.uniform(0.02, 0.4)
    return _ready(own, ready), _crash(ready + seed.choice((0.0, 0.0, 0.3, signs.stays, signs.stays + 3.0)))


def _in_pieces(seed: Random, own: str, _: Signs) -> Sequence[Saying]:
    line, at = f"{NAME}{own}".encode() + LINE_END, seed.uniform(0.02, 0.4)
    cut = seed.randrange(seed.choice((1, len(NAME))), len(line))
    return Saying(line[:cut], at), Saying(line[cut:], at + seed.choice((0.01, 0.3, 0.6)))


def _late(seed: Random, own: str, signs: Signs) -> Sequence[Saying]:
    return (_ready(own, max(0.02, signs.within + seed.choice((-1.2, -0.1, 0.1, 2.0, 6.0)))),)


def _flood(seed: Random, own: str, _: Signs) -> Sequence[Saying]:
    at = seed.uniform(0.02, 0.4)
    return Saying(b"x" * seed.randint(100, FLOOD) + LINE_END, at), _ready(own, at + seed.choice((0.0, 0.2)))


def _loop(seed: Random, own: str, _: Signs) -> Sequence[Saying]:
    every = seed.choice((0.4, 0.8, 1.6))
    return [_ready(own, 0.1 + number * every) for number in range(LOOPS)]


KINDS: Final[Mapping[str, tuple[int, Callable[[Random, str, Signs], Sequence[Saying]]]]] = {
    "the right version": (8, _right),
    "another version": (2, _another),
    "nothing": (2, _nothing),
    "a crash before it is ready": (2, _crash_before),
    "a crash after it is ready": (3, _crash_after),
    "its version in pieces": (4, _in_pieces),
    "its version late": (3, _late),
    "a flood": (1, _flood),
    "its version again and again": (2, _loop),
}
"""The kinds of speeches, and how often each comes beside the others."""
OFTEN_WHERE_GOING_BACK: Final[Mapping[str, int]] = {
    "the right version": 40,
    "a crash before it is ready": 12,
    "a crash after it is ready": 12,
}
"""The same where a board goes back by itself: it can only where one has run, and the next crashes."""


def _lines(sayings: Sequence[Saying], at: float) -> Iterator[Said]:
    pending = b""
    for each in sorted(sayings, key=lambda each: each.after):
        *ended, pending = _ENDS.split(pending + each.data)
        yield from (Said(at + each.after, line.decode()) for line in ended if line)
        if pending:  # whoever reads it may see a pause here, however soon the rest comes
            yield Said(at + each.after, pending.decode(), is_whole=False)


def said_version(text: str) -> str:
    """Return the version that a line says; "" for none."""
    _, found, behind = text.partition(NAME)
    return behind.split(" ")[0] if found else ""
