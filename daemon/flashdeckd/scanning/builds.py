"""All builds below a directory: found, read and grouped. Blocks."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from flashdeck.errors import RefusedError
from flashdeck.first_board.found import FoundBuild, ScanLine
from flashdeck.text import clean, format_size
from flashdeckd.host import files
from flashdeckd.scanning.build_origin import BuildOrigin, origin_of
from flashdeckd.scanning.grouping import as_build, is_halfway, stem_of
from flashdeckd.scanning.image_facts import ENOUGH_TO_TELL, ImageFile, may_be_firmware, read_image
from flashdeckd.scanning.walk import FoundFile, walk

MAX_READ: Final = 512 * 1024 * 1024
"""Bytes of image files that are read, the newest files first."""
MAX_BUILDS: Final = 200
"""Builds that are told of, the newest first."""
MAX_SIDE_BY_SIDE: Final = 16
"""Files of one build that are compared; they are all in memory meanwhile."""


def builds_below(root: Path) -> ScanLine:
    """Return all builds below a directory, the newest first. Raises OSError where that cannot be listed."""
    found = walk(root)
    names = _Names(found.names)
    budget = _Budget()
    groups: dict[tuple[Path, str], list[FoundFile]] = {}
    for file in found.files:
        if not is_halfway(file.path):
            groups.setdefault((file.path.parent, stem_of(file.path)), []).append(file)
    builds: list[FoundBuild] = []
    passed_over: list[str] = []
    for group in groups.values():
        refused: list[str] = []
        build = as_build(tuple(_read(group[:MAX_SIDE_BY_SIDE], budget, refused)), names.origin)
        if build is not None:
            builds.append(build)
        else:
            passed_over += refused
    builds.sort(key=lambda each: (-each.modified_at, each.best.path))
    notes = [*found.notes, *budget.notes]
    if passed_over:
        more = f" and {len(passed_over) - 1} more" if len(passed_over) > 1 else ""
        notes.append(f"passed over: {passed_over[0]}{more}")
    if len(builds) > MAX_BUILDS:
        notes.append(f"of {len(builds)} builds only the {MAX_BUILDS} newest are listed")
    return ScanLine(builds=tuple(builds[:MAX_BUILDS]), notes=tuple(notes))


class _Budget:
    """The bytes that may still be read."""

    def __init__(self) -> None:
        self.left = MAX_READ
        self.notes: list[str] = []

    def take(self, size: int) -> bool:
        """Take so much and return True, if there is so much left; note it once where there is not."""
        if size > self.left:
            if not self.notes:
                self.notes.append(f"stopped reading after {format_size(MAX_READ)}: older files were not looked at")
            return False
        self.left -= size
        return True


def _read(group: Iterable[FoundFile], budget: _Budget, refused: list[str]) -> Iterator[ImageFile]:
    """Yield the images of a group; those that are broken, or cannot be read, are added to `refused`."""
    for file in group:
        try:
            data = _contents(file, budget)
            image = read_image(file.path, data, file.modified_at) if data else None
        except RefusedError as error:
            refused.append(f"{clean(str(file.path))} ({error.message})")
        except OSError as error:
            refused.append(f"{clean(str(file.path))} ({error.strerror})")
        else:
            if image is not None:
                yield image


def _contents(file: FoundFile, budget: _Budget) -> bytes:
    """Return the bytes of a file; none where it is not worth reading. Raises OSError."""
    head = files.contents(file.path, ENOUGH_TO_TELL)
    if not may_be_firmware(file.path.name, head) or not budget.take(file.size):
        return b""
    return files.contents(file.path, file.size)


class _Names:
    """The names in directories, also in those above the one that was searched."""

    def __init__(self, known: Mapping[Path, Collection[str]]) -> None:
        self._known = dict(known)

    def origin(self, path: Path, stem: str) -> BuildOrigin:
        return origin_of(path, clean(stem), self._in)

    def _in(self, directory: Path) -> Collection[str]:
        if directory not in self._known:
            try:
                self._known[directory] = frozenset(files.names(directory))
            except OSError:
                self._known[directory] = frozenset()
        return self._known[directory]
