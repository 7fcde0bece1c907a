"""Python is started again in one way: no file of the directory that a user is in takes the place of a module."""

import ast
import subprocess
from pathlib import Path

from flashdeck import own_python

ROOT = Path(__file__).parents[3]
SAYS_IT_ONLY = {"shared/flashdeck/origin.py"}
"""Tells people which Python this is, and starts none."""


def test_nobody_else_names_this_python() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("daemon", "shared", "tui")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "executable"
    }
    assert found == {"shared/flashdeck/own_python.py", *SAYS_IT_ONLY}


def test_a_file_called_like_a_module_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "alone.py").write_text("import json\n")
    for words in (
        own_python.code("import json"),
        own_python.module("json.tool"),
        own_python.isolated(str(tmp_path / "alone.py")),
    ):
        ran = subprocess.run(words, cwd=tmp_path, input=b"{}", capture_output=True, check=False)  # noqa: S603 - our own
        assert b"the wrong one" not in ran.stderr, words
        assert ran.returncode == 0
