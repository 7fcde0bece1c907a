"""pip, pipx and uv, each with each set of extras: every command runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from flashdeck.extras import Extra
from packages import environments
from packages.environments import Counted, Program, by_pip, by_pipx, by_uv_tool
from packages.every_command import every_command_answers, the_loop_works
from packages.workshop import Workshop

PROGRAMS = {"pip": by_pip, "pipx": by_pipx, "uv tool": by_uv_tool}
EXTRAS = {
    "base": (),
    "daemon": (Extra.DAEMON,),
    "tui": (Extra.TUI,),
    "both": (Extra.DAEMON, Extra.TUI),
    "web": (Extra.DAEMON, Extra.WEB),
}


@pytest.mark.parametrize("extras", EXTRAS.values(), ids=EXTRAS)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_command_runs(
    program: Program, extras: Sequence[Extra], workshop: Workshop, home: Path, counted: Counted
) -> None:
    installed = counted(program(workshop, home, environments.requirement(workshop.wheel, extras)))
    every_command_answers(installed, extras)
    if Extra.DAEMON in extras:
        the_loop_works(installed, extras)
