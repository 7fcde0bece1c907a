"""Completion in the shells themselves, each with the script that flashdeck prints, and what one press of Tab costs."""

import os
import pty
import resource
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from canned_daemon import CannedDaemon, board, job
from flashdeck import api
from flashdeck.model import PartitionState
from job_states import DONE, FAILED
from needed_tools import need

SECONDS = 60.0
"""Bounds a broken test, and the patience of completion: a busy machine is no silent daemon."""
PATIENT = f"from flashdeck_tui.tab_key import live_words; live_words.PATIENCE = {SECONDS}"
"""Code that gives completion that patience, by a module that every answer with names imports."""
MOST_TIMES = 3
"""Times the cost of importing click that one answer may cost."""
TRIES = 5
HEAVY = ("asyncio", "click", "msgspec", "flashdeck.api", "flashdeck.client", "flashdeck_tui.cli.root", "textual")
BOARDS = ("left", "right", "$(touch harm)", "-rf", "a b")


@pytest.fixture
def asked(daemon: CannedDaemon) -> CannedDaemon:
    partitions = (
        PartitionState(name="bootloader", address=0x08000000, size=0x20000, protected=True),
        PartitionState(name="app1", address=0x08020000, size=0x60000),
    )
    boards = tuple(board(name, partitions=partitions) for name in BOARDS)
    daemon.answers |= {
        api.GetBoards: api.BoardList(boards=boards, devices=()),
        api.GetJobs: api.JobList(jobs=(job(12, "right", status=FAILED), job(11, status=DONE))),
    }
    return daemon


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with the program `flashdeck` in `bin`, and a file to complete."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "flashdeck"
    code = f"import sys; {PATIENT}; from flashdeck_tui.cli import main; sys.exit(main())"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    program.chmod(0o755)
    (tmp_path / "firmware.hex").touch()
    return tmp_path


@pytest.fixture
def environment(home: Path, asked: CannedDaemon) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "VIRTUAL", "COV"))}
    return kept | {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "FLASHDECK_SOCKET": str(asked.socket),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "PS1": "> ",
    }


LINES: list[tuple[str, list[str]]] = [
    ("flashdeck sta", ["status"]),
    ("flashdeck hold l", ["left"]),
    ("flashdeck hold ", ["left", "right"]),
    ("flashdeck hold left ri", ["right"]),
    ("flashdeck flash ", ["app1"]),
    ("flashdeck flash app1 --board ", ["left", "right"]),
    ("flashdeck retry ", ["12", "11"]),
    ("flashdeck jobs --status ru", ["running"]),
    ("flashdeck history --since 13:05 --partition a", ["app1"]),
    ("flashdeck hold --rea", ["--reason"]),
    ("flashdeck hold nothing-begins-so", []),
]


