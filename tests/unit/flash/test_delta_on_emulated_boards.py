"""Only what differs is written, on what proves that it can be read; and what a canary finds out."""

from dataclasses import replace

import pytest

from flash_rig import (
    APP1,
    BASE,
    BOOTLOADER,
    FLASH_SIZE,
    PARTITION2,
    ROOM,
    ROOM_TWIN,
    SECTOR,
    TARGET,
    Rig,
    Watcher,
    blank,
    image,
    small,
)
from flashdeck.config import BankPolicy, PollPolicy
from flashdeck.errors import (
    BlockedError,
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    RefusedError,
    VerifyError,
    WrongBankError,
)
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.dfu.pace import Pace
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import StepKind
from flashdeckd.images.image import Image
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import STORES_NOTHING, Model

STAY = replace(TARGET, leave=False)
SECOND = replace(TARGET, partition="partition2", span=PARTITION2, leave=False)
BLANK_SECOND = blank(Range(PARTITION2.start + APP1.size - SECTOR, PARTITION2.end), Range(APP1.end - SECTOR, APP1.end))
ALL_BLANK = blank(Range(APP1.start, BASE + FLASH_SIZE))


def changed(data: bytes, *sectors: int) -> bytes:
    """The image with one byte of each of these sectors turned round."""
    new = bytearray(data)
    for sector in sectors:
        new[sector * SECTOR + 77] ^= 0xFF
    return bytes(new)


def proved(model: Model = Model.CLASSIC, *, old: bytes = ALL_BLANK, **changes: object) -> Rig:
    """A board whose reading and bank are proved, with a full image on it."""
    rig = Rig(model, old=old, **changes)
    rig.flash(image(100), STAY)
    rig.flash(image(APP1.size), STAY)
    assert rig.history.reading_proved
    return rig


@pytest.mark.parametrize("transfer_size", [1024, 2048])
def test_the_same_image_again_is_neither_erased_nor_written(transfer_size: int) -> None:
    rig, watcher = proved(transfer_size=transfer_size), Watcher()
    before = rig.board.state()
    outcome = rig.flash(image(APP1.size), STAY, watcher)
    state = rig.board.state()
    assert (state.erases, state.words) == (before.erases, before.words)
    assert (outcome.erases, outcome.blocks, outcome.bytes_written, outcome.unchanged) == (0, 0, 0, APP1.size)
    assert outcome.verified is Verified.YES
    assert outcome.uploads == APP1.size // transfer_size
    assert watcher.events == ["planned"], "nothing began, so nothing can be torn"
    assert watcher.plan is not None
    assert watcher.plan.requests == outcome.transfers


def test_the_same_image_again_starts_the_application() -> None:
    rig = proved()
    assert rig.flash(image(APP1.size)).left
    assert not rig.present


@pytest.mark.parametrize("sector", [0, 1, 20, 47])
def test_one_changed_sector_is_two_erases_and_their_blocks(sector: int) -> None:
    rig, data, watcher = proved(transfer_size=2048), changed(image(APP1.size), sector), Watcher()
    before = rig.board.state()
    outcome = rig.flash(data, watcher=watcher)
    state = rig.board.state()
    erases = 1 if sector == 0 else 2
    assert outcome.erases == state.erases - before.erases == erases
    assert outcome.unchanged == APP1.size - erases * SECTOR
    assert state.requests - before.requests <= 280
    assert outcome.uploads == APP1.size // 2048 - 3 + 4 * erases + 1, "the first block shows that its sector differs"
    assert rig.memory(APP1) == data
    assert outcome.verified is Verified.YES
    assert watcher.plan is not None
    assert watcher.plan.requests == outcome.transfers
    assert not rig.outside_changed(APP1)


