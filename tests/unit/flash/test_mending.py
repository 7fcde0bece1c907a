"""What becomes of a flash that went wrong: mended where it can be, and never left so that half an image boots."""

from dataclasses import replace

import pytest

from flash_rig import APP1, ROOM, ROOM_TWIN, SECTOR, TARGET, Rig, Watcher, blank, image
from flashdeck.config import BankPolicy, PartitionKind, VerifyPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, FlashdeckError, ParkedError, VerifyError
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.dfuse_run import MAX_REDONE
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image, Piece
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.spec import Model

STAYS = replace(TARGET, leave=False)
OLD, NEW = image(5 * SECTOR, seed=1), image(5 * SECTOR, seed=2)
HEAD = Range.sized(APP1.start, SECTOR)
"""The sector of the boot unit."""
BOOT_UNIT = Range.sized(APP1.start, 16)


def proved(model: Model = Model.CLASSIC) -> Rig:
    """A board whose reading is proved, with a complete older image."""
    rig = Rig(model, old=blank(ROOM, ROOM_TWIN))
    rig.flash(OLD, STAYS)
    assert rig.history.reading_proved
    return rig


def spoil(rig: Rig, fault: Fault, address: int, times: int = 1) -> None:
    """Lets what is done at that place of the flash go wrong, so often."""
    rig.board.fault(fault, 1, times=times, address=address)


def there(rig: Rig, data: bytes = NEW) -> bool:
    return rig.memory(Range.sized(APP1.start, len(data))) == data


def head(rig: Rig) -> bytes:
    return rig.memory(BOOT_UNIT)


def redone(outcome: FlashResult) -> list[str]:
    return [note for note in outcome.notes if "done again" in note]


# What reads back wrong before the boot unit is written.


@pytest.mark.parametrize("fault", [Fault.CORRUPT, Fault.CORRUPT_WORD, Fault.SILENT_WRITE])
@pytest.mark.parametrize("at", [16, 100, SECTOR - 1, SECTOR, 3 * SECTOR + 5000, 5 * SECTOR - 4])
def test_a_block_that_went_wrong_in_silence_costs_its_sector_once_more(fault: Fault, at: int) -> None:
    rig = proved()
    spoil(rig, fault, APP1.start + at)
    before = rig.board.state()
    outcome = rig.flash(NEW, TARGET)
    assert there(rig)
    assert outcome.verified is Verified.YES
    assert outcome.left
    assert outcome.erases == rig.board.state().erases - before.erases == 6
    assert len(redone(outcome)) == 1
    assert f"0x{APP1.start + at // SECTOR * SECTOR:08x}" in redone(outcome)[0]
    assert rig.history.reading_proved
    assert not rig.outside_changed(APP1)


def test_an_erase_that_went_wrong_in_silence_is_done_again_too() -> None:
    rig = proved()
    spoil(rig, Fault.SILENT_ERASE, APP1.start + 2 * SECTOR)
    outcome = rig.flash(NEW, TARGET)
    assert there(rig)
    assert outcome.verified is Verified.YES


def test_several_sectors_are_mended_in_one_job_and_more_than_that_is_no_accident() -> None:
    wide = (MAX_REDONE + 2) * SECTOR
    for broken in (3, MAX_REDONE, MAX_REDONE + 1):
        rig, data = proved(), image(wide, seed=4)
        for sector in range(broken):
            spoil(rig, Fault.CORRUPT, APP1.start + sector * SECTOR + 1000)
        ended = rig.attempt(data, TARGET)
        if broken <= MAX_REDONE:
            assert isinstance(ended, FlashResult)
            assert len(redone(ended)) == broken
            assert there(rig, data)
        else:
            assert isinstance(ended, VerifyError)
            assert head(rig) == b"\xff" * 16


