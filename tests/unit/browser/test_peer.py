"""The user at the other end of a connection over the loopback."""

import asyncio
import os
import socket

import pytest

from flashdeck_tui.browser.peer import is_ours, owner

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FBB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:C001 0100007F:1FBB 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 20 4 30 10 -1
   2: 0100007F:1FBB 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 30 10 -1
   3: 0100007F:C002 0100007F:1FBB 06 00000000:00000000 03:00001234 00000000     0        0 0 3 0
   4: 0100007F:C003 0100007F:1FBB 08 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
"""
HERE = ("127.0.0.1", 8123)


@pytest.mark.parametrize(
    ("port", "uid"),
    [
        (0xC001, 1001),
        (0xC002, None),  # it has ended, and the kernel says root's
        (0xC003, None),
        (0xC004, None),
    ],
)
def test_the_table_says_whose_the_other_end_is(port: int, uid: int | None) -> None:
    assert owner(TABLE.splitlines(), at=("127.0.0.1", port), towards=HERE) == uid


def test_an_address_of_ipv6_is_spelled_as_the_kernel_does() -> None:
    line = (
        "   0: 00000000000000000000000001000000:C001 00000000000000000000000001000000:1FBB 01 "
        "00000000:00000000 00:00000000 00000000  1001        0 2 1 0 20 4 30 10 -1"
    )
    assert owner([line], at=("::1", 0xC001), towards=("::1", 8123)) == 1001


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_this_process_is_ours(address: str) -> None:
    seen: asyncio.Queue[bool] = asyncio.Queue()

    class Look(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen.put_nowait(is_ours(transport))
            transport.close()

    try:
        server = await asyncio.get_running_loop().create_server(Look, address, 0)
    except OSError:
        pytest.skip("this machine has no such address")
    async with server:
        _, writer = await asyncio.open_connection(address, server.sockets[0].getsockname()[1])
        assert await seen.get()
        writer.close()
        await writer.wait_closed()


async def test_another_user_s_process_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a table in which it is somebody else's: root's may come, as it may to the daemon's socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        ours = is_ours(_Ends(writer.get_extra_info("peername"), writer.get_extra_info("sockname")))
        assert ours is (os.getuid() == 0)
        writer.close()
        await writer.wait_closed()


class _Ends(asyncio.Transport):
    """A connection as its other end has it."""

    def __init__(self, sockname: tuple[str, int], peername: tuple[str, int]) -> None:
        super().__init__({"sockname": sockname, "peername": peername})
