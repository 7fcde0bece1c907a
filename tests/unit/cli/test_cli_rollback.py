"""`flashdeck rollback`: what it asks of the daemon, and what it says."""

import pytest

from canned_daemon import SHA, CannedDaemon, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, RequestError
from job_states import DONE


def test_it_asks_for_it_and_says_from_what_to_what(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Rollback] = api.JobList(jobs=(job(9, status=DONE),), notes=("left: goes back from 2 to 1",))
    run = cli("rollback", "app1", "left", "--no-wait", "--cancel-on-exit")
    assert run.code == 0
    assert "left: goes back from 2 to 1\n" in run.err
    assert "warning" not in run.err
    assert daemon.called(api.Rollback) == [
        api.Rollback(partition="app1", boards=("left",), no_wait=True, cancel_on_exit=True)
    ]


def test_a_dry_run_shows_the_plan(daemon: CannedDaemon, cli: Cli) -> None:
    plan = api.BoardPlan(board="left", partition="app1", sha256=SHA, notes=("goes back from 2 to 1",))
    daemon.answers[api.PlanRollback] = api.PlanList(plans=(plan,))
    run = cli("rollback", "app1", "l*", "--dry-run")
    assert run.code == 0
    assert "goes back from 2 to 1" in run.out
    assert cli("rollback", "app1", "--dry-run", "--json").json["plans"][0]["sha256"] == SHA
    assert daemon.called(api.PlanRollback)[0] == api.PlanRollback(partition="app1", boards=("l*",))
    assert not daemon.called(api.Rollback)


@pytest.mark.parametrize("option", ["--no-wait", "--cancel-on-exit", "--jsonl", "--timeout=3"])
def test_a_dry_run_has_nothing_to_follow(offline: Cli, option: str) -> None:
    run = offline("rollback", "app1", "--dry-run", option)
    assert run.code == 2
    assert "--dry-run" in run.err


def test_a_board_with_nothing_to_go_back_to_is_4(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.Rollback] = RequestError("nothing to go back to", kind=ErrorKind.NO_SUCH_ARTIFACT)
    assert cli("rollback", "app1").code == 4
