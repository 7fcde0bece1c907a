"""Writes an image that passes all guards: `python -m manual.firmware FILE PARTITION VERSION`."""

import sys
from pathlib import Path

from rig import APP1, PARTITION2, firmware

BASES = {"app1": APP1, "partition2": PARTITION2}


def main() -> None:
    """Takes the version as what the contents follow from, too."""
    name, partition, version = sys.argv[1:]
    Path(name).write_bytes(firmware(version, base=BASES[partition]))


if __name__ == "__main__":
    main()
