"""Boards of another machine, through a real ssh server: each command there and back, and every way to be cut off."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest

import flashdeck
from far_bench import FarBench, far_bench, machine_beside
from flashdeck import api
from flashdeck.errors import ConnectionFailedError, ExitCode, RemoteError, RequestError
from flashdeck.job_state import Done
from flashdeck.model import Event, JobState, Snapshot
from flashdeck.ssh import SshHost
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub, this_daemon
from rig import WAIT_SECONDS, firmware

pytestmark = pytest.mark.long

LARGE = 100_000
"""Bytes of an image whose flash takes its time on `left`."""
VERY_LARGE = 380_000
"""Bytes of one whose way there takes its time."""


@pytest.fixture(scope="module")
def there() -> Generator[FarBench]:
    with far_bench() as bench:
        yield bench


@pytest.fixture(autouse=True)
def our_ssh(there: FarBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients of this process find the same ssh as command lines."""
    monkeypatch.setenv("PATH", there.environment["PATH"])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "APP1.bin"


def all_of(process: "subprocess.Popen[bytes]", text: str) -> str:
    """Return what a command has said on stderr, up to the line that has `text`."""
    return up_to(process.stderr, text)


def up_to(stream: IO[bytes] | None, text: str) -> str:
    """Return what comes, up to the line that has `text`."""
    assert stream is not None
    said = ""
    while text not in said:
        line = stream.readline().decode()
        assert line, said
        said += line
    return said


async def settled(there: FarBench, number: int) -> JobState:
    async with await there.connect() as client:
        (job,) = (await client.call(api.WaitJobs(ids=(number,), timeout=WAIT_SECONDS))).jobs
        return job


async def newest_job(there: FarBench) -> JobState:
    async with await there.connect() as client:
        return (await client.call(api.GetJobs(limit=1))).jobs[0]


def test_what_is_built_here_is_flashed_there(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("1.0.1"))
    run = there.cli("--host", "bench", "flash", "app1", str(image), "--board", "right", "--json")
    assert run.code == ExitCode.OK, run.err
    (job,) = run.json["jobs"]
    assert job["board"] == "right"
    assert job["text"].startswith("done")
    assert there.cli("wait", "app1", "--for", str(image), "--board", "right", "--host", "bench").code == ExitCode.OK


def test_several_machines_have_one_table_and_one_that_fails_is_named(there: FarBench) -> None:
    both = there.cli("--host", "bench", "--host", "lab", "boards")
    assert both.code == ExitCode.OK, both.err
    names = [line.split()[0] for line in both.out.splitlines()[1:5]]
    assert names == ["bench/left", "bench/right", "lab/left", "lab/right"]
    some = there.cli("--host", "bench", "boards", "--host", "closed", "--json")
    assert some.code == ExitCode.SOME_FAILED
    assert [each["name"] for each in some.json["boards"]] == ["bench/left", "bench/right"]
    assert "closed" in some.err
    both = there.cli("--host", "bench", "--host", "lab", "status", "--json")
    assert both.json["hosts"].keys() == {"bench", "lab"}
    assert "bench/left" in there.cli("--host", "bench", "--host", "lab", "status").out


@pytest.mark.parametrize(
    ("host", "code", "message", "hint"),
    [
        ("short", ExitCode.UNREACHABLE, "no command flashdeck-is-not-here", "command ="),
        ("empty", ExitCode.UNREACHABLE, "no flashdeckd listens on", "on empty, "),
        ("stranger", ExitCode.NO_PERMISSION, "does not let you in", "ssh-copy-id"),
        ("closed", ExitCode.UNREACHABLE, "no ssh server answers", "sshd"),
        ("changed", ExitCode.UNREACHABLE, "key of changed is not the one", "find out why"),
    ],
)
def test_what_is_wrong_on_the_way_is_said(there: FarBench, host: str, code: int, message: str, hint: str) -> None:
    run = there.cli("--host", host, "boards", "--json")
    assert run.code == code, run.err
    assert message in run.json["error"]["message"]
    assert hint in run.json["error"]["hint"]


async def test_a_key_whose_forced_command_may_only_look_changes_nothing(there: FarBench) -> None:
    """Whatever its owner asks for: another command, a wide connection, or a way past the bridge."""
    assert there.cli("--host", "visitor", "boards", "--json").json["boards"][0]["name"] == "left"
    run = there.cli("--host", "visitor", "hold", "left")
    assert run.code == ExitCode.NO_PERMISSION
    assert "this connection is read-only: 'hold' is refused" in run.err
    async with await SshHost("visitor", "visitor", ("touch", "pwned;")).connect(client="test") as client:
        assert client.welcome.read_only
        with pytest.raises(RemoteError):
            await client.call(api.Hold(boards=("left",)))
    assert not (there.home / "pwned").exists()
    async with await there.connect() as client:
        assert not client.welcome.read_only
        assert (await client.call(api.GetBoards())).boards[0].hold is None


