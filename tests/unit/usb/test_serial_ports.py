"""The serial ports of a device are those below it in sysfs, and of exactly the enumeration that was asked for."""

import shutil
from pathlib import Path

import pytest

from flashdeck.config import UsbId
from flashdeckd.host import files
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import MAX_PORTS, SerialPort, SysfsSerialPorts

DEVICE = UsbDevice("1-4.2", "pci-0000:00:14.0-usb-0:4.2", 1, 9, UsbId(0x2341, 0x8036), 0x0100)


class Sys:
    """The directories that the kernel makes for a device and its drivers."""

    def __init__(self, root: Path) -> None:
        self.devices = root / "devices"
        self.real = root / "real/usb1/1-4/1-4.2"
        self.real.mkdir(parents=True)
        self.devices.mkdir()
        (self.devices / "1-4.2").symlink_to(self.real)
        self.address(9)

    def address(self, number: int) -> None:
        (self.real / "devnum").write_text(f"{number}\n")

    def tty(self, interface: int, place: str, number: str) -> Path:
        directory = self.real / f"1-4.2:1.{interface}"
        tty = directory / place
        tty.mkdir(parents=True)
        (directory / "bInterfaceNumber").write_text(f"{interface:02x}\n")
        (tty / "dev").write_text(f"{number}\n")
        (tty / "device").symlink_to(directory)  # as in the kernel: a link back, which nothing may follow in a circle
        return tty

    def ports(self, device: UsbDevice = DEVICE) -> tuple[SerialPort, ...]:
        return SysfsSerialPorts(self.devices).of(device)


@pytest.fixture
def sys(tmp_path: Path) -> Sys:
    return Sys(tmp_path)


def test_a_cdc_port_and_one_of_a_converter_are_found(sys: Sys) -> None:
    sys.tty(0, "tty/ttyACM7", "166:7")
    assert sys.ports() == (SerialPort(0, Path("/dev/ttyACM7"), (166, 7)),)
    shutil.rmtree(sys.real / "1-4.2:1.0")
    sys.tty(0, "ttyUSB3/tty/ttyUSB3", "188:3")
    assert sys.ports() == (SerialPort(0, Path("/dev/ttyUSB3"), (188, 3)),)


def test_several_are_in_the_order_of_their_interfaces_whatever_their_names(sys: Sys) -> None:
    sys.tty(10, "tty/ttyACM0", "166:0")
    sys.tty(2, "tty/ttyACM9", "166:9")
    sys.tty(4, "tty/ttyACM10", "166:10")
    assert [(port.interface, port.node.name) for port in sys.ports()] == [
        (2, "ttyACM9"),
        (4, "ttyACM10"),
        (10, "ttyACM0"),
    ]


def test_another_enumeration_at_that_place_has_none_of_its_ports(sys: Sys) -> None:
    sys.tty(0, "tty/ttyACM0", "166:0")
    sys.address(10)
    assert sys.ports() == ()
    (sys.devices / "1-4.2").unlink()
    assert sys.ports() == ()


def test_a_device_that_changes_while_it_is_looked_at_has_none(sys: Sys, monkeypatch: pytest.MonkeyPatch) -> None:
    sys.tty(0, "tty/ttyACM0", "166:0")
    names = files.names

    def replaced(directory: Path) -> list[str]:
        sys.address(10)
        return names(directory)

    monkeypatch.setattr(files, "names", replaced)
    assert sys.ports() == ()


def test_neighbours_and_what_makes_no_sense_are_passed_over(sys: Sys) -> None:
    sys.tty(0, "tty/ttyACM0", "166:0")
    (sys.devices / "1-4.2:1.9" / "tty/ttyACM9").mkdir(parents=True)
    (sys.real / "1-4.2.1:1.0/tty/ttyACM1").mkdir(parents=True)
    (sys.tty(1, "tty/ttyACM2", "166:2") / "dev").write_text("no number")
    (sys.tty(2, "tty/ttyACM3", "166:3") / "dev").unlink()
    sys.tty(3, "tty/ttyACM4", "166:4")
    (sys.real / "1-4.2:1.3/bInterfaceNumber").write_text("zz")
    assert [port.node.name for port in sys.ports()] == ["ttyACM0"]


def test_so_many_ports_are_taken_from_one_device(sys: Sys) -> None:
    for interface in range(MAX_PORTS + 1):
        sys.tty(interface, f"tty/ttyACM{interface}", f"166:{interface}")
    assert len(sys.ports()) == MAX_PORTS
