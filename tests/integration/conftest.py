"""The fixture `rig`: a real daemon on one emulated board, or on the scenario that a test names."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rig import SLOW, Rig, board, prepare, running
from tmux_terminal import Terminal, at_home, terminal

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'


@dataclass(frozen=True)
class Scenario:
    bench: str
    boards: str = LEFT
    profile: str = ""


SCENARIOS = {
    "plain": Scenario(board("left")),
    "slow": Scenario(board("left", **SLOW)),
    "trusted": Scenario(board("left"), profile='banks = "trusted"\n'),
    "foreign": Scenario(board("left") + board("stranger", 2, serial="OTHER0000002")),
    "hostile": Scenario(board("left", product="\\u001b]0;owned\\u0007[/]\\u001b[31m\\r\\nERROR all is lost")),
    "twins": Scenario(board("left") + board("twin", 2)),
    "noread": Scenario(board("left", model="classic-noread")),
    "strict": Scenario(board("left", model="strict-write")),
    "usbx": Scenario(board("left", model="usbx")),
    "lying-map": Scenario(board("left", map="@Internal Flash   /0x08000000/16*8Ka,56*16Kg")),
    "read-only-map": Scenario(board("left", map="@Internal Flash   /0x08000000/128*8Ka")),
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def rig(root: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    scenario = SCENARIOS[getattr(request, "param", "plain")]
    prepare(root, boards=scenario.boards, bench=scenario.bench, profile=scenario.profile)
    async with running(root) as rig:
        yield rig


@pytest.fixture
def place(root: Path) -> Path:
    """A home directory, with room for what is only for a while."""
    (root / "tmp").mkdir()
    return root


@pytest.fixture
def shell(place: Path) -> Iterator[Terminal]:
    """A shell at 80x24 that finds this flashdeck."""
    with terminal(place, at_home(place)) as made:
        yield made
