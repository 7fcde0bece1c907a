"""Clients without number: each is told why it is turned away, boards do not notice, and one's own command gets in."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeckd.server.server import SPARE_DESCRIPTORS
from rig import WAIT_SECONDS, Rig, board, firmware, prepare, running
from unit.wire.peer import HELLO

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
FEW_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from flashdeckd.__main__ import main
main()
"""
HALF = b'{"jsonrpc": "2.0", '
WHOLE = json.dumps(HELLO).encode() + b"\n"


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(crowd: ExitStack, rig: Rig, says: bytes) -> socket.socket:
    client = crowd.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(str(rig.socket))
    client.settimeout(WAIT_SECONDS)
    with suppress(BrokenPipeError):  # it was turned away already, and what it was told can still be read
        client.sendall(says)
    return client


def lines(root: Path, words: str) -> list[str]:
    return [line for line in (root / "log").read_text().splitlines() if words in line]


def open_files(rig: Rig) -> int:
    return len(list(Path(f"/proc/{rig.process.pid}/fd").iterdir()))


async def flashes(rig: Rig) -> None:
    """A board does not notice."""
    rig.build(data := firmware("2.0.0"))
    await rig.wait(data=data)


async def test_those_that_say_half_a_line_keep_nobody_out_and_are_told_of_once(rig: Rig, crowd: ExitStack) -> None:
    for _ in range(500):
        connect(crowd, rig, HALF)
    async with await Client.connect(rig.socket, client="flashdeck-cli") as mine:
        assert not (await mine.call(api.GetStatus())).daemon.degraded
    await flashes(rig)
    assert len(lines(rig.root, "closed a connection")) == 1


async def test_one_client_too_many_is_told_so(rig: Rig, crowd: ExitStack) -> None:
    for _ in range(63):  # beside the rig's own
        assert b"result" in connect(crowd, rig, WHOLE).recv(4096)
    for _ in range(3):
        async with await Client.connect(rig.socket, client="flashdeck-cli") as mine:
            assert (await mine.call(api.GetStatus())).boards
            assert (await mine.call(api.Hold(boards=("left",)))).boards[0].hold is not None
            with pytest.raises(FlashdeckError, match="64 clients are connected") as caught:
                await mine.call(api.Flash(partition="app1"))
            assert caught.value.kind is ErrorKind.UNREACHABLE
            assert "makes room" in caught.value.hint
    await rig.client.call(api.Release(boards=("left",)))
    (trouble,) = (await rig.client.call(api.GetStatus())).daemon.troubles
    assert trouble.part == "clients"
    await flashes(rig)
    assert len(lines(rig.root, "turned away")) == 1


async def test_where_few_files_may_be_open_enough_are_left_to_boards(root: Path, crowd: ExitStack) -> None:
    prepare(root, boards=LEFT, bench=board("left"))
    async with running(root, daemon=("-c", FEW_DESCRIPTORS)) as rig:
        answers = [connect(crowd, rig, WHOLE).recv(4096) for _ in range(48)]
        refused = [answer for answer in answers if b"may have 64 files open" in answer]
        assert 0 < len(refused) < len(answers)
        for _ in range(100):  # more than there are descriptors, all at once
            connect(crowd, rig, HALF)
        with pytest.raises(FlashdeckError, match="may have 64 files open"):
            async with await Client.connect(rig.socket, client="flashdeck-cli") as mine:
                await mine.call(api.Subscribe())
        assert open_files(rig) <= 64 - SPARE_DESCRIPTORS
        await flashes(rig)
        assert len(lines(root, "turned away")) == 1
        crowd.close()
        await rig.until(lambda snapshot: not snapshot.daemon.troubles)
        async with await Client.connect(rig.socket, client="flashdeck-cli") as mine:
            await mine.call(api.GetStatus())
