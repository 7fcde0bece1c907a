"""A small /sys in a directory, with the attributes, links and directories that the kernel makes for USB."""

import shutil
from pathlib import Path

DEVICE = bytes.fromhex("12 01 00 01 00 00 00 40 83 04 11 df 00 02 01 02 03 01")
DFU_INTERFACE = bytes.fromhex("09 02 1b 00 01 01 00 c0 32  09 04 00 00 00 fe 01 02 04  09 21 0b ff 00 00 04 1a 01")


class FakeSysfs:
    """Devices are named by their whole path below `devices`, as `pci0000:00/0000:00:14.0/usb1/1-4`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.usb_bus = root / "bus" / "usb"
        self.usb_bus.mkdir(parents=True)
        self._addresses = 0

    def plug(self, path: str, **attributes: str) -> Path:
        """Adds a DFU device and all above it; whoever lists devices meanwhile sees it once it is whole."""
        directory = self.root / "devices"
        for name in path.split("/"):
            directory /= name
            self._node(directory)
        self._addresses += 1
        defaults = {
            "devnum": f"{self._addresses}",
            "busnum": directory.name.partition("-")[0],
            "bDeviceClass": "00",
            "idVendor": "0483",
            "idProduct": "df11",
            "bcdDevice": "0200",
            "serial": "336E36833233",
            "product": "DFU in FS Mode",
        }
        (directory / "descriptors").write_bytes(DEVICE + DFU_INTERFACE)
        known = defaults | attributes
        for name in sorted(known, key="idVendor".__eq__):  # that one last: `devices` finds it by that
            (directory / name).write_bytes(known[name].encode() + b"\n")
        return directory

    def name_interface(self, directory: Path, name: str | bytes, number: int = 0, configuration: int = 1) -> None:
        """Adds the directory of an interface, with the string that the kernel has kept of it."""
        interface = directory / f"{directory.name}:{configuration}.{number}"
        interface.mkdir(exist_ok=True)
        (interface / "interface").write_bytes((name if isinstance(name, bytes) else name.encode()) + b"\n")

    def unplug(self, directory: Path) -> None:
        shutil.rmtree(directory)

    def devices(self) -> list[Path]:
        return sorted(file.parent for file in self.root.rglob("idVendor"))

    def _node(self, directory: Path) -> None:
        if directory.exists():
            return
        directory.mkdir(parents=True)
        (directory / "uevent").write_bytes(b"")
        subsystem = self._subsystem(directory.name)
        if subsystem:
            (self.root / "bus" / subsystem).mkdir(parents=True, exist_ok=True)
            (directory / "subsystem").symlink_to(self.root / "bus" / subsystem)

    @staticmethod
    def _subsystem(name: str) -> str:
        if name.startswith("usb") or (name[0].isdigit() and "-" in name):
            return "usb"
        if name.startswith("pci") or name == "platform":
            return ""
        return "pci" if name.count(":") == 2 else "platform"
