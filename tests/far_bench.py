"""A machine that only ssh reaches, on this one: a real sshd, an account of its own, and a daemon that runs as it.

The way there goes through a wire that a test can cut. Where the tests run as root an account is made for it, and
removed again; otherwise it is the account that runs them.
"""

import importlib.machinery
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import pytest

from cli_run import Run
from flashdeck.client import Client
from flashdeck.ssh import SshHost
from kept_port import kept_port
from needed_tools import need
from rig import SLOW, START_SECONDS, WAIT_SECONDS, board, prepare

ROOT: Final = Path(__file__).resolve().parents[1]
GUEST: Final = f"flashdeck-{os.getpid()}"
"""Its name, where an account is made; tests may run in several processes."""
LIBRARIES: Final = (
    *("msgspec", "click", "typing_extensions"),
    *("usb", "libusb_package", "pyudev", "watchfiles", "anyio", "idna", "tomli_w"),
    *("bincopy", "humanfriendly", "argparse_addons", "elftools"),
    *("serial", "re2"),
)
"""The packages of base install, daemon and consoles: another account may not read where ours are."""
HOST_KEYS: Final = ("host-key", "other-host-key")
"""The key that shows a machine to be itself, and one that nobody has seen of it."""
_TOOLS: Final = ("/usr/sbin", "/sbin")
_LOOK_SECONDS: Final = 0.02

SSHD: Final = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/{host_key}
AuthorizedKeysFile {directory}/authorized
PidFile {directory}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
SSH: Final = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {directory}/{key}
  IdentitiesOnly yes
  UserKnownHostsFile {directory}/known-hosts
  StrictHostKeyChecking accept-new
