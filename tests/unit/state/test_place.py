"""The state directory while the daemon runs: by its identity, never made again."""

import asyncio
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from builds_rig import PATIENCE
from flashdeck.errors import FlashdeckError
from flashdeck.model import DaemonState
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from flashdeckd.state.place import StatePlace, own_place, watch


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def place(directory: Path) -> Generator[StatePlace]:
    with own_place(directory, hint="use that one") as place:
        yield place


def take_away(directory: Path) -> None:
    directory.rename(directory.with_name("away"))


def put_back(directory: Path) -> None:
    directory.with_name("away").rename(directory)


def test_nothing_is_wrong_with_it_as_long_as_it_is_there(place: StatePlace) -> None:
    assert place.trouble() == ("", "")


def test_one_that_is_gone_is_said_and_not_made_again(place: StatePlace, directory: Path) -> None:
    directory.rename(directory.with_name("away"))
    text, hint = place.trouble()
    assert "is gone" in text
    assert "put it back" in hint
    assert not directory.exists()
    directory.mkdir(mode=0o700)
    assert "another directory" in place.trouble()[0]
    directory.rmdir()
    directory.with_name("away").rename(directory)
    assert place.trouble() == ("", "")


def test_one_that_was_opened_to_others_is_said(place: StatePlace, directory: Path) -> None:
    directory.chmod(0o750)
    assert "mode 0750" in place.trouble()[0]


def test_its_lock_file_comes_back(place: StatePlace, directory: Path) -> None:
    (directory / "lock").unlink()
    assert place.trouble() == ("", "")
    assert (directory / "lock").exists()


def test_one_that_was_removed_admits_no_second_daemon(place: StatePlace, directory: Path) -> None:
    shutil.rmtree(directory)
    with pytest.raises(FlashdeckError, match="already uses") as caught, own_place(directory, hint="use that one"):
        pass
    assert caught.value.hint == "use that one"
    assert place.trouble()[0]


async def test_it_is_looked_at_again_and_again_and_what_is_wrong_is_reported(
    place: StatePlace, directory: Path
) -> None:
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    health = Health(hub)
    journal = await Journal.open(directory / "journal.sqlite3")
    journal.watch(lambda trouble: health.report("journal", trouble))
    looks = QuietLooks()
    watching = asyncio.create_task(watch(place, journal, health, looks))
    await asyncio.sleep(0)
    await looks.take_round()
    take_away(directory)
    for troubles in (2, 0):
        async with asyncio.timeout(PATIENCE):
            while len(hub.daemon.troubles) != troubles:
                await looks.take_round()
                await asyncio.sleep(0)
        if troubles:
            assert {trouble.part for trouble in hub.daemon.troubles} == {"state directory", "journal"}
            put_back(directory)
    watching.cancel()
    await asyncio.wait((watching,))
    await journal.close()
