"""Recordings of flashes, and boards that replay them."""

from pathlib import Path

import pytest

from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from recording_rig import IMAGE, record, replay


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir(mode=0o700)
    return path


@pytest.mark.parametrize("model", [model for model in Model if model not in PLAIN_MODELS])
def test_a_recorded_flash_replays_without_a_difference(directory: Path, model: Model) -> None:
    path = record(directory, model=model)
    state = replay(path).board.state()
    assert state.violations == ()
    assert state.replayed == state.recorded > 20


def test_another_image_differs_at_its_first_block(directory: Path) -> None:
    path = record(directory)
    other = bytearray(IMAGE)
    other[3 * 8192 + 5] ^= 1
    state = replay(path, bytes(other)).board.state()
    assert len(state.violations) == 1
