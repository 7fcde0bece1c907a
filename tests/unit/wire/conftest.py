from collections.abc import Generator
from pathlib import Path

import pytest

from flashdeckd.state.hub import Hub
from unit.wire.peer import make_hub, short_directory


@pytest.fixture
def hub() -> Hub:
    return make_hub()


@pytest.fixture
def path() -> Generator[Path, None, None]:
    with short_directory() as directory:
        yield directory / "sock"
