"""The state that outlives the daemon, in one SQLite file: jobs, builds, facts of each board and its bootloader.

All of SQLite happens in one thread, in the order of the calls. When a `save` returns, it is on the disk.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from flashdeck.config import UsbId
from flashdeck.errors import FlashdeckError, HostError
from flashdeck.model import ArtifactState, BoardHold, Contents, HoldBy, JobState
from flashdeck.slot_state import LotState, UnitRecord
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.host import files, threads
from flashdeckd.host.durable import name_aside
from flashdeckd.state.journal_schema import UnusableFileError, connect, primary_code
from flashdeckd.state.renames import Renaming, renamings_from, text_of, to_be_done
from flashdeckd.usb.recognition import SharedSerial

LOADED_JOBS = 500
"""Newest jobs that `load` gives, besides all that have not ended."""
KEPT_JOBS = 10_000
"""Newest job ids that the file keeps. An older job goes once it has ended, and what is kept by its id began later."""
PAGE_JOBS = 500
"""Jobs that are read from the file at once: what is to be recorded waits for that."""
PAGE_BYTES = 512 * 1024
"""Bytes of the jobs that are read at once, so that they fit into a line of the protocol; one job is always read."""
KEPT_SERIALS = 1000
"""Serials that two devices have shown at once which the file keeps, the last ones seen."""
KEPT_HISTORIES = 1000
"""Bootloaders that the file keeps, the last ones learned of: a port can see a new board every few minutes."""
KEPT_UNITS = 20_000
"""Units that the file keeps, the newest ones; one that is there stays."""
KEPT_LOTS = 1000
"""Lots that the file keeps, the last ones that changed."""
PAGE_UNITS = 500
"""Records of units that are read from the file at once."""

EVERY_BOARD = "*"
"""The name under which the file has a hold of all boards; no board can have it."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_S = TypeVar("_S", bound=Value)


@dataclass(frozen=True, slots=True)
class Bootloader:
    """One physical board with one bootloader in it, under the name that the configuration gives the board.

    Two boards that have no serial, or the same one, are not told apart behind one name.
    """

    board: str
    serial: str
    bcd_device: int


@dataclass(frozen=True, slots=True)
class GoodImage:
    """An image that a job has flashed well."""

    board: str
    partition: str
    sha256: str
    job: int


@dataclass(frozen=True, slots=True)
class UnitThere:
    """A unit that was in its slot when it was last recorded."""

    record: UnitRecord
    enumeration: str
    """The kernel's own mark of its enumeration then; "" where nothing tells one from another."""


@dataclass(frozen=True, slots=True)
class UnitsPage:
    """A piece of all units in the file, newest first."""

    units: tuple[UnitRecord, ...]
    next: int
    """Below this number it goes on; 0: there is nothing below."""
    kept: int
    """The number of newest units that are kept, if older ones were removed; 0: none was."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that the journal knows."""

    jobs: tuple[JobState, ...]
    """In ascending order of their ids."""
    contents: Mapping[tuple[str, str], Contents]
    """By (board, partition)."""
    artifacts: Mapping[tuple[str, str], ArtifactState]
    """The newest of each (profile, partition)."""
    holds: Mapping[str, BoardHold]
    """The hold of each board that is on hold."""
    ports: Mapping[str, str]
    """The port at which each board was last seen."""
    histories: Mapping[Bootloader, BootloaderHistory]
    """The facts that are known of each bootloader."""
    next_job: int
    """An id that no job in this file ever had."""
    lost: str = ""
    """Reason for which all boards are on hold, of which nothing is known: the journal before this one was lost."""
    good: tuple[GoodImage, ...] = ()
    """The images of all jobs that are done, the newest first."""
    shared_serials: frozenset[SharedSerial] = frozenset()
    """Serials that two devices have shown at once, and that nobody has released since."""
    units: tuple[UnitThere, ...] = ()
    """The units that were there."""
    unit_serials: Mapping[str, int] = field(default_factory=dict[str, int])
    """The number of units that have shown each serial."""
    lots: tuple[LotState, ...] = ()
    """In the order of their beginning."""
    next_unit: int = 1
    """An id that no unit in this file ever had."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A piece of all jobs in the file, newest first."""

    jobs: tuple[JobState, ...]
    next: int
    """Below this number it goes on; 0: there is nothing below."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The reach of the file into the past."""

    since: float | None
    """The time when the oldest job was asked for from which on no job is missing; None: there is no job."""
    kept: int
    """The number of newest jobs that are kept, if older ones were removed; 0: none was."""


