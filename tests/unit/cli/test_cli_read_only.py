"""`--read-only`: before or behind any command that asks a daemon, and refused where no daemon could see to it."""

import pytest

from canned_daemon import CannedDaemon, board
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ExitCode
from flashdeck.inside_lease import LEASE_VARIABLE
from flashdeck_tui.cli.remote import LOCAL
from stand_in_daemon import stand_in


@pytest.mark.parametrize("words", ["--read-only hold left", "hold --read-only left", "hold left --read-only"])
def test_it_may_stand_anywhere(daemon: CannedDaemon, cli: Cli, words: str) -> None:
    run = cli(*words.split())
    assert run.code == ExitCode.NO_PERMISSION
    assert "this connection is read-only: 'hold' is refused" in run.err
    assert not daemon.calls


def test_it_counts_for_one_command_line(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Hold] = api.BoardList(boards=(board(),), devices=())
    assert cli("--read-only", "hold", "left").code == ExitCode.NO_PERMISSION
    assert cli("hold", "left").code == ExitCode.OK


@pytest.mark.parametrize("path", sorted(LOCAL - {"connect"}))
def test_it_is_refused_where_no_daemon_could_see_to_it(offline: Cli, path: str) -> None:
    for words in (("--read-only", *path.split()), (*path.split(), "--read-only")):
        run = offline(*words)
        assert run.code == ExitCode.USAGE
        assert f"'flashdeck {path}' works on this machine" in run.err
        assert "hint: leave out --read-only" in run.err


def test_no_lease_is_acted_for(daemon: CannedDaemon, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be refused, and there is nothing that it would matter for."""
    monkeypatch.setenv(LEASE_VARIABLE, "token")
    daemon.answers[api.GetBoards] = api.BoardList(boards=(board(),), devices=())
    run = cli("--read-only", "boards")
    assert (run.code, run.err) == (ExitCode.OK, "")
    assert not daemon.called(api.UseLease)


def test_no_board_is_looked_at_without_a_daemon(offline: Cli) -> None:
    run = offline("--read-only", "doctor")
    assert run.code == ExitCode.UNREACHABLE
    assert "looking without one" not in run.err


@pytest.mark.parametrize("words", [("boards",), ("connect", "--stdio")])
def test_a_daemon_of_an_earlier_release_is_not_used(offline: Cli, words: tuple[str, ...]) -> None:
    with stand_in() as daemon:
        run = offline("--socket", str(daemon.socket), "--read-only", *words)
    assert run.code == ExitCode.PROTOCOL_MISMATCH
    assert "cannot make a connection read-only" in run.err
    assert "hint: update flashdeckd there" in run.err