@pytest.mark.long
@pytest.mark.parametrize(("line", "expected"), [*LINES, ("flashdeck jobs --board=ri", ["right"])])
def test_bash(environment: dict[str, str], home: Path, line: str, expected: list[str]) -> None:
    need("bash", packages="bash")
    script = f"""
eval "$(flashdeck completion bash)"
COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}
_flashdeck_completion flashdeck
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    assert ran(["bash", "--norc", "--noprofile", "-c", script], environment, home) == expected


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "expected"), [*LINES, ("flashdeck jobs --board=ri", ["--board=right"]), ("flashdeck flash firm", [])]
)
def test_fish(environment: dict[str, str], home: Path, line: str, expected: list[str]) -> None:
    need("fish", packages="fish")
    script = f"flashdeck completion fish | source; complete --do-complete {shlex.quote(line)}"
    found = ran(["fish", "--no-config", "-c", script], environment, home)
    words = [each.partition("\t")[0] for each in found]
    assert words == (expected or (["firmware.hex"] if line.endswith("firm") else []))
    if "retry" in line:
        assert found[0] == "12\tapp1 of right failed"


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        (b"flashdeck sta", b"flashdeck status "),
        (b"flashdeck hold le", b"flashdeck hold left "),
        (b"flashdeck jobs --board=ri", b"flashdeck jobs --board=right "),
        (b"flashdeck flash a", b"flashdeck flash app1 "),
        (b"flashdeck flash firm", b"flashdeck flash firmware.hex "),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_press_of_tab_on_a_terminal(
    environment: dict[str, str], home: Path, shell: str, typed: bytes, becomes: bytes
) -> None:
    need(shell, packages=shell)
    words = {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
    }[shell]
    ready = {
        "bash": b'bind "set enable-bracketed-paste off"; eval "$(flashdeck completion bash)"; echo rea""dy\n',
        "zsh": b'unset zle_bracketed_paste; autoload -U compinit; compinit -u -D; eval "$(flashdeck completion zsh)"; '
        b'echo rea""dy\n',
    }[shell]
    with OnTerminal(words, environment, home) as terminal:
        terminal.type(ready)
        terminal.until(lambda seen: b"ready\r\n" in seen)
        terminal.seen.clear()
        terminal.type(typed + b"\t")
        terminal.until(lambda seen: drawn(seen).endswith(becomes))
    assert not (home / "harm").exists()


def test_zsh_shows_what_there_is(environment: dict[str, str], home: Path) -> None:
    need("zsh", packages="zsh")
    with OnTerminal(["zsh", "-f", "-i"], environment, home) as terminal:
        terminal.type(b"autoload -U compinit; compinit -u -D; eval \"$(flashdeck completion zsh)\"; echo rea''dy\n")
        terminal.until(lambda seen: b"ready\r\n" in seen)
        terminal.type(b"flashdeck retry \t\t")
        terminal.until(lambda seen: b"app1 of right failed" in seen and b"app1 of left done" in seen)


class OnTerminal:
    """A shell on a pseudo-terminal, to type into."""

    def __init__(self, words: list[str], environment: dict[str, str], home: Path) -> None:
        self.seen = bytearray()
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            words, stdin=follower, stdout=follower, stderr=follower, env=environment, cwd=home, start_new_session=True
        )
        os.close(follower)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(SECONDS)
        os.close(self._leader)

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def until(self, reached: Callable[[bytes], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not reached(bytes(self.seen)):
            assert select.select([self._leader], [], [], max(0.0, end - time.monotonic()))[0], bytes(self.seen)
            self.seen += os.read(self._leader, 65536)


def drawn(seen: bytes) -> bytes:
    """What a line editor has drawn by appending alone, with its backspaces done, and without sequences and bells."""
    line = bytearray()
    at = 0
    while at < len(seen):
        byte = seen[at]
        if byte == 0x1B:
            at += 1
            while at < len(seen) and not chr(seen[at]).isalpha():
                at += 1
        elif byte == 0x08:
            del line[-1:]
        elif byte == 0x0D:
            line.clear()
        elif byte >= 0x20:
            line.append(byte)
        at += 1
    return bytes(line)


def ran(words: list[str], environment: dict[str, str], home: Path) -> list[str]:
    """The lines that it printed, of which the empty ones say nothing."""
    before = sorted(home.iterdir())
    done = subprocess.run(  # noqa: S603 - our own words
        words, capture_output=True, text=True, cwd=home, env=environment, timeout=SECONDS, check=True
    )
    assert done.stderr == ""
    assert set(home.iterdir()) - set(before) <= {home / "config", home / "data"}, "completing leaves nothing behind"
    return [line for line in done.stdout.splitlines() if line]


@pytest.fixture
def asking(asked: CannedDaemon) -> Iterator[Callable[[str], list[str]]]:
    """The words of an interpreter that answers a shell and then runs some code; set up for a line with boards."""
    environment = {"_FLASHDECK_COMPLETE": "bash_complete", "COMP_LINE": "flashdeck hold ", "COMP_POINT": "15"}
    more = {**environment, "FLASHDECK_SOCKET": str(asked.socket)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in more.items():
            patch.setenv(name, value)
        main = f"{PATIENT}; from flashdeck_tui.cli import main; code = main(); "
        yield lambda after: [sys.executable, "-c", main + after]


def test_one_press_of_tab_imports_neither_a_command_nor_what_commands_need(
    asking: Callable[[str], list[str]],
) -> None:
    words = asking(f"import sys; print([name for name in {HEAVY} if name in sys.modules], len(sys.modules))")
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True)  # noqa: S603 - ours
    *answer, told = done.stdout.splitlines()
    assert answer == ["plain,left", "plain,right"]
    count = int(told.removeprefix("[] "))
    click = [sys.executable, "-c", "import click, sys; print(len(sys.modules))"]
    done = subprocess.run(click, capture_output=True, text=True, timeout=SECONDS, check=True)  # noqa: S603 - ours
    assert count < 2 * int(done.stdout), "some modules more than click has"


def test_one_press_of_tab_costs_at_most_three_times_what_click_does(asking: Callable[[str], list[str]]) -> None:
    ours, clicks = asking("sys_exit = code"), [sys.executable, "-c", "import click"]
    costs = [(spent(ours), spent(clicks)) for _ in range(TRIES)]
    assert min(own for own, _ in costs) <= MOST_TIMES * min(other for _, other in costs)


def spent(words: list[str]) -> float:
    """Seconds of processor time, which a busy machine takes from nobody."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, stdout=subprocess.DEVNULL, timeout=SECONDS, check=True)  # noqa: S603 - our own words
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
