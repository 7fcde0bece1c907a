"""A serial that two devices have shown at once is no identity until a person says which one it is."""

import asyncio
import errno
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from asked_times import asked_times
from flashdeck.config import Board
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.model import Presence
from flashdeckd.boards import enrolment
from flashdeckd.boards.adoption import adopted, find_device
from flashdeckd.boards.enrolment import IDENTIFY_SECONDS
from flashdeckd.boards.sightings import Sightings
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.worker import Worker
from flashdeckd.state.journal import KEPT_SERIALS, Journal
from flashdeckd.usb.device import UnreadDevice
from flashdeckd.usb.recognition import SharedSerial
from lane_rig import PROFILE
from unit.boards.test_bench import CONFIG, device, opened

ONE, TWO = device(1, "A1"), device(2, "A1")


async def test_the_lone_one_is_not_the_board_also_after_a_restart_until_it_is_released(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({ONE, TWO}))
        await scene.bench.see(frozenset({TWO}))
        assert scene.bench.state_of("left").presence is Presence.AMBIGUOUS
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({TWO}))
        state = scene.bench.state_of("left")
        assert state.presence is Presence.AMBIGUOUS
        assert "flashdeck release left" in state.trouble
        assert scene.bench.lane("left").sighting.device is None
        await scene.bench.release("right")
        assert scene.bench.state_of("left").presence is Presence.AMBIGUOUS
        assert (await scene.bench.release("left")).presence is Presence.DFU
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({TWO}))
        assert scene.bench.state_of("left").presence is Presence.DFU


async def test_a_release_while_both_are_there_says_nothing_of_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({ONE, TWO}))
        assert (await scene.bench.release("left")).presence is Presence.AMBIGUOUS
        await scene.bench.see(frozenset({TWO}))
        assert scene.bench.state_of("left").presence is Presence.AMBIGUOUS


async def test_a_port_in_the_configuration_says_which_one_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({ONE, TWO}))
    with_port = replace(CONFIG, boards={"left": Board("left", PROFILE, serial="A1", port=TWO.port)})
    async with opened(tmp_path, with_port) as scene:
        await scene.bench.see(frozenset({TWO}))
        assert scene.bench.state_of("left").presence is Presence.DFU


async def test_it_counts_also_where_it_cannot_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise FlashdeckError("the disk is full")

    async with opened(tmp_path) as scene:
        monkeypatch.setattr(Journal, "save_shared_serials", refuse)
        await scene.bench.see(frozenset({ONE, TWO}))
        await scene.bench.see(frozenset({TWO}))
        assert scene.bench.state_of("left").presence is Presence.AMBIGUOUS
        assert any("the disk is full" in line.text for line in scene.hub.logs(limit=100))


async def test_so_many_serials_are_remembered(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    sightings = Sightings(cast("JobBook", None), journal, {})
    every = [SharedSerial(PROFILE.dfu, f"{number:06}") for number in range(KEPT_SERIALS + 1)]
    await sightings.note_shared(every)
    assert len(sightings.shared) == KEPT_SERIALS
    assert (await journal.load()).shared_serials == sightings.shared
    await journal.close()


def test_a_device_whose_serial_was_shared_is_adopted_by_its_port() -> None:
    assert adopted("left", PROFILE, ONE, [ONE], "").port == ""
    assert adopted("left", PROFILE, ONE, [ONE], "", was_shared=True).port == ONE.port
    assert find_device("1-1", [ONE], [], lambda _: True) == ONE
    with pytest.raises(FlashdeckError) as refused:
        find_device("A1", [ONE], [], lambda _: True)
    assert refused.value.kind is ErrorKind.AMBIGUOUS
    assert "1-1" in refused.value.hint


async def test_a_device_that_hangs_is_named_with_the_board_that_it_may_be_until_it_is_gone(tmp_path: Path) -> None:
    hangs = UnreadDevice("1-2", "it hangs", TWO.port, "A1", PROFILE.dfu)
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset(), [hangs])
        (trouble,) = scene.hub.daemon.troubles
        assert (trouble.part, trouble.boards) == ("device 1-2", ("left",))
        assert "unplug it" in trouble.hint
        await scene.hub.until(lambda: "1-2" in scene.hub.boards["left"].trouble)
        await scene.bench.see(frozenset())
        assert scene.hub.daemon.troubles == ()
        await scene.hub.until(lambda: not scene.hub.boards["left"].trouble)


async def test_a_device_that_is_to_be_adopted_and_hangs_is_asked_once_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert IDENTIFY_SECONDS > 0
    monkeypatch.setattr(enrolment, "IDENTIFY_SECONDS", 0.01)
    let_go, asked = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()
    times = asked_times(monkeypatch)

    def hang(*_: object) -> str:
        asked.append(1)
        asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result()
        raise OSError(errno.ENODEV, "gone")

    monkeypatch.setattr(Worker, "identify", hang)
    stranger = device(3, "C3")
    async with opened(tmp_path) as scene:
        await scene.bench.see(frozenset({stranger}))
        for _ in range(2):
            with pytest.raises(FlashdeckError, match="does not answer"):
                await scene.enrolment.adopt("1-3", "product", "new")
        assert asked == [1]
        assert times.timeouts.count(0.01) == 2
        let_go.set()
