"""The client against the real server, and against daemons that misbehave."""

import asyncio
import contextlib
import gc
import json
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from flashdeck import __version__, rpc, stream
from flashdeck import client as client_module
from flashdeck.api import (
    HIGHEST_PROTOCOL,
    LOWEST_PROTOCOL,
    METHODS,
    Flash,
    GetJobs,
    GetStatus,
    Hello,
    JobList,
    Params,
    Subscribe,
    UploadChunk,
    Wait,
    WaitJobs,
    Welcome,
)
from flashdeck.client import Client
from flashdeck.errors import BlockedError, ConnectionFailedError, ErrorKind, RemoteError, RequestError
from flashdeck.job_state import Failure
from flashdeck.model import Event, Snapshot
from flashdeck.value import Value
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub
from idle_loop import until_nothing_is_ready
from unit.wire.peer import board, is_there, job, make_hub


def sample(kind: inspect.Type) -> Any:  # noqa: PLR0911 - one for each kind of type
    """Some value of a type, with every field set to what is not its default."""
    match kind:
        case inspect.StructType(cls, fields):
            return cls(**{field.name: sample(field.type) for field in fields})
        case inspect.UnionType(types):
            return sample(next(one for one in types if not isinstance(one, inspect.NoneType)))
        case inspect.VarTupleType(item_type):
            return (sample(item_type), sample(item_type))
        case inspect.TupleType(item_types):
            return tuple(map(sample, item_types))
        case inspect.EnumType(cls):
            return list(cls)[-1]
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return 0x08020000
        case inspect.FloatType():
            return 0.125
        case inspect.BytesType():
            return bytes(range(256))
        case _:
            assert isinstance(kind, inspect.StrType)
            return 'Ünï "code"'


async def test_every_method_carries_its_parameters_and_its_result(hub: Hub, path: Path) -> None:
    async def answer(params: Params[Any], _connection: object) -> Value:
        return results[params]  # found only if the parameters arrived as they were sent

    others = set(METHODS.values()) - {Hello, Subscribe, GetStatus}
    results: dict[Params[Any], Value] = {
        sample(inspect.type_info(params)): sample(inspect.type_info(rpc.result_type(params))) for params in others
    }
    server = Server(hub, dict.fromkeys(others, answer))
    async with server.listening(path), await Client.connect(path, client="test") as client:
        for params, result in results.items():
            assert await client.call(params) == result
        assert await client.call(GetStatus()) == hub.snapshot()
        assert client.welcome == Welcome(
            protocol=HIGHEST_PROTOCOL,
            lowest=LOWEST_PROTOCOL,
            highest=HIGHEST_PROTOCOL,
            daemon="9.8.7",
            host="host",
            instance="instance",
        )


async def test_answers_find_their_calls_in_any_order(hub: Hub, path: Path) -> None:
    waiting: dict[int, asyncio.Future[None]] = {}
    all_there = asyncio.Event()
    total = rpc.MAX_CALLS

    async def wait(params: WaitJobs, _connection: object) -> Value:
        (number,) = params.ids
        waiting[number] = asyncio.get_running_loop().create_future()
        if len(waiting) == total:
            all_there.set()
        await waiting[number]
        return JobList(jobs=(job(number),))

    async with Server(hub, {WaitJobs: wait}).listening(path), await Client.connect(path, client="test") as client:
        calls = [asyncio.create_task(client.call(WaitJobs(ids=(number,)))) for number in range(total)]
        await all_there.wait()
        for number in reversed(range(total)):
            waiting[number].set_result(None)
            assert (await calls[number]).jobs[0].id == number


