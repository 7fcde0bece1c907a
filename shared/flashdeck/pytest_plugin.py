"""The pytest plugin: `flashdeck_board`, a board that a test has for itself, with the image under test on it.

It is loaded with every run of pytest where flashdeck is installed, so it imports nothing before a fixture is used.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from flashdeck.board_run import RunResult
    from flashdeck.loop_thread import Iteration
    from flashdeck.model import BoardState, ConsoleEntry
    from flashdeck.outcome import Outcome
    from flashdeck.sync_bench import Bench

Scope = Literal["function", "class", "module", "package", "session"]
SCOPES: tuple[Scope, ...] = ("function", "class", "module", "package", "session")
TIMEOUT = 300.0
"""Seconds that a board is waited for, and then its flash, where nothing else is said."""


@dataclass(frozen=True)
class BoardUnderTest:
    """A board that nobody else can flash while the test has it."""

    name: str
    bench: "Bench" = field(repr=False)
    """The daemon's other boards, and all that can be done to this one."""
    timeout: float
    flashed: "Outcome | None" = field(default=None, repr=False)
    """The result of the flash before the test; None where no partition is named."""

    @property
    def state(self) -> "BoardState":
        """Its state now: its port and serial, and what each partition has."""
        (state,) = self.bench.boards(_literal(self.name))
        return state

    def flash(self, partition: str, image: "str | Path | bytes | None" = None) -> "Outcome":
        """Flash an image, or the newest build, as `Bench.flash` does; what is not done in time is cancelled."""
        return self.bench.flash(partition, image, boards=_literal(self.name), timeout=self.timeout, cancel_on_exit=True)

    def run(
        self,
        partition: str,
        image: "str | Path | bytes | None" = None,
        *,
        until: "str | Iterable[str]",
        fail: "str | Iterable[str]" = (),
        timeout: float | None = None,
    ) -> "RunResult":
        """Flash an image, start it, and return once the board says a line of `until`, as `Bench.run` does."""
        seconds = self.timeout if timeout is None else timeout
        boards = _literal(self.name)
        outcome = self.bench.run(partition, image, until=until, fail=fail, boards=boards, timeout=seconds)
        return outcome.rows[0]

    def console(self, *, since_leave: bool = True, timeout: float | None = None) -> "Iteration[ConsoleEntry]":
        """The words of the board since its start, and on for so many seconds; see `Bench.console`."""
        seconds = self.timeout if timeout is None else timeout
        return self.bench.console(_literal(self.name), since_leave=since_leave, timeout=seconds)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each for the command line and for the configuration file."""
    group = parser.getgroup("flashdeck", "boards of flashdeck")
    group.addoption("--flashdeck-board", action="append", metavar="NAME|GLOB", help="take one of these boards")
    group.addoption("--flashdeck-partition", metavar="NAME", help="flash this partition before the tests")
    group.addoption("--flashdeck-image", metavar="FILE", help="with this image (default: the newest build)")
    group.addoption(
        "--flashdeck-timeout", type=float, metavar="SECONDS", help="how long a board, or its flash, may take"
    )
    group.addoption("--flashdeck-scope", choices=SCOPES, help="how long a board is kept (default: session)")
    group.addoption("--flashdeck-socket", metavar="PATH", help="the daemon's socket (default: as `flashdeck` finds it)")
    parser.addini("flashdeck_board", type="args", help="boards of which one is taken: names and globs (default: any)")
    parser.addini("flashdeck_partition", help="the partition that is flashed before the tests (default: none)")
    parser.addini("flashdeck_image", help="the image, from the directory of this file (default: the newest build)")
    parser.addini("flashdeck_timeout", help=f"seconds that a board, or its flash, may take (default: {TIMEOUT:g})")
    parser.addini("flashdeck_scope", help=f"how long a board is kept: {', '.join(SCOPES)} (default: session)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that make no sense before the first test."""
    PluginOptions.of(config)
    scope_of_board("", config)


