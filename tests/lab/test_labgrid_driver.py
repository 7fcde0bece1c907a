"""The driver in an environment of labgrid, with a resource that is written into it: no coordinator."""

# pyright: reportMissingModuleSource=false
# As with the driver itself: labgrid is not in `.venv`.

from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from labgrid import Environment, Target
from pexpect import TIMEOUT

from flashdeck.errors import ErrorKind, NotDoneError
from flashdeck.lab_connection import FLASH_SECONDS
from flashdeck.labgrid_driver import FlashdeckBoard, FlashdeckConsoleDriver, FlashdeckDriver, LabError
from flashdeck.model import Presence
from flashdeck.own_lab_user import HOST_VARIABLE, USER_VARIABLE
from lab.lab_daemon import LabDaemon, lab_daemon
from lab.lab_rig import ANN
from rig import PARTITION2, WAIT_SECONDS, firmware

ONE, TWO = (firmware(version) for version in ("1.0.0", "2.0.0"))
UNPLACED = b"\x01\x02" * 500
"""No program, and without addresses."""
ENVIRONMENT = """
imports: [flashdeck.labgrid_driver]
images: {{app: app.bin}}
targets:
  main:
    resources:
      FlashdeckBoard: {{host: localhost, socket: {socket}, board: {board}, partitions: "app1,partition2"}}
    drivers:
      FlashdeckDriver: {{{driver}}}
      FlashdeckConsoleDriver: {{}}
"""

Targets = Callable[..., Target]


@pytest.fixture(scope="module")
def daemon() -> Generator[LabDaemon]:
    with lab_daemon("rack", ["left", "right"], speaks=True) as made:
        yield made


@pytest.fixture
def target(daemon: LabDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Targets]:
    """Makes the target of an environment for a board, with keys of the driver."""
    monkeypatch.setenv(HOST_VARIABLE, ANN.partition("/")[0])
    monkeypatch.setenv(USER_VARIABLE, ANN.partition("/")[2])
    environments: list[Environment] = []

    def made(board: str = "left", driver: str = "") -> Target:
        file = tmp_path / "environment.yaml"
        file.write_text(ENVIRONMENT.format(socket=daemon.socket, board=board, driver=driver))
        environments.append(Environment(str(file)))
        found = environments[-1].get_target()
        assert found is not None
        return found

    (tmp_path / "app.bin").write_bytes(ONE)
    yield made
    for environment in environments:
        environment.cleanup()


def test_each_deed_is_done_on_its_board_and_on_no_other(daemon: LabDaemon, target: Targets) -> None:
    driver = target("left").get_driver(FlashdeckDriver)
    assert driver.timeout == FLASH_SECONDS
    before = daemon.flash_of("right", len(ONE))
    assert [row.board for row in driver.flash("app1", ONE).rows] == ["left"]
    assert daemon.flash_of("left", len(ONE)) == ONE
    assert driver.read("app1")[: len(ONE)] == ONE
    driver.verify("app1", ONE)
    with pytest.raises(LabError, match=r"differs|different") as failed:
        driver.verify("app1", TWO)
    assert isinstance(failed.value.error, NotDoneError)
    assert failed.value.error.kind is ErrorKind.VERIFY
    driver.reset()
    with daemon.connect() as bench:
        (state,) = bench.boards("left")
    assert state.presence is Presence.APP
    assert daemon.flash_of("right", len(ONE)) == before


def test_a_build_is_waited_for(daemon: LabDaemon, target: Targets) -> None:
    driver = target("right").get_driver(FlashdeckDriver)
    daemon.build(TWO)
    driver.wait("app1", TWO)
    assert daemon.flash_of("right", len(TWO)) == TWO


def test_a_file_goes_where_it_belongs_or_where_the_environment_says(
    daemon: LabDaemon, target: Targets, tmp_path: Path
) -> None:
    unplaced = tmp_path / "data.bin"
    unplaced.write_bytes(UNPLACED)
    second = firmware("2.2.2", base=PARTITION2)
    (tmp_path / "second.bin").write_bytes(second)
    driver = target().get_driver(FlashdeckDriver)
    driver.load(str(tmp_path / "second.bin"))
    assert daemon.flash_of("left", len(second), address=PARTITION2) == second
    with pytest.raises(LabError, match="no file is named"):
        driver.load()
    with pytest.raises(LabError, match=r"data.bin has no addresses") as failed:
        driver.load(str(unplaced))
    assert "`partition` in the environment (app1, partition2)" in failed.value.error.hint
    with pytest.raises(LabError, match=r"reset vector|stack pointer"):
        target(driver="partition: app1").get_driver(FlashdeckDriver).load(str(unplaced))
    target(driver="partition: app1, image: app").get_driver(FlashdeckDriver).load()
    assert daemon.flash_of("left", len(ONE)) == ONE


def test_what_is_wrong_is_told_in_one_text(daemon: LabDaemon, target: Targets) -> None:
    with pytest.raises(LabError, match=r"(?s)middle.*\nhint: ") as failed:
        target("middle").get_driver(FlashdeckDriver)
    assert failed.value.error.kind is ErrorKind.NO_SUCH_BOARD
    driver = target(driver="timeout: 0.05").get_driver(FlashdeckDriver)
    with daemon.connect() as bench:
        bench.hold("left", reason="a measurement")
        try:
            with pytest.raises(LabError, match="a measurement") as failed:
                driver.flash("app1", ONE)
        finally:
            bench.release("left")
    assert failed.value.error.kind is ErrorKind.BLOCKED
    with pytest.raises(LabError, match="protected"):
        driver.flash("bootloader", ONE)


def test_the_console_is_heard_from_now_on(target: Targets) -> None:
    lab = target("left")
    driver, console = lab.get_driver(FlashdeckDriver), lab.get_driver(FlashdeckConsoleDriver)
    driver.flash("app1", TWO)
    console.expect("flashdeck-test 2.0.0\n", timeout=WAIT_SECONDS)
    lab.deactivate(console)
    lab.activate(console)
    with pytest.raises(TIMEOUT, match="left said nothing"):
        console.read(timeout=0.0)
    driver.flash("app1", ONE)
    _, before, match, _ = console.expect(r"flashdeck-test ([\d.]+)\n", timeout=WAIT_SECONDS)
    assert match.group(1) == b"1.0.0"
    assert b"2.0.0" not in before
    with pytest.raises(LabError, match="cannot write"):
        console.sendline("help")


def test_a_board_without_a_console_says_so(target: Targets) -> None:
    with lab_daemon("mute", ["mute"]) as mute:
        lab = target("left")
        lab.get_resource(FlashdeckBoard).socket = str(mute.socket)
        lab.get_resource(FlashdeckBoard).board = "mute"
        with pytest.raises(LabError, match="console"):
            lab.get_driver(FlashdeckConsoleDriver)


def test_a_daemon_that_was_restarted_is_found_again(daemon: LabDaemon, target: Targets) -> None:
    lab = target("left")
    driver, console = lab.get_driver(FlashdeckDriver), lab.get_driver(FlashdeckConsoleDriver)
    driver.flash("app1", ONE)
    daemon.stop()
    with pytest.raises(LabError, match="no flashdeckd listens"):
        driver.read("app1")
    daemon.start()
    driver.flash("app1", TWO)
    console.expect("flashdeck-test 2.0.0", timeout=WAIT_SECONDS)
