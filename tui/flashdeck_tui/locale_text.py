"""The characters that the locale says a terminal can show. Pure."""

from collections.abc import Mapping
from typing import Final

_UTF_8: Final = ("utf-8", "utf8")
_OF_PYTHON: Final = ("C.UTF-8", "C.utf8", "UTF-8")
"""Values of LC_CTYPE that Python sets itself where the locale is C, or is not installed (PEP 538)."""


def shows_only_ascii(environ: Mapping[str, str]) -> bool:
    """True if the locale is one whose characters are not UTF-8, as C. One that nobody set says nothing."""
    lang, ctype = environ.get("LANG", ""), environ.get("LC_CTYPE", "")
    if lang and ctype in _OF_PYTHON:
        ctype = ""
    locale = environ.get("LC_ALL") or ctype or lang  # the first with a value decides (POSIX, "Environment Variables")
    codeset = locale.partition("@")[0].partition(".")[2] or locale
    return bool(locale) and codeset.casefold() not in _UTF_8