class Journal:
    """The journal's file, open. Use `Journal.open`; every method raises `FlashdeckError` where the disk fails.

    A `save` that has begun is carried through, also when the task that awaits it is cancelled.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        writer: threads.OwnThread,
        notice: str,
        renamings: Sequence[Renaming],
    ) -> None:
        self._path = path
        self._renamings = renamings
        self._connection = connection
        self._writer = writer
        self._notice = notice
        self._identity = files.identity(files.status(path))
        self._failure = ""
        self._on_trouble: Callable[[str], None] = lambda _: None
        self._on_full: Callable[[], None] = lambda: None
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, had_one: bool = False) -> "Journal":
        """Opens the journal at `path`, and creates it and its directory where they are missing.

        A file that is damaged, empty or not a journal is moved aside, never overwritten, and `trouble` says where to.
        So it says where the file is gone, although there was one (`had_one`). All boards are on hold then.
        Raises `FlashdeckError` where the file cannot be used and is better left alone: a newer schema, no
        permission, a full disk.
        """
        writer = threads.OwnThread("journal")
        try:
            connection, notice, renamings = await writer.run(_opened, path, had_one=had_one)
        except BaseException:
            writer.let_go()
            raise
        if notice:
            _log.warning("%s", notice)
        return cls(path, connection, writer, notice, renamings)

    @property
    def trouble(self) -> str:
        """The fault of the journal, and what to do; "" when there is none."""
        return self._failure or self._notice

    def heeded(self) -> None:
        """Say no more what was wrong with the file at its start: a person has done what that asked for."""
        self._notice = ""
        self._on_trouble(self.trouble)

    def watch(self, on_trouble: Callable[[str], None]) -> None:
        """Tells `trouble` now, and from now on whenever the disk was tried. In the event loop's thread."""
        self._on_trouble = on_trouble
        on_trouble(self.trouble)

    def watch_room(self, on_full: Callable[[], None]) -> None:
        """Calls `on_full` whenever the disk had no room. In the event loop's thread."""
        self._on_full = on_full

    async def load(self) -> Ledger:
        """Everything in the file. A row that cannot be understood is left in place, logged and left out."""
        ledger, unread = await self._run(lambda: _load(self._connection))
        if unread:
            self._notice = (
                f"the journal {self._path} has {len(unread)} entries that this flashdeckd cannot read "
                f"({unread[0]}); they stay in the file and are ignored"
            )
            _log.warning("%s", self._notice)
        return ledger

    async def answers(self) -> None:
        """Return once its thread has asked the file something: it does not hang."""
        await self._writer.run(lambda: self._connection.execute("SELECT 1").fetchone())

    async def save_job(self, job: JobState) -> None:
        """Keeps the newest state of a job."""
        await self._execute(
            (_UPSERT_JOB, (job.id, job.is_settled, _encode(job))),
            (_DELETE_OLD_JOBS, (job.id - KEPT_JOBS,)),
        )

    async def save_jobs(self, jobs: Iterable[JobState]) -> None:
        """Keeps the newest states of several jobs: all of them, or none."""
        await self._execute(*((_UPSERT_JOB, (job.id, job.is_settled, _encode(job))) for job in jobs))

    async def jobs_below(self, before: int) -> JobPage:
        """Return the next piece of all jobs below a number, newest first; 0: from the newest on.

        A row that cannot be understood is left out.
        """
        rows, following = await self._run(lambda: _page(self._connection, before))
        jobs = await threads.run(lambda: tuple(job for job in map(_readable, rows) if job is not None))
        return JobPage(jobs, following)

    async def reach(self) -> Reach:
        """Return how far back the jobs go."""
        return await self._run(lambda: _reach(self._connection))

    async def with_jobs(self, thing: Literal["board", "partition"]) -> frozenset[str]:
        """Return the boards, or partitions, of which there is a job, also those that are not configured any more."""
        query = "SELECT DISTINCT json_extract(state, ?) FROM job WHERE json_valid(state)"

        def names() -> frozenset[str]:
            with closing(self._connection.execute(query, (f"$.{thing}",))) as rows:
                return frozenset(name for (name,) in rows if isinstance(name, str) and name)

        return await self._run(names)

    async def save_contents(self, board: str, partition: str, contents: Contents) -> None:
        """Keeps the contents of a partition of a board."""
        await self._execute(("REPLACE INTO holding VALUES (?, ?, ?)", (board, partition, _encode(contents))))

    async def save_all_contents(self, board: str, contents: Mapping[str, Contents]) -> None:
        """Keeps the contents of several partitions of a board: all of them, or none."""
        row = "REPLACE INTO holding VALUES (?, ?, ?)"
        await self._execute(*((row, (board, name, _encode(each))) for name, each in contents.items()))

    async def save_artifact(self, artifact: ArtifactState) -> None:
        """Makes this the newest build of its target."""
        key = (artifact.profile, artifact.partition)
        await self._execute(("REPLACE INTO artifact VALUES (?, ?, ?)", (*key, _encode(artifact))))

    async def save_hold(self, board: str, hold: BoardHold | None) -> None:
        """Keeps why a board is on hold; None: it no longer is."""
        if hold is None:
            await self._execute(("DELETE FROM hold WHERE board = ?", (board,)))
        else:
            await self._execute(
                ("REPLACE INTO hold VALUES (?, ?, ?, ?)", (board, hold.reason, hold.by.value, hold.user))
            )

    async def save_port(self, board: str, port: str) -> None:
        """Keeps where a board was last seen."""
        await self._execute(("REPLACE INTO port VALUES (?, ?)", (board, port)))

    async def save_shared_serials(self, shown: Iterable[SharedSerial]) -> None:
        """Keeps serials that two devices have shown at once."""
        rows = [("REPLACE INTO shared_serial VALUES (?, ?, ?)", _row(each)) for each in shown]
        oldest = "DELETE FROM shared_serial WHERE rowid <= (SELECT max(rowid) FROM shared_serial) - ?"
        if rows:
            await self._execute(*rows, (oldest, (KEPT_SERIALS,)))

    async def forget_shared_serials(self, released: Iterable[SharedSerial]) -> None:
        """Forgets serials, because a person has said whose they are."""
        delete = "DELETE FROM shared_serial WHERE (vendor, product, serial) = (?, ?, ?)"
        rows = [(delete, _row(each)) for each in released]
        if rows:
            await self._execute(*rows)

    async def save_history(self, bootloader: Bootloader, history: BootloaderHistory) -> None:
        """Keeps what is known of a bootloader, in the table that the file calls experience."""
        key = (bootloader.board, bootloader.serial, bootloader.bcd_device)
        await self._execute(
            ("REPLACE INTO experience VALUES (?, ?, ?, ?)", (*key, _encode(history))),
            # A replaced row gets a new number, so these are the ones that were not learned of for longest.
            ("DELETE FROM experience WHERE rowid <= (SELECT max(rowid) FROM experience) - ?", (KEPT_HISTORIES,)),
        )

    async def forget_history(self, bootloader: Bootloader) -> None:
        """Forgets a bootloader."""
        key = (bootloader.board, bootloader.serial, bootloader.bcd_device)
        await self._execute(("DELETE FROM experience WHERE (board, serial, bcd_device) = (?, ?, ?)", key))

    async def rename_boards(self, names: Mapping[str, str], mark: str) -> None:
        """Gives all that is kept of boards to their new names; what was kept under those is dropped, but for jobs.

        `mark` stands for the configuration that is recorded as long as these names are not.
        """
        await self._run(lambda: _rename_boards(self._connection, names, mark))

    async def follow_names(self, names: Mapping[str, str], mark: str) -> None:
        """Do so at a start: `names` are all those that are new since the configuration that `mark` stands for.

        The daemon before may have been killed behind it. What it has done is not done again, and is taken back where it
        is not among them.
        """
        if names or to_be_done(self._renamings, mark, names):
            self._renamings = await self._run(lambda: _follow_names(self._connection, names, mark))

    async def forget_contents(self, board: str, partition: str) -> None:
        """Forgets what a partition of a board has."""
        await self._execute(("DELETE FROM holding WHERE (board, partition) = (?, ?)", (board, partition)))

    async def save_unit(self, unit: UnitRecord, enumeration: str, lot: LotState | None = None) -> None:
        """Keeps the newest state of a unit, and with it that of the lot that it counts for: both, or none."""
        await self._execute(*_unit_rows(unit, enumeration), *_lot_rows(lot))

    async def end_unit(self, unit: UnitRecord | None, slot: str, lot: LotState | None = None) -> None:
        """Keeps that a unit is gone, and forgets all that was known of the slot's board: all of it, or none.

        None: there was no unit, and something may be known of its place all the same.
        """
        rows = _unit_rows(unit, "") if unit is not None else ()
        forgotten = ("DELETE FROM holding WHERE board = ?", "DELETE FROM experience WHERE board = ?")
        await self._execute(*rows, *_lot_rows(lot), *((delete, (slot,)) for delete in forgotten))

    async def part_units(
        self, gone: UnitRecord, there: UnitRecord, enumeration: str, lot: LotState | None = None
    ) -> None:
        """Keeps that one unit was two, and with that the lot that the first counts for: all of it, or none."""
        await self._execute(*_unit_rows(gone, ""), *_unit_rows(there, enumeration), *_lot_rows(lot))

    async def save_lot(self, lot: LotState) -> None:
        """Keeps the newest state of a lot."""
        await self._execute(*_lot_rows(lot))

    async def units_below(self, before: int, slots: Iterable[str] = (), lot: str = "", limit: int = 0) -> UnitsPage:
        """Return the next piece of the units of slots (none: of all) and a lot ("": any), newest first.

        They are those below a number; 0: from the newest on. At most `PAGE_UNITS`, and at most `limit` above 0. A row
        that cannot be understood is left out.
        """
        most = min(limit, PAGE_UNITS) if limit > 0 else PAGE_UNITS
        return await self._run(lambda: _units_page(self._connection, before, tuple(slots), lot, most))

    async def slots_with_units(self) -> frozenset[str]:
        """Return the slots of which there is a record, also those that are not configured any more."""

        def names() -> frozenset[str]:
            with closing(self._connection.execute("SELECT DISTINCT slot FROM unit")) as rows:
                return frozenset(str(name) for (name,) in rows)

        return await self._run(names)

    async def close(self) -> None:
        """Closes the file after everything that was begun; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.shield(self._writer.run(self._connection.close))
        finally:
            self._writer.let_go()

    async def _execute(self, *statements: "_Statement") -> None:
        await self._run(lambda: _commit(self._connection, statements))

    @property
    def is_there(self) -> bool:
        """True if the file is the one that was opened. Blocks on the disk, in any thread."""
        try:
            return files.identity(files.status(self._path)) == self._identity
        except OSError:
            return False

    async def look(self) -> None:
        """Notice that the file was taken away, or is back; that is told where `watch` says."""
        with suppress(FlashdeckError):
            await self._run(lambda: None)

    def _if_there(self, work: Callable[[], _T]) -> _T:
        """Do `work`, unless the file is another one than was opened: SQLite would go on in one that nobody sees."""
        if not self.is_there:
            raise HostError(
                f"the journal {clean(str(self._path))} was removed while flashdeckd used it",
                hint="put it back, or restart flashdeckd: it then begins a new one",
            )
        return work()

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise FlashdeckError(f"the journal {self._path} is closed")
        running = self._writer.run(self._if_there, work)
        running.add_done_callback(self._tell)  # not below: whoever asked for it may be gone by then
        try:
            return await asyncio.shield(running)
        except sqlite3.Error as error:
            raise _sqlite_failure(self._path, error) from error

    def _tell(self, done: asyncio.Future[Any]) -> None:
        """Tell whether the disk works, by what has become of the last that was asked of it."""
        if done.cancelled():
            return
        error = done.exception()
        match error:
            case None:
                self._failure = ""
            case HostError():
                self._failure = error.advice
            case sqlite3.Error():
                failure = _sqlite_failure(self._path, error)
                self._failure = f"{failure.message}; {failure.hint}"
            case _:
                _log.error("the journal stopped by a fault in flashdeckd", exc_info=error)
                return
        self._on_trouble(self.trouble)
        if isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_FULL:
            self._on_full()


_Statement = tuple[str, tuple[object, ...]]

_ABOVE_ALL = 2**63 - 1
"""SQLite's largest number: no row will have it."""
# Not REPLACE: that deletes and inserts, and would do so for each of a job's many states.
_UPSERT_JOB = (
    "INSERT INTO job (id, ended, state) VALUES (?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, state = excluded.state"
)
_DELETE_OLD_JOBS = (
    "DELETE FROM job WHERE ended AND id <= ?1 AND NOT "
    "CASE WHEN json_valid(state) THEN coalesce(json_extract(state, '$.finished_at'), 0) ELSE 0 END > "
    "coalesce((SELECT json_extract(state, '$.created_at') FROM job WHERE id > ?1 AND json_valid(state) "
    "ORDER BY id LIMIT 1), 0)"
)
"""A job that waited long has a low id, and what it flashed is as new as the rest."""


