"""`flashdeck install` finds units and rules inside a wheel, and its path with a space is one word to systemd."""

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flashdeck.extras import Extra
from packages.environments import Counted, Installed, Program, by_pip, by_pipx, by_uv_tool, requirement
from packages.workshop import Workshop

NOBODY = "nobody"
_FILE = re.compile(r"^[^#\n][^\n]* <<'(\w+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
"""A file in the script of --dry-run."""


@pytest.mark.parametrize("program", [by_pip, by_pipx, by_uv_tool], ids=["pip", "pipx", "uv tool"])
def test_a_wheel_installs_units_and_rules(program: Program, workshop: Workshop, home: Path, counted: Counted) -> None:
    if os.geteuid():
        pytest.skip("becomes another user, which only root can")
    installed = counted(program(workshop, home, requirement(workshop.wheel, (Extra.DAEMON,))))
    system = installed("install", "--system", "--user", NOBODY, "--dry-run")
    assert system.code == 0, system
    assert_good(system.out, installed, "--system", home)
    account = pwd.getpwnam(NOBODY)
    words = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    if installed.runs([*words, "sh", "-c", '"$0" -c ""', str(installed.python)]).code:
        return  # this Python is in a directory of root's; uv takes the system's, if there is one
    own = installed.runs([*words, str(installed.bin / "flashdeck"), "install", "--dry-run"])
    assert own.code == 0, own
    assert_good(own.out, installed, "--user", home)


def assert_good(script: str, installed: Installed, kind: str, home: Path) -> None:
    texts = [text for _, text in _FILE.findall(script)]
    (rules,) = (text for text in texts if "SUBSYSTEM==" in text)
    assert 'ATTR{idVendor}=="0483"' in rules.replace("ATTRS", "ATTR")
    (unit,) = (text for text in texts if "ExecStart=" in text)
    (start,) = re.findall(r"(?m)^ExecStart=(.*)$", unit)
    (program,) = re.findall(r'^"([^"]+ [^"]+/flashdeckd)"', start)
    assert Path(program).is_file()
    if shutil.which("systemd-analyze") is None:
        assert not os.environ.get("CI")
        return
    name = "flashdeckd@.service" if kind == "--system" else "flashdeckd.service"
    place = home / f"units{kind}"
    place.mkdir()
    (place / name).write_text(unit)
    judged = subprocess.run(
        ["systemd-analyze", kind, "--recursive-errors=no", "verify", str(place / name.replace("@", "@x"))],
        env={**installed.variables, "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (judged.returncode, judged.stdout) == (0, ""), judged
