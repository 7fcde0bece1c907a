# ruff: noqa: ASYNC240  (the files are tiny, and nothing else waits for this loop)
import asyncio
import gc
import shutil
import sqlite3
import stat
import sys
import textwrap
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from flashdeck.config import UsbId
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    JobStatus,
    Queued,
    Superseded,
    Unknown,
    Verified,
)
from flashdeck.model import ArtifactState, BoardHold, Contents, Disposition, HoldBy, JobState, Origin
from flashdeckd.dfu.polling import Pace
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.state import journal as journal_module
from flashdeckd.state.journal import KEPT_HISTORIES, KEPT_JOBS, LOADED_JOBS, Bootloader, GoodImage, Journal, Ledger
from flashdeckd.state.journal_schema import APPLICATION_ID, BUSY_SECONDS, CHECKPOINT_PAGES, MIGRATIONS, connect
from flashdeckd.usb.recognition import SharedSerial
from job_states import BLOCKED, DONE, EVERY, RESULT, WAITING

RELEASED = Path(__file__).parents[2] / "data" / "journal"
A, B = "aa" * 32, "bb" * 32


def a_job(number: int, status: JobStatus = DONE, **fields: object) -> JobState:
    values: dict[str, object] = {
        "id": number,
        "board": "left",
        "partition": "app1",
        "sha256": A,
        "size": 100_000,
        "origin": Origin.BUILD,
        "status": status,
        "created_at": 1_700_000_000.25,
    }
    return JobState(**(values | fields))  # type: ignore[arg-type]  # the point of a test's builder


def a_holding(sha256: str = A, **fields: object) -> Contents:
    values: dict[str, object] = {
        "sha256": sha256,
        "size": 100_000,
        "flashed_at": 1_700_000_001.5,
        "verified": Verified.YES,
        "job": 1,
    }
    return Contents(**(values | fields))  # type: ignore[arg-type]  # the point of a test's builder


def an_artifact(sha256: str = A, partition: str = "app1") -> ArtifactState:
    return ArtifactState(
        sha256=sha256,
        size=100_000,
        source="/home/me/fw/APP1.bin",
        profile="product",
        partition=partition,
        version="1.2.3",
        seen_at=1_700_000_000.0,
        disposition=Disposition.QUEUED,
    )


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[Journal]:
    journal = await Journal.open(path)
    try:
        yield journal
    finally:
        await journal.close()


async def loaded(path: Path) -> Ledger:
    async with opened(path) as journal:
        return await journal.load()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


async def test_a_new_journal_is_empty_private_and_starts_at_job_1(path: Path) -> None:
    async with opened(path) as journal:
        await journal.save_port("left", "1-4.2")
        assert journal.trouble == ""
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    ledger = await loaded(path)
    assert (ledger.jobs, ledger.contents, ledger.artifacts, ledger.holds) == ((), {}, {}, {})
    assert ledger.next_job == 1


