"""`verify`, `read`, `erase` and `reset`: what they ask for, what they leave behind, and what they exit with."""

from pathlib import Path

import pytest

from canned_daemon import SHA, CannedDaemon, job
from cli_run import Cli
from flashdeck import api
from flashdeck.api import CHUNK
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Done, Failed, Failure, JobKind, JobStatus
from flashdeck.model import JobState
from job_states import RESULT

READ = b"what the board has" * 20_000


def ends(status: JobStatus, kind: JobKind, *more: JobStatus, **fields: object) -> api.JobList:
    """The answer of a daemon where each board's job has ended already."""
    return api.JobList(
        jobs=tuple(
            job(number, f"board{number}", kind=kind, status=each, **fields)
            for number, each in enumerate((status, *more), 1)
        )
    )


def failed(kind: ErrorKind, message: str = "it is so") -> Failed:
    return Failed(failure=Failure(kind=kind, message=message))


def test_verify_asks_for_a_comparison_with_what_is_known(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Verify] = ends(Done(result=RESULT), JobKind.VERIFY)
    assert cli("verify", "app1", "--board", "l*", "--force", "--no-wait", "--cancel-on-exit").code == 0
    (asked,) = daemon.called(api.Verify)
    assert asked == api.Verify(partition="app1", boards=("l*",), force=True, no_wait=True, cancel_on_exit=True)


def test_verify_sends_the_file_to_compare_with(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.Verify] = ends(Done(result=RESULT), JobKind.VERIFY)
    file = tmp_path / "a.bin"
    file.write_bytes(b"an image")
    assert cli("verify", "app1", str(file)).code == 0
    (asked,) = daemon.called(api.Verify)
    assert asked.sha256 == SHA


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (failed(ErrorKind.VERIFY), 5),
        (failed(ErrorKind.UNREADABLE), 13),
        (failed(ErrorKind.NO_SUCH_ARTIFACT), 4),
        (Done(result=RESULT, not_started="it came back in DFU mode"), 13),
    ],
)
def test_what_became_of_a_comparison_is_in_the_exit_code(
    daemon: CannedDaemon, cli: Cli, status: JobStatus, code: int
) -> None:
    daemon.answers[api.Verify] = ends(status, JobKind.VERIFY)
    assert cli("verify", "app1").code == code
    daemon.answers[api.Verify] = ends(status, JobKind.VERIFY, Done(result=RESULT))
    run = cli("verify", "app1", "--json")
    assert [each["board"] for each in run.json["jobs"]] == ["board1", "board2"]
    assert run.code == (10 if code == 5 else code)


def pieces(daemon: CannedDaemon, size: int = len(READ)) -> None:
    def piece(params: api.ReadImage) -> api.ImagePiece:
        return api.ImagePiece(data=READ[:size][params.offset : params.offset + params.size])

    daemon.answers[api.ReadImage] = piece


def test_read_puts_all_bytes_into_the_file(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.ReadPartition] = ends(Done(result=RESULT), JobKind.READ, sha256=SHA, size=len(READ))
    pieces(daemon)
    file = tmp_path / "a.bin"
    run = cli("read", "app1", str(file), "--json")
    assert run.code == 0
    assert file.read_bytes() == READ
    assert run.json["size"] == len(READ)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert {call.size for call in daemon.called(api.ReadImage)[:-1]} == {CHUNK}


def test_a_file_that_exists_is_only_replaced_where_that_is_said(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.ReadPartition] = ends(Done(result=RESULT), JobKind.READ, sha256=SHA, size=len(READ))
    pieces(daemon)
    file = tmp_path / "a.bin"
    file.write_bytes(b"mine")
    run = cli("read", "app1", str(file))
    assert (run.code, file.read_bytes()) == (2, b"mine")
    assert daemon.called(api.ReadPartition) == []
    assert cli("read", "app1", str(file), "--overwrite").code == 0
    assert file.read_bytes() == READ


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("-", (), "is no name of a file"),
        ("nowhere/a.bin", (), "there is no directory"),
        (".", ("--overwrite",), "is a directory"),
    ],
)
def test_a_file_that_cannot_be_is_said_before_any_board_is_asked(
    daemon: CannedDaemon, cli: Cli, name: str, options: tuple[str, ...], says: str
) -> None:
    daemon.answers[api.ReadPartition] = ends(Done(result=RESULT), JobKind.READ, sha256=SHA, size=len(READ))
    run = cli("read", "app1", name, *options)
    assert run.code == 2
    assert says in run.err
    assert daemon.called(api.ReadPartition) == []


