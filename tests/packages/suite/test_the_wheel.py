"""The wheel and the sdist as files: the same bytes each time, all that is needed, and nothing else."""

import hashlib
import os
import re
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import trove_classifiers

from packages import distribution
from packages.distribution import ROOT
from packages.pythons import OLDEST, pythons
from packages.workshop import Workshop

LONG_AGO = 1_000_000_000
"""A time for the files of a tree, in seconds since 1970."""
PACKAGES = {"shared/flashdeck": "flashdeck", "daemon/flashdeckd": "flashdeckd", "tui/flashdeck_tui": "flashdeck_tui"}
PLACES = {**PACKAGES, "config": "flashdeck/_config"}


def sums(place: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.iterdir()}


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(opened.read(name))


def test_two_builds_give_the_same_bytes(workshop: Workshop, tmp_path: Path) -> None:
    """From another directory, at another time, by somebody with another umask, and with what builds and runs leave."""
    tree = tmp_path / "elsewhere"
    distribution.copy_sources(tree, mode=0o660)
    for left in ("config/demo/firmware/build/APP1.o", "tui/flashdeck_tui/__pycache__/app.pyc", "dist/x", ".venv/x"):
        (tree / left).parent.mkdir(parents=True, exist_ok=True)
        (tree / left).write_text("left behind")
    for path in tree.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    distribution.build(tree, tmp_path / "dist", "sdist", "wheel", umask=0o007)
    assert sums(tmp_path / "dist") == sums(workshop.wheel.parent)


def test_the_sdist_builds_the_same_wheel(workshop: Workshop, tmp_path: Path) -> None:
    with tarfile.open(workshop.sdist) as opened:
        opened.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    distribution.build(tree, tmp_path / "dist", "wheel")
    assert sums(tmp_path / "dist")[workshop.wheel.name] == sums(workshop.wheel.parent)[workshop.wheel.name]


def test_all_that_is_needed_is_in_it_and_nothing_else(workshop: Workshop, tmp_path: Path) -> None:
    """The sources are copied once more: what runs in the workshop's clone leaves byte code there."""
    distribution.copy_sources(tmp_path)
    found = names(workshop.wheel)
    tops = {name.partition("/")[0] for name in found}
    (information,) = tops - set(PACKAGES.values())
    assert re.fullmatch(r"flashdeck-[\d.]+\.dist-info", information)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    wanted = {
        f"{inside}{name.removeprefix(place)}"
        for place, inside in PLACES.items()
        for name in files
        if name.startswith(f"{place}/")
    }
    said = {name for name in found if name.startswith(f"{information}/")}
    assert found - said == wanted
    assert not [name for name in found if "/tests/" in name or name.endswith((".pyc", ".o"))]
    last = {name.partition("/")[2] for name in said}
    assert last == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_it_says_what_it_is(workshop: Workshop) -> None:
    said = metadata(workshop.wheel)
    classifiers = said.get_all("Classifier") or []
    assert set(classifiers) <= trove_classifiers.classifiers
    versions = {each.rpartition(" ")[2] for each in classifiers if re.search(r"Python :: 3\.\d+$", each)}
    assert versions >= set(pythons()), "say that it runs on the Pythons that it is tried on"
    assert min(versions, key=lambda each: int(each[2:])) == f"{OLDEST[0]}.{OLDEST[1]}"
    assert said["Requires-Python"] == f">={OLDEST[0]}.{OLDEST[1]}"
    assert said["License-Expression"] == "MIT"
    assert said.get_all("Provides-Extra") == ["console", "daemon", "labgrid", "metrics", "tui", "web"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert said["Version"] == project["version"]
    assert said.get_all("Project-URL") is None, "name only addresses that are true"


def test_its_description_leads_to_no_file_that_is_not_there(workshop: Workshop) -> None:
    text = str(metadata(workshop.wheel).get_payload())
    assert text.startswith("# flashdeck")
    assert len(text) > len((ROOT / "README.md").read_text()) / 2
    targets = re.findall(r"\]\(([^)]*)\)|(?:src|href)=[\"']([^\"']*)", text)
    assert [target for pair in targets for target in pair if target and not target.startswith("https://")] == []
