"""A file of this machine whose builds are handed on: `flashdeckd follow` beside a command, as values."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from flashdeck import own_python
from flashdeck.errors import FlashdeckError, RemoteError
from flashdeck.followed_file import TAKEN, BuildBegins, BuildPiece, FileNote, FollowLine
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.text import clean
from flashdeck_tui.cli.answers import Refusal

LONGEST_LINE: Final = 1024 * 1024
"""Bytes of a line: a piece of a build, in base64."""
END_SECONDS: Final = 5.0
"""Seconds that the process has to end once its input has."""
_PROGRAM: Final = (*own_python.module("flashdeckd"), "follow")
_UNCLEAR: Final = "run it by hand: flashdeckd follow FILE"


@dataclass(frozen=True, slots=True)
class FollowedBuild:
    """A build that is whole."""

    path: str
    data: bytes
    first: bool
    """True if it was there already when the file was first looked for."""
    age: float
    """Seconds since the file was changed, when it was read."""


class FollowedFile:
    """The builds of one file, one at a time: the next comes once the last is `taken`."""

    def __init__(self, process: Process, note: Callable[[FileNote], object]) -> None:
        self._process = process
        self._note = note
        self._reading: asyncio.Task[FollowedBuild] | None = None

    async def next(self) -> FollowedBuild:
        """Return the build that is not taken yet, once there is one; may be cancelled and asked again.

        Raises FlashdeckError where the file can no longer be followed.
        """
        self._reading = self._reading or asyncio.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def taken(self) -> None:
        """Say that the last build has arrived where it belongs."""
        self._reading = None
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe there
        with suppress(OSError):  # `next` says why it is gone
            self._process.stdin.write(TAKEN)
            await self._process.stdin.drain()

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    async def _read(self) -> FollowedBuild:
        while not isinstance(begun := await self._line(), BuildBegins):
            if isinstance(begun, FileNote):
                self._note(begun)
        if begun.size > MAX_IMAGE:
            raise FlashdeckError(f"{clean(begun.path)} is larger than {MAX_IMAGE} bytes", hint="name the image itself")
        data = bytearray()
        while len(data) < begun.size:
            piece = await self._line()
            if isinstance(piece, BuildPiece) and piece.data:
                data += piece.data
            elif isinstance(piece, FileNote):
                self._note(piece)
            else:
                raise FlashdeckError("flashdeckd follow hands on what cannot be understood", hint=_UNCLEAR)
        return FollowedBuild(begun.path, bytes(data), begun.first, begun.age)

    async def _line(self) -> FollowLine:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe there
        try:
            line = await self._process.stdout.readline()
            if not line:
                raise FlashdeckError("flashdeckd follow has ended", hint=_UNCLEAR)
            if b'"error"' in line[:16]:
                error = msgspec.json.decode(line, type=Refusal).error
                raise RemoteError(error.message, hint=error.hint, kind=error.kind)
            return msgspec.json.decode(line, type=FollowLine)
        except (ValueError, msgspec.ValidationError) as error:
            raise FlashdeckError(f"flashdeckd follow says what cannot be understood: {error}", hint=_UNCLEAR) from error


@asynccontextmanager
async def followed(file: Path, settle: float, note: Callable[[FileNote], object]) -> AsyncGenerator[FollowedFile]:
    """Follow a file, or a glob, for the length of a block; `note` hears of what a person should know."""
    # A session of its own: Ctrl-C ends it through the end of its input, once we have ended.
    process = await asyncio.create_subprocess_exec(
        *(*_PROGRAM, "--settle", f"{settle:g}", "--", str(file)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=LONGEST_LINE,
        start_new_session=True,
    )
    builds = FollowedFile(process, note)
    try:
        yield builds
    finally:
        await builds.stop()
        await _end(process)


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS):
            if process.stdout is not None:
                while await process.stdout.read(LONGEST_LINE):
                    pass  # it must not wait for room in the pipe
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
