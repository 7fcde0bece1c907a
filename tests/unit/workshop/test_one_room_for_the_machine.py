"""Time, randomness, threads, processes and files: the daemon has them from `flashdeckd.host`, and from nowhere else."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DAEMON = ROOT / "daemon/flashdeckd"
PLANTED = "daemon/flashdeckd/jobs/planted.py"

ON_DISK = frozenset(
    {
        *("read_bytes", "read_text", "write_bytes", "write_text", "touch", "unlink", "rename", "symlink_to"),
        *(
            "hardlink_to",
            "mkdir",
            "rmdir",
            "chmod",
            "lchmod",
            "stat",
            "lstat",
            "exists",
            "is_file",
            "is_dir",
            "is_symlink",
        ),
        *("is_socket", "is_fifo", "is_block_device", "is_char_device", "is_mount", "iterdir", "glob", "rglob", "walk"),
        *("readlink", "resolve", "samefile", "expanduser", "absolute", "cwd", "owner"),
    }
)
"""Methods of a path that look at the disk, or change it; the three that others have, too, are told apart below."""
TO_THREADS = frozenset({"run_in_executor", "set_default_executor"})

NO_FILE_IS_OPENED = {
    "session": "a DFU session with a device",
    "Journal": "its file is SQLite's, and made through `files` before",
}
"""Those with an `open` of their own."""

PAST_HOST = {
    ("ctypes", "usb/libusb.py"): "looks for the system's libusb; not with --virtual",
    ("mmap", "virtual/flash_file.py"): "an emulated flash that outlives the process; the file is opened by `files`",
    ("mmap", "virtual/nor.py"): "only the type of such a flash",
    ("signal", "builds/lease.py"): "the kernel says by SIGIO that a lease is wanted back",
    ("signal", "signals.py"): "the signals that end the daemon",
    ("socket", "diagnosis/machine/stale_sockets.py"): "asks whether anybody listens; not in a simulation",
    (
        "socket",
        "metrics/metrics_server.py",
    ): "the type of a socket, and that an answer ends; no simulation serves numbers",
    ("socket", "server/endpoint.py"): "the type of a socket; it is made in the room",
    ("socket", "server/server.py"): "the same",
    ("socket", "signals.py"): "wakes the event loop",
    ("socket", "state/hub.py"): "the machine's name",
    ("socket", "state/lock.py"): "the same",
    ("sqlite3", "state/journal.py"): "SQLite is trusted to survive a power cut",
    ("sqlite3", "state/journal_schema.py"): "the same",
    ("sqlite3", "state/kept_log.py"): "nothing depends on it",
    ("watchfiles", "builds/source.py"): "one of two sources of hints; the other is driven by hand",
}
"""Other modules that reach past `host`, each with its reason."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(DAEMON.rglob("*.py")):
        name = str(path.relative_to(DAEMON))
        if not name.startswith("host/"):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def reached(tree: ast.Module) -> Iterator[str]:
    """Each expression that looks like a file's, or like one of the event loop's threads."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("files"), attr=_):
                pass
            case ast.Attribute(attr=method) if method in ON_DISK | TO_THREADS:
                yield ast.unparse(node)
            case ast.Call(func=ast.Name("open")):
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(value=ast.Name("Path"), attr="home")):
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(value=of, attr="open")) if ast.unparse(of) not in NO_FILE_IS_OPENED:
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr="replace"), args=[_], keywords=[]):  # text has two arguments
                yield ast.unparse(node)
            case _:
                pass


def imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {each.name.partition(".")[0] for each in names}
            case ast.ImportFrom(module=str(name), level=0):
                found.add(name.partition(".")[0])
            case _:
                pass
    return found


def banned(source: str, name: str) -> list[str]:
    """The lines of `source` that ruff refuses in a file called `name`."""
    options = ["--select", "TID251", "--no-cache", "--output-format", "concise", "--stdin-filename", name, "-"]
    command = [sys.executable, "-m", "ruff", "check", *options]
    ruled = subprocess.run(command, input=source, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603 -- our own ruff
    assert ruled.returncode in {0, 1}, ruled.stderr
    lines = [int(line.split(":")[1]) for line in ruled.stdout.splitlines() if " TID251 " in line]
    return [source.splitlines()[number - 1] for number in lines]


def test_no_path_is_asked_for_its_file() -> None:
    assert [f"{name}: {found}" for name, tree in modules() for found in reached(tree)] == []


@pytest.mark.parametrize(
    "line",
    [
        "data = path.read_bytes()",
        "(here / 'name').write_text('')",
        "if self._directory.exists(): pass",
        "found = filter(Path.is_file, paths)",
        "here = Path.cwd()",
        "here = Path.home()",
        "with open(path) as file: pass",
        "with path.open('rb') as file: pass",
        "with (directory / 'speed').open() as file: pass",
        "temporary.replace(path)",
        "Path(temporary).replace(self._path)",
        "await loop.run_in_executor(None, work)",
        "run = asyncio.get_running_loop().run_in_executor",
    ],
)
def test_a_path_that_is_asked_would_be_found(line: str) -> None:
    assert list(reached(ast.parse(f"async def planted():\n    {line}")))


@pytest.mark.parametrize(
    "line",
    [
        "data = files.contents(path)",
        "files.rename(old, new)",
        "if files.exists(path): pass",
        "text.replace('a', 'b')",
        "board = replace(board, name='left')",
        "board = structs.replace(board, name='left')",
        "facts = session.open()",
        "journal = await Journal.open(path)",
        "status = queue.status",
    ],
)
def test_what_is_no_files_is_let_alone(line: str) -> None:
    assert list(reached(ast.parse(f"async def planted():\n    {line}"))) == []


def test_what_reaches_past_the_room_is_named_with_its_reason() -> None:
    others = {module for module, _name in PAST_HOST} | {"select", "selectors", "termios", "resource"}
    found = {(module, name) for name, tree in modules() for module in imported(tree) & others}
    assert found == set(PAST_HOST)


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "from datetime import datetime; now = datetime.now()",
        "import random",
        "import secrets",
        "import uuid",
        "import os",
        "import os.path",
        "from os import urandom",
        "from os import fsync, replace",
        "import threading",
        "from threading import Lock",
        "from concurrent.futures import ThreadPoolExecutor",
        "import subprocess",
        "import multiprocessing",
        "import asyncio; asyncio.to_thread(print)",
        "from asyncio import to_thread",
        "import asyncio; asyncio.create_subprocess_exec('sh')",
        "import shutil",
        "import tempfile",
        "import glob",
        "import io; io.open('x')",
    ],
)
def test_ruff_refuses_it_in_the_daemon_and_nowhere_else(line: str) -> None:
    assert banned(f"{line}\n", PLANTED) == [line]
    for elsewhere in ("daemon/flashdeckd/host/planted.py", "shared/flashdeck/planted.py", "tests/unit/planted.py"):
        assert banned(f"{line}\n", elsewhere) == []


def test_no_line_of_the_daemon_asks_to_be_excused() -> None:
    excused = [path for path in DAEMON.rglob("*.py") if "TID251" in path.read_text(encoding="utf-8")]
    assert excused == []
