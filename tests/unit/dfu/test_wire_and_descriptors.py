"""Bytes to values and back."""

import inspect
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.errors import DeviceError
from flashdeckd.dfu import class_requests, wire
from flashdeckd.dfu.descriptor import FunctionalDescriptor, find_functional, parse_functional
from flashdeckd.dfu.wire import (
    MAX_TRANSFER,
    UNSTATED_TRANSFER_SIZE,
    DfuProtocol,
    DfuRequest,
    DfuState,
    StatusReport,
    parse_status,
    state_name,
    status_name,
    usable_transfer_size,
)
from model_pipe import ModelPipe

ST = bytes.fromhex("09210be80300081a01")


def test_a_status_report_is_read_with_all_its_fields() -> None:
    assert parse_status(bytes((11, 0xF4, 0x01, 0x00, 10, 4))) == StatusReport(11, 500, DfuState.ERROR, 4)
    assert parse_status(b"\xff\xff\xff\xff\x0f\xff") == StatusReport(255, 0xFFFFFF, 15, 255)


def test_a_short_status_report_is_an_error() -> None:
    with pytest.raises(DeviceError, match="5 bytes instead of 6"):
        parse_status(b"\0\0\0\0\2")


def test_names_say_what_numbers_mean() -> None:
    assert state_name(DfuState.DNLOAD_IDLE) == "dfuDNLOAD-IDLE"
    assert "15" in state_name(15)
    assert status_name(11, DfuProtocol.DFUSE).startswith("errVENDOR")
    assert "read protection" in status_name(11, DfuProtocol.DFUSE)
    assert "200" in status_name(200, DfuProtocol.DFUSE)


def test_what_sts_rom_means_by_a_status_is_not_said_of_a_plain_board() -> None:
    for status in range(256):
        said = status_name(status, DfuProtocol.PLAIN)
        assert "ST's" not in said
        assert said.split(" (")[0] == status_name(status, DfuProtocol.DFUSE).split(" (")[0], "the same name"


def test_commands_are_five_bytes_long() -> None:
    assert wire.set_address(0x08020000) == bytes.fromhex("2100000208")
    assert wire.erase_page(0x08080000) == bytes.fromhex("4100000808")


MAKERS = [
    each
    for _, each in inspect.getmembers(wire, inspect.isfunction)
    if inspect.signature(each).return_annotation is bytes
]
"""All functions that make something which can be sent."""


@given(st.integers(0, 0xFFFFFFFF))
def test_nothing_on_the_wire_can_erase_the_chip_or_lift_its_protection(address: int) -> None:
    commands = [maker(address) for maker in MAKERS]
    assert {command[0] for command in commands} == {0x21, 0x41}
    assert all(command[1:] == address.to_bytes(4, "little") for command in commands), "0x41 alone erases all"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            ST,
            FunctionalDescriptor(
                can_upload=True, will_detach=True, detach_timeout_ms=1000, transfer_size=2048, version=0x011A
            ),
        ),
        (
            bytes.fromhex("0721 07 ff00 0004"),
            FunctionalDescriptor(
                can_upload=True, manifestation_tolerant=True, detach_timeout_ms=255, transfer_size=1024, version=0x0100
            ),
        ),
        (bytes.fromhex("0521 01 ff00"), FunctionalDescriptor(detach_timeout_ms=255, version=0x0100)),
        (bytes.fromhex("0321 02"), FunctionalDescriptor(can_download=False, can_upload=True, version=0x0100)),
        (bytes.fromhex("0221"), FunctionalDescriptor()),
        (b"", FunctionalDescriptor()),
    ],
)
def test_functional_descriptors_as_devices_send_them(raw: bytes, expected: FunctionalDescriptor) -> None:
    assert parse_functional(raw) == expected


@pytest.mark.parametrize("length", range(14))
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "cut off"])
def test_functional_descriptors_of_every_length(length: int, is_whole: bool) -> None:
    """A field counts where all of it is there, whatever bLength says; what is behind the last one does not."""
    claimed = length if is_whole else 13
    raw = bytes((claimed, 0x21, 0x0B, 0xE8, 0x03, 0x00, 0x08, 0x1A, 0x01, 0xAA, 0xBB, 0xCC, 0xDD))[:length]
    attributes = FunctionalDescriptor(can_upload=True, will_detach=True, version=0x0100)
    detach = replace(attributes, detach_timeout_ms=1000)
    size = replace(detach, transfer_size=2048)
    every = (
        *[FunctionalDescriptor()] * 3,
        *[attributes] * 2,
        *[detach] * 2,
        *[size] * 2,
        *[replace(size, version=0x011A)] * 5,
    )
    assert parse_functional(find_functional([raw])) == every[length]


def test_the_functional_descriptor_is_found_wherever_it_is() -> None:
    other = bytes.fromhex("0424aabb")
    assert find_functional([b"", ST]) == ST
    assert find_functional([other + ST + other]) == ST
    assert find_functional([other, b""]) == b""
    assert find_functional([b"\x00\x21", b"\x01\x21\x0b", ST]) == ST, "a length of 0 or 1 ends the walk"
    assert find_functional([ST[:6]]) == ST[:6], "cut off"


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_garbage_in_place_of_descriptors_is_harmless(places: list[bytes]) -> None:
    descriptor = parse_functional(find_functional(places))
    assert 0 <= descriptor.transfer_size <= 0xFFFF


def test_a_block_is_what_device_and_system_move_at_once() -> None:
    assert [usable_transfer_size(MAX_TRANSFER + more) for more in (-1, 0, 1)] == [MAX_TRANSFER - 1] + [MAX_TRANSFER] * 2
    assert usable_transfer_size(0) == UNSTATED_TRANSFER_SIZE


def test_what_only_asks_or_tells_has_less_time_than_what_may_erase() -> None:
    timeouts: dict[DfuRequest, float] = {}

    class Timed(ModelPipe):
        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            assert (value, data) in {(0, b""), (2, b"x"), (class_requests.DETACH_MS, b"")}
            timeouts[DfuRequest(request)] = timeout

        def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
            assert value in {0, 2}
            timeouts[DfuRequest(request)] = timeout
            return bytes(length)

    pipe = Timed()
    class_requests.get_state(pipe)
    class_requests.get_status(pipe)
    class_requests.clear_status(pipe)
    class_requests.abort(pipe)
    class_requests.download(pipe, 2, b"x")
    class_requests.upload(pipe, 2, 1)
    class_requests.detach(pipe)
    erasing = {DfuRequest.GETSTATUS, DfuRequest.DNLOAD}
    assert {request for request, timeout in timeouts.items() if timeout == class_requests.OPERATION_TIMEOUT} == erasing
    assert {request for request, timeout in timeouts.items() if timeout == class_requests.REQUEST_TIMEOUT} == (
        set(DfuRequest) - erasing
    )
