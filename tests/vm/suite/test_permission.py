"""An ordinary user's daemon on a real udev: what the rule of `config/udev` opens, and what is said before."""

import grp
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashdeck.job_state import Waiting
from flashdeck.model import Presence
from flashdeck.words.jobs import status_hint
from rig import WAIT_SECONDS, firmware
from vm.desk import board, desk, ran
from vm.tree import ROOT

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")
USER = 65534
"""Nobody: not root, and in no group but the rule's."""
_RULE = ROOT / "config/udev/70-flashdeck.rules"
_USED = _RULE.read_text().replace("#SUBSYSTEM==", "SUBSYSTEM==")
"""The rule with its lines for "your own" in use."""
_RELOAD = ("udevadm", "control", "--reload")
_AS_USER = """
import os, runpy
os.setgroups([{group}])
os.setgid({user})
os.setuid({user})
runpy.run_module("flashdeckd", run_name="__main__")
"""


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


@pytest.fixture
def rule() -> Iterator[Path]:
    """Where udev looks for the rule, which is not there yet."""
    place = Path("/etc/udev/rules.d", _RULE.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    yield place
    place.unlink(missing_ok=True)
    subprocess.run(_RELOAD, check=True, timeout=WAIT_SECONDS)  # noqa: S603 -- our words, no shell


async def test_a_job_waits_until_the_rule_for_a_group_lets_an_ordinary_user_at_its_board(
    root: Path, daemon: tuple[str, ...], rule: Path
) -> None:
    async with desk(root, board("left", 1), daemon=daemon) as it:
        await it.plug("left")
        it.rig.build(ONE)
        job = await it.until_job("left", lambda job: job.is_settled or "permission" in job.text)
        assert isinstance(job.status, Waiting), job
        assert "permission denied for /dev/bus/usb/" in job.text
        assert "udev rule for 0483:df11" in status_hint(job.status)
        told = await it.cli("doctor", "left", "--json")
        assert '"no-permission"' in told.out, told
        assert it.bench.list()[0].requests == 0

        rule.write_text(_USED)  # noqa: ASYNC240 -- nothing runs meanwhile
        for words in (_RELOAD, ("udevadm", "trigger", "--subsystem-match=usb")):  # as the head of the rule says
            run = await ran(*words)
            assert run.code == 0, run
        await it.waited(ONE, "left")
        await it.until_present(Presence.APP, "left")
        await it.flashed(TWO, "left")  # by way of the application, whose id has become one of the rule's
        assert [job.attempts for job in await it.rig.jobs()] == [1, 1]
