"""A daemon on another machine, through the system's ssh: its keys, agents, jumps and known hosts stay the user's.

On the other side `flashdeck connect --stdio` carries what comes over stdin and stdout to the daemon's socket, as the
user who logs in there: the daemon checks that user as it checks everybody (safety rule 13).
"""

import asyncio
import contextlib
import shlex
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from flashdeck import rpc
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError
from flashdeck.ssh_destination import checked_destination
from flashdeck.ssh_failures import Ended, Goal, explained, not_startable
from flashdeck.text import clean

CONNECT_SECONDS: Final = 10
"""Seconds that the other machine may take to answer at all."""
ALIVE_SECONDS: Final = 5
"""Seconds without a word after which ssh asks if the other machine is still there ..."""
ALIVE_COUNT: Final = 3
"""... and the number of questions without an answer after which the link counts as dead."""
PATIENCE: Final = 30.0
"""Seconds until the daemon's first answer, where ssh asks nobody anything."""
PERSON_SECONDS: Final = 180.0
"""The same where a person may be asked for a password, or to look at a host key."""
PART_SECONDS: Final = 0.5
"""Seconds that ssh has to end by itself, once its stdin has ended ..."""
END_SECONDS: Final = 2.0
"""... and then after each signal to end."""
KEPT: Final = 4096
"""Bytes of what ssh says that are kept, the last ones."""
_HOME: Final = "~/"
"""The beginning of a path that the shell on the other side makes absolute."""
_OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        # What a person's configuration asks for on this host is for a shell, and once is enough.
        "ClearAllForwardings": "yes",
        "RemoteCommand": "none",
    }
)


@dataclass(frozen=True, slots=True)
class SshHost:
    """A machine that ssh reaches, and how flashdeck is started there. It connects to the daemon there."""

    name: str
    """As a person calls it."""
    destination: str
    """As ssh calls it; see `checked_destination`."""
    command: tuple[str, ...] = ("flashdeck",)
    """The program there, and arguments before `connect --stdio`."""
    virtual: bool = False
    """True if the daemon of emulated boards there is meant."""
    asks: bool = False
    """True if ssh may ask a person for a password or to confirm a host key; it does so on the terminal itself."""
    read_only: bool = False
    """True if nothing is to be changed through the connection: the daemon there sees to that."""
    lab_user: str = ""
    """The user of a lab for whom it speaks; "" for none."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line that opens the way. Raises ValueError where the destination is none."""
        options = {**_OPTIONS, "BatchMode": "no" if self.asks else "yes"}
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        there = (*self.command, "connect", "--stdio", *(["--virtual"] if self.virtual else []))
        return ("ssh", "-T", *words, "--", checked_destination(self.destination), " ".join(map(_word, there)))

    async def connect(self, *, client: str) -> Client:
        """Connect to the daemon there, and say hello as `client`; raises ConnectionFailedError."""
        stream = await SshStream.open(self)
        return await Client.over(stream, client=client, read_only=self.read_only, lab_user=self.lab_user)


@dataclass(slots=True)
class SshStream:
    """A running ssh with a daemon at its other end."""

    host: SshHost
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _process: Process
    _says: asyncio.StreamReader
    _heard: asyncio.StreamWriter
    """Both of its stderr, which a program that it has started, as a jump, may have longer than it."""
    _said: bytearray = field(default_factory=bytearray)
    _listening: "asyncio.Task[None] | None" = None

    @classmethod
    async def open(cls, host: SshHost) -> "SshStream":
        """Start ssh; raises ConnectionFailedError where it is not installed. If it gets there shows the first answer.

        Its stdin and stdout are one socket, as a daemon's would be. It is not ended by a Ctrl-C that is meant for us:
        who reacts to that may still need the connection.
        """
        argv = host.argv
        ours, theirs = socket.socketpair()
        heard, said = socket.socketpair()
        try:
            with theirs, said:
                process = await _started(argv, theirs, said, asks=host.asks)
        except OSError as error:
            ours.close()
            heard.close()
            raise not_startable(error) from error
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=rpc.MAX_LINE)
        stream = cls(host, reader, writer, process, *await asyncio.open_unix_connection(sock=heard))
        stream._listening = asyncio.create_task(stream._listen(), name=f"stderr of ssh to {host.name}")
        return stream

    @property
    def where(self) -> str:
        """The host's name."""
        return clean(self.host.name)

    @property
    def patience(self) -> float:
        """Seconds until the first answer."""
        return PERSON_SECONDS if self.host.asks else PATIENCE

    async def why(self, seen: ConnectionFailedError, *, line: bytes, greeted: bool) -> ConnectionFailedError:
        """Return why it has ended, by the exit code of ssh and what it and the other side said."""
        self.writer.close()
        await self._end()
        ended = Ended(self._process.returncode, bytes(self._said), line, greeted=greeted)
        goal = Goal(self.where, self.host.destination, clean(shlex.join(self.host.command)))
        return explained(goal, seen, ended)

    async def closed(self) -> None:
        """Wait for the end of ssh, which ends once nobody writes to it any more; it is ended where it does not."""
        await self._end()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def _end(self) -> None:
        await self._exits(PART_SECONDS)
        for signal_it in (self._process.terminate, self._process.kill):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    signal_it()
                await self._exits(END_SECONDS)
        if self._listening is not None:
            await asyncio.wait((self._listening,), timeout=PART_SECONDS)  # nobody waits longer for a jump
            self._listening.cancel()
        self._heard.close()

    async def _exits(self, seconds: float) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._process.wait()

    async def _listen(self) -> None:
        while data := await self._says.read(KEPT):
            self._said += data
            del self._said[:-KEPT]


async def _started(argv: Sequence[str], stream: socket.socket, said: socket.socket, *, asks: bool) -> Process:
    both, errors = stream.fileno(), said.fileno()
    if not asks:  # no terminal is needed: it gets a session of its own, where no Ctrl-C of ours comes
        return await asyncio.create_subprocess_exec(
            *argv, stdin=both, stdout=both, stderr=errors, start_new_session=True
        )
    return await asyncio.create_subprocess_exec(
        *argv, stdin=both, stdout=both, stderr=errors, preexec_fn=_not_interrupted
    )


def _word(word: str) -> str:
    """Return a word of a command line as a shell reads it, with its home directory for a leading ~."""
    return f"{_HOME}{shlex.quote(word.removeprefix(_HOME))}" if word.startswith(_HOME) else shlex.quote(word)


def _not_interrupted() -> None:
    """Let ssh ignore Ctrl-C: it leaves a signal ignored that it finds so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
