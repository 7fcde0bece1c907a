"""The demo's firmware: a copy of its source, what builds it, and a slow linker."""

import asyncio
import contextlib
import hashlib
import os
import re
import shlex
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from flashdeck.errors import FlashdeckError

TOOLS = ("make", "arm-none-eabi-gcc", "arm-none-eabi-objcopy")
"""The programs that a real build needs on PATH."""
STAGING = "staging"
"""The directory that the compiler works in, out of the daemon's sight."""
PIECES = 6
"""Pieces in which a build is written."""
_VERSION = re.compile(rb'(?m)^#define VERSION "([ -!#-\[\]-~]*)"$')
OUTPUT_KEPT = 2000
"""Characters of the end of what a compiler printed that failed."""


@dataclass(frozen=True, slots=True)
class Build:
    """One finished build of the application for app1."""

    version: str
    image: bytes

    @property
    def sha256(self) -> str:
        """The image's SHA-256 in hexadecimal."""
        return hashlib.sha256(self.image).hexdigest()


class Firmware:
    """A copy of the firmware that may be changed and built."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prebuilt_version = self.version
        self.compiles = all(shutil.which(tool) for tool in TOOLS)
        """True if builds are compiled; else they are the checked-in image with the version written into it."""

    @property
    def output(self) -> Path:
        """The path at which the daemon looks for app1's image."""
        return self._directory / "build" / "APP1.bin"

    @property
    def source(self) -> Path:
        """The file whose one line is meant to be changed."""
        return self._directory / "version.h"

    @property
    def shell_command(self) -> str:
        """The command that builds the image for app1 when it is typed into a shell, anywhere."""
        if self.compiles:
            return shlex.join(("make", "-C", str(self._directory), "app1"))
        return shlex.join(("sh", str(self._directory / "prebuilt.sh")))

    @property
    def version(self) -> str:
        """The version string in `version.h`. Raises FlashdeckError where there is none."""
        found = _VERSION.search(self.source.read_bytes())
        if found is None:
            raise FlashdeckError(f'{self.source} has no line `#define VERSION "…"`')
        return found[1].decode("ascii")

    def change_version(self) -> None:
        """Changes one line of source: counts the last digit of the version up."""
        new = next_version(self.version)
        self.source.write_bytes(_VERSION.sub(f'#define VERSION "{new}"'.encode(), self.source.read_bytes()))

    async def build(self) -> Build:
        """Builds what is there now. Raises FlashdeckError with the compiler's words where it does not build."""
        version = self.version
        if self.compiles:
            await self._make(f"BUILD={STAGING}", f"{STAGING}/APP1.bin")
            return Build(version, (self._directory / STAGING / "APP1.bin").read_bytes())
        prebuilt = (self._directory / "prebuilt" / "APP1.bin").read_bytes()
        return Build(version, with_version(prebuilt, self._prebuilt_version, version))

    async def _make(self, *arguments: str) -> None:
        # A `make` that started us would pass its own flags and variables on.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        environment["TMPDIR"] = str(self._directory)  # a compiler that is killed leaves its temporary files
        environment["LC_ALL"] = "C"  # its complaints are looked through
        process = await asyncio.create_subprocess_exec(
            "make",
            "-C",
            self._directory,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        except BaseException:  # whoever still has its output is of its group, also where `make` itself is gone
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            error = FlashdeckError(f"the firmware does not build: make ended with {process.returncode}")
            error.add_note(output.decode(errors="replace")[-OUTPUT_KEPT:])
            raise error


def next_version(version: str) -> str:
    """`version` with its last digit counted up (9 becomes 0), so that its length stays. It must end in a digit."""
    if not version[-1:].isdigit():
        raise FlashdeckError(f"the version {version!r} does not end in a digit", hint="see version.h of the firmware")
    return version[:-1] + str((int(version[-1]) + 1) % 10)


def with_version(image: bytes, old: str, new: str) -> bytes:
    """`image` with `new` in place of its version string `old`, the same length as before."""
    # The closing NUL keeps a longer string that only begins alike from being taken for it.
    place = old.encode("ascii") + b"\0"
    if image.count(place) != 1:
        raise FlashdeckError(f"the checked-in image does not contain the version {old!r} exactly once")
    if len(new) > len(old):
        raise FlashdeckError(
            f"without a compiler the version cannot get longer: {new!r} has {len(new)} characters, {old!r} {len(old)}",
            hint=f"shorten it in version.h, or install {', '.join(TOOLS)}",
        )
    return image.replace(place, new.encode("ascii").ljust(len(place), b"\0"))


async def link_slowly(image: bytes, path: Path, pause: float) -> None:
    """Writes `image` into `path` as a linker does that is still thinking: in pieces, open all the while.

    It waits `pause` seconds after each piece, the last one too, before it closes the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    step = -(-len(image) // PIECES)
    # Opening for writing waits where somebody holds a lease on what was there before.
    with await asyncio.to_thread(path.open, "wb") as file:
        for start in range(0, len(image), step):
            file.write(image[start : start + step])
            file.flush()
            await asyncio.sleep(pause)
