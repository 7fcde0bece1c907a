"""A day in a lab: real coordinator, real `labgrid-client` and pytest, a real daemon whose boards are in the pool."""

# pyright: reportMissingModuleSource=false
# As with the driver itself: labgrid is not in `.venv`.

import asyncio
from collections.abc import Generator
from contextlib import aclosing
from pathlib import Path

import pytest

from flashdeck import AsyncBench
from flashdeck.errors import ErrorKind, FlashdeckError
from lab.lab_daemon import LabDaemon, lab_daemon
from lab.lab_rig import ANN, BOB, LabSite, lab_site
from lab.pool import in_pool, pool_user
from rig import WAIT_SECONDS, firmware

ONE, TWO, THREE, FOUR = (firmware(f"{version}.0.0") for version in range(1, 5))
ENVIRONMENT = """
imports: [flashdeck.labgrid_driver]
images:
  app: app.bin
  other: other.bin
targets:
  main:
    resources:
      RemotePlace: {name: left}
    drivers:
      FlashdeckDriver: {image: app}
      FlashdeckConsoleDriver: {}
"""
TESTS = """
from pathlib import Path

HERE = Path(__file__).parent
IMAGE, OTHER = HERE / "app.bin", HERE / "other.bin"


def test_the_board_runs_what_it_got(target):
    driver, console = target.get_driver("BootstrapProtocol"), target.get_driver("ConsoleProtocol")
    driver.load()
    console.expect("flashdeck-test 3.0.0", timeout=60)
    assert driver.read("app1").startswith(IMAGE.read_bytes())
    driver.verify("app1", IMAGE)
    driver.reset()


def test_another_image(target):
    driver, console = target.get_driver("FlashdeckDriver"), target.get_driver("FlashdeckConsoleDriver")
    driver.flash("app1", OTHER)
    console.expect("flashdeck-test 4.0.0", timeout=60)
    driver.wait("app1", OTHER)
    assert driver.board.partitions == ("app1", "partition2")
    assert target.get_resource("FlashdeckBoard").avail
"""


@pytest.fixture(scope="module")
def site() -> Generator[LabSite]:
    with lab_site("left", "right") as made:
        yield made


@pytest.fixture(scope="module")
def rack(site: LabSite) -> Generator[LabDaemon]:
    with lab_daemon("rack", ["left", "right"], site, speaks=True) as made:
        in_pool(site.address, {("rack", "left"), ("rack", "right")})
        yield made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "environment.yaml").write_text(ENVIRONMENT)
    (tmp_path / "app.bin").write_bytes(THREE)
    (tmp_path / "other.bin").write_bytes(FOUR)
    (tmp_path / "test_target.py").write_text(TESTS)
    return tmp_path


def refused(daemon: LabDaemon, user: str, data: bytes) -> FlashdeckError:
    """Return why a user cannot flash the left board."""
    with daemon.connect(user) as bench, pytest.raises(FlashdeckError) as failed:
        bench.flash("app1", data, boards="left", no_wait=True, cancel_on_exit=True)
    return failed.value


def test_a_place_is_acquired_bootstrapped_and_given_back(site: LabSite, rack: LabDaemon, project: Path) -> None:
    before = rack.flash_of("right", len(ONE))
    site.done("acquire", place="left")
    (project / "app.bin").write_bytes(ONE)
    words = ("-c", project / "environment.yaml", "bootstrap", project / "app.bin")
    site.done(*words)
    assert rack.flash_of("left", len(ONE)) == ONE
    assert rack.flash_of("right", len(ONE)) == before
    stranger = site.client(*words, user=BOB)
    assert stranger.code == 1
    assert "not acquired by your user" in stranger.err
    for user in (BOB, ""):
        error = refused(rack, user, TWO)
        assert error.kind is ErrorKind.BLOCKED
        assert ANN in error.message, error
    assert rack.flash_of("left", len(ONE)) == ONE
    site.done("allow", BOB, place="left")
    with rack.connect(BOB) as bench:
        bench.flash("app1", TWO, boards="left")
        (state,) = bench.boards("left")
    assert rack.flash_of("left", len(TWO)) == TWO
    assert state.lease is not None
    assert state.lease.by == ANN
    site.done("release", place="left")
    with rack.connect() as bench:
        bench.flash("app1", ONE, boards="left")
    assert rack.flash_of("left", len(ONE)) == ONE


