"""`flashdeck run` beside a real daemon: a board is taken, flashed, started and followed until a line decides."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import flashdeck
from flashdeck import api
from flashdeck.board_run import RunOutcome
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import ErrorKind, NotDoneError
from flashdeck.job_state import Cancelled, Canceller, Done, Running, WaitFor, Waiting
from flashdeck.model import JobState, Snapshot
from job_states import is_writing
from junit_file import read_junit
from rig import APP1, SLOW, WAIT_SECONDS, Rig, board, firmware, prepare, running

pytestmark = pytest.mark.long

FLASHDECK = str(Path(sys.executable).with_name("flashdeck"))
ON_APP = '[profiles.product.console]\nport = "app"\n'
SAYS = '{ image = "flashdeck-test " }'
SAYS_MORE = SAYS + ', { after = "20ms", text = "adc 512\\r\\n" }'
SAYS_PROMPT = SAYS + ', { after = "20ms", text = "> " }'
LARGE = 100_000
"""Bytes of an image whose flash takes its time on a slow board: a command ends in the middle of it."""
GOOD, BAD = firmware("PASS 1"), firmware("FAIL and PASS")
UNTIL = ("--until", "PASS", "--timeout", str(WAIT_SECONDS))


@asynccontextmanager
async def talking(
    root: Path, *names: str, profile: str = ON_APP, says: str = SAYS, **keys: object
) -> AsyncGenerator[Rig]:
    """A daemon with boards that say what their image has to say."""
    numbered = [(name, number, f"TEST{number:08}") for number, name in enumerate(names or ("left",), 1)]
    prepare(
        root,
        boards="".join(f'[boards.{name}]\nprofile = "product"\nserial = "{serial}"\n' for name, _, serial in numbered),
        bench="".join(
            board(name, number, serial=serial, serial_port="plain", **keys) + f"says = [{says}]\n"
            for name, number, serial in numbered
        ),
        profile=profile,
    )
    (root / "good.bin").write_bytes(GOOD)
    (root / "bad.bin").write_bytes(BAD)
    async with running(root) as rig:
        yield rig


class Ended:
    """A command that has ended."""

    def __init__(self, code: int | None, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty: see `console_entries.said`."""
        return [line for line in self.out.splitlines() if line]


