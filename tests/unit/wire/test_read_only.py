"""A connection that is read-only: the daemon refuses what changes something, and nothing widens it again."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from flashdeck import rpc
from flashdeck.api import EFFECTS, METHODS, Effect, Empty, GetStatus, Hello, Params, Subscribe, changes
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, ExitCode, RemoteError
from flashdeck.value import Value
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import MAX_CONNECTIONS, RESERVED_CONNECTIONS, Server
from flashdeckd.state.hub import Hub
from unit.wire.peer import HELLO, Peer, peer

NARROW = {"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"protocol": 2, "client": "a", "read_only": True}}
BUILT_IN = (Hello, Subscribe, GetStatus)
PARAMS: dict[str, dict[str, object]] = {
    name: {
        field.encode_name: {int: 1, str: "x", bytes: ""}.get(field.type, [])
        for field in msgspec.structs.fields(params)
        if field.required
    }
    for name, params in METHODS.items()
}
"""The least that each method takes; a tuple of numbers may be empty."""


class Noting:
    """Handlers for everything, and what got through to them."""

    def __init__(self) -> None:
        self.came: list[type[Params[Any]]] = []
        self.handlers = {params: self._note for params in METHODS.values() if params not in BUILT_IN}

    async def _note(self, params: Any, _connection: Connection) -> Value:
        self.came.append(cast("type[Params[Any]]", type(params)))
        return Empty()


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
async def narrow(hub: Hub, path: Path, noting: Noting) -> AsyncGenerator[Peer]:
    async with Server(hub, noting.handlers).listening(path), peer(path, hello=False) as client:
        client.send(NARROW)
        assert (await client.receive())["result"]["read_only"] is True
        yield client


def test_every_method_says_if_it_changes_something() -> None:
    assert EFFECTS.keys() == METHODS.keys()


def test_one_that_did_not_say_would_count_as_one_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flashdeck.api.EFFECTS", {})
    assert all(map(changes, METHODS.values()))


@pytest.mark.parametrize("name", METHODS)
def test_what_only_reads_asks_for_nothing_to_be_done(name: str) -> None:
    """By its own description, which a person wrote: a method that does something begins with what it does."""
    doc = (METHODS[name].__doc__ or "").partition(" ")[0]
    does = re.compile(r"(Queues|Puts|Ends|Takes|Makes|Announces|Confirms|Reads|Connects|Pulls|Presses|Arms|Plans)")
    if EFFECTS[name] is Effect.READS and name != "hello":
        assert not does.match(doc), doc


@pytest.mark.parametrize("name", METHODS)
async def test_each_method_is_answered_or_refused_by_its_effect(narrow: Peer, noting: Noting, name: str) -> None:
    narrow.call(1, name, **(NARROW["params"] if name == "hello" else PARAMS[name]))  # type: ignore[arg-type]  # a dict
    answer = await narrow.receive()
    if EFFECTS[name] is Effect.READS:
        assert "result" in answer, answer
        return
    error = answer["error"]
    assert (error["code"], error["data"]["kind"]) == (ExitCode.NO_PERMISSION, "no-permission")
    assert error["message"] == f"this connection is read-only: '{name}' is refused"
    assert "--read-only" in error["data"]["hint"]
    assert not noting.came


async def test_what_is_refused_is_not_even_looked_at(narrow: Peer, noting: Noting) -> None:
    narrow.call(1, "flash", partition=17)
    assert (await narrow.error())["data"]["kind"] == "no-permission"
    narrow.call(2, "nothing")
    assert (await narrow.error())["code"] == rpc.Code.METHOD_NOT_FOUND
    assert not noting.came


@pytest.mark.parametrize("again", [HELLO, {**HELLO, "params": {"protocol": 2, "read_only": False}}])
async def test_no_later_hello_widens_it(narrow: Peer, noting: Noting, again: dict[str, Any]) -> None:
    narrow.send(again)
    assert (await narrow.receive())["result"]["read_only"] is True
    narrow.call(1, "hold", boards=["left"])
    assert (await narrow.error())["data"]["kind"] == "no-permission"
    narrow.send({**HELLO, "params": {"protocol": 9, "lowest": 9}})  # one that is refused
    assert (await narrow.error())["data"]["kind"] == "protocol-mismatch"
    narrow.call(2, "hold", boards=["left"])
    assert (await narrow.error())["data"]["kind"] == "no-permission"
    assert not noting.came


async def test_a_lease_does_not_widen_it(narrow: Peer, noting: Noting) -> None:
    narrow.call(1, "lease.use", token="x")  # noqa: S106 - nobody's
    assert (await narrow.error())["data"]["kind"] == "no-permission"
    assert not noting.came


async def test_a_later_hello_narrows_a_connection_that_was_wide(hub: Hub, path: Path, noting: Noting) -> None:
    async with Server(hub, noting.handlers).listening(path), peer(path) as client:
        client.call(1, "hold", boards=["left"])
        assert "result" in await client.receive()
        client.send(NARROW)
        assert (await client.receive())["result"]["read_only"] is True
        client.call(2, "hold", boards=["left"])
        assert (await client.error())["data"]["kind"] == "no-permission"


async def test_others_are_as_wide_as_ever(narrow: Peer, path: Path, noting: Noting) -> None:
    async with peer(path) as other:
        other.call(1, "hold", boards=["left"])
        assert "result" in await other.receive()
    assert [each.__name__ for each in noting.came] == ["Hold"]
    del narrow


async def test_a_second_hello_takes_no_second_place(hub: Hub, path: Path) -> None:
    """It is heard also where there is no room for anybody else."""
    async with Server(hub, {}).listening(path), asyncio.TaskGroup() as crowd, asyncio.timeout(60):
        full = asyncio.Event()
        leave = asyncio.Event()
        present = 0

        async def come() -> None:
            nonlocal present
            async with peer(path) as client:
                present += 1
                if present == MAX_CONNECTIONS + RESERVED_CONNECTIONS - 1:
                    full.set()
                client.call(1, "subscribe")  # so that it does not make room
                await leave.wait()

        async with peer(path) as client:
            client.call(1, "subscribe")
            await client.receive()
            for _ in range(MAX_CONNECTIONS + RESERVED_CONNECTIONS - 1):
                crowd.create_task(come())
            await full.wait()
            client.send(NARROW)
            while "result" not in (said := await client.receive()):
                assert "error" not in said, said
            assert said["result"]["read_only"] is True
        leave.set()


async def test_a_client_asks_for_it_and_is_told(hub: Hub, path: Path, noting: Noting) -> None:
    async with Server(hub, noting.handlers).listening(path):
        async with await Client.connect(path, client="test", read_only=True) as client:
            assert client.welcome.read_only
            with pytest.raises(RemoteError) as refused:
                await client.call(msgspec.convert({"boards": ["left"]}, METHODS["hold"]))
            assert (refused.value.kind, refused.value.exit_code) == (ErrorKind.NO_PERMISSION, ExitCode.NO_PERMISSION)
        async with await Client.connect(path, client="test") as client:
            assert not client.welcome.read_only


async def test_a_daemon_that_cannot_do_it_is_not_used(hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of an earlier release ignores what it does not know: the connection would be wide."""

    async def older(self: Server, _params: Hello, _connection: Connection) -> Value:
        return await real(self, Hello(protocol=2), _connection)

    real = cast("Any", Server)._hello
    monkeypatch.setattr(Server, "_hello", older)
    async with Server(hub, {}).listening(path):
        with pytest.raises(ConnectionFailedError, match="cannot make a connection read-only") as failed:
            await Client.connect(path, client="test", read_only=True)
        assert failed.value.exit_code == ExitCode.PROTOCOL_MISMATCH
        async with await Client.connect(path, client="test") as client:
            assert not client.welcome.read_only
