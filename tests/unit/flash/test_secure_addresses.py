"""A bootloader of a chip with TrustZone that takes secure addresses: the same flash, 0x04000000 higher."""

from dataclasses import replace

from flash_rig import APP1, BOOTLOADER, OLD, TARGET, Rig, image
from flashdeck.chips import find_chip
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeck.trustzone import FLASH_OFFSET, secure_view
from flashdeckd.flash.result import FlashResult
from flashdeckd.virtual.nor import FlashLayout, Overwrite
from flashdeckd.virtual.spec import Content

GEOMETRY = secure_view(find_chip("STM32H563RG").geometry)


def secure(span: Range) -> Range:
    return Range(span.start + FLASH_OFFSET, span.end + FLASH_OFFSET)


def test_a_partition_is_flashed_at_its_secure_address() -> None:
    layout = FlashLayout.of(GEOMETRY, Overwrite.REFUSED)
    app = secure(APP1)
    rig = Rig(layout=layout, app_address=app.start, contents=(Content(layout.base, OLD),))
    data = image(20_000, start=app.start)
    result = rig.attempt(data, replace(TARGET, span=app, geometry=GEOMETRY, protected=(secure(BOOTLOADER),)))
    assert isinstance(result, FlashResult)
    assert result.verified is Verified.YES
    now = rig.memory(Range.sized(layout.base, len(OLD)))
    start, end = app.start - layout.base, app.end - layout.base
    assert now[start : start + len(data)] == data
    assert (now[:start], now[end:]) == (OLD[:start], OLD[end:])
