"""Processes of Python that need not import anything first: each is forked off one that has done that.

Such a process has its own environment, directory, session, signals and standard files, and runs a module to the end of
the interpreter, as `python -m` does. What differs from one that was started by exec: its words in /proc, and that it
shares the seed of hashes with its siblings.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

AT_THE_START: Final = ("PYTHON", "LC_", "LANG", "LD_")
"""The beginnings of variables that only the start of an interpreter heeds."""
PYTHONS_OWN: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Signals that every interpreter ignores, whatever it was started with."""
_FIXED: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})
BYTES: Final = 4
"""Of a number that is told: of a process, or its exit code."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A process that was forked."""

    pid: int
    report: socket.socket
    """Has the exit code once it has ended: `told_in`."""

    def ended_within(self, seconds: float | None) -> int | None:
        """Return its exit code once it has ended; None where that takes longer. Blocks."""
        self.report.settimeout(seconds)
        try:
            code = told_in(self.report.recv(BYTES))
        except TimeoutError:
            return None
        self.report.close()
        return code


class Forks:
    """The process that others are forked off; it ends with this one."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str], directory: Path | None = None) -> None:
        """Begin one that imports these modules first, in this directory or in ours."""
        self._at_the_start = _at_the_start(environment)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this file
                (sys.executable, __file__, str(theirs.fileno()), *modules),
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=directory,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def can_start(self, environment: Mapping[str, str]) -> bool:
        """True if a process with this environment would be as one that was started by exec."""
        return _at_the_start(environment) == self._at_the_start

    def start(
        self, *words: str, directory: Path, environment: Mapping[str, str], files: tuple[int, int, int]
    ) -> Forked:
        """Run the module that is the first word, with the others, as the leader of a session.

        It gets these standard files, and of this process which signals are ignored. Blocks until it is there.
        """
        request = {
            "words": words,
            "environment": dict(environment),
            "directory": str(directory),
            "ignored": [number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN],
        }
        report, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"."], [theirs.fileno(), *files])
        pid = told_in(report.recv(BYTES))
        report.sendall(json.dumps(request).encode())
        report.shutdown(socket.SHUT_WR)
        return Forked(pid, report)

    def close(self) -> None:
        """End it; what was forked goes on."""
        self._control.close()
        self._process.wait()


def told_in(data: bytes) -> int:
    """Return the number that was told."""
    assert len(data) == BYTES, "the process that others are forked off has ended"
    return int.from_bytes(data, "little", signed=True)


def _tell(report: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody may want to know any more
        report.send(number.to_bytes(BYTES, "little", signed=True))


def _at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(AT_THE_START)}


def _serve(control: socket.socket) -> tuple[socket.socket, list[int]]:
    """Fork whenever that is asked for, and tell of each end, until nobody can ask any more.

    Returns in a child: where it hears what it is to be, and its standard files.
    """
    children: dict[int, Forked] = {}
    """By the descriptor that tells of the end."""
    asking = control.fileno()
    while True:
        for ready in select.select([asking, *children], [], [])[0]:
            if ready != asking:
                ended = children.pop(ready)
                os.close(ready)
                with ended.report:
                    _tell(ended.report, os.waitstatus_to_exitcode(os.waitpid(ended.pid, 0)[1]))
                continue
            asked, descriptors, _, _ = socket.recv_fds(control, 1, 1 + 3)
            if not asked:
                sys.exit()
            report = socket.socket(fileno=descriptors.pop(0))
            pid = os.fork()
            if not pid:
                for each in (control, *(other.report for other in children.values())):
                    each.close()
                for each in children:
                    os.close(each)
                return report, descriptors
            for each in descriptors:
                os.close(each)
            _tell(report, pid)
            children[os.pidfd_open(pid)] = Forked(pid, report)


def _become(report: socket.socket, files: Sequence[int]) -> NoReturn:
    with report, report.makefile("rb") as request:
        wanted = json.load(request)
    for number, each in enumerate(files):
        os.dup2(each, number)
        os.close(each)
    os.setsid()
    os.chdir(wanted["directory"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    for number in signal.valid_signals() - PYTHONS_OWN - _FIXED:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in wanted["ignored"] else default)
    module, *sys.argv[1:] = wanted["words"]
    sys.path[0] = wanted["directory"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit()


def _main(control: int, modules: Sequence[str]) -> NoReturn:
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a child that does not go through what it shares copies less of it
    _become(*_serve(socket.socket(fileno=control)))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
