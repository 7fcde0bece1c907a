"""A daemon's boards for programs without an event loop: each method does what the command of its name does.

with flashdeck.connect() as bench:
    bench.flash("app1", "build/APP1.bin", timeout=60)
"""

from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import AbstractAsyncContextManager, contextmanager
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from flashdeck.api import BoardPlan, Params
from flashdeck.async_bench import AsyncBench, Boards, BytesRead, Ordering, Patience, Time, open_bench
from flashdeck.board_run import RunOutcome
from flashdeck.image_file import Image
from flashdeck.job_following import Tell
from flashdeck.loop_thread import Iteration, LoopThread, News
from flashdeck.model import BoardState, ConsoleEntry, DeviceState, Event, JobState, Snapshot
from flashdeck.outcome import Outcome
from flashdeck.run_following import TellEntry
from flashdeck.taking import Lease
from flashdeck.value import Value

T = TypeVar("T")
R = TypeVar("R", bound=Value)


def connect(
    socket: str | PathLike[str] | None = None,
    *,
    host: str = "",
    name: str = "python",
    read_only: bool = False,
    lab_user: str = "",
) -> "Bench":
    """Return a connection to the daemon at `socket`, else at $FLASHDECK_SOCKET, else where one of ours is found.

    `host` is another machine, through ssh: user@box, or a name of [hosts]. `name` is shown in the daemon's log. With
    `read_only` the daemon refuses (kind `no-permission`) whatever changes something or touches a board. `lab_user` is
    the user of a lab ("host/user") for whom it speaks: what that one has acquired may be used. Acts for the lease that
    this process was started in (`flashdeck take`). Raises ConnectionFailedError, and RequestError for a host or a user
    that cannot be one.
    """
    thread = LoopThread("flashdeck")
    try:
        return Bench(
            thread, thread.run(open_bench(socket, host=host, name=name, read_only=read_only, lab_user=lab_user))
        )
    except BaseException:
        thread.close()
        raise


