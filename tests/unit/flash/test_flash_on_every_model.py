"""The engine on every emulated DfuSe bootloader: a correct flash or a clear error, and never a byte elsewhere."""

import pytest

from flash_rig import APP1, FLASH_SIZE, Rig, image
from flashdeck.errors import FlashdeckError
from flashdeck.geometry import Range
from flashdeck.model import Verified
from flashdeckd.virtual.spec import Model

DOES_NOTHING = (Model.CLASSIC_TEMPLATE, Model.CLASSIC_OLD_TEMPLATE)
"""Models that say yes to everything and write nothing."""


@pytest.mark.parametrize("model", [*Model])
@pytest.mark.parametrize("size", [1000, 20_000])
def test_ends_with_a_correct_flash_or_a_clear_error(model: Model, size: int) -> None:
    rig, data = Rig(model), image(size)
    result = rig.attempt(data)
    correct = rig.memory(Range.sized(APP1.start, size)) == data
    assert not rig.outside_changed(APP1)
    if isinstance(result, FlashdeckError):
        assert str(result)
        assert result.hint
        return
    assert correct or model in DOES_NOTHING
    assert correct or result.verified is Verified.NO


LIARS = (Model.CLASSIC_STALE, Model.CLASSIC_ECHO, Model.CLASSIC_CONSTANT, *DOES_NOTHING)


@pytest.mark.parametrize("model", LIARS)
@pytest.mark.parametrize("blank", [0x00, 0xFF])
def test_a_read_that_lies_never_proves_a_flash(model: Model, blank: int) -> None:
    rig = Rig(model, old=bytes([blank]) * FLASH_SIZE, read_constant=blank)
    for seed in (1, 2):
        data = image(20_000, seed)
        result = rig.attempt(data)
        correct = rig.memory(Range.sized(APP1.start, len(data))) == data
        assert not rig.outside_changed(APP1)
        assert isinstance(result, FlashdeckError) or result.verified is Verified.NO
        assert correct or model in DOES_NOTHING
        rig.back_in_dfu()
