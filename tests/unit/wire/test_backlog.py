"""What a slow client misses, and what it never does."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.disposition import Disposition
from flashdeck.flash_map import FlashMap
from flashdeck.model import ArtifactState, DaemonState, Event, LogLevel, LogLine
from flashdeck.slot_condition import SlotEmpty
from flashdeck.slot_state import LotState, SlotState
from flashdeckd.server.backlog import LINES_KEPT, THINGS_KEPT, Backlog
from flashdeckd.state.hub import Hub
from unit.wire.peer import board, job, make_hub


def drain(backlog: Backlog) -> list[Event]:
    events: list[Event] = []
    while (event := backlog.take()) is not None:
        events.append(event)
    return events


def subscribe(hub: Hub) -> Backlog:
    made = Backlog(hub.snapshot().seq)

    def take(event: Event) -> None:
        assert made.add(event)

    hub.listen(take)
    return made


@pytest.fixture
def hub() -> Hub:
    return make_hub()


@pytest.fixture
def backlog(hub: Hub) -> Backlog:
    return subscribe(hub)


def test_a_client_that_keeps_up_gets_every_event_as_it_was(hub: Hub, backlog: Backlog) -> None:
    sent: list[Event] = []
    hub.listen(sent.append)
    received: list[Event] = []
    for step in range(10):
        hub.publish_job(job(1, step))
        hub.log(f"step {step}")
        received += drain(backlog)
    assert received == sent


def test_progress_coalesces_to_the_newest_state_at_its_own_place(hub: Hub, backlog: Backlog) -> None:
    hub.publish_job(job(1, 100))
    hub.publish_board(board("left"))
    hub.publish_job(job(1, 200))
    hub.log("between")
    hub.publish_job(job(2, 5))
    hub.publish_job(job(1, 300))
    first, second, third, fourth = drain(backlog)
    assert first.board == board("left")
    assert second.log is not None
    assert third.job == job(2, 5)
    assert fourth.job == job(1, 300)


def test_omissions_are_no_gap_in_the_numbers(hub: Hub) -> None:
    hub.log("before the subscription")
    start = hub.snapshot().seq
    backlog = subscribe(hub)
    for step in range(50):
        hub.publish_job(job(1, step))
        hub.publish_job(job(2, step))
    assert [event.seq for event in drain(backlog)] == [start + 1, start + 2]


def test_the_oldest_log_lines_drop_and_one_line_says_how_many(hub: Hub, backlog: Backlog) -> None:
    hub.publish_board(board("left"))
    for number in range(LINES_KEPT + 25):
        hub.log(f"line {number}")
    events = drain(backlog)
    assert events[0].board == board("left")
    notice = events[1].log
    assert notice is not None
    assert notice.level is LogLevel.WARNING
    assert notice.text.startswith("25 log lines dropped")
    kept = [event.log.text for event in events[2:] if event.log is not None]
    assert kept == [f"line {number}" for number in range(25, LINES_KEPT + 25)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    ids = [event.log.id for event in events if event.log is not None]
    assert ids == sorted(set(ids))


def test_each_run_of_dropped_lines_is_counted_by_itself(hub: Hub, backlog: Backlog) -> None:
    notices: list[str] = []
    for more in (1, 7):
        for number in range(LINES_KEPT + more):
            hub.log(f"line {number}")
        notices += [event.log.text for event in drain(backlog) if event.log and event.log.level is LogLevel.WARNING]
    assert [notice.split()[0] for notice in notices] == ["1", "7"]


def test_too_many_different_things_are_the_end(backlog: Backlog) -> None:
    assert all(backlog.add(Event(seq=0, job=job(number))) for number in range(THINGS_KEPT))
    assert backlog.add(Event(seq=0, job=job(0, 1)))
    assert not backlog.add(Event(seq=0, job=job(THINGS_KEPT)))


Step = Callable[[Hub, int], None]
STEPS: list[Step] = [
    lambda hub, number: hub.publish_job(job(1, number)),
    lambda hub, number: hub.publish_job(job(2, number)),
    lambda hub, number: hub.publish_board(board("left", str(number))),
    lambda hub, number: hub.log(str(number)),
]


@given(st.lists(st.none() | st.sampled_from(STEPS), max_size=60))
def test_whatever_happens_the_client_ends_up_with_the_hubs_state_in_the_hubs_order(steps: list[Step | None]) -> None:
    hub = make_hub()
    backlog = subscribe(hub)
    published: list[Event] = []
    hub.listen(published.append)
    got: list[Event] = []
    for number, step in enumerate(steps):
        if step is not None:
            step(hub, number)
        elif (event := backlog.take()) is not None:
            got.append(event)
    got += drain(backlog)

    assert [event.seq for event in got] == list(range(1, len(got) + 1))
    assert {event.job.id: event.job for event in got if event.job} == hub.jobs
    assert {event.board.name: event.board for event in got if event.board} == hub.boards
    assert [event.log for event in got if event.log] == list(hub.logs(limit=1000))
    # A subsequence of what was published, numbers aside.
    rest = iter([(event.job, event.board, event.log) for event in published])
    assert all((event.job, event.board, event.log) in rest for event in got)


def test_a_log_line_says_nothing_of_lines_that_were_not_dropped(backlog: Backlog) -> None:
    line = LogLine(id=1, time=0.0, level=LogLevel.INFO, text="only")
    backlog.add(Event(seq=1, log=line))
    assert [event.log for event in drain(backlog)] == [line]


def test_a_client_takes_everything_anew_where_a_board_is_not_configured_any_more(hub: Hub, backlog: Backlog) -> None:
    seq = hub.snapshot().seq
    hub.publish_board(board("left"))
    hub.forget_boards(["left"])
    hub.log("it is gone")
    numbers = [event.seq for event in drain(backlog)]
    assert numbers != list(range(seq + 1, seq + 1 + len(numbers))), "a gap, behind which a client subscribes again"
    assert hub.snapshot().boards == ()
    hub.forget_boards(["nobody"])
    hub.log("nothing is different")
    (event,) = drain(backlog)
    assert event.seq == numbers[-1] + 1


def flash_map(name: str, job: int = 0) -> FlashMap:
    return FlashMap(board=name, job=job)


def test_maps_coalesce_and_leave_no_gap_for_those_who_hear_none(hub: Hub, backlog: Backlog) -> None:
    seeing = Backlog(hub.snapshot(maps=True).seq)
    hub.listen(lambda event: None if seeing.add(event) else pytest.fail("cut off"), maps=True)
    hub.publish_map(flash_map("left", 1))
    hub.publish_board(board("left"))
    hub.publish_map(flash_map("right"))
    hub.publish_map(flash_map("left", 2))
    hub.publish_job(job(1, 5))
    assert [(event.seq, event.map) for event in drain(backlog)] == [(1, None), (2, None)]
    seen = drain(seeing)
    assert [event.seq for event in seen] == [1, 2, 3, 4]
    assert [event.map for event in seen if event.map is not None] == [flash_map("right"), flash_map("left", 2)]


def test_a_thing_that_is_gone_leaves_its_gap_for_those_who_see_maps_too(hub: Hub) -> None:
    hub.publish_board(board("left"))
    seeing = Backlog(hub.snapshot(maps=True).seq)
    hub.listen(lambda event: None if seeing.add(event) else pytest.fail("cut off"), maps=True)
    hub.forget_boards(["left"])
    hub.publish_map(flash_map("right"))
    hub.log("gone")
    assert [event.seq for event in drain(seeing)] == [3, 4]


def one_of_each(name: str) -> dict[str, Event]:
    """An event of each kind, about things of that name."""
    number = len(name)
    artifact = ArtifactState(
        sha256="", size=0, source="", profile=name, partition="app1", seen_at=0, disposition=Disposition.QUEUED
    )
    lot = LotState(name=name, image="", partition="app1", sha256="", size=0, count=1, begun_at=0)
    line = LogLine(id=number, time=0, level=LogLevel.INFO, text=name)
    daemon = DaemonState(version="1", pid=1, instance="i", host="h", started_at=0)
    return {
        "daemon": Event(seq=0, daemon=daemon),
        "board": Event(seq=0, board=board(name)),
        "devices": Event(seq=0, devices=()),
        "job": Event(seq=0, job=job(number, 0)),
        "artifact": Event(seq=0, artifact=artifact),
        "log": Event(seq=0, log=line),
        "map": Event(seq=0, map=FlashMap(board=name)),
        "slot": Event(seq=0, slot=SlotState(name=name, profile="p", port="1", condition=SlotEmpty(), since=0)),
        "lot": Event(seq=0, lot=lot),
    }


def test_the_state_of_one_thing_never_replaces_that_of_another() -> None:
    events = [*one_of_each("one").values(), *one_of_each("other").values()]
    assert set(one_of_each("one")) == {*Event.__struct_fields__} - {"seq"}, "a new kind of thing needs one, too"
    waiting = Backlog(0)
    for seq, event in enumerate(events, 1):
        waiting.add(replace(event, seq=seq))
    only_one = 2  # the daemon, and the devices together
    assert len(drain(waiting)) == len(events) - only_one
