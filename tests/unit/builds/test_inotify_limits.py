"""The kernel's limits of inotify, really reached, and what is said of them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from builds_rig import PATIENCE
from flashdeckd.builds import inotify
from flashdeckd.builds.inotify import MAX_LINES, Limit, instances, mend, watched_since
from flashdeckd.builds.watch import RESTART

DAEMON = """
import asyncio, json, sys
from flashdeckd.builds import post
from flashdeckd.builds.builds import Builds
from flashdeckd.builds.watch import Watch

post.RESCAN = 3600.0  # only hints, and looks where none can come, find anything


def tell(*words):
    print(json.dumps(words), flush=True)


async def settled(build):
    tell("settled", build.data.decode())


async def main():
    watches = [Watch("product", str(number), pattern, 0.0) for number, pattern in enumerate(sys.argv[1:])]
    builds = Builds(watches, settled, on_trouble=lambda *trouble: tell("trouble", *trouble))
    running = asyncio.create_task(builds.run())
    await builds.looked()
    tell("looked")
    await running


asyncio.run(main())
"""


def needs_user_namespaces() -> None:
    """Skips a test where an ordinary user may not have limits of its own."""
    command = ["unshare", "-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_inotify_watches"]
    try:
        allowed = subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own words
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("no user namespace with limits of its own is to be had here")


@asynccontextmanager
async def limited(limit: Limit, count: int, *patterns: Path) -> AsyncGenerator[asyncio.StreamReader]:
    """What builds tell under a limit of its own, a JSON list a line."""
    needs_user_namespaces()
    shell = f'echo {count} > /proc/sys/user/max_inotify_{limit}; exec "$@"'
    command = ["unshare", "-Ur", "sh", "-c", shell, "sh", sys.executable, "-c", DAEMON, *map(str, patterns)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def told(lines: asyncio.StreamReader, what: str) -> list[str]:
    """The next of that kind."""
    while True:
        words = json.loads(await lines.readline())
        if words[0] == what:
            return words[1:]


def make(root: Path, count: int) -> list[Path]:
    files = [root / str(number) / "build" / "APP1.bin" for number in range(count)]
    for file in files:
        file.parent.mkdir(parents=True)
    return files


@pytest.mark.parametrize("room", [0, 3])
async def test_too_few_watches_are_noticed_said_and_made_up_for(tmp_path: Path, room: int) -> None:
    files = make(tmp_path, 4)
    async with limited(Limit.WATCHES, room, *files) as lines:
        part, trouble, hint = await told(lines, "trouble")
        assert part == "watch on builds"
        assert f"only {room} of {2 * len(files)} places" in trouble
        assert f"every {RESTART:g} s" in trouble
        assert "sudo sysctl user.max_inotify_watches=" in hint
        for file in files:
            file.write_text(file.parts[-3])
        assert {(await told(lines, "settled"))[0] for _ in files} == {"0", "1", "2", "3"}


async def test_no_inotify_instance_is_noticed_said_and_made_up_for(tmp_path: Path) -> None:
    (file,) = make(tmp_path, 1)
    async with limited(Limit.INSTANCES, 0, file) as lines:
        _, trouble, hint = await told(lines, "trouble")
        assert "Too many open files" in trouble
        assert f"every {RESTART:g} s" in trouble
        assert "sudo sysctl user.max_inotify_instances=" in hint
        file.write_text("image")
        assert await told(lines, "settled") == ["image"]


async def test_where_there_is_room_nothing_is_said(tmp_path: Path) -> None:
    files = make(tmp_path, 2)
    async with limited(Limit.WATCHES, 100, *files) as lines:
        await told(lines, "looked")
        files[1].write_text("image")
        assert json.loads(await lines.readline()) == ["settled", "image"]


@pytest.mark.parametrize(
    ("machine", "namespace", "told_of", "room"),
    [
        (8192, 8192, "fs.inotify.max_user_watches", 524_288),
        (8192, 10, "user.max_inotify_watches", 524_288),
        (400_000, 500_000, "fs.inotify.max_user_watches", 800_000),
        (8192, None, "fs.inotify.max_user_watches", 524_288),
        (None, None, "fs.inotify.max_user_watches", 524_288),
    ],
)
def test_the_limit_that_counts_is_named(
    tmp_path: Path, machine: int | None, namespace: int | None, told_of: str, room: int
) -> None:
    for value, path in ((machine, "fs/inotify/max_user_watches"), (namespace, "user/max_inotify_watches")):
        if value is not None:
            (tmp_path / path).parent.mkdir(parents=True)
            (tmp_path / path).write_text(f"{value}\n")
    assert f"sudo sysctl {told_of}={room}," in mend(Limit.WATCHES, str(tmp_path))


LINE = b"inotify wd:3 ino:21aa1a sdev:fe00000 mask:fee ignored_mask:0 fhandle-bytes:8\n"
OTHER = LINE.replace(b"21aa1a", b"ff")


def test_what_is_watched_is_told_by_what_is_new() -> None:
    assert watched_since({}, {}) is None  # no /proc
    assert watched_since({"4": LINE}, {"4": LINE, "7": b"pos:\t0\n" + OTHER}) == {0xFF}
    assert watched_since({"4": LINE}, {"4": LINE, "7": b"pos:\t0\n"}) == set()
    assert watched_since({"4": LINE}, {"4": LINE + OTHER}) == {0x21AA1A, 0xFF}
    # A descriptor that was closed and came again, with the same watches.
    assert watched_since({"4": LINE}, {"4": LINE}) == {0x21AA1A}


def test_what_the_kernel_says_of_an_instance_is_read_so_far(tmp_path: Path) -> None:
    for folder in ("fd", "fdinfo"):
        (tmp_path / folder).mkdir()
    (tmp_path / "fd" / "5").symlink_to("anon_inode:inotify")
    (tmp_path / "fd" / "6").symlink_to("/dev/null")
    (tmp_path / "fdinfo" / "5").write_bytes(bytes(MAX_LINES + 1))
    assert {name: len(lines) for name, lines in instances(str(tmp_path)).items()} == {"5": MAX_LINES}
    assert instances(str(tmp_path / "nothing")) == {}


def test_the_instances_of_this_process_are_found() -> None:
    assert all(lines.startswith(b"pos:") for lines in inotify.instances().values())
    assert os.path.isdir("/proc/self/fd")  # noqa: PTH112 - else the line above would say nothing
