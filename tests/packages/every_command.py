"""All commands of one installation: their help, their answers where nobody listens, the loop on an emulated board."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import click

from cli_run import Run
from flashdeck.errors import ExitCode
from flashdeck.extras import LIBRARIES, Extra
from flashdeck_tui.cli.root import COMMANDS, root
from packages.environments import Installed
from pseudo_terminal import OnTerminal
from rig import CONFIG, board, firmware

WORDS = {
    "install": ["--dry-run"],
    "uninstall": ["--dry-run"],
    "completion": ["bash"],
    "demo": ["--help"],
    "serve": ["--bind", "192.0.2.1"],
}
"""The words for commands that would change this machine, go on, or want a certain word."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
DAEMON_NEEDED = (["doctor"], ["demo", "--once"], ["install"])
"""Commands that come to nothing without the daemon's libraries, whatever listens."""


def every_command_answers(of: Installed, extras: Sequence[Extra]) -> None:
    """Each prints its help, and says what is wrong where no daemon listens."""
    helps = of.many([(name, "--help") for name in COMMANDS])
    assert [
        name for name, run in zip(COMMANDS, helps, strict=True) if not run.out.startswith(f"Usage: flashdeck {name}")
    ] == []
    with root.make_context("flashdeck", ["status"]) as context:
        commands = {name: root.get_command(context, name) for name in COMMANDS}
    lines = [(name, *words(name, command)) for name, command in commands.items() if command is not None]
    assert [(line, run) for line, run in zip(lines, of.many(lines), strict=True) if not _ends_well(run)] == []
    for program in ("flashdeck", "flashdeckd"):
        assert of("--help", program=program).out.startswith(f"Usage: {program}")
        assert of("--version", program=program).code == 0
    if Extra.DAEMON in extras:
        assert of("doctor", "--json").json["boards"] == []
        assert of("doctor", program="flashdeckd").code == 0
    else:
        lacks_the_daemon(of)
    if not has_screen(extras):
        lacks_the_screen(of)
    if Extra.WEB in extras:
        the_page_is_there(of)
    else:
        lacks_the_page(of)


def has_screen(extras: Sequence[Extra]) -> bool:
    """Return whether the screen is there: it is a part of what a browser shows, too."""
    return not {Extra.TUI, Extra.WEB}.isdisjoint(extras)


def words(name: str, command: click.Command) -> list[str]:
    """Return arguments with which a command comes to look for a daemon, if it wants one."""
    return WORDS.get(name, ["1" for each in command.params if isinstance(each, click.Argument) and each.required])


def _ends_well(run: Run) -> bool:
    return run.code in list(ExitCode) and (run.err.startswith("error: ") if run.code else bool(run.out))


def lacks_the_daemon(of: Installed) -> None:
    """Whatever needs its libraries names them, and the command that brings them."""
    *others, last = LIBRARIES[Extra.DAEMON]
    named = f"needs {', '.join(others)} and {last}, which are not installed"
    runs = [of(*line) for line in DAEMON_NEEDED]
    runs += [of(program="flashdeckd"), of("doctor", program="flashdeckd")]
    for run in runs:
        assert run.code in (ExitCode.OTHER, ExitCode.UNREACHABLE)
        assert named in run.err
        assert hint(run.err)


def lacks_the_screen(of: Installed) -> None:
    """On a terminal the screen says what it lacks."""
    seen = on_terminal(of)
    assert "the screen needs textual, which is not installed" in seen
    assert hint(seen)


def lacks_the_page(of: Installed) -> None:
    """It says what it lacks, though the screen may be there."""
    run = of("serve")
    assert run.code == ExitCode.OTHER
    assert "the screen in a browser needs" in run.err
    assert "aiohttp" in run.err
    assert hint(run.err)


def the_page_is_there(of: Installed) -> None:
    """A browser would get the page and what it loads."""
    with of.going_on("serve", "--json") as said:
        url = json.loads(said)["url"]
        direct = build_opener(ProxyHandler({}))
        with direct.open(url) as page:
            text = page.read().decode()
        places = re.findall(r'(?:src|href)="((?:static/|page)[^"]+)"', text)
        assert places
        for place in places:
            with direct.open(url + place) as file:
                assert file.read()


def hint(said: str) -> str:
    """Return the hint of an error, as it is typed."""
    (line,) = (line for line in said.splitlines() if line.startswith("hint: "))
    return line.removeprefix("hint: ").partition("; ")[0]


def on_terminal(of: Installed, *words: str, keys: bytes = b"", after: bytes = b"") -> str:
    """Run it on a terminal until it ends, typing `keys` once `after` was drawn; what was drawn."""
    of.ran += 1
    terminal = OnTerminal(*words, columns=500, installed=(str(of.bin / "flashdeck"), of.variables))
    try:
        if after:
            terminal.until(after)
            terminal.types(keys)
        seen = _ESCAPES.sub("", terminal.rest())
        terminal.ended()
    finally:
        terminal.close()
    return seen


@dataclass(frozen=True, slots=True)
class Bench:
    """The files of a daemon with one emulated board, in a directory of short path."""

    root: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.root / "bench.toml", self.root / "config.toml", self.root / "state"

    def laid_out(self) -> "Bench":
        bench, config, _ = self.files
        bench.write_text(board("left"))
        boards = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
        config.write_text(CONFIG.format(settle="50ms", app="0483:5740", enter='"detach"', profile="", boards=boards))
        return self

    def image(self, version: str) -> Path:
        place = self.root / f"{version}.bin"
        place.write_bytes(firmware(version))
        return place


def the_loop_works(of: Installed, extras: Sequence[Extra]) -> None:
    """A daemon starts, flashes, and ends; with the screen, which is drawn, the demo plays, too."""
    room = of.home / "bench"
    room.mkdir(mode=0o700)
    bench = Bench(room).laid_out()
    with of.daemon(*bench.files) as place:
        at = ("--socket", str(place))
        assert of(*at, "status", "--json").json["boards"][0]["name"] == "left"
        image = bench.image("1.0")
        run = of(*at, "flash", "app1", str(image), "--timeout", "60")
        assert run.code == 0, run
        assert of(*at, "wait", "app1", "--for", str(image), "--timeout", "60").code == 0
        assert len(of(*at, "history", "--jsonl").jsonl) == 1
        assert of(*at, "virtual", "list").code == 0
        assert of(*at, "doctor", "left").code == 0
        if has_screen(extras):
            assert "left" in on_terminal(of, *at, keys=b"q", after=b"left")
    if not has_screen(extras):
        return  # the demo takes a while, and asks for no more than what was just seen
    demo = of("demo", "--once", "--json")
    assert demo.code == 0, demo
    assert len(demo.json["rows"]) == 6