@pytest.mark.parametrize("at", [200, 2 * SECTOR + 200])
def test_a_sector_that_reads_back_wrong_twice_ends_the_job_without_boot_unit_and_leave(at: int) -> None:
    rig, watcher = proved(), Watcher()
    spoil(rig, Fault.CORRUPT, APP1.start + at, times=2)
    with pytest.raises(VerifyError, match="is not what was written") as caught:
        rig.flash(NEW, TARGET, watcher)
    assert "stale" not in caught.value.message
    assert "its boot unit was not written" in caught.value.message
    assert not caught.value.may_boot
    assert head(rig) == b"\xff" * 16
    assert rig.present, "no leave"
    assert "committed" not in watcher.events
    assert not rig.history.reading_proved, "the next job finds out anew"
    assert rig.flash(NEW, TARGET).verified is Verified.YES


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("later", [None, Fault.CORRUPT, Fault.ERROR_WRITE])
def test_an_old_boot_unit_whose_erase_was_only_claimed_is_not_left_to_boot(times: int, later: Fault | None) -> None:
    """Whatever ends the job: a mismatch there, one elsewhere, or a write that fails loudly."""
    rig = proved()
    spoil(rig, Fault.SILENT_ERASE, APP1.start, times=times)
    if later is not None:
        spoil(rig, later, APP1.start + 3 * SECTOR + 100, times=3)
    ended = rig.attempt(NEW, TARGET)
    assert isinstance(ended, DeviceError)
    assert rig.present
    told = isinstance(ended, VerifyError) and ended.may_boot
    assert told or head(rig) == b"\xff" * 16
    assert told is (head(rig) != b"\xff" * 16)


def test_a_first_sector_that_can_not_be_erased_at_all_leaves_the_board_as_it_was() -> None:
    rig = proved()
    before = rig.memory(APP1)
    spoil(rig, Fault.ERROR_ERASE, APP1.start, times=9)
    ended = rig.attempt(NEW, TARGET)
    assert isinstance(ended, DeviceError)
    assert not isinstance(ended, VerifyError)
    assert rig.memory(APP1) == before


def test_a_block_that_failed_loudly_and_then_in_silence_has_had_its_second_try() -> None:
    rig = proved()
    spoil(rig, Fault.ERROR_WRITE, APP1.start + 2 * SECTOR + 2000)
    spoil(rig, Fault.CORRUPT, APP1.start + 2 * SECTOR + 2000)
    assert isinstance(rig.attempt(NEW, TARGET), VerifyError)
    assert head(rig) == b"\xff" * 16


def test_a_block_across_two_sectors_is_mended_with_both() -> None:
    rig = Rig(transfer_size=3072, old=blank(ROOM, ROOM_TWIN))
    rig.flash(OLD, STAYS)
    spoil(rig, Fault.CORRUPT, APP1.start + 3 * SECTOR + 500)  # blocks of 3 KiB lie across all borders of 8 KiB
    outcome = rig.flash(NEW, TARGET)
    assert there(rig)
    assert outcome.verified is Verified.YES
    assert outcome.erases > 6


def test_a_job_may_stop_while_it_reads_back_what_it_has_mended() -> None:
    rig, stopped = proved(), [0]
    spoil(rig, Fault.CORRUPT, APP1.start + 3 * SECTOR + 100)
    erases = rig.board.state().erases

    def stop(_: int) -> None:
        if rig.board.state().erases - erases == 6:
            stopped[0] += 1
            raise ParkedError("the daemon is stopping")

    assert isinstance(rig.attempt(NEW, TARGET, Watcher(on_check=stop)), ParkedError)
    assert stopped == [1]
    assert head(rig) == b"\xff" * 16
    assert rig.flash(NEW, TARGET).verified is Verified.YES


# The boot unit.


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.ROM, Model.STRICT])
@pytest.mark.parametrize("fault", [Fault.CORRUPT, Fault.SILENT_WRITE])
def test_a_boot_unit_that_reads_back_wrong_once_is_done_again_from_its_erase(model: Model, fault: Fault) -> None:
    rig, watcher = proved(model), Watcher()
    spoil(rig, fault, APP1.start + 8)
    outcome = rig.flash(NEW, TARGET, watcher)
    assert there(rig)
    assert (outcome.verified, outcome.left) == (Verified.YES, True)
    assert outcome.erases == 6
    assert len(redone(outcome)) == 1
    assert watcher.events == ["planned", "began", "committed", "began", "committed"]
    assert not rig.outside_changed(APP1)


def test_that_it_is_done_again_is_recorded_before_anything_is_erased() -> None:
    rig = proved()
    heads: list[bytes] = []
    watcher = Watcher(on_began=lambda: heads.append(head(rig)), on_committed=lambda: heads.append(head(rig)))
    spoil(rig, Fault.CORRUPT, APP1.start + 8)
    rig.flash(NEW, TARGET, watcher)
    assert len(heads) == 4
    assert heads[1] == heads[2] != NEW[:16]
    assert heads[3] == NEW[:16]


