"""The journal's file format: numbered migrations, and how to tell our file from another's.

SQLite keeps two numbers in a file's header for its application (https://www.sqlite.org/pragma.html):
`application_id` says whose file it is, `user_version` which of our schemas it has.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from flashdeck.errors import FlashdeckError

APPLICATION_ID = int.from_bytes(b"FLDK", "big")

MIGRATIONS: tuple[str, ...] = (
    # 1. States are JSON, so that fields may come and go without a migration; only what is searched by is a column.
    # AUTOINCREMENT makes SQLite remember the highest id ever used, also after that row is gone.
    """
    CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, ended INTEGER NOT NULL, state TEXT NOT NULL);
    CREATE INDEX job_active ON job (id) WHERE NOT ended;
    CREATE TABLE holding (
        board TEXT NOT NULL, partition TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (board, partition));
    CREATE TABLE artifact (
        profile TEXT NOT NULL, partition TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (profile, partition));
    CREATE TABLE hold (board TEXT PRIMARY KEY NOT NULL, reason TEXT NOT NULL);
    CREATE TABLE port (board TEXT PRIMARY KEY NOT NULL, port TEXT NOT NULL);
    """,
    # 2. What was found out about a bootloader belongs to one physical board, and not to the name that it goes by.
    """
    CREATE TABLE experience (
        board TEXT NOT NULL, serial TEXT NOT NULL, bcd_device INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (board, serial, bcd_device));
    """,
    # 3. Builds had the hash of their bytes with all gaps filled; they get the name of their image when next seen.
    """
    UPDATE artifact SET state = json_set(state, '$.flattened', json('true')) WHERE json_valid(state);
    """,
    # 4. A job's state was a word and a sentence beside fields that it did or did not need; it became a value with just
    # what it means. Nobody knows who had put a board on hold: it is never started by itself before a release.
    """
    UPDATE job SET state = json_remove(
        json_set(state, '$.status', json(CASE json_extract(state, '$.status')
            WHEN 'queued' THEN json_object('state', 'queued')
            WHEN 'waiting' THEN json_object('state', 'queued')
            WHEN 'running' THEN json_object('state', 'queued')
            WHEN 'held' THEN json_object(
                'state', 'blocked', 'reason', coalesce(json_extract(state, '$.reason'), 'it was blocked'))
            WHEN 'done' THEN json_object('state', 'done', 'result', json(json_extract(state, '$.result')))
            WHEN 'failed' THEN json_object(
                'state', 'failed',
                'failure', json(coalesce(
                    json_extract(state, '$.failure'),
                    json_object('kind', 'other', 'message', coalesce(json_extract(state, '$.reason'), 'it failed')))),
                'result', json(json_extract(state, '$.result')))
            WHEN 'superseded' THEN json_object('state', 'superseded')
            WHEN 'cancelled' THEN json_object(
                'state', 'cancelled', 'by', 'person', 'reason', coalesce(json_extract(state, '$.reason'), ''))
            ELSE json_object('state', 'unknown', 'name', json_extract(state, '$.status'))
        END)),
        '$.reason', '$.phase', '$.done', '$.total', '$.result', '$.failure')
    WHERE json_valid(state) AND json_type(state, '$.status') = 'text';
    UPDATE holding SET state = json_remove(json_set(state, '$.uncertain', json('true')), '$.disturbed')
    WHERE json_valid(state) AND json_extract(state, '$.disturbed') = 1;
    ALTER TABLE hold ADD COLUMN who TEXT NOT NULL DEFAULT 'flashdeck';
    """,
    # 5. A serial that two devices have shown at once is no identity until a person says so. Since then jobs have kinds,
    # too, which their JSON says: an older release would flash the image that a job only compares, and is kept out.
    """
    CREATE TABLE shared_serial (
        vendor INTEGER NOT NULL, product INTEGER NOT NULL, serial TEXT NOT NULL, PRIMARY KEY (vendor, product, serial));
    """,
    # 6. Several people may use a bench: a hold says whose it is. What was held before is nobody's.
    """
    ALTER TABLE hold ADD COLUMN user TEXT NOT NULL DEFAULT '';
    """,
    # 7. Units come and go in slots: a record for each, and the lots that they are for.
    """
    CREATE TABLE unit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, slot TEXT NOT NULL, lot TEXT NOT NULL, serial TEXT NOT NULL,
        there INTEGER NOT NULL, enumeration TEXT NOT NULL, state TEXT NOT NULL);
    CREATE INDEX unit_there ON unit (slot) WHERE there;
    CREATE INDEX unit_serial ON unit (serial);
    CREATE TABLE lot (name TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL);
    """,
)
"""SQL scripts; the n-th (from 1) makes schema n out of schema n - 1. Released ones never change."""

BUSY_SECONDS = 5.0
"""Longest wait for another program that has locked the file."""
CHECKPOINT_PAGES = 64
"""Pages (of 4 KiB) in the write-ahead log after which they go into the file itself: SQLite's 1000 are more than a small
disk has for it."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class UnusableFileError(Exception):
    """The file is damaged, or somebody else's."""


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether `error` says that the file itself is broken, and not, say, that the disk is full."""
    return primary_code(error) in _DAMAGED


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code of an error: the low byte of an extended one; 0 where it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def connect(path: Path, migrations: Sequence[str] = MIGRATIONS, *, is_vital: bool = True) -> sqlite3.Connection:
    """Opens the file at `path` (which may be new or empty) and brings it to the newest schema.

    The connection belongs to the calling thread. A commit that has returned survives a power cut. Of a file that is not
    vital it only survives the end of the process, and the file is not read through first.

    Raises `UnusableFileError` (file untouched) where it is damaged or not a journal, `FlashdeckError` where a newer
    flashdeck wrote it, and `sqlite3.Error` where the system does not let us read or write it.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.text_factory = _text
    try:
        _check(connection, path, migrations, is_vital=is_vital)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_vital else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        _migrate(connection, migrations)
    except sqlite3.DatabaseError as error:
        connection.close()
        if is_damage(error):
            raise UnusableFileError(f"it is damaged ({error})") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _text(raw: bytes) -> str:
    # A flipped bit in one row must not keep the others from being read.
    return raw.decode(errors="replace")


