"""The formats of image files, in the words that help, hints and messages use. The daemon has their readers."""

from enum import Enum
from typing import Final

MAX_IMAGE: Final = 64 * 1024 * 1024
"""Bytes of an image file, and of what it says: no flash that is written over DFU is larger."""


class ImageFormat(Enum):
    """A format of image files."""

    RAW = ("raw binary", (".bin",))
    ELF = ("ELF", (".elf", ".axf"))
    INTEL_HEX = ("Intel HEX", (".hex", ".ihex", ".ihx"))
    S_RECORD = ("Motorola S-record", (".srec", ".s19", ".s28", ".s37", ".mot"))
    DFUSE = ("DfuSe", (".dfu",))
    DFU = ("DFU (raw, with a DFU suffix)", ())
    """USB DFU 1.1, appendix B; a .dfu file, too, whose contents tell the two apart."""
    UF2 = ("UF2", (".uf2",))
    """Known only to be refused."""

    def __init__(self, title: str, suffixes: tuple[str, ...]) -> None:
        self.title = title
        """Its name in messages."""
        self.suffixes = suffixes
        """The usual endings of such files' names, in lower case, the most usual first. Contents decide, not names."""


TAKEN = tuple(each for each in ImageFormat if each is not ImageFormat.UF2)
"""The formats that can be flashed."""

_USUAL = tuple(each.suffixes[0] for each in TAKEN if each.suffixes)

SUFFIXES_IN_WORDS = f"{', '.join(_USUAL[:-1])} or {_USUAL[-1]}"
"""The usual file names of what can be flashed, for help texts: ".bin, .elf, … or .dfu"."""
TITLES_IN_WORDS = f"{', '.join(each.title for each in TAKEN[:-1])} and {TAKEN[-1].title}"
"""The formats that can be flashed, for messages: "raw binary, ELF, … and …"."""
