"""A real systemd in the guest: in a PID namespace of its own, where it is the first process, as in a container."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rig import WAIT_SECONDS

_INIT: Final = "/lib/systemd/systemd"
UNITS: Final = Path("/run/units")
"""The place of units, and mostly the only one: nothing of a whole system is started beside what a test brings."""
_TARGETS: Final = ("sysinit", "basic", "multi-user", "default", "sockets", "shutdown")
_CGROUPS: Final = Path("/sys/fs/cgroup")


class Systemd:
    """A running service manager of the system."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def run(self, *words: str, check: bool = True) -> str:
        """Return what a command says in its namespaces."""
        run = subprocess.run(  # noqa: S603 -- our words, no shell
            ("/usr/bin/nsenter", f"--target={self._pid}", "--mount", "--pid", *words),
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        assert not check or run.returncode == 0, run
        return run.stdout

    def properties(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit, as `systemctl show` gives them."""
        lines = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def until(self, unit: str, **wanted: str) -> dict[str, str]:
        """Wait until properties of a unit begin with these words."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            found = self.properties(unit, *wanted)
            if all(found.get(name, "").startswith(value) for name, value in wanted.items()):
                return found
            assert time.monotonic() < end, (found, wanted, self.run("systemctl", "status", unit, check=False))
            time.sleep(0.2)  # systemctl has no way to wait for a property


@contextmanager
def systemd(units: Sequence[tuple[str, str]], *places: Path) -> Generator[Systemd]:
    """A service manager that has these units, by name and text, and those in `places`; it ends with the block."""
    targets = [(f"{name}.target", "[Unit]\nDefaultDependencies=no\n") for name in _TARGETS]
    for name, text in (*targets, *units):
        (UNITS / name).parent.mkdir(parents=True, exist_ok=True)
        (UNITS / name).write_text(text)
    if not _CGROUPS.joinpath("cgroup.procs").exists():
        mount = ("/usr/bin/mount", "-t", "cgroup2", "none", str(_CGROUPS))
        subprocess.run(mount, check=True, timeout=WAIT_SECONDS)  # noqa: S603 -- our words
    namespaces = ("/usr/bin/unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
    words = (*namespaces, _INIT, "--system", "--unit=basic.target", "--log-target=kmsg")  # to `kernel.log`
    environment = {
        "container": "flashdeck",
        "SYSTEMD_UNIT_PATH": ":".join(map(str, (UNITS, *places))),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(words, env=environment) as process:  # noqa: S603 -- our words
        try:
            yield Systemd(_first_child(process.pid))
        finally:
            process.kill()
            for place in (Path("/run/systemd"), UNITS):
                shutil.rmtree(place, ignore_errors=True)


def _first_child(pid: int) -> int:
    """Return the process that is the first one in the namespace, once it takes commands."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    end = time.monotonic() + WAIT_SECONDS
    while not (children.exists() and children.read_text().strip() and Path("/run/systemd/private").is_socket()):
        assert time.monotonic() < end, "systemd does not come up: see kernel.log"
        time.sleep(0.1)  # nobody tells when it is there
    return int(children.read_text().split()[0])
