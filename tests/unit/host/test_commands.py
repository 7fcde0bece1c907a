"""Commands: how they end, what they are given, and that nothing of them is left."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from asked_times import asked_times
from flashdeckd.host import commands, threads
from flashdeckd.host.commands import GRACE_SECONDS, KEPT_VARIABLES, CommandResult, Exited, Signalled, TimedOut

LONG = 60.0
"""Seconds that no command here needs."""
MOST = 1000


async def shell(script: str, *, seconds: float = LONG, **variables: str) -> CommandResult:
    return await commands.run(["sh", "-c", script], environment=variables, seconds=seconds, most_output=MOST)


def read_to_the_end(fifo: Path) -> bytes:
    """What is written to a FIFO; returns when nobody has it open any more, so when its writers have ended."""
    return fifo.read_bytes()


def our_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def fifo_in(place: Path, name: str) -> Path:
    os.mkfifo(place / name)
    return place / name


@pytest.mark.parametrize(
    ("script", "ending", "text"),
    [
        ("exit 0", Exited(0), "ended with 0"),
        ("exit 3", Exited(3), "ended with 3"),
        ("kill -SEGV $$", Signalled(signal.SIGSEGV), "was ended by SIGSEGV"),
        ("kill -40 $$", Signalled(40), "was ended by signal 40"),
    ],
)
async def test_how_a_command_ends(script: str, ending: Exited | Signalled, text: str) -> None:
    result = await shell(script)
    assert (result.ending, result.ending.text, result.output) == (ending, text, "")
    assert result.is_success == (ending == Exited(0))


async def test_what_it_prints_is_kept_and_made_harmless() -> None:
    result = await shell(r"printf 'to stdout\n'; printf 'to\tstderr\033[31m\r\n\377' >&2")
    assert result.output == "to stdout\nto stderr\ufffd[31m\n\ufffd"


async def test_the_last_of_a_long_output_is_kept() -> None:
    result = await shell("head -c 300000 /dev/zero | tr '\\0' x; printf '%s' the end")
    assert (len(result.output), result.output[-6:]) == (MOST, "theend")
    assert result.is_success


async def test_words_are_arguments_and_no_shell_reads_them() -> None:
    argv = ["printf", "%s|", "a b", "$HOME", "`id`", "*"]
    result = await commands.run(argv, environment={}, seconds=LONG, most_output=MOST)
    assert result.output == "a b|$HOME|`id`|*|"


async def test_it_gets_little_of_our_environment_and_none_of_our_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LD_PRELOAD_OF_OURS", "x")
    told = "import os; print(sorted(os.environ)); print(os.listdir('/proc/self/fd')); print(os.getcwd(), os.getsid(0))"
    ours, theirs = os.pipe()
    os.set_inheritable(ours, True)  # noqa: FBT003 - the os module's own way
    try:
        argv = [sys.executable, "-I", "-c", told]
        environment = {"BOARD": "left", "HOME": "/nowhere"}
        result = await commands.run(argv, environment=environment, seconds=LONG, most_output=MOST)
    finally:
        os.close(ours)
        os.close(theirs)
    variables, descriptors, place = result.output.splitlines()
    allowed = {*KEPT_VARIABLES, "BOARD", "LC_CTYPE"}  # Python itself sets LC_CTYPE where there is no locale
    assert set(eval(variables)) <= allowed  # noqa: S307 - what our own line printed
    assert "BOARD" in variables
    assert descriptors == "['0', '1', '2', '3']"  # the last one is that of the list itself
    assert place.startswith("/ ")
    assert place != f"/ {os.getsid(0)}"


async def test_stdin_is_at_its_end() -> None:
    assert (await shell("cat; echo end")).output == "end"


async def test_one_that_is_out_of_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    result = await shell("exec sleep 1000", seconds=0.05)
    assert result.ending == TimedOut(0.05)
    assert not result.is_success
    assert result.ending.text == "did not end within 0.05 s"
    assert asked.timeouts == [0.05, GRACE_SECONDS]


async def test_what_it_leaves_running_ends_with_it(tmp_path: Path) -> None:
    fifo = fifo_in(tmp_path, "open")
    ended = asyncio.create_task(threads.run(read_to_the_end, fifo))
    result = await shell(f"exec 3>{fifo}; sleep 1000 & exit 3")
    assert result.ending == Exited(3)
    assert await ended == b""


async def begun(place: Path, script: str) -> "tuple[asyncio.Task[CommandResult], asyncio.Task[bytes]]":
    """A command that has come to the end of `script`, and what its descriptor 3 gets until all that have it ended."""
    fifo, begins = fifo_in(place, "open"), fifo_in(place, "begins")
    written = asyncio.create_task(threads.run(read_to_the_end, fifo))
    running = asyncio.create_task(shell(f"exec 3>{fifo}; {script}; echo now >{begins}; while :; do sleep 0.01; done"))
    assert await threads.run(read_to_the_end, begins) == b"now\n"
    return running, written


async def test_one_that_is_cancelled_ends_with_all_that_it_started(tmp_path: Path) -> None:
    running, written = await begun(tmp_path, "sleep 1000 & trap 'echo put in order >&3; exit' TERM")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await written == b"put in order\n"


async def test_one_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = asked_times(monkeypatch)
    monkeypatch.setattr(commands, "GRACE_SECONDS", 0.05)
    running, written = await begun(tmp_path, "trap '' TERM")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await written == b""
    assert asked.timeouts == [LONG, 0.05, 0.05]


async def test_whoever_will_not_wait_kills_it_at_once(tmp_path: Path) -> None:
    running, written = await begun(tmp_path, "trap 'echo asked >&3' TERM")
    running.cancel()
    await asyncio.wait({running, written}, timeout=0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await written in {b"", b"asked\n"}


@pytest.mark.parametrize("name", ["flashdeck-has-no-such-program", "/flashdeck/has/no/such/program"])
async def test_one_that_is_not_there_cannot_be_started(name: str) -> None:
    before = our_files()
    with pytest.raises(FileNotFoundError):
        await commands.run([name], environment={}, seconds=LONG, most_output=MOST)
    with pytest.raises(ValueError, match="null byte"):
        await commands.run(["true"], environment={"SERIAL": "a\0b"}, seconds=LONG, most_output=MOST)
    assert our_files() == before


async def test_no_descriptor_is_left_behind() -> None:
    await shell("exit 0")  # the event loop's own are open from here on
    before = our_files()
    await asyncio.gather(shell("echo one"), shell("sleep 1000", seconds=0.05), shell("kill -9 $$"))
    assert our_files() == before


async def test_one_that_cannot_be_watched_is_not_left_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fifo = fifo_in(tmp_path, "open")
    reader = asyncio.get_running_loop().run_in_executor(None, read_to_the_end, fifo)
    begun = fifo_in(tmp_path, "begun")

    def fails(_: int) -> int:
        read_to_the_end(begun)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", fails)
    with pytest.raises(OSError, match="Too many open files"):
        await shell(f"exec 3>{fifo}; echo >{begun}; sleep 600")
    assert await reader == b""


def test_a_program_is_found_where_it_would_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "enter"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commands.find("enter") == commands.find(str(program)) == ""
    program.chmod(0o700)
    assert commands.find("enter") == commands.find(str(program)) == str(program)


class MadeUp:
    def find(self, program: str) -> str:
        return f"/made/up/{program}"

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        return CommandResult(Exited(0), f"{argv} {environment} {seconds:g} {most_output}")


async def test_a_command_may_be_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "system", MadeUp())
    result = await commands.run(["no-such"], environment={"BOARD": "left"}, seconds=1, most_output=2)
    assert result.output == "['no-such'] {'BOARD': 'left'} 1 2"
    assert commands.find("no-such") == "/made/up/no-such"
