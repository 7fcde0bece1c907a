"""A real daemon on one emulated board that takes no time, for what is measured around it."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rig import DAEMON, Rig, board, prepare, running

BOARD = "left"
SETTLE = "50ms"
"""How long a build output must be unchanged; what the daemon has by default."""
_BOARDS = f'[boards.{BOARD}]\nprofile = "product"\nserial = "TEST00000001"\n'


def set_up(directory: Path) -> None:
    """Writes a configuration and a bench into a new directory."""
    directory.mkdir(mode=0o700, exist_ok=True)
    prepare(directory, boards=_BOARDS, bench=board(BOARD, start="dfu"), settle=SETTLE)


@asynccontextmanager
async def desk(daemon: tuple[str, ...] = DAEMON) -> AsyncGenerator[Rig]:
    """A daemon with its board in DFU mode; `daemon` is what Python runs."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        root = Path(directory, "desk")  # what others do in /tmp is not to be heard: the parent is watched, too
        set_up(root)
        async with running(root, daemon=daemon) as rig:
            await rig.until(lambda now: now.boards[0].presence == "dfu")
            yield rig
