"""Versions of what this process runs on: flashdeck, its packages, Python and the kernel."""

import platform
import re
from collections.abc import Iterator
from importlib import metadata

from flashdeck import __version__
from flashdeck.diagnosis import Fact
from flashdeck.text import clean

_DISTRIBUTION = "flashdeck"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def software() -> tuple[Fact, ...]:
    """Return the versions that are installed and running here; a package that is not there says so."""
    facts = (
        Fact(name="flashdeck", value=__version__),
        Fact(name="python", value=f"{platform.python_implementation()} {platform.python_version()}"),
        Fact(name="kernel", value=f"{platform.system()} {platform.release()} {platform.machine()}"),
        Fact(name="system", value=_system()),
    )
    # A library may be of several extras.
    return (*facts, *(Fact(name=name, value=_version(name)) for name in dict.fromkeys(_requirements())))


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown: there is no os-release file"
    return clean(release.get("PRETTY_NAME", release["ID"]))


def _requirements() -> Iterator[str]:
    try:
        wanted = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its sources, without being installed
        return
    for requirement in wanted:
        name = _NAME.match(requirement)
        if name is not None:
            yield name[0]


def _version(package: str) -> str:
    try:
        return clean(metadata.version(package))
    except metadata.PackageNotFoundError:
        return "not installed"
