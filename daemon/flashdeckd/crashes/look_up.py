"""`python -m flashdeckd.crashes.look_up FILE SHA256 SECONDS ADDRESS…`: functions and lines of an ELF file, as JSON.

A process of its own: a large file takes seconds and hundreds of megabytes, a damaged one may take any, and the daemon
is to notice neither. Its one line on stdout is a list of lists of frames; it ends with 3 where the file is another one.
"""

import hashlib
import sys
from typing import Final

import msgspec

from flashdeckd.crashes.elf_beside import LARGEST_ELF
from flashdeckd.crashes.elf_lines import look_up
from flashdeckd.crashes.looked_up import OTHER_FILE
from flashdeckd.host import clock, files, processes

MOST_MEMORY: Final = 2 * 1024 * 1024 * 1024
"""Bytes of memory that the process may take."""


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code. Raises OSError where the file cannot be read."""
    path, sha256, seconds, *addresses = arguments
    processes.limit_memory(MOST_MEMORY)
    ends = clock.monotonic() + float(seconds)
    data = files.contents(path, LARGEST_ELF)
    if hashlib.sha256(data).hexdigest() != sha256:
        return OTHER_FILE
    wanted = [int(address, 16) for address in addresses]
    frames = look_up(data, wanted, may_go_on=lambda: clock.monotonic() < ends)
    sys.stdout.write(msgspec.json.encode(frames).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
