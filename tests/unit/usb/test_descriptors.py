from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import UsbId
from flashdeckd.usb.descriptors import MAX_INTERFACES, dfu_version, interfaces
from flashdeckd.usb.device import InterfaceClass, UsbDevice

DEVICE = bytes.fromhex("12 01 00 01 00 00 00 40 83 04 11 df 00 02 01 02 03 01")


def configuration(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([9, 2, *(9 + len(body)).to_bytes(2, "little"), 1, 1, 0, 0xC0, 50]) + body


def interface(number: int, alternate: int, code: int = 0xFE, subclass: int = 1, protocol: int = 2) -> bytes:
    return bytes([9, 4, number, alternate, 0, code, subclass, protocol, 4])


FUNCTIONAL = bytes.fromhex("09 21 0b ff 00 00 04 1a 01")


def test_the_alternate_settings_of_a_bootloader_are_all_found() -> None:
    raw = DEVICE + configuration(*(interface(0, alternate) for alternate in range(4)), FUNCTIONAL)
    assert interfaces(raw) == tuple(InterfaceClass(0, alternate, 0xFE, 1, 2) for alternate in range(4))


def test_an_application_shows_its_dfu_run_time_interface_beside_the_others() -> None:
    association = bytes([8, 11, 0, 2, 2, 2, 0, 0])
    endpoint = bytes([7, 5, 0x81, 3, 8, 0, 16])
    raw = DEVICE + configuration(
        association, interface(0, 0, 2, 2, 1), endpoint, interface(2, 0, 0xFE, 1, 1), FUNCTIONAL
    )
    found = interfaces(raw)
    assert [one.is_dfu for one in found] == [False, True]
    assert found[1].protocol == 1


def test_every_configuration_counts_and_equal_interfaces_count_once() -> None:
    raw = DEVICE + configuration(interface(0, 0, 3, 0, 0)) + configuration(interface(0, 0, 3, 0, 0), interface(1, 0))
    assert interfaces(raw) == (InterfaceClass(0, 0, 3, 0, 0), InterfaceClass(1, 0, 0xFE, 1, 2))


def test_a_descriptor_that_is_no_interface_is_not_taken_for_one() -> None:
    # An interface descriptor inside a vendor descriptor, and one that is too short.
    raw = DEVICE + configuration(bytes([11, 0xFF]) + interface(0, 0), bytes([4, 4, 0, 0]), interface(1, 0))
    assert [one.number for one in interfaces(raw)] == [1]


@given(st.binary(max_size=400))
def test_any_bytes_after_good_ones_do_no_harm(tail: bytes) -> None:
    found = interfaces(DEVICE + configuration(interface(3, 0)) + tail)
    assert found[0] == InterfaceClass(3, 0, 0xFE, 1, 2)


@given(st.binary(max_size=400))
def test_any_bytes_end(raw: bytes) -> None:
    assert len(interfaces(raw)) <= len(raw) // 9


def test_the_version_of_dfu_is_that_of_the_dfu_interface() -> None:
    hid = bytes.fromhex("09 21 11 01 00 01 22 34 12")
    assert dfu_version(DEVICE + configuration(interface(0, 0), interface(0, 1), FUNCTIONAL)) == 0x011A
    assert dfu_version(DEVICE + configuration(interface(0, 0, 3, 0, 0), hid)) is None
    assert dfu_version(DEVICE + configuration(interface(0, 0, 3, 0, 0), hid, interface(1, 0), FUNCTIONAL)) == 0x011A
    assert dfu_version(DEVICE + configuration(interface(0, 0), bytes.fromhex("07 21 0b ff 00 00 04"))) == 0x0100
    assert dfu_version(DEVICE + configuration(interface(0, 0))) is None


def test_a_device_that_forgot_the_protocol_but_says_dfuse_is_in_dfu_mode() -> None:
    def device(protocol: int, version: int, vendor: int = 0x1209, product: int = 1) -> UsbDevice:
        functional = FUNCTIONAL[:7] + version.to_bytes(2, "little")
        raw = DEVICE + configuration(interface(0, 0, protocol=protocol), functional)
        return UsbDevice(
            name="1-1",
            port="",
            bus=1,
            address=2,
            usb_id=UsbId(vendor, product),
            bcd_device=0x0200,
            interfaces=interfaces(raw),
            dfu_version=dfu_version(raw),
        )

    assert device(2, 0x0110).in_dfu_mode
    assert device(0, 0x011A).in_dfu_mode
    assert not device(0, 0x0110).in_dfu_mode
    assert not device(1, 0x011A).in_dfu_mode
    assert device(1, 0x0110, 0x1FC9, 0x000C).in_dfu_mode, "the boot ROM of NXP's LPC"
    assert device(0, 0x0110, 0x0B0E, 0x0411).in_dfu_mode, "a Jabra without any other interface"
    assert not device(0, 0x011A, 0x1EAF, 0x0003).in_dfu_mode, "the Maple does not mean DfuSe"


def test_a_flood_of_interfaces_is_cut_off() -> None:
    flood = b"".join(interface(number, alternate) for number in range(200) for alternate in range(200))
    assert len(interfaces(DEVICE + flood)) == MAX_INTERFACES
