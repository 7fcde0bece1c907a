"""Records of units and lots: kept, counted, bounded, and tried again where the disk fails."""

from collections.abc import AsyncGenerator
from pathlib import Path
from unittest.mock import Mock

import pytest
import pytest_asyncio

from asked_times import asked_times
from canned_daemon import job
from flashdeck import api
from flashdeck.config import MAX_GROUP, UsbId
from flashdeck.config_file import load
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError, RequestError
from flashdeck.job_state import Done, Failed, Failure
from flashdeck.slot_state import LotState, UnitImage, UnitRecord, UnitResult
from flashdeck.verdict import Judgement, Verdict
from flashdeck_tui.cli.commands.units import SHOWN_UNITS
from flashdeckd.slotting import unit_identity
from flashdeckd.slotting.lot_book import LotBook
from flashdeckd.slotting.slot_requests import MAX_COUNT, SlotRequests
from flashdeckd.slotting.unit_keeper import AGAIN_SECONDS, Units
from flashdeckd.slotting.unit_outcome import outcome_of
from flashdeckd.state.hub import Hub, this_daemon
from flashdeckd.state.journal import KEPT_LOTS, KEPT_UNITS, PAGE_UNITS, Journal, Ledger
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.enumeration import MAX_MARK, mark_of
from flashdeckd.virtual.virtual_bench import HAND_SECONDS

LOT = LotState(
    name="night", partition="app1", sha256="ab" * 32, image="A", size=5, slots=("s1",), count=2, begun_at=1.0
)
IMAGES = (UnitImage(partition="app1", sha256="ab" * 32, job=1),)


def unit(number: int, slot: str = "s1", **keys: object) -> UnitRecord:
    return UnitRecord(**{"id": number, "slot": slot, "began_at": 1.0, "left_at": 2.0, "serial": "S", **keys})  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[Journal]:
    opened = await Journal.open(tmp_path / "journal.sqlite3")
    yield opened
    await opened.close()


async def test_units_come_back_newest_first_a_page_at_a_time(journal: Journal) -> None:
    for number in range(1, 6):
        await journal.save_unit(unit(number, lot="night" if number % 2 else ""), "")
    page = await journal.units_below(0, limit=2)
    assert ([each.id for each in page.units], page.next, page.kept) == ([5, 4], 4, 0)
    assert [each.id for each in (await journal.units_below(page.next, lot="night")).units] == [3, 1]
    assert (await journal.units_below(0, ("other",))).units == ()


async def test_so_many_units_are_kept_and_one_that_is_there_stays(journal: Journal) -> None:
    await journal.save_unit(unit(1, left_at=None), "")
    await journal.save_unit(unit(2), "")
    await journal.save_unit(unit(KEPT_UNITS + 2), "")
    page = await journal.units_below(0)
    assert ([each.id for each in page.units], page.kept) == ([KEPT_UNITS + 2, 1], 0)
    await journal.save_unit(unit(3), "")
    await journal.save_unit(unit(KEPT_UNITS + 3), "")
    ledger = await journal.load()
    assert [each.record.id for each in ledger.units] == [1]
    assert ledger.next_unit == KEPT_UNITS + 4
    assert 3 not in [each.id for each in (await journal.units_below(0)).units]


async def test_a_page_has_no_more_than_its_bound(journal: Journal) -> None:
    for number in range(1, PAGE_UNITS + 2):
        await journal.save_unit(unit(number), "")
    page = await journal.units_below(0, limit=PAGE_UNITS + 1)
    assert (len(page.units), page.next) == (PAGE_UNITS, 2)
    assert SHOWN_UNITS <= PAGE_UNITS


async def test_lots_that_ended_go_once_there_are_too_many_and_others_stay(journal: Journal) -> None:
    await journal.save_lot(LOT)
    for number in range(KEPT_LOTS + 1):
        await journal.save_lot(LotState(**{**_fields(LOT), "name": f"l{number}", "ended_at": 2.0}))  # type: ignore[arg-type]
    names = [lot.name for lot in (await journal.load()).lots]
    assert "night" in names
    assert "l0" not in names
    assert len(names) == KEPT_LOTS + 1


def _fields(lot: LotState) -> dict[str, object]:
    derived = {"done", "good_share", "is_complete"}
    return {name: getattr(lot, name) for name in lot.__struct_fields__ if name not in derived}


async def test_what_is_known_of_a_unit_goes_with_its_record_or_not_at_all(journal: Journal) -> None:
    await journal.save_unit(unit(1, left_at=None), "mark")
    await journal.end_unit(unit(1), "s1", LOT)
    ledger = await journal.load()
    assert (ledger.units, ledger.lots, ledger.unit_serials) == ((), (LOT,), {"S": 1})


async def test_two_units_that_were_taken_for_one_come_back_as_two(journal: Journal) -> None:
    await journal.save_unit(unit(1, left_at=None), "mark")
    await journal.part_units(unit(1, result=UnitResult.PASSED), unit(2, left_at=None), "mark", LOT)
    ledger = await journal.load()
    assert [each.record.id for each in ledger.units] == [2]
    assert (ledger.lots, ledger.unit_serials, ledger.next_unit) == ((LOT,), {"S": 2}, 3)
    assert [each.result for each in (await journal.units_below(0)).units] == [UnitResult.NONE, UnitResult.PASSED]


