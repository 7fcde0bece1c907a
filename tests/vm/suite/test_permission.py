"""An ordinary user's daemon on a real udev: what the rule of `config/udev` opens, and what is said before."""

import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flashdeck.job_state import Waiting
from flashdeck.model import Presence
from flashdeck.words.jobs import status_hint
from flashdeckd.virtual.application import AppPort
from rig import WAIT_SECONDS, firmware
from vm.desk import board, desk, ran
from vm.tree import ROOT

ONE, TWO = firmware("1.0.0"), firmware("1.0.1")
_RULE = ROOT / "config/udev/70-flashdeck.rules"
_USED = _RULE.read_text().replace("#SUBSYSTEM==", "SUBSYSTEM==")
"""The rule with its lines for "your own" in use."""
_RELOAD = ("udevadm", "control", "--reload")


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


async def test_a_serial_port_that_may_not_be_opened_or_that_a_program_keeps_for_itself_is_waited_for(
    root: Path, daemon: tuple[str, ...], rule: Path
) -> None:
    rule.write_text(_USED)  # noqa: ASYNC240 -- nothing runs meanwhile
    assert (await ran(*_RELOAD)).code == 0
    spec = replace(board("left", 1), runtime=False, serial_port=AppPort.TOUCH)
    async with desk(root, spec, daemon=daemon, enter='"touch-1200"') as it:
        await it.plug("left")
        await it.flashed(ONE, "left")
        await it.until_present(Presence.APP, "left")
        it.rig.build(TWO)
        job = await it.until_job("left", lambda job: "permission" in job.text)
        assert isinstance(job.status, Waiting), job
        (tty,) = [f"/dev/{path.name}" for path in it.cables.port("left").device.glob("*:*/tty/tty*")]
        assert f"permission denied for {tty}" in job.text
        told = await it.cli("doctor", "left", "--json")
        assert '"port-closed"' in told.out, told

        terminal = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.ioctl(terminal, termios.TIOCEXCL)
        user = root.stat().st_uid  # noqa: ASYNC240 -- nothing runs meanwhile
        os.chown(tty, user, -1)  # as a rule would let them
        kept = await it.until_job("left", lambda job: f"keeps {tty} for itself" in job.text)
        assert isinstance(kept.status, Waiting), kept
        os.close(terminal)
        await it.waited(TWO, "left")
