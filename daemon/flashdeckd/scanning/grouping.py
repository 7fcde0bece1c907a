"""The files that one build wrote side by side, and which of them is the best to watch. Pure."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from flashdeck.first_board.found import FoundBuild
from flashdeck.geometry import Range
from flashdeckd.images.image import Image, Piece
from flashdeckd.scanning.build_origin import BuildOrigin
from flashdeckd.scanning.file_ending import ending_of
from flashdeckd.scanning.image_facts import ImageFile

BESIDE_SECONDS: Final = 2.0
"""Files of one run of a build are written so close to each other, seconds; some file systems count no finer."""
_TABLE: Final = 16
"""Bytes of a vector table by which a program is found again."""
_STEPS = re.compile(r"(\.signed|\.confirmed|-signed|_signed)+$", re.IGNORECASE)
"""The ends of the names of signed images, behind the target's name (imgtool, Zephyr)."""
_HALFWAY = re.compile(r"_pre\d+$|_prebuilt$")
"""Zephyr links some images more than once; these are not the last."""


def stem_of(path: Path) -> str:
    """Return the name of the target that a file belongs to."""
    return _STEPS.sub("", path.name[: len(path.name) - len(ending_of(path.name))])


def is_halfway(path: Path) -> bool:
    """Tell whether a file is only a step of Zephyr's build on the way to another one."""
    return path.parent.name == "zephyr" and _HALFWAY.search(path.stem) is not None


def as_build(images: Sequence[ImageFile], origin: Callable[[Path, str], BuildOrigin]) -> FoundBuild | None:
    """Return the build that wrote these files; None where there are none."""
    if not images:
        return None
    linked = max((each for each in images if each.is_elf), key=_age, default=None)
    placed = [each if each.has_addresses or linked is None else _placed(each, linked) for each in images]
    best, reason = _best(placed, linked)
    path = Path(best.found.path)
    where = origin(path, stem_of(path))
    return FoundBuild(
        name=where.name,
        layout=where.layout,
        variant=where.variant,
        best=best.found,
        reason=reason if len(placed) > 1 else "",
        others=tuple(each.found for each in placed if each is not best),
    )


def _best(images: Sequence[ImageFile], linked: ImageFile | None) -> tuple[ImageFile, str]:
    """Return the file to watch, and why."""
    if linked is None:
        # What says where it belongs, and then what was written last.
        best = max(images, key=lambda each: (each.has_addresses, _age(each)))
        return best, "it says where it belongs" if best.has_addresses else "it is the newest"
    fresh = [each for each in images if each is not linked and _age(each) >= _age(linked) - BESIDE_SECONDS]
    changed = [each for each in fresh if not _has_all(each.image, linked.image) or _adds(each.image, linked.image)]
    if changed:
        best = max(changed, key=lambda each: (_is_signed(each), each.has_addresses, _age(each)))
        return best, "a step after the linker has changed it" + (" (signed)" if _is_signed(best) else "")
    return linked, "it says where it belongs, and the others have nothing that it lacks"


def _placed(image: ImageFile, linked: ImageFile) -> ImageFile:
    """Return a raw binary at the place of the program that was linked beside it.

    What signs it puts a header before it, where the program has not left room for one. A binary in which the program
    cannot be found stays where its vectors say.
    """
    first = linked.found.start or 0
    for start in dict.fromkeys((first, first - image.table)):
        shift = start - (image.found.start or 0)
        pieces = tuple(Piece(piece.offset + shift, piece.data) for piece in image.image.pieces)
        moved = Image(pieces)
        table = Range.sized(first + (image.table if start == first else 0), _TABLE)
        if start >= 0 and moved.covers(table) and moved.read(table) == linked.image.read(table):
            found = replace(image.found, start=start, end=moved.end, parts=((start, moved.end),), start_is_guess=False)
            return ImageFile(found, moved, has_addresses=False, is_elf=False, table=image.table)
    return image


def _has_all(image: Image, linked: Image) -> bool:
    return image.satisfies(linked)


def _adds(image: Image, linked: Image) -> bool:
    """Tell whether an image has anything but filling beside what was linked."""
    extra = image.without([piece.span for piece in linked.pieces])
    return any(piece.data.strip(b"\xff").strip(b"\0") for piece in extra.pieces)


def _is_signed(image: ImageFile) -> bool:
    return _STEPS.search(Path(image.found.path).stem) is not None


def _age(image: ImageFile) -> float:
    return image.found.modified_at
