"""A lane that runs, for every test that asks for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lane_rig import Scene, hurry, running_lane


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    hurry(monkeypatch)
    async with running_lane(tmp_path) as scene:
        yield scene
