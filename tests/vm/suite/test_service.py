"""The shipped units under a real systemd: ready, watched, restarted, ended; and what their sandboxes let through."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashdeck.config_file import load
from flashdeck_tui.installer import unit_files
from flashdeck_tui.installer.marked import marked
from flashdeck_tui.installer.needed_steps import GROUP, PORTS_GROUP, RULES, SYSTEM_UNITS
from flashdeckd.virtual.virtual_bench import VirtualBench
from manual.pages import PAGES, Elsewhere, read
from rig import APP1, WAIT_SECONDS, firmware, prepare
from vm.cables import Cables
from vm.desk import board_with_port, configured
from vm.systemd import UNITS, Systemd, systemd
from vm.tree import ROOT

USER = "ann"
UID = 1234
HOME = Path("/home/ann")
RUNTIME = Path("/run/user", str(UID))
ELSEWHERE = Path("/tmp/ann-builds")
PARTITION2 = 0x08080000
UNIT = f"flashdeckd@{USER}.service"
PROGRAM = str(ROOT / ".venv/bin/flashdeckd")
CLI = str(ROOT / ".venv/bin/flashdeck")
SOONER = "[Service]\nWatchdogSec=15\nRestartSec=0\n"
"""Sooner than shipped, so that a test can wait for it."""
LEFT = board_with_port("left", 1)
SAID = HOME / "said"
HOOK = f"""[hooks]\ndone = ["/bin/sh", "-c", "echo $RESULT $PARTITION $(id -un) >>{SAID}"]\n"""
ONE, TWO, THREE = firmware("1.0.0"), firmware("1.0.1"), firmware("1.0.2")
OTHER, ANOTHER = (firmware(version, base=PARTITION2) for version in ("2.0.0", "2.0.1"))


@pytest.fixture(autouse=True, scope="module")
def account() -> Iterator[None]:
    """An ordinary user with a configuration, boards by the rule for a group, and services without a login."""
    with Path("/etc/passwd").open("a") as accounts:
        accounts.write(f"{USER}:x:{UID}:{UID}::{HOME}:/bin/sh\n")
    groups = Path("/etc/group").read_text().splitlines()
    joined = tuple(f"{group}:" for group in (GROUP, PORTS_GROUP))
    members = [f"{line}{'' if line.endswith(':') else ','}{USER}" for line in groups if line.startswith(joined)]
    others = [line for line in groups if not line.startswith(joined)]
    Path("/etc/group").write_text("\n".join([*others, *members, f"{USER}:x:{UID}:"]) + "\n")
    configuration = HOME / ".config/flashdeck/flashdeck.toml"
    configuration.parent.mkdir(parents=True)
    prepare(configuration.parent, boards=configured(LEFT), bench="", enter='"touch-1200"')
    text = HOOK + (configuration.parent / "config.toml").read_text()
    text = text.replace("build/APP1.bin", "~/build/APP1.bin").replace("build/APP2.bin", f"{ELSEWHERE}/APP2.bin")
    configuration.write_text(text)
    for path in (HOME / "build", ELSEWHERE):
        path.mkdir()
        os.chown(path, UID, UID)
    for path in (HOME, *HOME.rglob("*")):
        os.chown(path, UID, UID)
    for directory in Path(sys.executable).resolve().parents:  # as for an interpreter in somebody's home directory
        directory.chmod(directory.stat().st_mode | 0o005)
    RULES.parent.mkdir(parents=True, exist_ok=True)
    RULES.write_text(marked(unit_files.rules(load(configuration))))
    subprocess.run(("/usr/bin/udevadm", "control", "--reload"), check=True, timeout=WAIT_SECONDS)
    lingering = Path("/var/lib/systemd/linger", USER)
    lingering.parent.mkdir(parents=True, exist_ok=True)
    lingering.touch()
    yield
    RULES.unlink()
    subprocess.run(("/usr/bin/udevadm", "control", "--reload"), check=True, timeout=WAIT_SECONDS)
    shutil.rmtree(HOME)
    shutil.rmtree(ELSEWHERE)


class Person:
    """The user at a shell, in the namespaces of a service manager."""

    def __init__(self, manager: Systemd, **environment: str) -> None:
        self._manager = manager
        self._environment = {"HOME": str(HOME), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}

    def run(self, *words: str, check: bool = True) -> str:
        """Return what a command of the user's says."""
        environment = [f"{name}={value}" for name, value in self._environment.items()]
        user = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups")
        return self._manager.run("env", "-i", f"--chdir={HOME}", *environment, *user, *words, check=check)

    def build(self, path: Path, data: bytes) -> None:
        """Write a build output, as a tool of the user's does."""
        new = path.with_name("new")
        new.write_bytes(data)
        os.chown(new, UID, UID)
        new.replace(path)

    def waits(self, partition: str, path: Path) -> None:
        """Wait until the newest build is on the board, and the hook has said so."""
        self.run(CLI, "wait", partition, "--for", str(path), "--timeout", str(WAIT_SECONDS))
        end = time.monotonic() + WAIT_SECONDS
        while not SAID.exists() or SAID.read_text() != f"done {partition} {USER}\n":
            assert time.monotonic() < end, self.run(CLI, "logs", check=False)
            time.sleep(0.2)  # nobody tells of a hook that has ended
        SAID.unlink()

    def touches(self) -> int:
        """Return how often the daemon has touched the serial port of a board."""
        return self.run(CLI, "logs").count("touched /dev/ttyACM")


