"""Images that clients send in pieces: a client sends bytes, never a path for the daemon to open."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from msgspec.structs import replace

from flashdeck.api import (
    CHUNK,
    BeginUpload,
    BuildTaken,
    CommitUpload,
    Empty,
    Params,
    PlacedImages,
    PlaceUpload,
    PushBuild,
    UploadChunk,
    UploadDone,
    UploadHandle,
)
from flashdeck.errors import RequestError
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.text import clean
from flashdeck.value import Value
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Handler
from flashdeckd.state.carried_through import carried_through

MAX_UPLOADS: Final = 4
"""Uploads that one connection may have open."""

Accept = Callable[[BeginUpload, bytes], Awaitable[UploadDone]]
"""Spools the image in a file: how it was announced (its name cleaned), and all of its bytes."""
Take = Callable[[BeginUpload, bytes, PushBuild], Awaitable[BuildTaken]]
"""Takes a file as a build: how it was announced, all of its bytes, and where they come from."""

Place = Callable[[str, bytes, tuple[str, ...]], Awaitable[PlacedImages]]
"""Spools what a file has for the partitions that it belongs to: its name, its bytes, and names and globs of boards."""


class _Upload:
    def __init__(self, announced: BeginUpload) -> None:
        self.announced = announced
        self.name = announced.name
        self.size = announced.size
        self.data = bytearray()


class Uploads:
    """The uploads of all connections; each dies with its connection, or at its first error."""

    def __init__(self, accept: Accept, take: Take, place: Place) -> None:
        self._accept = accept
        self._take = take
        self._place = place
        self._open: dict[Connection, dict[int, _Upload]] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return sum(len(uploads) for uploads in self._open.values())

    def handlers(self) -> Mapping[type[Params[Value]], Handler]:
        """The handlers of uploads, by the parameters of their methods."""
        return {
            BeginUpload: self._begin,
            UploadChunk: self._chunk,
            CommitUpload: self._commit,
            PlaceUpload: self._commit_placed,
            PushBuild: self._push,
        }

    async def _begin(self, params: BeginUpload, connection: Connection) -> UploadHandle:
        if not 0 < params.size <= MAX_IMAGE:
            raise RequestError(
                f"an image of {params.size} bytes cannot be uploaded",
                hint=f"between 1 and {MAX_IMAGE} bytes are possible",
            )
        uploads = self._open.get(connection)
        if uploads is None:
            uploads = self._open[connection] = {}
            connection.on_close(lambda: self._open.pop(connection))
        if len(uploads) >= MAX_UPLOADS:
            raise RequestError(f"this connection has {MAX_UPLOADS} uploads open already", hint="commit one first")
        number = next(self._numbers)
        uploads[number] = _Upload(replace(params, name=clean(params.name)))
        return UploadHandle(upload=number)

    async def _chunk(self, params: UploadChunk, connection: Connection) -> Empty:
        upload = self._find(connection, params.upload)
        if len(params.data) > CHUNK:
            problem = f"a chunk of {len(params.data)} bytes is too long: {CHUNK} are possible"
        elif len(upload.data) + len(params.data) > upload.size:
            problem = (
                f"{len(upload.data) + len(params.data)} bytes arrived for {upload.name}, "
                f"which was announced with {upload.size}"
            )
        else:
            upload.data += params.data
            return Empty()
        del self._open[connection][params.upload]
        raise RequestError(problem, hint="begin the upload again")

    async def _commit(self, params: CommitUpload, connection: Connection) -> UploadDone:
        upload = self._ended(connection, params.upload)
        return await self._accept(upload.announced, bytes(upload.data))

    async def _commit_placed(self, params: PlaceUpload, connection: Connection) -> PlacedImages:
        upload = self._ended(connection, params.upload)
        if upload.announced.partition:
            raise RequestError(
                f"{upload.name} was announced for partition {clean(upload.announced.partition)}",
                hint="commit it, or begin again without a partition",
            )
        return await self._place(upload.name, bytes(upload.data), params.boards)

    async def _push(self, params: PushBuild, connection: Connection) -> BuildTaken:
        upload = self._ended(connection, params.upload)
        # Also where the client leaves meanwhile: half a step would be a build half known.
        return await carried_through(self._take(upload.announced, bytes(upload.data), params))

    def _ended(self, connection: Connection, number: int) -> _Upload:
        """Return an upload that is complete, and is none any more; raises RequestError where it is not."""
        upload = self._find(connection, number)
        del self._open[connection][number]
        if len(upload.data) != upload.size:
            raise RequestError(
                f"{len(upload.data)} bytes arrived for {upload.name}, which was announced with {upload.size}",
                hint="begin the upload again",
            )
        return upload

    def _find(self, connection: Connection, number: int) -> _Upload:
        upload = self._open.get(connection, {}).get(number)
        if upload is None:
            raise RequestError(
                f"this connection has no upload {number}",
                hint="an upload ends with its commit, an error or its connection",
            )
        return upload
