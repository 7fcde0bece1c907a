"""Many starts at once, each as its row says, and which verdicts were other than right."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flashdeck import api
from flashdeck.errors import ErrorKind
from flashdeck.job_state import judgement_of
from flashdeck.model import Presence
from flashdeck.verdict import Judgement, Verdict
from flashdeckd.consoles.deaf_times import NOT_YET
from rig import firmware, sha256
from start_rows import ROWS, SETUPS, Say, StartKind, StartRow
from starting_bench import PATIENCE, SpokenPort, StartingBench, StartingBoard, Wiring, starting

BOARDS_EACH: Final = 2
"""Boards of each configuration."""
MOST_TRIES: Final = 10
"""Times that a start is tried on a machine that is too slow for it."""
WARM: Final = StartRow(kind=StartKind.NO_VERSION, on=SETUPS, running=(Say("{crash}"),), answer=Verdict.CRASHED)
"""The first of each board, by which it has an old build."""
FAILURES: Final = {
    Verdict.CRASHED: ErrorKind.CRASHED,
    Verdict.SILENT: ErrorKind.SILENT,
    Verdict.ANOTHER_BUILD: ErrorKind.ANOTHER_BUILD,
}
"""The answers of `wait`; nothing is wrong with all others."""


@dataclass(frozen=True, slots=True)
class JudgedStart:
    """The outcome of a start."""

    row: StartRow
    board: str
    answer: Judgement | None
    shown: Judgement | None
    waited: ErrorKind | None
    """The answer of `wait`: None for success."""

    @property
    def is_late(self) -> bool:
        """Tell whether the machine was too slow: all was over before the port could be opened."""
        is_deaf = self.answer is not None and self.answer.verdict is Verdict.UNKNOWN and NOT_YET in self.answer.reason
        return self.row.answer is Verdict.SILENT and is_deaf

    @property
    def mistakes(self) -> Iterator[str]:
        """All that is wrong with it."""
        where = f"{self.row.kind.value}, {ROWS.index(self.row)}, on {self.board}"
        wanted = self.row.answer
        answer = self.answer.verdict if self.answer is not None else None
        if answer is not wanted:
            yield f"{where}: {answer} instead of {wanted} ({self.answer})"
        wanted = self.row.shown or self.row.answer
        shown = self.shown.verdict if self.shown is not None else None
        if shown is not wanted:
            yield f"{where}: {shown} is shown instead of {wanted} ({self.shown})"
        if self.row.shown is None and self.waited is not FAILURES.get(self.row.answer):
            yield f"{where}: `wait` says {self.waited}"


class OneStart:
    """One start, while it goes on. See `RunningStart` and `StartListener`."""

    def __init__(self, row: StartRow, board: StartingBoard, number: int, *, old: str, cuts: Iterator[int]) -> None:
        """`old` is the version that the board has, and `cuts` are the places where lines are cut."""
        self.row = row
        self.board = board
        self.version = f"{1 + number % 7}.{number % 11}.{number}"
        self._number = number
        self._old = old
        self._cuts = cuts
        self._over = b""
        self._is_written = False
        self._has_left = False
        self._has_port = False
        self._job = 0

    @property
    def is_judged(self) -> bool:
        """Tell whether the job has ended."""
        job = self.board.jobs.get(self._job)
        return job is not None and job.is_settled

    @property
    def now(self) -> str:
        """Return how far it is."""
        job = self.board.jobs.get(self._job)
        return f"{self.board.presence}, {job and job.text}, port {self.board.port.__dict__}"

    def words(self, text: str) -> bytes:
        """Return a text with the names in braces filled in."""
        named = {
            "ready": "boot ✓, app1 {version}",
            "other": f"boot ✓, app1 9.{self._number}.0",
            "longer": "boot ✓, app1 {version}1",
            "dirty": "boot ✓, app1 {version}-dirty",
            "old": f"boot ✓, app1 {self._old}",
            "next": "boot ✓, app1 {version}",
            "crash": f"HardFault at 0x{0x08020000 + self._number:08x}",
            "dots": "." * (980 + self._number % 40),
            "noise": str(self._number % 100),
        }
        for name, value in (*named.items(), ("version", self.version)):
            text = text.replace(f"{{{name}}}", value)
        return text.encode().replace(b"{high}", b"\xff\xfe")

    def cut_in(self, length: int) -> int:
        """Return the next place."""
        return 1 + next(self._cuts) % (length - 1)

    def is_written(self) -> None:
        """See `StartListener`."""
        if self._is_written:
            return
        self._is_written = True
        if self.row.loader:
            self.board.port.say(self.words(self.row.loader))
        if self.row.over_mark:
            line = self.words(self.row.over_mark)
            place = self.cut_in(len(line))
            self._over = line[place:]
            self.board.port.say(line[:place])
        if self.row.loader or self.row.over_mark:
            self.board.port.await_heard()  # so it was heard before the leave, however slow this machine is

    def leaves(self) -> None:
        """See `StartListener`."""
        if not self._has_left:
            if words := self._over + self.words(self.row.after_mark):
                self.board.port.say(words)
            self._has_left = True
            self.board.happened.poke()

    def has_port(self, port: SpokenPort) -> None:
        """See `StartListener`."""
        if not self._has_left or self._has_port:
            return
        if self.row.unopened:
            port.say(self.words(self.row.unopened))
        if self.row.is_held:
            port.hold()
        self._has_port = True
        self.board.happened.poke()

    async def go(self) -> JudgedStart:
        """Let the board do what its row says."""
        board, row = self.board, self.row
        for deed in row.old:
            await deed.do(self)
        if board.setup.wiring is Wiring.ALONE and board.presence is not Presence.DFU:
            board.press()
            await board.happened.until(lambda: board.presence is Presence.DFU)
        board.listener = self
        image = self._image()
        client = board.bench.client
        async with board.bench.uploads:
            await client.upload("APP1.bin", image)
        flash = api.Flash(partition="app1", sha256=sha256(image), boards=(board.name,))
        self._job = (await client.call(flash)).jobs[0].id
        waiting = None if row.waits_late else asyncio.create_task(self._waited(image))
        await board.happened.until(lambda: self._has_left)
        if board.setup.wiring is not Wiring.PATH or self._number % 2:
            await self._runs()
        for deed in row.running:
            await deed.do(self)
        await board.happened.until(lambda: self.is_judged)
        for deed in row.judged:
            await deed.do(self)
        waited = await (waiting or self._waited(image))
        answer = judgement_of(board.jobs[self._job].status)
        if row.judged:
            with suppress(TimeoutError):
                await board.happened.until(lambda: self._shows(row.shown or row.answer))
        shown = board.contents.verdict if board.contents is not None else None
        await self._rests()
        return JudgedStart(row, board.name, answer, shown, waited)

    def _image(self) -> bytes:
        image = firmware(self.version, size=1024)
        return image if self.row.has_version else image.replace(self.version.encode(), b"-" * len(self.version))

    def _shows(self, verdict: Verdict) -> bool:
        contents = self.board.contents
        return contents is not None and contents.verdict is not None and contents.verdict.verdict is verdict

    async def _runs(self) -> None:
        """Wait until the application is there, and nothing keeps it from being heard but who holds its port."""
        board = self.board
        if self.row.is_held:
            await board.happened.until(lambda: self._has_port and board.presence is Presence.APP)
        else:
            await board.happened.until(lambda: board.is_running)

    async def _waited(self, image: bytes) -> ErrorKind | None:
        wait = api.Wait(partition="app1", sha256=sha256(image), boards=(self.board.name,), timeout=PATIENCE)
        (outcome,) = (await self.board.bench.client.call(wait)).boards
        return outcome.failure.kind if outcome.failure is not None else None

    async def _rests(self) -> None:
        """Let it be as any other board before its next start."""
        board = self.board
        board.listener = None
        if self.row.is_held:
            board.port.free()
        await board.happened.until(lambda: board.is_running)


@dataclass(slots=True)
class StartTally:
    """The starts that there were."""

    kinds: Counter[StartKind] = field(default_factory=Counter[StartKind])
    late: int = 0
    """Starts that were done once more, on a slow machine."""
    mistakes: list[str] = field(default_factory=list[str])

    def add(self, start: JudgedStart) -> None:
        """Count one."""
        self.kinds[start.row.kind] += 1
        self.mistakes += start.mistakes

    def __str__(self) -> str:
        counts = ", ".join(f"{kind.value} {self.kinds[kind]}" for kind in StartKind)
        late = f"; {self.late} once more, for the machine was late" if self.late else ""
        return f"{self.kinds.total()} starts: {counts}{late}"


async def started(root: Path, count: int, *, kinds: Iterable[StartKind] = StartKind) -> StartTally:
    """Let boards start so often, each kind as often as each other one; all rows have their turn."""
    tally = StartTally()
    cuts = itertools.count()
    async with starting(root, SETUPS * BOARDS_EACH) as bench:
        plans = _dealt(bench, count, tuple(kinds))
        async with asyncio.TaskGroup() as group:
            for number, (name, rows) in enumerate(plans.items()):
                group.create_task(_work(bench.boards[name], rows, tally, cuts, first=1 + number * 2 * (count + 1)))
    return tally


def _dealt(bench: StartingBench, count: int, kinds: tuple[StartKind, ...]) -> dict[str, deque[StartRow]]:
    """Return the rows for each board."""
    plans = {name: deque[StartRow]() for name in bench.boards}
    # The last ones of a kind are the trickiest: they have their turn in the smallest sample.
    rows = {kind: itertools.cycle([row for row in reversed(ROWS) if row.kind is kind]) for kind in kinds}
    turns = {id(row): itertools.cycle(row.on) for row in ROWS}
    for kind in itertools.islice(itertools.cycle(kinds), count):
        row = next(rows[kind])
        setup = next(turns[id(row)])
        fit = [name for name, board in bench.boards.items() if board.setup == setup]
        plans[min(fit, key=lambda name: len(plans[name]))].append(row)
    return plans


async def _work(
    board: StartingBoard, rows: Iterable[StartRow], tally: StartTally, cuts: Iterator[int], *, first: int
) -> None:
    old, numbers, left = "0.0.1", itertools.count(first), deque((WARM, *rows))
    tries = MOST_TRIES
    while left:
        row = left[0]
        start = OneStart(row, board, next(numbers), old=old, cuts=cuts)
        try:
            came = await start.go()
        except TimeoutError:
            which = f"{row.kind.value}, {ROWS.index(row)}" if row in ROWS else "the first"
            tally.mistakes.append(f"{which} does not go on, on {board.name}, {board.setup}: {start.now}")
            return
        old, tries = start.version, tries - 1
        if came.is_late and tries:
            tally.late += 1
            continue
        if left.popleft() is not WARM:
            tally.add(came)
        tries = MOST_TRIES