def _row(shared: SharedSerial) -> tuple[object, ...]:
    return shared.usb_id.vendor, shared.usb_id.product, shared.serial


def _unit_rows(unit: UnitRecord, enumeration: str) -> "tuple[_Statement, ...]":
    there = unit.left_at is None
    values = (unit.id, unit.slot, unit.lot, unit.serial, there, enumeration if there else "", _encode(unit))
    return (
        ("REPLACE INTO unit VALUES (?, ?, ?, ?, ?, ?, ?)", values),
        ("DELETE FROM unit WHERE NOT there AND id <= ?", (unit.id - KEPT_UNITS,)),
    )


def _lot_rows(lot: LotState | None) -> "tuple[_Statement, ...]":
    if lot is None:
        return ()
    oldest = "DELETE FROM lot WHERE rowid <= (SELECT max(rowid) FROM lot) - ? AND json_extract(state, '$.ended_at')"
    return ("REPLACE INTO lot VALUES (?, ?)", (lot.name, _encode(lot))), (oldest, (KEPT_LOTS,))


def _units_page(connection: sqlite3.Connection, before: int, slots: tuple[str, ...], lot: str, limit: int) -> UnitsPage:
    wanted = [f"slot IN ({', '.join('?' * len(slots))})"] if slots else []
    wanted += ["lot = ?"] if lot else []
    query = " AND ".join(("id < ?", *wanted))
    values = (before or _ABOVE_ALL, *slots, *([lot] if lot else []), limit + 1)
    with closing(
        connection.execute(f"SELECT id, state FROM unit WHERE {query} ORDER BY id DESC LIMIT ?", values)  # noqa: S608 - only question marks
    ) as rows:
        found = rows.fetchall()
    with closing(connection.execute("SELECT min(id), max(id), count(*) FROM unit")) as rows:
        first, newest, _ = rows.fetchone()
    units = [_readable_unit(state) for _, state in found[:limit]]
    is_whole = newest is None or int(first) == 1
    following = int(found[limit - 1][0]) if len(found) > limit else 0
    return UnitsPage(tuple(unit for unit in units if unit is not None), following, 0 if is_whole else KEPT_UNITS)


