"""Names that ssh may be given, and each end of a connection in words. No ssh runs here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import ConnectionFailedError, ErrorKind
from flashdeck.ssh_destination import LONGEST_DESTINATION, checked_destination
from flashdeck.ssh_failures import NO_COMMAND, NOT_EXECUTABLE, OWN_FAILURE, USAGE, Ended, Goal, explained, not_startable

GOAL = Goal("bench", "ann@box", "flashdeck")
CLOSED = ConnectionFailedError("the daemon at bench closed the connection", hint="it ended")


@pytest.mark.parametrize(
    "name", ["bench", "ann@bench", "ann.b@10.0.0.1", "ann@[fe80::1%eth0]", "ssh://ann@bench:2222", "_x", "a" * 255]
)
def test_a_host_may_be_called_so(name: str) -> None:
    assert checked_destination(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "-", "-oProxyCommand=true", "ann@-oProxyCommand=true", "--", "-l root", "ssh://-oProxyCommand=true"),
        *("bench; true", "$(true)@bench", "ann@`true`", "ann@be nch", "bench\n", "\x1b[2J", "ann@b'ench", "a@b|x"),
    ],
)
def test_a_host_is_never_called_so(name: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        checked_destination(name)


def test_a_name_is_only_so_long() -> None:
    assert checked_destination("a" * LONGEST_DESTINATION)
    with pytest.raises(ValueError, match="is no host"):
        checked_destination("a" * (LONGEST_DESTINATION + 1))


@given(st.text(max_size=20))
def test_whatever_is_taken_can_be_taken_for_nothing_else(name: str) -> None:
    try:
        taken = checked_destination(name)
    except ValueError:
        return
    assert not taken.startswith("-")
    assert "@-" not in taken
    assert not set(taken) & set(" \t\n;|&$`'\"\\<>(){}*?!#~=,")


@pytest.mark.parametrize(
    ("said", "message", "kind"),
    [
        ("ssh: Could not resolve hostname box: Name or service not known", "there is no host bench", "unreachable"),
        ("ssh: connect to host box port 22: Connection refused", "no ssh server answers", "unreachable"),
        ("ssh: connect to host box port 22: Connection timed out", "does not answer", "unreachable"),
        ("ssh: connect to host box port 22: No route to host", "does not answer", "unreachable"),
        ("No ED25519 host key is known\nHost key verification failed.", "does not know the key", "unreachable"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "is not the one that ssh knows",
            "unreachable",
        ),
        ("ann@box: Permission denied (publickey).", "does not let you in", "no-permission"),
        ("/home/ann/.ssh/config: line 1: Bad configuration option: foo", "cannot use its configuration", "unreachable"),
        ("kex_exchange_identification: read: Connection reset by peer", "ssh to bench failed: kex_", "unreachable"),
        ("", "ssh to bench failed: it said nothing", "unreachable"),
    ],
)
def test_what_ssh_says_of_its_own_failure_is_put_into_words(said: str, message: str, kind: str) -> None:
    error = explained(GOAL, CLOSED, Ended(OWN_FAILURE, said.encode()))
    assert message in error.message
    assert error.kind == ErrorKind(kind)
    assert error.hint


@pytest.mark.parametrize(
    ("ended", "message", "hint"),
    [
        (Ended(NO_COMMAND, b"sh: 1: flashdeck: not found"), "bench has no command flashdeck", "~/.local/bin/flashdeck"),
        (Ended(NOT_EXECUTABLE, b"sh: 1: flashdeck: Permission denied"), "bench cannot run flashdeck", "mode"),
        (Ended(USAGE, b"error: 'flashdeck' has no command 'connect'"), "older release", "update it there"),
        (Ended(USAGE, b"error: there is no option --stdio"), "ended with exit code 2", "by hand"),
        (Ended(1, b"Traceback\nImportError: no msgspec\n"), "ImportError: no msgspec", "ssh ann@box flashdeck status"),
        (Ended(0, b""), "it said nothing", "by hand"),
        (Ended(None, b"", b"Welcome!\n"), 'prints "Welcome!"', ".bashrc"),
        (Ended(1, b"", b"This account is not available"), 'prints "This account is not available"', ".bashrc"),
    ],
)
def test_what_the_other_side_did_instead_is_put_into_words(ended: Ended, message: str, hint: str) -> None:
    error = explained(GOAL, CLOSED, ended)
    assert message in error.message
    assert hint in error.hint


def test_an_error_of_the_other_side_is_told_as_it_is_with_the_machine() -> None:
    seen = ConnectionFailedError("no flashdeckd listens on /s", hint="start it", kind=ErrorKind.UNREACHABLE)
    error = explained(GOAL, seen, Ended(3, b"error: it", b'{"jsonrpc": "2.0"}\n'))
    assert (error.message, error.hint) == ("bench: no flashdeckd listens on /s", "on bench, start it")


@pytest.mark.parametrize("code", [OWN_FAILURE, -9])
def test_a_connection_that_had_worked_was_cut(code: int) -> None:
    said = b"Timeout, server box not responding.\n"
    error = explained(GOAL, CLOSED, Ended(code, said, b"{}\n", greeted=True))
    assert error.message == "the connection to bench was cut (ssh: Timeout, server box not responding.)"


def test_a_daemon_that_ended_is_no_cut() -> None:
    assert explained(GOAL, CLOSED, Ended(0, b"", greeted=True)).message == CLOSED.message


def test_what_is_said_there_is_made_harmless() -> None:
    error = explained(GOAL, CLOSED, Ended(OWN_FAILURE, b"\x1b[2Jssh: \xff evil\n"))
    assert "\x1b" not in error.message


def test_an_ssh_that_cannot_be_started() -> None:
    assert "not installed" in not_startable(FileNotFoundError()).message
    assert "cannot be started" in not_startable(PermissionError(13, "Permission denied")).message