async def test_opened_again_it_knows_all_of_it(path: Path) -> None:
    jobs = tuple(a_job(number, status, attempts=number) for number, status in enumerate(EVERY, start=1))
    odd = a_job(len(jobs) + 1, Queued(note="\x1b[31m and \N{SNOWMAN}"), finished_at=5.0)
    halfway = a_holding(B, complete=False, started=False, version="v2", serial="X", bcd_device=0x200, uncertain=True)
    learned = BootloaderHistory(
        pace=Pace.STALLING, reading_proved=True, proved_banks=(0,), released_banks=(1,), reads_lost=1
    )
    async with opened(path) as journal:
        for job in (*jobs, odd):
            await journal.save_job(job)
        await journal.save_contents("left", "app1", a_holding())
        await journal.save_contents("right", "app1", a_holding())
        await journal.save_contents("right", "app1", halfway)
        await journal.save_artifact(an_artifact(A))
        await journal.save_artifact(an_artifact(B))
        await journal.save_artifact(an_artifact(A, "partition2"))
        await journal.save_hold("left", BoardHold(reason="asked by hand"))
        await journal.save_hold("right", BoardHold(reason="map changed", by=HoldBy.FLASHDECK))
        await journal.save_hold("third", BoardHold(reason="harmed", by=HoldBy.FLASHDECK))
        await journal.save_hold("right", None)
        await journal.save_port("left", "1-4.2")
        await journal.save_port("left", "pci-0000:00:14.0-usb-0:4.2")
        await journal.save_history(Bootloader("left", "X", 0x200), BootloaderHistory())
        await journal.save_history(Bootloader("left", "X", 0x200), learned)
        await journal.save_history(Bootloader("left", "", 0xFFFF), BootloaderHistory(condemned_banks=(1,)))
        await journal.save_history(Bootloader("right", "X", 0x200), learned)
        await journal.forget_history(Bootloader("right", "X", 0x200))
        await journal.forget_history(Bootloader("right", "never seen", 0x200))
    assert await loaded(path) == Ledger(
        jobs=(*jobs, odd),
        contents={("left", "app1"): a_holding(), ("right", "app1"): halfway},
        artifacts={("product", "app1"): an_artifact(B), ("product", "partition2"): an_artifact(A, "partition2")},
        holds={"left": BoardHold(reason="asked by hand"), "third": BoardHold(reason="harmed", by=HoldBy.FLASHDECK)},
        ports={"left": "pci-0000:00:14.0-usb-0:4.2"},
        histories={
            Bootloader("left", "X", 0x200): learned,
            Bootloader("left", "", 0xFFFF): BootloaderHistory(condemned_banks=(1,)),
        },
        next_job=odd.id + 1,
        good=tuple(
            GoodImage("left", "app1", job.sha256, job.id) for job in reversed(jobs) if isinstance(job.status, Done)
        ),
    )


async def test_what_is_written_ahead_takes_little_of_a_small_disk(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    async with opened(path) as journal:
        largest = 0
        for number in range(4 * CHECKPOINT_PAGES):
            await journal.save_port("left", str(number))
            largest = max(largest, log.stat().st_size)
    assert CHECKPOINT_PAGES * 4096 < largest < 2 * CHECKPOINT_PAGES * 4096


async def test_saves_that_are_begun_together_keep_their_order(path: Path) -> None:
    async with opened(path) as journal:
        await asyncio.gather(*(journal.save_job(a_job(1, attempts=n)) for n in range(200)))
        assert [job.attempts for job in (await journal.load()).jobs] == [199]


async def test_a_save_is_carried_through_when_its_caller_is_cancelled(path: Path) -> None:
    async with opened(path) as journal:
        saves = [asyncio.create_task(journal.save_job(a_job(n))) for n in range(1, 51)]
        await asyncio.sleep(0)  # every save has been handed to the writer, which has hardly begun
        for save in saves:
            save.cancel()
        await asyncio.gather(*saves, return_exceptions=True)
    assert len((await loaded(path)).jobs) == 50


async def test_an_awaited_save_survives_a_kill(path: Path) -> None:
    program = textwrap.dedent(f"""
        import asyncio, pathlib
        from flashdeck.job_state import Queued
        from flashdeck.model import JobState, Origin
        from flashdeckd.state.journal import Journal

        async def main():
            journal = await Journal.open(pathlib.Path({str(path)!r}))
            for number in range(1, 100_000):
                await journal.save_job(JobState(id=number, board="left", partition="app1", sha256="", size=1,
                    origin=Origin.BUILD, status=Queued(), created_at=0.0))
                print(number, flush=True)

        asyncio.run(main())
    """)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    acknowledged = [int(await child.stdout.readline()) for _ in range(25)]
    child.kill()
    rest, _ = await child.communicate()
    # The last line may have been cut by the kill.
    acknowledged += [int(line) for line in rest.decode().rpartition("\n")[0].split()]
    ledger = await loaded(path)
    kept = {job.id for job in ledger.jobs}
    assert set(acknowledged) <= kept
    assert ledger.next_job > max(acknowledged)


async def test_load_gives_all_that_have_not_ended_and_the_newest(path: Path) -> None:
    async with opened(path) as journal:
        await journal.save_job(a_job(1, WAITING))
        await asyncio.gather(*(journal.save_job(a_job(n)) for n in range(2, LOADED_JOBS + 5)))
        numbers = [job.id for job in (await journal.load()).jobs]
    assert numbers == [1, *range(5, LOADED_JOBS + 5)]


async def test_old_jobs_go_once_ended_and_their_ids_never_come_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "KEPT_JOBS", 3)
    async with opened(path) as journal:
        await journal.save_job(a_job(1, BLOCKED))
        for number in range(2, 11):
            await journal.save_job(a_job(number))
        assert [job.id for job in (await journal.load()).jobs] == [1, 8, 9, 10]
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM job WHERE id > 1")
        other.commit()
    ledger = await loaded(path)
    assert [job.id for job in ledger.jobs] == [1]
    assert ledger.next_job == 11


