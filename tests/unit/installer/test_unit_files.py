"""The units as systemd itself judges them: nothing that it does not know, any path, and shut in."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flashdeck_tui.installer import unit_files
from flashdeckd.dfu.polling import ERASE_PATIENCE, LONGEST_NAP, WRITE_PATIENCE
from flashdeckd.jobs.device_thread import END_SECONDS
from needed_tools import need

MOST_EXPOSED = {True: 3.0, False: 6.4}
"""The exposure level that `systemd-analyze security` may give to the unit of the system, and to a user's; 10 is worst.

A user's service is counted capabilities that no process of a user has. To take them away, or to have mounts of its own,
it would need a user namespace, in which udev's messages are not believed, and boards are not found.
"""


@pytest.fixture(params=["plain", "with a space", "c%d$e", "a 'b\"\\ c%d$e"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A directory with a program in it; some have names as bad as one may be."""
    need("systemd-analyze", packages="systemd")
    place = tmp_path / str(request.param)
    place.mkdir()
    program = place / "flashdeckd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return place


def units(place: Path, *, system: bool) -> list[Path]:
    program = (str(place / "flashdeckd"),)
    texts = (
        {"flashdeckd@.service": unit_files.system_service(program)}
        if system
        else {
            "flashdeckd.service": unit_files.user_service(program),
            "flashdeckd.socket": unit_files.user_socket(),
        }
    )
    folder = place.parent / "units"
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [folder / name.replace("@.", "@games.") for name in texts if not name.endswith(".conf")]


def analyzed(place: Path, *words: str) -> str:
    run = subprocess.run(  # noqa: S603 -- our words, no shell
        (str(shutil.which("systemd-analyze")), *words),
        env={**os.environ, "XDG_RUNTIME_DIR": str(place.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run
    return run.stdout + run.stderr


@pytest.mark.parametrize("system", [False, True])
def test_systemd_has_nothing_to_say_about_them(place: Path, *, system: bool) -> None:
    for unit in units(place, system=system):
        scope = () if system else ("--user",)
        assert analyzed(place, *scope, "verify", "--recursive-errors=no", str(unit)) == ""


@pytest.mark.parametrize("system", [False, True])
def test_they_are_shut_in(place: Path, *, system: bool) -> None:
    service = units(place, system=system)[0]
    scope = () if system else ("--user",)
    said = analyzed(place, "security", *scope, "--offline=true", str(service))
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert level is not None
    assert float(level[1]) <= MOST_EXPOSED[system]


def test_the_daemon_of_a_service_has_longer_to_end_than_it_may_need() -> None:
    for text in (unit_files.user_service(("x",)), unit_files.system_service(("x",))):
        stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
        assert stop is not None
        assert int(stop[1]) > max(END_SECONDS, ERASE_PATIENCE, WRITE_PATIENCE, LONGEST_NAP)
