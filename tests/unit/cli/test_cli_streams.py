"""stdout is data, stderr is talk: terminals, pipes, Ctrl-C, and text that means harm."""

import asyncio
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canned_daemon import NOW, SHA, CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done, Failed, Failure, Phase, Running, WaitFor, Waiting
from flashdeck.model import BoardHold, DeviceState, JobState, LogLevel, LogLine
from flashdeck_tui.terminal import size_of
from job_states import FAILED

PROGRAM = [sys.executable, "-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())"]
HOSTILE = "\x1b[2J\x1b]0;owned\x07[/]\r\n\x9b31m\u202eevil"
HARMFUL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SECONDS = 60
"""Bounds a child that hangs."""


def environment(**more: str) -> dict[str, str]:
    """Ours, without what switches colour off."""
    quiet = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS", "LINES"}}
    return quiet | {"TERM": "xterm-256color"} | more


class Child:
    """The command line as a process of its own, on a terminal of 80 x 24 where `terminal` says so."""

    def __init__(self, daemon: CannedDaemon, words: str, terminal: tuple[str, ...] = (), **env: str) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(  # noqa: S603 - our own words
            [*PROGRAM, "--socket", str(daemon.socket), *words.split()],
            stdin=subprocess.DEVNULL,
            stdout=follower if "stdout" in terminal else subprocess.PIPE,
            stderr=follower if "stderr" in terminal else subprocess.PIPE,
            env=environment(**env),
        )
        os.close(follower)

    def screen(self) -> str:
        """Everything that the terminal was sent, read until the child has closed it."""
        data = bytearray()
        while True:
            try:
                piece = os.read(self._leader, 4096)
            except OSError:  # EIO: no process has the terminal open any more
                return data.decode()
            data += piece

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        os.close(self._leader)


@pytest.fixture
def spawn(daemon: CannedDaemon) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(words: str, terminal: tuple[str, ...] = (), **env: str) -> Child:
        children.append(Child(daemon, words, terminal, **env))
        return children[-1]

    yield start
    for child in children:
        child.close()


def test_colour_on_a_terminal_only(daemon: CannedDaemon, spawn: Callable[..., Child]) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    on_terminal = spawn("boards", ("stdout",)).screen()
    assert "in DFU mode" in on_terminal
    assert "\x1b[1mBOARD" in on_terminal
    plain = re.sub(r"\x1b\[[0-9]+m", "", on_terminal).replace("\r\n", "\n")
    piped, _ = spawn("boards").process.communicate(timeout=SECONDS)
    assert piped.decode() == plain
    assert "\x1b" not in spawn("boards", ("stdout",), NO_COLOR="1").screen()
    assert "\x1b" not in spawn("boards", ("stdout",), TERM="dumb").screen()
    daemon.answers[api.GetBoards] = FlashdeckError("no", kind=ErrorKind.BLOCKED)
    assert spawn("boards", ("stderr",)).screen() == "\x1b[31merror:\x1b[0m no\r\n"


def test_a_terminal_whose_locale_has_only_ascii_is_sent_nothing_else(
    daemon: CannedDaemon, spawn: Callable[..., Child]
) -> None:
    device = DeviceState(port="1-9", usb_id="0483:df11", product="Größe 測…")
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=(device,))
    shown = spawn("boards", ("stdout",), LC_ALL="C").screen()
    assert "Gro?e ??~" in shown, "as wide as it was"
    assert shown.isascii()
    assert device.product in spawn("boards", ("stdout",), LC_ALL="C.UTF-8").screen()
    piped, _ = spawn("boards", LC_ALL="C").process.communicate(timeout=SECONDS)
    assert device.product in piped.decode(), "data stays as it is"


def test_json_on_a_terminal_stays_json(daemon: CannedDaemon, spawn: Callable[..., Child]) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    assert json.loads(spawn("boards --json", ("stdout", "stderr")).screen())["boards"][0]["name"] == "left"