@pytest.mark.parametrize("fault", [Fault.CORRUPT, Fault.SILENT_WRITE])
def test_a_boot_unit_that_reads_back_wrong_twice_is_erased_again(fault: Fault) -> None:
    rig, watcher = proved(), Watcher()
    spoil(rig, fault, APP1.start + 8, times=2)
    with pytest.raises(VerifyError, match="holds nothing that boots") as caught:
        rig.flash(NEW, TARGET, watcher)
    assert not caught.value.may_boot
    assert rig.memory(HEAD) == b"\xff" * SECTOR
    assert rig.present, "no leave"
    assert not rig.history.reading_proved
    assert rig.flash(NEW, TARGET).verified is Verified.YES
    assert there(rig)


@pytest.mark.parametrize("how", [Fault.ERROR_ERASE, Fault.SILENT_ERASE])
def test_a_wrong_boot_unit_that_can_not_be_erased_may_boot(how: Fault) -> None:
    rig = proved()
    spoil(rig, Fault.CORRUPT, APP1.start + 8, times=2)
    watcher = Watcher()

    def fail_the_last_erase() -> None:
        if watcher.events.count("committed") == 2:
            spoil(rig, how, APP1.start, times=3)  # the first one may have come of an early question

    watcher.on_committed = fail_the_last_erase
    with pytest.raises(VerifyError, match="may boot something incomplete") as caught:
        rig.flash(NEW, TARGET, watcher)
    assert caught.value.may_boot
    assert caught.value.kind is ErrorKind.VERIFY
    assert caught.value.hint
    assert rig.present, "no leave"


def test_an_erase_that_fails_when_the_boot_unit_is_done_again_is_tried_once_more_for_good() -> None:
    rig = proved()
    watcher = Watcher()

    def fail_the_next_erase() -> None:
        if watcher.events.count("committed") == 1:
            spoil(rig, Fault.ERROR_ERASE, APP1.start, times=2)  # as above

    watcher.on_committed = fail_the_next_erase
    spoil(rig, Fault.CORRUPT, APP1.start + 8)
    ended = rig.attempt(NEW, TARGET, watcher)
    assert isinstance(ended, DeviceError)
    assert not isinstance(ended, VerifyError)
    assert head(rig) == b"\xff" * 16
    assert rig.present


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.CLASSIC_NOREAD])
def test_a_boot_unit_whose_write_fails_loudly_twice_is_erased_whatever_is_there(model: Model) -> None:
    rig = proved() if model is Model.CLASSIC else Rig(model)
    spoil(rig, Fault.ERROR_WRITE, APP1.start + 8, times=2)
    ended = rig.attempt(NEW, TARGET)
    assert isinstance(ended, DeviceError)
    assert not isinstance(ended, VerifyError)
    assert rig.memory(HEAD) == b"\xff" * SECTOR
    assert rig.present


