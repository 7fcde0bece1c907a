"""Text from outside, made harmless, and quantities in words. The one module that does either."""

import unicodedata

MAX_TEXT = 300
"""Characters kept of one piece of foreign text."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """`text` with everything that is not printable replaced by U+FFFD, at most `limit` characters long.

    Control characters, escape sequences, line breaks, bidirectional overrides and lone surrogates never reach a log, a
    terminal or a table cell.
    """
    kept = "".join(
        " " if ch == "\t" else ch if _printable(ch) else "\N{REPLACEMENT CHARACTER}" for ch in text[: limit + 1]
    )
    return kept if len(kept) <= limit else kept[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _printable(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] not in "CZ"