def test_long_details_are_wrapped_on_a_terminal_and_whole_in_a_pipe(
    daemon: CannedDaemon, spawn: Callable[..., Child]
) -> None:
    reason = "waiting " * 30
    daemon.answers[api.GetJobs] = api.JobList(jobs=(job(status=waiting(reason)),))
    screen = re.sub(r"\x1b\[[0-9]+m", "", spawn("jobs", ("stdout",)).screen())
    assert screen.count("waiting") == 31
    assert max(map(len, screen.splitlines())) <= 80
    piped, _ = spawn("jobs").process.communicate(timeout=SECONDS)
    assert len(piped.splitlines()) == 2
    wide = job(board="b" * 32, version="v" * 99, status=waiting(reason))
    daemon.answers[api.GetJobs] = api.JobList(jobs=(wide,))
    screen = re.sub(r"\x1b\[[0-9]+m", "", spawn("jobs", ("stdout",)).screen())
    assert screen.count("waiting") == 31
    below = screen.splitlines()[2:]
    assert all(line.startswith("    waiting") and len(line) <= 80 for line in below)


def waiting(reason: str) -> Waiting:
    return Waiting(for_=WaitFor.HAND, reason=reason)


def flash_on(daemon: CannedDaemon, *states: JobState) -> None:
    def flash(_params: api.Flash) -> api.JobList:
        def publish(state: JobState) -> Callable[[], None]:
            return lambda: daemon.hub.publish_job(state)

        jobs = (job(1), job(2, "right"))
        for each in jobs:
            daemon.hub.publish_job(each)
        daemon.later(*map(publish, states))
        return api.JobList(jobs=jobs)

    daemon.answers[api.Flash] = flash


def test_progress_bars_stay_on_their_lines(daemon: CannedDaemon, spawn: Callable[..., Child]) -> None:
    long = "hold SW2, press RESET " * 10
    flash_on(
        daemon,
        job(1, status=Running(phase=Phase.WRITE, done=512, total=1024, since=NOW, answered_at=NOW)),
        job(2, "right", status=waiting(long)),
        job(1, status=Done()),
        job(2, "right", status=Done()),
    )
    child = spawn("flash app1", ("stderr",))
    data, _ = child.process.communicate(timeout=SECONDS)
    assert child.process.returncode == 0
    assert b"\x1b" not in data, "bars are talk"
    frames = re.sub(r"\x1b\[[0-9]+m", "", child.screen()).split("\x1b[2A")
    assert len(frames) > 1
    whole = f"\x1b[Jright app1: waiting: {long}\r\n"
    assert sum(frame.count(whole) for frame in frames) == 1, "what is too long for its line is said once above it"
    for frame in frames:
        drawn = frame.removeprefix(whole)
        assert drawn.count("\r\n") == 2, "one line a job, in every frame"
        assert all(len(line.removeprefix("\x1b[2K")) < 80 for line in drawn.splitlines())
    assert [line.split() for line in frames[-1].replace("\x1b[2K", "").splitlines()] == [
        ["left", "app1", "done"],
        ["right", "app1", "done"],
    ]


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_can_not_go_up_gets_a_line_a_change(
    daemon: CannedDaemon, spawn: Callable[..., Child], name: str
) -> None:
    flash_on(daemon, job(1, status=Done()), job(2, "right", status=Done()))
    child = spawn("flash app1", ("stderr",), TERM=name)
    child.process.communicate(timeout=SECONDS)
    shown = child.screen()
    assert "\x1b" not in shown
    changes = ["left app1: done", "left app1: queued", "right app1: done", "right app1: queued"]
    assert sorted(shown.splitlines()) == changes


@contextmanager
def no_reader(made: Callable[[], tuple[int, int]]) -> Generator[int]:
    """The writing end of a pipe that nobody reads, or of a terminal that was closed."""
    reader, writer = made()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


def run_into(stdout: int, daemon: CannedDaemon, words: str) -> "subprocess.CompletedProcess[bytes]":
    command = [*PROGRAM, "--socket", str(daemon.socket), *words.split()]
    return subprocess.run(  # noqa: S603 - our own words
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=SECONDS, check=False
    )


