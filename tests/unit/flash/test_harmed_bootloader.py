"""A bootloader that erases itself along with what it is asked to erase."""

from dataclasses import replace

import pytest

from flash_rig import APP1, BASE, BOOTLOADER, FLASH_SIZE, OLD, PARTITION2, SECTOR, TARGET, Rig, Watcher, image
from flashdeck.errors import WrongBankError
from flashdeck.geometry import Range
from flashdeckd.virtual.nor import NorFlash
from flashdeckd.virtual.spec import Model

ROOMY = OLD[: APP1.start - BASE] + b"\xff" * (FLASH_SIZE - (APP1.start - BASE))
"""Everything behind the bootloader is blank."""


def test_it_is_found_out_at_the_canary_and_the_board_stays_in_dfu_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    def erase(self: NorFlash, sector: int) -> bool:
        return honest(self, sector) and honest(self, 0)

    honest = NorFlash.erase_now
    monkeypatch.setattr(NorFlash, "erase_now", erase)
    rig, watcher = Rig(old=ROOMY), Watcher()
    with pytest.raises(WrongBankError, match="protected partition") as caught:
        rig.flash(image(20_000), replace(TARGET, leave=False), watcher)
    assert caught.value.harmed
    assert "do not reset" in caught.value.hint
    assert rig.present
    assert "began" not in watcher.events
    beyond = Range(BOOTLOADER.start + SECTOR, APP1.end)
    assert rig.memory(beyond) == rig.old[beyond.start - BASE : beyond.end - BASE]


def test_a_bootloader_that_only_takes_the_wrong_bank_is_not_harmed() -> None:
    rig = Rig(old=ROOMY, model=Model.USBX, bank_bug=True)
    target = replace(TARGET, span=PARTITION2, leave=False)
    with pytest.raises(WrongBankError, match="wrong bank") as caught:
        rig.flash(image(20_000, start=PARTITION2.start), target)
    assert not caught.value.harmed