class Bench:
    """The boards of one daemon. Make it with `flashdeck.connect`, and `close` it, or use it for a `with` block.

    It may be used from any thread, by several at once; the connection lives in a thread of its own. What it calls back
    (`on_change`, `tell`) runs in the thread that called. An exception there, as KeyboardInterrupt, ends the call: its
    jobs stay in the queue, unless it was to cancel them; these end with the connection. A forked child cannot use
    the connection of its parent: it connects anew. All else is as with `flashdeck.AsyncBench`.
    """

    def __init__(self, thread: LoopThread, bench: AsyncBench) -> None:
        """Takes a bench that lives in the loop of `thread`, and that thread."""
        self._thread = thread
        self._bench = bench

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and return once nothing is left of it. A second call does nothing."""
        if self._thread.is_usable:
            self._thread.run(self._bench.close())
        self._thread.close()

    def call(self, params: Params[R]) -> R:
        """Return the daemon's answer to any method of its protocol (`flashdeck.api`)."""
        return self._thread.run(self._bench.call(params))

    # How things are

    def status(self) -> Snapshot:
        """Return everything at one instant: the daemon, boards, jobs, builds."""
        return self._thread.run(self._bench.status())

    def boards(self, *boards: str) -> tuple[BoardState, ...]:
        """Return these boards (names and globs), or all of them."""
        return self._thread.run(self._bench.boards(*boards))

    def devices(self) -> tuple[DeviceState, ...]:
        """Return the DFU devices that are no configured board."""
        return self._thread.run(self._bench.devices())

    def jobs(self, *boards: str, statuses: Iterable[str] = (), limit: int = 50) -> tuple[JobState, ...]:
        """Return the newest jobs of these boards (none: of all), at most `limit`; `statuses` as `queued` or `done`."""
        return self._thread.run(self._bench.jobs(*boards, statuses=statuses, limit=limit))

    def history(
        self,
        *boards: str,
        partition: str = "",
        since: Time | None = None,
        until: Time | None = None,
        limit: int = 500,
    ) -> tuple[JobState, ...]:
        """Return past and present jobs from the whole journal, the newest first, at most `limit`."""
        return self._thread.run(
            self._bench.history(*boards, partition=partition, since=since, until=until, limit=limit)
        )

    def events(self) -> Iteration[Snapshot | Event]:
        """A snapshot, then every change: see `AsyncBench.events`. `close` it where you leave it early."""
        return self._thread.iterate(self._bench.events())

    # What is done to boards

    def flash(
        self, partition: str = "", image: Image | None = None, *, boards: Boards = (), **how: Unpack[Ordering]
    ) -> Outcome:
        """Flash an image, or the newest build, and return once it is on the boards: see `AsyncBench.flash`."""
        return self._heard(how, lambda told: self._bench.flash(partition, image, boards=boards, **told))

    def verify(
        self,
        partition: str = "",
        image: Image | None = None,
        *,
        boards: Boards = (),
        force: bool = False,
        **how: Unpack[Ordering],
    ) -> Outcome:
        """Read a partition and compare it with an image, or with what is known of it: see `AsyncBench.verify`."""
        return self._heard(how, lambda told: self._bench.verify(partition, image, boards=boards, force=force, **told))

    def read(self, partition: str, *, boards: Boards = (), force: bool = False, **how: Unpack[Patience]) -> BytesRead:
        """Return the contents of a partition of one board: see `AsyncBench.read`."""
        news = News(how.get("on_change"))
        if news.tell is not None:
            how["on_change"] = news.tell
        return self._thread.run_heard(self._bench.read(partition, boards=boards, force=force, **how), news)

    def erase(self, partition: str, *, boards: Boards = (), **how: Unpack[Ordering]) -> Outcome:
        """Erase a whole partition: see `AsyncBench.erase`."""
        return self._heard(how, lambda told: self._bench.erase(partition, boards=boards, **told))

    def reset(self, *boards: str, force: bool = False, **how: Unpack[Ordering]) -> Outcome:
        """Take boards (none: all that are in DFU mode) out of DFU mode: see `AsyncBench.reset`."""
        return self._heard(how, lambda told: self._bench.reset(*boards, force=force, **told))

    def rollback(self, partition: str, *, boards: Boards = (), **how: Unpack[Ordering]) -> Outcome:
        """Flash the last program that was good in a partition before the present one."""
        return self._heard(how, lambda told: self._bench.rollback(partition, boards=boards, **told))

    def retry(self, job: int, *, timeout: float | None = None, on_change: Tell | None = None) -> Outcome:
        """Flash the image of a job once more, or try a blocked job again."""
        news = News(on_change)
        return self._thread.run_heard(self._bench.retry(job, timeout=timeout, on_change=news.tell), news)

    def cancel(self, job: int) -> JobState:
        """End a job, and return it once it has ended: in another way, maybe, if that came first."""
        return self._thread.run(self._bench.cancel(job))

    def wait(
        self,
        partition: str = "",
        image: Image | None = None,
        *,
        boards: Boards = (),
        timeout: float = 120.0,
        tell: Callable[[Snapshot | Event], object] | None = None,
    ) -> Outcome:
        """Return once an image, or the newest build, is on the boards' partition: see `AsyncBench.wait`."""
        news = News(tell)
        asked = self._bench.wait(partition, image, boards=boards, timeout=timeout, tell=news.tell)
        return self._thread.run_heard(asked, news)

    # What it says

    def console(
        self, board: str, *, since_leave: bool = False, timeout: float | None = None
    ) -> Iteration[ConsoleEntry]:
        """The words of a board on its serial port: see `AsyncBench.console`. `close` it where you leave it early."""
        return self._thread.iterate(self._bench.console(board, since_leave=since_leave, timeout=timeout))

    def run(
        self,
        partition: str,
        image: Image | None = None,
        *,
        until: str | Iterable[str],
        fail: str | Iterable[str] = (),
        boards: Boards = (),
        timeout: float = 120.0,
        on_entry: TellEntry | None = None,
    ) -> RunOutcome:
        """Flash an image, start it, and return once each board has said what it is to say: see `AsyncBench.run`."""
        news = News(on_entry)
        asked = self._bench.run(
            partition, image, until=until, fail=fail, boards=boards, timeout=timeout, on_entry=news.tell
        )
        return self._thread.run_heard(asked, news)

    # What would be done

    def plan(self, partition: str = "", image: Image | None = None, *, boards: Boards = ()) -> tuple[BoardPlan, ...]:
        """Return what `flash` would do, a plan a board; `blocked` says why it would not start."""
        return self._thread.run(self._bench.plan(partition, image, boards=boards))

    def plan_erase(self, partition: str, *, boards: Boards = ()) -> tuple[BoardPlan, ...]:
        """Return what `erase` would do, a plan a board."""
        return self._thread.run(self._bench.plan_erase(partition, boards=boards))

    def plan_rollback(self, partition: str, *, boards: Boards = ()) -> tuple[BoardPlan, ...]:
        """Return what `rollback` would do, a plan a board."""
        return self._thread.run(self._bench.plan_rollback(partition, boards=boards))

    # Who may do it

    def hold(self, *boards: str, reason: str = "") -> tuple[BoardState, ...]:
        """Put boards (at least one name or glob) on hold: nothing starts on them until they are released."""
        return self._thread.run(self._bench.hold(*boards, reason=reason))

    def release(self, *boards: str) -> tuple[BoardState, ...]:
        """Release boards (at least one name or glob), and their blocked jobs."""
        return self._thread.run(self._bench.release(*boards))

    def arm(self, *boards: str, once: bool = False) -> tuple[BoardState, ...]:
        """Let builds flash by themselves on boards (none: all) again; `once`: the next one."""
        return self._thread.run(self._bench.arm(*boards, once=once))

    def disarm(self, *boards: str) -> tuple[BoardState, ...]:
        """Let builds be offered to boards (none: all) from now on, not flashed."""
        return self._thread.run(self._bench.disarm(*boards))

    @contextmanager
    def take(
        self,
        *boards: str,
        reason: str = "",
        no_wait: bool = False,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> Generator[Lease]:
        """Take boards (at least one name or glob) for a block: see `AsyncBench.take`."""
        news = News(tell)
        taken = self._bench.take(*boards, reason=reason, no_wait=no_wait, timeout=timeout, tell=news.tell)
        with self._held(taken, news) as lease:
            yield lease

    @contextmanager
    def take_one(
        self,
        *boards: str,
        reason: str = "",
        no_wait: bool = False,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> Generator[Lease]:
        """Take one of these boards for a block, whichever is free first: see `AsyncBench.take`."""
        news = News(tell)
        taken = self._bench.take_one(*boards, reason=reason, no_wait=no_wait, timeout=timeout, tell=news.tell)
        with self._held(taken, news) as lease:
            yield lease

    # How

    @contextmanager
    def _held(self, taken: AbstractAsyncContextManager[Lease], news: News[str]) -> Generator[Lease]:
        """Hold a lease for a block. One whose connection is closed in the block has ended with it."""

        async def begin() -> Lease:
            return await taken.__aenter__()

        async def end() -> None:
            await taken.__aexit__(None, None, None)

        lease = self._thread.run_heard(begin(), news)
        try:
            yield lease
        finally:
            if self._thread.is_usable:
                self._thread.run(end())

    def _heard(self, how: Ordering, work: Callable[[Ordering], Coroutine[Any, Any, T]]) -> T:
        """Return what `work` does, which is told what to call instead of the caller's own `on_change`."""
        news = News(how.get("on_change"))
        if news.tell is not None:
            how["on_change"] = news.tell
        return self._thread.run_heard(work(how), news)
