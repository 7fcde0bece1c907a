"""A Linux machine of our own for the length of one command: QEMU, without KVM, as an ordinary process."""

import fcntl
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vm.initrd import initrd
from vm.kernel import Kernel, MissingError, kernel_cache
from vm.tree import ROOT

QEMU = "qemu-system-x86_64"
PACKAGES = ("qemu-system-x86", "busybox-static", "udev", "kmod", "iproute2", "dfu-util", "usbutils")
"""Debian's packages that the host must have; the guest runs their programs, too."""
RESULTS = "/run/results"
"""Where the guest finds the directory of results."""
_PROGRAMS = (QEMU, "busybox", "udevadm", "ip", "dfu-util", "lsusb", "timeout")
_START_SECONDS = 600
"""More than the machine needs to start and to end beside the command's own limit."""
_OPTIONS = (
    *("-machine", "q35,hpet=off,smbus=off,sata=off", "-cpu", "max,-la57,-svm"),
    *("-accel", "tcg,thread=multi,tb-size=1024", "-smp", "2", "-m", "2048"),
    *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
)
_COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable audit=0 apparmor=0"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the guest ended."""

    status: int | None
    """Exit code of the command, 124 where its time was over, None where the guest did not get that far."""
    results: Path
    """What the command wrote to `RESULTS`; beside that `output` (of the command), `kernel.log` and `console.log`."""


def check_host() -> None:
    """Raises MissingError with what the machine lacks."""
    if platform.machine() != "x86_64":
        raise MissingError(
            f"the guest runs this machine's programs, and they are for {platform.machine()}", "an x86-64"
        )
    if set(" ,\"'\\") & set(str(ROOT)):
        raise MissingError(
            f"the path {ROOT} cannot be told to QEMU and a kernel", "git clone to a path without blanks and commas"
        )
    for name in _PROGRAMS:
        if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise MissingError(f"there is no {name}", f"apt-get install {' '.join(PACKAGES)}")


def boot(
    command: Sequence[str], *, kernel: Kernel, tree: Path, results: Path, seconds: int, shown: TextIO = sys.stdout
) -> Ended:
    """Starts a guest, runs `command` in it as root for at most `seconds`, and waits for its end.

    The guest sees the host's files, read-only; where the source tree is on the host, it sees `tree`, the working
    directory of the command. What it writes is lost but for `RESULTS`, which is `results`. The command's output goes
    to `shown` as it comes. A machine that hangs is ended. While another guest of this user runs, it waits: emulated,
    two of them are slower than one after the other.
    """
    with _alone():
        return _boot(command, kernel=kernel, tree=tree, results=results, seconds=seconds, shown=shown)


@contextmanager
def _alone() -> Generator[None]:
    lock = kernel_cache() / "guest.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("another guest is running: waiting for its end\n")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _boot(command: Sequence[str], *, kernel: Kernel, tree: Path, results: Path, seconds: int, shown: TextIO) -> Ended:
    results.mkdir(parents=True, exist_ok=True)
    (results / "command").write_text(shlex.join(command) + "\n")
    for name in ("status", "output", "kernel.log", "console.log"):  # of an earlier run
        (results / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="flashdeck-vm-") as scratch:
        archive = Path(scratch, "initrd")
        archive.write_bytes(initrd(kernel))
        words = [
            *("timeout", "--foreground", "-k", "10", str(seconds + _START_SECONDS), QEMU, *_OPTIONS),
            *("-kernel", str(kernel.image), "-initrd", str(archive)),
            *("-serial", f"file:{results / 'console.log'}", "-serial", "stdio"),
            *("-virtfs", "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap"),
            *("-virtfs", f"local,path={tree},mount_tag=tree,security_model=none,readonly=on"),
            *("-virtfs", f"local,path={results},mount_tag=results,security_model=none"),
            *("-append", f"{_COMMAND_LINE} random.trust_cpu=on FLASHDECK_TREE={ROOT} FLASHDECK_SECONDS={seconds}"),
        ]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=shown) as machine:  # noqa: S603 -- our words, no shell
            try:
                machine.wait()
            finally:
                machine.terminate()
    try:
        status = int((results / "status").read_text())
    except (FileNotFoundError, ValueError):
        sys.stderr.write((results / "console.log").read_text(errors="replace")[-4000:])
        return Ended(None, results)
    return Ended(status, results)