async def begun(rig: Rig, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(FLASHDECK, "--socket", str(rig.socket), *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=rig.root,
    )


async def ended(process: asyncio.subprocess.Process) -> Ended:
    out, err = await asyncio.wait_for(process.communicate(), 2 * WAIT_SECONDS)
    return Ended(process.returncode, out, err)


async def run(rig: Rig, *words: str) -> Ended:
    return await ended(await begun(rig, "run", *words))


def is_free(snapshot: Snapshot) -> bool:
    return all(each.lease is None for each in snapshot.boards)


def is_taken(snapshot: Snapshot) -> bool:
    return any(each.lease is not None for each in snapshot.boards)


def any_job(test: Callable[[JobState], bool]) -> Callable[[Snapshot], bool]:
    return lambda snapshot: any(map(test, snapshot.jobs))


def waits_for_board(job: JobState) -> bool:
    return isinstance(job.status, Waiting) and job.status.for_ is WaitFor.ABSENT


async def test_it_ends_with_0_at_the_line_and_the_board_is_free_then(root: Path) -> None:
    async with talking(root) as rig:
        done = await run(rig, "app1", "good.bin", "--board", "left", *UNTIL)
        assert (done.code, done.lines) == (0, ["flashdeck-test PASS 1"]), done.err
        assert "passed after" in done.err
        assert is_free(await rig.client.call(api.GetStatus()))
        assert await rig.partition_of("left", len(GOOD)) == GOOD


async def test_an_image_that_is_there_already_is_started_anew_and_no_older_line_counts(root: Path) -> None:
    async with talking(root, says=SAYS_MORE) as rig:
        for _ in range(2):
            done = await run(rig, "app1", "good.bin", *UNTIL, "--json")
            assert done.code == 0, done.err
            (row,) = done.json["boards"]
            assert (row["passed"], row["line"], row["pattern"]) == (True, "flashdeck-test PASS 1", "PASS")
            assert [each["text"] for each in row["entries"] if each["is_leave"]] == [f"job {row['job']['id']}: leave"]
            lines = [each["text"] for each in row["entries"] if each["kind"] == "line"]
            assert lines.count("flashdeck-test PASS 1") == 1
        await rig.client.call(api.VirtualSay(board="left", text="READY"))
        done = await run(rig, "app1", "good.bin", "--until", "READY", "--fail", "adc", *UNTIL[2:])
        assert done.code == 14, "what it said before is over"
        assert 'it said "adc 512"' in done.err


async def test_a_line_of_fail_counts_before_one_of_until(root: Path) -> None:
    async with talking(root) as rig:
        done = await run(rig, "app1", "bad.bin", *UNTIL, "--fail", "HardFault", "--fail", "FAIL", "--junit", "r.xml")
        assert (done.code, done.lines) == (14, ["flashdeck-test FAIL and PASS"])
        assert "it said \"flashdeck-test FAIL and PASS\", which is a failure ('FAIL')" in done.err
        suites = read_junit(root / "r.xml")
        assert (suites.tag, suites.get("tests"), suites.get("failures"), suites.get("errors")) == (
            *("testsuites", "1", "1", "0"),
        )
        (case,) = suites.iter("testcase")
        assert (case.get("classname"), case.get("name")) == ("flashdeck run app1", "left")
        assert float(case.get("time", "0")) > 0
        (failure,) = case.iter("failure")
        assert failure.get("type") == "crashed"
        assert "FAIL and PASS" in (failure.text or "")
        assert "flashdeck-test FAIL and PASS" in (case.findtext("system-out") or "").splitlines()


async def test_a_prompt_without_an_end_of_line_counts(root: Path) -> None:
    async with talking(root, says=SAYS_PROMPT) as rig:
        assert (await run(rig, "app1", "good.bin", "--until", "^> $", *UNTIL[2:])).code == 0


async def test_what_is_not_said_in_time_ends_it_with_6(root: Path) -> None:
    async with talking(root, says=SAYS_MORE) as rig:
        done = await run(rig, "app1", "good.bin", "--until", "NEVER", "--until", "NOT", "--timeout", "3", "--json")
        assert done.code == 6, done.err
        failure = done.json["boards"][0]["failure"]
        assert failure["kind"] == "timeout"
        assert failure["message"] == "'NEVER' or 'NOT' was not seen within 3 s; its last line was \"adc 512\""
        assert is_free(await rig.client.call(api.GetStatus()))


async def test_a_flash_that_fails_ends_it_with_5(root: Path) -> None:
    async with talking(root) as rig:
        fault = api.VirtualFault(board="left", fault="error-write", address=APP1 + 9000, times=50)
        await rig.client.call(fault)
        done = await run(rig, "app1", "good.bin", *UNTIL, "--junit", "r.xml")
        assert (done.code, done.out) == (5, ""), done.err
        (case,) = read_junit(root / "r.xml").iter("testcase")
        assert case.find("failure") is None
        assert case.find("error") is not None, "the board was not tried"


async def test_a_board_that_does_not_start_ends_it_with_5(root: Path) -> None:
    async with talking(root, model="classic-template") as rig:
        done = await run(rig, "app1", "good.bin", *UNTIL, "--json")
        assert done.code == 5, done.err
        assert done.json["error"]["kind"] == "not-accepted"
        assert "did not accept the image" in done.json["error"]["message"]


async def test_where_no_console_can_be_had_nothing_is_flashed_and_it_ends_with_13(root: Path) -> None:
    async with talking(root, profile="") as rig:
        done = await run(rig, "app1", "good.bin", *UNTIL)
        assert done.code == 13, done.err
        assert "left app1: it has no console" in done.err
        assert "[profiles.product.console]" in done.err
        assert not await rig.jobs()


async def test_a_console_that_another_program_has_ends_it_with_13(root: Path) -> None:
    async with talking(root) as rig:
        assert (await run(rig, "app1", "good.bin", *UNTIL)).code == 0
        released = await rig.client.call(api.ReleaseConsole(board="left"))
        other = os.open(released.console.node, os.O_RDWR | os.O_NOCTTY)
        try:
            await rig.client.call(api.ResumeConsole(board="left"))
            done = await run(rig, "app1", "bad.bin", *UNTIL, "--json")
        finally:
            os.close(other)
        assert done.code == 13, done.err
        assert f"(pid {os.getpid()}) has it open" in done.json["error"]["message"]
        assert await rig.partition_of("left", len(GOOD)) == GOOD, "nothing was flashed"


async def test_a_console_that_is_released_meanwhile_ends_it_with_13(root: Path) -> None:
    async with talking(root) as rig:
        process = await begun(rig, "run", "app1", "good.bin", "--until", "NEVER", "--timeout", "5")
        await rig.until(any_job(lambda job: isinstance(job.status, Done)))
        await rig.client.call(api.ReleaseConsole(board="left"))
        done = await ended(process)
        assert done.code == 13, done.err
        assert "its console cannot be read: released" in done.err


async def test_a_board_on_hold_ends_it_with_13_and_the_others_go_on(root: Path) -> None:
    async with talking(root, "left", "right") as rig:
        await rig.client.call(api.Hold(boards=("left",), reason="soldering"))
        done = await run(rig, "app1", "good.bin", *UNTIL, "--json")
        assert done.code == 13, done.err
        left, right = done.json["boards"]
        assert (left["passed"], left["failure"]["message"]) == (False, "it is on hold: soldering")
        assert right["passed"]


async def test_a_profile_that_never_leaves_ends_it_with_13(root: Path) -> None:
    async with talking(root, profile="leave = false\n" + ON_APP) as rig:
        done = await run(rig, "app1", "good.bin", *UNTIL)
        assert done.code == 13, done.err
        assert "it was flashed, and not started" in done.err


async def test_two_boards_at_once_of_which_one_fails(root: Path) -> None:
    async with talking(root, "left", "right") as rig:
        hangs = api.VirtualFault(board="right", fault="error-write", address=APP1 + 9000, times=50)
        await rig.client.call(hangs)
        done = await run(rig, "app1", "good.bin", "--board", "*", *UNTIL, "--junit", "r.xml")
        assert done.code == 10, done.err
        lines = done.lines
        assert lines[0] == "left: flashdeck-test PASS 1"
        table = [line.split() for line in lines if line.startswith(("BOARD", "left ", "right "))]
        assert [row[:3] for row in table] == [
            ["BOARD", "PARTITION", "RESULT"],
            ["left", "app1", "passed"],
            ["right", "app1", "failed"],
        ]
        suites = read_junit(root / "r.xml")
        assert [(case.get("name"), len(case.findall("error"))) for case in suites.iter("testcase")] == [
            ("left", 0),
            ("right", 1),
        ]


async def test_an_object_a_line_for_scripts(root: Path) -> None:
    async with talking(root) as rig:
        done = await run(rig, "app1", "good.bin", *UNTIL, "--jsonl")
        assert done.code == 0, done.err
        lines = [json.loads(line) for line in done.out.splitlines()]
        assert all(line["board"] == "left" for line in lines)
        assert "flashdeck-test PASS 1" in [line["entry"]["text"] for line in lines if line["entry"] is not None]
        assert {line["job"]["status"]["state"] for line in lines if line["job"] is not None} >= {"queued", "running"}
        assert [line["result"]["passed"] for line in lines if line["result"] is not None] == [True]
        assert lines[-1]["result"] is not None


@pytest.mark.parametrize("words", [("--until", "(?=x)"), ("--until", "x", "--fail", "(a)\\1")])
async def test_a_pattern_that_is_refused_is_named(root: Path, words: tuple[str, ...]) -> None:
    async with talking(root) as rig:
        done = await run(rig, "app1", "good.bin", *words)
        assert done.code == 2
        assert "a look-ahead" in done.err or "a back-reference" in done.err
        assert not await rig.jobs()


async def test_a_run_that_is_killed_gives_its_board_back_and_leaves_no_job_that_waits(root: Path) -> None:
    async with talking(root) as rig:
        await rig.unplug("left")
        process = await begun(rig, "run", "app1", "good.bin", *UNTIL, "--junit", "r.xml")
        await rig.until(any_job(waits_for_board))
        process.kill()
        await ended(process)
        snapshot = await rig.until(lambda now: is_free(now) and now.jobs[0].is_settled)
        assert isinstance(snapshot.jobs[0].status, Cancelled)
        assert snapshot.jobs[0].status.by is Canceller.CLIENT
        (case,) = read_junit(root / "r.xml").iter("testcase")
        assert case.find("error") is not None, "no older result is left there"


async def test_a_run_that_is_killed_while_it_flashes_lets_the_flash_go_on(root: Path) -> None:
    (root / "large.bin").write_bytes(large := firmware("PASS 2", size=LARGE))
    async with talking(root, **SLOW) as rig:
        process = await begun(rig, "run", "app1", "large.bin", *UNTIL)
        await rig.until(any_job(is_writing))
        process.kill()
        await ended(process)
        await rig.until(is_free)
        (job,) = await rig.jobs()
        assert isinstance(job.status, Running), job.status
        await rig.wait(data=large)


async def test_ctrl_c_gives_the_board_back_and_says_what_becomes_of_the_job(root: Path) -> None:
    (root / "large.bin").write_bytes(large := firmware("PASS 2", size=LARGE))
    async with talking(root, **SLOW) as rig:
        process = await begun(rig, "run", "app1", "large.bin", *UNTIL)
        await rig.until(any_job(is_writing))
        process.send_signal(signal.SIGINT)
        done = await ended(process)
        assert done.code == 130
        (job,) = await rig.jobs()
        assert f"job {job.id} of left is not done: it goes on; 'flashdeck cancel {job.id}' ends it" in done.err
        await rig.wait(data=large)
        await rig.unplug("left")
        process = await begun(rig, "run", "app1", "good.bin", *UNTIL)
        assert process.stderr is not None
        while b"left app1: waiting" not in await process.stderr.readline():
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        done = await ended(process)
        assert done.code == 130
        assert "of left is cancelled: it never began" in done.err
        snapshot = await rig.until(lambda now: is_free(now) and all(job.is_settled for job in now.jobs))
        assert any(isinstance(job.status, Cancelled) for job in snapshot.jobs)


async def test_in_a_take_it_uses_the_lease_that_is_there(root: Path) -> None:
    async with talking(root, "left", "right") as rig:
        words = (FLASHDECK, "--socket", str(rig.socket), "run", "app1", "good.bin", *UNTIL, "--board")
        assert (await ended(await begun(rig, "take", "left", "--", *words, "left"))).code == 0
        done = await ended(await begun(rig, "take", "left", "--", *words, "right"))
        assert done.code == 2
        assert "take all boards that you need" in done.err


async def test_who_has_the_board_is_said_and_waited_for(root: Path) -> None:
    async with talking(root) as rig:
        lease = await rig.client.call(api.Take(boards=("left",), by="alice", reason="a test"))
        done = await run(rig, "app1", "good.bin", "--until", "PASS", "--timeout", "0.5", "--json")
        assert done.code == 6
        assert "taken by alice for a test; waits for the end of that" in done.err
        assert "taken by alice" in done.json["boards"][0]["failure"]["message"]
        process = await begun(rig, "run", "app1", "good.bin", *UNTIL)
        assert process.stderr is not None
        assert b"waits for the end of that" in await process.stderr.readline()
        await rig.client.call(api.EndLease())
        assert (await ended(process)).code == 0
        assert lease.boards == ("left",)


async def test_programs_run_boards_and_read_their_consoles(root: Path) -> None:
    async with talking(root) as rig, flashdeck.connect_async(rig.socket) as bench:
        heard: list[str] = []
        outcome = await bench.run(
            "app1", GOOD, until="PASS", timeout=WAIT_SECONDS, on_entry=lambda said: heard.append(said.entry.text)
        )
        assert isinstance(outcome, RunOutcome)
        assert outcome.rows[0].found is not None
        assert outcome.rows[0].found.line in heard
        assert is_free(await bench.status())
        async with bench.take("left") as lease:
            with pytest.raises(NotDoneError) as caught:
                await bench.run("app1", BAD, until="PASS", fail=["FAIL"], timeout=WAIT_SECONDS)
            assert (caught.value.kind, caught.value.exit_code) == (ErrorKind.CRASHED, 14)
            assert (await bench.status()).boards[0].lease is not None, f"{lease} goes on"
        said = [entry async for entry in bench.console("left", since_leave=True, timeout=0.0)]
        assert said[0].is_leave
        assert "flashdeck-test FAIL and PASS" in [each.text for each in said if each.kind is ConsoleKind.LINE]
        now = await bench.status()
        assert now.boards[0].console is not None
        assert now.boards[0].console.condition is ConsoleCondition.OPEN


async def test_programs_without_a_loop_run_boards_as_well(root: Path) -> None:
    def work(socket: Path) -> tuple[RunOutcome, list[str], list[str]]:
        heard: list[str] = []
        with flashdeck.connect(socket) as bench:
            outcome = bench.run(
                "app1", GOOD, until=["PASS"], timeout=WAIT_SECONDS, on_entry=lambda said: heard.append(said.entry.text)
            )
            with bench.console("left", since_leave=True) as entries:
                return outcome, heard, [next(entries).text]

    async with talking(root) as rig:
        outcome, heard, first = await asyncio.to_thread(work, rig.socket)
        (row,) = outcome.rows
        assert row.job is not None
        assert (row.is_done, "flashdeck-test PASS 1" in heard) == (True, True)
        assert first == [f"job {row.job.id}: leave"]
