"""A file that stays open, and one of which nobody can say whether it is. Time and hints by hand, real files."""
# ruff: noqa: ASYNC240 - tiny files on a local disk, and they are what is tested

import asyncio
import logging
import mmap
import os
from dataclasses import replace
from pathlib import Path

import pytest

from builds_rig import BuildsRig, needs_leases, running, stamped
from flashdeckd.builds import post as post_module
from flashdeckd.builds.gate import MAX_BUSY_RETRY, Fingerprint
from flashdeckd.builds.lease import Writing
from flashdeckd.builds.post import KEPT_ASKED, KEPT_SAID, UNPROVED_RETRY, UNPROVED_SETTLE
from flashdeckd.builds.watch import Watch
from flashdeckd.builds.writers import Writer

SETTLE = 0.05
WRITER = Writer(123, "ld")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    needs_leases(tmp_path)
    return tmp_path / "APP1.bin"


def watch(file: Path) -> Watch:
    return Watch("product", "app1", str(file), SETTLE)


class Searches:
    """Counts how often somebody looks for a file's writer, and finds this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: Writer | None = None
        self.count = 0
        monkeypatch.setattr(post_module, "find_writer", self)

    def __call__(self, _file: Fingerprint) -> Writer | None:
        self.count += 1
        return self.found


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    return Searches(monkeypatch)


class Looks:
    """Counts how often a file is asked whether it is open for writing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Writing | None = None) -> None:
        self.count = 0
        self._answer = answer
        self._real = post_module.ask_writing
        monkeypatch.setattr(post_module, "ask_writing", self)

    def __call__(self, path: str) -> Writing:
        self.count += 1
        return self._answer or self._real(path)


async def until_kept(rig: BuildsRig) -> None:
    await rig.hint()
    await rig.advance(KEPT_SAID + MAX_BUSY_RETRY)


async def test_a_file_that_stays_open_is_said_after_a_while_with_who_has_it(file: Path, searches: Searches) -> None:
    searches.found = WRITER
    with file.open("wb", buffering=0) as writer:
        async with running([watch(file)]) as rig:
            await rig.advance(KEPT_SAID * 0.99)
            assert rig.kept == []
            assert searches.count == 0
            await rig.advance(KEPT_SAID * 0.01 + MAX_BUSY_RETRY)
            assert rig.kept == [("app1", "APP1.bin is kept open for writing by pid 123 (ld)")]
            assert rig.being_written == [("app1", True)]
            writer.write(b"image")
            writer.close()
            await rig.advance(2 * MAX_BUSY_RETRY)
            assert rig.take() == [b"image"]
            assert rig.kept[1:] == [("app1", "")]
            assert rig.being_written == [("app1", True), ("app1", False)]


async def test_a_live_mapping_is_said_as_well(file: Path) -> None:
    file.write_bytes(bytes(64))
    with file.open("r+b") as opened:
        mapping = mmap.mmap(opened.fileno(), 0)
    async with running([watch(file)]) as rig:
        await until_kept(rig)
        ((_, said),) = rig.kept
        assert said.startswith("APP1.bin is kept open ")
        assert f"pid {os.getpid()} " in said
        mapping.close()
        await rig.advance(2 * MAX_BUSY_RETRY)
        assert rig.take() == [bytes(64)]


async def test_one_that_can_not_be_seen_is_asked_for_now_and_then(file: Path, searches: Searches) -> None:
    with file.open("wb"):
        async with running([watch(file)]) as rig:
            await until_kept(rig)
            ((_, said),) = rig.kept
            assert "cannot be seen from here" in said
            searches.found = WRITER
            await rig.advance(KEPT_ASKED * 0.9)
            assert searches.count == 1
            await rig.advance(KEPT_ASKED * 0.1 + MAX_BUSY_RETRY)
            assert searches.count == 2
            assert rig.kept[-1] == ("app1", "APP1.bin is kept open for writing by pid 123 (ld)")