"""
HOSTS: Final = """
[hosts.bench]
command = ["{program}"]
[hosts.lab]
ssh = "bench"
command = ["{program}"]
[hosts.empty]
ssh = "bench"
command = ["{program}", "--socket", "{home}/nothing"]
[hosts.short]
ssh = "bench"
command = ["flashdeck-is-not-here"]
[hosts.visitor]
command = ["{program}"]
[hosts.stranger]
command = ["{program}"]
[hosts.closed]
command = ["{program}"]
[hosts.changed]
command = ["{program}"]
"""


class CutWire:
    """A port that hands everything on to another one, until it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._cut_after: int | None = None
        self._lets_through = threading.Event()
        self._lets_through.set()
        self.carried = 0
        """Bytes on their way there since it was last told to be cut."""
        self.was_cut = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        """The port to connect to."""
        return self._listener.getsockname()[1]

    def cut(self) -> None:
        """Cut all connections now; later ones work."""
        self._cut_after = None
        for each in tuple(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.was_cut.set()

    @contextmanager
    def parted(self) -> Generator[None]:
        """Cut all connections, and let no other one get anywhere, for the length of a block."""
        self._lets_through.clear()
        try:
            self.cut()
            yield
        finally:
            self._lets_through.set()

    def cut_after(self, count: int) -> None:
        """Cut all connections once so many more bytes went there."""
        self.was_cut.clear()
        self.carried, self._cut_after = 0, count

    def close(self) -> None:
        """Connect nobody any more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # ends `accept`: a thread that is left there may take another's place
        self._accepting.join()
        self._listener.close()
        self._lets_through.set()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._lets_through.wait()
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            self._open |= {near, far}
            back = threading.Thread(target=self._carry, args=(far, near), daemon=True)
            back.start()
            self._carry(near, far, counts=True)
            back.join()
            self._open -= {near, far}

    def _carry(self, source: socket.socket, sink: socket.socket, *, counts: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counts:
                    self.carried += len(data)
                    if self._cut_after is not None and self.carried > self._cut_after:
                        self.cut()
                        return
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@dataclass
class FarBench:
    """The machine, and what a client on this one needs to get there."""

    directory: Path
    account: pwd.struct_passwd
    wire: CutWire
    program: Path
    ports: ExitStack
    """Keeps ports that nobody listens on all the time."""
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def home(self) -> Path:
        """The home directory of the account there."""
        return Path(self.account.pw_dir)

    @property
    def host(self) -> SshHost:
        """The machine, for a client in this process."""
        return SshHost("bench", "bench", (str(self.program),))

    async def connect(self) -> Client:
        """Return a client of the daemon there."""
        return await self.host.connect(client="test")

    @contextmanager
    def started(self, *words: str, environ: Mapping[str, str] | None = None) -> Generator["subprocess.Popen[bytes]"]:
        """Start a command line of this machine; what still runs at the end of the block is killed."""
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environment, **(environ or {})},
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def cli(self, *words: str, environ: Mapping[str, str] | None = None) -> Run:
        """Run a command line of this machine to its end."""
        with self.started(*words, environ=environ) as process:
            out, err = process.communicate(timeout=WAIT_SECONDS)
        return Run(process.returncode, out.decode(), err.decode())


@dataclass(frozen=True)
class FarMachine:
    """An ssh server and a daemon behind it. Each is there for the length of a block, so that it can come and go."""

    directory: Path
    account: pwd.struct_passwd
    program: Path
    place: Path
    """The place of its daemon's state and socket."""
    port: int

    @classmethod
    def prepared(
        cls,
        directory: Path,
        account: pwd.struct_passwd,
        program: Path,
        place: Path,
        *,
        boards: Sequence[str],
        ports: ExitStack,
        says: str = "",
    ) -> Self:
        """Write what server and daemon need into `directory`; the first of the boards takes its time.

        With `says`, as a bench file has it, they have consoles.
        """
        port = {"serial_port": "plain"} if says else {}
        for name in (*HOST_KEYS, "key", "other-key", "visitor-key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
        bench = directory / "bench"
        bench.mkdir()
        prepare(
            bench,
            boards="".join(f'[boards.{name}]\nprofile = "product"\nserial = "FAR{name}"\n' for name in boards),
            bench="".join(
                board(name, number, serial=f"FAR{name}", **(SLOW if number == 1 else {}), **port)
                + (f"says = [{says}]\n" if says else "")
                for number, name in enumerate(boards, 1)
            ),
            profile='[profiles.product.console]\nport = "app"\n' if says else "",
        )
        os.chown(bench, account.pw_uid, account.pw_gid)
        return cls(directory, account, program, place, ports.enter_context(kept_port()))

    @contextmanager
    def server(self, host_key: str = HOST_KEYS[0]) -> Generator[None]:
        """Run an sshd that takes two keys: one whose owner may do everything, and one whose owner may only look.

        With it end its connections, as with the machine.
        """
        only_look = f'restrict,command="{self.program} connect --stdio --read-only" '
        (self.directory / "authorized").write_text(
            (self.directory / "key.pub").read_text() + only_look + (self.directory / "visitor-key.pub").read_text()
        )
        (self.directory / "sshd.conf").write_text(
            SSHD.format(port=self.port, directory=self.directory, host_key=host_key)
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = self.directory / "sshd.log"
        with _running([_sshd(), "-D", "-e", "-f", str(self.directory / "sshd.conf")], log) as process:
            _wait_until(process, log, "listening on")
            try:
                yield
            finally:
                connections = _below(process.pid)
                for each in connections:
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)

    @contextmanager
    def daemon(self) -> Generator[None]:
        """Run a daemon on the account's boards there."""
        bench, log = self.directory / "bench", self.directory / "daemon.log"
        words = [str(self.program.with_name("flashdeckd")), "--virtual", str(bench / "bench.toml")]
        words += ["--config", str(bench / "config.toml"), "--socket", str(self.place / "flashdeckd.sock")]
        words += ["--state-dir", str(self.place)]
        with _running(words, log, self.account) as process:
            _wait_until(process, log, "listens on")
            yield


@contextmanager
def far_bench() -> Generator[FarBench]:
    """Set up the machine for the length of a block."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *_TOOLS))
    need("sshd", "ssh-keygen", "ssh", packages="openssh-server openssh-client", path=path)
    with _account() as account, tempfile.TemporaryDirectory(prefix="fd") as made, ExitStack() as ports:
        directory = Path(made)
        directory.chmod(0o755)
        python = _python_of(account)
        program = _install(directory, python)
        # Its daemon is where `flashdeck` looks for it by itself: there is no XDG_RUNTIME_DIR.
        place = Path(account.pw_dir) / ".local" / "state" / "flashdeck"
        machine = FarMachine.prepared(directory, account, program, place, boards=("left", "right"), ports=ports)
        with machine.server(), machine.daemon():
            wire = CutWire(machine.port)
            try:
                bench = FarBench(directory, account, wire, program, ports)
                bench.environment |= _client_environment(bench)
                yield bench
            finally:
                wire.close()


def machine_beside(there: FarBench, name: str, boards: Sequence[str], *, says: str = "") -> FarMachine:
    """Return one more machine, which clients of the first find as `name`, without a wire: it is not switched on yet.

    With `says`, as a bench file has it, its boards have consoles.
    """
    directory, place = there.directory / name, there.directory / f"{name}-state"
    directory.mkdir()
    place.mkdir(mode=0o700)
    os.chown(place, there.account.pw_uid, there.account.pw_gid)
    machine = FarMachine.prepared(
        directory, there.account, there.program, place, boards=boards, ports=there.ports, says=says
    )
    with (there.directory / "ssh.conf").open("a") as file:
        file.write(SSH.format(name=name, port=machine.port, user=there.account.pw_name, directory=directory, key="key"))
    with (there.directory / "xdg" / "flashdeck" / "flashdeck.toml").open("a") as file:
        command = f'["{there.program}", "--socket", "{place}/flashdeckd.sock"]'
        file.write(f"[hosts.{name}]\ncommand = {command}\n")
    return machine


def _sshd() -> str:
    """Return the server by its whole name: it wants to start itself again by that."""
    return str(shutil.which("sshd", path=os.pathsep.join((os.environ.get("PATH", ""), *_TOOLS))))


def _below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [*children, *(each for child in children for each in _below(child))]
    return []


@contextmanager
def _account() -> Generator[pwd.struct_passwd]:
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid())
        return
    _run("useradd", "--create-home", "--shell", "/bin/bash", "--password", "*", GUEST)
    try:
        yield pwd.getpwnam(GUEST)
    finally:
        _run("userdel", "--remove", GUEST, may_fail=True)


def _python_of(account: pwd.struct_passwd) -> str:
    """Return a Python of our own version that the account may run."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (os.path.realpath(sys.executable), f"/usr/bin/python{version}"):
        ask = [python, "-c", "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"]
        user, group = (account.pw_uid, account.pw_gid) if os.geteuid() == 0 else (None, None)
        with suppress(OSError):
            said = subprocess.run(  # noqa: S603 - a Python
                ask, capture_output=True, text=True, check=False, cwd="/", user=user, group=group
            )
            if said.stdout.strip() == version:
                return python
    reason = f"no Python {version} that another account may run (apt install python{version})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _install(directory: Path, python: str) -> Path:
    """Copy product and libraries to where everybody may read them; return the program `flashdeck` there."""
    there = directory / "lib"
    there.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__")
    for package in ("shared/flashdeck", "daemon/flashdeckd", "tui/flashdeck_tui"):
        shutil.copytree(ROOT / package, there / Path(package).name, ignore=unwanted)
    shutil.copytree(ROOT / "config", there / "flashdeck" / "_config")
    for name in LIBRARIES:
        found = importlib.machinery.PathFinder.find_spec(name)  # not `find_spec`: one of them replaces itself
        assert found is not None, name
        assert found.origin is not None
        if found.submodule_search_locations:
            shutil.copytree(Path(found.origin).parent, there / name, ignore=unwanted)
        else:
            shutil.copy(found.origin, there)
    _run(python, "-m", "compileall", "-q", str(there))  # once, and not for each connection
    program = directory / "flashdeck"
    program.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={there} PYTHONDONTWRITEBYTECODE=1\n"
        f"exec {python} -c 'import sys; from flashdeck_tui.cli import main; sys.exit(main())' \"$@\"\n"
    )
    daemon = directory / "flashdeckd"
    daemon.write_text(
        f'#!/bin/sh\nexport PYTHONPATH={there} PYTHONDONTWRITEBYTECODE=1\nexec {python} -m flashdeckd "$@"\n'
    )
    for each in (program, daemon):
        each.chmod(0o755)
    return program


@contextmanager
def _running(
    words: Sequence[str], log: Path, account: pwd.struct_passwd | None = None
) -> Generator["subprocess.Popen[bytes]"]:
    """Run a program, as an account with nothing in its environment where one is named."""
    is_other = account is not None and os.geteuid() == 0
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - sshd, and our own daemon
            words,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            cwd="/",
            env={"HOME": account.pw_dir, "PATH": os.defpath} if account is not None else None,
            user=account.pw_uid if account is not None and is_other else None,
            group=account.pw_gid if account is not None and is_other else None,
            extra_groups=[] if is_other else None,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS)


