"""Below pyusb anything may come: whatever descriptors, answers and errors a device sends, the engine ends as it should.

The device is a good one whose traffic is spoilt, so that the engine gets far enough to meet it everywhere.
"""

import errno
from array import array
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import usb.core
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import Watcher
from flashdeck.errors import DeviceError, FlashdeckError
from flashdeckd.dfu.facts import identify
from flashdeckd.flash import engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.usb.transport import open_device
from flashdeckd.virtual.backend import VirtualBackend
from flashdeckd.virtual.control import Dfu
from flashdeckd.virtual.spec import Model
from little_board import (
    BASE,
    NEW_IMAGE,
    OLD_IMAGE,
    PARTITION,
    PLAIN,
    TARGET,
    board,
    boots,
    changed_outside,
    flash_with,
    memory,
)
from soaking import sized

pytestmark = pytest.mark.soak

EXAMPLES = sized(40, 120, 4000)
FLASH = flash_with(OLD_IMAGE)
ERRORS = (errno.EPIPE, errno.ETIMEDOUT, errno.ENODEV, errno.EIO, errno.EOVERFLOW, errno.EBUSY, errno.EACCES, 0, None)
"""What libusb's errors become, and two numbers that mean nothing."""
MOST_TRANSFERS = 20_000
LONGEST_NAP = 60.0
LONGEST_SLEPT = 2 * 3600.0
"""Seconds of one flash, whatever a device claims."""


class SpoiltBackend(VirtualBackend):
    """The bench's backend, and what hypothesis makes of the answers that pass through it."""

    def __init__(self, data: st.DataObject, boards: "tuple[Any, ...]", *, rarity: int) -> None:
        super().__init__(boards)
        self._data = data
        self._rarity = rarity
        self._transfers = 0
        self._poll = data.draw(st.sampled_from((None, None, 0, 1, 250, 0xFFFFFF)))
        """Milliseconds that every GETSTATUS claims."""
        self._busy = data.draw(st.sampled_from((None, None, 3, 4, 7, 6)))
        """A state that it never leaves, from some request on."""
        self._busy_from = data.draw(st.integers(0, 80))

    def _strikes(self) -> bool:
        return self._data.draw(st.integers(0, self._rarity)) == 0

    def _any(self, most: int) -> bytes:
        return self._data.draw(st.binary(max_size=most))

    def get_device_descriptor(self, dev: object) -> SimpleNamespace:
        descriptor = super().get_device_descriptor(dev)
        if self._strikes():
            descriptor.bNumConfigurations = self._data.draw(st.integers(0, 3))
        return descriptor

    def get_configuration_descriptor(self, dev: object, config: int) -> SimpleNamespace:
        self._fail()
        descriptor = super().get_configuration_descriptor(dev, config)
        if self._strikes():
            descriptor.bNumInterfaces = self._data.draw(st.integers(0, 255))
            descriptor.bConfigurationValue = self._data.draw(st.integers(0, 255))
            descriptor.extra_descriptors = list(self._any(64))
        return descriptor

    def get_interface_descriptor(self, dev: object, intf: int, alt: int, config: int) -> SimpleNamespace:
        self._fail()
        descriptor = super().get_interface_descriptor(dev, intf, alt, config)
        if self._strikes():
            for name in ("bInterfaceNumber", "bAlternateSetting", "bInterfaceProtocol", "iInterface"):
                setattr(descriptor, name, self._data.draw(st.integers(0, 255)))
        if self._strikes():
            functional = bytes(descriptor.extra_descriptors)
            at = self._data.draw(st.integers(0, len(functional)))
            descriptor.extra_descriptors = list(functional[:at] + self._any(12))
        return descriptor

    def ctrl_transfer(  # noqa: PLR0917 - pyusb calls it so
        self,
        dev_handle: object,
        bmRequestType: int,  # noqa: N803 - pyusb names it
        bRequest: int,  # noqa: N803 - pyusb names it
        wValue: int,  # noqa: N803 - pyusb names it
        wIndex: int,  # noqa: N803 - pyusb names it
        data: "array[int]",
        timeout: int,
    ) -> int:
        self._transfers += 1
        assert self._transfers < MOST_TRANSFERS, "an endless exchange"
        self._fail()
        moved = super().ctrl_transfer(dev_handle, bmRequestType, bRequest, wValue, wIndex, data, timeout)
        self._fail()  # done, but said otherwise
        if not bmRequestType & 0x80:
            return moved
        answer = bytes(data[:moved])
        if bmRequestType == 0xA1 and bRequest == Dfu.GETSTATUS and len(answer) == 6:
            answer = self._status(answer)
        if self._strikes():
            at = self._data.draw(st.integers(0, len(answer)))
            answer = (answer[:at] + self._any(64))[: len(data)]
        data[: len(answer)] = array("B", answer)
        return len(answer)

    def _status(self, answer: bytes) -> bytes:
        poll = answer[1:4] if self._poll is None else self._poll.to_bytes(3, "little")
        state = answer[4] if self._busy is None or self._transfers < self._busy_from else self._busy
        return answer[:1] + poll + bytes((state,)) + answer[5:]

    def _fail(self) -> None:
        if self._strikes():
            raise usb.core.USBError(
                "spoilt", self._data.draw(st.integers(-99, 0)), self._data.draw(st.sampled_from(ERRORS))
            )


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    data=st.data(),
    model=st.sampled_from((Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX, Model.STRICT, Model.ROM, Model.TINYUSB)),
    rarity=st.sampled_from((1_000_000, 1_000, 300, 100, 30, 5)),
)
def test_whatever_comes_from_below_ends_in_a_flash_or_in_a_clear_error(
    data: st.DataObject, model: Model, rarity: int
) -> None:
    rig = board(model, FLASH)
    device = rig.device
    backend = SpoiltBackend(data, tuple(rig.bench.boards.values()), rarity=rarity)
    target = PLAIN if model is Model.TINYUSB else TARGET
    ended: FlashResult | FlashdeckError
    try:
        with open_device(backend, device) as pipe:
            ended = engine.flash(pipe, Image.raw(NEW_IMAGE), target, Watcher(), rig.nap)
    except FlashdeckError as error:
        ended = error
    now = memory(rig)
    if model is Model.TINYUSB:  # where a block goes within its alternate setting is the device's own affair
        assert not changed_outside(FLASH, now[: PARTITION.end - BASE] + FLASH[PARTITION.end - BASE :])
    else:
        assert not changed_outside(FLASH, now)
    assert all(0 < nap <= LONGEST_NAP for nap in rig.naps)
    assert sum(rig.naps) <= LONGEST_SLEPT
    if isinstance(ended, FlashdeckError):
        assert ended.message
        assert ended.hint, repr(ended)
    if model is not Model.TINYUSB:
        assert not boots(rig.board.spec, now) or any(image in now for image in (OLD_IMAGE, NEW_IMAGE))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    data=st.data(), model=st.sampled_from((Model.CLASSIC, Model.USBX, Model.ROM)), rarity=st.sampled_from((3, 10, 50))
)
def test_looking_at_a_hostile_device_ends_in_a_name_or_in_a_clear_error(
    data: st.DataObject, model: Model, rarity: int
) -> None:
    rig = board(model, FLASH)
    device = rig.device
    backend = SpoiltBackend(data, tuple(rig.bench.boards.values()), rarity=rarity)
    with suppress(DeviceError), open_device(backend, device) as pipe:
        assert len(identify(pipe, rig.nap)) < 16 * 256
    assert memory(rig) == FLASH
