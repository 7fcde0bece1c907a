from pathlib import Path

import pytest

from flashdeck.config import UsbId
from flashdeckd.usb import sysfs
from flashdeckd.usb.device import InterfaceClass
from flashdeckd.usb.sysfs import MAX_NAMES, MAX_SPEED, Ancestor, ancestors, port_of, read_device
from unit.usb.fake_sysfs import FakeSysfs


@pytest.fixture
def bus(tmp_path: Path) -> FakeSysfs:
    return FakeSysfs(tmp_path)


@pytest.mark.parametrize(
    ("path", "port"),
    [
        ("pci0000:00/0000:00:14.0/usb1/1-4", "pci-0000:00:14.0-usb-0:4"),
        ("pci0000:00/0000:00:14.0/usb1/1-4/1-4.2", "pci-0000:00:14.0-usb-0:4.2"),
        ("pci0000:00/0000:00:14.0/usb1/1-4/1-4.2/1-4.2.3", "pci-0000:00:14.0-usb-0:4.2.3"),
        # Behind bridges the function itself counts.
        ("pci0000:00/0000:00:1c.4/0000:03:00.0/0000:04:02.0/0000:3a:00.0/usb5/5-2", "pci-0000:3a:00.0-usb-0:2"),
        # A Raspberry Pi 4: the PCIe controller is a platform device.
        (
            "platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1/1-1/1-1.3",
            "platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3",
        ),
        ("platform/soc/3f980000.usb/usb1/1-1/1-1.2", "platform-3f980000.usb-usb-0:1.2"),
        ("platform/soc/fe800000.usb/xhci-hcd.0.auto/usb1/1-1", "platform-xhci-hcd.0.auto-usb-0:1"),
        # A controller of two parts behind PCI.
        (
            "pci0000:00/0000:00:0d.0/dwc3.1.auto/xhci-hcd.2.auto/usb3/3-1",
            "pci-0000:00:0d.0-platform-xhci-hcd.2.auto-usb-0:1",
        ),
        # Behind Intel's VMD.
        ("pci0000:00/0000:00:0e.0/pci10000:e0/10000:e1:00.0/usb2/2-1", "pci-0000:00:0e.0-pci-10000:e1:00.0-usb-0:1"),
        ("platform/vhci_hcd.0/usb3/3-1", "platform-vhci_hcd.0-usb-0:1"),
        ("platform/dummy_hcd.0/usb7/7-1", "platform-dummy_hcd.0-usb-0:1"),
    ],
)
def test_a_port_is_called_as_in_udevs_id_path(bus: FakeSysfs, path: str, port: str) -> None:
    device = read_device(bus.plug(path))
    assert device is not None
    assert device.port == port
    assert device.is_at(path.rpartition("/")[2])


def test_ancestors_are_the_devices_above_and_nothing_else(bus: FakeSysfs) -> None:
    assert ancestors(bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")) == (
        Ancestor("usb", "usb1"),
        Ancestor("pci", "0000:00:14.0"),
        Ancestor("", "pci0000:00"),
    )


def test_both_buses_of_an_xhci_are_one_controller(bus: FakeSysfs) -> None:
    """USB 2 and USB 3 ports are two buses, behind hubs or not."""
    places = ("usb1/1-4", "usb1/1-4/1-4.2", "usb2/2-1")
    devices = [read_device(bus.plug(f"pci0000:00/0000:00:14.0/{place}")) for place in places]
    assert {device.controller for device in devices if device is not None} == {"pci-0000:00:14.0"}
    other = read_device(bus.plug("pci0000:00/0000:00:1a.0/usb3/3-1"))
    assert other is not None
    assert other.controller == "pci-0000:00:1a.0"


def test_unknown_controllers_are_still_told_apart() -> None:
    above = (Ancestor("usb", "usb1"), Ancestor("ssb", "ssb0:1"))
    assert port_of("1-4.2", above) == "bus-1-usb-0:4.2"
    assert port_of("2-4.2", above) != port_of("1-4.2", above)


def test_everything_known_of_a_device_comes_from_its_attributes(bus: FakeSysfs) -> None:
    device = read_device(bus.plug("pci0000:00/0000:00:14.0/usb1/1-4/1-4.2", devnum="117", bcdDevice="2200"))
    assert device is not None
    assert (device.name, device.bus, device.address) == ("1-4.2", 1, 117)
    assert (device.usb_id, device.bcd_device) == (UsbId(0x0483, 0xDF11), 0x2200)
    assert (device.serial, device.product) == ("336E36833233", "DFU in FS Mode")
    assert device.interfaces == (InterfaceClass(0, 0, 0xFE, 1, 2),)


def test_a_device_without_strings_or_descriptors_is_still_a_device(bus: FakeSysfs) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")
    (directory / "serial").unlink()
    (directory / "product").unlink()
    (directory / "descriptors").write_bytes(b"")
    device = read_device(directory)
    assert device is not None
    assert (device.serial, device.product, device.interfaces) == ("", "", ())


