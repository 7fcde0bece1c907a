"""The states after a power cut: what was synced is in each of them, and each is one that the model allows."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.disk_states import (
    MOST_PENDING,
    MOST_STATES,
    MOST_VERSIONS,
    ROOT,
    SECTOR,
    DiskLog,
    Kind,
    Linked,
    Renamed,
    State,
    Unlinked,
    all_states,
    legal_states,
)

FILE, OTHER, DIRECTORY = 2, 3, 4
OLD, NEW = b"old" * 300, b"new" * 500


def a_file(log: DiskLog, data: bytes = OLD, inode: int = FILE, name: str = "file") -> None:
    """A file that is on the disk."""
    log.make(inode, Kind.FILE, 0o600)
    log.step(Linked(ROOT, name, inode))
    log.write(inode, data)
    log.sync(inode)
    log.sync(ROOT)


def written_aside(log: DiskLog, *, synced: bool = True, named: bool = True) -> None:
    """As a file is written that has to be whole or not there."""
    log.make(OTHER, Kind.FILE, 0o600)
    log.step(Linked(ROOT, "aside", OTHER))
    log.write(OTHER, NEW)
    if synced:
        log.sync(OTHER)
    log.step(Renamed(ROOT, "aside", ROOT, "file"))
    if named:
        log.sync(ROOT)


def seen(log: DiskLog, name: str = "file") -> set[bytes | None]:
    """All that a file may have after a cut; None: it may be gone."""
    return {state[name].data if name in state else None for state in all_states(log)}


def test_a_file_that_is_written_aside_synced_and_named_is_there_whole() -> None:
    log = DiskLog()
    a_file(log)
    written_aside(log)
    assert seen(log) == {NEW}
    assert log.is_settled


def test_until_its_directory_is_synced_it_is_the_old_one_or_the_new_one() -> None:
    log = DiskLog()
    a_file(log)
    written_aside(log, named=False)
    assert seen(log) == {OLD, NEW}
    assert seen(log, "aside") == {NEW, None}


def test_a_rename_may_be_there_before_the_bytes() -> None:
    """The planted fault that every program has had once: no sync before the rename."""
    log = DiskLog()
    a_file(log)
    written_aside(log, synced=False)
    assert seen(log) == {b"", NEW, NEW[:SECTOR], b"\0" * len(NEW)}


def test_a_directory_that_was_never_synced_may_take_along_what_was_synced_in_it() -> None:
    log = DiskLog()
    log.make(DIRECTORY, Kind.DIRECTORY, 0o700)
    log.step(Linked(ROOT, "spool", DIRECTORY))
    log.make(FILE, Kind.FILE, 0o600)
    log.step(Linked(DIRECTORY, "image", FILE))
    log.write(FILE, NEW)
    log.sync(FILE)
    log.sync(DIRECTORY)
    assert seen(log, "spool/image") == {NEW, None}
    log.sync(ROOT)
    assert seen(log, "spool/image") == {NEW}


def test_a_move_from_one_directory_to_another_is_in_both_or_in_none() -> None:
    log = DiskLog()
    a_file(log)
    log.make(DIRECTORY, Kind.DIRECTORY, 0o700)
    log.step(Linked(ROOT, "there", DIRECTORY))
    log.sync(ROOT)
    log.step(Renamed(ROOT, "file", DIRECTORY, "file"))
    assert {tuple(sorted(state)) for state in all_states(log)} == {("file", "there"), ("there", "there/file")}


def test_a_removed_file_is_back_until_its_directory_is_synced() -> None:
    log = DiskLog()
    a_file(log)
    log.step(Unlinked(ROOT, "file"))
    assert seen(log) == {OLD, None}
    log.sync(ROOT)
    assert seen(log) == {None}


def test_the_bytes_of_a_trusted_file_are_nobodys_business_but_its_name_is() -> None:
    log = DiskLog()
    log.make(FILE, Kind.FILE, 0o600, is_trusted=True)
    log.step(Linked(ROOT, "journal", FILE))
    assert [("journal" in state, state.get("journal") and state["journal"].data) for state in all_states(log)] == [
        (True, None),
        (False, None),
    ]


def test_a_disk_that_came_up_has_lost_what_it_will_lose() -> None:
    log = DiskLog()
    a_file(log)
    written_aside(log, named=False)
    for state in all_states(log):
        again = log.at_rest(state)
        assert again.is_settled
        assert list(all_states(again)) == [state]


@pytest.mark.parametrize("too_many", [0, 1])
def test_so_many_changes_of_names_may_be_lost(too_many: int) -> None:
    log = DiskLog()
    a_file(log)
    for number in range(MOST_PENDING + too_many):
        log.step(Renamed(ROOT, "file" if not number else f"file-{number}", ROOT, f"file-{number + 1}"))
    assert ("file" in {path for state in all_states(log) for path in state}) == (not too_many)


@pytest.mark.parametrize("too_many", [0, 1])
def test_so_many_contents_of_a_file_are_remembered(too_many: int) -> None:
    log = DiskLog()
    a_file(log, b"")
    for number in range(MOST_VERSIONS - 1 + too_many):
        log.resize(FILE, 0)
        log.write(FILE, bytes([number + 1]) * SECTOR)
    contents = {legal_states(log, random.Random(seed))["file"].data for seed in range(3000)}
    assert len(contents) <= MOST_VERSIONS


def test_so_many_states_are_enumerated() -> None:
    log = DiskLog()
    for number in range(13):
        log.make(10 + number, Kind.DIRECTORY, 0o700)
        log.adopt(Linked(ROOT, f"d{number}", 10 + number))
        log.step(Linked(10 + number, "file", FILE))
    log.make(FILE, Kind.FILE, 0o600)
    assert len(list(all_states(log))) == MOST_STATES < 2**13


# Any sequence of operations.


@dataclass
class Oracle:
    """The same disk, told in another way: what is there, and what has to stay."""

    log: DiskLog = field(default_factory=DiskLog)
    names: dict[str, int] = field(default_factory=dict[str, int])
    durable: dict[str, int] = field(default_factory=dict[str, int])
    history: list[dict[str, int]] = field(default_factory=lambda: [{}])
    """What the directory said behind each change since it was synced."""
    contents: dict[int, list[bytes]] = field(default_factory=dict[int, list[bytes]])
    """All contents of each file since it was synced."""

    def changed(self) -> None:
        self.history.append(dict(self.names))

    def check(self, state: State) -> None:
        assert {path: node.inode for path, node in state.items()} in self.history
        for node in state.values():
            assert node.data is not None
            assert _may_be(node.data, self.contents[node.inode])

    def do(self, operation: tuple[str, str, str, int]) -> None:
        kind, name, other, number = operation
        inode = self.names.get(name)
        if kind == "make" and inode is None:
            fresh = len(self.contents) + 2
            self.log.make(fresh, Kind.FILE, 0o600)
            self.log.step(Linked(ROOT, name, fresh))
            self.names[name], self.contents[fresh] = fresh, [b""]
            self.changed()
        elif kind == "sync names":
            self.log.sync(ROOT)
            self.history = [dict(self.names)]
        elif inode is None:
            return
        elif kind == "write":
            data = bytes([number % 251 + 1]) * number
            self.log.write(inode, data)
            self.contents[inode].append(self.contents[inode][-1] + data)
        elif kind == "resize":
            self.log.resize(inode, number)
            self.contents[inode].append(self.contents[inode][-1][:number].ljust(number, b"\0"))
        elif kind == "sync":
            self.log.sync(inode)
            del self.contents[inode][:-1]
        elif kind == "rename" and other != name:
            self.log.step(Renamed(ROOT, name, ROOT, other))
            self.names[other] = self.names.pop(name)
            self.changed()
        elif kind == "unlink":
            self.log.step(Unlinked(ROOT, name))
            del self.names[name]
            self.changed()


def _may_be(data: bytes, contents: list[bytes]) -> bool:
    """Return whether each sector is one that the file had, or zero where it was not so long yet."""
    longest = max(map(len, contents))
    return len(data) <= longest and all(
        any(_sector(data, at, len(data)) == _sector(each, at, len(data)) for each in contents)
        for at in range(0, len(data), SECTOR)
    )


def _sector(data: bytes, at: int, length: int) -> bytes:
    return data[at : min(at + SECTOR, length)].ljust(min(SECTOR, length - at), b"\0")


NAMES = st.sampled_from(("a", "b", "c"))
KINDS = st.sampled_from(("make", "make", "write", "write", "resize", "sync", "rename", "unlink", "sync names"))
OPERATIONS = st.lists(st.tuples(KINDS, NAMES, NAMES, st.integers(0, 3 * SECTOR)), max_size=MOST_VERSIONS - 1)


@given(OPERATIONS, st.integers(0, 2**32))
def test_each_state_is_one_that_the_model_allows_and_what_was_synced_is_in_it(
    operations: list[tuple[str, str, str, int]], seed: int
) -> None:
    oracle = Oracle()
    for operation in operations:
        oracle.do(operation)
    drawn = legal_states(oracle.log, random.Random(seed))
    for state in _some(drawn, oracle.log):
        oracle.check(state)
    now = oracle.log.now()
    assert {path: node.data for path, node in now.items()} == {
        name: oracle.contents[inode][-1] for name, inode in oracle.names.items()
    }
    for name in oracle.names:
        oracle.log.sync(oracle.names[name])
    oracle.log.sync(ROOT)
    assert list(all_states(oracle.log)) == [now]


def test_a_sync_of_the_whole_disk_leaves_nothing_to_be_lost() -> None:
    log = DiskLog()
    a_file(log)
    written_aside(log, synced=False, named=False)
    log.sync_all()
    assert log.is_settled
    assert list(all_states(log)) == [log.now()]


def _some(drawn: State, log: DiskLog) -> Iterator[State]:
    yield drawn
    yield from itertools.islice(all_states(log), 50)