def test_where_ssh_is_not_installed_that_is_said(there: FarBench, tmp_path: Path) -> None:
    run = there.cli("--host", "bench", "boards", environ={"PATH": str(tmp_path)})
    assert run.code == ExitCode.UNREACHABLE
    assert "ssh is not installed here" in run.err


def test_a_shell_there_that_prints_is_named_with_what_it_prints(there: FarBench) -> None:
    if os.geteuid() != 0:
        pytest.skip("the account there is one's own: its start files are not to be touched")
    start_file = there.home / ".bashrc"
    before = start_file.read_bytes() if start_file.exists() else b""
    start_file.write_text("echo Welcome to the bench\n")
    try:
        run = there.cli("--host", "bench", "boards")
    finally:
        start_file.write_bytes(before)
    assert run.code == ExitCode.PROTOCOL_MISMATCH
    assert '"Welcome to the bench"' in run.err
    assert "~/.bashrc" in run.err


async def test_the_daemon_there_looks_at_who_comes_as_it_always_does(there: FarBench) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account")
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        async with Server(Hub(this_daemon(virtual=True)), {}).listening(place / "s"):
            place.chmod(0o755)  # noqa: ASYNC240 - of the test's own
            (place / "s").chmod(0o666)  # so that only the daemon can refuse
            host = SshHost("bench", "bench", (str(there.program), "--socket", str(place / "s")))
            with pytest.raises(ConnectionFailedError):
                await host.connect(client="test")


async def test_a_cut_in_an_upload_queues_nothing(there: FarBench) -> None:
    async with await there.connect() as client:
        before = (await client.call(api.GetJobs())).jobs
        there.wire.cut_after(VERY_LARGE // 2)
        with pytest.raises(ConnectionFailedError, match="the connection to bench was cut"):
            await client.upload("APP1.bin", firmware("9.9.9", size=VERY_LARGE), partition="app1")
    assert there.wire.was_cut.wait(WAIT_SECONDS)
    async with await there.connect() as client:
        assert (await client.call(api.GetJobs())).jobs == before


def test_a_cut_in_an_upload_is_told_so(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("9.9.9", size=VERY_LARGE))
    there.wire.cut_after(VERY_LARGE // 2)
    run = there.cli("--host", "bench", "flash", "app1", str(image), "--board", "left")
    assert run.code == ExitCode.UNREACHABLE
    assert "while APP1.bin was sent" in run.err
    assert "nothing was queued" in run.err


def test_a_flash_goes_on_there_when_the_connection_is_cut(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("2.0.0", size=LARGE))
    with there.started("--host", "bench", "flash", "app1", str(image), "--board", "left") as process:
        all_of(process, "left app1: writing")
        there.wire.cut()
        out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == ExitCode.UNREACHABLE, (out, err)
    assert b"the connection to bench was cut" in err
    assert b"it stays in the queue; 'flashdeck --host bench cancel" in err
    job = asyncio.run(newest_job(there))
    assert isinstance(asyncio.run(settled(there, job.id)).status, Done)


def test_what_was_to_end_with_the_command_is_cancelled_there(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("2.0.1", size=LARGE))
    words = ("--host", "bench", "flash", "app1", str(image), "--board", "left", "--cancel-on-exit")
    with there.started(*words) as process:
        all_of(process, "left app1: writing")
        process.kill()
        process.communicate(timeout=WAIT_SECONDS)
    job = asyncio.run(settled(there, asyncio.run(newest_job(there)).id))
    assert not isinstance(job.status, Done)


async def queue_for_absent(there: FarBench, data: bytes) -> None:
    """Pull the cable of `right`, and queue an image for it."""
    async with await there.connect() as client:
        await client.call(api.VirtualUnplug(boards=("right",)))
        image = await client.upload("APP1.bin", data, partition="app1")
        await client.call(api.Flash(partition="app1", sha256=image.sha256, boards=("right",)))


async def plug(there: FarBench) -> None:
    async with await there.connect() as client:
        await client.call(api.VirtualPlug(boards=("right",)))


def test_waiting_goes_on_after_a_cut(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("2.1.0"))
    asyncio.run(queue_for_absent(there, image.read_bytes()))
    words = ("--host", "bench", "wait", "app1", "--for", str(image), "--board", "right", "--json")
    with there.started(*words) as process:
        all_of(process, "right app1")
        there.wire.cut()
        said = all_of(process, "connected again")
        asyncio.run(plug(there))
        out, _ = process.communicate(timeout=WAIT_SECONDS)
    assert "trying again" in said
    assert process.returncode == ExitCode.OK, out


def test_a_log_that_is_followed_goes_on_behind_the_last_line(there: FarBench) -> None:
    with there.started("--host", "bench", "logs", "-f", "-n", "1") as process:
        up_to(process.stdout, "\n")  # it follows
        assert there.cli("--host", "bench", "hold", "right", "--reason", "before the cut").code == ExitCode.OK
        up_to(process.stdout, "on hold: before the cut")
        there.wire.cut()
        all_of(process, "connected again")
        assert there.cli("--host", "bench", "release", "right").code == ExitCode.OK
        later = up_to(process.stdout, "released")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_SECONDS)
    assert "on hold" not in later, "what was told is not told again"


def test_builds_of_a_file_here_are_builds_there_also_after_a_cut(there: FarBench, image: Path) -> None:
    image.write_bytes(firmware("3.0.0"))
    words = ("follow", "app1", str(image), "--host", "bench", "--board", "right")
    with there.started(*words) as process:
        assert "offered: it was there before it was followed" in all_of(process, "offered")
        image.write_bytes(firmware("3.0.1"))
        all_of(process, "right app1: done")
        there.wire.cut()
        all_of(process, "connected again")
        image.write_bytes(firmware("3.0.2"))
        all_of(process, "right app1: done")
        assert there.cli("--host", "bench", "disarm", "right").code == ExitCode.OK
        image.write_bytes(firmware("3.0.3"))
        all_of(process, "offered: disarmed")
        assert there.cli("--host", "bench", "arm", "right").code == ExitCode.OK
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert b"Traceback" not in err


def test_follow_says_what_it_leaves_in_the_queue(there: FarBench, image: Path) -> None:
    assert there.cli("--host", "bench", "hold", "right").code == ExitCode.OK
    try:
        with there.started("follow", "app1", str(image), "--host", "bench", "--board", "right") as process:
            all_of(process, "follows")
            image.write_bytes(firmware("4.0.0"))
            all_of(process, "queued")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=WAIT_SECONDS)
        assert b"it stays in the queue; 'flashdeck --host bench cancel" in err
    finally:
        assert there.cli("--host", "bench", "release", "right").code == ExitCode.OK


