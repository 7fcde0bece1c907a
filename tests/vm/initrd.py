"""The guest's first file system: busybox, the modules that it takes to reach the real one, and `init.sh`."""

import shutil
from pathlib import Path

from vm.cpio import archive, directory, link, program
from vm.kernel import Kernel, MissingError

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "vhci_hcd", "usbmon", "cdc_acm", "trancevibrator")
"""The way to the host's files; the virtual host controller; drivers that bind to boards, or are made to."""
_TOOLS = ("sh", "mount", "mkdir", "insmod", "echo", "switch_root")
_DIRECTORIES = ("bin", "proc", "sys", "dev", "modules", "host", "upper", "new")


def initrd(kernel: Kernel) -> bytes:
    """The archive that the kernel unpacks. Raises MissingError without a static busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise MissingError("there is no busybox", "apt-get install busybox-static")
    content = Path(busybox).read_bytes()
    if b"/ld-linux" in content[:4096]:
        raise MissingError(f"{busybox} is not linked statically", "apt-get install busybox-static")
    modules = kernel.modules(*MODULES)
    return archive(
        [
            *map(directory, _DIRECTORIES),
            program("bin/busybox", content),
            *(link(f"bin/{tool}", "busybox") for tool in _TOOLS),
            *(program(f"modules/{number:02}.ko", module) for number, module in enumerate(modules)),
            program("init", Path(__file__).with_name("init.sh").read_bytes()),
        ]
    )