async def test_it_is_looked_at_less_often_and_no_hint_changes_that(
    file: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    with file.open("wb", buffering=0) as writer:
        async with running([watch(file)]) as rig:
            await until_kept(rig)
            await rig.advance(1000)  # it has been open so long
            looks = Looks(monkeypatch)
            for _ in range(50):
                writer.write(b"a log that never ends")
                await rig.source.hint()
            await rig.advance(20 * MAX_BUSY_RETRY)
            assert looks.count <= 21
            assert searches.count <= 2 + 1000 / KEPT_ASKED


async def test_who_asks_for_a_look_gets_one_though_a_file_is_kept_open(file: Path) -> None:
    with file.open("wb", buffering=0) as writer:
        async with running([watch(file)]) as rig:
            await until_kept(rig)
            writer.write(b"image")
            writer.close()
            looking = asyncio.ensure_future(rig.builds.look("product", "app1"))
            await asyncio.sleep(0)  # it has asked
            while not looking.done():
                await rig.advance(SETTLE)
            assert rig.take() == [b"image"]


async def test_a_watch_that_ends_takes_back_who_holds_its_file(file: Path, searches: Searches) -> None:
    searches.found = WRITER
    with file.open("wb"):
        async with running([watch(file)]) as rig:
            await until_kept(rig)
            await rig.rewatch()
            assert [who for _, who in rig.kept] == ["APP1.bin is kept open for writing by pid 123 (ld)", ""]


async def test_where_nobody_can_say_a_file_has_a_longer_settle_time_and_it_is_said_once(
    file: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Looks(monkeypatch, Writing.UNKNOWN)
    with caplog.at_level(logging.WARNING, "flashdeckd.builds"):
        async with running([watch(file)]) as rig:
            for number in range(3):
                file.write_bytes(bytes([number]))
                await rig.hint()
                await rig.advance(UNPROVED_SETTLE * 0.99)
                assert rig.take() == []
                await rig.advance(UNPROVED_SETTLE * 0.01)
                assert rig.take() == [bytes([number])]
    assert searches.count
    (line,) = [record for record in caplog.records if "cannot be known here" in record.message]
    assert str(file) in line.message
    assert f"unchanged for {UNPROVED_SETTLE:g} s" in line.message


async def test_a_longer_settle_time_of_its_own_stays(
    file: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    Looks(monkeypatch, Writing.UNKNOWN)
    settle = 3 * UNPROVED_SETTLE
    async with running([replace(watch(file), settle=settle)]) as rig:
        file.write_bytes(b"image")
        await rig.hint()
        await rig.advance(settle * 0.99)
        assert rig.take() == []
        await rig.advance(settle * 0.02)
        assert rig.take() == [b"image"]
    assert searches.count


async def test_a_writer_that_proc_shows_is_waited_for_and_not_looked_for_too_often(
    file: Path, searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    Looks(monkeypatch, Writing.UNKNOWN)
    searches.found = WRITER
    file.write_bytes(b"half")
    async with running([watch(file)]) as rig:
        before = searches.count
        await rig.advance(5 * UNPROVED_SETTLE)
        assert rig.take() == []
        assert searches.count - before == pytest.approx(5 * UNPROVED_SETTLE / UNPROVED_RETRY, abs=1)
        file.write_bytes(b"whole")
        searches.found = None
        await rig.advance(UNPROVED_RETRY + UNPROVED_SETTLE)
        assert rig.take() == [b"whole"]


async def test_a_settle_time_that_is_too_short_is_a_trouble_until_it_is_longer(file: Path) -> None:
    async with stamped([watch(file)]) as (rig, files):

        async def build(*pieces: bytes, pause: float) -> None:
            for piece in pieces:
                file.write_bytes(piece)
                files.stat(file)
                await rig.hint()
                await rig.advance(pause)

        await build(b"one", pause=60)
        await build(b"two, and soon", b"three in its place", pause=1)
        assert rig.troubles == [], "somebody builds quickly"
        await rig.advance(60)
        await build(b"half", b"half and half", pause=0.3)
        ((part, trouble, mend),) = rig.troubles
        assert part == "settle of app1 of product"
        assert "again 0.3 s after its last change" in trouble
        assert mend == 'set settle = "0.5s" or more for app1 of product'
        assert rig.builds.trouble == "", "the newest build is known"
        await rig.rewatch(replace(watch(file), settle=0.5))
        assert rig.troubles[1:] == [(part, "", "")]
        rig.take()
        await build(b"other half", b"other half and half", pause=0.3)
        await rig.advance(1)
        assert rig.take() == [b"other half and half"]
        assert len(rig.troubles) == 2