def test_strings_of_a_device_are_made_harmless(bus: FakeSysfs) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4", product="\x1b]0;owned\x07[/]\nsecond")
    (directory / "serial").write_bytes(b"\xff\xfe\x00" + b"A" * 5000 + b"\n")
    device = read_device(directory)
    assert device is not None
    assert device.product.isprintable()
    assert "[/]" in device.product
    assert device.serial.isprintable()
    assert len(device.serial) <= 300


def test_hubs_are_left_out(bus: FakeSysfs) -> None:
    assert read_device(bus.plug("pci0000:00/0000:00:14.0/usb1/1-4", bDeviceClass="09")) is None


@pytest.mark.parametrize("gone", ["devnum", "idVendor", "bcdDevice", "descriptors", "busnum", "bDeviceClass"])
def test_a_device_that_vanishes_while_it_is_read_is_left_out(bus: FakeSysfs, gone: str) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")
    (directory / gone).unlink()
    assert read_device(directory) is None


def test_a_device_that_is_replaced_while_it_is_read_is_left_out(
    bus: FakeSysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "pci0000:00/0000:00:14.0/usb1/1-4"
    directory = bus.plug(path, serial="OLD")

    def replaced(raw: bytes) -> tuple[InterfaceClass, ...]:
        assert raw
        bus.unplug(directory)
        bus.plug(path, serial="NEW")
        return ()

    with monkeypatch.context() as patch:
        patch.setattr(sysfs, "interfaces", replaced)
        assert read_device(directory) is None
    device = read_device(directory)
    assert device is not None
    assert device.serial == "NEW"


def test_what_is_not_a_vanished_device_is_not_hidden(bus: FakeSysfs) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")
    (directory / "serial").unlink()
    (directory / "serial").mkdir()
    with pytest.raises(IsADirectoryError):
        read_device(directory)


def test_the_speed_of_the_link_is_what_the_kernel_says(bus: FakeSysfs) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")
    for written, seen in (("12", "12"), ("4" * (MAX_SPEED + 1), "4" * MAX_SPEED)):
        (directory / "speed").write_text(f"{written}\n")
        device = read_device(directory)
        assert device is not None
        assert device.speed == seen


def test_of_a_device_that_is_known_nothing_but_its_number_is_read(bus: FakeSysfs) -> None:
    directory = bus.plug("pci0000:00/0000:00:14.0/usb1/1-4")
    known = read_device(directory)
    (directory / "serial").unlink()
    assert read_device(directory, known) is known
    (directory / "devnum").write_text("99\n")
    device = read_device(directory, known)
    assert device is not None
    assert (device.address, device.serial) == (99, "")


MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
PLACE = "pci0000:00/0000:00:14.0/usb1/1-4"


def test_the_memory_map_is_there_without_opening_the_device(bus: FakeSysfs) -> None:
    directory = bus.plug(PLACE, manufacturer="ACME\x1b[1m")
    bus.name_interface(directory, MAP)
    bus.name_interface(directory, "Debug console", number=3)
    bus.name_interface(directory, "Another configuration's", number=7, configuration=2)
    (directory / "1-4:2.x").mkdir()
    device = read_device(directory)
    assert device is not None
    assert device.setting_names == (MAP,), "only the names of DFU interfaces"
    assert device.manufacturer == "ACME\ufffd[1m"


def test_a_name_that_comes_later_is_read_then_and_it_is_still_the_same_device(bus: FakeSysfs) -> None:
    directory = bus.plug(PLACE)
    before = read_device(directory)
    assert before is not None
    assert before.setting_names == ()
    bus.name_interface(directory, MAP)
    after = read_device(directory, before)
    assert after == before, "a lane must not take it for another one"
    assert after is not None
    assert after.setting_names == (MAP,)
    bus.name_interface(directory, "@Option Bytes/0x1FFF7800/1*8 e")  # an alternate setting was chosen
    again = read_device(directory, after)
    assert again is after


@pytest.mark.parametrize("name", [b"", b"\xff\xfe", "@Internal \u2603".encode(), b"@\x1b]0;owned\x07"])
def test_whatever_the_name_is_it_is_printable(bus: FakeSysfs, name: bytes) -> None:
    directory = bus.plug(PLACE)
    bus.name_interface(directory, name)
    device = read_device(directory)
    assert device is not None
    assert all(each.isprintable() for each in device.setting_names)


def test_so_many_interfaces_are_asked_for_their_names(bus: FakeSysfs) -> None:
    directory = bus.plug(PLACE)
    interfaces = b"".join(bytes((9, 4, number, 0, 0, 0xFE, 1, 2, 4)) for number in range(MAX_NAMES + 1))
    (directory / "descriptors").write_bytes((directory / "descriptors").read_bytes() + interfaces)
    for number in range(MAX_NAMES):
        bus.name_interface(directory, f"name {number}", number)
    device = read_device(directory)
    assert device is not None
    assert len(device.setting_names) == MAX_NAMES
    bus.name_interface(directory, "one more", MAX_NAMES)
    device = read_device(directory)
    assert device is not None
    assert len(device.setting_names) == MAX_NAMES
