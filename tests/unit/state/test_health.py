"""The daemon's own health: what does not work, since when, and what to do."""

import msgspec
import pytest

from flashdeck.model import DaemonState, LogLevel, Trouble
from flashdeck.rpc import MAX_LINE
from flashdeck.words.troubles import trouble_lines
from flashdeckd.host import clock
from flashdeckd.state.health import LONGEST_PART, MAX_TROUBLES, Health
from flashdeckd.state.hub import LONGEST_LINE, Hub, this_daemon


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    ticks = iter(range(1000, 1_000_000))
    monkeypatch.setattr(clock, "now", lambda: float(next(ticks)))
    return Hub(this_daemon(virtual=False))


def test_a_trouble_is_said_once_and_stays_with_its_time_until_it_is_over(hub: Hub) -> None:
    health = Health(hub)
    health.report("disk", "full", hint="make room")
    (first,) = hub.daemon.troubles
    assert (first.part, first.text, first.hint) == ("disk", "full", "make room")
    assert hub.daemon.degraded == ("disk: full; make room",)
    health.report("disk", "full", hint="make room")
    health.report("disk", "nearly full", hint="make room", boards=["b", "a"])
    (now,) = hub.daemon.troubles
    assert now.since == first.since
    assert now.boards == ("a", "b")
    health.report("disk", "")
    health.report("disk", "")
    assert (hub.daemon.troubles, hub.daemon.degraded) == ((), ())
    lines = hub.logs()
    assert [line.level for line in lines] == [LogLevel.WARNING, LogLevel.WARNING, LogLevel.INFO]
    assert lines[-1].text == "disk: works again"
    health.report("disk", "full")
    assert hub.daemon.troubles[0].since > first.since


def test_any_number_of_troubles_fits_into_a_line_of_the_protocol(hub: Hub) -> None:
    health = Health(hub)
    for number in range(MAX_TROUBLES + 1):
        health.report(f"device {number}", "\x1b" * LONGEST_LINE, hint="x" * 3 * LONGEST_LINE)
        assert len(hub.daemon.troubles) <= MAX_TROUBLES
    assert hub.daemon.troubles[-1].text == "2 troubles more: see the log"
    assert len(msgspec.json.encode(hub.daemon)) < MAX_LINE // 2
    health.report("device 3", "")
    health.report("device 4", "")
    health.report("x" * 2 * LONGEST_PART, "gone")
    assert len(hub.daemon.troubles[-1].part) == LONGEST_PART


def test_lines_say_for_how_long_and_a_release_that_does_not_know_says_the_rest() -> None:
    daemon = DaemonState(version="1", pid=1, instance="i", host="h", started_at=0.0, degraded=("usb: deaf",))
    assert trouble_lines(daemon, 500.0) == ["usb: deaf"]
    told = msgspec.structs.replace(daemon, troubles=(Trouble(part="usb", text="deaf", hint="look", since=100.0),))
    assert trouble_lines(told, 130.0) == ["usb: deaf; look"]
    assert trouble_lines(told, 100.0 + 3700) == ["usb: deaf; look (for 1 h)"]