@pytest.mark.parametrize("made", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_a_reader_that_left_is_no_error(daemon: CannedDaemon, made: Callable[[], tuple[int, int]]) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    daemon.answers[api.GetLogs] = api.LogPage(
        lines=(LogLine(id=1, time=0, level=LogLevel.INFO, text="started"),), next=1
    )
    flash_on(daemon, job(1, status=Done()), job(2, "right", status=FAILED))
    with no_reader(made) as pipe:
        for words in ("boards", "boards --json", "logs", "logs -f", "logs -f --jsonl"):
            done = run_into(pipe, daemon, words)
            assert (done.returncode, done.stderr) == (0, b""), words
        # The jobs are followed to their end, and the exit code still tells it: somebody reads the messages.
        done = run_into(pipe, daemon, "flash app1")
        assert done.returncode == 10
        assert b"Traceback" not in done.stderr
        helped = run_into(pipe, daemon, "flash --help")
        assert helped.stderr == b"" or made is pty.openpty, "click writes that"


def of_reader_that_leaves(daemon: CannedDaemon, words: str, *, with_messages: bool = False) -> "tuple[int, bytes]":
    """Exit code, and the messages, of a command whose first line is read, and then no more."""
    reader, writer = os.pipe()
    child = subprocess.Popen(  # noqa: S603 - our own words
        [*PROGRAM, "--socket", str(daemon.socket), *words.split()],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer if with_messages else subprocess.PIPE,
    )
    os.close(writer)
    with open(reader, "rb", buffering=0) as lines:  # noqa: PTH123 - no path
        assert lines.readline()
    _, messages = child.communicate(timeout=SECONDS)
    return child.returncode, messages


@pytest.mark.parametrize("words", ["logs -f", "logs -f --jsonl", "logs -f --level debug"])
def test_a_log_that_is_followed_ends_with_its_reader_and_not_with_the_next_line(
    daemon: CannedDaemon, words: str
) -> None:
    line = LogLine(id=1, time=0, level=LogLevel.INFO, text="started")
    daemon.answers[api.GetLogs] = api.LogPage(lines=(line,), next=1)
    daemon.answers[api.GetDebugLog] = lambda params: forever() if params.wait else api.LogPage(lines=(), next=0)
    assert of_reader_that_leaves(daemon, words) == (0, b"")


async def forever() -> api.LogPage:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("words", ["flash app1 --jsonl", "verify app1 --jsonl", "retry 1 --jsonl"])
def test_jobs_that_are_followed_as_lines_are_left_with_the_reader_of_the_lines(
    daemon: CannedDaemon, words: str
) -> None:
    ordered = api.JobList(jobs=(job(1),))
    daemon.answers |= {api.Flash: ordered, api.Verify: ordered, api.Retry: ordered.jobs[0]}
    code, messages = of_reader_that_leaves(daemon, words)
    assert code == 130
    assert b"job 1 is not done: it stays in the queue" in messages or words.startswith("retry")
    assert b"Traceback" not in messages


@pytest.mark.parametrize("words", ["flash app1", "wait app1"])
def test_a_command_whose_messages_and_data_nobody_reads_ends(daemon: CannedDaemon, words: str) -> None:
    daemon.hub.publish_job(job(1))
    daemon.on_loop(lambda: daemon.hub.publish_board(board()))
    daemon.answers[api.Flash] = api.JobList(jobs=(job(1),))
    daemon.silent.add(api.Wait)
    assert of_reader_that_leaves(daemon, words, with_messages=True)[0] == 130


def test_what_is_ordered_does_not_depend_on_who_reads(daemon: CannedDaemon) -> None:
    daemon.answers[api.Flash] = api.JobList(jobs=(job(1),))
    with no_reader(os.pipe) as pipe:
        for number in range(1, 4):
            assert run_into(pipe, daemon, "flash app1 --jsonl").returncode == 130
            assert len(daemon.called(api.Flash)) == number


def test_a_full_disk_is_an_error(daemon: CannedDaemon) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    with Path("/dev/full").open("wb") as full:
        done = run_into(full.fileno(), daemon, "boards")
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_ctrl_c_while_jobs_run(daemon: CannedDaemon, spawn: Callable[..., Child]) -> None:
    daemon.answers[api.Flash] = api.JobList(jobs=(job(7), job(8, "right", status=Done())))
    child = spawn("flash app1 --json")
    assert child.process.stderr is not None
    assert child.process.stderr.readline() == b"left app1: queued\n"
    assert child.process.stderr.readline() == b"right app1: done\n"
    child.process.send_signal(signal.SIGINT)
    out, err = child.process.communicate(timeout=SECONDS)
    assert child.process.returncode == 130
    assert b"job 7 is not done: it stays in the queue; 'flashdeck cancel 7' ends it" in err
    assert b"Traceback" not in err
    assert json.loads(out)["error"]["kind"] == "interrupted"


@pytest.mark.parametrize("words", ["wait app1", "logs -f"])
def test_ctrl_c_while_waiting(daemon: CannedDaemon, spawn: Callable[..., Child], words: str) -> None:
    line = LogLine(id=1, time=0, level=LogLevel.INFO, text="started")
    daemon.answers[api.GetLogs] = api.LogPage(lines=(line,), next=1)
    if words == "logs -f":
        child = spawn(words)
        assert child.process.stdout is not None
        assert b"started" in child.process.stdout.readline()
    else:
        daemon.silent.add(api.Wait)
        child = spawn(words)
        assert daemon.asked(api.Wait)
    child.process.send_signal(signal.SIGINT)
    _, err = child.process.communicate(timeout=SECONDS)
    assert child.process.returncode == 130
    assert err == b"error: interrupted\n"


def test_logs_are_followed(daemon: CannedDaemon, spawn: Callable[..., Child]) -> None:
    daemon.answers[api.GetLogs] = lambda params: api.LogPage(
        lines=daemon.hub.logs(after=params.after, limit=params.limit, boards=params.boards), next=0
    )
    daemon.on_loop(lambda: daemon.hub.log("before", board="left"))
    child = spawn("logs -f --board left --jsonl")
    stdout = child.process.stdout
    assert stdout is not None
    assert json.loads(stdout.readline())["log"]["text"] == "before"

    def more() -> None:
        daemon.hub.log("not asked for", board="right")
        daemon.hub.log("not about a board")
        daemon.hub.log("after", board="left")

    daemon.on_loop(more)
    assert json.loads(stdout.readline())["log"]["text"] == "after"
    daemon.stop()
    _, err = child.process.communicate(timeout=SECONDS)
    assert child.process.returncode == 3
    assert b"missing" not in err


def assert_harmless(text: str) -> None:
    assert not HARMFUL.search(text), ascii(text)


def test_hostile_text_is_harmless_everywhere(daemon: CannedDaemon, cli: Cli) -> None:
    failure = Failure(kind=ErrorKind.STALL, message=HOSTILE, hint=HOSTILE)
    evil_job = job(board=HOSTILE, version=HOSTILE, status=Failed(failure=failure))
    evil_board = board(
        HOSTILE,
        profile=HOSTILE,
        port=HOSTILE,
        serial=HOSTILE,
        hold=BoardHold(reason=HOSTILE),
        trouble=HOSTILE,
        doubts=(HOSTILE,),
    )
    evil_outcome = api.BoardOutcome(board=HOSTILE, partition=HOSTILE, job=evil_job, failure=failure)
    stranger = DeviceState(port=HOSTILE, usb_id=HOSTILE, serial=HOSTILE, product=HOSTILE, note=HOSTILE)
    line = LogLine(id=1, time=0, level=LogLevel.ERROR, text=HOSTILE, board=HOSTILE)
    step = api.PlanStep(action=HOSTILE, address=0, size=4, note=HOSTILE)
    plan = api.BoardPlan(
        board=HOSTILE, partition=HOSTILE, sha256=SHA, steps=(step,), protection=HOSTILE, notes=(HOSTILE,)
    )
    bench = api.VirtualBoardState(
        name=HOSTILE, model=HOSTILE, port=HOSTILE, serial=HOSTILE, plugged=True, mode=HOSTILE, violations=(HOSTILE,)
    )
    daemon.answers |= {
        api.GetBoards: api.BoardList(boards=(evil_board,), devices=(stranger,)),
        api.GetJobs: api.JobList(jobs=(evil_job,)),
        api.Flash: api.JobList(jobs=(evil_job,)),
        api.Plan: api.PlanList(plans=(plan,)),
        api.Wait: api.WaitResult(boards=(evil_outcome,)),
        api.GetLogs: api.LogPage(lines=(line,), next=1),
        api.Hold: api.BoardList(boards=(evil_board,), devices=()),
        api.Release: api.BoardList(boards=(evil_board,), devices=()),
        api.VirtualList: api.VirtualBoardList(boards=(bench,)),
        api.VirtualPlug: api.VirtualBoardList(boards=(bench,)),
    }

    def publish() -> None:
        daemon.hub.publish_board(evil_board)
        daemon.hub.publish_devices([stranger])
        daemon.hub.publish_job(evil_job)

    daemon.on_loop(publish)
    for words in (
        "status", "boards", "jobs", "flash app1", "plan app1", "wait app1", "logs", "logs --jsonl", "hold left",
        "release left", "virtual list", "virtual plug left",
    ):  # fmt: skip
        for more in ([], ["--json"]):
            if "--jsonl" in words and more:
                continue
            run = cli(*words.split(), *more)
            assert "evil" in run.out, words
            assert_harmless(run.out)
            assert_harmless(run.err)
    daemon.answers[api.GetBoards] = FlashdeckError(HOSTILE, hint=HOSTILE)
    assert_harmless(cli("boards").err)
    assert_harmless(cli("boards", "--json").out)


def test_hostile_words_are_not_echoed(offline: Cli) -> None:
    for words in ((HOSTILE,), ("flash", "app1", HOSTILE), ("jobs", "-n", HOSTILE), ("boards", f"--{HOSTILE}")):
        run = offline(*words)
        assert run.code == 2
        assert_harmless(run.err)


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=5))
def test_columns_are_aligned_whatever_is_in_them(rows: list[list[str]]) -> None:
    from flashdeck_tui.cell_width import cell_width  # noqa: PLC0415 - as below
    from flashdeck_tui.cli.table import table  # noqa: PLC0415 - the pure part

    marked = [["|" + cell.replace("|", "") for cell in row] for row in rows]
    lines = table(["|A", "|B", "|C"], marked).split("\n")
    assert len(lines) == len(rows) + 1, "a row is a line"
    places = [[cell_width(line[:at]) for at, ch in enumerate(line) if ch == "|"] for line in lines]
    assert all(place == places[0] for place in places)
    for line in lines:
        assert_harmless(line)


