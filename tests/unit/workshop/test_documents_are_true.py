"""What the documents say of the tree, compared with the tree."""

import hashlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from flashdeck.config_file import load
from flashdeck.errors import ExitCode
from flashdeck_tui.cli.root import COMMANDS, root
from flashdeckd.virtual.replay import REPLAY
from flashdeckd.virtual.spec import Model
from job_diagram import drawn, shown

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
MANUAL = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
"""Every page that a user reads."""
_PATH = re.compile(
    r"`((?:shared|daemon|tui|tests|tools|config|\.ci)/[\w./-]+|(?:config|pyproject\.toml|CHANGELOG\.md))`"
)
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([0-9][^\s;]*)")


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("document", [ROOT / "CONTRIBUTING.md", *MANUAL], ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document: Path) -> None:
    named = [path for path in _PATH.findall(document.read_text()) if "NAME" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_map_covers_every_part() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    parts = [path.parent for path in ROOT.glob("*/flashdeck*/*/__init__.py")]
    assert parts
    assert [str(part.relative_to(ROOT)) for part in parts if f"`{part.relative_to(ROOT)}`" not in text] == []


def test_the_manual_lists_all_exit_codes_and_commands() -> None:
    text = (DOCS / "scripts-and-ci.md").read_text()
    section = text.partition("## Exit codes")[2].partition("\n## ")[0]
    codes = {int(code) for code in re.findall(r"\| (\d+) (?=\|)", section)}
    assert codes == set(ExitCode)
    commands = (DOCS / "questions.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in commands] == []


def test_the_manual_lists_all_emulated_boards() -> None:
    section = (DOCS / "emulated-boards.md").read_text().partition("## A bench of your own")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| (`.+?`) \|", section)
    assert sorted(" ".join(rows[1:]).replace("`", "").split()) == sorted([*Model, REPLAY])


def test_every_configuration_in_the_manual_is_one(tmp_path: Path) -> None:
    texts = [page.read_text() for page in MANUAL]
    blocks = [block for text in texts for block in re.findall(r"(?ms)^```toml\n(.*?)^```", text)]
    blocks = [block for block in blocks if "model = " not in block]  # a bench of emulated boards, which a daemon reads
    assert len(blocks) >= 3
    for block in blocks:
        (tmp_path / "flashdeck.toml").write_text(block)
        config = load(tmp_path / "flashdeck.toml")
        asks = config.boards or config.hosts or config.screen.keys or config.metrics.listen or config.daemon.group
        assert asks or config.daemon.max_per_controller


def test_every_command_that_the_manual_mentions_is_one() -> None:
    """Those in the middle of a sentence; the ones to type stand in blocks, and `tests/manual` runs them."""
    mentioned = [line for page in MANUAL for line in re.findall(r"`(flashdeck [a-z][^`]*)`", page.read_text())]
    assert len(mentioned) >= 40
    with root.make_context("flashdeck", ["demo"]) as context:
        for line in mentioned:
            _, name, *words = shlex.split(line, comments=True)
            command = root.get_command(context, name)
            assert command is not None, line
            if words:  # else it is only named
                arguments = [{"JOB": "1"}.get(word, word) for word in words]
                command.make_context(name, arguments, parent=context).close()


def test_the_readme_installs_it_as_the_page_on_that_does() -> None:
    """`make packages` runs what that page says."""
    lines = re.findall(r"(?m)^pipx .+$", (ROOT / "README.md").read_text())
    assert lines
    assert [line for line in lines if line not in (DOCS / "install.md").read_text().splitlines()] == []


def test_the_manual_shows_the_demo_with_the_firmware_that_is_here() -> None:
    image = (ROOT / "config/demo/firmware/prebuilt/APP1.bin").read_bytes()
    assert (DOCS / "emulated-boards.md").read_text().count(hashlib.sha256(image).hexdigest()) == 3


def test_the_manual_quotes_the_bench_as_it_was_printed() -> None:
    comparison = (DOCS / "beside-other-tools.md").read_text()
    quoted = re.findall(r"(?m)^\| .+ \| (?:flashdeck|dfu-util) \| .+$", comparison)
    printed = (DOCS / "bench.md").read_text().splitlines()
    assert len(quoted) >= 12
    assert [row for row in quoted if row not in printed] == []


def test_the_life_of_a_job_is_shown_as_its_table_has_it() -> None:
    assert shown((ROOT / "CONTRIBUTING.md").read_text()) == drawn(), "`make diagram` draws it again"


def test_everything_that_is_installed_is_pinned_exactly() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = [_PIN.fullmatch(line) for line in lines]
    assert None not in pins, lines
    pinned = {normal(pin[1]) for pin in pins if pin}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group),
        "pip",
    ]
    names = {normal(re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]) for name in wanted} - {"flashdeck"}
    assert names <= pinned


def test_each_promise_has_its_tests() -> None:
    page = (DOCS / "what-flashdeck-never-does.md").read_text()
    promises = re.findall(r"(?ms)^- (.+?)(?=^-|^\*\*|^#|\Z)", page)
    assert len(promises) >= 11
    assert [promise for promise in promises if "<!-- tests/" not in promise] == []
    for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", page):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
