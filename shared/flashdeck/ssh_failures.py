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
        return [clean(line) for line in self.said.decode(errors="replace").splitlines() if line.strip()]


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
        "find out why it changed; then remove the old one as `ssh {host}` says, and log in once",
    ),
    _Cause(
        ("Host key verification failed",),
        "ssh does not know the key of {host}",
        "log in once by hand and look at the key: ssh {host}",
    ),
    _Cause(
        ("Could not resolve hostname",),
        "there is no host {host}",
        "check the name, or write it into ~/.ssh/config or [hosts]",
    ),
    _Cause(
        ("Permission denied", "Too many authentication failures", "No supported authentication"),
        "{host} does not let you in",
        "ssh must get in without a password here: try `ssh {host}`, add your key (ssh-copy-id) or unlock it (ssh-add)",
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
        "mend what it names; `ssh {host}` says the same",
    ),
)
_CUT: Final = "what runs or waits there goes on without this client"


def not_startable(error: OSError) -> ConnectionFailedError:
    """Return the error of an ssh that could not be started."""
    if isinstance(error, FileNotFoundError):
        return ConnectionFailedError("ssh is not installed here", hint="install it, as: apt install openssh-client")
    return ConnectionFailedError(f"ssh cannot be started: {error.strerror}")


def explained(host: str, command: str, seen: ConnectionFailedError, ended: Ended) -> ConnectionFailedError:
    """Return why a connection to `host`, where flashdeck is called `command`, has ended; `seen` is how it looked."""
    if ended.greeted:
        return _cut(host, seen, ended)
    if ended.line and not ended.line.startswith(_PROTOCOL):
        return _noise(host, ended)
    if ended.code == OWN_FAILURE:
        return _own_failure(host, ended)
    if ended.code == NO_COMMAND:
        return ConnectionFailedError(
            f"{host} has no command {clean(command)}",
            hint="install flashdeck there; where only the PATH of ssh is short, give the path in the configuration: "
            f'[hosts.NAME] ssh = "{host}", command = ["/home/you/.local/bin/flashdeck"]',
        )
    if ended.code == NOT_EXECUTABLE:
        return ConnectionFailedError(
            f"{host} cannot run {clean(command)}: {_last(ended)}", hint="look at the file and its mode there"
        )
    if ended.code == USAGE and any("'connect'" in line for line in ended.lines):
        return ConnectionFailedError(
            f"flashdeck on {host} is an older release, which cannot be reached over ssh",
            hint=f"update it there, or run the command there: ssh {host} {clean(command)} status",
            kind=ErrorKind.PROTOCOL_MISMATCH,
        )
    return _of_other_side(host, command, seen, ended)


def _noise(host: str, ended: Ended) -> ConnectionFailedError:
    text = clean(ended.line.decode(errors="replace").strip(), 80)
    return ConnectionFailedError(
        f'{host} prints "{text}" before flashdeck answers there',
        hint=f"let the shell's start files there (~/.bashrc) print only for a terminal; to see it: ssh {host} true",
        kind=ErrorKind.PROTOCOL_MISMATCH,
    )


def _own_failure(host: str, ended: Ended) -> ConnectionFailedError:
    said = "\n".join(ended.lines)
    cause = next((cause for cause in _CAUSES if any(sentence in said for sentence in cause.sentences)), None)
    if cause is None:
        return ConnectionFailedError(f"ssh to {host} failed: {_last(ended)}", hint=f"try it by hand: ssh {host}")
    sentence = _last(ended, having=next(each for each in cause.sentences if each in said))
    return ConnectionFailedError(
        f"{cause.message.format(host=host)} (ssh: {sentence})", hint=cause.hint.format(host=host), kind=cause.kind
    )


def _of_other_side(host: str, command: str, seen: ConnectionFailedError, ended: Ended) -> ConnectionFailedError:
    """Return the error that the other side has told, or that it ended without a word."""
    if ended.line:  # a line of the protocol, by which it said why
        return ConnectionFailedError(f"{host}: {seen.message}", hint=seen.hint, kind=seen.kind)
    code = "" if ended.code is None else f" (exit code {ended.code})"
    return ConnectionFailedError(
        f"{host}: {clean(command)} ended before it answered{code}: {_last(ended)}",
        hint=f"try it by hand: ssh {host} {clean(command)} status",
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
