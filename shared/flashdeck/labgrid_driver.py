"""Boards of flashdeck in labgrid: a resource, a driver that flashes, and one that hears the console.

An environment loads it by `imports: [flashdeck.labgrid_driver]`. It needs labgrid; nothing else of ours imports it.
"""

# pyright: reportMissingModuleSource=false
# labgrid is not in `.venv`, for its plugin would be part of each run of pytest there: `typings` has what is used of it.

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from os import PathLike, fspath
from typing import ClassVar

import attr
from labgrid.driver.common import Driver
from labgrid.driver.consoleexpectmixin import ConsoleExpectMixin
from labgrid.factory import target_factory
from labgrid.protocol import BootstrapProtocol, ConsoleProtocol
from labgrid.remote.client import UserError
from labgrid.resource.common import NetworkResource
from labgrid.step import step
from pexpect import TIMEOUT

from flashdeck.api import CONSOLE_PAGE, GetConsole
from flashdeck.async_bench import Ordering
from flashdeck.console_following import WAIT_SECONDS
from flashdeck.console_kinds import ConsoleKind
from flashdeck.errors import ErrorKind, FlashdeckError, RemoteError, RequestError
from flashdeck.lab_connection import FLASH_SECONDS, DaemonWay, LabConnection
from flashdeck.names import few
from flashdeck.outcome import Outcome
from flashdeck.sync_bench import Bench


class LabError(UserError):
    """A call that failed, in one text with its hint: `labgrid-client` prints it, without a traceback.

    `error` is flashdeck's own, with kind, hint and exit code; of a NotDoneError it has the outcome, too.
    """

    def __init__(self, error: FlashdeckError) -> None:
        super().__init__(f"{error.message}\nhint: {error.hint}" if error.hint else error.message)
        self.error = error


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except FlashdeckError as error:
        raise LabError(error) from error


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return partitions as a coordinator carries them, which knows no lists: names between commas, or a list."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(value)


@target_factory.reg_resource
@attr.s(eq=False)
class FlashdeckBoard(NetworkResource):
    """A board of a flashdeckd, published by it through a coordinator, or written into an environment by hand.

    Args:
        host (str): the machine that flashdeckd runs on
        board (str): the name of the board there
        socket (str): the daemon's socket, for who is on that machine
        ssh (str): how ssh reaches it, for everybody else; default: by `host`
        partitions (list): the partitions that can be flashed
    """

    board: str = attr.ib(validator=attr.validators.instance_of(str))
    socket: str = attr.ib(default="", validator=attr.validators.instance_of(str))
    ssh: str = attr.ib(default="", validator=attr.validators.instance_of(str))
    partitions: tuple[str, ...] = attr.ib(default=(), converter=_names)

    def connection(self) -> LabConnection:
        """Return a connection to its daemon, which is not yet made."""
        return LabConnection(self.board, DaemonWay.of(self.host, socket=self.socket, ssh=self.ssh))