async def test_a_job_that_waited_long_is_not_old_when_it_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_JOBS", 3)
    async with opened(path) as journal:
        await journal.save_job(a_job(1, BLOCKED))
        for number in range(2, 11):
            await journal.save_job(a_job(number, created_at=float(number)))
        await journal.save_job(a_job(1, created_at=1.0, finished_at=10.5))
        await journal.save_job(a_job(11, created_at=11.0))
        assert [job.id for job in (await journal.load()).jobs] == [1, 9, 10, 11]
        for number in (12, 13):
            await journal.save_job(a_job(number, created_at=float(number)))
        assert [job.id for job in (await journal.load()).jobs] == [11, 12, 13], "all that is kept began after its end"


async def test_bootloaders_that_were_not_learned_of_for_longest_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_HISTORIES", 3)
    async with opened(path) as journal:
        for serial in ("A", "B", "C", "A", "D"):
            await journal.save_history(Bootloader("left", serial, 1), BootloaderHistory(reads_lost=1))
        assert {key.serial for key in (await journal.load()).histories} == {"C", "A", "D"}


async def test_rows_of_other_versions_load(path: Path) -> None:
    async with opened(path):
        pass
    old = (
        '{"id": 7, "board": "left", "partition": "app1", "sha256": "x", "size": 1, "origin": "build",'
        ' "status": {"state": "queued"}, "is_settled": false, "created_at": 1.0, "mood": {"a": [1]}}'
    )
    with closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO job VALUES (7, 0, ?)", (old,))
        other.execute("INSERT INTO job VALUES (8, 0, ?)", (old.replace('"queued"', '"levitating"').replace("7", "8"),))
        other.execute("INSERT INTO holding VALUES ('left', 'app1', CAST(x'ff00' AS TEXT))")
        other.execute("""INSERT INTO experience VALUES ('left', 'X', 1, '{"reads_lost": 1, "mood": 2}')""")
        other.execute("""INSERT INTO experience VALUES ('left', 'X', 2, '{"pace": "andante"}')""")
        other.commit()
    async with opened(path) as journal:
        ledger = await journal.load()
        assert [(job.id, job.attempts, type(job.status)) for job in ledger.jobs] == [(7, 0, Queued)]
        assert ledger.next_job == 9
        assert ledger.histories == {Bootloader("left", "X", 1): BootloaderHistory(reads_lost=1)}
        assert "3 entries" in journal.trouble
        assert "job 8" in journal.trouble
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM job").fetchone() == (2,)


def of_another_format(_: bytes) -> bytes:
    return b"not a database at all" * 400


def with_pages_overwritten(raw: bytes) -> bytes:
    return raw[:100] + b"\xa5" * (len(raw) - 100)