def test_a_latin_1_terminal_gets_replacements_and_no_traceback(daemon: CannedDaemon) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(product="x", serial="\u65e5\u672c"),), devices=())
    done = subprocess.run(  # noqa: S603 - our own words
        [*PROGRAM, "--socket", str(daemon.socket), "boards"],
        capture_output=True,
        env=environment(PYTHONIOENCODING="latin-1", PYTHONUTF8="0"),
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"??" in done.stdout


@pytest.mark.parametrize("words", ["--help", "--version", "config check", "flash -h"])
def test_what_needs_no_daemon_imports_none_of_it(words: str, tmp_path: Path) -> None:
    code = (
        "import sys; from flashdeck_tui.cli import main; main(sys.argv[1:]);"
        "print(*sorted(m.split('.')[0] for m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code, *words.split()],
        capture_output=True,
        text=True,
        env=environment(XDG_CONFIG_HOME=str(tmp_path)),
        timeout=SECONDS,
        check=True,
    )
    imported = set(done.stderr.split())
    assert not imported & {"flashdeckd", "usb", "pyudev", "watchfiles", "textual", "sqlite3"}
    if "flash" not in words and words != "--help":
        assert "asyncio" not in imported, "nothing here talks to a socket"


def test_the_size_is_that_of_the_terminal_that_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)  # as where JSON goes into a file
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as terminal:
        termios.tcsetwinsize(terminal, (20, 50))
        assert size_of(terminal) == (50, 20)
        monkeypatch.setenv("COLUMNS", "60")
        assert size_of(terminal) == (60, 20)
    monkeypatch.delenv("COLUMNS")
    assert size_of(io.StringIO()) == (80, 24)