def flash_of(bench: VirtualBench, address: int, size: int) -> bytes:
    return bench.dump("left", address, size).data


def test_the_system_service_of_one_account() -> None:
    bench = VirtualBench([LEFT])
    units = [
        ("flashdeckd@.service", unit_files.system_service((PROGRAM,))),
        ("flashdeckd@.service.d/test.conf", SOONER),
    ]
    with Cables(bench), systemd(units) as manager:
        ann = Person(manager)
        manager.run("systemctl", "start", UNIT)  # comes back once it is ready
        manager.until(UNIT, ActiveState="active", StatusText="1 board: ")
        found = manager.properties(UNIT, "MainPID", "User", "NotifyAccess", "NRestarts")
        assert (found["User"], found["NRestarts"]) == (USER, "0")
        status = ann.run("cat", f"/proc/{found['MainPID']}/status")
        assert f"Uid:\t{UID}\t{UID}" in status
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status

        # builds in the home directory and in /tmp, the USB node, the serial port and a hook, through the sandbox
        bench.plug("left")
        app1, app2 = HOME / "build/APP1.bin", ELSEWHERE / "APP2.bin"
        ann.build(app1, ONE)
        ann.waits("app1", app1)
        assert flash_of(bench, APP1, len(ONE)) == ONE
        ann.build(app2, OTHER)
        ann.waits("partition2", app2)
        assert flash_of(bench, PARTITION2, len(OTHER)) == OTHER
        assert ann.touches() == 1, "its application was running"
        manager.until(UNIT, StatusText="1 board: 1 current")

        # killed, it comes back and goes on; hanging, it is ended and comes back
        manager.run("kill", "-KILL", found["MainPID"])
        ann.build(app1, TWO)
        again = manager.until(UNIT, NRestarts="1", ActiveState="active", StatusText="1 board: ", MainPID="")
        ann.waits("app1", app1)
        assert flash_of(bench, APP1, len(TWO)) == TWO
        manager.run("kill", "-STOP", again["MainPID"])
        manager.until(UNIT, NRestarts="2", ActiveState="active", StatusText="1 board: ")
        ann.build(app1, THREE)
        ann.waits("app1", app1)
        assert flash_of(bench, APP1, len(THREE)) == THREE

        manager.run("systemctl", "stop", UNIT)
        ended = manager.properties(UNIT, "Result", "ExecMainStatus", "ActiveState")
        assert ended == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}


