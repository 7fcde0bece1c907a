"""The command that adds an extra fits how flashdeck was installed, and names it only together with where it is from."""

import json
import shlex
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from flashdeck import extras, origin
from flashdeck.extras import Extra
from flashdeck.origin import Installation, Source, Tool, command, source, to_add

BOTH = (Extra.DAEMON, Extra.TUI)
PYTHON = "/home/ann/my env/bin/python"
LIBRARIES = ("pyusb<2,>=1.3.1", "tomli-w")
CLONE = Source(path="/src/flashdeck")


def found(tool: Tool, place: Source | None = CLONE, *, suffix: str = "", installer: str = "") -> Installation:
    prefix = "/home/ann/pipx/venvs/flashdeck-new"
    return Installation(tool=tool, prefix=prefix, python=PYTHON, source=place, suffix=suffix, installer=installer)


def said(of: Installation) -> str:
    return command(of, BOTH, LIBRARIES)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (Tool.PIP, "'/home/ann/my env/bin/python' -m pip install '/src/flashdeck[daemon,tui]'"),
        (Tool.PIPX, "pipx install --force '/src/flashdeck[daemon,tui]'"),
        (Tool.UV_PIP, "uv pip install --python '/home/ann/my env/bin/python' '/src/flashdeck[daemon,tui]'"),
        (Tool.UV_TOOL, "uv tool install --force '/src/flashdeck[daemon,tui]'"),
        (Tool.UVX, "uvx --from '/src/flashdeck[daemon,tui]' flashdeck"),
    ],
)
def test_each_program_installs_it_again_from_where_it_came(tool: Tool, expected: str) -> None:
    assert said(found(tool)) == expected


def test_a_clone_that_is_edited_stays_one() -> None:
    clone = Source(path="/src/my flashdeck", editable=True)
    assert said(found(Tool.PIPX, clone, suffix="-new")) == (
        "pipx install --force --suffix=-new --editable '/src/my flashdeck[daemon,tui]'"
    )


def test_a_url_is_named_with_its_name_in_front() -> None:
    assert said(found(Tool.UV_TOOL, Source(url="git+https://example.org/f.git@v1"))) == (
        "uv tool install --force 'flashdeck[daemon,tui] @ git+https://example.org/f.git@v1'"
    )


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (Tool.PIP, "'/home/ann/my env/bin/python' -m pip install 'pyusb<2,>=1.3.1' tomli-w"),
        (Tool.PIPX, "pipx inject flashdeck-new 'pyusb<2,>=1.3.1' tomli-w"),
        (Tool.UV_PIP, "uv pip install --python '/home/ann/my env/bin/python' 'pyusb<2,>=1.3.1' tomli-w"),
        (Tool.UV_TOOL, "uv pip install --python '/home/ann/my env/bin/python' 'pyusb<2,>=1.3.1' tomli-w"),
        (Tool.UVX, "install pyusb<2,>=1.3.1, tomli-w into /home/ann/pipx/venvs/flashdeck-new"),
    ],
)
def test_where_its_origin_is_not_known_the_libraries_are_named(tool: Tool, expected: str) -> None:
    assert said(found(tool, None)) == expected


def test_of_an_unknown_program_its_name_is_said() -> None:
    assert said(found(Tool.OTHER, installer="conda")) == (
        "install pyusb<2,>=1.3.1, tomli-w into /home/ann/pipx/venvs/flashdeck-new with conda"
    )


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize("place", [CLONE, Source(url="https://example.org/f.whl"), None])
def test_no_command_names_it_as_an_index_would_have_it(tool: Tool, place: Source | None) -> None:
    line = said(found(tool, place))
    if tool is Tool.UVX and place is not None:
        line = line.removesuffix(" flashdeck")  # the command to run, behind --from
    for word in shlex.split(line):
        name, at, _ = word.partition(" @ ")
        assert at or name.partition("[")[0].rpartition("/")[2] != "flashdeck" or "/" in name


