"""The pytest plugin as its users have it: runs of pytest beside a real daemon."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flashdeck
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck.model import BoardState
from flashdeck.pytest_plugin import TIMEOUT
from rig import WAIT_SECONDS, firmware
from standing_bench import StandingBench, standing_bench

ONE, TWO = (firmware(version) for version in ("1.0.0", "1.0.1"))
USES = """
import os
from pathlib import Path


def test_it_has_the_image(flashdeck_board):
    assert flashdeck_board.flashed.rows[0].is_done
    assert flashdeck_board.timeout == 60
    image = Path(__file__).with_name("APP1.bin").read_bytes()
    assert flashdeck_board.bench.read("app1", boards=flashdeck_board.name).data.startswith(image)
    lease = flashdeck_board.state.lease
    assert "pytest" in lease.reason and str(os.getpid()) in lease.by
    print("on", flashdeck_board.name)


def test_another_image(flashdeck_board):
    assert flashdeck_board.flash("app1", Path(__file__).with_name("OTHER.bin")).rows[0].is_done


def test_that_fails(flashdeck_board):
    raise ZeroDivisionError
"""
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "flashdeck.pytest_plugin")
BY_ITSELF = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""The plugins of others take most of the time."""
INI = """
[pytest]
flashdeck_board = left right
flashdeck_partition = app1
flashdeck_image = APP1.bin
flashdeck_timeout = 60
"""


@pytest.fixture(scope="module")
def standing() -> Iterator[StandingBench]:
    with standing_bench("left", "right") as made:
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "test_board.py").write_text(USES)
    (tmp_path / "APP1.bin").write_bytes(ONE)
    (tmp_path / "OTHER.bin").write_bytes(TWO)
    return tmp_path


def run(standing: StandingBench, project: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return standing.run(*PYTEST, *words, cwd=project, environment=BY_ITSELF | environment)


def boards(standing: StandingBench) -> dict[str, BoardState]:
    with flashdeck.connect(standing.socket) as bench:
        return {board.name: board for board in bench.boards()}


def test_a_board_is_taken_flashed_and_given_back_whatever_becomes_of_the_tests(
    standing: StandingBench, project: Path
) -> None:
    done = run(standing, project, "-s")
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "on left" in done.stdout
    assert {name: board.lease for name, board in boards(standing).items()} == {"left": None, "right": None}


def test_the_command_line_comes_before_the_file_and_a_scope_is_kept_to(standing: StandingBench, project: Path) -> None:
    words = ("--flashdeck-board", "r*", "--flashdeck-scope", "function", "-k", "has_the_image", "-s")
    done = run(standing, project, *words, FLASHDECK_SOCKET="/nowhere")
    assert "no flashdeckd listens on /nowhere" in done.stdout
    assert "hint: start it" in done.stdout
    done = run(standing, project, *words, f"--flashdeck-socket={standing.socket}", FLASHDECK_SOCKET="/nowhere")
    assert "on right" in done.stdout, done.stdout


def test_workers_have_a_board_each(standing: StandingBench, project: Path) -> None:
    (project / "test_more.py").write_text(
        "import time\n"
        "import pytest\n"
        "@pytest.mark.parametrize('number', range(2))\n"
        "def test_it(flashdeck_board, number, tmp_path_factory):\n"
        "    there = tmp_path_factory.getbasetemp().parent\n"
        "    (there / flashdeck_board.name).touch()\n"
        "    while not all((there / name).exists() for name in ('left', 'right')):\n"
        "        time.sleep(0.01)\n"
    )
    done = run(standing, project, "-p", "xdist", "-n", "2", "test_more.py")
    assert "2 passed" in done.stdout, done.stdout


def test_a_run_that_is_killed_gives_its_board_back(standing: StandingBench, project: Path) -> None:
    (project / "test_board.py").write_text(
        "import sys\n"
        "def test_it(flashdeck_board):\n"
        "    print('\\nhas', flashdeck_board.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    words = [*PYTEST, "-s", "--flashdeck-board", "left"]
    environment = standing.environment | BY_ITSELF
    with subprocess.Popen(  # noqa: S603 - our own code
        words, cwd=project, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert any(line == b"has left\n" for line in running.stdout)
        assert boards(standing)["left"].lease is not None
        running.kill()
    with flashdeck.connect(standing.socket) as bench, bench.take("left", timeout=WAIT_SECONDS):
        pass


def test_inside_take_it_has_the_board_that_was_taken(standing: StandingBench, project: Path) -> None:
    with flashdeck.connect(standing.socket) as bench, bench.take("right") as lease:
        done = run(standing, project, "-k", "another", **lease.environment)
    assert "1 passed" in done.stdout, done.stdout
    assert LEASE_VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--flashdeck-board", "lefd"), "there is no board 'lefd'"),
        (("--flashdeck-partition", "app9"), "no board has a partition 'app9'"),
        (("--flashdeck-image", "gone.bin"), "there is no file"),
        (("-o", "flashdeck_timeout=soon"), "'soon' is no number of seconds"),
        (("-o", "flashdeck_scope=week"), "'week' is none of function, class"),
        (("-o", "flashdeck_partition="), "an image is named, and no partition"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    standing: StandingBench, project: Path, words: tuple[str, ...], told: str
) -> None:
    done = run(standing, project, *words)
    assert told in done.stdout + done.stderr
    assert "pytest_plugin.py" not in done.stdout
    assert "During handling" not in done.stdout
    assert done.returncode


def test_so_long_is_waited_where_nothing_is_said(standing: StandingBench, project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_board.py").write_text("def test_it(flashdeck_board): print('for', flashdeck_board.timeout)\n")
    assert f"for {TIMEOUT}" in run(standing, project, "-s").stdout


def test_a_run_that_uses_none_of_it_imports_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('flashdeck')\n"
        "    ours = {name for name in sys.modules if name.startswith('flashdeck')}\n"
        "    assert ours <= {'flashdeck', 'flashdeck.pytest_plugin'}\n"
        "    assert 'msgspec' not in sys.modules\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert "1 passed" in done.stdout, done.stdout
