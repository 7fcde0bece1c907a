"""A copy of the tree, in which other files take the place of the product's: a mutant, or a planted bug, at a time."""

import compileall
import os
import py_compile
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final, TypeVar

from forks import Forks
from limits.tree import ROOT

_T = TypeVar("_T")
_R = TypeVar("_R")

_PLAIN: Final = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Nothing of one run is kept for the next, and of plugins that are there already no assertion is rewritten."""
_OTHERS: Final = (
    "pytest",
    "textual.app",
    "textual.pilot",
    "usb.core",
    "pyudev",
    "watchfiles",
    "click.testing",
    "msgspec",
)
"""The libraries of others that tests and product import, and that take long."""


class Verdict(StrEnum):
    """The verdict of tests."""

    PASSED = "passed"
    FAILED = "failed"
    ENDLESS = "not ended in time"
    BROKEN = "not run"
    """There was no such test, or pytest could not even start."""


class Copy:
    """All files that git knows or would add, elsewhere; what runs is forked off what has seen none of them."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.said = ""
        """The output of what ran last."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0"):  # noqa: S603 -- our own words
            if name and (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, place / name)
        # Byte code that is checked by the text's hash: a mutant may be as long and as old as the one before it.
        compileall.compile_dir(place, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        rooms = os.pathsep.join(str(place / room) for room in ("shared", "daemon", "tui"))
        # That of tests is kept, too, whose text stays: pytest rewrites their assertions only once.
        self._environment = {**os.environ, "PYTHONPATH": rooms, "PYTHONDONTWRITEBYTECODE": ""}
        self._forks = Forks((*_OTHERS, *_plugins()), self._environment, place)

    @contextmanager
    def changed(self, files: Mapping[Path, str]) -> Generator[None]:
        """Let these files be others for the length of the block."""
        kept = {path: (self._place / path).read_bytes() for path in files}
        try:
            for path, text in files.items():
                (self._place / path).write_text(text)
            yield
        finally:
            for path, data in kept.items():
                (self._place / path).write_bytes(data)

    def with_files(self, files: Mapping[Path, str], tests: Sequence[str], *, seconds: float) -> Verdict:
        """Return what these tests say, up to the first that fails, while these files are others."""
        words = ("-q", "-x", *_PLAIN, f"--timeout={seconds:g}", *tests)
        with self.changed(files):
            code = self.run("pytest", *words, seconds=2 * seconds)
        if code is None:
            return Verdict.ENDLESS
        return {0: Verdict.PASSED, 1: Verdict.FAILED}.get(code, Verdict.BROKEN)

    def run(self, module: str, *words: str, seconds: float, room: str = ".") -> int | None:
        """Run a module with these words in a directory of the copy, and keep what it says; return its exit code.

        None where it does not end in its time: then it is ended, with all that it has begun.
        """
        with TemporaryFile() as said, Path(os.devnull).open("rb") as nothing:
            files = (nothing.fileno(), said.fileno(), said.fileno())
            forked = self._forks.start(
                module, *words, directory=self._place / room, environment=self._environment, files=files
            )
            code = forked.ended_within(seconds)
            if code is None:
                os.killpg(forked.pid, signal.SIGKILL)
                forked.ended_within(None)
            said.seek(0)
            self.said = said.read().decode(errors="replace")
        return code

    def close(self) -> None:
        """End what tests are forked off."""
        self._forks.close()


class Copies:
    """Several copies, in which as many things are tried at once."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        self._count = len(copies)
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for copy in copies:
            self._free.put(copy)

    @classmethod
    @contextmanager
    def made(cls, count: int) -> "Generator[Copies]":
        """Make so many for the length of the block."""
        with TemporaryDirectory(prefix="flashdeck-copies-") as place, ExitStack() as ends:
            copies = [Copy(Path(place) / str(number)) for number in range(count)]
            for copy in copies:
                ends.callback(copy.close)
            yield cls(copies)

    def tried(self, trial: Callable[[Copy, _T], _R], things: Iterable[_T]) -> Iterator[_R]:
        """Try each of `things` in the copy that is free first, and return the results in their order."""

        def in_a_copy(thing: _T) -> _R:
            copy = self._free.get()
            try:
                return trial(copy, thing)
            finally:
                self._free.put(copy)

        with ThreadPoolExecutor(max_workers=max(self._count, 1)) as pool:
            yield from pool.map(in_a_copy, things)


def _plugins() -> list[str]:
    """Return the modules of all plugins of pytest but our own, which may be what is changed."""
    return [each.module for each in entry_points(group="pytest11") if not each.module.startswith("flashdeck")]
