"""The Python API against a real daemon: the same errors and meanings as the command line has."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest

import flashdeck
from flashdeck import api
from flashdeck.errors import (
    ConnectionFailedError,
    ErrorKind,
    ExitCode,
    FlashdeckError,
    NotDoneError,
    RemoteError,
    RequestError,
)
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck.job_state import Done, WaitFor, Waiting, name_of
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.sync_bench import Bench
from rig import PARTITION2, WAIT_SECONDS, firmware
from standing_bench import StandingBench, standing_bench

ONE, TWO = (firmware(version) for version in ("1.0.0", "1.0.1"))


@pytest.fixture(scope="module")
def standing() -> Iterator[StandingBench]:
    with standing_bench("left", "right") as made:
        yield made


@pytest.fixture
def bench(standing: StandingBench) -> Iterator[Bench]:
    with flashdeck.connect(standing.socket) as bench:
        yield bench


def test_what_it_flashes_is_there_and_every_answer_has_a_type(standing: StandingBench, bench: Bench) -> None:
    seen: list[JobState] = []
    threads: set[str] = set()

    def see(job: JobState) -> None:
        seen.append(job)
        threads.add(threading.current_thread().name)

    outcome = bench.flash("app1", standing.file("out/APP1.bin", ONE), boards="left", timeout=60, on_change=see)
    (row,) = outcome.rows
    assert (row.board, row.partition, row.is_done, outcome.exit_code) == ("left", "app1", True, ExitCode.OK)
    assert row.job is not None
    assert isinstance(row.job.status, Done)
    assert isinstance(seen[-1].status, Done)
    assert threads == {threading.current_thread().name}
    assert bench.read("app1", boards="left").data[: len(ONE)] == ONE
    assert bench.verify("app1", ONE, boards=("left",)).rows[0].is_done
    assert bench.wait("app1", ONE, boards="left", timeout=WAIT_SECONDS).rows[0].is_done
    assert [board.name for board in bench.boards("l*")] == ["left"]
    assert bench.devices() == ()
    assert {board.name for board in bench.status().boards} == {"left", "right"}
    assert row.job.id in [job.id for job in bench.history("left", partition="app1")]
    assert [name_of(job.status) for job in bench.jobs("left", statuses=["done"])][:1] == ["done"]
    (plan,) = bench.plan("app1", TWO, boards="left")
    assert plan.steps
    assert plan.blocked == ""


def test_going_back_erasing_and_starting(bench: Bench) -> None:
    bench.flash("app1", ONE, boards="left")
    bench.flash("app1", TWO, boards="left")
    assert bench.plan_rollback("app1", boards="left")[0].steps
    bench.rollback("app1", boards="left")
    assert bench.read("app1", boards="left").data[: len(ONE)] == ONE
    assert bench.plan_erase("app1", boards="left")[0].erases
    bench.erase("app1", boards="left")
    assert set(bench.read("app1", boards="left").data) == {0xFF}
    bench.flash("app1", ONE, boards="left")
    bench.reset("left", force=True)
    (first, *_) = bench.history("left", limit=1)
    assert bench.retry(first.id).rows[0].is_done


def test_what_a_person_decides(bench: Bench) -> None:
    assert bench.hold("left", reason="soldering")[0].hold is not None
    with pytest.raises(NotDoneError) as caught:
        bench.flash("app1", TWO)
    assert (caught.value.kind, caught.value.exit_code) == (ErrorKind.BLOCKED, ExitCode.BLOCKED)
    assert "soldering" in caught.value.message
    assert {row.board: row.is_done for row in caught.value.outcome.rows} == {"left": False, "right": True}
    (job,) = [job for job in caught.value.outcome.jobs if job.board == "left"]
    assert name_of(bench.cancel(job.id).status) == "cancelled"
    assert bench.release("left")[0].hold is None
    assert not bench.disarm("left")[0].armed
    assert bench.arm("left")[0].armed


@pytest.mark.parametrize(
    ("partition", "image", "boards", "kind", "code"),
    [
        ("app1", firmware("9.9.9", base=PARTITION2), "left", ErrorKind.GUARD, ExitCode.REFUSED),
        ("bootloader", ONE, "left", ErrorKind.PROTECTED, ExitCode.REFUSED),
        ("app1", ONE, "lefd", ErrorKind.NO_SUCH_BOARD, ExitCode.NOT_FOUND),
        ("app9", ONE, (), ErrorKind.NO_SUCH_PARTITION, ExitCode.NOT_FOUND),
    ],
)
def test_a_refusal_is_the_one_of_the_command_line(
    bench: Bench, *, partition: str, image: bytes, boards: str, kind: ErrorKind, code: ExitCode
) -> None:
    with pytest.raises(RemoteError) as caught:
        bench.flash(partition, image, boards=boards)
    assert (caught.value.kind, caught.value.exit_code) == (kind, code)
    assert caught.value.message


def test_what_never_reaches_the_daemon(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        bench.flash("app1", tmp_path / "nothing.bin")
    with pytest.raises(RequestError, match="no board is named"), bench.take():
        pass
    with pytest.raises(TypeError, match="patience"):
        bench.flash("app1", ONE, patience=3)  # pyright: ignore[reportCallIssue] - the mistake that is tested
    with pytest.raises(ConnectionFailedError) as caught:
        flashdeck.connect(tmp_path / "s")
    assert (caught.value.kind, caught.value.exit_code) == (ErrorKind.UNREACHABLE, ExitCode.UNREACHABLE)


def test_a_time_limit_leaves_the_job_in_the_queue_or_takes_it_back(standing: StandingBench, bench: Bench) -> None:
    bench.call(api.VirtualUnplug(boards=("right",)))
    try:
        for cancels in (False, True):
            with pytest.raises(NotDoneError) as caught:
                bench.flash("app1", ONE, boards="right", timeout=0, cancel_on_exit=cancels)
            assert (caught.value.kind, caught.value.exit_code) == (ErrorKind.TIMEOUT, ExitCode.TIMEOUT)
            (job,) = bench.jobs("right", limit=1)
            assert job.is_settled is cancels
        with pytest.raises(RemoteError) as refused:
            bench.flash("app1", ONE, boards="right", no_wait=True)
        assert refused.value.exit_code == ExitCode.NOT_FOUND
        with flashdeck.connect(standing.socket) as leaving, suppress(KeyboardInterrupt):
            leaving.flash("app1", TWO, boards="right", cancel_on_exit=True, on_change=interrupt)
        with bench.events() as changes:
            for change in changes:
                jobs = change.jobs if isinstance(change, Snapshot) else ()
                if jobs and all(job.is_settled for job in jobs if job.board == "right"):
                    break
                if isinstance(change, Event) and change.job is not None and change.job.is_settled:
                    break
    finally:
        bench.call(api.VirtualPlug(boards=("right",)))


def interrupt(_job: JobState) -> None:
    """Do what Ctrl-C does, while the call goes on."""
    signal.raise_signal(signal.SIGINT)


def test_events_come_while_others_follow_jobs(standing: StandingBench) -> None:
    async def done(bench: flashdeck.AsyncBench, began: asyncio.Event) -> None:
        """Return once a new job of each board is seen to be done."""
        left, newest = {"left", "right"}, 0
        async with aclosing(bench.events()) as changes:
            async for change in changes:
                jobs = change.jobs if isinstance(change, Snapshot) else (change.job,) if change.job else ()
                newest = newest if began.is_set() else max((job.id for job in jobs), default=0)
                began.set()
                left -= {job.board for job in jobs if job.id > newest and isinstance(job.status, Done)}
                if not left:
                    return

    async def see() -> list[str]:
        began = asyncio.Event()
        async with flashdeck.connect_async(standing.socket) as bench:
            seeing = asyncio.create_task(done(bench, began))
            await began.wait()
            both = await asyncio.gather(*(bench.flash("app1", ONE, boards=name) for name in ("left", "right")))
            await asyncio.wait_for(seeing, WAIT_SECONDS)
            return [row.board for outcome in both for row in outcome.rows]

    assert asyncio.run(see()) == ["left", "right"]


def test_two_calls_of_one_bench_at_once_from_two_threads(bench: Bench) -> None:
    seen: list[ExitCode] = []
    other = threading.Thread(target=lambda: seen.append(bench.flash("app1", TWO, boards="right").exit_code))
    other.start()
    seen.append(bench.flash("app1", TWO, boards="left").exit_code)
    other.join()
    assert seen == [ExitCode.OK, ExitCode.OK]


def test_a_lease_lets_only_its_holder_start_and_is_given_back(standing: StandingBench, bench: Bench) -> None:
    with flashdeck.connect(standing.socket) as other:
        with bench.take("left", reason="a test") as lease:
            assert lease.boards == ("left",)
            (left,) = other.boards("left")
            assert left.lease is not None
            assert left.lease.reason == "a test"
            assert f"process {os.getpid()}" in left.lease.by
            with pytest.raises(RemoteError) as caught, other.take("left", no_wait=True):
                pass
            assert caught.value.kind is ErrorKind.BLOCKED
            with pytest.raises(NotDoneError):
                other.flash("app1", ONE, boards="left", timeout=0)
            (waiting,) = other.jobs("left", limit=1)
            assert isinstance(waiting.status, Waiting)
            assert waiting.status.for_ is WaitFor.LEASE
            with pytest.raises(RequestError, match="a lease already"), bench.take("right"):
                pass
            assert bench.flash("app1", TWO, boards="left", timeout=WAIT_SECONDS).rows[0].is_done
            run = standing.run("flashdeck", "verify", "app1", "--board", "left", environment=lease.environment)
            assert run.returncode == 0, run.stderr
        with other.take("left", no_wait=True, timeout=WAIT_SECONDS):
            pass
        with pytest.raises(ZeroDivisionError), bench.take("left"):
            raise ZeroDivisionError
        with other.take_one("left", "right", no_wait=True) as first, bench.take_one("*", no_wait=True) as second:
            assert {*first.boards, *second.boards} == {"left", "right"}


def test_whoever_wants_one_board_gets_the_first_that_is_free(standing: StandingBench, bench: Bench) -> None:
    told: list[str] = []
    got = threading.Event()

    def take() -> None:
        with flashdeck.connect(standing.socket) as third, third.take_one("*", tell=told.append):
            got.set()

    with flashdeck.connect(standing.socket) as other, bench.take("left"):
        with other.take("right"):
            thread = threading.Thread(target=take)
            thread.start()
            with (
                flashdeck.connect(standing.socket) as fourth,
                pytest.raises(RemoteError) as caught,
                fourth.take_one("*", no_wait=True),
            ):
                pass
            assert caught.value.kind is ErrorKind.BLOCKED
        assert got.wait(WAIT_SECONDS)
        thread.join()
    assert {line.partition(":")[0] for line in told} <= {"left", "right"}


HOLDER = """
import sys, flashdeck
with flashdeck.connect(sys.argv[1]) as bench, bench.take("left") as lease:
    print(lease.boards, flush=True)
    sys.stdin.read()
