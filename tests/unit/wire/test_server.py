"""The server as a raw client sees it: lines in, lines out."""

import asyncio
import contextlib
import json
import logging
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashdeck import rpc
from flashdeck.api import (
    HIGHEST_PROTOCOL,
    LOWEST_PROTOCOL,
    METHODS,
    Empty,
    Flash,
    GetBoards,
    GetStatus,
    Hello,
    JobList,
    Subscribe,
    Wait,
)
from flashdeck.errors import BlockedError
from flashdeck.value import Value
from flashdeckd.server import connection as connection_module
from flashdeckd.server.backlog import LINES_KEPT, THINGS_KEPT, Backlog
from flashdeckd.server.connection import HELLO_LINE, Connection, drained
from flashdeckd.server.server import MAX_CONNECTIONS, RESERVED_CONNECTIONS, Server
from flashdeckd.state.hub import Hub
from job_states import DONE
from unit.wire.peer import HELLO, Peer, board, is_there, job, make_hub, peer, short_directory

ENDLESS = 3600.0
"""Seconds of patience with a client that takes nothing for the length of a test, however busy the machine is."""


class Gate:
    """A `wait` that ends when told to, and says when it was begun and cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self, _params: Wait, _connection: Connection) -> Value:
        self.begun.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return JobList(jobs=())


async def status(client: Peer, number: int) -> dict[str, Any]:
    client.call(number, "status")
    answer = await client.receive()
    assert answer["id"] == number
    return answer["result"]


# Hello


async def test_hello_introduces_both_sides(hub: Hub, path: Path) -> None:
    seen: list[str] = []

    async def note(_params: Any, connection: Connection) -> Value:
        seen.append(connection.client)
        return Empty()

    async with Server(hub, {GetBoards: note}).listening(path), peer(path, hello=False) as client:
        client.send(HELLO)
        assert (await client.receive())["result"] == {
            "protocol": 2,
            "lowest": LOWEST_PROTOCOL,
            "highest": HIGHEST_PROTOCOL,
            "daemon": "9.8.7",
            "host": "host",
            "instance": "instance",
        }
        client.call(1, "boards")
        await client.receive()
    assert seen == ["peer"]


@pytest.mark.parametrize(
    ("first", "code", "kind"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"status"}', rpc.Code.INVALID_REQUEST, "bad-request"),
        (b'{"jsonrpc":"2.0","method":"hello","params":{"protocol":1}}', rpc.Code.INVALID_REQUEST, "bad-request"),
        (b"GET / HTTP/1.1", rpc.Code.PARSE_ERROR, "bad-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"hello"}', rpc.Code.INVALID_PARAMS, "bad-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}', 8, "protocol-mismatch"),
        (b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":9,"lowest":9}}', 8, "protocol-mismatch"),
        (json.dumps(HELLO).encode() + b" " * HELLO_LINE, 2, "bad-request"),
    ],
)
async def test_anything_but_a_good_hello_is_refused_and_closed(
    hub: Hub, path: Path, first: bytes, code: int, kind: str
) -> None:
    async with Server(hub, {}).listening(path), peer(path, hello=False) as client:
        client.send(first)
        error = await client.error()
        assert (error["code"], error["data"]["kind"]) == (code, kind)
        assert await client.at_end()


async def test_a_silent_client_is_closed(hub: Hub, path: Path) -> None:
    async with Server(hub, {}, hello_timeout=0.01).listening(path), peer(path, hello=False) as client:
        client.writer.write(b'{"jsonrpc":')
        assert await client.at_end()


async def test_the_time_for_hello_does_not_end_a_greeted_connection(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, passed = asyncio.get_running_loop(), 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + passed)
    async with Server(hub, {}, hello_timeout=ENDLESS).listening(path), peer(path) as client:
        async with peer(path, hello=False) as silent:
            ended = asyncio.create_task(silent.at_end())
            while not ended.done():
                passed += ENDLESS  # for whoever is connected by now, so for the other one as well
                await asyncio.sleep(0)
            assert await ended
        assert await status(client, 1)


# Calls


async def test_garbage_is_answered_and_the_connection_goes_on(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        for line, code in (
            (b"{", rpc.Code.PARSE_ERROR),
            (b"", rpc.Code.PARSE_ERROR),
            (b"[]", rpc.Code.INVALID_REQUEST),
            (b'{"jsonrpc":"2.0","id":1,"method":"option-bytes"}', rpc.Code.METHOD_NOT_FOUND),
            (b'{"jsonrpc":"2.0","id":1,"method":"flash"}', rpc.Code.METHOD_NOT_FOUND),
            (b'{"jsonrpc":"2.0","id":1,"method":"status","params":[]}', rpc.Code.INVALID_PARAMS),
        ):
            client.send(line)
            error = await client.error()
            assert error["code"] == code
            assert error["data"]["kind"] == "bad-request"
        assert await status(client, 2)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_no_bytes_stop_the_server(lines: list[bytes]) -> None:
    async def scenario() -> None:
        with short_directory() as directory:
            async with Server(make_hub(), {}).listening(directory / "s"):
                async with peer(directory / "s", hello=False) as stranger:
                    stranger.send(*lines)
                    stranger.writer.write_eof()
                    await stranger.reader.read()
                async with peer(directory / "s") as client:
                    client.send(*lines)
                    client.call(1, "status")
                    while (await client.receive())["id"] != 1:
                        pass

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [rpc.MAX_LINE + 1, 5 * rpc.MAX_LINE])
async def test_an_overlong_line_is_skipped_and_refused(hub: Hub, path: Path, size: int) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        client.send(b"x" * size)
        error = await client.error()
        assert error["code"] == rpc.Code.INVALID_REQUEST
        assert str(size) in error["message"]
        assert await status(client, 1)


async def test_a_line_of_the_greatest_length_is_taken(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        line = b'{"jsonrpc":"2.0","id":1,"method":"status"}'
        client.send(line + b" " * (rpc.MAX_LINE - len(line)))
        assert (await client.receive())["id"] == 1


async def test_a_notification_gets_no_answer(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        client.send({"jsonrpc": "2.0", "method": "status"})
        assert await status(client, 1)


async def test_an_id_may_be_a_string(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        client.send({"jsonrpc": "2.0", "id": "mine", "method": "status"})
        assert (await client.receive())["id"] == "mine"


async def test_a_waiting_call_does_not_hold_up_others(hub: Hub, path: Path) -> None:
    gate = Gate()
    async with Server(hub, {Wait: gate.wait}).listening(path), peer(path) as client:
        client.call(1, "wait", partition="app1")
        await gate.begun.wait()
        assert await status(client, 2)
        gate.opened.set()
        assert (await client.receive())["id"] == 1


async def test_calls_in_flight_are_capped_and_only_those_beyond_are_refused(hub: Hub, path: Path) -> None:
    gate = Gate()
    async with Server(hub, {Wait: gate.wait}).listening(path), peer(path) as client:
        for number in range(1, rpc.MAX_CALLS + 3):
            client.call(number, "wait", partition="app1")
        refused = [await client.receive(), await client.receive()]
        assert [answer["id"] for answer in refused] == [rpc.MAX_CALLS + 1, rpc.MAX_CALLS + 2]
        assert all(str(rpc.MAX_CALLS) in answer["error"]["message"] for answer in refused)
        gate.opened.set()
        answered = [await client.receive() for _ in range(rpc.MAX_CALLS)]
        assert {answer["id"] for answer in answered} == set(range(1, rpc.MAX_CALLS + 1))
        assert await status(client, 99)


async def test_a_thousand_calls_in_one_write_are_all_answered(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        for number in range(1000):
            client.call(number, "status")
        answers = [await client.receive() for _ in range(1000)]
        assert [answer["id"] for answer in answers] == list(range(1000))
        assert all("result" in answer for answer in answers)


async def test_a_client_that_only_asks_is_read_no_further_than_its_answers_fit(hub: Hub, path: Path) -> None:
    served = 0
    big = JobList(jobs=tuple(job(number) for number in range(500)))

    async def answer(_params: Any, _connection: Connection) -> Value:
        nonlocal served
        served += 1
        return big

    size = len(rpc.encode_response(1, big))
    async with Server(hub, {Flash: answer}, patience=ENDLESS).listening(path), peer(path) as deaf, peer(path) as other:
        deaf.stop_reading()
        for number in range(1000):
            deaf.call(number, "flash", partition="a")
        for number in range(200):
            await status(other, number)
        # What the kernel's buffers took, what may be queued, and what was in flight.
        assert served < (rpc.MAX_LINE + 2**20) / size + rpc.MAX_CALLS
        deaf.go_on_reading()
        assert [(await deaf.receive())["id"] for _ in range(1000)] == list(range(1000))


async def test_errors_of_handlers_are_answered_with_kind_and_hint(hub: Hub, path: Path) -> None:
    async def held(_params: Any, _connection: Connection) -> Value:
        raise BlockedError("left is held: bench closed", hint="release it")

    async with Server(hub, {Flash: held}).listening(path), peer(path) as client:
        client.call(1, "flash", partition="app1")
        assert await client.error() == {
            "code": 13,
            "message": "left is held: bench closed",
            "data": {"kind": "held", "hint": "release it"},
        }


async def test_a_fault_in_a_handler_is_logged_and_costs_one_call(
    hub: Hub, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_params: Any, _connection: Connection) -> Value:
        raise ZeroDivisionError("by zero \x1b[31m")

    async with Server(hub, {Flash: broken}).listening(path), peer(path) as client:
        client.call(1, "flash", partition="app1")
        error = await client.error()
        assert error["code"] == rpc.Code.INTERNAL_ERROR
        assert error["data"]["kind"] == "other"
        assert "ZeroDivisionError" in error["message"]
        assert "\x1b" not in error["message"]
        assert await status(client, 2)
    assert any(record.exc_info for record in caplog.records)


async def test_a_handler_whose_work_was_cancelled_still_answers(hub: Hub, path: Path) -> None:
    async def cancelled(_params: Any, _connection: Connection) -> Value:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    async with Server(hub, {Flash: cancelled}).listening(path), peer(path) as client:
        client.call(1, "flash", partition="app1")
        assert (await client.error())["data"]["kind"] == "interrupted"


async def test_an_answer_longer_than_a_line_becomes_an_error(hub: Hub, path: Path) -> None:
    async def long(_params: Any, _connection: Connection) -> Value:
        return JobList(jobs=tuple(job(number) for number in range(10_000)))

    async with Server(hub, {Flash: long}).listening(path), peer(path) as client:
        client.call(1, "flash", partition="app1")
        assert str(rpc.MAX_LINE) in (await client.error())["message"]
        assert await status(client, 2)


async def test_text_that_no_line_can_carry_becomes_an_error(hub: Hub, path: Path) -> None:
    async def unprintable(_params: Any, _connection: Connection) -> Value:
        return board("\udc80")

    async with Server(hub, {Flash: unprintable}).listening(path), peer(path) as client:
        client.call(1, "flash", partition="app1")
        assert (await client.error())["data"]["kind"] == "other"
        assert await status(client, 2)


# The end of a connection


async def test_a_client_that_leaves_takes_its_calls_and_resources_with_it(hub: Hub, path: Path) -> None:
    gate = Gate()
    closed = asyncio.Event()

    async def hold_on(params: Wait, connection: Connection) -> Value:
        connection.on_close(closed.set)
        return await gate.wait(params, connection)

    async with Server(hub, {Wait: hold_on}).listening(path):
        async with peer(path) as client:
            client.call(1, "wait", partition="app1")
            await gate.begun.wait()
            assert not closed.is_set()
        await gate.cancelled.wait()
        await closed.wait()


async def test_a_client_that_ends_its_input_gets_the_answers_that_are_ready(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path, hello=False) as client:
        client.send(HELLO)
        client.call(1, "status")
        client.call(2, "status")
        client.writer.write_eof()
        assert [(await client.receive())["id"] for _ in range(3)] == [0, 1, 2]
        assert await client.at_end()


async def test_a_half_line_at_the_end_is_not_served(hub: Hub, path: Path) -> None:
    called = False

    async def flash(_params: Any, _connection: Connection) -> Value:
        nonlocal called
        called = True
        return JobList(jobs=())

    async with Server(hub, {Flash: flash}).listening(path), peer(path) as client:
        client.writer.write(b'{"jsonrpc":"2.0","id":1,"method":"flash","params":{"partition":"app1"}}')
        client.writer.write_eof()
        assert await client.at_end()
    assert not called


async def test_the_server_ends_with_clients_connected_and_calls_running(hub: Hub, path: Path) -> None:
    gate = Gate()
    async with contextlib.AsyncExitStack() as stack:
        async with Server(hub, {Wait: gate.wait}).listening(path):
            client = await stack.enter_async_context(peer(path))
            client.call(1, "wait", partition="app1")
            await gate.begun.wait()
        assert gate.cancelled.is_set()
        assert await client.at_end()
    assert not is_there(path)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_client_that_is_just_connecting_is_let_go_when_the_server_ends(
    hub: Hub, path: Path, ticks: int
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(0)
        async with Server(hub, {}).listening(path):
            client.connect(str(path))
            for _ in range(ticks):
                await asyncio.sleep(0)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b""


async def test_answers_that_are_ready_outlive_the_clients_input_and_running_calls_do_not(hub: Hub, path: Path) -> None:
    gate = Gate()
    big = JobList(jobs=tuple(job(number) for number in range(500)))

    async def answer(_params: Any, _connection: Connection) -> Value:
        return big

    async with Server(hub, {Wait: gate.wait, Flash: answer}, patience=ENDLESS).listening(path), peer(path) as client:
        client.stop_reading()
        client.call(1, "wait", partition="app1")
        for number in range(2, 7):
            client.call(number, "flash", partition="app1")
        client.writer.write_eof()
        await gate.cancelled.wait()
        client.go_on_reading()
        assert [(await client.receive())["id"] for _ in range(2, 7)] == list(range(2, 7))
        assert await client.at_end()


# Events


async def test_a_subscriber_gets_a_snapshot_and_then_numbered_events(hub: Hub, path: Path) -> None:
    hub.publish_board(board("left"))
    async with Server(hub, {}).listening(path), peer(path) as client:
        client.call(1, "subscribe")
        snapshot = (await client.receive())["result"]
        assert [entry["name"] for entry in snapshot["boards"]] == ["left"]
        hub.publish_board(board("left", "bench closed"))
        hub.log("closed")
        first, second = await client.receive(), await client.receive()
        assert first["method"] == second["method"] == "event"
        assert "id" not in first
        assert first["params"]["board"]["hold"]["reason"] == "bench closed"
        assert second["params"]["log"]["text"] == "closed"
        assert [first["params"]["seq"], second["params"]["seq"]] == [snapshot["seq"] + 1, snapshot["seq"] + 2]


async def test_nobody_else_gets_events(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path) as client:
        hub.log("unheard")
        assert await status(client, 1)


async def test_snapshot_and_events_are_without_a_gap_while_others_publish(hub: Hub, path: Path) -> None:
    async def publish() -> None:
        step = 0
        while True:
            step += 1
            hub.publish_board(board("left", str(step)))
            hub.log(str(step))
            await asyncio.sleep(0)

    async with Server(hub, {}).listening(path), peer(path) as client:
        publisher = asyncio.create_task(publish())
        try:
            for number in range(1, 30):
                client.call(number, "subscribe")
                while "result" not in (message := await client.receive()):
                    pass  # events of the subscription before
                snapshot = message["result"]
                held = int(snapshot["boards"][0]["hold"]["reason"]) if "boards" in snapshot else 0
                line: int | None = None
                for count in range(1, 20):
                    event = (await client.receive())["params"]
                    assert event["seq"] == snapshot["seq"] + count
                    if "log" in event:
                        assert line is None or int(event["log"]["text"]) == line + 1
                        line = int(event["log"]["text"])
                    else:
                        assert int(event["board"]["hold"]["reason"]) > held
                        held = int(event["board"]["hold"]["reason"])
        finally:
            publisher.cancel()


async def test_a_flood_costs_the_stuck_client_its_connection_and_nobody_else_anything(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backlogs: list[Backlog] = []
    subscribed = asyncio.Event()

    class Watched(Backlog):
        def __init__(self, seq: int) -> None:
            super().__init__(seq)
            backlogs.append(self)
            subscribed.set()

    monkeypatch.setattr(connection_module, "Backlog", Watched)
    caplog.set_level(logging.WARNING, "flashdeckd")
    async with Server(hub, {}, patience=ENDLESS).listening(path), peer(path) as stuck, peer(path) as other:
        stuck.stop_reading()
        stuck.call(1, "subscribe")
        await subscribed.wait()
        other.call(1, "subscribe")
        seq = (await other.receive())["result"]["seq"]
        for number in range(100_000):
            hub.log(str(number))
            hub.publish_job(job(1, number + 1))
            if number % 500 == 499:
                # 500 lines, and the newest of 500 states.
                events = [(await other.receive())["params"] for _ in range(501)]
                assert [event["seq"] for event in events] == list(range(seq + 1, seq + 502))
                assert events[-1]["job"]["status"]["done"] == number + 1
                seq += 501
                assert len(backlogs[0]) <= LINES_KEPT + 1
                assert await status(other, number)
        assert len(backlogs[0]) == LINES_KEPT + 1

        # More things than are kept: now the stuck client is cut off, and only that one.
        for number in range(2, THINGS_KEPT + 2):
            assert not caplog.records
            hub.publish_job(
                msgspec.structs.replace(job(number), status=DONE)
            )  # an answer with so many running is too long
            assert (await other.receive())["params"]["job"]["id"] == number
        assert [record.message for record in caplog.records if "cut off" in record.message] == [
            "cut off client 'peer': more events wait for it than are kept"
        ]
        stuck.go_on_reading()
        await stuck.rest()
        assert await status(other, 2)


async def test_a_client_that_takes_nothing_for_long_is_cut_off(
    hub: Hub, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(hub, {}, patience=0.02).listening(path), peer(path) as stuck:
        stuck.call(1, "subscribe")
        await stuck.receive()
        stuck.stop_reading()
        while not caplog.records:
            hub.log("x" * 300)
            await asyncio.sleep(0)
        assert "cut off client 'peer'" in caplog.records[-1].message
        stuck.go_on_reading()
        assert await stuck.rest() > 0


class Trickle(asyncio.Transport):
    """The buffer of a client of which one look after the other finds so many bytes left."""

    def __init__(self, *left: int) -> None:
        super().__init__()
        self.left = list(left)

    def get_write_buffer_size(self) -> int:
        return self.left.pop(0)

    def is_closing(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("left", "all_taken"),
    [((100, 99, 99, 50, 50, 49, 49), True), ((100, 99, 99, 99), False), ((100, 100), False)],
)
async def test_a_slow_client_is_patiently_waited_for_while_it_takes_anything(
    left: tuple[int, ...], all_taken: bool
) -> None:
    trickle = Trickle(*left)

    class Writer(asyncio.StreamWriter):
        async def drain(self) -> None:
            if len(trickle.left) > 0:
                await asyncio.Event().wait()

    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    writer = Writer(trickle, protocol, None, asyncio.get_running_loop())
    assert await drained(writer, 0.0) is all_taken


async def test_a_client_that_reads_again_in_time_is_told_what_it_missed(hub: Hub, path: Path) -> None:
    async with Server(hub, {}, patience=ENDLESS).listening(path), peer(path) as slow:
        slow.call(1, "subscribe")
        seq = (await slow.receive())["result"]["seq"]
        slow.stop_reading()
        total = 20_000
        for number in range(total):
            hub.log(str(number))
            if number % 100 == 0:
                await asyncio.sleep(0)
        slow.go_on_reading()
        lines = 0
        dropped = 0
        while True:
            event = (await slow.receive())["params"]
            seq += 1
            assert event["seq"] == seq
            text = event["log"]["text"]
            if "dropped" in text:
                dropped += int(text.split()[0])
            else:
                lines += 1
            if text == str(total - 1):
                break
        assert dropped > 0
        assert lines + dropped == total


# Who may connect


@pytest.mark.parametrize("uid", [1, 65534])
async def test_another_users_connection_is_closed_before_it_said_anything_and_told_why(
    hub: Hub, path: Path, uid: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(hub, {}, peer_uid=lambda _socket: uid).listening(path), peer(path, hello=False) as client:
        error = await client.error()
        assert error["data"]["kind"] == "no-permission"
        assert f"uid {uid} may not connect" in error["message"]
        client.send(HELLO)
        assert await client.at_end()
    assert f"uid {uid}" in caplog.text


async def test_root_may_connect(hub: Hub, path: Path) -> None:
    async with Server(hub, {}, peer_uid=lambda _socket: 0).listening(path), peer(path) as client:
        assert await status(client, 1)


async def test_connections_are_capped(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(peer(path)) for _ in range(MAX_CONNECTIONS)]
        for _ in range(RESERVED_CONNECTIONS):
            await stack.enter_async_context(peer(path))
        async with peer(path, hello=False) as refused:
            refused.send(HELLO)
            error = await refused.error()
            assert error["message"] == f"{MAX_CONNECTIONS} clients are connected to flashdeckd already"
            assert error["data"]["kind"] == "unreachable"
            assert await refused.at_end()
        assert await status(clients[0], 1)


async def answered(client: Peer, method: str) -> bool:
    client.call(4, method)
    return "result" in await client.receive()


async def test_a_guest_may_ask_and_stop_things_and_is_a_client_once_there_is_room(hub: Hub, path: Path) -> None:
    done: list[str] = []

    async def note(params: Any, _connection: Connection) -> Value:
        done.append(type(params).__name__)
        return Empty()

    handlers = {params: note for params in METHODS.values() if params not in (Hello, Subscribe, GetStatus)}
    async with Server(hub, handlers).listening(path), contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(peer(path)) for _ in range(MAX_CONNECTIONS)]
        guest = await stack.enter_async_context(peer(path))
        assert await status(guest, 1)
        params = {"cancel": {"job": 1}}
        for method in ("boards", "jobs", "logs", "history", "versions", "hold", "disarm", "cancel"):
            guest.call(2, method, **params.get(method, {}))
            assert "result" in await guest.receive(), method
        allowed = {"GetBoards", "GetJobs", "GetLogs", "GetHistory", "GetVersions", "Hold", "Disarm", "Cancel"}
        assert set(done) == allowed
        for method in ("subscribe", "flash", "wait", "take", "release", "arm", "upload.begin", "config.reload"):
            guest.call(3, method, partition="app1", name="a.bin", size=1)
            error = (await guest.receive())["error"]
            assert error["data"]["kind"] == "unreachable", method
            assert "clients are connected" in error["message"]
        assert set(done) == allowed
        clients[0].writer.close()
        await clients[0].writer.wait_closed()
        async with asyncio.timeout(30):
            while not await answered(guest, "arm"):
                pass  # the server has not yet seen that it is gone
        guest.call(5, "subscribe")
        assert "result" in await guest.receive()


@pytest.mark.long
async def test_connections_that_say_nothing_are_capped_too(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), contextlib.AsyncExitStack() as stack:
        for _ in range(2 * MAX_CONNECTIONS):
            await stack.enter_async_context(peer(path, hello=False))
        async with peer(path, hello=False) as refused:
            assert await refused.at_end()
