"""Every command of README and docs is run: on an emulated bench of its page, in the virtual machine, or by CI."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from manual.pages import PAGES, ROOT, Apart, Elsewhere, Page, PageError, parsed, read
from needed_tools import need

HERE = Path(__file__).resolve().parent
BENCHES = HERE / "benches"
SHELL = "/bin/bash"
PATIENCE = 100.0
"""Seconds that bound a broken page."""
MOST_APART = 12
"""So many commands at most may run elsewhere than on a bench."""
TYPED = tuple(path for path in PAGES if "```sh\n" in path.read_text())
"""The pages that have commands."""

_DAEMON = """#!/bin/sh
# The daemon that a person would start, but on the emulated bench of the page.
case "$1" in
  doctor) shift; exec {bin}/flashdeckd doctor --virtual {bench} --config {config} "$@" ;;
  [a-z]*) exec {bin}/flashdeckd "$@" ;;
esac
case " $* " in
  *" --virtual "*) exec {bin}/flashdeckd --config {config} --socket {socket} --state-dir {state} "$@" ;;
  *) exec {bin}/flashdeckd --virtual {bench} --config {config} --socket {socket} --state-dir {state} "$@" ;;
esac
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fd-"))
    yield path
    shutil.rmtree(path)


def settle_in(home: Path, page: Page) -> dict[str, str]:
    """Put the bench of a page into a home; the environment of its commands."""
    bench = BENCHES / page.bench
    config = home / ".config/flashdeck/flashdeck.toml"
    own, run = home / ".test", home / ".run"
    for directory in (config.parent, own, run):
        directory.mkdir(parents=True, mode=0o700)
    config.write_text((bench / "flashdeck.toml").read_text() if (bench / "flashdeck.toml").exists() else "")
    (own / "page").write_text(page.script)
    socket, state = run / "flashdeck/flashdeckd.sock", home / ".local/state/flashdeck"
    places = {"bench": bench / "bench.toml", "config": config, "socket": socket, "state": state}
    daemon = own / "flashdeckd"
    daemon.write_text(_DAEMON.format(bin=Path(sys.executable).parent, **places))
    daemon.chmod(0o700)
    return {
        "HOME": str(home),
        "PATH": f"{own}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "PAGE": page.name,
        "BENCH": str(bench),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT / "tests"),
        "PYTHONUNBUFFERED": "1",
        "XDG_RUNTIME_DIR": str(run),
        "FLASHDECK_SOCKET": str(socket),  # and no other: a daemon with real boards may run on this machine
    }


@pytest.mark.parametrize("path", TYPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(path: Path, home: Path) -> None:
    page = read(path)
    if not page.commands:
        return
    need(*page.needs, packages=" ".join(page.needs))
    process = subprocess.Popen(  # noqa: S603 - what our pages say
        (SHELL, str(HERE / "prelude.sh")),
        cwd=home,
        env=settle_in(home, page),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said


def test_few_commands_run_elsewhere_and_each_says_why() -> None:
    pages = [read(path) for path in TYPED]
    apart = [block for page in pages for block in page.apart]
    assert all(block.why and block.commands for block in apart)
    assert sum(len(block.commands) for block in apart) <= MOST_APART
    assert sum(page.commands for page in pages) > 2 * MOST_APART


def test_what_ci_is_said_to_run_is_a_step_of_it() -> None:
    steps = [line.strip() for line in (ROOT / ".ci/run").read_text().splitlines()]
    apart = [block for path in TYPED for block in read(path).apart]
    said = [line for block in apart if block.where is Elsewhere.CI for line in block.commands]
    assert said
    assert [line for line in said if not any(step.split("step ", 1)[-1].startswith(line) for step in steps)] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```sh\nflashdeck status\n```\n", "names no bench"),
        ("```sh\nflashdeck status\n", "has no end"),
        ("<!-- before:\nfirmware a b c\n", "has no end"),
        ("<!-- ends with: 9 -->\nWords.\n", "said of no block"),
        ("<!-- stays: x -->\n```toml\na = 1\n```\n", "is no sh"),
    ],
)
def test_a_page_that_means_nothing_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(PageError, match=wrong):
        parsed("docs/page.md", text)


def test_a_page_is_a_script_whose_lines_are_its_own() -> None:
    page = parsed(
        "docs/page.md",
        "# Page\n<!-- bench: product -->\n<!-- file: Makefile -->\n```make\nall:\n```\n"
        "- One:\n\n  ```sh\n  make  # all of it\n  ```\n<!-- only: by hand: a board -->\n```sh\nreset\n```\n",
    )
    assert page.script.splitlines() == [
        *("", "", "", "keep Makefile <<'END_OF_BLOCK'", "all:", "END_OF_BLOCK"),
        *("", "", "", "make  # all of it", "", "", "", "", ""),
    ]
    assert (page.bench, page.commands) == ("product", 1)
    assert page.apart == [Apart(Elsewhere.HAND, "a board", ("reset",))]