"""


def test_a_killed_holder_gives_its_boards_back(standing: StandingBench, bench: Bench) -> None:
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", HOLDER, standing.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"('left',)\n"
        holder.kill()
        with bench.take("left", timeout=WAIT_SECONDS):
            pass


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_holds_nothing_and_cannot_use_the_connection(standing: StandingBench, bench: Bench) -> None:
    reads, writes = os.pipe()
    holder = flashdeck.connect(standing.socket)
    with holder.take("left"):
        if not (child := os.fork()):
            os.close(writes)
            os.read(reads, 1)
            try:
                bench.status()
            except ConnectionFailedError as error:
                os._exit("forked" in error.hint)
            os._exit(2)
        os.close(reads)
        holder.close()
        with bench.take("left", timeout=WAIT_SECONDS):
            pass
    os.close(writes)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert bench.status().boards


def test_inside_take_its_boards_are_ours_and_no_others(
    standing: StandingBench, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with bench.take("left") as outer:
        monkeypatch.setenv(LEASE_VARIABLE, outer.token)
        with flashdeck.connect(standing.socket) as inside:
            with inside.take("l*") as lease:
                assert lease == outer
                assert inside.flash("app1", ONE, boards="left", timeout=WAIT_SECONDS).rows[0].is_done
            with inside.take_one("*") as lease:
                assert lease == outer
            with pytest.raises(RemoteError, match="a lease already"), inside.take("right"):
                pass
    with flashdeck.connect(standing.socket):
        assert "does not count here: this lease has ended" in caplog.text


def test_closing_ends_what_runs_and_leaves_no_thread(standing: StandingBench) -> None:
    before = set(threading.enumerate())
    bench = flashdeck.connect(standing.socket)
    changes = bench.events()
    next(changes)
    errors: list[FlashdeckError] = []

    def wait() -> None:
        try:
            for _ in changes:
                pass
        except FlashdeckError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    bench.close()
    waiting.join()
    bench.close()
    assert [error.kind for error in errors] == [ErrorKind.UNREACHABLE]
    with pytest.raises(ConnectionFailedError, match="was closed"):
        bench.status()
    assert set(threading.enumerate()) == before
    forgotten = flashdeck.connect(standing.socket)
    (thread,) = set(threading.enumerate()) - before
    del forgotten
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()


def test_closing_gives_back_what_is_taken(standing: StandingBench, bench: Bench) -> None:
    holder = flashdeck.connect(standing.socket)
    with holder.take("left"):
        holder.close()
        with bench.take("left", no_wait=True):
            pass


UNCAUGHT = """
import sys, flashdeck
with flashdeck.connect(sys.argv[1]) as bench:
    bench.flash("app1", "nothing.bin")
"""


def test_a_program_that_catches_nothing_ends_with_message_and_hint(standing: StandingBench) -> None:
    done = standing.run(sys.executable, "-X", "dev", "-W", "error", "-c", UNCAUGHT, str(standing.socket))
    message, hint = done.stderr.splitlines()[-2:]
    assert message.endswith("RequestError: there is no file nothing.bin")
    assert hint == "hint: build it first, or look at the path"


def test_a_lost_daemon_ends_every_call() -> None:
    with standing_bench("left") as short, flashdeck.connect(short.socket) as bench:
        with bench.take("left"):
            short.process.terminate()
            with pytest.raises(ConnectionFailedError):
                bench.wait("app1", ONE, timeout=WAIT_SECONDS)
        with pytest.raises(ConnectionFailedError):
            bench.status()


def test_both_twins_have_the_same_methods_with_the_same_parameters() -> None:
    def public(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(each).partition(":")[0] for each in inspect.signature(member).parameters.values()]
            for name, member in vars(kind).items()
            if not name.startswith("_") and callable(member)
        }

    assert public(Bench) == public(flashdeck.AsyncBench)
