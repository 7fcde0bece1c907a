"""A bench on a journal, without any device, as several tests of what a daemon knows want it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from flashdeck.config import Board, Config
from flashdeck.model import (
    DaemonState,
)
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.board_file_mark import BoardFileMark
from flashdeckd.boards.enrolment import Enrolment
from flashdeckd.consoles.consoles import Consoles
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.requests.by_build import rebuilt_into
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal
from lane_rig import PROFILE, FakePorts

CONFIG = Config(
    profiles={"product": PROFILE},
    boards={name: Board(name, PROFILE, serial=serial) for name, serial in (("left", "A1"), ("right", "B2"))},
)


class Scene:
    """A bench on a journal, without any device."""

    def __init__(self, bench: Bench, hub: Hub, journal: Journal, spool: Spool, board_file: Path) -> None:
        self.bench = bench
        self.hub = hub
        self.journal = journal
        self.spool = spool
        self.board_file = board_file
        self.enrolment = Enrolment(
            bench, hub, None, board_file, BoardFileMark(board_file.parent, board_file), health=Health(hub)
        )


@asynccontextmanager
async def opened(root: Path, config: Config = CONFIG) -> AsyncGenerator[Scene]:
    """A bench as the daemon makes it from what an earlier one left in `root`."""
    journal = await Journal.open(root / "journal.sqlite3")
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    spool = Spool(root / "spool")
    bench = Bench(
        config,
        hub=hub,
        journal=journal,
        ledger=await journal.load(),
        shelf=Shelf(spool),
        backend=None,
        ports=FakePorts(),
        consoles=Consoles(hub, Health(hub), ports=FakePorts(), directory=root / "consoles", emulated=lambda _: False),
        rebuilt=rebuilt_into(spool),
    )
    try:
        yield Scene(bench, hub, journal, spool, root / "boards.toml")
    finally:
        await journal.close()
