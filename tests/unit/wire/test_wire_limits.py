"""How much a client may ask for and how long it is waited for: as much as the number says, and no more."""

import asyncio
import logging
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from asked_times import asked_times
from flashdeck import rpc
from flashdeck.api import (
    CHUNK,
    JOB_PAGE,
    LOG_PAGE,
    BeginUpload,
    GetBoards,
    GetDebugLog,
    GetJobs,
    GetLogs,
    UploadChunk,
)
from flashdeck.client import EVENTS_KEPT, Client, Subscription
from flashdeck.errors import FlashdeckError, RequestError
from flashdeck.model import Event
from flashdeck.stream import HELLO_TIMEOUT as CLIENT_PATIENCE
from flashdeck.text import MAX_MESSAGE
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.enrolment import Enrolment
from flashdeckd.boards.leases import Leases
from flashdeckd.diagnosis.doctor import Doctor
from flashdeckd.host import processes
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.requests.past_log import LogRequests
from flashdeckd.requests.verbs import VerbRequests
from flashdeckd.requests.waiting import WaitRequests
from flashdeckd.server.backlog import LINES_KEPT, THINGS_KEPT, Backlog
from flashdeckd.server.connection import HELLO_LINE, Connection
from flashdeckd.server.endpoint import BACKLOG, claimed
from flashdeckd.server.handlers import LONGEST_LOG_WAIT, Handlers
from flashdeckd.server.seldom import SELDOM_SECONDS, Seldom
from flashdeckd.server.server import (
    ACCEPT_RETRY,
    DOOR_DESCRIPTORS,
    FREE_AGAIN,
    GUEST_SECONDS,
    HELLO_TIMEOUT,
    IDLE_SECONDS,
    LEAST_CONNECTIONS,
    MAX_CONNECTIONS,
    MAX_SILENT,
    PATIENCE,
    RESERVED_CONNECTIONS,
    SPARE_DESCRIPTORS,
    Server,
)
from flashdeckd.server.uploads import MAX_UPLOADS, Uploads
from flashdeckd.state.hub import DEBUG_LINES, JOBS_IN_SNAPSHOT, LOG_LINES, LONGEST_LINE, Hub
from flashdeckd.state.kept_log import KeptLog
from job_states import DONE
from set_clock import set_clock
from unit.wire.peer import HELLO, Peer, board, job, make_hub, peer

# Messages


def test_a_line_has_so_many_bytes() -> None:
    short = len(rpc.encode_request(1, UploadChunk(upload=1, data=b""))) - 1
    longest = (rpc.MAX_LINE - short) // 4 * 3  # base64
    assert rpc.MAX_LINE - 4 < len(rpc.encode_request(1, UploadChunk(upload=1, data=bytes(longest)))) - 1 <= rpc.MAX_LINE
    with pytest.raises(RequestError, match="one line of the protocol"):
        rpc.encode_request(1, UploadChunk(upload=1, data=bytes(longest + 3)))


def test_an_id_has_so_many_characters() -> None:
    def call(name: str) -> bytes:
        return f'{{"jsonrpc": "2.0", "id": "{name}", "method": "status", "params": {{}}}}'.encode()

    assert rpc.decode_request(call("i" * rpc.MAX_ID)).answer_to == "i" * rpc.MAX_ID
    with pytest.raises(rpc.RpcError):
        rpc.decode_request(call("i" * (rpc.MAX_ID + 1)))


def test_an_error_has_so_many_characters() -> None:
    for length in (MAX_MESSAGE, MAX_MESSAGE + 1):
        reply = rpc.decode_incoming(rpc.encode_error(1, FlashdeckError("e" * length)))
        assert isinstance(reply, rpc.Reply)
        assert reply.error is not None
        assert reply.error.message == "e" * MAX_MESSAGE


async def test_so_many_events_are_kept_for_a_reader_that_falls_behind(hub: Hub) -> None:
    events = Subscription(hub.snapshot())
    for seq in range(1, EVENTS_KEPT + 3):
        events.deliver(Event(seq=seq, devices=()))
    assert [event.seq async for event in events] == list(range(1, EVENTS_KEPT + 1))


