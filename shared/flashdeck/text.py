"""Text from outside, made harmless, and quantities in words. The one module that does either."""

import re
import unicodedata

MAX_MESSAGE = 4000
"""Characters kept of the message and of the hint of an error, on the wire and on a terminal."""
MAX_TEXT = 300
"""Characters kept of one piece of foreign text."""
MAX_PATH = 4096
"""Characters kept of a path."""

_KIB = 1024
_MIB = 1024 * _KIB
_UNITS = ((_KIB**3, "GiB"), (_MIB, "MiB"), (_KIB, "KiB"))
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

MAX_QUANTITY = 32
"""Characters of a size or a duration; keeps int() and float() away from absurd input."""
_SIZE = re.compile(r"(?:0x(?P<hex>[0-9a-f]+)|(?P<decimal>[0-9]+)) ?(?P<unit>[km]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_SIZE_UNITS = {"": 1, "k": _KIB, "m": _MIB}
_DURATION = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>ms|s|min)", re.ASCII)
_PER_SECOND = {"ms": 1000, "s": 1, "min": 1 / _MINUTE}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
"""The names that profiles, partitions and boards may have."""


def is_name(text: str) -> bool:
    """Return whether a profile, a partition or a board may have this name; all can be typed and shown everywhere."""
    return NAME.fullmatch(text) is not None


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` with everything that is not printable replaced by U+FFFD, at most `limit` (1 or more) characters long.

    Control characters, escape sequences, line breaks, bidirectional overrides and lone surrogates never reach a log, a
    terminal or a table cell.
    """
    if text.isascii() and text.isprintable():  # as nearly all is, and thousands of log lines come in a second
        return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
    kept = "".join(
        " " if ch == "\t" else ch if _printable(ch) else "\N{REPLACEMENT CHARACTER}" for ch in text[: limit + 1]
    )
    return kept if len(kept) <= limit else kept[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def parse_size(text: str) -> int:
    """Bytes named by `text`: "384K", "1M", "0x20000", "131072". K is 1024 bytes, as are KB and KiB; M is 1024 K.

    Raises ValueError, with a sentence, for anything else.
    """
    match = _SIZE.fullmatch(text) if len(text) <= MAX_QUANTITY else None
    if match is None:
        raise ValueError(f'"{clean(text, 40)}" is not a size; write it as "384K", "1M" or a number of bytes')
    count = int(match["hex"], 16) if match["hex"] else int(match["decimal"])
    return count * _SIZE_UNITS[match["unit"].lower()]


def parse_duration(text: str) -> float:
    """Seconds named by `text`: "50ms", "1.5s", "2min".

    Raises ValueError, with a sentence, for anything else.
    """
    match = _DURATION.fullmatch(text) if len(text) <= MAX_QUANTITY else None
    if match is None:
        raise ValueError(f'"{clean(text, 40)}" is not a duration; write it as "50ms", "1.5s" or "2min"')
    return float(match["count"]) / _PER_SECOND[match["unit"]]


def format_size(size: int) -> str:
    """Bytes for people: "980 B", "98.4 KiB", "384 KiB", "2 MiB", "1.5 GiB"."""
    if size < _KIB:
        return f"{size} B"
    count, unit = next((size / of, unit) for of, unit in _UNITS if size >= of)
    return f"{count:.1f}".removesuffix(".0") + f" {unit}"


def format_duration(seconds: float) -> str:
    """A length of time for people: "45 ms", "1.3 s", "2 min 5 s", "3 h 20 min"."""
    tenths = round(seconds, 1)
    if tenths < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if tenths < _MINUTE:
        return f"{tenths:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def format_age(seconds: float) -> str:
    """Return an age in its largest unit: "3 s", "5 min", "2 h", "4 d"; never negative."""
    whole = max(0, int(seconds))
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if whole >= length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural if it is not one: "1 board", "3 boards"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def short_sha(sha256: str) -> str:
    """The first 12 hexadecimal digits of a SHA-256: enough to tell images apart by eye."""
    return sha256[:12]


def _printable(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] not in "CZ"
