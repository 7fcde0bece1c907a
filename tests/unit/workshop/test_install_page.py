"""docs/install.md and the project agree on versions, and no text prints a name that is nobody's on an index."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs" / "install.md").read_text()
RANGE = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+),<([0-9.]+)")
BARE = re.compile(
    r"(?:pip3?|pipx|uv tool|uv pip) (?:install|run|inject|download)(?: -[\w-]+)* "
    r"['\"]?flashdeck(?:\[[\w,]*\])?(?![\w/-])"
    r"|uvx(?: -[\w-]+)* flashdeck\b"
)
"""A command that would install whatever an index has under our name."""


def ranges() -> set[tuple[str, str, str, str]]:
    extras = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    found: set[tuple[str, str, str, str]] = set()
    for extra, wanted in extras.items():
        for each in wanted:
            match = RANGE.fullmatch(each)
            assert match is not None, f"{each}: what runs with users has an oldest version, and an end"
            found.add((match[1], extra, match[2], match[3]))
    return found


def test_the_page_has_the_versions_of_the_project() -> None:
    rows = re.findall(r"(?m)^\| ([\w-]+)(?: \(`(\w+)`\))? \| ([\d.]+) \| ([\d.]+) \|$", PAGE)
    assert set(rows) == ranges()


def test_the_page_has_the_pythons_of_the_project() -> None:
    said = re.search(r"Python (3\.\d+(?:, 3\.\d+)* or 3\.\d+)\b", PAGE)
    assert said is not None
    tried = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert re.findall(r"3\.\d+", said[1]) == tried
    assert PROJECT["requires-python"] == f">={tried[0]}"


@pytest.mark.parametrize("line", ["pip install flashdeck", "pipx install 'flashdeck[tui]'", "uvx flashdeck"])
def test_a_name_without_a_place_is_found(line: str) -> None:
    assert BARE.search(line)


@pytest.mark.parametrize(
    "line",
    ["pipx install './flashdeck[tui]'", "pip install ./flashdeck-0.1.0-py3-none-any.whl", "pip install flashdeck-x"],
)
def test_a_place_is_none(line: str) -> None:
    assert not BARE.search(line)


def test_no_text_sends_anybody_to_an_index_for_it() -> None:
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for place in ("shared", "daemon", "tui", "config"):
        files += [
            path for path in (ROOT / place).rglob("*") if path.suffix in (".py", ".toml", ".md", ".rules", ".service")
        ]
    assert len(files) > 100
    assert [str(path) for path in files if BARE.search(path.read_text(errors="replace"))] == []
