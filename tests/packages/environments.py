"""flashdeck as one of the programs that users have has installed it, and its commands there."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli_run import Run
from flashdeck.extras import Extra
from packages.workshop import Workshop

SECONDS = 600.0
"""Bounds each command, and what is waited for."""
_MANY_RUNS = Path(__file__).with_name("many_runs.py")


@dataclass(slots=True)
class Installed:
    """One environment: its commands, and how many have been run."""

    name: str
    home: Path
    bin: Path
    variables: dict[str, str]
    python: Path
    """The interpreter in it."""
    ran: int = 0

    def __call__(self, *words: str, program: str = "flashdeck") -> Run:
        """Run a command of it, and return what it left; it is never a traceback."""
        return self.runs([str(self.bin / program), *words])

    def many(self, lines: Sequence[Sequence[str]], *, program: str = "flashdeck") -> list[Run]:
        """Run many of its command lines, and return what each left."""
        full = [[str(self.bin / program), *words] for words in lines]
        ended = subprocess.run(
            [self.python, "-I", _MANY_RUNS],
            env=self.variables,
            cwd=self.home,
            input=json.dumps(full),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert ended.returncode == 0, ended.stderr
        runs = [Run(*each) for each in json.loads(ended.stdout)]
        self.ran += len(runs)
        assert not [(words, run) for words, run in zip(lines, runs, strict=True) if "Traceback" in run.out + run.err]
        return runs

    def shell(self, line: str) -> Run:
        """Run a line as a person types it."""
        return self.runs(["sh", "-c", line])

    def runs(self, words: Sequence[str]) -> Run:
        """Run a program as this user."""
        self.ran += 1
        ended = subprocess.run(
            words,
            env=self.variables,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert "Traceback" not in ended.stdout + ended.stderr, (words, ended.stderr)
        return Run(ended.returncode, ended.stdout, ended.stderr)

    @contextmanager
    def going_on(self, *words: str) -> Generator[str]:
        """Run a command that goes on until it is ended, for as long as the block lasts; the first line of it."""
        self.ran += 1
        line = [str(self.bin / "flashdeck"), *words]
        with subprocess.Popen(
            line, env=self.variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline()
                process.terminate()
                assert process.wait(SECONDS) == 128 + signal.SIGTERM
            finally:
                process.kill()

    @contextmanager
    def daemon(self, bench: Path, config: Path, state: Path) -> Generator[Path]:
        """Run its daemon on an emulated bench; the socket, for as long as the block lasts."""
        place = config.parent / "s"
        self.ran += 1
        options = {"--virtual": bench, "--config": config, "--socket": place, "--state-dir": state}
        words = [str(self.bin / "flashdeckd"), *(str(word) for pair in options.items() for word in pair)]
        with (config.parent / "log").open("a+") as log:
            process = subprocess.Popen(words, env=self.variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                _until_it_listens(place, process)
                yield place
                process.terminate()
                assert process.wait(SECONDS) == 0
            except BaseException:
                log.seek(0)
                sys.stderr.write(log.read())
                raise
            finally:
                process.kill()
                process.wait()


def _until_it_listens(place: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(place)) == 0:
                return
        assert process.poll() is None, "the daemon ended"
        assert time.monotonic() < end, "the daemon does not listen"
        time.sleep(0.02)  # nothing tells from outside that a path has come to be


Program = Callable[..., Installed]
Counted = Callable[[Installed], Installed]
"""Takes note of an environment, so that what ran in it is counted."""


def requirement(place: Path, extras: Sequence[Extra]) -> str:
    """Return a file or a directory with extras, as all the programs take it."""
    return f"{place}[{','.join(extras)}]" if extras else str(place)


def by_pip(workshop: Workshop, home: Path, *words: str, python: Path | None = None) -> Installed:
    """Make a virtual environment, and let its pip install `words`."""
    variables = _for_pip(workshop, home)
    place = home / "env"
    if not place.exists():
        _do(variables, home, [str(python or sys.executable), "-m", "venv", str(place)])
    _do(variables, home, [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *words])
    return Installed("pip", home, place / "bin", variables, place / "bin" / "python")


def by_pipx(workshop: Workshop, home: Path, *words: str) -> Installed:
    """Let pipx install `words` by pip, as it does where there is no uv."""
    variables = _for_pip(workshop, home) | {
        "PIPX_DEFAULT_BACKEND": "pip",
        "PIPX_SHARED_LIBS": str(workshop.root / "pipx-shared"),
    }
    _do(variables, home, ["pipx", "install", *words])
    (place,) = (path for path in (home / "pipx" / "venvs").iterdir() if path.is_dir())
    return Installed("pipx", home, home / ".local" / "bin", variables, place / "bin" / "python")


def by_uv_tool(workshop: Workshop, home: Path, *words: str) -> Installed:
    """Let uv install `words` as a tool."""
    variables = workshop.variables(home)
    _do(variables, home, ["uv", "tool", "install", "--quiet", *words])
    (place,) = (path for path in (home / "uv tools").iterdir() if path.is_dir())
    return Installed("uv tool", home, home / ".local" / "bin", variables, place / "bin" / "python")


def by_uv_pip(workshop: Workshop, home: Path, *words: str, python: Path | None = None) -> Installed:
    """Make a virtual environment without pip by uv, and let that install `words`."""
    variables = workshop.variables(home)
    place = home / "env"
    if not place.exists():
        _do(variables, home, ["uv", "venv", "--quiet", "--python", str(python or sys.executable), str(place)])
    inside = place / "bin" / "python"
    _do(variables, home, ["uv", "pip", "install", "--quiet", "--python", str(inside), *words])
    return Installed("uv pip", home, place / "bin", variables, inside)


def prepare(workshop: Workshop) -> None:
    """Let pipx make what all of its environments share, before several processes do so at once."""
    home = workshop.root / "first home"
    by_pipx(workshop, home, str(workshop.wheel))


def _for_pip(workshop: Workshop, home: Path) -> dict[str, str]:
    return {
        **workshop.variables(home),
        "PIP_NO_INDEX": "1",
        "PIP_NO_COMPILE": "1",
        "PIP_FIND_LINKS": workshop.wheels.as_uri(),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _do(variables: dict[str, str], home: Path, words: Sequence[str]) -> None:
    ended = subprocess.run(words, env=variables, cwd=home, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
