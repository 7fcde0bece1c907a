"""What is remembered of a bootloader, and what a person's release changes in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flashdeck.errors import FlashdeckError
from flashdeck.model import DaemonState
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.jobs.bootloader_book import MAX_READS_LOST, BootloaderBook, doubts, may_read, released
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Bootloader, Journal

LEFT = Bootloader("left", "A", 0x200)
BANKS = st.frozensets(st.integers(0, 3)).map(lambda banks: tuple(sorted(banks)))
HISTORIES = st.builds(
    BootloaderHistory,
    pace=st.sampled_from(Pace),
    reading_proved=st.booleans(),
    proved_banks=BANKS,
    released_banks=BANKS,
    condemned_banks=BANKS,
    reads_lost=st.integers(0, 5),
)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    yield journal
    await journal.close()


def a_hub() -> Hub:
    return Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))


@pytest.fixture
def book(journal: Journal) -> BootloaderBook:
    return BootloaderBook(a_hub(), journal, {}, lambda _: None)


async def test_what_is_learned_is_in_the_journal_for_this_very_bootloader(
    journal: Journal, book: BootloaderBook
) -> None:
    learned = BootloaderHistory(pace=Pace.CLAIMED, reading_proved=True)
    await book.learn(LEFT, UNKNOWN, learned)
    assert book.of(LEFT) == learned
    for stranger in (Bootloader("left", "B", 0x200), Bootloader("left", "A", 0x201), Bootloader("right", "A", 0x200)):
        assert book.of(stranger) == UNKNOWN
    assert (await journal.load()).histories == {LEFT: learned}


async def test_a_release_during_a_job_is_not_undone_by_what_the_job_learns(book: BootloaderBook) -> None:
    told = BootloaderHistory(reads_lost=1, condemned_banks=(0,))
    await book.put(LEFT, told)
    await book.release("left", [(LEFT, 1)])
    await book.learn(LEFT, told, replace(told, reading_proved=True))
    assert book.of(LEFT) == BootloaderHistory(reading_proved=True, released_banks=(1,))


async def test_nothing_known_is_forgotten(journal: Journal, book: BootloaderBook) -> None:
    await book.put(LEFT, BootloaderHistory(reads_lost=2))
    assert await book.release("left", []) == ["reading is tried again"]
    assert (await journal.load()).histories == {}
    assert book.of(LEFT) == UNKNOWN


async def test_a_release_frees_the_bank_of_the_board_that_was_held_and_of_no_other(book: BootloaderBook) -> None:
    other, elsewhere = Bootloader("left", "B", 0x200), Bootloader("right", "A", 0x200)
    for key in (LEFT, other, elsewhere):
        await book.put(key, BootloaderHistory(reading_proved=True, condemned_banks=(0,)))
    notes = await book.release("left", [(LEFT, 1)])
    assert book.of(LEFT) == BootloaderHistory(reading_proved=True, released_banks=(1,))
    assert book.of(other) == BootloaderHistory(reading_proved=True)
    assert book.of(elsewhere) == BootloaderHistory(reading_proved=True, condemned_banks=(0,))
    assert notes == [
        "bank 2 is flashed from now on without proof that the bootloader erases the right one",
        "whether the bootloader erases the right one is tried anew in bank 1",
    ]


async def test_a_plain_release_changes_nothing_that_is_known(book: BootloaderBook) -> None:
    known = BootloaderHistory(pace=Pace.STALLING, reading_proved=True, proved_banks=(0,), released_banks=(1,))
    await book.put(LEFT, known)
    assert await book.release("left", []) == []
    assert book.of(LEFT) == known


async def test_a_full_disk_is_told_and_what_was_learned_stays_known(journal: Journal) -> None:
    hub = a_hub()
    told: list[str] = []
    book = BootloaderBook(hub, journal, {}, told.append)
    await journal.close()
    await book.put(LEFT, BootloaderHistory(condemned_banks=(1,)))
    assert book.of(LEFT).condemned_banks == (1,)
    assert told == ["left"]
    assert "could not be recorded" in hub.logs(limit=1)[0].text


async def test_the_place_of_a_canary_that_can_not_be_recorded_is_refused(journal: Journal) -> None:
    known = BootloaderHistory(reading_proved=True, canaries=(0x8000,))
    book = BootloaderBook(a_hub(), journal, {LEFT: known}, lambda _: None)
    await journal.close()
    with pytest.raises(FlashdeckError):
        await book.learn(LEFT, known, replace(known, canaries=(0x8000, 0xA000)))
    assert book.of(LEFT) == known, "nothing lies there, and the next look need not ask for it"
    await book.learn(LEFT, known, replace(known, canaries=(), proved_banks=(0,)))
    assert book.of(LEFT) == BootloaderHistory(reading_proved=True, proved_banks=(0,))


@given(HISTORIES, BANKS)
def test_a_condemned_bank_is_never_released_before_it_is_tried_anew(
    history: BootloaderHistory, banks: tuple[int, ...]
) -> None:
    after = released(history, banks)
    assert not set(after.released_banks) & set(history.condemned_banks)
    assert set(after.released_banks) >= set(banks) - set(history.condemned_banks)
    assert (after.condemned_banks, after.reads_lost) == ((), 0)
    assert list(doubts(after)) == []
    assert may_read(after)
    assert (after.reading_proved, after.proved_banks) == (history.reading_proved, history.proved_banks)
    assert after.pace is (Pace.UNPROVEN if history.pace is Pace.CLAIMED else history.pace)


async def test_a_release_tries_anew_whether_a_board_may_be_asked_early(book: BootloaderBook) -> None:
    await book.put(LEFT, BootloaderHistory(pace=Pace.CLAIMED))
    (note,) = await book.release("left", ())
    assert "asked early" in note
    assert book.of(LEFT) == UNKNOWN
    assert await book.release("left", ()) == []


def test_only_a_board_that_was_never_seen_to_read_right_is_given_up() -> None:
    lost = BootloaderHistory(reads_lost=MAX_READS_LOST)
    assert not may_read(lost)
    assert may_read(replace(lost, reading_proved=True))
    assert may_read(replace(lost, reads_lost=MAX_READS_LOST - 1))