def _readable_unit(state: str) -> UnitRecord | None:
    try:
        return msgspec.json.decode(state, type=UnitRecord)
    except (msgspec.DecodeError, TypeError, UnicodeError):
        return None


_RENAME_BOARD = (
    "UPDATE holding SET board = ? WHERE board = ?",
    "UPDATE hold SET board = ? WHERE board = ?",
    "UPDATE port SET board = ? WHERE board = ?",
    "UPDATE experience SET board = ? WHERE board = ?",
    """
    UPDATE job SET state = json_set(state, '$.board', ?)
    WHERE json_valid(state) AND json_extract(state, '$.board') = ?
    """,
    """
    UPDATE unit SET slot = ?1, state = CASE WHEN json_valid(state) THEN json_set(state, '$.slot', ?1) ELSE state END
    WHERE slot = ?2
    """,
    """
    UPDATE lot SET state = json_set(state, '$.slots', json((
        SELECT json_group_array(CASE value WHEN ?2 THEN ?1 ELSE value END) FROM json_each(state, '$.slots'))))
    WHERE json_valid(state) AND EXISTS (SELECT 1 FROM json_each(state, '$.slots') WHERE value = ?2)
    """,
)
_DROP_BOARD = (
    "DELETE FROM holding WHERE board = ?",
    "DELETE FROM hold WHERE board = ?",
    "DELETE FROM port WHERE board = ?",
    "DELETE FROM experience WHERE board = ?",
)
_RENAMED = "\x01renamed"
"""The row of the table of ports that has what was renamed last; no board can have this name."""