def test_direct_urls_are_read_as_installers_write_them(tmp_path: Path) -> None:
    place = tmp_path / "a clone"
    place.mkdir()
    url = place.as_uri()
    assert "%20" in url
    assert source(json.dumps({"url": url, "dir_info": {}})) == Source(path=str(place))
    assert source(json.dumps({"url": url, "dir_info": {"editable": True}})) == Source(path=str(place), editable=True)
    assert source(json.dumps({"url": url, "archive_info": {"hash": "sha256=0"}})) == Source(path=str(place))
    wheel = "https://example.org/flashdeck-0.1.0-py3-none-any.whl"
    assert source(json.dumps({"url": wheel, "archive_info": {}})) == Source(url=wheel)
    git = {"vcs": "git", "commit_id": "0" * 40}
    assert source(json.dumps({"url": "https://example.org/f", "vcs_info": git})) == Source(
        url="git+https://example.org/f"
    )
    git["requested_revision"] = "main"
    said = {"url": "https://example.org/f", "vcs_info": git, "subdirectory": "src"}
    assert source(json.dumps(said)) == Source(url="git+https://example.org/f@main#subdirectory=src")
    assert source(json.dumps({"url": url, "vcs_info": git})) == Source(url=f"git+{url}@main")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 7}', '{"url": "file:///nowhere/flashdeck"}'])
def test_what_names_no_place_that_is_there_names_none(text: str) -> None:
    assert source(text) is None


Files = dict[str, str]
Installed = Callable[[str, Files], Path]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installed:
    """Lays out an environment by what an installer leaves in it."""

    def lay(installer: str, files: Files) -> Path:
        information = tmp_path / "lib" / "flashdeck-0.1.0.dist-info"
        information.mkdir(parents=True)
        (information / "INSTALLER").write_text(f"{installer}\n")
        (tmp_path / "env").mkdir()
        for name, text in files.items():
            (tmp_path / name).write_text(text)

        def distribution(_name: str) -> metadata.Distribution:
            return metadata.PathDistribution(information)

        monkeypatch.setattr(metadata, "distribution", distribution)
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
        return tmp_path

    return lay


PIPX = '{"main_package": {"package": "flashdeck", "suffix": "-new"}, "pipx_metadata_version": "0.5"}'


@pytest.mark.parametrize(
    ("installer", "files", "expected"),
    [
        ("pip", {}, (Tool.PIP, "")),
        ("pip", {"env/pipx_metadata.json": PIPX}, (Tool.PIPX, "-new")),
        ("pip", {"env/pipx_metadata.json": "{"}, (Tool.PIPX, "")),
        ("uv", {"env/uv-receipt.toml": ""}, (Tool.UV_TOOL, "")),
        ("uv", {}, (Tool.UV_PIP, "")),
        ("uv", {"env/CACHEDIR.TAG": ""}, (Tool.UV_PIP, "")),  # uv marks its environments so
        ("uv", {"CACHEDIR.TAG": ""}, (Tool.UVX, "")),
        ("conda", {}, (Tool.OTHER, "")),
    ],
)
def test_a_program_is_known_by_what_it_leaves(
    installed: Installed, installer: str, files: Files, expected: tuple[Tool, str]
) -> None:
    root = installed(installer, files)
    here = origin.origin()
    assert (here.tool, here.suffix) == expected
    assert (here.prefix, here.installer, here.source) == (str(root / "env"), installer, None)


def test_sources_that_are_not_installed_have_no_known_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_name: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", gone)
    assert origin.origin() == Installation(tool=Tool.OTHER, prefix=sys.prefix, python=sys.executable)


def test_only_what_is_missing_is_added_with_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(extra: Extra) -> tuple[str, ...]:
        return ("pyusb", "tomli-w") if extra is Extra.DAEMON else ("textual",)

    def requires(_name: str) -> list[str]:
        return ["click>=8", "pyusb<2,>=1.3.1; extra == 'daemon'", "pyudev<1; extra == 'daemon'"]

    monkeypatch.setattr(extras, "missing", missing)
    monkeypatch.setattr(metadata, "requires", requires)
    monkeypatch.setattr(origin, "origin", lambda: found(Tool.PIPX, None))
    assert to_add(Extra.DAEMON) == "pipx inject flashdeck-new 'pyusb<2,>=1.3.1' tomli-w"
    monkeypatch.setattr(origin, "origin", lambda: found(Tool.PIPX))
    assert to_add(Extra.DAEMON) == "pipx install --force '/src/flashdeck[daemon]'"