@pytest.mark.parametrize(
    "model", [m for m in Model if m.startswith(("classic", "usbx", "strict", "rom", "h7", "gd32"))]
)
def test_three_flashes_in_a_row_leave_the_newest_on_every_model(model: Model) -> None:
    rig, target = Rig(model, old=ALL_BLANK), replace(small(6), leave=False)
    data = image(5 * SECTOR)
    for each in (data, changed(data, 3), changed(data, 3), data):
        ended = rig.attempt(each, target)
        writes = model not in STORES_NOTHING
        if writes and not isinstance(ended, Exception):
            assert rig.memory(Range.sized(APP1.start, len(each))) == each
        if not isinstance(ended, Exception) and ended.verified is Verified.YES:
            assert rig.memory(Range.sized(APP1.start, len(each))) == each
        assert not rig.outside_changed(target.span)


def test_an_interrupted_flash_goes_on_with_what_is_missing() -> None:
    rig, data = proved(), changed(image(APP1.size), *range(0, 48, 2))
    rig.bench.fault("board", Fault.UNPLUG, 700)
    assert isinstance(rig.attempt(data, STAY), DeviceGoneError)
    rig.back_in_dfu()
    outcome = rig.flash(data, STAY)
    assert rig.memory(APP1) == data
    assert outcome.erases < 24
    assert outcome.verified is Verified.YES


def test_a_read_that_has_become_stale_is_told_from_a_bad_flash() -> None:
    rig, data = Rig(Model.CLASSIC_STALE, old=ALL_BLANK), image(3 * SECTOR)
    rig.history = BootloaderHistory(reading_proved=True, proved_banks=(0,))
    with pytest.raises(VerifyError, match="stale read") as caught:
        rig.flash(data, STAY)
    assert "cache" in caught.value.hint
    assert not rig.history.reading_proved, "the next job finds out anew"
    assert rig.memory(Range.sized(APP1.start, 16)) == b"\xff" * 16
    outcome = rig.flash(data, STAY)
    assert outcome.verified is Verified.NO
    assert any("stale read" in note for note in outcome.notes)
    assert rig.memory(Range.sized(APP1.start, len(data))) == data


def test_a_cache_that_is_trusted_saves_an_unreadable_board_the_rest_and_verifies_nothing() -> None:
    rig, data = Rig(Model.CLASSIC_NOREAD), image(10 * SECTOR)
    rig.flash(data, STAY)
    rig.cached = Image.raw(data)
    outcome = rig.flash(changed(data, 4), STAY)
    assert outcome.erases == 2
    assert outcome.verified is Verified.NO
    assert rig.memory(Range.sized(APP1.start, len(data))) == changed(data, 4)


# The canary.


def test_the_canary_proves_reading_and_bank_and_leaves_no_trace() -> None:
    rig, watcher = Rig(old=blank(ROOM, ROOM_TWIN)), Watcher()
    outcome = rig.flash(image(5000), STAY, watcher)
    assert rig.history == BootloaderHistory(pace=Pace.SYNCHRONOUS, reading_proved=True, proved_banks=(0,))
    assert rig.memory(ROOM) == rig.memory(ROOM_TWIN) == b"\xff" * SECTOR
    assert watcher.plan is not None
    assert [step.span.start for step in watcher.plan.steps if step.action is StepKind.WRITE_CANARY] == [ROOM.start]
    assert rig.board.state().erases == outcome.erases == watcher.plan.erases == 2
    assert outcome.verified is Verified.YES
    assert not rig.outside_changed(APP1)
    assert watcher.plan.requests == outcome.transfers


def test_the_second_bank_goes_on_by_itself_where_the_canary_sings() -> None:
    rig = Rig(Model.USBX, old=ALL_BLANK)
    data = image(50_000, start=PARTITION2.start)
    outcome = rig.flash(data, SECOND)
    assert rig.history.proved_banks == (1,)
    assert outcome.verified is Verified.YES
    assert rig.memory(Range.sized(PARTITION2.start, len(data))) == data
    assert not rig.outside_changed(PARTITION2)


