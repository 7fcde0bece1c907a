"""Signals to a daemon: those that end it do so in order, in a write and at any other time; others do it no harm.

SIGHUP is one of the first where the daemon has a terminal, else one of the others. The daemons of `rig` have none.
"""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.job_state import Done, JobStatus, Queued
from flashdeck.model import Snapshot
from flashdeckd.state.journal import Journal
from job_states import is_writing
from rig import SLOW, WAIT_SECONDS, Rig, board, firmware, prepare, sha256, start

pytestmark = pytest.mark.long

ENDING = (signal.SIGTERM, signal.SIGINT)
HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
PLACES = {"--virtual": "bench.toml", "--config": "config.toml", "--socket": "s", "--state-dir": "state"}
ONE = firmware("1.0.0", size=60_000)
LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
LEAVINGS = ("s", "s.lock", "state/lock", "state/journal.sqlite3-wal", "state/journal.sqlite3-shm")


def writing(snapshot: Snapshot) -> bool:
    return any(is_writing(job) for job in snapshot.jobs)


def left_behind(root: Path) -> list[str]:
    """What a daemon that ended in order has taken with it."""
    return [name for name in LEAVINGS if (root / name).exists()]


async def jobs_on_disk(root: Path) -> list[tuple[type[JobStatus], str]]:
    """The jobs as the next daemon finds them."""
    journal = await Journal.open(root / "state" / "journal.sqlite3")
    try:
        return [(type(job.status), job.text) for job in (await journal.load()).jobs]
    finally:
        await journal.close()


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
@pytest.mark.parametrize("number", ENDING)
async def test_in_a_write_it_parks_the_job_and_the_next_daemon_finishes_it(rig: Rig, number: signal.Signals) -> None:
    rig.build(ONE)
    await rig.until(writing)
    assert await rig.stop(number) == 0
    assert left_behind(rig.root) == []
    assert await jobs_on_disk(rig.root) == [(Queued, "queued: parked: the daemon was stopped")]
    await rig.restart()
    await rig.wait(data=ONE)
    assert [(job.sha256, type(job.status)) for job in await rig.jobs()] == [(sha256(ONE), Done)]
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.parametrize("number", ENDING)
async def test_without_a_job_it_leaves_nothing(rig: Rig, number: signal.Signals) -> None:
    assert await rig.stop(number) == 0
    assert left_behind(rig.root) == []


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_whoever_is_impatient_changes_nothing(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    ended = asyncio.create_task(rig.process.wait())
    while not ended.done():  # until the very end of the process
        for number in (*ENDING, *HARMLESS):
            rig.send_signal(number)
        await asyncio.wait((ended,), timeout=0.002)
    assert await ended == 0
    assert left_behind(rig.root) == []
    assert (await jobs_on_disk(rig.root))[0][0] is Queued


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_signals_that_mean_nothing_do_no_harm_in_a_write(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    done = asyncio.create_task(rig.wait(data=ONE))
    while not done.done():
        for number in HARMLESS:
            rig.send_signal(number)
        await asyncio.wait((done,), timeout=0.01)
    (job,) = await done
    assert (type(job.status), job.attempts) == (Done, 1)
    assert await rig.partition_of("left", len(ONE)) == ONE
    assert not (await rig.client.call(api.GetStatus())).daemon.degraded


async def test_a_daemon_that_was_started_by_nohup_goes_on(root: Path) -> None:
    prepare(root, boards=LEFT, bench=board("left"))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a child inherits that, as of nohup
    try:
        rig = await start(root)
    finally:
        signal.signal(signal.SIGHUP, before)
    rig.send_signal(signal.SIGHUP)
    rig.build(ONE)
    await rig.wait(data=ONE)
    assert await rig.stop() == 0


TAKES_TERMINAL = """
import os, signal, sys
os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, (sys.executable, "-m", "flashdeckd", *sys.argv[3:]))
"""
"""The first terminal that the leader of a session opens is its controlling one."""


class Terminal:
    """A terminal for a daemon."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()

    async def start(self, root: Path, *, bench: str, nohup: bool = False) -> Rig:
        prepare(root, boards=LEFT, bench=bench)
        return await start(
            root, daemon=("-c", TAKES_TERMINAL, os.ttyname(self._theirs), "nohup" if nohup else "not nohup")
        )

    def close(self) -> None:
        for descriptor in (self._ours, self._theirs):
            os.close(descriptor)


async def test_a_terminal_that_closes_in_a_write_parks_the_job(root: Path) -> None:
    terminal = Terminal()
    rig = await terminal.start(root, bench=board("left", **SLOW))
    rig.build(ONE)
    await rig.until(writing)
    terminal.close()
    assert await rig.process.wait() == 0
    assert left_behind(root) == []
    assert await jobs_on_disk(root) == [(Queued, "queued: parked: the daemon was stopped")]


async def test_a_hangup_ends_a_daemon_that_has_a_terminal(root: Path) -> None:
    terminal = Terminal()
    rig = await terminal.start(root, bench=board("left"))
    assert await rig.stop(signal.SIGHUP) == 0
    assert left_behind(root) == []
    terminal.close()


async def test_with_nohup_it_outlives_its_terminal(root: Path) -> None:
    terminal = Terminal()
    rig = await terminal.start(root, bench=board("left"), nohup=True)
    terminal.close()
    rig.build(ONE)
    await rig.wait(data=ONE)
    assert await rig.stop() == 0


HEARS = """
import asyncio, os, signal
from flashdeckd.signals import Signals

async def serve(signals):
    with signals.asked() as asked:
        for _ in range(2):
            asked.to_reload.clear()
            os.kill(os.getpid(), signal.SIGHUP)
            await asked.to_reload.wait()
        print("asked to end" if asked.to_end.is_set() else "asked to reload")

signals = Signals()
with signals.heard():
    os.kill(os.getpid(), signal.SIGHUP)
    asyncio.run(serve(signals))
"""
"""A program with the daemon's part that hears signals; it sends them itself."""


def test_without_a_terminal_a_hangup_asks_for_a_reload_as_often_as_it_comes() -> None:
    command = (sys.executable, "-c", HEARS)
    heard = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=True)  # noqa: S603 - ours
    assert heard.stdout == "asked to reload\n"


class Starting:
    """A daemon that is being started, and says what it imports and logs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        self.process, self.said = process, process.stderr

    def until(self, words: str) -> None:
        """Waits for a line with these words."""
        while words not in (line := self.said.readline()):
            assert line, f"it ended before {words}"

    def ended(self) -> int:
        """The exit code, once it has ended."""
        self.said.read()
        return self.process.wait(WAIT_SECONDS)


@contextmanager
def starting(root: Path, program: Sequence[str] = ("-X", "importtime", "-m", "flashdeckd")) -> Generator[Starting]:
    prepare(root, boards=LEFT, bench=board("left"))
    with subprocess.Popen(  # noqa: S603 - ours
        (sys.executable, *program, *chain.from_iterable(PLACES.items())),
        cwd=root,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Starting(process)
        finally:
            process.kill()


MOMENTS = ("flashdeckd.state.hub", "flashdeckd.service", "listens on")


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("moment", MOMENTS)
def test_while_it_starts_it_ends_in_order(root: Path, number: signal.Signals, moment: str) -> None:
    with starting(root) as daemon:
        daemon.until(moment)
        daemon.process.send_signal(number)
        assert daemon.ended() == 0
    assert left_behind(root) == []


def test_while_it_starts_others_do_no_harm(root: Path) -> None:
    with starting(root) as daemon:
        for moment in MOMENTS:
            daemon.until(moment)
            for number in HARMLESS:
                daemon.process.send_signal(number)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.ended() == 0


STUCK = """
import sys, threading
from flashdeckd import service, signals

def begin(*_):
    print("reads the configuration", file=sys.stderr, flush=True)
    threading.Event().wait()

service.begin, signals.START_SECONDS = begin, 0.01
from flashdeckd.__main__ import main
main()
"""
"""A daemon whose disk never gives the configuration."""


@pytest.mark.parametrize("number", ENDING)
def test_a_start_that_never_comes_to_its_end_does_not_hold_up_that_of_the_daemon(
    root: Path, number: signal.Signals
) -> None:
    with starting(root, ("-c", STUCK)) as daemon:
        daemon.until("reads the configuration")
        daemon.process.send_signal(number)
        assert daemon.ended() == 0
    assert not (root / "s").exists()
