"""A bus reset by another program takes our claim away, and with it goes where the bootloader was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flash_rig import APP1, PARTITION2, TARGET, Rig, blank, image
from flashdeck.config import BankPolicy
from flashdeck.errors import DeviceGoneError
from flashdeck.geometry import Range
from flashdeckd.usb import claim, transport
from flashdeckd.usb.claim import Claim
from flashdeckd.virtual.board import Attachment
from flashdeckd.virtual.hotplug import usb_device
from flashdeckd.virtual.spec import Model

_USBFS = "../../../bus/usb/drivers/usbfs"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The link that the kernel keeps while usbfs has the board's interface."""
    link = tmp_path / "1-1:1.0" / "driver"
    link.parent.mkdir()
    link.symlink_to(_USBFS)

    def here(*words: Any) -> Claim:
        return Claim(*words, devices=tmp_path)

    monkeypatch.setattr(transport, "Claim", here)
    return link


def taken(link: Path) -> None:
    link.unlink()


def another(link: Path) -> None:
    link.unlink()
    link.symlink_to("../../../bus/usb/drivers/cdc_acm")


@pytest.mark.parametrize("lose", [taken, another])
def test_nothing_is_sent_once_the_claim_is_lost(driver: Path, lose: Callable[[Path], None]) -> None:
    rig = Rig()
    with rig.open() as pipe:
        assert pipe.receive(5, 0, 1, timeout=1) == b"\x02"
        lose(driver)
        with pytest.raises(DeviceGoneError, match="reset by another program"):
            pipe.receive(5, 0, 1, timeout=1)
        with pytest.raises(DeviceGoneError):
            pipe.send(1, 2, b"data", timeout=1)
    assert rig.board.state().requests == 1


def test_where_the_kernel_shows_no_claim_none_is_missed(tmp_path: Path) -> None:
    assert not Claim(Rig().device, 1, 0, tmp_path).is_lost


def test_what_happens_to_a_real_device_is_nothing_to_an_emulated_one_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "1-1:1.0" / "driver"
    link.parent.mkdir()
    link.symlink_to(_USBFS)
    monkeypatch.setattr(claim, "DEVICES", tmp_path)
    connection = Rig().board.connection()
    assert connection is not None
    emulated = usb_device(connection)
    assert emulated.name == "1-1"
    claims = [Claim(device, 1, 0) for device in (emulated, replace(emulated, port="pci-0000:00:14.0-usb-0:1"))]
    link.unlink()
    assert [each.is_lost for each in claims] == [False, True]


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX])
def test_a_reset_between_two_transfers_of_a_flash_changes_nothing_elsewhere(driver: Path, model: Model) -> None:
    """ST's class points at app1 then, which is blank here; the blocks are those of partition2."""
    target = replace(TARGET, partition="partition2", span=PARTITION2, leave=False, banks=BankPolicy.TRUSTED)
    data, old = image(5000, start=PARTITION2.start), blank(APP1)
    total, noticed = Rig(model, old=old).flash(data, target).transfers, 0
    for after in range(1, total):
        rig = Rig(model, old=old)
        transfer, left = rig.board.transfer, [after]

        def one(connection: Attachment, *rest: Any, rig: Rig = rig, transfer: Any = transfer, left: Any = left) -> Any:
            answer = transfer(connection, *rest)
            left[0] -= 1
            if left[0] == 0:
                rig.board.reset(connection)
                taken(driver)
            return answer

        rig.board.transfer = one  # type: ignore[method-assign]
        result = rig.attempt(data, target)
        noticed += isinstance(result, DeviceGoneError)
        assert not rig.outside_changed(PARTITION2)
        rig.board.transfer = transfer  # type: ignore[method-assign]
        if not driver.is_symlink():
            driver.symlink_to(_USBFS)
        rig.flash(data, target)
        assert rig.memory(Range.sized(PARTITION2.start, len(data))) == data
        assert not rig.outside_changed(PARTITION2)
    assert noticed > total // 2, "a reset that comes before the claim, or not at all, goes unnoticed"
