"""Opening exactly one device, and what pyusb's errors become."""

import errno
from array import array
from dataclasses import replace
from typing import Any

import pytest
import usb.core

from flash_rig import Rig, image
from flashdeck.config import UsbId
from flashdeck.errors import (
    DescriptorError,
    DeviceError,
    DeviceGoneError,
    DevicePermissionError,
    ErrorKind,
    RefusedError,
    StallError,
    TransferTimeoutError,
)
from flashdeckd.usb.transport import TIMES, open_device
from flashdeckd.virtual import spec
from flashdeckd.virtual.backend import Handle
from flashdeckd.virtual.identity import Functional, InterfaceSetting


def test_the_device_at_that_bus_and_address_is_opened_and_given_back() -> None:
    rig = Rig()
    with rig.open() as pipe:
        assert pipe.receive(5, 0, 1, timeout=1) == b"\x02"
        assert [(each.number, each.protocol) for each in pipe.alternates] == [(0, 2)]
        assert pipe.functional.hex() == "09210bff0000041a01"
        assert pipe.text(pipe.alternates[0].text_index).startswith("@Internal Flash")
        with pytest.raises(DeviceError) as caught:
            rig.open()
        assert caught.value.kind is ErrorKind.DEVICE_BUSY
    rig.open().close()


def test_the_claim_is_given_back_after_an_error() -> None:
    rig = Rig()
    with pytest.raises(RuntimeError), rig.open():
        raise RuntimeError
    rig.open().close()


def test_every_transfer_is_counted() -> None:
    with Rig().open() as pipe:
        pipe.receive(5, 0, 1, timeout=1)
        with pytest.raises(StallError):
            pipe.receive(2, 1, 64, timeout=1)
        pipe.text(5)
        assert pipe.transfers == 4


def test_another_device_in_its_place_is_not_touched() -> None:
    rig = Rig()
    for changed in (
        replace(rig.device, usb_id=UsbId(0x1209, 0x0001)),
        replace(rig.device, bcd_device=0x0199),
        replace(rig.device, name="1-7"),
        replace(rig.device, name="1-1.1"),
    ):
        with pytest.raises(DeviceGoneError, match="1-"):
            open_device(rig.bench.backend, changed)
    assert rig.board.state().transfers == 0


def test_a_replugged_device_is_another_one() -> None:
    rig = Rig()
    before = rig.device
    rig.bench.unplug("board")
    rig.back_in_dfu()
    with pytest.raises(DeviceGoneError, match="no longer at bus 1"):
        open_device(rig.bench.backend, before)


def test_a_device_without_a_dfu_interface_is_refused() -> None:
    rig = Rig()
    rig.flash(image(3000))
    assert not rig.present
    with pytest.raises(DescriptorError, match="no DFU interface"):
        rig.open()


@pytest.mark.parametrize(
    ("raised", "expected", "kind"),
    [
        (usb.core.USBError("Pipe error", -9, errno.EPIPE), StallError, ErrorKind.STALL),
        (usb.core.USBTimeoutError("Timed out", -7, errno.ETIMEDOUT), TransferTimeoutError, ErrorKind.TRANSFER_TIMEOUT),
        (usb.core.USBError("No such device", -4, errno.ENODEV), DeviceGoneError, ErrorKind.DEVICE_GONE),
        (usb.core.USBError("Input/Output Error", -1, errno.EIO), DeviceGoneError, ErrorKind.DEVICE_GONE),
        (usb.core.USBError("Access denied", -3, errno.EACCES), DevicePermissionError, ErrorKind.NO_PERMISSION),
        (usb.core.USBError("Resource busy", -6, errno.EBUSY), DeviceError, ErrorKind.DEVICE_BUSY),
        (usb.core.USBError("Overflow", -8, errno.EOVERFLOW), DeviceError, ErrorKind.OTHER),
        (NotImplementedError("not supported"), DeviceError, ErrorKind.OTHER),
    ],
)
def test_errors_of_pyusb_become_ours(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: type[DeviceError], kind: ErrorKind
) -> None:
    def fail(*_: object) -> int:
        raise raised

    rig = Rig()
    with rig.open() as pipe:
        monkeypatch.setattr(rig.bench.backend, "ctrl_transfer", fail)
        for name, call in (
            ("GETSTATUS", lambda: pipe.receive(3, 0, 6, timeout=1)),
            ("DNLOAD", lambda: pipe.send(1, 2, b"x", timeout=1)),
        ):
            with pytest.raises(expected, match=r"1-1 \(0483:df11\)") as caught:
                call()
            assert caught.value.kind is kind
            assert f" {name} " in caught.value.message


def test_what_libusb_adds_in_brackets_is_not_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise usb.core.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)

    rig = Rig()
    with rig.open() as pipe:
        monkeypatch.setattr(rig.bench.backend, "ctrl_transfer", fail)
        with pytest.raises(DeviceGoneError) as caught:
            pipe.receive(3, 0, 6, timeout=1)
    assert caught.value.message == "1-1 (0483:df11): GETSTATUS for 6 bytes: the device is gone: No such device"


def test_a_missing_permission_names_the_node_and_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise usb.core.USBError("Access denied (insufficient permissions)", -3, errno.EACCES)

    rig = Rig()
    monkeypatch.setattr(rig.bench.backend, "open_device", fail)
    with pytest.raises(DevicePermissionError, match="/dev/bus/usb/001/001") as caught:
        rig.open()
    assert "udev rule" in caught.value.hint


