"""Images in pieces."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from flashdeck.api import (
    CHUNK,
    BeginUpload,
    BoardList,
    BuildTaken,
    CommitUpload,
    GetBoards,
    PlacedImage,
    PlacedImages,
    PlaceUpload,
    PushBuild,
    UploadChunk,
    UploadDone,
)
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.image_formats import MAX_IMAGE
from flashdeck.value import Value
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Server
from flashdeckd.server.uploads import MAX_UPLOADS, Uploads
from flashdeckd.state.hub import Hub


class Spool:
    """Takes images, or fails as told."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.announced: BeginUpload | None = None

    async def accept(self, announced: BeginUpload, data: bytes) -> UploadDone:
        self.announced = announced
        self.taken.append((announced.name, data))
        return UploadDone(sha256=hashlib.sha256(data).hexdigest(), size=len(data), version="1.0")

    async def take(self, announced: BeginUpload, data: bytes, push: PushBuild) -> BuildTaken:
        self.announced = announced
        self.taken.append((push.source, data))
        return BuildTaken(builds=())

    async def place(self, name: str, data: bytes, boards: tuple[str, ...]) -> PlacedImages:
        self.taken.append((name, data))
        image = PlacedImage(board="left", partition="app1", sha256="", size=len(data), version=" ".join(boards))
        return PlacedImages(images=(image,))


@pytest.fixture
def spool() -> Spool:
    return Spool()


@pytest.fixture
def server(hub: Hub, spool: Spool) -> Server:
    return Server(hub, Uploads(spool.accept, spool.take, spool.place).handlers())


async def refused(client: Client, call: BeginUpload | UploadChunk | CommitUpload | PlaceUpload, message: str) -> None:
    with pytest.raises(RemoteError, match=message) as caught:
        await client.call(call)
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    assert caught.value.hint


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 3 * CHUNK - 7])
async def test_an_image_arrives_whole(server: Server, spool: Spool, path: Path, size: int) -> None:
    data = bytes(number * 7 % 251 for number in range(size))
    async with server.listening(path), await Client.connect(path, client="test") as client:
        done = await client.upload("APP1\x1b[2J.bin", data)
    assert done == UploadDone(sha256=hashlib.sha256(data).hexdigest(), size=size, version="1.0")
    assert spool.taken == [("APP1�[2J.bin", data)]


async def test_an_upload_may_end_as_a_build(server: Server, spool: Spool, path: Path) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        handle = (await client.call(BeginUpload(name="a", size=4, partition="app1"))).upload
        await refused_push(client, handle, "0 bytes arrived")
        handle = (await client.call(BeginUpload(name="a", size=4, partition="app1"))).upload
        await client.call(UploadChunk(upload=handle, data=b"1234"))
        assert await client.call(PushBuild(upload=handle, source="ann@laptop:/a")) == BuildTaken(builds=())
        await refused_push(client, handle, "no upload")
    assert spool.taken == [("ann@laptop:/a", b"1234")]


async def refused_push(client: Client, handle: int, message: str) -> None:
    with pytest.raises(RemoteError, match=message):
        await client.call(PushBuild(upload=handle, source="ann@laptop:/a"))


async def test_a_file_that_says_itself_where_it_belongs_is_placed(server: Server, spool: Spool, path: Path) -> None:
    data = bytes(CHUNK + 1)
    async with server.listening(path), await Client.connect(path, client="test") as client:
        (placed,) = (await client.place("APP1.hex", data, boards=("l*", "right"))).images
        assert (placed.size, placed.version) == (len(data), "l* right")
        assert spool.taken == [("APP1.hex", data)]
        handle = await client.call(BeginUpload(name="APP1.hex", size=1, partition="app1"))
        await client.call(UploadChunk(upload=handle.upload, data=b"x"))
        await refused(client, PlaceUpload(upload=handle.upload), "was announced for partition app1")
        await refused(client, PlaceUpload(upload=handle.upload), "no upload")
        handle = await client.call(BeginUpload(name="APP1.hex", size=2))
        await refused(client, PlaceUpload(upload=handle.upload), "0 bytes arrived")


