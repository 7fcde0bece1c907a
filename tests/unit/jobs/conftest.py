"""A lane that runs, for every test that asks for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeckd.jobs import device_thread, retry_policy
from lane_rig import Scene, running_lane


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(device_thread, "OPEN_PAUSE", 0.001)
    monkeypatch.setattr(retry_policy, "ACCESS_SECONDS", 0.01)
    async with running_lane(tmp_path) as scene:
        yield scene