@dataclass(frozen=True)
class PluginOptions:
    """The options of a run, from the command line or else from the configuration file."""

    boards: tuple[str, ...]
    partition: str
    image: Path | None
    timeout: float

    @classmethod
    def of(cls, config: pytest.Config) -> "PluginOptions":
        """Return what a run wants; raises pytest.UsageError."""
        partition = config.getoption("flashdeck_partition") or config.getini("flashdeck_partition")
        image = _image(config)
        if image is not None and not partition:
            raise pytest.UsageError("flashdeck: an image is named, and no partition (--flashdeck-partition)")
        return cls(
            boards=tuple(config.getoption("flashdeck_board") or config.getini("flashdeck_board")),
            partition=partition,
            image=image,
            timeout=_seconds(config),
        )


def _image(config: pytest.Config) -> Path | None:
    if typed := config.getoption("flashdeck_image"):
        return config.invocation_params.dir / typed
    kept = config.getini("flashdeck_image")
    return (config.inipath or config.rootpath).parent / kept if kept else None


def _seconds(config: pytest.Config) -> float:
    typed: float | None = config.getoption("flashdeck_timeout")
    kept = config.getini("flashdeck_timeout")
    try:
        return typed if typed is not None else float(kept or TIMEOUT)
    except ValueError:
        raise pytest.UsageError(f"flashdeck_timeout: '{kept}' is no number of seconds") from None


def scope_of_board(fixture_name: str, config: pytest.Config) -> Scope:
    """Return how long a board is kept; raises pytest.UsageError."""
    del fixture_name
    wanted = config.getoption("flashdeck_scope") or config.getini("flashdeck_scope") or "session"
    if wanted not in SCOPES:
        raise pytest.UsageError(f"flashdeck_scope: '{wanted}' is none of {', '.join(SCOPES)}")
    return wanted


@pytest.fixture(scope="session")
def flashdeck_bench(pytestconfig: pytest.Config) -> Generator["Bench"]:
    """The daemon's boards (`flashdeck.Bench`), for the whole run."""
    from flashdeck.sync_bench import connect  # noqa: PLC0415 - only where it is used

    with _told():
        bench = connect(pytestconfig.getoption("flashdeck_socket"), name="pytest")
    with bench:
        yield bench


@pytest.fixture(scope=scope_of_board)
def flashdeck_board(request: pytest.FixtureRequest, flashdeck_bench: "Bench") -> Generator[BoardUnderTest]:
    """A board for oneself, flashed; it is given back afterwards, whatever happens, and if pytest is killed."""
    wanted = PluginOptions.of(request.config)
    about = request.node.nodeid or request.config.rootpath.name
    with _told():
        names = _candidates(flashdeck_bench, wanted)
        taken = flashdeck_bench.take_one(*names, reason=f"pytest {about}", timeout=wanted.timeout)
        lease = taken.__enter__()
    try:
        board = BoardUnderTest(lease.boards[0], flashdeck_bench, wanted.timeout)
        if wanted.partition:
            with _told():
                flashed = board.flash(wanted.partition, wanted.image)
            board = BoardUnderTest(board.name, flashdeck_bench, wanted.timeout, flashed)
        yield board
    finally:
        taken.__exit__(None, None, None)


def _candidates(bench: "Bench", wanted: PluginOptions) -> Sequence[str]:
    """Return patterns that mean the boards of which one is taken; raises RequestError where there are none."""
    from flashdeck.errors import ErrorKind, RequestError  # noqa: PLC0415 - only where it is used

    boards = bench.boards(*wanted.boards)
    fitting = [
        board.name
        for board in boards
        if not wanted.partition or any(each.name == wanted.partition for each in board.partitions)
    ]
    if not fitting:
        raise RequestError(
            f"no board has a partition '{wanted.partition}'" if boards else "there are no boards",
            hint="see 'flashdeck boards'",
            kind=ErrorKind.NO_SUCH_BOARD,
        )
    return [_literal(name) for name in fitting]


def _literal(name: str) -> str:
    from flashdeck.names import literal  # noqa: PLC0415 - only where it is used

    return literal(name)


@contextmanager
def _told() -> Generator[None]:
    """Let an error end a test with its message and hint, as the command line has them, and no traceback."""
    from flashdeck.errors import FlashdeckError  # noqa: PLC0415 - only where it is used

    try:
        yield
    except FlashdeckError as error:
        told = f"flashdeck: {error.message}" + (f"\nhint: {error.hint}" if error.hint else "")
        raise pytest.fail.Exception(told, pytrace=False) from None