def _renamings(connection: sqlite3.Connection) -> tuple[Renaming, ...]:
    with closing(connection.execute("SELECT port FROM port WHERE board = ?", (_RENAMED,))) as rows:
        row = rows.fetchone()
    return renamings_from(row[0]) if row is not None else ()


def _follow_names(connection: sqlite3.Connection, names: Mapping[str, str], mark: str) -> tuple[Renaming, ...]:
    if left := to_be_done(_renamings(connection), mark, names):
        _rename_boards(connection, left, mark)
    return _renamings(connection)


def _rename_boards(connection: sqlite3.Connection, names: Mapping[str, str], mark: str) -> None:
    aside = {old: f"\x01{old}" for old in names}  # two may exchange their names
    statements: list[_Statement] = []
    for old in names:
        statements += [(statement, (aside[old], old)) for statement in _RENAME_BOARD]
    for old, new in names.items():
        statements += [(statement, (new,)) for statement in _DROP_BOARD]
        statements += [(statement, (new, aside[old])) for statement in _RENAME_BOARD]
    known = (*_renamings(connection), Renaming(since=mark, names=dict(names)))
    _commit(connection, (*statements, ("REPLACE INTO port VALUES (?, ?)", (_RENAMED, text_of(known)))))


def _encode(state: Value) -> str:
    return msgspec.json.encode(state).decode()