def _wait_until(process: "subprocess.Popen[bytes]", log: Path, text: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while text not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(log.read_text())
        time.sleep(_LOOK_SECONDS)  # it tells of that by a line of its log only


def _client_environment(there: FarBench) -> dict[str, str]:
    """Write what a client on this machine has: an ssh with a configuration of its own, and [hosts]."""
    directory, wire = there.directory, there.wire
    (directory / "other-known-hosts").write_text(
        f"[127.0.0.1]:{wire.port} {' '.join((directory / 'key.pub').read_text().split()[:2])}\n"
    )
    common = {"user": there.account.pw_name, "directory": directory}
    entries = [
        SSH.format(name="bench", port=wire.port, key="key", **common),
        SSH.format(name="visitor", port=wire.port, key="visitor-key", **common),
        SSH.format(name="stranger", port=wire.port, key="other-key", **common),
        SSH.format(name="closed", port=there.ports.enter_context(kept_port()), key="key", **common),
        SSH.format(name="changed", port=wire.port, key="key", **common)
        .replace("known-hosts", "other-known-hosts")
        .replace("accept-new", "yes"),
    ]
    (directory / "ssh.conf").write_text("".join(entries))
    tools = directory / "bin"
    tools.mkdir()
    (tools / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {directory}/ssh.conf "$@"\n')
    (tools / "ssh").chmod(0o755)
    config = directory / "xdg" / "flashdeck"
    config.mkdir(parents=True)
    (config / "flashdeck.toml").write_text(HOSTS.format(program=there.program, home=there.home))
    return {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "XDG_CONFIG_HOME": str(directory / "xdg"),
        "XDG_STATE_HOME": str(directory / "xdg-state"),
    }


def _run(*words: str, may_fail: bool = False) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert may_fail or done.returncode == 0, done.stderr