def test_the_command_line_speaks_for_the_user_that_labgrid_names(site: LabSite, rack: LabDaemon, project: Path) -> None:
    """A job of somebody else waits, also over a restart, and goes on once that user may use the board."""
    site.done("acquire", place="left")
    (project / "one.bin").write_bytes(ONE)
    (project / "two.bin").write_bytes(TWO)
    words = ("flashdeck", "--socket", rack.socket, "flash", "app1")
    mine = site.run(*words, project / "one.bin", "--board", "left")
    assert mine.code == 0, mine
    assert rack.flash_of("left", len(ONE)) == ONE
    forced = site.run("flashdeck", "--socket", rack.socket, "release", "left", "--force", user=BOB)
    assert (forced.code, "labgrid-client -p left release --kick" in forced.err) == (13, True), forced
    others = site.run(*words, project / "two.bin", "--board", "left", "--timeout", "1", user=BOB)
    assert (others.code, f"taken by {ANN}" in others.err) == (6, True), others
    rack.stop()
    rack.start()
    in_pool(site.address, {("rack", "left"), ("rack", "right")})
    with rack.connect() as bench:
        (waiting,) = (job for job in bench.jobs("left") if not job.is_settled)
    assert waiting.lab_user == BOB
    assert rack.flash_of("left", len(TWO)) != TWO
    site.done("allow", BOB, place="left")
    with rack.connect() as bench:
        bench.wait("app1", TWO, boards="left")
    assert rack.flash_of("left", len(TWO)) == TWO
    site.done("release", place="left")


def test_a_file_that_says_no_place_ends_the_client_in_words(site: LabSite, rack: LabDaemon, project: Path) -> None:
    site.done("acquire", place="left")
    (project / "data.bin").write_bytes(b"\x01\x02" * 500)
    run = site.client("-c", project / "environment.yaml", "bootstrap", project / "data.bin")
    site.done("release", place="left")
    assert run.code == 1
    assert "Traceback" not in run.err
    assert "data.bin has no addresses" in run.err
    assert "(app1, partition2)" in run.err
    assert rack.process.poll() is None


def test_tests_of_labgrid_have_the_board(site: LabSite, rack: LabDaemon, project: Path) -> None:
    words = ("pytest", "-p", "no:cacheprovider", "--lg-env", project / "environment.yaml", project)
    without = site.run(*words, cwd=project)
    assert without.code != 0  # nobody has acquired the place
    site.done("acquire", place="left")
    with_it = site.run(*words, cwd=project)
    site.done("release", place="left")
    assert "2 passed" in with_it.out, with_it
    assert rack.flash_of("left", len(FOUR)) == FOUR


def test_builds_wait_while_the_place_is_acquired(site: LabSite, rack: LabDaemon) -> None:
    site.done("acquire", place="right")
    rack.build(TWO)
    with rack.connect() as bench:
        bench.wait("app1", TWO, boards="left")
        (right,) = bench.boards("right")
    assert rack.flash_of("right", len(TWO)) != TWO
    assert right.lease is not None
    site.done("release", place="right")
    with rack.connect() as bench:
        bench.wait("app1", TWO, boards="right")
    assert rack.flash_of("right", len(TWO)) == TWO


async def test_builds_flash_by_themselves_only_while_their_user_has_the_place() -> None:
    with lab_site("mine") as site, lab_daemon("alone", ["mine"], site, more=f'only_for = "{ANN}"\n') as alone:
        async with (
            pool_user(site.address, ANN) as ann,
            pool_user(site.address, BOB) as bob,
            alone.connected() as bench,
        ):
            await ann.until(lambda now: now.available == {("alone", "mine")})
            await asyncio.to_thread(alone.build, ONE)
            await until_waiting(bench, f"until {ANN} has acquired")
            assert await ann.acquire("mine")
            await bench.wait("app1", ONE)
            await ann.release("mine")
            assert await bob.acquire("mine")
            await asyncio.to_thread(alone.build, TWO)
            await until_waiting(bench, f"taken by {BOB}")
            await bob.release("mine")
            await until_waiting(bench, f"until {ANN} has acquired")
            assert alone.flash_of("mine", len(ONE)) == ONE
            assert await ann.acquire("mine")
            await bench.wait("app1", TWO)
            await ann.release("mine")


async def until_waiting(bench: AsyncBench, reason: str) -> None:
    """Return once a job waits for this reason."""
    async with asyncio.timeout(WAIT_SECONDS), aclosing(bench.events()) as changes:
        async for _ in changes:
            if any(reason in job.text for job in await bench.jobs()):
                return