def _commit(connection: sqlite3.Connection, statements: tuple[_Statement, ...]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, values in statements:
            connection.execute(sql, values)
        connection.execute("COMMIT")
    except BaseException:
        # Some errors, a full disk among them, have already rolled back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _load(connection: sqlite3.Connection) -> tuple[Ledger, list[str]]:
    unread: list[str] = []

    def rows(query: str, *values: object) -> list[tuple[str, ...]]:
        with closing(connection.execute(query, values)) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def decode(kind: type[_S], where: str, text: str) -> _S | None:
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, TypeError, UnicodeError) as error:
            unread.append(clean(f"{where}: {error}"))
            return None

    def table(kind: type[_S], query: str, name: str) -> dict[tuple[str, str], _S]:
        found = {(a, b): decode(kind, f"{name} {a}/{b}", text) for a, b, text in rows(query)}
        return {key: state for key, state in found.items() if state is not None}

    jobs = [
        decode(JobState, f"job {number}", text)
        for number, text in rows(
            "SELECT id, state FROM job WHERE NOT ended OR id IN (SELECT id FROM job ORDER BY id DESC LIMIT ?) "
            "ORDER BY id",
            LOADED_JOBS,
        )
    ]
    histories = {
        Bootloader(board, serial, int(bcd_device)): decode(BootloaderHistory, f"experience {board}/{serial}", text)
        for board, serial, bcd_device, text in rows(
            "SELECT board, serial, CAST(bcd_device AS INTEGER), state FROM experience"
        )
    }
    # Of a row that cannot be read nothing is known, and of one without these fields neither.
    good = rows(
        "SELECT * FROM (SELECT json_extract(state, '$.board') AS board, json_extract(state, '$.partition') AS place,"
        " json_extract(state, '$.sha256') AS image, id FROM job WHERE ended AND json_valid(state)"
        " AND json_extract(state, '$.status.state') = 'done'"
        " AND coalesce(json_extract(state, '$.kind'), 'flash') = 'flash')"
        " WHERE typeof(board) = 'text' AND typeof(place) = 'text' AND typeof(image) = 'text' ORDER BY id DESC"
    )
    highest = rows("SELECT seq FROM sqlite_sequence WHERE name = 'job'")
    holds = {
        board: BoardHold(reason=reason, by=HoldBy(who), user=user)
        for board, reason, who, user in rows("SELECT board, reason, who, user FROM hold")
    }
    lost = holds.pop(EVERY_BOARD, None)
    there = [
        (decode(UnitRecord, f"unit {number}", state), enumeration)
        for number, enumeration, state in rows("SELECT id, enumeration, state FROM unit WHERE there ORDER BY id")
    ]
    lots = [
        decode(LotState, f"lot {name}", state) for name, state in rows("SELECT name, state FROM lot ORDER BY rowid")
    ]
    last_unit = rows("SELECT seq FROM sqlite_sequence WHERE name = 'unit'")
    ledger = Ledger(
        jobs=tuple(job for job in jobs if job is not None),
        contents=table(Contents, "SELECT board, partition, state FROM holding", "contents"),
        artifacts=table(ArtifactState, "SELECT profile, partition, state FROM artifact", "artifact"),
        holds=holds,
        lost=lost.reason if lost is not None else "",
        ports={row[0]: row[1] for row in rows("SELECT board, port FROM port WHERE board != ?", _RENAMED)},
        histories={key: state for key, state in histories.items() if state is not None},
        good=tuple(GoodImage(board, partition, sha256, int(job)) for board, partition, sha256, job in good),
        next_job=int(highest[0][0]) + 1 if highest else 1,
        shared_serials=frozenset(
            SharedSerial(UsbId(int(vendor), int(product)), serial)
            for vendor, product, serial in rows(
                "SELECT CAST(vendor AS INTEGER), CAST(product AS INTEGER), serial FROM shared_serial"
            )
        ),
        units=tuple(UnitThere(record, enumeration) for record, enumeration in there if record is not None),
        unit_serials={
            serial: int(count) for serial, count in rows("SELECT serial, count(*) FROM unit GROUP BY serial") if serial
        },
        lots=tuple(sorted((lot for lot in lots if lot is not None), key=lambda lot: lot.begun_at)),
        next_unit=int(last_unit[0][0]) + 1 if last_unit else 1,
    )
    return ledger, unread


