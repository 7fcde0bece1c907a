"""`flash FILE`, `plan FILE`, `verify FILE` and `wait --for FILE`: a partition's name comes before a file's."""

from pathlib import Path

import pytest

from canned_daemon import SHA, CannedDaemon, board, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.job_state import Done
from flashdeck.model import JobState
from flashdeck.names import literal

OTHER = "b" * 64
NO_PARTITION = RequestError("no board has a partition", kind=ErrorKind.NO_SUCH_PARTITION, hint="did you mean app1?")
AMBIGUOUS = FlashdeckError("APP1.hex belongs to 2 boards: app1 of left, app1 of right", kind=ErrorKind.AMBIGUOUS)


def placed(board: str = "left", partition: str = "app1", sha256: str = SHA) -> api.PlacedImage:
    return api.PlacedImage(board=board, partition=partition, sha256=sha256, size=3, version="")


@pytest.fixture
def daemon_with_boards(daemon: CannedDaemon) -> CannedDaemon:
    done: list[JobState] = []

    def flash(params: api.Flash) -> api.JobList:
        done.append(job(len(done) + 1, partition=params.partition, status=Done()))
        return api.JobList(jobs=(done[-1],))

    daemon.answers |= {
        api.GetBoards: api.BoardList(boards=(board("left"), board("right")), devices=()),
        api.PlaceUpload: api.PlacedImages(images=(placed(),)),
        api.Flash: flash,
        api.Verify: lambda _: api.JobList(jobs=(job(9, status=Done()),)),
        api.Plan: lambda params: api.PlanList(
            plans=(api.BoardPlan(board="left", partition=params.partition, sha256=params.sha256),)
        ),
        api.Wait: lambda params: api.WaitResult(
            boards=(api.BoardOutcome(board="left", partition=params.partition, is_there=True),)
        ),
    }
    return daemon


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "APP1.hex"
    path.write_bytes(b"hex")
    return path


def test_a_file_goes_where_the_daemon_says_that_it_belongs(
    daemon_with_boards: CannedDaemon, cli: Cli, image: Path
) -> None:
    run = cli("flash", str(image), "--board", "l*")
    assert run.code == 0
    assert bytes(daemon_with_boards.uploaded) == b"hex"
    assert [call.partition for call in daemon_with_boards.called(api.BeginUpload)] == [""]
    assert [call.boards for call in daemon_with_boards.called(api.PlaceUpload)] == [("l*",)]
    assert daemon_with_boards.called(api.Flash) == [api.Flash(partition="app1", sha256=SHA, boards=("left",))]
    assert run.err.splitlines()[0] == "APP1.hex: for app1 of left"


def test_names_of_boards_are_no_globs_any_more(daemon_with_boards: CannedDaemon, cli: Cli, image: Path) -> None:
    daemon_with_boards.answers[api.PlaceUpload] = api.PlacedImages(images=(placed("odd[1]"),))
    cli("flash", str(image))
    (asked,) = daemon_with_boards.called(api.Flash)
    assert asked.boards == (literal("odd[1]"),)


def test_several_boards_that_were_named_get_one_job_each_in_one_call(
    daemon_with_boards: CannedDaemon, cli: Cli, image: Path
) -> None:
    images = (placed("left"), placed("right"), placed("left", "partition2", OTHER))
    daemon_with_boards.answers[api.PlaceUpload] = api.PlacedImages(images=images)
    run = cli("flash", str(image), "--board", "*", "--json")
    assert [(call.partition, call.sha256, call.boards) for call in daemon_with_boards.called(api.Flash)] == [
        ("app1", SHA, ("left", "right")),
        ("partition2", OTHER, ("left",)),
    ]
    assert len(run.json["jobs"]) == 2


