"""Options of flashdeck itself, before a command or behind it; which daemon is meant; the man pages."""

import shutil
import subprocess
from pathlib import Path

import pytest

from canned_daemon import CannedDaemon, board, job
from cli_run import Cli
from flashdeck import __version__, api
from flashdeck.job_state import Done
from flashdeck.paths import data_file

PAGES = ("flashdeck.1", "flashdeckd.1")


def bench_at(runtime_dir: str, folder: str, daemon: CannedDaemon) -> str:
    """Let a daemon also be found at the usual place of a kind; return that."""
    place = Path(runtime_dir, folder)
    place.mkdir()
    (place / "flashdeckd.sock").symlink_to(daemon.socket)
    return str(place / "flashdeckd.sock")


@pytest.mark.parametrize("words", ["-q flash app1", "flash app1 --quiet", "flash -q app1"])
def test_quiet_leaves_data_and_errors(daemon: CannedDaemon, cli: Cli, words: str) -> None:
    daemon.answers[api.Flash] = api.JobList(jobs=(job(status=Done()),), notes=("a note",))
    run = cli(*words.split())
    assert (run.code, run.err) == (0, "")
    assert "app1" in run.out
    assert "a note" in cli("flash", "app1").err, "it counts for one command line only"
    run = cli("--quiet", "hold")
    assert run.code == 2
    assert run.err.startswith("error: ")


def test_a_socket_may_be_named_behind_the_command(daemon: CannedDaemon, offline: Cli) -> None:
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    assert offline("boards", "--socket", str(daemon.socket)).code == 0


def test_where_only_a_virtual_bench_runs_that_is_said_with_the_option(
    daemon: CannedDaemon, offline: Cli, runtime_dir: str
) -> None:
    socket = bench_at(runtime_dir, "flashdeck-virtual", daemon)
    run = offline("status")
    assert run.code == 3
    assert "a virtual bench runs: `flashdeck --virtual` talks to it" in run.err
    for words in (("--virtual", "status"), ("status", "--virtual")):
        run = offline(*words)
        assert run.code == 0
        assert socket in run.out


@pytest.mark.parametrize("words", ["suggest", "init --yes ."])
def test_a_command_that_looks_without_a_daemon_says_that_a_virtual_bench_runs(
    daemon: CannedDaemon, offline: Cli, runtime_dir: str, words: str
) -> None:
    bench_at(runtime_dir, "flashdeck-virtual", daemon)
    assert "a virtual bench runs: `flashdeck --virtual` talks to it" in offline(*words.split()).err


@pytest.mark.usefixtures("daemon")
def test_virtual_takes_nothing_that_the_environment_names(cli: Cli) -> None:
    assert cli("status").code == 0
    assert cli("--virtual", "status").code == 3
    assert cli("--virtual", "--socket", "/tmp/s", "status").code == 2


def test_status_names_the_other_daemons_that_run(daemon: CannedDaemon, offline: Cli, runtime_dir: str) -> None:
    real = bench_at(runtime_dir, "flashdeck", daemon)
    virtual = bench_at(runtime_dir, "flashdeck-virtual", daemon)
    run = offline("status", "--json")
    assert run.json["socket"] == real
    assert run.json["others"] == [{"socket": virtual, "virtual": True}]
    assert f"also running: a virtual bench on {virtual} (flashdeck --virtual)" in offline("status").out


@pytest.mark.usefixtures("offline")
def test_a_wrong_place_names_the_right_one(daemon: CannedDaemon, offline: Cli, runtime_dir: str) -> None:
    real = bench_at(runtime_dir, "flashdeck", daemon)
    assert f"flashdeckd listens on {real}" in offline("--socket", f"{runtime_dir}/nobody", "status").err


def test_the_version_has_one_form(offline: Cli) -> None:
    assert offline("--version").out == f"flashdeck {__version__}\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_man_page_is_rendered_without_a_warning(name: str) -> None:
    page = data_file("man", name)
    assert f'"flashdeck {__version__}"' in page.read_text().splitlines()[0]
    if shutil.which("groff") is None:
        pytest.skip("there is no groff here")
    words = ["groff", "-man", "-ww", "-Tutf8", "-z", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - our own words
    assert done.stderr == ""
