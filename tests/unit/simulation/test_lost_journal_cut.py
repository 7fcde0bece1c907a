"""A journal that cannot be used is replaced; cut anywhere in that, the next daemon still has all boards on hold."""

import itertools
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from flashdeckd.host import files
from flashdeckd.state.journal import Journal
from simulation.disk import Disk, Step
from simulation.disk_states import all_states
from soaking import sized

MOST_STATES = sized(3, 24, 24)
"""States of the disk that are tried behind each operation."""


class Cut(BaseException):
    """The daemon is gone."""


class Cases:
    """Disks with a journal that is empty, and the log that it was written ahead to."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._monkeypatch = monkeypatch
        self._numbers = itertools.count()
        self.disk: Disk

    async def begin(self) -> Path:
        """Return the path of a journal that was of use, and is not any more, on a disk of its own."""
        root = self._root / str(next(self._numbers))
        root.mkdir(mode=0o700)
        path = root / "journal.sqlite3"
        self._monkeypatch.setattr(files, "system", Disk(root, lambda: 1_000_000.0))
        journal = await Journal.open(path)
        await journal.save_port("left", "1-2")
        log = path.with_name(f"{path.name}-wal").read_bytes()
        await journal.close()
        path.write_bytes(b"")  # where there is anything in it, SQLite takes the log away when it has looked
        path.with_name(f"{path.name}-wal").write_bytes(log)
        self.disk = Disk(root, lambda: 1_000_001.0)
        self._monkeypatch.setattr(files, "system", self.disk)
        return path

    async def open_up_to(self, path: Path, operation: int) -> bool:
        """Open it, and be cut after so many operations on the disk; return whether there were so many."""

        def die(step: Step) -> None:
            if step.number >= operation:  # one that failed has a number, too, and changed nothing
                raise Cut

        usual, self.disk.after = self.disk.after, die
        was_cut = True
        with suppress(Cut):
            journal = await Journal.open(path)
            await journal.close()
            was_cut = False
        self.disk.after = usual
        return was_cut


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cases]:
    cases = Cases(tmp_path, monkeypatch)
    yield cases
    cases.disk.end(None)


async def has_all_on_hold(path: Path) -> bool:
    journal = await Journal.open(path)
    try:
        ledger = await journal.load()
        return bool(ledger.lost) and not ledger.ports
    finally:
        await journal.close()


@pytest.mark.soak
async def test_all_boards_stay_on_hold_wherever_a_daemon_is_cut_that_begins_a_new_journal(cases: Cases) -> None:
    cuts = 0
    for operation in itertools.count(1):
        path = await cases.begin()
        if not await cases.open_up_to(path, operation):
            break
        count = len(list(all_states(cases.disk.log, MOST_STATES)))
        cases.disk.restart()
        assert await has_all_on_hold(path), f"killed after operation {operation}"
        for number in range(count):
            path = await cases.begin()
            await cases.open_up_to(path, operation)
            state = list(all_states(cases.disk.log, MOST_STATES))[number]
            cases.disk.cut(state)
            assert await has_all_on_hold(path), f"power cut {number} after operation {operation}"
            cuts += 1
    assert cuts >= 10
