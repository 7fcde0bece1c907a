"""A real daemon on one emulated board that takes no time, for what is measured around it."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from rig import Rig, board, prepare, running

BOARD = "left"
SETTLE = "50ms"
"""How long a build output must be unchanged; what the daemon has by default."""
_BOARDS = f'[boards.{BOARD}]\nprofile = "product"\nserial = "TEST00000001"\n'


def set_up(directory: Path) -> None:
    """Writes a configuration and a bench."""
    prepare(directory, boards=_BOARDS, bench=board(BOARD, start="dfu"), settle=SETTLE)


@asynccontextmanager
async def desk() -> AsyncGenerator[Rig]:
    """A daemon with its board in DFU mode."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        set_up(Path(directory))
        async with running(Path(directory)) as rig:
            await rig.until(lambda now: now.boards[0].presence == "dfu")
            yield rig
