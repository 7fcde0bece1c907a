"""The way in which this flashdeck was installed, its source, and the command that adds an extra to it.

It comes from no index under its own name, so that no command names just that: whoever has the name there would be
installed. Where the place that it came from is not known, or gone, the libraries of the extra are named instead.
"""

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from importlib import metadata
from pathlib import Path
from typing import cast
from urllib.parse import unquote, urlsplit

from flashdeck import extras
from flashdeck.extras import Extra
from flashdeck.text import MAX_MESSAGE, clean

_DISTRIBUTION = "flashdeck"
_FOR_EXTRA = re.compile(r"""(.+?)\s*;\s*extra\s*==\s*['"]([a-z]+)['"]""", re.ASCII)


class Tool(Enum):
    """The program that keeps the environment."""

    PIP = auto()
    PIPX = auto()
    UV_PIP = auto()
    UV_TOOL = auto()
    UVX = auto()
    """uv, for one run: the environment is in its cache."""
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The place that it came from: a path, or a URL as pip takes it."""

    path: str = ""
    url: str = ""
    editable: bool = False

    def with_extras(self, names: Sequence[Extra]) -> tuple[str, ...]:
        """Return the words of a requirement."""
        wanted = f"[{','.join(names)}]"
        if self.url:
            return (f"{_DISTRIBUTION}{wanted} @ {self.url}",)
        return (*(("--editable",) if self.editable else ()), f"{self.path}{wanted}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The way in which this flashdeck was installed."""

    tool: Tool
    installer: str = ""
    """The installer's name for itself; "" where there is none, as for sources that are not installed."""
    prefix: str
    """The environment."""
    python: str
    source: Source | None = None
    """None: not known, or no longer there."""
    suffix: str = ""
    """pipx's suffix of the commands."""


def to_add(extra: Extra) -> str:
    """Return the command that adds an extra to this flashdeck, or what to do where no command is known."""
    present = [each for each in Extra if each is extra or not extras.missing(each)]
    return clean(command(origin(), present, _requirements(extra)), MAX_MESSAGE)


def command(found: Installation, wanted: Sequence[Extra], libraries: Sequence[str]) -> str:
    """Return the command after which an environment has the extras `wanted`, of which `libraries` are missing. Pure."""
    if found.source is not None and (words := _to_install(found)):
        run = ("flashdeck",) if found.tool is Tool.UVX else ()
        return shlex.join((*words, *found.source.with_extras(wanted), *run))
    if words := _to_install_libraries(found):
        return shlex.join((*words, *libraries))
    return f"install {', '.join(libraries)} into {found.prefix}" + (
        f" with {found.installer}" if found.installer else ""
    )


def _to_install(found: Installation) -> tuple[str, ...]:
    """Return the words before where flashdeck is to come from; none where an unknown program keeps the environment."""
    words = {
        Tool.PIP: (found.python, "-m", "pip", "install"),
        Tool.PIPX: ("pipx", "install", "--force", *((f"--suffix={found.suffix}",) if found.suffix else ())),
        Tool.UV_PIP: ("uv", "pip", "install", "--python", found.python),
        Tool.UV_TOOL: ("uv", "tool", "install", "--force"),
        Tool.UVX: ("uvx", "--from"),
    }
    return words.get(found.tool, ())


def _to_install_libraries(found: Installation) -> tuple[str, ...]:
    """Return the words before the libraries; none where no program may add some to the environment by itself."""
    words = {
        Tool.PIP: (found.python, "-m", "pip", "install"),
        Tool.PIPX: ("pipx", "inject", Path(found.prefix).name),
        Tool.UV_PIP: ("uv", "pip", "install", "--python", found.python),
        Tool.UV_TOOL: ("uv", "pip", "install", "--python", found.python),
    }
    return words.get(found.tool, ())


def origin() -> Installation:
    """Return how the flashdeck that runs here was installed, as the files say that its installer left."""
    prefix = Path(sys.prefix)
    try:
        distribution = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError:  # run from its sources, without being installed
        return Installation(tool=Tool.OTHER, prefix=sys.prefix, python=sys.executable)
    installer = (distribution.read_text("INSTALLER") or "").strip()
    tool, suffix = Tool.OTHER, ""
    if (prefix / "pipx_metadata.json").is_file():
        tool, suffix = Tool.PIPX, _pipx_suffix(prefix / "pipx_metadata.json")
    elif (prefix / "uv-receipt.toml").is_file():
        tool = Tool.UV_TOOL
    elif installer == "uv":
        in_cache = any((parent / "CACHEDIR.TAG").is_file() for parent in prefix.parents)
        tool = Tool.UVX if in_cache else Tool.UV_PIP
    elif installer == "pip":
        tool = Tool.PIP
    return Installation(
        tool=tool,
        installer=installer,
        prefix=sys.prefix,
        python=sys.executable,
        source=source(distribution.read_text("direct_url.json") or ""),
        suffix=suffix,
    )


def source(direct_url: str) -> Source | None:
    """Return the place that the text of a direct_url.json (PEP 610) names; None where none is, or is there any more."""
    try:
        said = _table(json.loads(direct_url))
    except ValueError:
        return None
    url = str(said.get("url", ""))
    parts = urlsplit(url)
    if parts.scheme == "file" and "vcs_info" not in said:
        path = unquote(parts.path)
        editable = bool(_table(said.get("dir_info")).get("editable"))
        return Source(path=path, editable=editable) if Path(path).exists() else None
    if not parts.scheme:
        return None
    version_control = _table(said.get("vcs_info"))
    if system := version_control.get("vcs"):
        revision = version_control.get("requested_revision")
        url = f"{system}+{url}" + (f"@{revision}" if revision else "")
    if directory := said.get("subdirectory"):
        url += f"#subdirectory={directory}"
    return Source(url=url)


def _table(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _pipx_suffix(file: Path) -> str:
    try:
        package = _table(_table(json.loads(file.read_text())).get("main_package"))
    except (OSError, ValueError):
        return ""
    return str(package.get("suffix") or "")


def _requirements(extra: Extra) -> tuple[str, ...]:
    """Return the libraries of an extra that are missing, with their versions where this installation says them."""
    lacking = extras.missing(extra) or tuple(extras.LIBRARIES[extra])
    try:
        said = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return lacking
    found = [match for each in said if (match := _FOR_EXTRA.fullmatch(each)) and match[2] == extra]
    ranges = {re.split(r"[<>=!~ \[(]", match[1], maxsplit=1)[0].lower(): match[1] for match in found}
    return tuple(ranges.get(name, name) for name in lacking)
