"""`flashdeck history`: what was flashed, from the whole journal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from canned_daemon import NOW, CannedDaemon, job
from cli_run import Cli
from flashdeck import api
from flashdeck.errors import ErrorKind, RequestError
from flashdeck.job_state import JobKind, Phase, PhaseTimes
from flashdeck_tui.cli.when import LONGEST, parse_when
from job_states import DONE

TIMES = PhaseTimes().plus(Phase.ERASE, 1.24).plus(Phase.WRITE, 3.4).plus(Phase.START, 0.05)
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=2)))


def test_it_shows_when_and_how_long_each_phase_took(daemon: CannedDaemon, cli: Cli) -> None:
    done = job(7, status=DONE, finished_at=NOW, times=TIMES)
    daemon.answers[api.GetHistory] = api.HistoryPage(jobs=(done,), since=NOW - 100, kept=10_000)
    run = cli("history")
    shown = datetime.fromtimestamp(NOW).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006 - as people read it
    assert run.code == 0
    assert shown in run.out
    assert "erase 1.2 s, write 3.4 s, start 50 ms" in run.out
    assert "the journal has every job since " in run.err
    assert "it keeps the newest 10000 jobs" in run.err
    printed = cli("history", "--json").json
    assert printed["jobs"][0]["times"]["erase"] == 1.24
    assert (printed["since"], printed["kept"]) == (NOW - 100, 10_000)


def test_each_row_says_what_was_done(daemon: CannedDaemon, cli: Cli) -> None:
    kinds = (JobKind.RESET, JobKind.ERASE, JobKind.READ)
    rows = tuple(job(9 - at, kind=kind, status=DONE, sha256="", version="") for at, kind in enumerate(kinds))
    daemon.answers[api.GetHistory] = api.HistoryPage(jobs=rows, since=NOW)
    lines = cli("history").out.splitlines()[1:]
    for line, word in zip(lines, ("leave DFU mode", "erase", "read"), strict=True):
        assert f" {word} " in line


def test_it_asks_for_pages_until_it_has_enough(daemon: CannedDaemon, cli: Cli) -> None:
    rows = [job(number, status=DONE) for number in range(9, 0, -1)]

    def answer(asked: api.GetHistory) -> api.HistoryPage:
        below = [each for each in rows if not asked.before or each.id < asked.before][:2]
        wanted = [each for each in below if each.id % 2][: asked.limit]
        return api.HistoryPage(jobs=tuple(wanted), next=below[-1].id if below[-1].id > 1 else 0, since=NOW)

    daemon.answers[api.GetHistory] = answer
    found = cli("history", "--limit", "3", "left", "--partition", "app1", "--jsonl").jsonl
    assert [line["job"]["id"] for line in found] == [9, 7, 5]
    assert [asked.limit for asked in daemon.called(api.GetHistory)] == [3, 2, 1]
    assert {(asked.boards, asked.partition) for asked in daemon.called(api.GetHistory)} == {(("left",), "app1")}
    daemon.calls.clear()
    assert [each["id"] for each in cli("history", "--json").json["jobs"]] == [9, 7, 5, 3, 1]
    assert "every job since" in cli("history").err


def test_a_board_that_never_was_is_4(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetHistory] = RequestError("there is no board 'nope'", kind=ErrorKind.NO_SUCH_BOARD)
    assert cli("history", "nope").code == 4
    daemon.answers[api.GetHistory] = api.HistoryPage()
    run = cli("history")
    assert (run.code, run.out, run.err) == (0, "no such jobs\n", "the journal has no jobs yet\n")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-30", NOON.replace(day=30, hour=0)),
        ("2026-01-30T13:05", NOON.replace(day=30, hour=13, minute=5)),
        ("2026-01-30 13:05:07", NOON.replace(day=30, hour=13, minute=5, second=7)),
        ("9:05", NOON.replace(hour=9, minute=5)),
        ("09:05:01", NOON.replace(hour=9, minute=5, second=1)),
        ("30min", NOON - timedelta(minutes=30)),
        ("2h", NOON - timedelta(hours=2)),
        ("3d", NOON - timedelta(days=3)),
        ("90s", NOON - timedelta(seconds=90)),
        ("2026-01-30T13:05:07.".ljust(LONGEST, "0"), NOON.replace(day=30, hour=13, minute=5, second=7)),
    ],
)
def test_a_time_is_written_as_people_write_it(text: str, meant: datetime) -> None:
    assert parse_when(text, NOON).replace(tzinfo=None) == meant.replace(tzinfo=None)


def test_a_time_zone_that_is_named_counts() -> None:
    assert parse_when("2026-01-30T13:05Z", NOON) == datetime(2026, 1, 30, 13, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "25:00", "2026-02-30", "-2h", "999999d" * 9, "٣h"),
        "2026-01-30T13:05:07.".ljust(LONGEST + 1, "0"),
    ],
)
def test_what_is_no_time_is_refused_with_what_is(cli: Cli, text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_when(text, NOON)
    run = cli("history", f"--since={text}")
    assert run.code == 2
    assert "is not a time; write 13:05, 2026-01-31" in run.err


def test_the_range_is_asked_of_the_daemon(daemon: CannedDaemon, cli: Cli) -> None:
    daemon.answers[api.GetHistory] = api.HistoryPage(jobs=(replace(job(1), status=DONE),))
    assert cli("history", "--since", "2026-01-30T00:00Z", "--until", "2026-01-31T00:00Z").code == 0
    (asked,) = daemon.called(api.GetHistory)
    assert asked.until - asked.since == 24 * 3600
