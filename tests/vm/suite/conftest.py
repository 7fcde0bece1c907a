"""For tests in the guest only."""

import grp
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = 65534
"""Nobody: not root, and in no group but the rule's."""
_AS_USER = """
import os, runpy
os.setgroups([{group}])
os.setgid({user})
os.setuid({user})
runpy.run_module("flashdeckd", run_name="__main__")
"""

if os.environ.get("FLASHDECK_GUEST") != "1":
    pytest.exit("these tests need a machine of their own: make vm-test", returncode=2)


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def daemon(root: Path) -> tuple[str, ...]:
    """That of a user who is a member of the rule's group, for files in `root`."""
    os.chown(root, USER, USER)
    # An interpreter in somebody's home directory must be open to others; the guest's changes are its own.
    for directory in Path(sys.executable).resolve().parents:
        mode = directory.stat().st_mode
        if mode & 0o005 != 0o005:
            directory.chmod(mode | 0o005)
    return ("-c", _AS_USER.format(group=grp.getgrnam("plugdev").gr_gid, user=USER))
