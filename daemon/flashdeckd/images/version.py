"""Finds the version string that most firmware carries in its constant data."""

import re

from flashdeck.text import clean

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


def find_version(image: bytes) -> str:
    """The best guess at the version in `image`, printable and at most 80 characters long; "" where there is none.

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