def _page(connection: sqlite3.Connection, before: int) -> tuple[list[str], int]:
    """Return the states of the next jobs below a number, and the number below which it goes on (0: nowhere)."""
    query = "SELECT id, state FROM job WHERE id < ? ORDER BY id DESC LIMIT ?"
    states: list[str] = []
    size = 0
    with closing(connection.execute(query, (before or _ABOVE_ALL, PAGE_JOBS + 1))) as rows:
        for number, state in rows:
            size += len(state.encode(errors="replace"))
            if states and (size > PAGE_BYTES or len(states) == PAGE_JOBS):
                return states, int(number) + 1
            states.append(state)
    return states, 0


def _readable(state: str) -> JobState | None:
    try:
        return msgspec.json.decode(state, type=JobState)
    except (msgspec.DecodeError, TypeError, UnicodeError):  # told of when the file was loaded
        return None


def _reach(connection: sqlite3.Connection) -> Reach:
    # What has not ended is kept for longer: it says nothing of the jobs around it.
    oldest = (
        "SELECT id, state FROM job WHERE id > (SELECT max(id) FROM job) - ? AND json_valid(state) ORDER BY id LIMIT 1"
    )
    with closing(connection.execute(oldest, (KEPT_JOBS,))) as rows:
        found = rows.fetchone()
    job = _readable(found[1]) if found is not None else None
    is_whole = found is None or int(found[0]) == 1
    return Reach(since=job.created_at if job is not None else None, kept=0 if is_whole else KEPT_JOBS)