def test_a_file_that_appears_meanwhile_is_not_replaced(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "a.bin"

    def appear(_: api.ReadPartition) -> api.JobList:
        file.write_bytes(b"mine")
        return ends(Done(result=RESULT), JobKind.READ, sha256=SHA, size=len(READ))

    daemon.answers[api.ReadPartition] = appear
    pieces(daemon)
    assert (cli("read", "app1", str(file)).code, file.read_bytes()) == (2, b"mine")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_what_is_cut_off_makes_no_file(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.ReadPartition] = ends(Done(result=RESULT), JobKind.READ, sha256=SHA, size=len(READ))
    pieces(daemon, len(READ) - 1)
    assert cli("read", "app1", str(tmp_path / "a.bin")).code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_board_that_cannot_be_read_makes_no_file(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.ReadPartition] = ends(failed(ErrorKind.UNREADABLE), JobKind.READ, sha256="", size=0)
    run = cli("read", "app1", str(tmp_path / "a.bin"), "--json")
    assert run.code == 13
    assert (run.json["file"], run.json["error"]["kind"]) == ("", "unreadable")
    assert list(tmp_path.iterdir()) == []


def test_what_was_read_is_kept_where_the_board_did_not_start_again(
    daemon: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    end = Done(result=RESULT, not_started="it came back in DFU mode")
    daemon.answers[api.ReadPartition] = ends(end, JobKind.READ, sha256=SHA, size=len(READ))
    pieces(daemon)
    run = cli("read", "app1", str(tmp_path / "a.bin"))
    assert run.code == 13
    assert "came back in DFU mode" in run.err
    assert (tmp_path / "a.bin").read_bytes() == READ


def test_read_of_several_boards_has_to_be_told_which(daemon: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    daemon.answers[api.ReadPartition] = FlashdeckError("2 boards have it", kind=ErrorKind.AMBIGUOUS)
    assert cli("read", "app1", str(tmp_path / "a.bin")).code == 7


def test_erase_asks_for_an_erase(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Erase] = ends(Done(result=RESULT), JobKind.ERASE)
    run = cli("erase", "app1", "--board", "left")
    assert run.code == 0
    assert "sectors erased" in run.out
    (asked,) = daemon.called(api.Erase)
    assert asked == api.Erase(partition="app1", boards=("left",))


def test_its_plan_is_asked_for_by_a_method_of_its_own(daemon: CannedDaemon, cli: Cli) -> None:
    plan = api.BoardPlan(
        board="left",
        partition="app1",
        sha256="",
        steps=(api.PlanStep(action="erase", address=0x08020000, size=8192),),
        erases=1,
    )
    daemon.answers[api.PlanErase] = api.PlanList(plans=(plan,))
    run = cli("plan", "app1", "--erase")
    assert run.code == 0
    assert run.out.startswith("left: erase app1\n")
    assert daemon.called(api.Plan) == []
    assert cli("plan", "app1", "a.bin", "--erase").code == 2


def test_reset_takes_names_globs_or_all_that_are_in_dfu_mode(daemon: CannedDaemon, cli: Cli) -> None:
    done: JobState = job(1, kind=JobKind.RESET, partition="", sha256="", version="", status=Done())
    daemon.answers[api.ResetBoards] = api.JobList(jobs=(done,))
    for words in ((), ("left", "rack-*"), ("--board", "left", "--force")):
        run = cli("reset", *words)
        assert run.code == 0
        assert "leave DFU mode" in run.out
    assert [(each.boards, each.force) for each in daemon.called(api.ResetBoards)] == [
        ((), False),
        (("left", "rack-*"), False),
        (("left",), True),
    ]


def test_an_incomplete_partition_ends_reset_with_13(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.ResetBoards] = ends(failed(ErrorKind.BLOCKED, "app1 is incomplete"), JobKind.RESET)
    run = cli("reset", "left")
    assert run.code == 13
    assert "app1 is incomplete" in run.err