def test_a_string_that_can_not_be_read_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = [b"", b"\x03", b"\x03\x03\x00", b"\x04\x09\x41\x00"]

    def answer(_handle: object, _type: int, _request: int, _value: int, _index: int, data: "array[int]", _: int) -> int:
        raw = answers[0]
        data[: len(raw)] = array("B", raw)
        return len(raw)

    rig = Rig()
    with rig.open() as pipe:
        monkeypatch.setattr(rig.bench.backend, "ctrl_transfer", answer)
        while answers:
            assert pipe.text(4) == ""
            answers.pop(0)


EMPTY = 0
"""Not an error number: an answer of no bytes."""


def string_requests_fail(monkeypatch: pytest.MonkeyPatch, rig: Rig, *numbers: int) -> list[int]:
    """The next requests for the map's string end with these error numbers; what is left of them."""
    answer, left = rig.bench.backend.ctrl_transfer, list(reversed(numbers))

    def fail(handle: Handle, kind: int, request: int, value: int, *rest: Any) -> int:
        if (kind, request, value >> 8) == (0x80, 6, 3) and value & 0xFF and left:
            number = left.pop()
            if number == EMPTY:
                return 0
            raise usb.core.USBError("not now", -1, number)
        return answer(handle, kind, request, value, *rest)

    monkeypatch.setattr(rig.bench.backend, "ctrl_transfer", fail)
    return left


@pytest.mark.parametrize(
    "numbers",
    [
        (errno.ETIMEDOUT,),
        (errno.EPIPE,),
        (errno.EOVERFLOW,),
        (EMPTY,),
        (errno.ETIMEDOUT, errno.EPIPE),
        (errno.EPIPE, errno.ETIMEDOUT),
        (errno.ETIMEDOUT, EMPTY),
    ],
)
def test_one_bad_moment_on_the_bus_costs_no_memory_map(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...]
) -> None:
    """What the map forbids would be allowed without it."""
    read_only = "@Flash/0x08000000/20*8Ka,108*8Kg"
    rig = Rig(map=read_only)
    left = string_requests_fail(monkeypatch, rig, *numbers)
    assert isinstance(rig.attempt(image(20_000)), RefusedError)
    assert not left
    assert rig.memory() == rig.old


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ((errno.ETIMEDOUT, errno.ETIMEDOUT), TransferTimeoutError),
        ((errno.EOVERFLOW, errno.EOVERFLOW), DeviceError),
        ((errno.EPIPE, errno.ETIMEDOUT, errno.ETIMEDOUT), TransferTimeoutError),
        ((errno.EPIPE, errno.EPIPE), None),
        ((errno.EPIPE, EMPTY), None),
        ((errno.EPIPE, errno.ETIMEDOUT, errno.EPIPE), None),
    ],
)
def test_only_a_device_that_refuses_its_string_twice_has_none(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], error: type[DeviceError] | None
) -> None:
    rig = Rig()
    with rig.open() as pipe:
        left = string_requests_fail(monkeypatch, rig, *numbers)
        if error is None:
            assert pipe.text(5) == ""
        else:
            with pytest.raises(error):
                pipe.text(5)
        assert not left


def test_a_device_that_leaves_while_its_string_is_read_is_gone() -> None:
    rig = Rig()
    with rig.open() as pipe:
        rig.bench.unplug("board")
        with pytest.raises(DeviceGoneError):
            pipe.text(4)


def test_the_interface_in_dfu_mode_is_the_one_that_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_interfaces(functional: Functional, *, alternates: int, string: int) -> tuple[InterfaceSetting, ...]:
        assert alternates == 1
        runtime = replace(functional, version=0x0110)
        return (
            InterfaceSetting(0, 0, 0xFE, 1, 1, extra=runtime.descriptor),
            InterfaceSetting(1, 0, 0xFE, 1, 0, string=string),
            InterfaceSetting(1, 1, 0xFE, 1, 0, string=string, extra=functional.descriptor),
        )

    monkeypatch.setattr(spec, "dfu_settings", two_interfaces)
    with Rig().open() as pipe:
        assert [(each.number, each.protocol) for each in pipe.alternates] == [(0, 0), (1, 0)]
        assert pipe.functional.hex() == "09210bff0000041a01"


def test_a_quirk_is_known_to_the_pipe_and_applied_to_what_the_device_says() -> None:
    with Rig(dfu=UsbId(0x1EAF, 0x0003), bcd_device=0x0200).open() as pipe:
        assert pipe.quirk.version == 0x0110
        assert pipe.functional.hex() == "09210bff0000041001"
    with Rig(dfu=UsbId(0x1EAF, 0x0003), bcd_device=0x0201).open() as pipe:
        assert pipe.functional.hex() == "09210bff0000041a01"
    with Rig(dfu=UsbId(0x16C0, 0x0762)).open() as pipe:
        assert pipe.quirk.poll_ms == 5


def test_a_string_is_asked_for_so_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    for refusals in (TIMES - 1, TIMES):
        with rig.open() as pipe:
            left = string_requests_fail(monkeypatch, rig, *[errno.EPIPE] * refusals)
            assert bool(pipe.text(5)) is (refusals < TIMES)
            assert not left
