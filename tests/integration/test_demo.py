"""`flashdeck demo` as a user runs it: a process of its own, with a daemon of its own."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flashdeck import paths
from flashdeck_tui.demo.firmware import with_version
from leftovers import left_behind
from needed_tools import need_compiler

pytestmark = pytest.mark.long

COMMAND = (Path(sys.executable).parent / "flashdeck", "demo")
BOARDS = ("classic", "noread", "usbx")
VERSIONS = ("demo 1.0.0", "demo 1.0.1")
PATIENCE = 60.0
"""Seconds that bound a broken test."""
LOOK_AGAIN = 0.05
STAND_IN = """
import sys
print("something the daemon said", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demo may put its directory, short enough for its socket."""
    with tempfile.TemporaryDirectory(prefix="fd-") as name:
        yield Path(name)


@pytest.fixture
def others_socket(place: Path) -> Iterator[socket.socket]:
    """The socket of some daemon that already runs."""
    runtime = place / "run" / "flashdeck"
    runtime.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(os.fspath(runtime / paths.SOCKET_NAME))
        listening.listen()
        listening.settimeout(0)
        yield listening


@asynccontextmanager
async def demo(place: Path, *arguments: str, **variables: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    (place / "tmp").mkdir()
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env={**os.environ, "TMPDIR": str(place / "tmp"), "XDG_RUNTIME_DIR": str(place / "run"), **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("compiles", [True, False], ids=["compiled", "prebuilt"])
async def test_two_builds_land_on_three_boards_and_nothing_is_left(
    place: Path, others_socket: socket.socket, compiles: bool
) -> None:
    if compiles:
        need_compiler()
    variables = {} if compiles else {"PATH": str(place)}
    async with demo(place, "--once", "--json", FLASHDECK_SOCKET=others_socket.getsockname(), **variables) as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    report = json.loads(out)
    assert report["complaints"] == []
    assert report["compiled"] is compiles
    rows: list[Mapping[str, Any]] = report["rows"]
    assert [(row["version"], row["board"]) for row in rows] == [(v, b) for v in VERSIONS for b in BOARDS]
    for row in rows:
        assert row["partition"] == "app1"
        assert (row["is_image"], row["outside_unchanged"], row["jobs"]) == (True, True, 1)
        assert row["verified"] == ("not verified" if row["board"] == "noread" else "verified")
        assert row["erases"] == row["erases_seen"] > 0
        assert row["transfers"] > 0
        # Freshly made boards wait in their bootloader; afterwards one of them has no other way back into it.
        assert row["pressed"] is (row["board"] == "noread" and row["version"] == VERSIONS[1])
    prebuilt = paths.data_file("demo", "firmware", "prebuilt", "APP1.bin").read_bytes()
    if not compiles:
        images = {version: with_version(prebuilt, VERSIONS[0], version) for version in VERSIONS}
        assert all(row["sha256"] == hashlib.sha256(images[row["version"]]).hexdigest() for row in rows)
        assert all(row["bytes"] == len(prebuilt) for row in rows)
    with pytest.raises(BlockingIOError):
        others_socket.accept()
    assert left_behind(place) == []


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_in_the_middle_leaves_nothing_behind(place: Path, number: signal.Signals) -> None:
    async with demo(place) as process:
        assert process.stdout
        assert process.stderr
        while b"written in pieces" not in (line := await process.stderr.readline()):
            assert line, "the demo ended early"
        process.send_signal(number)
        process.send_signal(number)  # whoever is impatient does not stop the cleaning up
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        await process.wait()
    assert process.returncode == 128 + number, err.decode()
    assert out == b""
    assert number.name in err.decode()
    assert left_behind(place) == []


@pytest.mark.long
async def test_a_demo_that_is_killed_takes_its_daemon_and_its_files_along(place: Path) -> None:
    async with demo(place) as process:
        assert process.stderr
        while b"written in pieces" not in (line := await process.stderr.readline()):
            assert line, "the demo ended early"
        assert len(left_behind(place)) >= 3, "a directory, its keeper, and its daemon"
        process.kill()
        await process.wait()
        async with asyncio.timeout(PATIENCE):
            while left_behind(place):  # noqa: ASYNC110 - no children of ours, which could be waited for
                await asyncio.sleep(LOOK_AGAIN)


async def test_a_daemon_that_does_not_start_is_told_with_its_last_words(place: Path) -> None:
    stand_in = place / "stand-in" / "flashdeckd"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(STAND_IN)
    async with demo(place, "--json", PYTHONPATH=str(stand_in.parent)) as process:
        out, err = await process.communicate()
    assert process.returncode == 1
    assert "ended with 3" in json.loads(out)["error"]["message"]
    assert "something the daemon said" in err.decode()
    assert left_behind(place) == []
