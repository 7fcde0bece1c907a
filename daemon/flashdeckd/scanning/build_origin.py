"""The tool that wrote a build, told from the directories that it lies in. Pure, but for the names that it asks for."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flashdeck.first_board.found import BuildLayout

Names = Callable[[Path], Collection[str]]
"""Returns the names in a directory; none where it cannot be listed."""
LEVELS: Final = 4
"""Directories above a file in which the traces of its tool are looked for."""

_VARIANTS = frozenset(("debug", "release", "relwithdebinfo", "minsizerel"))
_GENERIC = frozenset(("a", "firmware", "flash", "fw", "image", "main", "out", "output", "program", "rom", "zephyr"))
"""Names of targets that say nothing: the project's says more."""
_BUILD_DIRECTORY = re.compile(r"(cmake-)?build.*|out|output|bin|dist|obj|exe|objects", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BuildOrigin:
    """The origin of a build."""

    layout: BuildLayout
    name: str
    """The target's name, or the project's where that says more."""
    variant: str = ""
    """The configuration that was built; "" for none."""


def origin_of(path: Path, stem: str, names: Names) -> BuildOrigin:
    """Return the origin of the file at `path`; `stem` is its name without endings."""
    for find in (_platformio, _zephyr, _cargo, _keil, _iar, _stm32cubeide, _cmake, _make):
        found = find(path, stem, names)
        if found is not None:
            return found
    return BuildOrigin(BuildLayout.PLAIN, _said(stem, _project_above(path.parent)), _variant(path))


def _platformio(path: Path, stem: str, _names: Names) -> BuildOrigin | None:
    environment, build, hidden = path.parent, path.parent.parent, path.parent.parent.parent
    if (build.name, hidden.name) != ("build", ".pio"):
        return None
    return BuildOrigin(BuildLayout.PLATFORMIO, _said(stem, hidden.parent), environment.name)


def _zephyr(path: Path, stem: str, _names: Names) -> BuildOrigin | None:
    if path.parent.name != "zephyr" or not stem.startswith("zephyr"):
        return None
    build = path.parent.parent
    return BuildOrigin(BuildLayout.ZEPHYR, _said(stem, _project_above(build)))


def _cargo(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    profile = path.parent if path.parent.name != "examples" else path.parent.parent
    if ".fingerprint" not in names(profile):
        return None
    return BuildOrigin(BuildLayout.CARGO, stem, profile.name)


def _keil(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    above = _above(path)
    if not any(name.lower().endswith((".uvprojx", ".uvproj")) for each in above for name in names(each)):
        return None
    return BuildOrigin(BuildLayout.KEIL, _said(stem, _project_above(path.parent)), _variant(path))


def _iar(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    if path.parent.name != "Exe" and not any(
        name.lower().endswith(".ewp") for each in _above(path) for name in names(each)
    ):
        return None
    variant = path.parent.parent if path.parent.name == "Exe" else path.parent
    return BuildOrigin(BuildLayout.IAR, _said(stem, _project_above(variant.parent)), variant.name)


def _stm32cubeide(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    if ".cproject" not in names(path.parent.parent):
        return None
    return BuildOrigin(BuildLayout.STM32CUBEIDE, _said(stem, path.parent.parent), path.parent.name)


def _cmake(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    top = next((each for each in _above(path) if "CMakeCache.txt" in names(each)), None)
    if top is None:
        return None
    return BuildOrigin(BuildLayout.CMAKE, _said(stem, _project_above(top)), _variant(path))


def _make(path: Path, stem: str, names: Names) -> BuildOrigin | None:
    makefiles = {"Makefile", "makefile", "GNUmakefile"}
    top = next((each for each in _above(path) if not makefiles.isdisjoint(names(each))), None)
    return None if top is None else BuildOrigin(BuildLayout.MAKE, _said(stem, top), _variant(path))


def _above(path: Path) -> tuple[Path, ...]:
    return tuple(path.parents)[:LEVELS]


def _variant(path: Path) -> str:
    return next((each.name for each in _above(path) if each.name.lower() in _VARIANTS), "")


def _project_above(directory: Path) -> Path:
    """Return the first directory that is not called as build directories are."""
    above = (directory, *directory.parents)[: LEVELS + 1]
    return next((each for each in above if not _is_for_builds(each.name)), directory)


def _is_for_builds(name: str) -> bool:
    return name.lower() in _VARIANTS or _BUILD_DIRECTORY.fullmatch(name) is not None


def _said(stem: str, project: Path) -> str:
    return project.name if stem.lower() in _GENERIC and project.name else stem
