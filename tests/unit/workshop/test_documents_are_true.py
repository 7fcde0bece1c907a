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
    assert len(blocks) >= 3
    for block in blocks:
        (tmp_path / "flashdeck.toml").write_text(block)
        config = load(tmp_path / "flashdeck.toml")
        assert config.boards or config.hosts


def test_every_command_in_the_manual_is_one() -> None:
    text = "\n".join(page.read_text() for page in MANUAL)
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"(?:^|/)(flashdeck(?: .*)?)$", blocks, re.MULTILINE)
    spans = re.findall(r"`(flashdeck [a-z][^`]*)`", text)
    assert len(lines) >= 10
    assert len(spans) >= 5
    with root.make_context("flashdeck", ["demo"]) as context:
        for line in lines + spans:
            _, *words = shlex.split(line, comments=True)
            while words[:1] == ["--host"]:
                words = words[2:]
            if not words:
                continue
            command = root.get_command(context, words[0])
            assert command is not None, line
            if not words[1:]:
                continue  # it is named; as it is to be typed, it stands in a block, and is run
            arguments = [{"JOB": "1"}.get(word, word) for word in words[1:]]
            command.make_context(words[0], arguments, parent=context).close()


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
    ]
    names = {normal(re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]) for name in wanted} - {"flashdeck"}
    assert names <= pinned
