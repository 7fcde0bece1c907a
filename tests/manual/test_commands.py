"""Every command of README and docs is run: on an emulated bench of its page, in the virtual machine, or by CI."""

import os
import re
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
PATIENCE = 250.0
"""Seconds that bound a broken page."""
MOST_APART = 12
"""So many commands at most may run elsewhere than on a bench."""
TYPED = tuple(path for path in PAGES if "```sh\n" in path.read_text())
"""The pages that have commands."""

_DAEMON = """#!/bin/sh
# The daemon that a person would start, but on the emulated bench of the page.
case "$1" in
  doctor) shift; exec {bin}/flashdeckd doctor --virtual {bench} "$@" ;;
  [a-z]*) exec {bin}/flashdeckd "$@" ;;
esac
case " $* " in
  *" --virtual "*) exec {bin}/flashdeckd --socket {socket} "$@" ;;
  *) exec {bin}/flashdeckd --virtual {bench} --socket {socket} "$@" ;;
esac
"""

_SSH = """#!/bin/sh
# Another machine, which is this one: what would run there, runs here. Other tests try a real sshd.
while [ "$1" != -- ]; do shift; done
shift 2  # and the machine's name
exec sh -c "$*"
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
    config = home / ".config/flashdeck"
    own, run = home / ".test", home / ".run"
    for directory in (config, own, run):
        directory.mkdir(parents=True, mode=0o700)
    (home / ".config/flashdeck-virtual").symlink_to(config)  # where a daemon of emulated boards looks
    if (bench / "flashdeck.toml").exists():
        shutil.copy(bench / "flashdeck.toml", config)
    (own / "page").write_text(page.script)
    socket = run / "flashdeckd.sock"
    daemon = _DAEMON.format(bin=Path(sys.executable).parent, bench=bench / "bench.toml", socket=socket)
    for program, text in (("flashdeckd", daemon), ("ssh", _SSH)):
        (own / program).write_text(text)
        (own / program).chmod(0o700)
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


@pytest.mark.long
@pytest.mark.parametrize("path", TYPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(path: Path, home: Path) -> None:
    page = read(path)
    if not page.commands:
        return
    need(*page.needs, packages=" ".join(page.needs))
    environment = settle_in(home, page)
    said = home / ".test/said"
    with (
        said.open("w") as output,
        subprocess.Popen(  # noqa: S603 - what our pages say
            (SHELL, str(HERE / "prelude.sh")),
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        with suppress(subprocess.TimeoutExpired):  # what it has said by then is shown
            process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said.read_text()


def test_few_commands_run_elsewhere_and_each_says_why() -> None:
    pages = [read(path) for path in TYPED]
    apart = [block for page in pages for block in page.apart]
    assert all(block.why and block.commands for block in apart)
    assert sum(len(block.commands) for block in apart) <= MOST_APART
    assert sum(page.commands for page in pages) > 2 * MOST_APART


def test_what_ci_is_said_to_run_is_a_step_of_it() -> None:
    """The reason names the step, in backticks."""
    steps = [line.strip().partition("step ")[2] for line in (ROOT / ".ci/run").read_text().splitlines()]
    reasons = [block.why for path in TYPED for block in read(path).apart if block.where is Elsewhere.CI]
    assert reasons
    for why in reasons:
        named = re.findall(r"`(make [\w-]+)`", why)
        assert named, why
        assert [step for step in named if not any(line.startswith(step) for line in steps)] == []


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
