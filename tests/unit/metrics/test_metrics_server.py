"""The server of the numbers: what it answers, and that nobody who asks oddly, slowly or too often is more than that."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asked_times import asked_times
from flashdeckd.host import sockets
from flashdeckd.host.sockets import LOOPBACK_BACKLOG
from flashdeckd.metrics import metrics_server
from flashdeckd.metrics.metrics_server import (
    ASK_SECONDS,
    LONGEST_REQUEST,
    MOST_CONNECTIONS,
    PACE_SECONDS,
    REFUSED_SECONDS,
    TAKE_SECONDS,
)
from metrics_scene import PAGE, answer_of, request, served_page

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="fdm-"))
    yield path
    shutil.rmtree(path)


async def test_the_numbers_are_sent_whole_and_the_connection_ends() -> None:
    async with served_page(body=PAGE * 100_000) as it:
        answer = await it.ask("Accept: text/plain")
        assert (answer.status, answer.body) == (HTTPStatus.OK, PAGE * 100_000)
        assert answer.fields["content-length"] == str(len(answer.body))
        assert answer.fields["connection"] == "close"
        assert answer.fields["cache-control"] == "no-store"
        assert it.accepted == ["text/plain"]


async def test_head_has_all_but_the_numbers() -> None:
    async with served_page() as it:
        answer = await it.ask(method="HEAD")
        assert (answer.status, answer.body) == (HTTPStatus.OK, b"")
        assert answer.fields["content-length"] == str(len(PAGE))


async def test_whoever_may_not_have_them_is_told_why() -> None:
    async with served_page() as it:
        answer = await it.ask(token=None)
        assert answer.status == HTTPStatus.UNAUTHORIZED
        assert answer.fields["www-authenticate"] == "bearer"
        assert (await it.ask("Host: evil.example")).status == HTTPStatus.MISDIRECTED_REQUEST
        refused = await it.ask(method="POST")
        assert (refused.status, refused.fields["allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "get, head")
        assert it.accepted == []


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /\r\n\r\n", b"x" * 100 + b"\r\n"]
)
async def test_what_is_no_http_is_told_so(data: bytes) -> None:
    async with served_page() as it:
        reader, writer = await it.connect()
        writer.write(data)
        writer.write_eof()
        said = await reader.read()
        assert not said or answer_of(said).status == HTTPStatus.BAD_REQUEST
        writer.close()
        await writer.wait_closed()
        assert await it.is_answered()


@given(st.binary(max_size=200))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_end_it(data: bytes) -> None:
    async def scene() -> None:
        async with served_page() as it:
            reader, writer = await it.connect()
            writer.write(data)
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()
            assert await it.is_answered()

    asyncio.run(scene())


async def test_a_request_is_not_longer_than_it_has_to_be() -> None:
    async with served_page() as it:
        filled = LONGEST_REQUEST - len(request(it.port, "X: "))
        assert (await it.ask(f"X: {'x' * (filled - 1)}")).status == HTTPStatus.OK
        said = await it.said_to(request(it.port, "X: ").removesuffix(b"\r\n\r\n") + b"x" * 2 * LONGEST_REQUEST)
        assert not said or answer_of(said).status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        assert it.accepted == [""]


async def test_whoever_says_nothing_or_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    async with served_page() as it:
        assert await it.is_answered()
    assert asked.timeouts == [ASK_SECONDS, TAKE_SECONDS]
    monkeypatch.setattr(metrics_server, "ASK_SECONDS", 0.01)
    async with served_page() as it:
        assert await it.said_to(b"GET /metrics HTTP/1.1\r\nHost: ") == b""
    monkeypatch.undo()
    monkeypatch.setattr(metrics_server, "TAKE_SECONDS", 0.01)
    async with served_page(body=PAGE * 2_000_000) as it:  # more than any buffer takes
        reader, writer = await it.connect()
        writer.write(request(it.port))
        await reader.readexactly(1)
        await it.until_nobody_is_served()  # no more of it was read here
        said = await reader.read()
        assert len(said) < len(it.body)
        writer.close()


async def test_those_who_only_connect_keep_nobody_out() -> None:
    """One more than there may be closes the oldest, and whoever asks is heard."""
    async with served_page() as it:
        idle = [await it.connect() for _ in range(MOST_CONNECTIONS)]
        assert await it.is_answered()
        assert await idle[0][0].read() == b""
        others = [asyncio.create_task(reader.read()) for reader, _ in idle[1:]]
        done, _ = await asyncio.wait(others, timeout=0.01)
        assert not done  # there was room for these
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        for _, writer in idle:
            writer.close()


async def test_a_flood_is_taken_in_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served_page() as it:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(it.is_answered() for _ in range(LOOPBACK_BACKLOG)))
        # Some wait for their turn in the kernel; those that were taken in came one after the other.
        assert loop.time() - began >= PACE_SECONDS * (sum(answers) - 1)
        assert any(answers)
        assert await it.is_answered()
    asked = asked_times(monkeypatch)
    async with served_page() as it:
        assert await it.is_answered()
    assert PACE_SECONDS in asked.naps


async def test_no_more_files_may_be_open_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    real, failed = sockets.readable, list[bool]()

    async def readable(listener: object) -> None:
        if not failed:
            failed.append(True)
            raise OSError(24, "Too many open files")
        await real(listener)  # pyright: ignore[reportArgumentType] - what it is given

    monkeypatch.setattr(sockets, "readable", readable)
    async with served_page() as it:
        assert await it.is_answered()
    assert REFUSED_SECONDS in asked.naps


async def test_a_unix_socket_answers_our_own_user_without_a_token(place: Path) -> None:
    path = place / "d" / "m"
    async with served_page(path) as it:
        assert (await it.ask("Host: localhost", token=None)).body == PAGE
        assert oct(path.stat().st_mode & 0o777) == "0o600"
        assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert not path.exists()


async def test_a_unix_socket_says_nothing_to_another_user(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account")
    path = place / "d" / "m"
    async with served_page(path) as it:
        for each, mode in ((place, 0o711), (path.parent, 0o711), (path, 0o666)):  # as somebody might do by mistake
            await asyncio.to_thread(each.chmod, mode)
        ask = (
            "import os, socket, sys; os.setuid(int(sys.argv[2])); s = socket.socket(socket.AF_UNIX); "
            "s.connect(sys.argv[1]); s.sendall(b'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); "
            "sys.stdout.write(repr(s.recv(1000)))"
        )
        for user, answered in ((0, True), (NOBODY, False)):
            asked = await asyncio.to_thread(
                subprocess.run,
                (sys.executable, "-I", "-S", "-c", ask, str(path), str(user)),
                capture_output=True,
                text=True,
                check=False,
            )
            assert ("200 OK" in asked.stdout) is answered, asked
        assert len(it.accepted) == 1
