"""What each command asks the daemon and how it shows the answer."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from canned_daemon import NOW, SHA, CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, ExitCode, RefusedError
from flashdeck.flash_map import FlashMap, SectorRun, SectorState
from flashdeck.job_state import Done, Failed, Failure, JobResult, Phase, Running, Verified, WaitFor, Waiting
from flashdeck.model import BoardHold, BoardState, Contents, DeviceState, LogLevel, LogLine, PartitionState, Presence

STRANGER = DeviceState(port="1-9", usb_id="0483:df11", serial="S9", product="Stranger", note="in DFU mode")
RESULT = JobResult(
    bytes_written=100_000,
    erases=13,
    blocks=98,
    transfers=333,
    uploads=99,
    slept=0.5,
    seconds=1.25,
    verified=Verified.YES,
    protection="boot unit last",
    started=True,
    unchanged=8192,
)


def held_board() -> BoardState:
    contents = Contents(sha256=SHA, size=8, version="2.0", flashed_at=NOW - 7200, verified=Verified.YES, job=3)
    partitions = (
        PartitionState(name="app1", address=0x08020000, size=0x60000, contents=contents, offered="f" * 64),
        PartitionState(name="partition2", address=0x08080000, size=0x60000, contents=replace(contents, complete=False)),
    )
    return board(
        "right",
        hold=BoardHold(reason="being soldered"),
        trouble="serial changed: adopt it",
        doubts=("it is not read",),
        partitions=partitions,
    )


def boards(*states: BoardState) -> api.BoardList:
    return api.BoardList(boards=states, devices=())


def fill(daemon: CannedDaemon) -> None:
    def publish() -> None:
        daemon.hub.publish_daemon(replace(daemon.hub.daemon, degraded=("udev: not readable",)))
        daemon.hub.publish_board(board("left"))
        daemon.hub.publish_board(held_board())
        daemon.hub.publish_devices([STRANGER])
        daemon.hub.publish_job(job(1, status=Done(result=RESULT)))
        daemon.hub.publish_job(
            job(2, status=Waiting(for_=WaitFor.HAND, reason="it is running", hint="hold SW2, press RESET"))
        )

    daemon.on_loop(publish)


def test_status_calls_nothing_verified_that_another_board_may_hold(daemon: CannedDaemon, cli: Cli) -> None:
    contents = Contents(sha256=SHA, size=8, version="2.0", flashed_at=NOW, verified=Verified.YES, job=3, uncertain=True)
    app1 = PartitionState(name="app1", address=0x08020000, size=0x60000, contents=contents)
    daemon.on_loop(lambda: daemon.hub.publish_board(board("right", partitions=(app1,))))
    run = cli("status")
    rows = last_rows(run.out)
    assert rows["right", "app1"].split()[2:4] == ["2.0", "uncertain"]
    assert "verified" not in run.out
    assert "uncertain: another serial or bcdDevice was seen since" in run.out


def test_status_shows_daemon_boards_contents_strangers_and_the_queue(daemon: CannedDaemon, cli: Cli) -> None:
    fill(daemon)
    run = cli("status")
    assert (run.code, run.err) == (0, "")
    assert "flashdeckd 0.1.0 on bench, process 4711, started 2 h ago, virtual boards" in run.out
    assert "degraded: udev: not readable" in run.out
    rows = last_rows(run.out)
    assert "336E36833233" in rows["left", "product"]
    assert "in DFU mode (on hold)" in rows["right", "product"]
    assert "right: on hold: being soldered" in run.out
    assert "right: it is not read: until `flashdeck release right`" in run.out
    assert "right: serial changed: adopt it" in run.out
    assert "protected" in rows["left", "bootloader"]
    assert "never flashed here" in rows["left", "app1"]
    assert rows["right", "app1"].split()[2:6] == ["2.0", "verified", "2", "h"]
    assert "offered" in rows["right", "app1"]
    assert "incomplete" in rows["right", "partition2"]
    assert "never touched" in run.out
    assert "Stranger" in rows["0483:df11", "1-9"]
    assert "hold SW2, press RESET" in rows["2", "left"]
    assert ("1", "left") not in rows, "an ended job is not in the queue"


def last_rows(out: str) -> dict[tuple[str, ...], str]:
    """The rows of all tables by their first two words, those of later tables in place of earlier ones."""
    return {tuple(line.split()[:2]): line for line in out.splitlines()}


def test_status_without_boards_says_so(cli: Cli) -> None:
    run = cli("status")
    assert run.code == 0
    assert "no boards configured" in run.out
    assert "nothing queued" in run.out


def test_status_json_is_the_whole_snapshot_with_every_field(daemon: CannedDaemon, cli: Cli) -> None:
    fill(daemon)
    snapshot = cli("status", "--json").json
    assert snapshot["daemon"]["degraded"] == ["udev: not readable"]
    assert [each["name"] for each in snapshot["boards"]] == ["left", "right"]
    assert snapshot["boards"][0]["hold"] is None, "a field with its default is there as well"
    assert snapshot["boards"][1]["partitions"][0]["contents"]["verified"] == "verified"
    assert snapshot["devices"][0]["usb_id"] == "0483:df11"
    assert snapshot["jobs"][1]["status"]["state"] == "waiting"


def test_boards_lists_the_configured_and_the_strangers(daemon: CannedDaemon, cli: Cli) -> None:
    absent = board("spare", presence=Presence.ABSENT, port="", serial="")
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(), absent), devices=(STRANGER,))
    run = cli("boards")
    assert run.code == 0
    assert [line.split() for line in run.out.splitlines()][:3] == [
        ["BOARD", "PROFILE", "STATE", "PORT", "SERIAL"],
        ["left", "product", "in", "DFU", "mode", "1-4.2", "336E36833233"],
        ["spare", "product", "absent", "-", "-"],
    ]
    assert "not configured: listed, never touched" in run.out
    assert run.out.endswith("\n'flashdeck suggest' and 'flashdeck adopt' make boards of them\n")
    listed = cli("boards", "--json").json
    assert [each["name"] for each in listed["boards"]] == ["left", "spare"]
    assert listed["devices"][0]["note"] == "in DFU mode"


def test_no_boards_is_no_error(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(), devices=())
    assert cli("boards") == (0, "no boards configured\n", "")


def test_jobs_tells_what_each_came_to(daemon: CannedDaemon, cli: Cli) -> None:
    failure = Failure(kind=ErrorKind.VERIFY, message="0x08020010 reads 00, not ff", hint="look at the supply")
    daemon.answers[api.GetJobs] = api.JobList(
        jobs=(
            job(3, status=Running(phase=Phase.WRITE, done=300, total=1200, since=NOW, answered_at=NOW)),
            job(2, status=Failed(failure=failure)),
            job(1, status=Done(result=RESULT), version=""),
        )
    )
    run = cli("jobs", "-n", "3")
    assert run.code == 0
    assert daemon.called(api.GetJobs) == [api.GetJobs(limit=3)]
    lines = run.out.splitlines()
    assert lines[1].split()[4:5] == ["writing"]
    assert lines[1].endswith("25 %")
    assert "0x08020010 reads 00, not ff (look at the supply)" in lines[2]
    assert "97.7 KiB in 1.2 s, 8 KiB left alone, 13 erases, verified, started" in lines[3]
    assert SHA[:12] in lines[3], "without a version the hash tells images apart"
    assert [each["id"] for each in cli("jobs", "--json").json["jobs"]] == [3, 2, 1]


def test_no_jobs_is_no_error(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetJobs] = api.JobList(jobs=())
    assert cli("jobs") == (0, "no jobs yet\n", "")


def test_hold_and_release(daemon: CannedDaemon, cli: Cli) -> None:
    both = ("left", "right")
    daemon.answers[api.Hold] = lambda params: boards(
        *(board(name, hold=BoardHold(reason=params.reason)) for name in both)
    )
    daemon.answers[api.Release] = boards(board())
    run = cli("hold", "left", "r*", "--reason", "on the bench")
    assert run == (0, "left: on hold: on the bench\nright: on hold: on the bench\n", "")
    assert [each["hold"]["reason"] for each in cli("hold", "*", "--reason", "x", "--json").json["boards"]] == ["x", "x"]
    assert cli("release", "left") == (0, "left: not on hold\n", "")
    assert cli("release", "left", "--json").json["boards"][0]["hold"] is None
    assert daemon.called(api.Hold)[0] == api.Hold(boards=("left", "r*"), reason="on the bench")
    assert daemon.called(api.Release) == [api.Release(boards=("left",))] * 2


def steps() -> tuple[api.PlanStep, ...]:
    erases = [api.PlanStep(action="erase", address=0x08020000 + n * 0x2000, size=0x2000) for n in range(3)]
    writes = [api.PlanStep(action="write", address=0x08020400 + n * 0x400, size=0x400) for n in range(7)]
    apart = api.PlanStep(action="write", address=0x08030000, size=0x400)
    boot = api.PlanStep(action="write", address=0x08020000, size=0x400, note="boot unit")
    leave = api.PlanStep(action="leave", address=0x08020000, size=0x400)
    return (*erases, *writes, apart, boot, leave)


def test_plan_folds_runs_of_equal_steps(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    image = tmp_path / "APP1.bin"
    image.write_bytes(b"x" * 9000)
    plan = api.BoardPlan(
        board="left",
        partition="app1",
        sha256=SHA,
        steps=steps(),
        erases=3,
        blocks=9,
        requests=44,
        protection="boot unit last",
        notes=("reading is not proved",),
    )
    blocked = api.BoardPlan(board="right", partition="app1", sha256=SHA, blocked="the map disagrees")
    daemon.answers[api.Plan] = api.PlanList(plans=(plan, blocked))
    run = cli("plan", "app1", str(image), "--board", "l*", "--board", "right")
    assert run.code == 0
    rows = [line.split() for line in run.out.splitlines()]
    assert rows[2:7] == [
        ["erase", "3", "0x08020000", "0x08025fff", "24", "KiB"],
        ["write", "7", "0x08020400", "0x08021fff", "7", "KiB"],
        ["write", "1", "0x08030000", "0x080303ff", "1", "KiB"],
        ["write", "1", "0x08020000", "0x080203ff", "1", "KiB", "boot", "unit"],
        ["leave", "1"],
    ]
    assert "3 erases, 9 blocks, 44 requests" in run.out
    assert "protection: boot unit last" in run.out
    assert "note: reading is not proved" in run.out
    assert "would not start: the map disagrees" in run.out
    assert bytes(daemon.uploaded) == b"x" * 9000
    digest = hashlib.sha256(b"x" * 9000).hexdigest()
    assert daemon.called(api.Plan) == [api.Plan(partition="app1", sha256=digest, boards=("l*", "right"))]
    assert len(cli("plan", "app1", "--json").json["plans"][0]["steps"]) == 13, "the object folds nothing"


def test_plan_of_steps_in_many_places_stays_short(daemon: CannedDaemon, cli: Cli) -> None:
    steps = [
        *(api.PlanStep(action="erase", address=0x08020000 + n * 0x4000, size=0x2000) for n in range(20)),
        api.PlanStep(action="compare", address=0x08020000, size=0x2000, note="read again once\x1b[2J"),
        api.PlanStep(action="an unknown step", address=0, size=1),
    ]
    plan = api.BoardPlan(
        board="left", partition="app1", sha256=SHA, steps=tuple(steps), erases=1, blocks=1, requests=1, unchanged=8192
    )
    daemon.answers[api.Plan] = api.PlanList(plans=(plan,))
    rows = [line.split("  ") for line in cli("plan", "app1").out.splitlines()[2:]]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["erase (20 pieces)", "20", "0x08020000", "0x0806dfff", "160 KiB"],
        ["compare", "1", "0x08020000", "0x08021fff", "8 KiB", "read again once\N{REPLACEMENT CHARACTER}[2J"],
        ["an unknown step", "1", "0x00000000", "0x00000000", "1 B"],
        ["1 erase, 1 block, 1 request (more where a busy board is asked again), 8 KiB left alone"],
    ]


PLACES = (
    api.PartitionPlace(name="bootloader", address=0x08000000, size=0x20000),
    api.PartitionPlace(name="app1", address=0x08020000, size=0x60000),
)
RUNS = (
    SectorRun(address=0x08000000, size=0x2000, count=16, state=SectorState.PROTECTED),
    SectorRun(address=0x08020000, size=0x2000, count=3, state=SectorState.TO_ERASE),
    SectorRun(address=0x08026000, size=0x2000, count=5, state=SectorState.EQUAL),
    SectorRun(address=0x08030000, size=0x2000, count=40, state=SectorState.UNTOUCHED),
    SectorRun(address=0x08080000, size=0x2000, count=64, state=SectorState.VERIFIED),
)


def map_of_a_plan(daemon: CannedDaemon, cli: Cli) -> list[str]:
    shown = FlashMap(board="left", partition="app1", runs=RUNS)
    plan = api.BoardPlan(board="left", partition="app1", sha256=SHA, steps=steps(), map=shown, places=PLACES)
    daemon.answers[api.Plan] = api.PlanList(plans=(plan,))
    assert cli("plan", "app1", "--json").json["plans"][0]["map"]["runs"][1] == {
        "address": 0x08020000,
        "size": 0x2000,
        "count": 3,
        "state": "to-erase",
    }
    lines = cli("plan", "app1").out.splitlines()
    return lines[1 : next(at for at, line in enumerate(lines) if line.startswith("STEP"))]


def test_plan_draws_the_flash_sector_by_sector(daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert map_of_a_plan(daemon, cli) == [
        "0x08000000  LLLLLLLLLLLLLLLL                  bootloader  16 x 8 KiB",
        "0x08020000  xxx=====........................  app1  48 x 8 KiB",
        "0x08060000  ................",
        "0x08080000  ✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓  no partition  64 x 8 KiB",
        "0x080c0000  ✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓",
        "L protected  . untouched  = equal  x to be erased  ✓ verified",
    ]


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_the_map_of_a_plan_fits_into_any_terminal_and_any_locale(
    daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LC_ALL", "C")
    lines = map_of_a_plan(daemon, cli)
    assert all(len(line) <= columns and line.isascii() for line in lines)
    assert sum(line.count("v") for line in lines if line.startswith("0x")) == 64


def test_plan_that_is_blocked_everywhere_exits_with_13(daemon: CannedDaemon, cli: Cli) -> None:
    blocked = api.BoardPlan(board="left", partition="app1", sha256=SHA, blocked="held")
    daemon.answers[api.Plan] = api.PlanList(plans=(blocked, replace(blocked, board="right")))
    assert cli("plan", "app1").code == 13
    assert cli("plan", "app1", "--json").code == 13


@pytest.mark.parametrize("command", [("flash",), ("plan",), ("wait", "--for")])
def test_a_file_goes_to_the_daemon_with_its_name_and_where_it_is_for(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tmp_path / "APP1.elf"
    file.write_bytes(b"\x7fELF")
    daemon.answers[api.BeginUpload] = RefusedError("APP1.elf is a broken ELF file", hint="link it again")
    name, *option = command
    run = cli(name, "app1", *option, str(file), "--board", "l*", "--board", "right", "--json")
    assert run.code == ExitCode.REFUSED
    assert run.json["error"]["message"] == "APP1.elf is a broken ELF file"
    announced = api.BeginUpload(name="APP1.elf", size=4, partition="app1", boards=("l*", "right"))
    assert daemon.called(api.BeginUpload) == [announced]


def test_wait_asks_for_the_image_in_the_file(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    image = tmp_path / "APP1.bin"
    image.write_bytes(b"an image")
    row = api.BoardOutcome(board="left", partition="app1", is_there=True, job=job(status=Done(result=RESULT)))
    daemon.answers[api.Wait] = api.WaitResult(boards=(row,))
    run = cli("wait", "app1", "--for", str(image), "--board", "left", "--timeout", "2.5")
    assert run.code == 0
    assert run.err == ""
    assert "left   app1       up to date  job 1: done: 97.7 KiB in 1.2 s" in run.out
    assert daemon.called(api.Wait) == [api.Wait(partition="app1", sha256=SHA, boards=("left",), timeout=2.5)]
    answered = cli("wait", "app1", "--json").json
    assert answered["boards"][0]["job"]["status"]["state"] == "done"
    assert "error" not in answered
    assert daemon.called(api.Wait)[-1] == api.Wait(partition="app1", timeout=120)


def lines(*texts: str) -> tuple[LogLine, ...]:
    return tuple(
        LogLine(id=number, time=NOW, level=LogLevel.ERROR, text=text, board="left" if number > 1 else "")
        for number, text in enumerate(texts, 1)
    )


def test_logs_are_prefixed_by_their_board(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetLogs] = api.LogPage(lines=lines("started", "flashed"), next=2)
    run = cli("logs", "-n", "2", "--board", "left")
    assert run.code == 0
    first, second = run.out.splitlines()
    assert first.endswith("  started")
    assert second.endswith("  left: flashed")
    assert daemon.called(api.GetLogs) == [api.GetLogs(limit=2, boards=("left",))]
    assert [line["text"] for line in cli("logs", "--json").json["lines"]] == ["started", "flashed"]
    assert [each["log"]["id"] for each in cli("logs", "--jsonl").jsonl] == [1, 2]


def virtual(**fields: Any) -> api.VirtualBoardState:
    state = api.VirtualBoardState(
        name="left",
        model="classic",
        port="1-1",
        serial="V1",
        plugged=True,
        mode="dfu",
        erases=7,
        bytes_down=9000,
        bytes_up=24,
        sleeps=3,
        violations=("DNLOAD while busy",),
    )
    return replace(state, **fields)


def test_the_hands_on_a_virtual_bench(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.VirtualList] = api.VirtualBoardList(boards=(virtual(),))
    daemon.answers[api.VirtualPlug] = daemon.answers[api.VirtualPress] = api.VirtualBoardList(boards=(virtual(),))
    daemon.answers[api.VirtualUnplug] = api.VirtualBoardList(boards=(virtual(plugged=False, mode="unplugged"),))
    daemon.answers[api.VirtualFault] = daemon.answers[api.VirtualSay] = virtual()
    listed = cli("virtual", "list")
    assert listed.code == 0
    head, row, violation = listed.out.splitlines()
    cells = dict(zip(head.split(), row.split(), strict=True))
    assert [cells[each] for each in ("ERASES", "BYTES", "SLEEPS", "WRONG")] == ["7", "9024", "3", "1"]
    assert violation == "left: DNLOAD while busy"
    assert cli("virtual", "list", "--json").json["boards"][0]["erases"] == 7
    for hand, mode in (("plug", "dfu"), ("unplug", "unplugged"), ("press", "dfu")):
        assert mode in cli("virtual", hand, "left").out
        assert cli("virtual", hand, "left", "--json").json["boards"][0]["mode"] == mode
    assert "left" in cli("virtual", "say", "left", "assert failed").out
    assert cli("virtual", "say", "left", "--json", "--", "-- ready").json["name"] == "left"
    assert daemon.called(api.VirtualSay) == [
        api.VirtualSay(board="left", text="assert failed"),
        api.VirtualSay(board="left", text="-- ready"),
    ]
    assert "left" in cli("virtual", "fault", "left", "stall", "--after", "12").out
    assert cli("virtual", "fault", "left", "stall", "--json").json["name"] == "left"
    assert cli("virtual", "fault", "left", "corrupt", "--times", "3", "--address", "0x08020008").code == 0
    assert cli("virtual", "fault", "left", "app-reset", "--after", "2", "--delay", "0.3").code == 0
    assert cli("virtual", "fault", "left", "app-reset", "--delay", "3601").code == 2
    assert daemon.called(api.VirtualFault) == [
        api.VirtualFault(board="left", fault="stall", after=12),
        api.VirtualFault(board="left", fault="stall", after=1),
        api.VirtualFault(board="left", fault="corrupt", after=1, times=3, address=0x08020008),
        api.VirtualFault(board="left", fault="app-reset", after=2, delay=0.3),
    ]


def test_the_ports_of_emulated_boards_are_listed_whole(daemon: CannedDaemon, cli: Cli) -> None:
    path = "/tmp/" + "long/" * 60 + "left.tty"
    daemon.answers[api.VirtualList] = api.VirtualBoardList(boards=(virtual(tty="/dev/pts/7", uart=path),))
    lines = cli("virtual", "list").out.splitlines()
    assert lines[2:4] == ["left: serial port /dev/pts/7", f"left: UART {path}"]


def test_dump_fetches_the_flash_in_pieces(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    base, flash = 0x08000000, bytes(range(256)) * 2560  # 640 KiB
    target = tmp_path / "flash.bin"

    def dump(params: api.VirtualDump) -> api.FlashBytes:
        start = params.address or base
        data = flash[start - base :][: min(params.size, 256 * 1024)]
        return api.FlashBytes(address=start, data=data, size=len(flash), base=base)

    daemon.answers[api.VirtualDump] = dump
    run = cli("virtual", "dump", "left", str(target))
    assert run.code == 0
    assert target.read_bytes() == flash
    assert hashlib.sha256(flash).hexdigest() in run.out
    part = cli("virtual", "dump", "left", str(target), "--address", "0x08020001", "--size", "1K", "--json")
    assert target.read_bytes() == flash[0x20001:0x20401]
    assert part.json["address"] == 0x08020001
    assert part.json["sha256"] == hashlib.sha256(flash[0x20001:0x20401]).hexdigest()
    for outside in (("--address", "0x07ffffff"), ("--size", "1M"), ("--address", "0x080a0000", "--size", "1")):
        refused = cli("virtual", "dump", "left", str(target), *outside)
        assert refused.code == 2
        assert "0x08000000 to 0x080a0000" in refused.err
    assert cli("virtual", "dump", "left", str(tmp_path / "no" / "dir")).code == 1
