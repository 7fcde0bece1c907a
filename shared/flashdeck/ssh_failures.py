"""Ends of an ssh connection, in words: which of the many things went wrong, and what to do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flashdeck.errors import ConnectionFailedError, ErrorKind
from flashdeck.text import MAX_TEXT, clean

OWN_FAILURE: Final = 255
"""The exit code of ssh where it failed itself; any other is that of the command on the other side (ssh(1))."""
NO_COMMAND: Final = 127
"""The exit code of a shell that has no such command (POSIX, Shell Command Language 2.8.2)."""
NOT_EXECUTABLE: Final = 126
"""The exit code of a shell for a command that it cannot execute."""
USAGE: Final = 2
"""The exit code of flashdeck for a command that it does not have."""

_PROTOCOL: Final = b"{"
"""The beginning of every line of the protocol."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The daemon that a connection was to reach, in words."""

    name: str
    """The machine as a person calls it."""
    destination: str
    """The machine as ssh calls it."""
    command: str
    """flashdeck there."""

    @property
    def by_hand(self) -> str:
        """The command that tries it without us."""
        return f"ssh {self.destination} {self.command} status"


@dataclass(frozen=True, slots=True)
class Ended:
    """An ssh that has ended, or had to be ended."""

    code: int | None
    """None where it could not be ended."""
    said: bytes
    """The end of what it and the other side printed to stderr."""
    line: bytes = b""
    """The last line that came from the other side's stdout."""
    greeted: bool = False
    """True if a daemon had answered before."""

    @property
    def lines(self) -> list[str]:
        """The lines of its stderr that are not empty, cleaned."""
        lines = self.said.decode(errors="replace").splitlines()
        return [clean(line).removeprefix("ssh: ") for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class _Cause:
    """A sentence of ssh that names what is wrong, and that in our words."""

    sentences: Sequence[str]
    message: str
    hint: str
    kind: ErrorKind = ErrorKind.UNREACHABLE


_CAUSES: Final = (
    _Cause(
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", "HOST IDENTIFICATION"),
        "the key of {host} is not the one that ssh knows",
        "find out why it changed; then remove the old one as `ssh {destination}` says, and log in once",
    ),
    _Cause(
        ("Host key verification failed",),
        "ssh does not know the key of {host}",
        "log in once by hand and look at the key: ssh {destination}",
    ),
    _Cause(
        ("Could not resolve hostname",),
        "there is no host {host}",
        "check the name, or write it into ~/.ssh/config or [hosts]",
    ),
    _Cause(
        ("Permission denied", "Too many authentication failures", "No supported authentication"),
        "{host} does not let you in",
        "try `ssh {destination}`; where it asks for something, add your key (ssh-copy-id) or unlock it (ssh-add)",
        ErrorKind.NO_PERMISSION,
    ),
    _Cause(
        ("Connection refused",),
        "no ssh server answers on {host}",
        "is sshd running there, and is the port right (~/.ssh/config)?",
    ),
    _Cause(
        ("timed out", "No route to host", "Network is unreachable", "Host is down"),
        "{host} does not answer",
        "is it switched on and in your network?",
    ),
    _Cause(
        ("Bad owner or permissions", "Bad configuration option", "terminating,"),
        "ssh cannot use its configuration",
        "mend what it names; `ssh {destination}` says the same",
    ),
)
_CUT: Final = "what runs or waits there goes on without this client"


def not_startable(error: OSError) -> ConnectionFailedError:
    """Return the error of an ssh that could not be started."""
    if isinstance(error, FileNotFoundError):
        return ConnectionFailedError("ssh is not installed here", hint="install it, as: apt install openssh-client")
    return ConnectionFailedError(f"ssh cannot be started: {error.strerror}")


def explained(goal: Goal, seen: ConnectionFailedError, ended: Ended) -> ConnectionFailedError:
    """Return why a connection has ended; `seen` is how that looked."""
    if ended.greeted:
        return _cut(goal.name, seen, ended)
    if ended.line and not ended.line.startswith(_PROTOCOL):
        return _noise(goal, ended)
    if ended.line:  # a line of the protocol, by which the other side said why
        hint = f"on {goal.name}, {seen.hint}" if seen.hint else ""
        return ConnectionFailedError(f"{goal.name}: {seen.message}", hint=hint, kind=seen.kind)
    return _own_failure(goal, ended) if ended.code == OWN_FAILURE else _of_command(goal, ended)


def _noise(goal: Goal, ended: Ended) -> ConnectionFailedError:
    text = clean(ended.line.decode(errors="replace").strip(), 80)
    return ConnectionFailedError(
        f'{goal.name} prints "{text}" before flashdeck answers there',
        hint="let the shell's start files there (~/.bashrc) print only for a terminal; "
        f"to see it: ssh {goal.destination} true",
        kind=ErrorKind.PROTOCOL_MISMATCH,
    )


def _own_failure(goal: Goal, ended: Ended) -> ConnectionFailedError:
    said = "\n".join(ended.lines)
    cause = next((cause for cause in _CAUSES if any(sentence in said for sentence in cause.sentences)), None)
    if cause is None:
        return ConnectionFailedError(
            f"ssh to {goal.name} failed: {_last(ended)}", hint=f"try it by hand: ssh {goal.destination}"
        )
    sentence = _last(ended, having=next(each for each in cause.sentences if each in said))
    return ConnectionFailedError(
        f"{cause.message.format(host=goal.name)} (ssh: {sentence})",
        hint=cause.hint.format(destination=goal.destination),
        kind=cause.kind,
    )


def _of_command(goal: Goal, ended: Ended) -> ConnectionFailedError:
    """Return why flashdeck on the other side ended without a word of the protocol."""
    if ended.code == NO_COMMAND:
        return ConnectionFailedError(
            f"{goal.name} has no command {goal.command}",
            hint="install flashdeck there; where only the PATH of ssh is short, give the path in the configuration: "
            f'[hosts.NAME] ssh = "{goal.destination}", command = ["~/.local/bin/flashdeck"]',
        )
    if ended.code == NOT_EXECUTABLE:
        return ConnectionFailedError(
            f"{goal.name} cannot run {goal.command}: {_last(ended)}", hint="look at the file and its mode there"
        )
    if ended.code == USAGE and any("'connect'" in line for line in ended.lines):
        return ConnectionFailedError(
            f"flashdeck on {goal.name} is an older release, which cannot be reached over ssh",
            hint=f"update it there; until then run commands there: {goal.by_hand}",
            kind=ErrorKind.PROTOCOL_MISMATCH,
        )
    code = "" if ended.code is None else f" with exit code {ended.code}"
    return ConnectionFailedError(
        f"{goal.command} on {goal.name} ended{code} before it answered: {_last(ended)}",
        hint=f"try it by hand: {goal.by_hand}",
    )


def _cut(host: str, seen: ConnectionFailedError, ended: Ended) -> ConnectionFailedError:
    """Return that a connection that had worked has ended."""
    if ended.code == OWN_FAILURE or (ended.code or 0) < 0:
        told = f" (ssh: {_last(ended)})" if ended.lines else ""
        return ConnectionFailedError(f"the connection to {host} was cut{told}", hint=_CUT)
    return ConnectionFailedError(seen.message, hint=seen.hint, kind=seen.kind)


def _last(ended: Ended, having: str = "") -> str:
    """Return the last line that was printed, and has certain words."""
    lines = [line for line in ended.lines if having in line]
    return clean(lines[-1], MAX_TEXT) if lines else "" if having else "it said nothing"
