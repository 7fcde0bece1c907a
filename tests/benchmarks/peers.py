"""flashdeck and dfu-util side by side, in one run of the virtual machine: a real kernel and libusb, the same boards."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.guest import Peer, Plan, Round
from benchmarks.rows import Row
from vm.kernel import MissingError, cached_kernel, kernel_cache
from vm.machine import RESULTS, boot, check_host
from vm.tree import ROOT, snapshot

PYDFUUTIL = "0.11.3"
_FILE = "rows.json"
_PATIENCE = 40
"""How much longer than usual a program may take in the guest, where boards are slowed down, too."""
_INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it."""

    rows: tuple[Row, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    """Of the peers."""
    missing: tuple[str, ...] = ()
    """What was left out, and why."""
    complete: bool = True
    """False where the run broke off."""


def compared(rounds: Sequence[Round], seconds: int) -> Comparison:
    """Boots a guest for at most `seconds`. Where the machine lacks something there are no rows.

    With FLASHDECK_REQUIRE_VM=1 it raises MissingError then.
    """
    try:
        check_host()
        kernel = cached_kernel()
    except MissingError as missing:
        if os.environ.get("FLASHDECK_REQUIRE_VM") == "1":
            raise
        return Comparison(missing=(f"No rows beside dfu-util, for lack of a virtual machine: {missing}.",))
    peers, versions, left_out = [Peer("dfu-util", "dfu-util")], [("dfu-util", _dfu_util_version())], list[str]()
    if (program := _pydfuutil()) is not None:
        peers.append(Peer("pydfuutil", str(program), counts_devices=True))
        versions.append(("pydfuutil", PYDFUUTIL))
    else:
        left_out.append(
            f"No rows of pydfuutil: it could not be installed from PyPI (pip install pydfuutil=={PYDFUUTIL})."
        )
    results = ROOT / "build" / "bench"
    file = results / _FILE
    file.unlink(missing_ok=True)
    command = [
        *("env", f"FLASHDECK_PATIENCE={_PATIENCE}", "PYTHONPATH=tests"),
        *(str(ROOT / ".venv/bin/python"), "-m", "benchmarks.guest"),
        *(f"{RESULTS}/{_FILE}", msgspec.json.encode(Plan(tuple(rounds), tuple(peers))).decode()),
    ]
    with tempfile.TemporaryDirectory(prefix="flashdeck-tree-") as scratch:
        tree = Path(scratch, "tree")
        snapshot(tree)
        # What the guest says is no part of the table.
        ended = boot(command, kernel=kernel, tree=tree, results=results, seconds=seconds, shown=sys.stderr)
    rows = msgspec.json.decode(file.read_bytes(), type=tuple[Row, ...]) if file.exists() else ()
    if ended.status != 0:
        sys.stderr.write(f"the guest's run ended with {ended.status}; its logs are in {results}\n")
        left_out.append(f"The run beside dfu-util did not get to its end (exit code {ended.status}).")
    return Comparison(rows, tuple(versions), tuple(left_out), complete=ended.status == 0)


def _dfu_util_version() -> str:
    said = subprocess.run(["dfu-util", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607 -- found on PATH, as a user finds it
    return said.partition("\n")[0].removeprefix("dfu-util").strip()


def _pydfuutil() -> Path | None:
    """Its program, in a virtual environment in the cache; None where it does not install."""
    place = kernel_cache().parent / "bench" / f"pydfuutil-{PYDFUUTIL}"
    program = place / "bin" / "pydfuutil"
    if program.exists():
        return program
    shutil.rmtree(place, ignore_errors=True)
    install = (
        [sys.executable, "-m", "venv", str(place)],
        [str(place / "bin/pip"), "install", f"pydfuutil=={PYDFUUTIL}"],
    )
    try:
        for words in install:
            subprocess.run(words, check=True, capture_output=True, timeout=_INSTALL_SECONDS)  # noqa: S603 -- our words, no shell
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        shutil.rmtree(place, ignore_errors=True)
        return None
    return program
