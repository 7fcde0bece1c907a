"""A guard that nobody checks does not pass the type checker."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEMBER = ('    FITS = "fits"\n', '    FITS = "fits"\n    PLANTED = "planted"\n')
KIND = ("AnyGuard = Guard | CrcGuard", "class Planted:\n    pass\n\n\nAnyGuard = Guard | CrcGuard | Planted")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The registry and what it needs, without its configuration of pyright."""
    shutil.copytree(ROOT / "shared" / "flashdeck", tmp_path / "flashdeck")
    shutil.copytree(ROOT / "daemon" / "flashdeckd" / "images", tmp_path / "flashdeckd" / "images")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"include": ["flashdeckd/images/guards.py"]}))
    return tmp_path


def problems(tree: Path) -> list[str]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    return [each["message"] for each in json.loads(run.stdout)["generalDiagnostics"]]


def test_the_registry_as_it_is_has_every_guard(tree: Path) -> None:
    assert problems(tree) == []


@pytest.mark.parametrize(("there", "planted"), [MEMBER, KIND])
def test_a_guard_without_a_check_is_found(tree: Path, there: str, planted: str) -> None:
    config = tree / "flashdeck" / "config.py"
    text = config.read_text()
    assert there in text
    config.write_text(text.replace(there, planted))
    (problem,) = [each for each in problems(tree) if "Never" in each]
    assert "lanted" in problem or "PLANTED" in problem
