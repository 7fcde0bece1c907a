"""Finds what tells one build of a program from another: its version, or the build-id that its linker gave it."""

import re

from flashdeck.config import Partition
from flashdeck.geometry import Range
from flashdeck.text import clean
from flashdeckd.images import mcuboot
from flashdeckd.images.image import Image

_SCANNED = 4 * 1024 * 1024
"""Bytes of an image that are searched."""
_LONGEST = 80
"""Characters of a version string that are kept."""

# Every repetition is bounded and possessive or anchored, so that the time is linear in the image's size.
_NUMBERS = re.compile(
    rb"(?<![0-9A-Za-z.])(?P<v>[vV])?[0-9]{1,4}+\.[0-9]{1,4}+(?P<patch>\.[0-9]{1,5}+)?+"
    rb"(?P<suffix>[-+.][0-9A-Za-z][0-9A-Za-z.+-]{0,47}+)?+(?P<end>[\x00\r\n ])"
)
_NAME = re.compile(rb"[A-Za-z][0-9A-Za-z_.+-]{1,31} $")
_NAME_LOOKED_BACK = 33
_DESCRIBED = re.compile(rb"-[0-9]{1,6}-g[0-9a-f]{6,40}(?:-dirty)?$|-dirty$")
# A note of type 3 (NT_GNU_BUILD_ID) of the owner "GNU", as `ld --build-id` makes it; 8 to 32 bytes.
_BUILD_ID = re.compile(rb"\x04\x00\x00\x00(?P<size>[\x08-\x20])\x00\x00\x00\x03\x00\x00\x00GNU\x00")
_NOTE_ALIGNMENT = 4


def find_version(pieces: Image, partition: Partition) -> str:
    """The best guess at what `image` is called, printable and at most 80 characters long; "" where there is none.

    The version in an MCUboot header; else the likeliest version string; else the GNU build-id, as `build-id 1f2e…`.
    An .elf file's build-id is one of the bytes that it loads, and so in its .bin, too.
    """
    image = pieces.read(Range(0, pieces.end))
    head = mcuboot.header(image)
    return (head.version if head is not None else "") or _version_string(image) or _build_id(image)


def _version_string(image: bytes) -> str:
    """The likeliest one.

    A version is `1.2.3` or `v1.2`, perhaps with a suffix (`-rc1`, `+build5`, `-4-gabcdef`), perhaps after one word and
    a space (`flashdeck-demo 1.2.3`), as ASCII, ended by a NUL, a blank or a line end. Two bare numbers without a `v`
    are none (`USB 2.0`), nor are four (an IP address). Where there are several, preferred are, in this order: one that
    `git describe` made, one that ends with a NUL, one with a word before it, one with a `v`, and then the first.
    The first 4 MiB are searched.
    """
    best: tuple[bool, bool, bool, bool] | None = None
    text = b""
    for match in _NUMBERS.finditer(image, 0, min(len(image), _SCANNED)):
        start = match.start()
        suffix = match["suffix"] or b""
        described = _DESCRIBED.search(suffix) is not None
        before = _NAME.search(image[max(0, start - _NAME_LOOKED_BACK) : start])
        terminated = match["end"] == b"\x00"
        two_numbers = match["patch"] is None and match["v"] is None and not described
        four_numbers = suffix[:1] == b"." and suffix[1:2].isdigit()
        in_a_sentence = not (terminated or before or match["v"])
        if two_numbers or four_numbers or in_a_sentence:
            continue
        score = (described, terminated, before is not None, match["v"] is not None)
        if best is None or score > best:
            best = score
            text = (before[0] if before else b"") + image[start : match.end() - 1]
    return clean(text.decode("ascii"), _LONGEST)


def _build_id(image: bytes) -> str:
    for match in _BUILD_ID.finditer(image, 0, min(len(image), _SCANNED)):
        found = image[match.end() : match.end() + match["size"][0]]
        whole = len(found) == match["size"][0] and len(set(found)) > 1
        if whole and match.start() % _NOTE_ALIGNMENT == 0:
            return f"build-id {found.hex()}"
    return ""