def _opened(path: Path, *, had_one: bool) -> tuple[sqlite3.Connection, str, tuple[Renaming, ...]]:
    connection, notice = _open_file(path, had_one=had_one)
    try:
        return connection, notice, _renamings(connection)
    except sqlite3.Error:
        return connection, notice, ()  # whoever reads all of it says what is wrong


def _open_file(path: Path, *, had_one: bool) -> tuple[sqlite3.Connection, str]:
    try:
        files.make_directory(path.parent, 0o700)
        if files.exists(path):
            files.close(files.open_to_change(path))  # says better than SQLite what is wrong
        reason = _why_lost(path, had_one=had_one)
        if not reason and not files.exists(path):
            _make(path, "")
        if not reason:
            try:
                return connect(path), ""
            except UnusableFileError as error:
                reason = str(error)
        return _begin_anew(path, reason)
    except OSError as error:
        raise FlashdeckError(
            f"cannot open the journal {path}: {error.strerror or error}",
            hint="the state directory must be one that you own and may write to",
        ) from error
    except sqlite3.Error as error:
        raise _sqlite_failure(path, error) from error


def _why_lost(path: Path, *, had_one: bool) -> str:
    """Return why there is no journal any more where there was one; "" where there is one, or never was."""
    if files.is_file(path):
        return "" if files.status(path).st_size else "it is empty"
    # Of what it had, these are left: what was set aside, or was written ahead by a daemon that was killed.
    left = any(name.startswith((f"{path.name}.kept-", f"{path.name}-")) for name in files.names(path.parent))
    return "it is gone" if (had_one or left) and not files.exists(path) else ""


def _begin_anew(path: Path, reason: str) -> tuple[sqlite3.Connection, str]:
    """Begin a new journal in the place of one that cannot be used, which is kept."""
    held = "the journal was lost: nobody knows whether this board was on hold"
    # Whole before the old one goes: a daemon that is killed in between must not forget that all boards are on hold.
    fresh = _make(path.with_name(f"{path.name}.new"), held)
    kept = f"; it was kept as {set_aside(path).name}" if any(map(files.is_named, _parts(path))) else ""
    files.rename(fresh, path)
    files.sync_directory(path.parent)
    notice = (
        f"the journal {path} cannot be used: {reason}{kept}, and a new one was begun: the contents of the boards are "
        "unknown until they are flashed again, and all boards are on hold: `flashdeck release BOARD` once you have "
        "looked at them"
    )
    return connect(path), notice


def _make(path: Path, hold: str) -> Path:
    """Make a new journal, in which all boards are on hold where there is a reason for it; return its path."""
    building = path.with_name(f"{path.name}.making")
    for part in _parts(building):
        files.remove(part)
    # SQLite would create it readable for all; its side files take over the mode of this one.
    files.close(files.open_to_change(building))
    with closing(connect(building)) as connection:
        if hold:
            values = (EVERY_BOARD, hold, HoldBy.FLASHDECK.value, "")
            _commit(connection, (("INSERT INTO hold VALUES (?, ?, ?, ?)", values),))
    files.rename(building, path)
    files.sync_directory(path.parent)
    return path


def set_aside(path: Path) -> Path:
    """Renames a file that cannot be used, so that nothing of it is lost. Returns its new path.

    Left behind, the old write-ahead log would be taken for the new file's; it may be all that there is.
    """
    kept = name_aside(path)
    for part, kept_part in zip(_parts(path), _parts(kept), strict=True):
        if files.is_named(part):
            files.rename(part, kept_part)
    return kept


def _parts(path: Path) -> tuple[Path, ...]:
    """Return the paths of all that SQLite keeps of a database: its file, and the two beside it."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))


def _sqlite_failure(path: Path, error: sqlite3.Error) -> HostError:
    return HostError(
        f"the journal {path} failed: {error}",
        hint="see that the disk is not full, that the file is writable and that no other program has it locked",
    )
