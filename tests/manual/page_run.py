"""The commands of a page, run on its bench as a person would type them: a home, a shell, and what the page starts."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from manual.pages import PAGES, ROOT, Page, read
from needed_tools import need

HERE: Final = Path(__file__).resolve().parent
BENCHES: Final = HERE / "benches"
SHELL: Final = "/bin/bash"
PATIENCE: Final = 250.0
"""Seconds that bound a broken page."""
TYPED: Final = tuple(path for path in PAGES if "```sh\n" in path.read_text())
"""The pages that have commands."""
IN_A_LAB: Final = tuple(path for path in TYPED if read(path).bench == "lab")
"""Those that want labgrid, which is in an environment of its own: `make lab-test` runs them."""

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


def settle_in(place: Path, page: Page) -> dict[str, str]:
    """Put the bench of a page into a home; the environment of its commands."""
    bench = BENCHES / page.bench
    config = place / ".config/flashdeck"
    own, run = place / ".test", place / ".run"
    for directory in (config, own, run):
        directory.mkdir(parents=True, mode=0o700)
    (place / ".config/flashdeck-virtual").symlink_to(config)  # where a daemon of emulated boards looks
    if (bench / "flashdeck.toml").exists():
        shutil.copy(bench / "flashdeck.toml", config)
    (own / "page").write_text(page.script)
    socket = run / "flashdeckd.sock"
    daemon = _DAEMON.format(bin=Path(sys.executable).parent, bench=bench / "bench.toml", socket=socket)
    for program, text in (("flashdeckd", daemon), ("ssh", _SSH)):
        (own / program).write_text(text)
        (own / program).chmod(0o700)
    return {
        "HOME": str(place),
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


@contextmanager
def home() -> Generator[Path]:
    """A home directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fd-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def carry_out(path: Path) -> None:
    """Run the commands of a page; fails with all that they said where one does not end as the page says."""
    page = read(path)
    if not page.commands:
        return
    need(*page.needs, packages=" ".join(page.needs))
    with home() as place:
        _run(page, place)


def _run(page: Page, place: Path) -> None:
    environment = settle_in(place, page)
    said = place / ".test/said"
    with (
        said.open("w") as output,
        subprocess.Popen(  # noqa: S603 - what our pages say
            (SHELL, str(HERE / "prelude.sh")),
            cwd=place,
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
