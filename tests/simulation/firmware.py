"""Images that the builds of a seed make."""

import random
import struct


def program(base: int, size: int, seed: random.Random, version: str, *, stack: int = 0x2001F000) -> bytes:
    """Return an image that every guard accepts: a vector table, the version, and contents that the seed chooses."""
    body = struct.pack("<II", stack, base + 0x101) + f"\0flashdeck-test {version}\0".encode()
    return body + seed.randbytes(max(0, size - len(body)))
