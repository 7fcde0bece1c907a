"""For tests in the guest only."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if os.environ.get("FLASHDECK_GUEST") != "1":
    pytest.exit("these tests need a machine of their own: make vm-test", returncode=2)


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fd-"))
    yield path
    shutil.rmtree(path)