async def test_a_daemon_and_a_client_have_so_long_for_their_hello(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_times(monkeypatch)
    async with Server(hub, {}).listening(path), await Client.connect(path, client="test"):
        pass
    assert CLIENT_PATIENCE in asked.timeouts
    assert HELLO_TIMEOUT in asked.timeouts
    assert PATIENCE in asked.timeouts
    assert set(asked.timeouts) <= {CLIENT_PATIENCE, HELLO_TIMEOUT, PATIENCE}


# One client


async def test_the_first_line_has_so_many_bytes(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path):
        for length, welcome in ((HELLO_LINE, True), (HELLO_LINE + 1, False)):
            line = b'{"jsonrpc": "2.0", "id": 0, "method": "hello", "params": {"protocol": 2, "client": "peer"}}'
            async with peer(path, hello=False) as client:
                client.send(line.ljust(length - 1))  # and a line break
                assert ("result" in await client.receive()) is welcome


async def test_so_many_calls_of_one_client_are_served_at_once(hub: Hub, path: Path) -> None:
    opened, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(_params: object, _connection: Connection) -> GetBoards:
        begun.release()
        await opened.wait()
        return GetBoards()

    async with Server(hub, {GetBoards: wait}).listening(path), peer(path) as client:
        for number in range(1, rpc.MAX_CALLS + 1):
            client.call(number, "boards")
            await begun.acquire()
        client.call(rpc.MAX_CALLS + 1, "boards")
        assert (await client.receive())["id"] == rpc.MAX_CALLS + 1, "refused, before any other is answered"
        opened.set()
        answered = {(await client.receive())["id"] for _ in range(rpc.MAX_CALLS)}
        assert answered == set(range(1, rpc.MAX_CALLS + 1))


def test_so_many_things_and_lines_wait_for_a_client() -> None:
    backlog = Backlog(0)
    assert all(backlog.add(Event(seq=number, board=board(str(number)))) for number in range(THINGS_KEPT))
    hub = make_hub()
    hub.listen(lambda event: accepted.append(backlog.add(event)))
    accepted: list[bool] = []
    for _ in range(LINES_KEPT + 1):
        hub.log("line")
    assert all(accepted)
    assert len(backlog) == THINGS_KEPT + LINES_KEPT
    assert not backlog.add(Event(seq=0, board=board("one more")))


class Quiet:
    """A connection that stays."""

    def on_close(self, callback: object) -> None:
        pass


async def test_a_client_has_so_many_uploads_of_pieces_of_so_many_bytes() -> None:
    async def never(*_: object) -> Any:
        raise AssertionError

    connection = cast("Connection", Quiet())
    handlers = Uploads(never, never, never).handlers()
    begin, chunk = handlers[BeginUpload], handlers[UploadChunk]
    for number in range(1, MAX_UPLOADS + 1):
        await begin(BeginUpload(name="a.bin", size=2 * CHUNK), connection)
        await chunk(UploadChunk(upload=number, data=bytes(CHUNK)), connection)
    with pytest.raises(RequestError, match="uploads open"):
        await begin(BeginUpload(name="a.bin", size=1), connection)
    with pytest.raises(RequestError, match="too long"):
        await chunk(UploadChunk(upload=1, data=bytes(CHUNK + 1)), connection)


# All clients


async def test_so_many_clients_are_served_and_all_others_told_that_there_are_too_many(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch)  # it stands still, however long the clients take: no guest makes room
    async with Server(hub, {}).listening(path), AsyncExitStack() as stack:
        for number in range(2 * MAX_CONNECTIONS):
            client = await stack.enter_async_context(peer(path, hello=False))
            client.send(HELLO)
            assert ("result" in await client.receive()) is (number < MAX_CONNECTIONS + RESERVED_CONNECTIONS)


async def test_a_guest_that_wants_nothing_for_so_long_makes_room_for_the_next(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = set_clock(monkeypatch)
    async with Server(hub, {}).listening(path), AsyncExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            await stack.enter_async_context(peer(path))
        guests = [await stack.enter_async_context(peer(path)) for _ in range(RESERVED_CONNECTIONS)]
        clock.seconds += GUEST_SECONDS - 0.5
        async with peer(path, hello=False) as refused:
            refused.send(HELLO)
            assert (await refused.error())["data"]["kind"] == "unreachable"
        guests[0].call(1, "status")
        await guests[0].receive()
        clock.seconds += 0.5
        await stack.enter_async_context(peer(path))
        assert "wanted nothing" in (await guests[1].error())["message"]
        guests[0].call(2, "status")
        assert "result" in await guests[0].receive()


async def test_of_so_many_that_say_nothing_the_oldest_makes_room(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(peer(path, hello=False)) for _ in range(MAX_SILENT)]
        async with peer(path):
            assert "others wait" in (await silent[0].error())["message"]
            assert await silent[0].at_end()
            silent[1].send(HELLO)
            assert "result" in await silent[1].receive(), "no other one had to go"


async def leave(client: Peer) -> None:
    """End a connection, and return once the server has heard of it."""
    served = {task for task in asyncio.all_tasks() if task.get_name() == "connection"}
    client.writer.close()
    await asyncio.wait(served, return_when=asyncio.FIRST_COMPLETED)


async def test_a_client_that_wants_nothing_for_so_long_makes_room(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[tuple[str, str]] = []
    clock = set_clock(monkeypatch)
    server = Server(hub, {}, on_trouble=lambda trouble, hint: troubles.append((trouble, hint)))
    async with server.listening(path), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(peer(path)) for _ in range(MAX_CONNECTIONS)]
        clients[0].call(1, "subscribe")
        await clients[0].receive()
        clock.seconds += IDLE_SECONDS - 1
        clients[1].call(1, "status")
        await clients[1].receive()
        async with peer(path) as guest:
            guest.call(1, "subscribe")
            assert (await guest.receive())["error"]["data"]["kind"] == "unreachable"
            await leave(guest)
        assert [trouble for trouble, _ in troubles[:1]] == [
            f"more are turned away: {MAX_CONNECTIONS} clients are connected to flashdeckd already"
        ]
        troubles[1:] = []
        clock.seconds += 1
        await stack.enter_async_context(peer(path))
        assert "wanted nothing" in (await clients[2].error())["message"]
        for client in clients[3 : 3 + FREE_AGAIN]:
            assert not troubles[1:]
            await leave(client)
        assert troubles[1:] == [("", "")]


def lowest_free() -> int:
    """The number of the next open file."""
    with socket.socket() as probe:
        return probe.fileno()


async def test_few_descriptors_are_left_to_boards_and_files(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit() -> int:
        return first + SPARE_DESCRIPTORS + DOOR_DESCRIPTORS + len(hub.boards) + 2 * LEAST_CONNECTIONS

    hub.publish_board(board("left"))
    async with Server(hub, {}).listening(path), AsyncExitStack() as stack:
        served = [await stack.enter_async_context(peer(path)) for _ in range(LEAST_CONNECTIONS)]
        first = lowest_free()
        monkeypatch.setattr(processes, "descriptor_limit", limit)
        refused: dict[str, object] = {}
        while not refused:  # a client of this very process takes one, too
            client = await stack.enter_async_context(peer(path, hello=False))
            client.send(HELLO)
            refused = (await client.receive()).get("error", {})
            served += [] if refused else [client]
        assert f"may have {limit()} files open" in str(refused["message"])
        assert len(served) > LEAST_CONNECTIONS
        assert lowest_free() <= limit() - SPARE_DESCRIPTORS


async def test_so_many_of_those_for_clients_are_only_for_guests(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[int] = []

    def note(client: socket.socket) -> int:
        came.append(client.fileno())
        return processes.own_uid()

    def limit() -> int:
        return came[-1] + more + DOOR_DESCRIPTORS + SPARE_DESCRIPTORS + len(hub.boards)

    hub.publish_board(board("left"))
    monkeypatch.setattr(processes, "descriptor_limit", limit)
    async with Server(hub, {}, peer_uid=note).listening(path), AsyncExitStack() as stack:
        more = 1
        for _ in range(LEAST_CONNECTIONS):
            await stack.enter_async_context(peer(path))
        for more, is_client in ((1, True), (0, False)):  # noqa: B007 - `limit` reads it
            client = await stack.enter_async_context(peer(path))
            client.call(1, "subscribe")
            assert ("result" in await client.receive()) is is_client


async def test_so_few_clients_are_served_however_few_descriptors_there_are(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "descriptor_limit", lambda: 0)
    async with Server(hub, {}).listening(path), AsyncExitStack() as stack:
        for _ in range(LEAST_CONNECTIONS):
            await stack.enter_async_context(peer(path))
        async with peer(path, hello=False) as refused:
            assert (await refused.error())["data"]["kind"] == "unreachable"
            assert await refused.at_end()


def test_what_many_cause_is_said_once_in_so_long(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = set_clock(monkeypatch)
    seldom = Seldom(logging.getLogger("test"))
    for pause in (0.0, 0.0, SELDOM_SECONDS - 0.001, 0.001, 0.0):
        clock.seconds += pause
        seldom.warn("one", "it happened")
    seldom.warn("another", "else")
    assert caplog.messages == ["it happened", "it happened (and 2 more since it was last said)", "else"]


def test_so_many_connections_may_wait_to_be_accepted(path: Path) -> None:
    with claimed(path) as endpoint, endpoint.listening():
        waiting: list[socket.socket] = []
        with suppress(BlockingIOError):
            while len(waiting) <= 3 * BACKLOG:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)  # noqa: FBT003 - the socket module's own way
                waiting[-1].connect(str(path))
        for each in waiting:
            each.close()
        assert len(waiting) - 1 == BACKLOG + 1, "listen(2) of Linux takes one more"


async def test_connections_that_can_not_be_accepted_are_waited_for(
    hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_times(monkeypatch)
    real = socket.socket.accept
    refusals = iter((OSError(24, "Too many open files"), OSError(24, "Too many open files")))

    def accept(listener: socket.socket) -> tuple[socket.socket, object]:
        for refusal in refusals:
            raise refusal
        return real(listener)

    monkeypatch.setattr(socket.socket, "accept", accept)
    async with Server(hub, {}).listening(path), peer(path):
        assert ACCEPT_RETRY in asked.naps
        assert set(asked.naps) <= {ACCEPT_RETRY, 0}


# What is kept and told


def handlers_of(hub: Hub, jobs: int) -> Handlers:
    numbered = {number: SimpleNamespace(id=number) for number in range(1, jobs + 1)}
    book = SimpleNamespace(jobs=numbered, job=numbered.__getitem__)
    nobody = SimpleNamespace()
    return Handlers(
        hub,
        cast("Bench", SimpleNamespace(book=book)),
        enrolment=cast("Enrolment", nobody),
        by_hand=cast("HandRequests", nobody),
        verbs=cast("VerbRequests", nobody),
        waits=cast("WaitRequests", nobody),
        doctor=cast("Doctor", nobody),
        leases=cast("Leases", nobody),
    )


async def test_so_many_jobs_and_log_lines_are_in_one_answer(hub: Hub) -> None:
    handlers = handlers_of(hub, JOB_PAGE + 1)
    connection = cast("Connection", None)
    for _ in range(LOG_PAGE + 1):
        hub.log("line")
    every = JOB_PAGE + LOG_PAGE
    assert len((await handlers.jobs(GetJobs(limit=every), connection)).jobs) == JOB_PAGE
    assert len((await handlers.jobs(GetJobs(ids=tuple(range(1, JOB_PAGE + 2))), connection)).jobs) == JOB_PAGE
    log = LogRequests(cast("Bench", SimpleNamespace()), hub, cast("KeptLog", SimpleNamespace()))
    assert len((await log.page(GetLogs(limit=every))).lines) == LOG_PAGE


def test_so_many_log_lines_of_so_many_characters_are_kept(hub: Hub) -> None:
    for text in ("first", "l" * LONGEST_LINE, "l" * (LONGEST_LINE + 1), *[""] * (LOG_LINES - 2)):
        hub.log(text)
    second, third, *rest = hub.logs(limit=2 * LOG_LINES)
    assert second.text == "l" * LONGEST_LINE
    assert third.text == "l" * (LONGEST_LINE - 1) + "…"
    assert len(rest) == LOG_LINES - 2


def test_so_many_lines_of_the_debug_log_are_kept(hub: Hub) -> None:
    for _ in range(DEBUG_LINES + 1):
        hub.debug("line")
    assert [line.id for line in hub.debug_lines(limit=2 * DEBUG_LINES)] == list(range(2, DEBUG_LINES + 2))


def test_so_many_ended_jobs_are_in_a_snapshot_and_all_others(hub: Hub) -> None:
    hub.publish_job(job(1))
    for number in range(2, JOBS_IN_SNAPSHOT + 3):
        hub.publish_job(replace(job(number), status=DONE))
    assert [each.id for each in hub.snapshot().jobs] == [1, *range(3, JOBS_IN_SNAPSHOT + 3)]


@pytest.mark.parametrize(
    ("wanted", "given"), [(LONGEST_LOG_WAIT - 1, LONGEST_LOG_WAIT - 1), (LONGEST_LOG_WAIT + 1, LONGEST_LOG_WAIT)]
)
async def test_a_client_may_wait_so_long_for_a_line_of_the_debug_log(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, wanted: float, given: float
) -> None:
    asked: list[float] = []

    async def logged(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(hub, "logged", logged)
    await handlers_of(hub, 0).debug_log(GetDebugLog(wait=wanted), cast("Connection", None))
    assert asked == [given]
