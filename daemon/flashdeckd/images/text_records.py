"""The common part of Intel HEX and S-record files: text, one record a line, and what stands around it.

A byte order mark, lower case, any line ends, blank lines, comments, and a Ctrl-Z or zeros at the end carry no bytes for
the chip. They are no reason to refuse a file. A line that could be a damaged record counts as one.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from flashdeck.errors import RefusedError
from flashdeck.image_formats import ImageFormat
from flashdeck.text import clean, counted

_BOM = b"\xef\xbb\xbf"
_PADDING = b" \t\r\n\0\x1a"
"""Bytes that follow the text of some files: DOS ended one with Ctrl-Z (0x1A)."""
_COMMENT = rb"(?:[;#*!]|//|--)"
# `objcopy -O symbolsrec` puts a list of symbols before the records: "$$ NAME", "  main $08000101", …, "$$".
_LINE_WITHOUT_RECORD = re.compile(_COMMENT + rb".*|\$\$.*|\S+ +\$[0-9A-Fa-f]+", re.DOTALL)
_RECORD_WITH_COMMENT = re.compile(rb"(\S+)\s+" + _COMMENT + rb".*", re.DOTALL)
LOOKED_AT = 64 * 1024
"""Bytes in which the first record must be found, for the file to be known by it."""

SHOWN = 60
"""Characters of a wrong line that a message has."""
NAMED = 4
"""Kinds of lines that a note names."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one text file, in order, with the number of their lines."""

    shown: str
    format: ImageFormat
    form: re.Pattern[bytes]
    """A whole record, in upper case."""
    made_again: str
    """A hint: how to make such a file."""
    passed_over: Counter[str] = field(default_factory=Counter[str])
    """Kinds of lines that carry no bytes for the chip, by their names in the singular, counted."""

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield each record in upper case, with the number of its line; raises RefusedError for what is none."""
        for number, text in _lines(data):
            record = text.upper()
            if self.form.fullmatch(record) is None:
                record = _record(text)
            if not record:
                self.passed_over["comment line"] += 1
            elif self.form.fullmatch(record):
                yield number, record
            else:
                shown = clean(text[:SHOWN].decode("latin-1"), SHOWN)
                raise self.broken(number, f"is no {self.format.title} record: '{shown}'")

    def broken(self, number: int, problem: str) -> RefusedError:
        """Return what to raise about the record on line `number`."""
        return RefusedError(f"line {number} of {self.shown} {problem}", hint=self.made_again)

    def goes_on(self, ended: int) -> RefusedError:
        """Return what to raise where a record follows the one that ends the file, on line `ended`."""
        return RefusedError(
            f"{self.shown} ends at line {ended} and goes on: two files in one",
            hint="take the two files apart, or merge them with a tool that knows the format (srec_cat, mergehex)",
        )

    def cut_off(self, missing: str) -> RefusedError:
        """Return what to raise where the file ends before the record that ends it."""
        return RefusedError(f"{self.shown} has no {missing}: it was cut off", hint=self.made_again)

    @property
    def notes(self) -> tuple[str, ...]:
        """The lines that were passed over, in words."""
        if not self.passed_over:
            return ()
        kinds = [counted(n, what) for what, n in self.passed_over.most_common(NAMED)]
        more = ["others"] if len(self.passed_over) > NAMED else []
        return (f"{self.shown}: passed over {', '.join(kinds + more)}",)


def first_record(data: bytes) -> bytes:
    """Return the first line that is neither blank nor a comment, in upper case; b"" where there is none near."""
    lines = (_record(text) for _, text in _lines(data[:LOOKED_AT]))
    return next((record for record in lines if record), b"")


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, without blanks at their ends, with their numbers from 1."""
    text = data.removeprefix(_BOM).rstrip(_PADDING).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(text), start=1):
        if stripped := line.strip():
            yield number, stripped


def _record(text: bytes) -> bytes:
    """Return what a line has before a comment, in upper case; b"" for a line that is one."""
    if _LINE_WITHOUT_RECORD.fullmatch(text):
        return b""
    commented = _RECORD_WITH_COMMENT.fullmatch(text)
    return (commented[1] if commented else text).upper()
