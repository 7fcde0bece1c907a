r"""Regular expressions for what boards say. However they are written, a line takes no longer than its length makes it.

They are google-re2's (an extra): a pattern and a board that floods its console cannot keep the daemon busy. What cannot
be matched so, as a look-ahead, is refused by its name. See the syntax page of RE2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.extras import Extra, explained, missing
from flashdeck.text import clean

if TYPE_CHECKING:
    import re2

LONGEST_PATTERN: Final = 1000
"""Characters of a pattern."""
MOST_MEMORY: Final = 1 << 20
"""Bytes of one compiled pattern; RE2 allows eight times as much."""
_NAMED: Final = (
    (r"\(\?=", "a look-ahead", "match what follows as well, and put what you want into a group"),
    (r"\(\?!", "a negative look-ahead", "say what is to be there, not what is not"),
    (r"\(\?<[=!]?", "a look-behind", "match what is before as well, and put what you want into a group"),
    (r"\(\?>", "an atomic group", "leave out `?>`: nothing is ever tried twice here"),
    (r"\(\?\(", "a condition", "write both cases, with `|` between them"),
    (r"\(\?#", "a comment", "leave it out"),
    (r"\\[1-9]", "a back-reference", "write out what it refers to"),
    (r"\\Z", r"\Z", r"write \z, or $"),
    (r"[*+?}]\+$", "a possessive quantifier", "leave out its `+`: nothing is ever tried twice here"),
    (r"\{\d", "a count that is too high, alone or with the one around it", "write + or *"),
)
"""The names of what RE2 cannot match, by the text that it complains of, and what to do instead."""


@dataclass(frozen=True, slots=True)
class LineMatch:
    """The place in a line where a pattern was found."""

    text: str
    """The part of the line that matches."""
    groups: Mapping[str, str]
    """The named groups that took part in it."""


class LinePattern:
    """A pattern that is searched for in single lines."""

    def __init__(self, text: str) -> None:
        """Compile a pattern.

        Raises FlashdeckError: it is refused (kind `bad-request`), or google-re2 is not installed.
        """
        if len(text) > LONGEST_PATTERN:
            raise _refused(text, f"it is longer than {LONGEST_PATTERN} characters", "shorten it")
        self.text = text
        self._compiled = _compiled(text)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its groups."""
        return frozenset(self._compiled.groupindex)

    def search(self, line: str) -> LineMatch | None:
        """Return the first place in a line that matches; None where nothing does."""
        # re2 wants UTF-8, and a line may have halves of characters
        found = self._compiled.search(line.encode(errors="replace").decode())
        if found is None:
            return None
        groups = {name: value for name in self.names if (value := found.group(name)) is not None}
        return LineMatch(found.group(0) or "", groups)


def can_be_checked() -> bool:
    """Tell whether patterns can be compiled here: the extra is installed."""
    return not missing(Extra.CONSOLE)


def _compiled(text: str) -> "re2.Regexp":
    with explained(Extra.CONSOLE, "a pattern for lines of a console"):
        import re2  # noqa: PLC0415 - an extra
    options = re2.Options()
    options.log_errors = False  # they are ours to say
    options.max_mem = MOST_MEMORY
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError) as error:
        said: object = error.args[0] if error.args else ""
        shown = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
        raise _explained_refusal(text, shown) from error


def _explained_refusal(text: str, said: str) -> FlashdeckError:
    """Return why RE2 refuses a pattern, with the name of what it has."""
    place = said.rpartition(": ")[2]
    if said.startswith(("invalid perl operator", "invalid escape", "bad repetition", "invalid repetition")):
        for pattern, name, instead in _NAMED:
            if re.match(pattern, place) or (pattern.endswith("$") and re.search(pattern, place)):
                return _refused(text, f"it has {name}, {place}", instead)
    return _refused(text, said, "look at the syntax page of RE2")


def _refused(text: str, why: str, instead: str) -> FlashdeckError:
    shown = clean(text, 60)
    return FlashdeckError(f"the pattern {shown!r} cannot be used: {why}", hint=instead, kind=ErrorKind.BAD_REQUEST)