def cut_off(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


@pytest.mark.parametrize("damage", [of_another_format, with_pages_overwritten, cut_off])
async def test_a_damaged_file_is_kept_and_a_new_one_begun(
    path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as journal:
        await journal.save_job(a_job(1))
    broken = damage(path.read_bytes())
    path.write_bytes(broken)
    async with opened(path) as journal:
        kept = list(path.parent.glob("*.kept-*"))
        assert [file.read_bytes() for file in kept] == [broken]
        assert kept[0].name in journal.trouble
        assert journal.trouble.isprintable()
        assert kept[0].name in caplog.text
        assert (await journal.load()).jobs == ()
        await journal.save_job(a_job(1))
        assert kept[0].name in journal.trouble
    async with opened(path) as journal:
        assert journal.trouble == ""
        assert len((await journal.load()).jobs) == 1


def test_a_log_that_the_damaged_file_left_behind_goes_with_it(path: Path) -> None:
    path.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).write_text(f"old{suffix}")
    kept = journal_module.set_aside(path)
    assert {file.name: file.read_text() for file in path.parent.iterdir()} == {
        kept.name: "old",
        f"{kept.name}-wal": "old-wal",
        f"{kept.name}-shm": "old-shm",
    }


async def test_a_log_whose_journal_is_gone_is_never_taken_for_that_of_the_new_one(path: Path) -> None:
    """As a killed daemon leaves it whose file somebody removes, or one that was killed while it set both aside."""
    async with opened(path) as journal:
        await journal.save_port("left", "1-2")
        left_behind = path.with_name(f"{path.name}-wal").read_bytes()
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(left_behind)
    async with opened(path) as journal:
        assert "it is gone" in journal.trouble
        ledger = await journal.load()
        assert ledger.lost
        assert ledger.ports == {}
    (kept,) = path.parent.glob("*.kept-*-wal")
    assert kept.read_bytes() == left_behind


async def test_each_damaged_file_is_kept(path: Path) -> None:
    path.parent.mkdir()
    for number in range(3):
        path.write_bytes(b"garbage %d" % number * 100)
        await loaded(path)
    assert len({file.read_bytes() for file in path.parent.glob("*.kept-*")}) == 3


async def test_the_database_of_another_program_is_kept_whole(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
        other.commit()
    async with opened(path) as journal:
        assert "another program" in journal.trouble
    (kept,) = path.parent.glob("*.kept-*")
    with closing(sqlite3.connect(kept)) as other:
        assert other.execute("SELECT url FROM bookmarks").fetchall() == [("https://example.org",)]


async def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    await loaded(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(FlashdeckError, match=f"schema {len(MIGRATIONS) + 1}") as refused:
        await Journal.open(path)
    assert "newer flashdeckd" in refused.value.hint
    assert path.read_bytes() == before
    assert list(path.parent.glob("*.kept-*")) == []


async def test_a_directory_in_its_place_is_a_clear_error(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(FlashdeckError, match="cannot open the journal") as refused:
        await Journal.open(path)
    assert refused.value.hint


async def test_a_file_in_place_of_its_directory_is_a_clear_error(path: Path) -> None:
    path.parent.write_text("in the way")
    with pytest.raises(FlashdeckError, match="cannot open the journal") as refused:
        await Journal.open(path)
    assert "state directory" in refused.value.hint
    assert path.parent.read_text() == "in the way"


async def test_a_failing_disk_is_an_error_and_trouble_until_it_works_again(path: Path) -> None:
    async with opened(path) as journal:
        await journal.save_job(a_job(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON hold BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
            with pytest.raises(FlashdeckError, match="disk is full"):
                await journal.save_hold("left", BoardHold(reason="why"))
            assert "disk is full" in journal.trouble
            other.execute("DROP TRIGGER full")
        await journal.save_hold("left", BoardHold(reason="why"))
        assert journal.trouble == ""
        assert (await journal.load()).holds == {"left": BoardHold(reason="why")}


async def test_several_jobs_or_contents_are_kept_all_or_none_of_them(path: Path) -> None:
    async with opened(path) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            for table, what in (("job", "NEW.id = 2"), ("holding", "NEW.partition = 'b'")):
                other.execute(
                    f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table} WHEN {what} "
                    "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
                )
            with pytest.raises(FlashdeckError, match="disk is full"):
                await journal.save_jobs([a_job(1), a_job(2)])
            with pytest.raises(FlashdeckError, match="disk is full"):
                await journal.save_all_contents("left", {"a": a_holding(), "b": a_holding(B)})
            ledger = await journal.load()
            assert (ledger.jobs, ledger.contents) == ((), {})
            for table in ("job", "holding"):
                other.execute(f"DROP TRIGGER full_{table}")
        await journal.save_jobs([a_job(1), a_job(2)])
        await journal.save_all_contents("left", {"a": a_holding(), "b": a_holding(B)})
        ledger = await journal.load()
        assert ledger.jobs == (a_job(1), a_job(2))
        assert ledger.contents == {("left", "a"): a_holding(), ("left", "b"): a_holding(B)}


async def test_a_disk_that_fails_once_the_caller_is_gone_is_trouble_and_no_fault(path: Path) -> None:
    """Found by seed 1088 of the simulation: the log of the daemon had a traceback, and its state was fine."""
    faults, told = list[str](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(str(context)))
    async with opened(path) as journal:
        journal.watch(told.append)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON hold BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        save = asyncio.create_task(journal.save_hold("left", BoardHold(reason="why")))
        await asyncio.sleep(0)
        save.cancel()
        await asyncio.wait((save,))
        assert save.cancelled()
        await journal.save_job(a_job(1))
    gc.collect()
    assert (faults, [trouble for trouble in told if "disk is full" in trouble][:1] != []) == ([], True)
    assert told[-1] == ""


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.close()
    await journal.close()
    with pytest.raises(FlashdeckError, match="closed"):
        await journal.save_port("left", "1-1")


@pytest.mark.parametrize("released", sorted(RELEASED.glob("*.sqlite")), ids=lambda file: file.name)
async def test_the_file_of_every_released_schema_loads(released: Path, path: Path) -> None:
    path.parent.mkdir()
    shutil.copy(released, path)
    async with opened(path) as journal:
        ledger = await journal.load()
        assert journal.trouble == ""
        assert (ledger.jobs[-1].id, type(ledger.jobs[-1].status)) == (41, Done)
        assert ledger.contents["left", "app1"].version == "1.0.0"
        assert ledger.artifacts["product", "app1"].sha256 == "ab" * 32
        assert (ledger.holds["left"].reason, ledger.ports) == ("by hand", {"left": "1-4.2"})
        assert ledger.next_job == 42
        learned = BootloaderHistory(pace=Pace.SYNCHRONOUS, reading_proved=True, proved_banks=(0,))
        known = {} if released.stem == "v1" else {Bootloader("left", "336E36833233", 0x200): learned}
        assert ledger.histories == known
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


async def test_every_state_of_a_job_as_the_first_release_with_states_recorded_it(path: Path) -> None:
    path.parent.mkdir()
    shutil.copy(RELEASED / "v4.sqlite", path)
    ledger = await loaded(path)
    assert [job.status for job in ledger.jobs] == [*EVERY[:-1], DONE]
    assert ledger.holds == {
        "left": BoardHold(reason="by hand", by=HoldBy.PERSON),
        "right": BoardHold(reason="may boot something incomplete", by=HoldBy.FLASHDECK),
    }


async def test_serials_that_two_devices_have_shown_as_the_release_that_began_with_them_recorded_them(
    path: Path,
) -> None:
    path.parent.mkdir()
    shutil.copy(RELEASED / "v5.sqlite", path)
    assert (await loaded(path)).shared_serials == {SharedSerial(UsbId(0x0483, 0xDF11), "TWIN")}


async def test_a_serial_is_remembered_as_shared_until_it_is_forgotten(path: Path) -> None:
    one, two = (SharedSerial(UsbId(0x0483, 0xDF11), serial) for serial in ("A", "B"))
    async with opened(path) as journal:
        await journal.save_shared_serials([one, two])
        await journal.save_shared_serials([one])
        await journal.forget_shared_serials([two])
        await journal.save_shared_serials([])
        await journal.forget_shared_serials([])
    assert (await loaded(path)).shared_serials == {one}


OLD_RESULT = msgspec.json.encode(RESULT).decode()
OLD_FAILURE = '{"kind": "verify", "message": "at 0x08020000", "hint": "again"}'
FAILURE = Failure(kind=ErrorKind.VERIFY, message="at 0x08020000", hint="again")
TAKEN_OVER: list[tuple[str, JobStatus]] = [
    ('"status": "queued", "reason": "parked: the daemon was stopped"', Queued()),
    ('"status": "waiting", "reason": "board left is not connected"', Queued()),
    ('"status": "running", "phase": "write", "done": 10, "total": 20', Queued()),
    ('"status": "held", "reason": "its bank is not proved"', Blocked(reason="its bank is not proved")),
    ('"status": "held"', Blocked(reason="it was blocked")),
    ('"status": "done"', Done()),
    (f'"status": "done", "result": {OLD_RESULT}', DONE),
    (f'"status": "failed", "reason": "at 0x08020000", "failure": {OLD_FAILURE}', Failed(failure=FAILURE)),
    (
        f'"status": "failed", "failure": {OLD_FAILURE}, "result": {OLD_RESULT}',
        Failed(failure=FAILURE, result=RESULT),
    ),
    (
        '"status": "failed", "reason": "the board burns"',
        Failed(failure=Failure(kind=ErrorKind.OTHER, message="the board burns")),
    ),
    ('"status": "superseded", "reason": "superseded by job 2"', Superseded()),
    (
        '"status": "cancelled", "reason": "cancelled by hand; app1 holds no complete image"',
        Cancelled(by=Canceller.PERSON, reason="cancelled by hand; app1 holds no complete image"),
    ),
    ('"status": "levitating"', Unknown(name="levitating")),
]


@pytest.mark.parametrize(("told", "status"), TAKEN_OVER, ids=[told[:60] for told, _ in TAKEN_OVER])
async def test_a_job_of_the_schema_before_states_is_taken_over(path: Path, told: str, status: JobStatus) -> None:
    text = (
        '{"id": 7, "board": "left", "partition": "app1", "sha256": "x", "size": 1, "origin": "build", "attempts": 3,'
        f' "patch": true, "version": "1.2.3", "created_at": 1.0, "finished_at": 2.0, {told}}}'
    )
    before(path, ("INSERT INTO job VALUES (7, 0, ?)", text))
    async with opened(path) as journal:
        (job,) = (await journal.load()).jobs
        assert journal.trouble == ""
    assert job.status == status
    assert (job.attempts, job.patch, job.version, job.finished_at) == (3, True, "1.2.3", 2.0)


async def test_what_was_disturbed_is_uncertain_and_holds_of_older_releases_are_never_left_by_themselves(
    path: Path,
) -> None:
    contents = '{"sha256": "x", "size": 1, "flashed_at": 1.0, "verified": "verified", "job": 1, "disturbed": %s}'
    before(
        path,
        ("INSERT INTO holding VALUES ('left', 'app1', ?)", contents % "true"),
        ("INSERT INTO holding VALUES ('left', 'app2', ?)", contents % "false"),
        ("INSERT INTO hold VALUES ('left', ?)", "it may boot something incomplete"),
    )
    ledger = await loaded(path)
    assert {name: contents.uncertain for (_, name), contents in ledger.contents.items()} == {
        "app1": True,
        "app2": False,
    }
    assert ledger.holds == {"left": BoardHold(reason="it may boot something incomplete", by=HoldBy.FLASHDECK)}


async def test_rows_that_are_no_json_are_left_in_place_by_a_migration(path: Path) -> None:
    before(path, ("INSERT INTO job VALUES (7, 0, ?)", "half a li"))
    async with opened(path) as journal:
        assert (await journal.load()).jobs == ()
        assert "job 7" in journal.trouble


def before(path: Path, *rows: tuple[str, str]) -> None:
    """Make a file as the release before states left it."""
    path.parent.mkdir()
    with closing(connect(path, MIGRATIONS[:3])) as old:
        for statement, text in rows:
            old.execute(statement, (text,))


def test_there_is_a_file_of_every_released_schema() -> None:
    assert [file.stem for file in sorted(RELEASED.glob("*.sqlite"))] == [f"v{n + 1}" for n in range(len(MIGRATIONS))]


def test_a_migration_happens_once_and_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    connect(path).close()
    adds = "ALTER TABLE hold ADD COLUMN since REAL NOT NULL DEFAULT 0"
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        connect(path, [*MIGRATIONS, f"{adds}; DROP TABLE nonsense"])
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert len(other.execute("SELECT name FROM pragma_table_info('hold')").fetchall()) == 4
    for _ in range(2):
        with closing(connect(path, [*MIGRATIONS, adds])) as migrated:
            assert migrated.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
            assert migrated.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            assert len(migrated.execute("SELECT name FROM pragma_table_info('hold')").fetchall()) == 5


async def test_so_many_job_ids_are_kept(path: Path) -> None:
    async with opened(path) as journal:
        for number in (1, 2, KEPT_JOBS + 1):
            await journal.save_job(a_job(number))
        assert [job.id for job in (await journal.load()).jobs] == [2, KEPT_JOBS + 1]


async def test_so_many_bootloaders_are_kept(path: Path) -> None:
    known = BootloaderHistory(reads_lost=1)
    async with opened(path) as journal:
        await journal.save_history(Bootloader("left", "0", 1), known)
    with closing(sqlite3.connect(path)) as other:
        ((*_, text),) = other.execute("SELECT * FROM experience").fetchall()
        others = [("left", str(number), 1, text) for number in range(1, KEPT_HISTORIES)]
        other.executemany("INSERT INTO experience VALUES (?, ?, ?, ?)", others)
        other.commit()
    async with opened(path) as journal:
        assert len((await journal.load()).histories) == KEPT_HISTORIES
        await journal.save_history(Bootloader("left", "one more", 1), known)
        serials = {bootloader.serial for bootloader in (await journal.load()).histories}
        assert serials == {"one more", *map(str, range(1, KEPT_HISTORIES))}


def test_a_locked_journal_is_waited_for_so_long(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "journal.sqlite3")) as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (BUSY_SECONDS * 1000,)


async def test_boards_may_exchange_their_names(tmp_path: Path) -> None:
    async with opened(tmp_path / "journal.sqlite3") as journal:
        for name in ("left", "right", "gone"):
            await journal.save_job(a_job({"left": 1, "right": 2, "gone": 3}[name], board=name))
            await journal.save_contents(name, "app1", a_holding(serial=name))
            await journal.save_hold(name, BoardHold(reason=name))
            await journal.save_port(name, name)
            await journal.save_history(Bootloader(name, name, 1), BootloaderHistory(reads_lost=1))
        for _ in range(2):  # as where the daemon was killed behind the first
            await journal.follow_names({"left": "right", "right": "left"}, "m1")
        for _ in range(2):
            await journal.follow_names({"left": "gone"}, "m2")
        ledger = await journal.load()
        assert [job.board for job in ledger.jobs] == ["right", "gone", "gone"]
        assert {key: has.serial for key, has in ledger.contents.items()} == {
            ("right", "app1"): "left",
            ("gone", "app1"): "right",
        }
        assert {board: hold.reason for board, hold in ledger.holds.items()} == {"right": "left", "gone": "right"}
        assert ledger.ports == {"right": "left", "gone": "right"}
        assert {(key.board, key.serial) for key in ledger.histories} == {("right", "left"), ("gone", "right")}


async def test_names_of_which_no_configuration_was_recorded_are_taken_back(tmp_path: Path) -> None:
    """A daemon was killed behind its renaming, and the file has the former names again, or others."""
    async with opened(tmp_path / "journal.sqlite3") as journal:
        await journal.save_hold("left", BoardHold(reason="a person's"))
        await journal.follow_names({"left": "desk"}, "m1")
        assert list((await journal.load()).holds) == ["desk"]
        for _ in range(2):
            await journal.follow_names({}, "m1")
            assert list((await journal.load()).holds) == ["left"]
        await journal.follow_names({"left": "desk"}, "m1")
        await journal.follow_names({"left": "rack"}, "m1")
        assert list((await journal.load()).holds) == ["rack"]
        await journal.follow_names({}, "m2")
        assert list((await journal.load()).holds) == ["rack"], "by then these names are recorded"


async def test_no_table_keeps_a_board_by_its_former_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    async with opened(path) as journal:
        await journal.rename_boards({"nobody": "noone"}, "m0")
    with closing(connect(path)) as connection:
        named = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in named}
        tables = {name: [each[1] for each in found] for name, found in columns.items()}
        tables = {name: found for name, found in tables.items() if "board" in found}
        assert {"holding", "hold", "port", "experience"} <= tables.keys()
        for name, found in tables.items():
            for board in ("left", "right"):
                values = [board if column == "board" else f"of {board}" for column in found]
                places = ", ".join("?" * len(found))
                connection.execute(f"INSERT INTO {name} VALUES ({places})", values)  # noqa: S608 - our own tables
    async with opened(path) as journal:
        await journal.rename_boards({"left": "right"}, "m1")
    with closing(connect(path)) as connection:
        for name, found in tables.items():
            rows = connection.execute(f"SELECT * FROM {name} WHERE board NOT LIKE '\x01%'").fetchall()  # noqa: S608 - the same
            assert rows == [tuple("right" if column == "board" else "of left" for column in found)], name


async def test_contents_can_be_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path / "journal.sqlite3") as journal:
        for partition in ("app1", "partition2"):
            await journal.save_contents("left", partition, a_holding())
        await journal.forget_contents("left", "app1")
        assert list((await journal.load()).contents) == [("left", "partition2")]
