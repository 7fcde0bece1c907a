"""The ELF file of an image: where the build has left it, and whether it is of that very build. All of it blocks."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from flashdeck.text import MAX_PATH, clean
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.elf_match import difference
from flashdeckd.host import files
from flashdeckd.images import elf
from flashdeckd.images.image import Image

LARGEST_ELF: Final = 128 * 1024 * 1024
"""Bytes of an ELF file that is read."""
MOST_MATCHES: Final = 1000
"""Files of a glob that are looked at for the newest one."""
ENDINGS: Final = (".elf", ".axf", ".out", ".ELF", ".AXF", "")
"""Ends of the names of ELF files beside an image, in the order in which they are looked for."""
_MAGIC_SIZE: Final = 4
_RAW: Final = "addresses are not resolved"


@dataclass(frozen=True, slots=True)
class FoundElf:
    """The ELF file of the image that is on a board."""

    path: Path
    sha256: str
    """Of the bytes that were compared: a build may write the file anew at any time."""


@dataclass(frozen=True, slots=True)
class NoElf:
    """There is no such file."""

    reason: str
    """The reason, in a sentence."""


def find_elf(program: BoardProgram) -> FoundElf | NoElf:
    """Return the ELF file of what is in a partition, or why there is none."""
    if not program.image:
        return NoElf(f"{program.partition} has no image file in the configuration: {_RAW}")
    if program.unknown:
        return NoElf(f"{program.unknown}: {_RAW}")
    image = _newest(program.image)
    known = program.read()
    if not known.pieces:
        return NoElf(f"the image that is in {program.partition} is not kept any more: {_RAW}")
    first: NoElf | None = None
    for path in _beside(image):
        found = _compared(path, known, program)
        if isinstance(found, FoundElf):
            return found
        first = first or found
    return first or NoElf(f"there is no ELF file beside {clean(image.name)}: {_RAW}")


def _compared(path: Path, known: Image, program: BoardProgram) -> FoundElf | NoElf:
    """Return an ELF file as that of the image that a partition is `known` to have, or why it is none."""
    shown = clean(path.name)
    try:
        if files.status(path).st_size > LARGEST_ELF:
            return NoElf(f"{shown} is larger than {LARGEST_ELF // (1024 * 1024)} MB: {_RAW}")
        data = files.contents(path, LARGEST_ELF)
    except OSError as error:
        return NoElf(f"{shown} cannot be read ({clean(error.strerror or str(error))}): {_RAW}")
    if differs := difference(shown, data, known, program.span):
        return NoElf(f"{shown} is of another build ({differs}): {_RAW}")
    return FoundElf(path, hashlib.sha256(data).hexdigest())


def _newest(pattern: str) -> Path:
    """Return the file that a path or a glob stands for now: as for builds, the newest match."""
    if not files.is_pattern(pattern) or files.is_named(pattern):
        return Path(pattern)
    matches = [(_modified(path), path) for path in islice(files.matching(pattern), MOST_MATCHES)]
    return Path(max(matches, default=(0, pattern))[1])


def _modified(path: str) -> int:
    try:
        return files.status(path).st_mtime_ns
    except OSError:  # gone again
        return 0


def _beside(image: Path) -> Iterator[Path]:
    """Yield the ELF files that may be those of an image file: itself, then those of the same name in its directory.

    `zephyr.signed.bin` has `zephyr.elf`, and `app.bin` of cargo's `app`.
    """
    stem = image.name
    names = [image.name]
    while "." in stem.lstrip("."):
        stem = stem.rpartition(".")[0]
        names += [stem + ending for ending in ENDINGS]
    for name in dict.fromkeys(names):
        path = image.with_name(name)
        if len(str(path)) <= MAX_PATH and files.is_file(path) and _begins_as_elf(path):
            yield path


def _begins_as_elf(path: Path) -> bool:
    try:
        return elf.is_in(files.contents(path, _MAGIC_SIZE))
    except OSError:  # another one may be readable
        return False
