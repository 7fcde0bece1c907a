"""Find what tells one build of a program from another: its version, or the build-id that its linker gave it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from flashdeck.config import Partition
from flashdeck.patterns import Pattern
from flashdeck.text import clean
from flashdeckd.images import mcuboot
from flashdeckd.images.banners import LOOKED_BACK, is_banner
from flashdeckd.images.image import Image, Piece

SCANNED = 4 * 1024 * 1024
"""Bytes of an image that are searched."""
MOST_BANNERS = 10_000
"""Versions of systems and libraries that are passed over; firmware has a handful."""
LONGEST = 80
"""Characters of a version string that are kept."""

# Every repetition is bounded and possessive or anchored, so that the time is linear in the image's size.
_NUMBERS = re.compile(
    rb"(?<![0-9A-Za-z.])(?P<v>[vV])?[0-9]{1,4}+\.[0-9]{1,4}+(?P<patch>\.[0-9]{1,5}+)?+"
    rb"(?P<suffix>[-+.][0-9A-Za-z][0-9A-Za-z.+-]{0,47}+)?+(?P<end>[\x00\r\n ])"
)
_NAME = re.compile(rb"[A-Za-z][0-9A-Za-z_.+-]{1,31} $")
_NAME_LOOKED_BACK = 33  # a character, at most 31 more, and the space
_DESCRIBED = re.compile(rb"-[0-9]{1,6}-g[0-9a-f]{6,40}(?:-dirty)?$|-dirty$")
# A note of type 3 (NT_GNU_BUILD_ID) of the owner "GNU", as `ld --build-id` makes it; 8 to 32 bytes.
_BUILD_ID = re.compile(rb"\x04\x00\x00\x00(?P<size>[\x08-\x20])\x00\x00\x00\x03\x00\x00\x00GNU\x00")
_NOTE_ALIGNMENT = 4


def find_version(image: Image, partition: Partition) -> str:
    """Return what `image` is most likely called, printable and at most 80 characters long; "" where nothing tells.

    What the partition's own pattern finds; else the version in an MCUboot header; else the likeliest version string;
    else the GNU build-id, as `build-id 1f2e…`. An .elf file's build-id is one of the bytes that it loads, and so in its
    .bin, too. The first 4 MiB are searched, each piece by itself.
    """
    pieces = tuple(_searched(image))
    head = mcuboot.header(pieces[0].data) if image.is_program else None
    return (
        (_configured(pieces, partition.version) if partition.version is not None else "")
        or (head.version if head is not None else "")
        or _version_string(pieces)
        or _build_id(pieces)
    )


def _searched(image: Image) -> Iterator[Piece]:
    left = SCANNED
    for piece in image.pieces:
        yield piece if len(piece.data) <= left else Piece(piece.offset, piece.data[:left])
        left -= len(piece.data)
        if left <= 0:
            return


def _configured(pieces: Iterable[Piece], pattern: Pattern) -> str:
    found = (pattern.search(piece.data) for piece in pieces)
    return clean(next((text for text in found if text), "").strip(), LONGEST)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Text that may be a version."""

    score: tuple[bool, bool, bool, bool]
    text: bytes
    before: bytes = field(repr=False)
    """The bytes before the version itself."""


def _version_string(pieces: Iterable[Piece]) -> str:
    """Return the likeliest one.

    A version is `1.2.3` or `v1.2`, perhaps with a suffix (`-rc1`, `+build5`, `-4-gabcdef`), perhaps after one word and
    a space (`flashdeck-demo 1.2.3`), as ASCII, ended by a NUL, a blank or a line end. Two bare numbers without a `v`
    are none (`USB 2.0`), nor are four (an IP address), nor the version of a known operating system or library. Where
    there are several, preferred are, in this order: one that `git describe` made, one that ends with a NUL, one with a
    word before it, one with a `v`, and then the first.
    """
    best: _Candidate | None = None
    banners = 0
    for found in chain.from_iterable(_candidates(piece.data) for piece in pieces):
        if best is not None and found.score <= best.score:
            continue
        if not is_banner(found.before):
            best = found
            continue
        banners += 1
        if banners == MOST_BANNERS:
            break
    return "" if best is None else clean(best.text.decode("ascii"), LONGEST)


def _candidates(data: bytes) -> Iterator[_Candidate]:
    for match in _NUMBERS.finditer(data):
        start = match.start()
        suffix = match["suffix"] or b""
        described = bool(suffix) and _DESCRIBED.search(suffix) is not None
        two_numbers = match["patch"] is None and match["v"] is None and not described
        four_numbers = suffix[:1] == b"." and suffix[1:2].isdigit()
        if two_numbers or four_numbers:
            continue
        word = _NAME.search(data[max(0, start - _NAME_LOOKED_BACK) : start])
        terminated = match["end"] == b"\x00"
        in_a_sentence = not (terminated or word or match["v"])
        if not in_a_sentence:
            yield _Candidate(
                score=(described, terminated, word is not None, match["v"] is not None),
                text=(word[0] if word else b"") + data[start : match.end() - 1],
                before=data[max(0, start - LOOKED_BACK) : start],
            )


def _build_id(pieces: Iterable[Piece]) -> str:
    for piece in pieces:
        for match in _BUILD_ID.finditer(piece.data):
            found = piece.data[match.end() : match.end() + match["size"][0]]
            whole = len(found) == match["size"][0] and len(set(found)) > 1
            if whole and (piece.offset + match.start()) % _NOTE_ALIGNMENT == 0:
                return f"build-id {found.hex()}"
    return ""
