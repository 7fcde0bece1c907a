"""The entries of one board in memory: their numbers, their bounds, and the part that somebody asks for."""

import asyncio

from flashdeck.console_kinds import ConsoleKind
from flashdeckd.consoles.console_marks import Mark
from flashdeckd.consoles.console_record import MOST_CHARACTERS, MOST_ENTRIES, ConsoleRecord

LEAVE = Mark("job 3: leave", is_leave=True, job=3)


def filled(count: int, record: ConsoleRecord | None = None) -> ConsoleRecord:
    record = record or ConsoleRecord()
    for number in range(count):
        record.add(float(number), ConsoleKind.LINE, f"line {number}")
    return record


def numbers(record: ConsoleRecord, *, after: int = 0, since_leave: bool = False, limit: int = 100) -> list[int]:
    return [entry.number for entry in record.page(after=after, since_leave=since_leave, limit=limit)]


def test_without_a_number_the_newest_come() -> None:
    assert numbers(filled(10), limit=3) == [8, 9, 10]
    assert numbers(filled(10), limit=0) == []
    assert numbers(ConsoleRecord()) == []


def test_with_a_number_those_behind_it_come_the_oldest_first() -> None:
    assert numbers(filled(10), after=4, limit=3) == [5, 6, 7]
    assert numbers(filled(10), after=10) == []
    assert numbers(filled(10), after=-1, limit=3) == [1, 2, 3]


def test_a_reader_who_goes_on_misses_nothing() -> None:
    record, read, after = filled(1000), list[int](), 1
    while page := numbers(record, after=after, limit=7):
        read += page
        after = page[-1]
    assert read == list(range(2, 1001))


def test_since_the_leave_only_what_came_with_it_and_later() -> None:
    record = filled(5)
    assert numbers(record, since_leave=True) == []
    record.add_mark(5.0, LEAVE)
    filled(3, record)
    assert numbers(record, since_leave=True) == [6, 7, 8, 9]
    assert numbers(record, since_leave=True, limit=2) == [6, 7]
    assert numbers(record, since_leave=True, after=7) == [8, 9]
    record.add_mark(6.0, LEAVE)
    assert numbers(record, since_leave=True) == [10]


def test_the_first_entry_may_be_the_leave() -> None:
    record = ConsoleRecord()
    record.add_mark(0.0, LEAVE)
    filled(4, record)
    assert numbers(record, since_leave=True, limit=2) == [1, 2]


def test_no_more_than_so_many_are_kept() -> None:
    record = filled(MOST_ENTRIES + 10)
    kept = numbers(record, after=1, limit=MOST_ENTRIES + 10)
    assert (len(kept), kept[0], kept[-1]) == (MOST_ENTRIES, 11, MOST_ENTRIES + 10)


def test_nor_more_than_so_much() -> None:
    record = ConsoleRecord()
    for _ in range(1100):
        record.add(0.0, ConsoleKind.LINE, "x" * 1000)
    assert len(numbers(record, after=1, limit=2000)) == MOST_CHARACTERS // 1000


def test_a_leave_that_is_forgotten_still_says_where_it_was() -> None:
    record = ConsoleRecord()
    record.add_mark(0.0, LEAVE)
    filled(MOST_ENTRIES + 5, record)
    assert numbers(record, since_leave=True, after=1, limit=2) == [7, 8]


def test_times_are_to_the_millisecond() -> None:
    assert ConsoleRecord().add(1.23456, ConsoleKind.LINE, "").at == 1.235


async def test_whoever_waits_is_woken_by_the_next_entry() -> None:
    record = ConsoleRecord()
    waiting = asyncio.create_task(record.grown(100))
    await asyncio.sleep(0)
    assert not waiting.done()
    record.add(0.0, ConsoleKind.LINE, "here")
    await waiting
    assert not record.__dict__["_readers"]


async def test_and_by_the_end_of_their_patience() -> None:
    record = ConsoleRecord()
    await record.grown(0.001)
    assert not record.__dict__["_readers"]