def test_reads_that_an_erase_leaves_stale_are_found_out_before_anything_is_touched() -> None:
    rig, watcher, data = Rig(Model.CLASSIC_STALE_ERASE, old=blank(ROOM, ROOM_TWIN)), Watcher(), image(50_000)
    with pytest.raises(WrongBankError, match="or its reads are stale; nothing else was touched") as caught:
        rig.flash(data, TARGET, watcher)
    assert "invalidate the caches after an erase" in caught.value.hint
    assert not caught.value.harmed
    assert "began" not in watcher.events
    assert rig.memory() == rig.old, "not even the canary is left"
    assert rig.present, "not reset"
    assert rig.history.condemned_banks == (0,)
    with pytest.raises(RefusedError, match="answer reads with what was there before"):
        rig.flash(data)


def test_a_bootloader_that_erases_the_wrong_bank_is_found_out_before_it_hurts_anything() -> None:
    rig, watcher = Rig(Model.USBX, old=ALL_BLANK, bank_bug=True), Watcher()
    with pytest.raises(DeviceError, match="wrong bank") as caught:
        rig.flash(image(50_000, start=PARTITION2.start), SECOND, watcher)
    assert caught.value.kind is ErrorKind.WRONG_BANK
    assert "began" not in watcher.events
    assert rig.memory(BOOTLOADER) == rig.old[: BOOTLOADER.size]
    assert not rig.outside_changed(PARTITION2)
    assert rig.present, "not reset"
    with pytest.raises(RefusedError) as refused:
        rig.flash(image(50_000, start=PARTITION2.start), SECOND)
    assert refused.value.kind is ErrorKind.WRONG_BANK
    assert rig.flash(image(5000), STAY).verified is Verified.YES, "its own bank is right"


@pytest.mark.parametrize(
    ("model", "old"),
    [
        (Model.CLASSIC, None),  # nothing blank
        (Model.CLASSIC_NOREAD, ALL_BLANK),
        (Model.CLASSIC_CONSTANT, ALL_BLANK),
        (Model.CLASSIC_STALE, ALL_BLANK),
        (Model.CLASSIC_ECHO, ALL_BLANK),
    ],
)
def test_without_a_proof_the_other_bank_waits_for_a_person_and_its_own_goes_on(model: Model, old: bytes | None) -> None:
    rig, watcher = Rig(model, **({} if old is None else {"old": old})), Watcher()
    data = image(5000, start=PARTITION2.start)
    with pytest.raises(BlockedError) as caught:
        rig.flash(data, SECOND, watcher)
    assert caught.value.bank == 1
    assert "began" not in watcher.events
    assert rig.board.state().erases == 0, "an erase is what may hit the wrong bank"
    assert not rig.outside_changed(PARTITION2)
    assert rig.flash(image(5000), STAY).erases >= 1
    rig.history = BootloaderHistory(released_banks=(1,))
    rig.flash(data, SECOND)
    assert rig.memory(Range.sized(PARTITION2.start, len(data))) == data


def test_a_survey_finds_the_canary_s_place_and_writes_nothing() -> None:
    rig = Rig(old=blank(ROOM, ROOM_TWIN))
    with rig.open() as pipe:
        plan = engine.survey(pipe, Image.raw(image(5000)), TARGET)
    assert [step.span for step in plan.steps if step.action is StepKind.ERASE_CANARY] == [ROOM]
    assert rig.memory() == rig.old
    assert rig.board.state().words == 0


def test_trusted_banks_need_no_canary() -> None:
    rig, watcher = Rig(old=ALL_BLANK), Watcher()
    rig.flash(image(5000), replace(STAY, banks=BankPolicy.TRUSTED), watcher)
    assert rig.history.proved_banks == ()
    assert rig.history.reading_proved


# What a device objects to.


@pytest.mark.parametrize("model", [Model.STRICT, Model.STRICT_ERASE, Model.STRICT_WRITE])
def test_a_strict_board_objects_once_and_never_again(model: Model) -> None:
    rig, data = Rig(model, old=ALL_BLANK), image(3 * SECTOR)
    for each in (data, changed(data, 1), changed(data, 2), data):
        rig.flash(each, STAY)
        assert rig.memory(Range.sized(APP1.start, len(each))) == each
        assert len(rig.board.state().violations) <= 1
    assert rig.history.pace is Pace.CLAIMED