@pytest.mark.parametrize("words", [("flash",), ("plan",), ("verify",), ("wait", "--for")])
def test_what_is_ambiguous_is_refused_and_nothing_else_is_asked(
    daemon_with_boards: CannedDaemon, cli: Cli, image: Path, words: tuple[str, ...]
) -> None:
    daemon_with_boards.answers[api.PlaceUpload] = AMBIGUOUS
    run = cli(*words, str(image))
    assert run.code == 7
    assert "app1 of left, app1 of right" in run.err
    acting = (api.Flash, api.Plan, api.Verify, api.Wait)
    assert not any(daemon_with_boards.called(each) for each in acting)


def test_plan_verify_and_wait_go_to_the_same_places(daemon_with_boards: CannedDaemon, cli: Cli, image: Path) -> None:
    daemon_with_boards.answers[api.PlaceUpload] = api.PlacedImages(
        images=(placed(), placed(partition="partition2", sha256=OTHER))
    )
    assert [plan["partition"] for plan in cli("plan", str(image), "--json").json["plans"]] == ["app1", "partition2"]
    waited = cli("wait", "--for", str(image), "--json").json["boards"]
    assert [row["partition"] for row in waited] == ["app1", "partition2"]
    assert cli("verify", str(image)).code == 0
    for kind in (api.Plan, api.Wait, api.Verify):
        assert [(call.partition, call.sha256, call.boards) for call in daemon_with_boards.called(kind)] == [
            ("app1", SHA, ("left",)),
            ("partition2", OTHER, ("left",)),
        ]


@pytest.mark.parametrize("name", ["app1", "bootloader"])
def test_a_name_that_is_both_is_the_partitions_and_that_is_said(
    daemon_with_boards: CannedDaemon, cli: Cli, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"hex")
    run = cli("flash", name)
    assert f"{name} is a partition: its newest build is meant, and not the file, which is ./{name}" in run.err
    assert [(call.partition, call.sha256) for call in daemon_with_boards.called(api.Flash)] == [(name, "")]
    assert not daemon_with_boards.called(api.PlaceUpload)
    assert cli("flash", f"./{name}").code == 0
    assert len(daemon_with_boards.called(api.PlaceUpload)) == 1


@pytest.mark.usefixtures("daemon_with_boards")
def test_a_directory_of_that_name_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "app1").mkdir()
    run = cli("flash", "app1")
    assert (run.code, "not the file" in run.err) == (0, False)
    (tmp_path / "build").mkdir()
    run = cli("flash", "build")
    assert run.code == 2
    assert "build is a directory" in run.err


def test_where_no_file_is_there_nothing_more_is_asked_than_before(daemon_with_boards: CannedDaemon, cli: Cli) -> None:
    assert cli("flash", "app1").code == 0
    assert not daemon_with_boards.called(api.GetBoards)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("APP2.hex", "look at the path"), ("build/app", "look at the path"), ("*.bin", "no file matches this pattern")],
)
@pytest.mark.parametrize("command", ["flash", "plan", "verify"])
def test_what_is_neither_a_partition_nor_a_file_is_called_so(
    daemon_with_boards: CannedDaemon, cli: Cli, command: str, word: str, hint: str
) -> None:
    for kind in (api.Flash, api.Plan, api.Verify):
        daemon_with_boards.answers[kind] = NO_PARTITION
    run = cli(command, word)
    assert run.code == 4
    assert f"there is no file and no partition {word}" in run.err
    assert hint in run.err
    assert "did you mean app1?" in cli(command, "app").err


def test_two_files_are_not_a_partition_and_a_file(
    daemon_with_boards: CannedDaemon, cli: Cli, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "APP2.hex").write_bytes(b"hex")
    daemon_with_boards.answers[api.BeginUpload] = NO_PARTITION
    run = cli("flash", "APP2.hex", str(image))
    assert run.code == 2
    assert "are two files" in run.err
    assert not daemon_with_boards.called(api.Flash)


def test_wait_wants_a_partition_or_a_file(daemon_with_boards: CannedDaemon, cli: Cli) -> None:
    run = cli("wait")
    assert run.code == 2
    assert "PARTITION" in run.err
    assert daemon_with_boards.calls == []