def test_a_boot_unit_half_written_by_a_write_that_fails_is_not_left_to_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device says no after it has programmed most of it."""
    rig, write = proved(), DfuseSession.write

    def refused_late(self: DfuseSession, address: int, data: bytes) -> None:
        write(self, address, data)
        if address == APP1.start:
            raise DeviceError("refused, too late")

    monkeypatch.setattr(DfuseSession, "write", refused_late)
    with pytest.raises(DeviceError, match="too late"):
        rig.flash(NEW, TARGET)
    assert rig.memory(HEAD) == b"\xff" * SECTOR


def test_a_boot_unit_is_done_again_although_its_sector_was_before() -> None:
    rig = proved()
    spoil(rig, Fault.ERROR_WRITE, APP1.start + 1024)
    spoil(rig, Fault.CORRUPT, APP1.start + 8)
    outcome = rig.flash(NEW, TARGET)
    assert there(rig)
    assert outcome.verified is Verified.YES
    assert len(redone(outcome)) == 2


def test_a_board_that_is_lost_while_its_boot_unit_is_done_again_goes_on() -> None:
    after = 0
    for after in range(1, 1000):
        rig, watcher = proved(), Watcher()
        spoil(rig, Fault.CORRUPT, APP1.start + 8)

        def pull(rig: Rig = rig, watcher: Watcher = watcher, after: int = after) -> None:
            if watcher.events.count("began") == 2:
                rig.bench.fault("board", Fault.UNPLUG, after)

        watcher.on_began = pull
        ended = rig.attempt(NEW, STAYS, watcher)
        if isinstance(ended, FlashResult):
            assert ended.interrupted, "at the read behind its second write, or later"
            assert there(rig)
            break
        assert isinstance(ended, DeviceGoneError)
        assert watcher.events[-1] == "began", "what it holds is not known"
        rig.back_in_dfu()
        assert rig.flash(NEW, STAYS).verified is Verified.YES
        assert there(rig)
    assert after > 40


def test_a_journal_that_fails_when_it_is_done_again_leaves_nothing_that_boots() -> None:
    rig, watcher = proved(), Watcher()

    def full() -> None:
        if watcher.events.count("began") == 2:
            raise FlashdeckError("the disk is full")

    watcher.on_began = full
    spoil(rig, Fault.CORRUPT, APP1.start + 8)
    with pytest.raises(FlashdeckError, match="disk is full"):
        rig.flash(NEW, TARGET, watcher)
    assert rig.memory(HEAD) == b"\xff" * SECTOR


# Where nothing can be withheld.


@pytest.mark.parametrize("verify", [VerifyPolicy.AUTO, VerifyPolicy.ALWAYS])
@pytest.mark.parametrize(
    ("holds", "what"),
    [(PartitionKind.DATA, Image.raw(NEW)), (PartitionKind.PROGRAM, Image((Piece(SECTOR + 8, NEW[: 2 * SECTOR]),)))],
    ids=["data", "patch"],
)
@pytest.mark.parametrize("times", [1, 2])
def test_data_and_patches_are_mended_too_and_fail_without_a_leave(
    holds: PartitionKind, what: Image, times: int, verify: VerifyPolicy
) -> None:
    rig = proved()
    target = replace(TARGET, holds=holds, verify=verify)
    spoil(rig, Fault.CORRUPT, APP1.start + 2 * SECTOR + 100, times=times)
    ended = rig.attempt(what, target)
    if times == 1:
        assert isinstance(ended, FlashResult)
        assert ended.verified is Verified.YES
        there_now = Image.raw(rig.memory(APP1))
        assert there_now.satisfies(what)
    else:
        assert isinstance(ended, VerifyError)
        assert "could not be withheld" in ended.message
        assert not ended.may_boot
        assert rig.present


# Reading that is only proved by this very job.


def test_a_first_job_mends_what_its_own_proof_shows() -> None:
    rig = Rig()
    spoil(rig, Fault.CORRUPT, APP1.start + 3 * SECTOR + 100)
    outcome = rig.flash(NEW, TARGET)
    assert there(rig)
    assert outcome.verified is Verified.YES
    assert redone(outcome)


def test_a_proof_that_fails_is_no_mismatch() -> None:
    rig = Rig()
    spoil(rig, Fault.CORRUPT, APP1.start + 100)
    outcome = rig.flash(NEW, TARGET)
    assert outcome.verified is Verified.NO
    assert head(rig) == NEW[:16]


# Reading is refused.

RDP = "RDP level 1"


@pytest.mark.parametrize("model", [Model.ROM_RDP1_SILENT, Model.CLASSIC_NOREAD])
def test_a_board_that_refuses_to_be_read_says_once_what_that_may_mean(model: Model) -> None:
    rig = Rig(model)
    outcome = rig.flash(NEW, TARGET)
    assert outcome.verified is Verified.NO
    assert sum(RDP in note for note in outcome.notes) == 1
    assert isinstance(Rig(model).attempt(NEW, replace(TARGET, verify=VerifyPolicy.ALWAYS)), VerifyError)


@pytest.mark.parametrize(
    "target",
    [replace(TARGET, verify=VerifyPolicy.NEVER, banks=BankPolicy.TRUSTED), replace(TARGET, may_read=False)],
    ids=["never", "may not read"],
)
def test_nobody_speaks_of_it_where_nothing_was_read(target: AddressTarget) -> None:
    outcome = Rig(Model.CLASSIC_NOREAD).flash(NEW, target)
    assert not any(RDP in note for note in outcome.notes)


def test_nobody_speaks_of_it_where_the_device_says_by_itself_that_it_can_not_be_read() -> None:
    outcome = Rig(attributes=0x09).flash(NEW, TARGET)
    assert not any(RDP in note for note in outcome.notes)
    assert not any(RDP in note for note in Rig().flash(NEW, TARGET).notes)
