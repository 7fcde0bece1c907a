"""The newest build of a file, for daemons that take it at their own pace."""

import asyncio

import pytest

from flashdeck_tui.cli import newest_build
from flashdeck_tui.cli.followed import FollowedBuild
from flashdeck_tui.cli.newest_build import NewestBuild


def build(data: bytes) -> FollowedBuild:
    return FollowedBuild("/fw/APP1.bin", data, first=False, age=2.0)


async def test_whoever_comes_late_gets_the_newest_and_knows_what_it_missed() -> None:
    newest = NewestBuild()
    waiting = asyncio.create_task(newest.after(0))
    await asyncio.sleep(0)
    for data in (b"1", b"2", b"3"):
        newest.put(build(data))
    for late in (await waiting, await newest.after(0), await newest.after(2)):
        assert (late.number, late.build.data) == (3, b"3")
    waiting = asyncio.create_task(newest.after(3))
    await asyncio.sleep(0)
    assert not waiting.done(), "what was taken is not taken again"
    newest.put(build(b"4"))
    assert (await waiting).build.data == b"4"


async def test_a_build_that_is_sent_late_is_as_old_as_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(newest_build.time, "monotonic", lambda: at[0])
    newest = NewestBuild()
    newest.put(build(b"1"))
    at[0] += 60.0
    assert (await newest.after(0)).age == 62.0