async def test_where_a_file_is_to_go_arrives_with_it(server: Server, spool: Spool, path: Path) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        await client.upload("APP1.elf", b"bytes", partition="app1", boards=("left", "r*"))
    assert spool.announced == BeginUpload(name="APP1.elf", size=5, partition="app1", boards=("left", "r*"))


@pytest.mark.parametrize("size", [0, -1, MAX_IMAGE + 1])
async def test_an_impossible_size_is_refused(server: Server, path: Path, size: int) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        await refused(client, BeginUpload(name="a", size=size), str(size))


async def test_bytes_missing_or_too_many_are_refused_and_nothing_is_spooled(
    server: Server, spool: Spool, path: Path
) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        short = (await client.call(BeginUpload(name="a.bin", size=10))).upload
        await client.call(UploadChunk(upload=short, data=b"123456789"))
        await refused(client, CommitUpload(upload=short), "9 bytes arrived for a.bin.*10")
        await refused(client, CommitUpload(upload=short), f"no upload {short}")

        long = (await client.call(BeginUpload(name="a.bin", size=10))).upload
        await client.call(UploadChunk(upload=long, data=b"123456789"))
        await refused(client, UploadChunk(upload=long, data=b"01"), "11 bytes arrived for a.bin.*10")
        await refused(client, CommitUpload(upload=long), f"no upload {long}")

        wide = (await client.call(BeginUpload(name="a.bin", size=2 * CHUNK))).upload
        await refused(client, UploadChunk(upload=wide, data=b"x" * (CHUNK + 1)), str(CHUNK + 1))
        await refused(client, UploadChunk(upload=wide, data=b"x"), f"no upload {wide}")
    assert spool.taken == []


async def test_uploads_of_a_connection_are_capped_and_freed_by_their_end(server: Server, path: Path) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        handles = [await client.call(BeginUpload(name="a", size=1)) for _ in range(MAX_UPLOADS)]
        await refused(client, BeginUpload(name="a", size=1), str(MAX_UPLOADS))
        await client.call(UploadChunk(upload=handles[0].upload, data=b"x"))
        await client.call(CommitUpload(upload=handles[0].upload))
        await client.call(BeginUpload(name="a", size=1))
        async with await Client.connect(path, client="other") as other:
            await other.call(BeginUpload(name="a", size=1))


async def test_an_upload_belongs_to_its_connection(server: Server, spool: Spool, path: Path) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        async with await Client.connect(path, client="other") as other:
            handle = (await client.call(BeginUpload(name="a", size=1))).upload
            await refused(other, UploadChunk(upload=handle, data=b"x"), f"no upload {handle}")
            await refused(other, CommitUpload(upload=handle), f"no upload {handle}")
        await client.call(UploadChunk(upload=handle, data=b"x"))
        await client.call(CommitUpload(upload=handle))
    assert spool.taken == [("a", b"x")]


async def test_uploads_interleave(server: Server, spool: Spool, path: Path) -> None:
    async with server.listening(path), await Client.connect(path, client="test") as client:
        one = (await client.call(BeginUpload(name="one", size=4))).upload
        two = (await client.call(BeginUpload(name="two", size=4))).upload
        for handle, data in ((one, b"11"), (two, b"22"), (one, b"11"), (two, b"22")):
            await client.call(UploadChunk(upload=handle, data=data))
        await client.call(CommitUpload(upload=two))
        await client.call(CommitUpload(upload=one))
    assert spool.taken == [("two", b"2222"), ("one", b"1111")]


async def test_an_upload_dies_with_its_connection(hub: Hub, spool: Spool, path: Path) -> None:
    uploads = Uploads(spool.accept, spool.take, spool.place)
    closed = asyncio.Event()

    async def note(_params: GetBoards, connection: Connection) -> Value:
        connection.on_close(closed.set)  # callbacks run in reverse, so this one after that of the upload
        return BoardList(boards=(), devices=())

    async with Server(hub, {**uploads.handlers(), GetBoards: note}).listening(path):
        client = await Client.connect(path, client="test")
        await client.call(GetBoards())
        await client.call(BeginUpload(name="a", size=1))
        assert len(uploads) == 1
        await client.close()
        await closed.wait()
        assert len(uploads) == 0
