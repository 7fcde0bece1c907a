"""Writes an image that passes all guards: `python -m manual.firmware FILE PARTITION VERSION`."""

import random
import struct
import sys
from pathlib import Path

from rig import APP1, PARTITION2

BASES = {"app1": APP1, "partition2": PARTITION2}
SIZE = 20_000
STACK = 0x20030000
VECTORS = 16


def main() -> None:
    """Takes the version as what the contents follow from, too."""
    name, partition, version = sys.argv[1:]
    vectors = [BASES[partition] + 0x101] * (VECTORS - 1)
    head = struct.pack(f"<{VECTORS}I", STACK, *vectors) + f"\0{partition} {version}\0".encode()
    Path(name).write_bytes(head + random.Random(version).randbytes(SIZE - len(head)))  # noqa: S311 - nothing secret


if __name__ == "__main__":
    main()