async def test_more_calls_than_fit_wait_for_their_turn(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        answers = await asyncio.gather(*(client.call(GetStatus()) for _ in range(10 * rpc.MAX_CALLS)))
        assert all(answer == hub.snapshot() for answer in answers)


async def test_a_cancelled_call_disturbs_no_other(hub: Hub, path: Path) -> None:
    begun = asyncio.Event()
    release = asyncio.Event()

    async def wait(_params: Wait, _connection: object) -> Value:
        begun.set()
        await release.wait()
        return JobList(jobs=())

    async with Server(hub, {Wait: wait}).listening(path), await Client.connect(path, client="test") as client:
        call = asyncio.create_task(client.call(Wait(partition="app1")))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.call(GetStatus())
        release.set()  # the late answer finds nobody
        await asyncio.gather(*(client.call(GetStatus()) for _ in range(2 * rpc.MAX_CALLS)))


async def test_a_call_cancelled_while_it_is_sent_leaves_nothing_behind(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(rpc.encode_response(1, Welcome(protocol=HIGHEST_PROTOCOL, daemon="", host="", instance="")))
        await leave.wait()

    async def abandon(client: Client) -> None:
        chunk = UploadChunk(upload=1, data=bytes(rpc.MAX_LINE // 2))
        calls = [asyncio.create_task(client.call(chunk)) for _ in range(rpc.MAX_CALLS)]
        await asyncio.sleep(0)  # they fill every buffer on the way, which the daemon does not empty
        for call in calls:
            call.cancel()
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError)

    async with pretender(path, deaf), await Client.connect(path, client="test") as client:
        await abandon(client)
        leave.set()
        with pytest.raises(ConnectionFailedError):
            await client.call(GetStatus())
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_an_error_arrives_with_kind_message_and_hint(hub: Hub, path: Path) -> None:
    async def held(_params: Flash, _connection: object) -> Value:
        raise BlockedError("left is held", hint="release it", kind=ErrorKind.DISARMED)

    async with Server(hub, {Flash: held}).listening(path), await Client.connect(path, client="test") as client:
        with pytest.raises(RemoteError) as caught:
            await client.call(Flash(partition="app1"))
        assert (caught.value.kind, caught.value.message, caught.value.hint) == (
            ErrorKind.DISARMED,
            "left is held",
            "release it",
        )


async def test_a_call_longer_than_a_line_is_refused_before_it_is_sent(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        for _ in range(rpc.MAX_CALLS + 1):
            with pytest.raises(RequestError, match="upload"):
                await client.call(UploadChunk(upload=1, data=bytes(rpc.MAX_LINE)))
        assert await client.call(GetStatus())


# Connecting


async def test_no_daemon_is_unreachable_and_the_hint_starts_one(path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match=str(path)) as caught:
        await Client.connect(path, client="test")
    assert caught.value.kind is ErrorKind.UNREACHABLE
    assert "flashdeckd" in caught.value.hint


async def test_a_stale_socket_is_unreachable(path: Path) -> None:
    server = await asyncio.start_unix_server(lambda _reader, _writer: None, path)
    server.close()
    if is_there(path):  # Python 3.13 and later remove it
        with pytest.raises(ConnectionFailedError, match=str(path)):
            await Client.connect(path, client="test")


async def test_a_path_too_long_is_unreachable(path: Path) -> None:
    with pytest.raises(ConnectionFailedError, match="too long"):
        await Client.connect(path.with_name("x" * 200), client="test")


async def test_a_closed_door_is_no_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(stream, "connected_socket", refuse)
    with pytest.raises(ConnectionFailedError, match=str(path)) as caught:
        await Client.connect(path, client="test")
    assert caught.value.kind is ErrorKind.NO_PERMISSION


async def test_a_daemon_that_turns_somebody_away_has_said_why(hub: Hub, path: Path) -> None:
    async with Server(hub, {}, peer_uid=lambda _socket: 65534).listening(path):
        with pytest.raises(ConnectionFailedError) as caught:
            await Client.connect(path, client="test")
    assert caught.value.kind is ErrorKind.NO_PERMISSION
    assert "uid 65534 may not connect" in caught.value.message


async def test_a_daemon_of_another_protocol_is_a_mismatch(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LOWEST_PROTOCOL", 9)
    monkeypatch.setattr(client_module, "HIGHEST_PROTOCOL", 10)
    async with Server(hub, {}).listening(path):
        with pytest.raises(ConnectionFailedError, match=rf"protocol 2, flashdeck {__version__} 9 to 10") as caught:
            await Client.connect(path, client="test")
    assert caught.value.kind is ErrorKind.PROTOCOL_MISMATCH


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def pretender(path: Path, script: Script) -> AsyncGenerator[None, None]:
    """A daemon that does what `script` says with each connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_unix_server(accept, path)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(*messages: bytes, hello: bool = True) -> Script:
    """Answers `hello` and then each further line with the next of `messages`; ends after the last."""
    welcome = rpc.encode_response(1, Welcome(protocol=HIGHEST_PROTOCOL, daemon="", host="", instance=""))

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for message in (welcome, *messages) if hello else messages:
            await reader.readline()
            writer.write(message)
            await writer.drain()

    return script


async def test_a_daemon_that_answers_hello_with_another_protocol_is_a_mismatch(path: Path) -> None:
    welcome = rpc.encode_response(1, Welcome(protocol=7, daemon="", host="", instance=""))
    async with pretender(path, says(welcome, hello=False)):
        with pytest.raises(ConnectionFailedError, match="protocol 7") as caught:
            await Client.connect(path, client="test")
    assert caught.value.kind is ErrorKind.PROTOCOL_MISMATCH


async def test_a_daemon_that_never_answers_hello_is_unreachable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    monkeypatch.setattr(stream, "HELLO_TIMEOUT", 0.01)
    async with pretender(path, mute):
        with pytest.raises(ConnectionFailedError, match="did not answer"):
            await Client.connect(path, client="test")


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"{}\n",
        b'{"jsonrpc":"2.0","id":2,"result":\n',
        b"x" * (rpc.MAX_LINE + 2) + b"\n",
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}\n',
        b"\xff\xfe\n",
    ],
    ids=["http", "empty", "cut", "overlong", "unread", "binary"],
)
async def test_what_is_no_answer_ends_the_connection_as_a_mismatch(path: Path, line: bytes) -> None:
    async with pretender(path, says(line)), await Client.connect(path, client="test") as client:
        for _ in range(2):
            with pytest.raises(ConnectionFailedError) as caught:
                await client.call(GetStatus())
            assert caught.value.kind is ErrorKind.PROTOCOL_MISMATCH


async def test_an_answer_that_does_not_fit_fails_that_call_only(hub: Hub, path: Path) -> None:
    messages = (
        b'{"jsonrpc":"2.0","id":2,"result":{"seq":"x"}}\n',
        b'{"jsonrpc":"2.0","id":99,"result":{}}\n' + rpc.encode_response(3, hub.snapshot()),
    )
    async with pretender(path, says(*messages)), await Client.connect(path, client="test") as client:
        with pytest.raises(rpc.MalformedError, match="Snapshot"):
            await client.call(GetStatus())
        assert await client.call(GetStatus()) == hub.snapshot()


async def test_fields_notifications_and_kinds_of_a_newer_daemon_do_no_harm(path: Path) -> None:
    failed = json.loads(rpc.encode_response(2, JobList(jobs=(job(1),))))
    failure = {"kind": "melted", "message": "m", "smoke": 1}
    failed["result"]["jobs"][0] |= {"status": {"state": "failed", "failure": failure}, "smoke": [1]}
    messages = (
        b'{"jsonrpc":"2.0","method":"weather","params":{"rain":true}}\n' + json.dumps(failed).encode() + b"\n",
        b'{"jsonrpc":"2.0","id":3,"error":{"code":77,"message":"m","data":{"kind":"melted"}}}\n',
    )
    async with pretender(path, says(*messages)), await Client.connect(path, client="test") as client:
        assert (await client.call(GetJobs())).jobs[0].failure == Failure(kind=ErrorKind.OTHER, message="m")
        with pytest.raises(RemoteError) as caught:
            await client.call(GetStatus())
        assert caught.value.kind is ErrorKind.OTHER


# Losing the connection


async def test_a_lost_daemon_fails_all_that_waits(hub: Hub, path: Path) -> None:
    begun = asyncio.Event()

    async def wait(_params: Wait, _connection: object) -> Value:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with contextlib.AsyncExitStack() as stack:
        async with Server(hub, {Wait: wait}).listening(path):
            client = await stack.enter_async_context(await Client.connect(path, client="test"))
            subscription = await client.subscribe()
            calls = [asyncio.create_task(client.call(Wait(partition="app1"))) for _ in range(rpc.MAX_CALLS + 5)]
            await begun.wait()
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(ended, ConnectionFailedError)
            assert ended.kind is ErrorKind.UNREACHABLE
        with pytest.raises(ConnectionFailedError):
            await anext(subscription)
        with pytest.raises(ConnectionFailedError):
            await client.call(GetStatus())


async def test_closing_ends_what_waits_and_leaves_no_task(hub: Hub, path: Path) -> None:
    begun = asyncio.Event()

    async def wait(_params: Wait, _connection: object) -> Value:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with Server(hub, {Wait: wait}).listening(path):
        before = asyncio.all_tasks()
        client = await Client.connect(path, client="test")
        call = asyncio.create_task(client.call(Wait(partition="app1")))
        await begun.wait()
        await client.close()
        await client.close()
        with pytest.raises(ConnectionFailedError, match="closed"):
            await call
        assert not {task for task in asyncio.all_tasks() - before if "client" in task.get_name()}


# Events


async def test_a_subscription_has_the_snapshot_and_all_that_follows(hub: Hub, path: Path) -> None:
    hub.publish_board(board("left"))
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        subscription = await client.subscribe()
        assert subscription.snapshot == hub.snapshot()
        hub.publish_board(board("left", "closed"))
        hub.log("line")
        assert (await anext(subscription)).board == board("left", "closed")
        second = await anext(subscription)
        assert second.log is not None
        assert second.log.text == "line"


async def test_every_event_is_seen_once_whenever_the_subscription_begins(hub: Hub, path: Path) -> None:
    total = 3000

    async def publish() -> None:
        for number in range(total):
            hub.log(str(number))
            await asyncio.sleep(0)

    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        publisher = asyncio.create_task(publish())
        subscription = await client.subscribe()
        seen: list[int] = []
        async for event in subscription:
            assert event.log is not None
            seen.append(int(event.log.text))
            if seen[-1] == total - 1:
                break
        await publisher
        assert seen == list(range(subscription.snapshot.seq, total))


async def test_a_gap_ends_the_subscription_after_what_came_before_it(hub: Hub, path: Path) -> None:
    def event(seq: int) -> bytes:
        return rpc.encode_notification("event", Event(seq=seq, board=board("left")))

    messages = (rpc.encode_response(2, hub.snapshot()) + event(1) + event(2) + event(4) + event(5),)
    async with pretender(path, says(*messages, b"")), await Client.connect(path, client="test") as client:
        subscription = await client.subscribe()
        assert [got.seq async for got in subscription] == [1, 2]


async def test_an_iteration_that_falls_too_far_behind_ends(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "EVENTS_KEPT", 10)
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        subscription = await client.subscribe()
        for number in range(12):
            hub.log(str(number))
        await client.call(GetStatus())
        await client.call(GetStatus())
        assert [got.seq async for got in subscription] == list(range(1, 11))


async def test_a_newer_subscription_ends_the_older(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test") as client:
        first, second = await asyncio.gather(client.subscribe(), client.subscribe())
        hub.log("line")
        assert [event async for event in first] == []
        assert (await anext(second)).log is not None


async def test_following_goes_on_with_a_new_snapshot_after_a_gap(hub: Hub, path: Path) -> None:
    other = make_hub()
    other.publish_board(board("left"))
    messages = (
        rpc.encode_response(2, hub.snapshot()) + rpc.encode_notification("event", Event(seq=5, board=board("left"))),
        rpc.encode_response(3, other.snapshot()) + rpc.encode_notification("event", Event(seq=2, board=board("left"))),
    )
    got: list[Snapshot | Event] = []
    async with pretender(path, says(*messages)), await Client.connect(path, client="test") as client:
        changes = client.follow()
        got += [await anext(changes) for _ in range(3)]
        with pytest.raises(ConnectionFailedError):
            await anext(changes)
    assert got == [hub.snapshot(), other.snapshot(), Event(seq=2, board=board("left"))]


def test_the_client_loads_nothing_beyond_msgspec_and_the_standard_library() -> None:
    code = "import sys, flashdeck.client; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    # msgspec takes typing_extensions where it finds it.
    allowed = {"flashdeck", "msgspec", "typing_extensions", "__main__", *sys.stdlib_module_names}
    assert set(loaded.stdout.split()) <= allowed


@contextlib.contextmanager
def full(path: Path) -> Generator[socket.socket]:
    """A socket whose queue of connections is full."""
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as waiting:
        listener.bind(str(path))
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(0)
                client.connect(str(path))
        yield listener


async def test_where_too_many_connect_at_once_the_daemon_is_busy_and_not_to_be_started(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HELLO_TIMEOUT", 2 * stream.FULL_PAUSE)
    with full(path), pytest.raises(ConnectionFailedError, match="busy: too many clients connect at once"):
        await Client.connect(path, client="test")


async def test_whoever_comes_while_others_wait_gets_in_once_they_are_taken(path: Path) -> None:
    with full(path) as listener, contextlib.ExitStack() as taken:
        opening = asyncio.create_task(stream.SocketStream.open(path, limit=rpc.MAX_LINE))
        await until_nothing_is_ready()
        assert not opening.done()
        while not opening.done():
            listener.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                taken.enter_context(listener.accept()[0])
            await asyncio.sleep(0)
        opened = await opening
        opened.writer.close()
        await opened.closed()


async def test_whoever_is_turned_away_at_once_hears_why(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        opened = await stream.SocketStream.open(path, limit=rpc.MAX_LINE)
        door, _ = listener.accept()
        full = ConnectionFailedError("64 clients are connected to flashdeckd already", hint="wait")
        door.sendall(rpc.encode_error(None, full))
        door.close()  # before anything was said
        with pytest.raises(ConnectionFailedError, match="64 clients are connected"):
            await Client.over(opened, client="test")