async def test_a_lot_counts_results_that_change(journal: Journal) -> None:
    book = LotBook(Hub(this_daemon(virtual=True)), journal, (LOT,))
    was = unit(1, lot="night")
    for result, counted in ((UnitResult.PASSED, (1, 0)), (UnitResult.FAILED, (0, 1)), (UnitResult.NONE, (0, 0))):
        now = unit(1, lot="night", result=result)
        book.put(book.counting(was, now))
        (lot,) = book.going
        assert (lot.passed, lot.failed) == counted
        was = now


async def test_a_lot_of_too_many_units_or_without_a_name_is_refused(journal: Journal) -> None:
    requests = SlotRequests(Mock(), journal, LotBook(Hub(this_daemon(virtual=True)), journal, ()))
    for count in (0, MAX_COUNT + 1):
        with pytest.raises(RequestError, match="units cannot be"):
            await requests.begin(api.BeginLot(name="a", sha256="", partition="app1", count=count))
    with pytest.raises(RequestError, match="cannot be the name"):
        await requests.begin(api.BeginLot(name="a b/c", sha256="", partition="app1", count=MAX_COUNT))


async def test_where_the_disk_fails_it_is_tried_again_after_a_pause(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_times(monkeypatch)
    hub, tries = Hub(this_daemon(virtual=True)), iter((True, True, False))
    units = Units(
        Mock(),
        hub,
        journal=journal,
        ledger=Ledger((), {}, {}, {}, {}, {}, 1),
        lots=LotBook(hub, journal, ()),
        enumeration_of=Mock(),
    )

    async def record() -> None:
        if next(tries):
            raise FlashdeckError("the disk is full")

    await units._until_recorded("s1", record)  # pyright: ignore[reportPrivateUsage] - nobody else fails so
    assert asked.naps == [AGAIN_SECONDS, AGAIN_SECONDS]


def test_a_hand_on_the_bench_takes_longer_than_what_counts_as_a_restart() -> None:
    assert HAND_SECONDS > unit_identity.HAND_SECONDS


@pytest.mark.parametrize(("length", "is_taken"), [(MAX_GROUP, True), (MAX_GROUP + 1, False)])
def test_the_name_of_a_group_has_a_bound(tmp_path: Path, length: int, *, is_taken: bool) -> None:
    file = tmp_path / "flashdeck.toml"
    profile = '[profiles.p]\ndfu = "0483:df11"\nflash = "STM32H563RG"\n'
    file.write_text(f'{profile}[slots.s]\nprofile = "p"\nport = "1-1"\ngroup = "{"g" * length}"\n')
    if is_taken:
        assert load(file).slots["s"].slot is not None
    else:
        with pytest.raises(ConfigError, match="group"):
            load(file)


@pytest.mark.parametrize(
    ("status", "result", "kind"),
    [
        (Done(result=None), UnitResult.PASSED, None),
        (Done(not_started="on hold"), UnitResult.FAILED, ErrorKind.NOT_ACCEPTED),
        (Failed(failure=Failure(kind=ErrorKind.VERIFY, message="x")), UnitResult.FAILED, ErrorKind.VERIFY),
    ],
)
def test_the_result_of_a_unit_is_that_of_its_jobs(
    status: Done | Failed, result: UnitResult, kind: ErrorKind | None
) -> None:
    outcome = outcome_of(IMAGES, {1: job(1, status=status)}, {})
    assert outcome.result is result
    assert (outcome.failure.kind if outcome.failure is not None else None) is kind


def test_a_unit_that_crashed_has_failed_though_its_job_is_done() -> None:
    crashed = Judgement(verdict=Verdict.CRASHED, reason="HardFault")
    outcome = outcome_of(IMAGES, {1: job(1, status=Done(verdict=crashed))}, {})
    assert (outcome.result, outcome.verdict) == (UnitResult.FAILED, crashed)
    assert outcome_of((), {}, {}).result is UnitResult.NONE


def test_the_mark_of_an_enumeration_is_of_one_boot_one_directory_and_one_number(tmp_path: Path) -> None:
    device = UsbDevice("1-4", "p", 1, 7, UsbId(1, 2), 0, "S")
    (tmp_path / "boot").write_text("abc\n")
    (tmp_path / "1-4").mkdir()
    (tmp_path / "1-4" / "devnum").write_text("7\n")
    mark = mark_of(device, tmp_path, tmp_path / "boot")
    assert mark == f"abc/{(tmp_path / '1-4').stat().st_ino}"
    (tmp_path / "boot").write_text("x" * (MAX_MARK + 1))
    assert mark_of(device, tmp_path, tmp_path / "boot").startswith(f"{'x' * MAX_MARK}/")
    (tmp_path / "1-4" / "devnum").write_text("8\n")
    assert mark_of(device, tmp_path, tmp_path / "boot") == ""
    assert mark_of(device, tmp_path, tmp_path / "none") == ""