@target_factory.reg_driver
@attr.s(eq=False)
class FlashdeckDriver(Driver, BootstrapProtocol):
    """Flashes a board through the daemon that has it, and looks at what is on it. Images travel as bytes.

    What is not done when a call ends is cancelled. Each method raises LabError.

    Args:
        partition (str): where `load` writes; default: where the addresses of the image belong
        image (str): the image of the environment that `load` takes where none is named
        timeout (float): seconds that a call may take, the wait for the board included
    """

    bindings: ClassVar[dict[str, object]] = {"board": FlashdeckBoard}

    board: FlashdeckBoard
    partition: str = attr.ib(default="", validator=attr.validators.instance_of(str))
    image: str | None = attr.ib(default=None, validator=attr.validators.optional(attr.validators.instance_of(str)))
    timeout: float = attr.ib(default=FLASH_SECONDS, converter=float)

    def on_activate(self) -> None:
        """Connect to the daemon."""
        self._connection = self.board.connection()
        with self._bench():
            pass

    def on_deactivate(self) -> None:
        """End the connection."""
        self._connection.close()

    @Driver.check_active
    @step(args=["filename"])
    def load(self, filename: str | None = None) -> None:
        """Flash a file into `partition`, else where its addresses belong; without a file the `image` of the driver."""
        with self._bench() as bench, self._candidates():
            bench.flash(self.partition, self._file(filename), boards=self._connection.board, **self._ordering)

    @Driver.check_active
    @step(args=["partition"])
    def flash(self, partition: str, image: str | PathLike[str] | bytes | None = None) -> Outcome:
        """Flash a file, or the bytes of one, into a partition, and return once it is there; None: the newest build."""
        with self._bench() as bench:
            return bench.flash(partition, image, boards=self._connection.board, **self._ordering)

    @Driver.check_active
    @step(args=["partition"])
    def wait(
        self, partition: str, image: str | PathLike[str] | bytes | None = None, timeout: float | None = None
    ) -> Outcome:
        """Return once the daemon has brought an image, or the newest build, by itself, and the board has started."""
        seconds = self.timeout if timeout is None else timeout
        with self._bench() as bench:
            return bench.wait(partition, image, boards=self._connection.board, timeout=seconds)

    @Driver.check_active
    @step(args=["partition", "force"])
    def verify(
        self, partition: str, image: str | PathLike[str] | bytes | None = None, *, force: bool = False
    ) -> Outcome:
        """Read a partition and compare it with an image, or with what flashdeck knows of it."""
        with self._bench() as bench:
            return bench.verify(partition, image, boards=self._connection.board, force=force, **self._ordering)

    @Driver.check_active
    @step(args=["partition", "force"])
    def read(self, partition: str, *, force: bool = False) -> bytes:
        """Return the contents of a whole partition."""
        with self._bench() as bench:
            return bench.read(partition, boards=self._connection.board, force=force, timeout=self.timeout).data

    @Driver.check_active
    @step(args=["force"])
    def reset(self, *, force: bool = False) -> Outcome:
        """Take the board out of DFU mode, so that it starts; `force` also where a partition is incomplete."""
        with self._bench() as bench:
            return bench.reset(self._connection.board, force=force, **self._ordering)

    @property
    def _ordering(self) -> Ordering:
        return {"timeout": self.timeout, "cancel_on_exit": True}

    def _file(self, filename: str | None) -> str:
        if filename is not None:
            return fspath(filename)
        if self.image is None or self.target.env is None:
            raise RequestError("no file is named", hint="name one, or give the driver an `image` of the environment")
        return self.target.env.config.get_image_path(self.image)

    @contextmanager
    def _candidates(self) -> Generator[None]:
        """Say where an environment names the partition of an image that does not say itself where it belongs."""
        try:
            yield
        except RemoteError as error:
            if self.partition or error.kind is not ErrorKind.AMBIGUOUS:
                raise
            named = few(self.board.partitions) or "its name"
            hint = f"give FlashdeckDriver a `partition` in the environment ({named}), or name a file with addresses"
            raise RequestError(error.message, hint=f"{hint} (.elf, .hex)", kind=error.kind) from error

    @contextmanager
    def _bench(self) -> Generator[Bench]:
        with _told(), self._connection.use() as bench:
            yield bench


@target_factory.reg_driver
@attr.s(eq=False)
class FlashdeckConsoleDriver(ConsoleExpectMixin, Driver, ConsoleProtocol):
    """Hears what a board says on its console, from the moment on at which it is activated: line by line, as it comes.

    The daemon has the port and goes on recording. Nothing can be written. Raises LabError, also where the board has no
    console.
    """

    bindings: ClassVar[dict[str, object]] = {"board": FlashdeckBoard}

    board: FlashdeckBoard
    txdelay: float = attr.ib(default=0.0, validator=attr.validators.instance_of(float))
    txchunk: int = attr.ib(default=1, validator=attr.validators.instance_of(int))

    def on_activate(self) -> None:
        """Begin behind what it said last."""
        self._kept = b""
        self._connection = self.board.connection()
        with _told(), self._connection.use() as bench:
            page = bench.call(GetConsole(board=self._connection.board, limit=1))
        self._heard: int = page.next or -1
        self._of: int = self._connection.number

    def on_deactivate(self) -> None:
        """End the connection."""
        self._connection.close()

    def _read(self, size: int = 1, timeout: float = 0.0, max_size: int | None = None) -> bytes:
        """Return some bytes, at least one; raises pexpect's TIMEOUT where none came. `size` is a wish, as of a port."""
        del size
        end = time.monotonic() + timeout
        while not self._kept:
            left = max(0.0, end - time.monotonic())
            self._listen(min(WAIT_SECONDS, left))
            if not left and not self._kept:
                raise TIMEOUT(f"{self.board.board} said nothing for {timeout:.2f} seconds")
        most = max_size or len(self._kept)
        said, self._kept = self._kept[:most], self._kept[most:]
        return said

    def _write(self, data: bytes) -> int:
        del data
        with _told():
            raise RequestError(
                f"flashdeck hears the console of {self.board.board}, and cannot write to it",
                hint="`flashdeck console BOARD --release` leaves the port to other programs",
            )

    def _listen(self, seconds: float) -> None:
        """Take what came since the last call, or comes within so many seconds."""
        with _told(), self._connection.use() as bench:
            if self._connection.number != self._of:  # of another daemon, maybe: its entries begin anew
                self._heard, self._of = -1, self._connection.number
            asked = GetConsole(board=self._connection.board, after=self._heard, limit=CONSOLE_PAGE, wait=seconds)
            page = bench.call(asked)
        self._heard = max(self._heard, page.next)
        self._kept += b"".join(f"{each.text}\n".encode() for each in page.entries if each.kind is ConsoleKind.LINE)