async def several_clients(there: FarBench) -> None:
    for client in [await there.connect() for _ in range(2)]:
        await client.close()


def test_connections_leave_no_process_behind(there: FarBench) -> None:
    asyncio.run(several_clients(there))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    programs = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    assert [each for each in programs if b"connect --stdio" in each] == []


def test_a_program_reaches_it_and_loses_its_board_with_the_connection(
    there: FarBench, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in there.environment.items():
        monkeypatch.setenv(name, value)
    image.write_bytes(firmware("7.0.0"))
    with flashdeck.connect(host="bench") as bench:
        with bench.take("left", timeout=WAIT_SECONDS):
            assert bench.flash("app1", image, boards="left", timeout=WAIT_SECONDS).rows[0].is_done
        with bench.take("left", no_wait=True):
            assert bench.read("app1", boards="left").data.startswith(image.read_bytes())
            there.wire.cut()
            with pytest.raises(ConnectionFailedError):
                bench.status()
    with flashdeck.connect(host="bench") as again, again.take("left", timeout=WAIT_SECONDS):
        pass
    with pytest.raises(RequestError, match="a host another machine"):
        flashdeck.connect("/run/s", host="bench")


async def test_a_board_there_runs_what_is_built_here_and_is_free_once_the_run_is_killed(
    there: FarBench, image: Path
) -> None:
    await asyncio.to_thread(image.write_bytes, firmware("PASS 1"))
    beside = machine_beside(there, "talking", ("slow", "quick"), says='{ image = "flashdeck-test " }')
    with beside.server(), beside.daemon():
        words = ("--host", "talking", "run", "app1", str(image), "--board", "quick", "--timeout", f"{WAIT_SECONDS:g}")
        run = there.cli(*words, "--until", "PASS")
        assert (run.code, "flashdeck-test PASS 1" in run.out.splitlines()) == (ExitCode.OK, True), run.err
        with there.started(*words, "--until", "NEVER") as process:
            all_of(process, "quick app1: done")
            host = SshHost("talking", "talking", (str(there.program), "--socket", f"{beside.place}/flashdeckd.sock"))
            async with await host.connect(client="test") as client:
                changes = client.follow()
                first = await anext(changes)
                assert isinstance(first, Snapshot)
                assert [board.name for board in first.boards if board.lease is not None] == ["quick"]
                process.kill()
                async with asyncio.timeout(WAIT_SECONDS):
                    async for change in changes:
                        board = change.board if isinstance(change, Event) else None
                        if board is not None and board.name == "quick" and board.lease is None:
                            break
                await changes.aclose()