def test_a_strict_board_has_nothing_to_object_to_where_the_specification_is_kept() -> None:
    rig = Rig(Model.STRICT, old=ALL_BLANK)
    rig.flash(image(3 * SECTOR), replace(STAY, poll=PollPolicy.SPEC))
    assert rig.board.state().violations == ()
    assert rig.history.pace is Pace.UNPROVEN, "nothing was found out"


def test_an_objection_is_remembered_where_nothing_comes_of_the_plan() -> None:
    rig = Rig(Model.STRICT)
    rig.history = BootloaderHistory(pace=Pace.SYNCHRONOUS, reading_proved=True)
    for _ in range(3):
        assert isinstance(rig.attempt(image(3 * SECTOR, start=PARTITION2.start), SECOND), BlockedError)
        assert len(rig.board.state().violations) == 1
    assert rig.history == BootloaderHistory(pace=Pace.CLAIMED, reading_proved=True)
    assert rig.memory() == rig.old


@pytest.mark.parametrize(("fault", "at"), [(Fault.ERROR_ERASE, 1), (Fault.ERROR_WRITE, 420)])
def test_a_failure_of_the_flash_costs_its_sector_once_more(fault: Fault, at: int) -> None:
    rig, data = proved(), changed(image(APP1.size), 0, 5, 9)
    rig.bench.fault("board", fault, at)
    outcome = rig.flash(data, STAY)
    assert rig.memory(APP1) == data
    assert rig.history.pace is Pace.CLAIMED, "it may have been asked too early"
    assert outcome.verified is Verified.YES
    assert not rig.outside_changed(APP1)


def test_a_block_that_is_refused_is_written_again_from_its_sector_s_erase_and_said() -> None:
    said: list[str] = []
    for at in range(418, 421):  # three requests in a row, one of them a DNLOAD
        rig, data = proved(), changed(image(APP1.size), 0, 5, 9)
        rig.bench.fault("board", Fault.STALL, at)
        outcome = rig.flash(data, STAY)
        assert rig.memory(APP1) == data
        assert outcome.verified is Verified.YES
        said += [note for note in outcome.notes if "done again" in note]
    assert said


@pytest.mark.parametrize("occupied", [0, 3, 7])
@pytest.mark.parametrize("span", [APP1, PARTITION2])
@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT])
def test_proof_and_canary_cost_at_most_forty_requests_once(model: Model, span: Range, occupied: int) -> None:
    """Wherever the canary finds room: beside `occupied` sectors that are blank and have a twin that is not."""
    away = FLASH_SIZE // 2 if span == APP1 else -FLASH_SIZE // 2
    room = Range.sized(span.end - SECTOR * (occupied + 1), SECTOR)
    old = blank(Range(room.start, span.end), Range.sized(room.start + away, SECTOR))
    changes = {"bank_bug": False} if model is Model.USBX else {}
    rig = Rig(model, old=old, **changes)
    target = replace(TARGET, partition="it", span=span, leave=False)
    costs: list[int] = []
    for seed in (1, 2):
        before = rig.board.state()
        outcome = rig.flash(image(40_000, seed=seed, start=span.start), target)
        costs.append(rig.board.state().requests - before.requests - outcome.uploads)
    assert len(rig.history.proved_banks) == 1
    assert costs[0] - costs[1] <= 40


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT])
def test_a_board_that_is_fresh_from_the_programmer_is_proved_by_its_first_job(model: Model) -> None:
    """Blank but for its bootloader, which shows what block numbers reach."""
    rig = Rig(model, old=blank(Range(BOOTLOADER.end, BASE + FLASH_SIZE)))
    target = replace(TARGET, leave=False)
    costs: list[int] = []
    for seed in (1, 2):
        before = rig.board.state()
        outcome = rig.flash(image(40_000, seed=seed), target)
        costs.append(rig.board.state().requests - before.requests - outcome.uploads)
        assert outcome.verified is Verified.YES
        assert rig.history.reading_proved
    assert rig.history.proved_banks == (0,)
    assert costs[0] - costs[1] <= 40