def _check(connection: sqlite3.Connection, path: Path, migrations: Sequence[str], *, is_vital: bool) -> None:
    newest = len(migrations)
    version = _number(connection, "PRAGMA user_version")
    tables = _number(connection, "SELECT count(*) FROM sqlite_master")
    if _number(connection, "PRAGMA application_id") != APPLICATION_ID and (tables or version):
        raise UnusableFileError("it is the database of another program")
    if version > newest:
        raise FlashdeckError(
            f"the journal {path} has schema {version}, and this flashdeckd knows schemas up to {newest}",
            hint="a newer flashdeckd has used this state directory: update this one, or give it another directory",
        )
    if is_vital:
        with closing(connection.execute("PRAGMA quick_check(1)")) as rows:
            finding = " ".join(str(rows.fetchone()[0]).split())
        if finding != "ok":
            raise UnusableFileError(f"it is damaged ({finding})")
    _require_tables(connection, migrations[:version])


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = _number(connection, "PRAGMA user_version")
    for number, script in enumerate(migrations[version:], start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _require_tables(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        for script in migrations:
            made.executescript(script)
        wanted = _columns(made)
    missing = sorted(wanted - _columns(connection))
    if missing:
        table, column = missing[0]
        raise UnusableFileError(f"it lacks {column} in the table {table}")


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the columns of all tables, each with the name of its table."""
    query = "SELECT tables.name, info.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS info"
    with closing(connection.execute(f"{query} WHERE tables.type = 'table'")) as rows:
        return {(table, column) for table, column in rows}


def _number(connection: sqlite3.Connection, query: str) -> int:
    with closing(connection.execute(query)) as rows:
        return int(rows.fetchone()[0])