def with_manager(manager: Systemd) -> Person:
    """Start the user's own service manager, as a login does."""
    RUNTIME.mkdir(parents=True, mode=0o700, exist_ok=True)
    os.chown(RUNTIME, UID, UID)
    settings = {"XDG_RUNTIME_DIR": str(RUNTIME), "SYSTEMD_UNIT_PATH": f"{HOME}/.config/systemd/user:{UNITS}"}
    manager.run(
        *("systemd-run", f"--uid={UID}", "--unit=manager-of-ann", "--property=Delegate=yes", "--property=Type=notify"),
        *(f"--setenv={name}={value}" for name, value in settings.items()),
        *(f"--setenv=HOME={HOME}", f"--setenv=PATH={os.environ['PATH']}"),
        *("/lib/systemd/systemd", "--user", "--unit=basic.target"),
    )
    return Person(manager, **settings)


def test_a_service_of_a_user_as_install_sets_it_up() -> None:
    bench = VirtualBench([LEFT])
    with Cables(bench), systemd([]) as manager:
        ann = with_manager(manager)
        ann.run(CLI, "install")
        assert "nothing to do: all is there" in ann.run(CLI, "install")
        status = ann.run("systemctl", "--user", "show", "flashdeckd", "--property=MainPID,StatusText,ActiveState")
        assert "ActiveState=active" in status, status
        assert "StatusText=1 board: " in status, status
        bench.plug("left")
        app1, app2 = HOME / "build/APP1.bin", ELSEWHERE / "APP2.bin"
        ann.build(app1, TWO)
        ann.waits("app1", app1)
        assert flash_of(bench, APP1, len(TWO)) == TWO
        ann.build(app2, ANOTHER)
        ann.waits("partition2", app2)
        assert flash_of(bench, PARTITION2, len(ANOTHER)) == ANOTHER
        assert ann.touches() == 1, "its application was running"
        pid = next(line.split("=")[1] for line in status.splitlines() if line.startswith("MainPID"))
        assert "Seccomp:\t2" in ann.run("cat", f"/proc/{pid}/status")
        assert ann.run("readlink", f"/proc/{pid}/ns/user") == ann.run("readlink", "/proc/self/ns/user")

        taken_away = ann.run(CLI, "uninstall", check=False)
        assert f"needs root: remove {RULES}" in taken_away  # there is no sudo in the guest
        assert "failed" not in taken_away
        gone = ann.run("systemctl", "--user", "show", "flashdeckd", "--property=LoadState")
        assert "LoadState=not-found" in gone
        assert not (HOME / ".config/systemd/user/flashdeckd.service").exists()


def test_the_commands_of_the_manual_that_need_a_machine_of_their_own() -> None:
    """As its reader types them. From the first `sudo` on root does: without D-Bus nobody else may ask systemd."""
    blocks = [block for path in PAGES for block in read(path).apart if block.where is Elsewhere.VM]
    typed = [line for block in blocks for line in block.commands]
    first = next(number for number, line in enumerate(typed) if line.startswith("sudo "))
    assert first
    path = f"PATH={ROOT}/.venv/bin:{os.environ['PATH']}"
    mount = ("/usr/bin/mount", "-t", "tmpfs", "none", str(SYSTEM_UNITS))  # in place of the host's units
    subprocess.run(mount, check=True, timeout=WAIT_SECONDS)  # noqa: S603 -- our words
    try:
        with systemd([], SYSTEM_UNITS) as manager:
            ann = with_manager(manager)
            for line in typed[:first]:
                ann.run("env", path, "sh", "-c", line)
            ann.run(CLI, "uninstall", check=False)
            for line in typed[first:]:
                manager.run("env", "-C", str(ROOT), path, "sh", "-c", line.removeprefix("sudo "))
            manager.until(UNIT, ActiveState="active", StatusText="1 board: ")
    finally:
        unmount = ("/usr/bin/umount", "--lazy", str(SYSTEM_UNITS))
        subprocess.run(unmount, check=True, timeout=WAIT_SECONDS)  # noqa: S603 -- our words
