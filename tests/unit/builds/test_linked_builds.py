"""A build that is reached by symbolic links, or has several names: each change on the way is heard, by hints alone."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from watchfiles._rust_notify import RustNotify

from builds_rig import PATIENCE
from flashdeckd.builds import post as post_module
from flashdeckd.builds import source as source_module
from flashdeckd.builds.builds import Builds
from flashdeckd.builds.pattern import MAX_LINKS, directories, links, names, places
from flashdeckd.builds.watch import Settled, Watch


@asynccontextmanager
async def heard(
    pattern: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Callable[[], "asyncio.Future[bytes]"]]:
    """Gives what settles at a path, found by hints alone; what lies there already comes first."""
    monkeypatch.setattr(source_module, "SURVEY_MS", 3_600_000)
    monkeypatch.setattr(post_module, "RESCAN", 3600.0)
    settled = asyncio.Queue[Settled]()

    async def take() -> bytes:
        async with asyncio.timeout(PATIENCE):
            return (await settled.get()).data

    running = asyncio.create_task(Builds([Watch("product", "app1", str(pattern), 0.0)], settled.put).run())
    try:
        yield lambda: asyncio.ensure_future(take())
    finally:
        running.cancel()
        await asyncio.wait([running])


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(str(path.parent.name).encode())
    return path


def retarget(link: Path, target: str) -> None:
    """As `ln -sfn`: in one step."""
    new = link.with_name("new-link")
    new.symlink_to(target)
    new.rename(link)


async def test_a_link_in_the_middle_of_a_chain_that_points_elsewhere_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v1", "v2", "v3"):
        write(tmp_path / "store" / name / "APP1.bin")
    (tmp_path / "middle").mkdir()
    (tmp_path / "middle" / "link").symlink_to("../store/v1/APP1.bin")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "APP1.bin").symlink_to(tmp_path / "middle" / "link")
    async with heard(tmp_path / "build" / "APP1.bin", monkeypatch) as next_build:
        assert await next_build() == b"v1"
        retarget(tmp_path / "middle" / "link", "../store/v2/APP1.bin")
        assert await next_build() == b"v2"
        (tmp_path / "store" / "v2" / "APP1.bin").write_bytes(b"rebuilt")
        assert await next_build() == b"rebuilt"
        retarget(tmp_path / "middle" / "link", "../store/v3/APP1.bin")
        assert await next_build() == b"v3"


async def test_a_directory_on_the_way_that_is_a_link_and_points_elsewhere_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("v1", "v2"):
        write(tmp_path / "store" / "deep" / name / "Debug" / name / "APP1.bin")
    link = tmp_path / "project" / "current"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "store" / "deep" / "v1")
    pattern = link / "Debug" / "now" / "APP1.bin"
    for name in ("v1", "v2"):
        (tmp_path / "store" / "deep" / name / "Debug" / "now").symlink_to(name)
    async with heard(pattern, monkeypatch) as next_build:
        assert await next_build() == b"v1"
        retarget(link, str(tmp_path / "store" / "deep" / "v2"))
        assert await next_build() == b"v2"
        pattern.write_bytes(b"rebuilt")
        assert await next_build() == b"rebuilt"


async def test_a_link_that_leads_nowhere_yet_is_heard_once_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "APP1.bin").symlink_to("../store/link")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "link").symlink_to("v1/APP1.bin")
    async with heard(tmp_path / "build" / "APP1.bin", monkeypatch) as next_build:
        coming = next_build()
        write(tmp_path / "store" / "v1" / "APP1.bin")
        assert await coming == b"v1"


async def test_a_link_that_a_glob_finds_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write(tmp_path / "store" / "v1" / "image")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "APP-1.bin").symlink_to(target)
    async with heard(tmp_path / "build" / "APP-*.bin", monkeypatch) as next_build:
        assert await next_build() == b"v1"
        target.write_bytes(b"rebuilt")
        assert await next_build() == b"rebuilt"


@pytest.mark.parametrize("pattern", ["APP1.bin", "APP*.bin"])
async def test_what_is_written_by_another_name_of_the_file_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    file = write(tmp_path / "build" / "APP1.bin")
    other = tmp_path / "elsewhere" / "image"
    other.parent.mkdir()
    other.hardlink_to(file)
    async with heard(tmp_path / "build" / pattern, monkeypatch) as next_build:
        assert await next_build() == b"build"
        for data in (b"by its other name", b"and again"):
            other.write_bytes(data)
            assert await next_build() == data
        other.unlink()
        file.unlink()
        file.write_bytes(b"a file of its own")
        assert await next_build() == b"a file of its own"


async def test_writing_a_file_of_several_names_does_not_set_up_the_watch_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "build" / "APP1.bin")
    (tmp_path / "image").hardlink_to(file)
    real, set_up = source_module.RustNotify, 0

    def counted(*options: Any) -> RustNotify:
        nonlocal set_up
        set_up += 1
        return real(*options)

    monkeypatch.setattr(source_module, "RustNotify", counted)
    async with heard(file, monkeypatch) as next_build:
        assert await next_build() == b"build"
        for name in (file, tmp_path / "image"):
            name.write_bytes(name.name.encode())
            assert await next_build() == name.name.encode()
    assert set_up == 1


async def test_a_name_that_a_file_gets_later_is_heard_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "build" / "APP1.bin")
    async with heard(file, monkeypatch) as next_build:
        assert await next_build() == b"build"
        os.link(file, tmp_path / "image")
        file.chmod(0o600)  # a change that is heard: from here on the file itself is watched
        assert await next_build() == b"build"
        coming = next_build()
        (tmp_path / "image").write_bytes(b"by its other name")
        assert await coming == b"by its other name"


def test_every_directory_on_a_chain_of_links_is_watched_and_every_name_counts(tmp_path: Path) -> None:
    write(tmp_path / "c" / "v1" / "image")
    for place, name, target in (("a", "APP1.bin", "../b/link"), ("b", "link", str(tmp_path / "c" / "now" / "image"))):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).symlink_to(target)
    (tmp_path / "c" / "now").symlink_to("v1")
    pattern = str(tmp_path / "a" / "APP1.bin")
    assert [*links(pattern)] == [pattern, str(tmp_path / "b" / "link"), str(tmp_path / "c" / "now")]
    assert {str(tmp_path / each) for each in ("a", "b", "c", "c/v1")} <= set(directories(pattern))
    assert {"APP1.bin", "link", "now", "image", "v1"} <= names(pattern)
    assert [*places(pattern)] == [*directories(pattern)]


def test_so_many_links_are_followed(tmp_path: Path) -> None:
    names = [tmp_path / f"link{number}" for number in range(MAX_LINKS + 1)]
    for name, target in zip(names, [*names[1:], tmp_path / "image"], strict=True):
        name.symlink_to(target)
    (tmp_path / "loop").symlink_to("loop")
    assert len([*links(str(names[1]))]) == MAX_LINKS
    assert len([*links(str(names[0]))]) == MAX_LINKS
    assert len([*links(str(tmp_path / "loop"))]) == MAX_LINKS
    assert [*links(str(tmp_path / "nothing"))] == []
