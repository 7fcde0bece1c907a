"""A client over an ssh that is none: a stand-in on PATH runs the other side here, or does what an ssh may do."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from asked_times import asked_times
from flashdeck import rpc, ssh
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind
from flashdeck.ssh import (
    ALIVE_COUNT,
    ALIVE_SECONDS,
    CONNECT_SECONDS,
    END_SECONDS,
    KEPT,
    PART_SECONDS,
    PATIENCE,
    PERSON_SECONDS,
    SshHost,
    SshStream,
)
from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub

HERE = """for word; do :; done
exec sh -c "$word"
"""
"""Runs the command here that ssh would run there."""
CONNECT = "import sys; from flashdeck_tui.cli import main; sys.exit(main())"
StandIn = Callable[[str], None]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Let a shell script stand in for ssh."""

    def install(script: str) -> None:
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return install


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ssh have the time to end by itself that it may need on a busy machine."""
    monkeypatch.setattr(ssh, "PART_SECONDS", PATIENCE)


def host(*command: str, asks: bool = False) -> SshHost:
    return SshHost("bench", "ann@box", command or (sys.executable, "-c", CONNECT), asks=asks)


def test_the_command_line_is_one_that_no_name_can_change() -> None:
    argv = host("~/my flash/flashdeck", "--socket", "/a b").argv
    assert argv[:2] == ("ssh", "-T")
    assert argv[-3:] == ("--", "ann@box", "~/'my flash/flashdeck' --socket '/a b' connect --stdio")
    options = {word for word in argv if "=" in word}
    assert {
        f"ConnectTimeout={CONNECT_SECONDS}",
        f"ServerAliveInterval={ALIVE_SECONDS}",
        f"ServerAliveCountMax={ALIVE_COUNT}",
        "BatchMode=yes",
    } <= options
    assert not any("Control" in each for each in options)
    assert "BatchMode=no" in host(asks=True).argv
    with pytest.raises(ValueError, match="is no host"):
        _ = SshHost("bench", "-oProxyCommand=true").argv


def test_a_dead_link_is_noticed_within_half_a_minute() -> None:
    assert 0 < ALIVE_SECONDS * (ALIVE_COUNT + 1) <= 30
    assert 0 < CONNECT_SECONDS < PATIENCE < PERSON_SECONDS


async def test_calls_go_there_and_back(hub: Hub, path: Path, stand_in: StandIn) -> None:
    stand_in(HERE)
    async with Server(hub, {}).listening(path):
        there = host(sys.executable, "-c", CONNECT, "--socket", str(path))
        async with await there.connect(client="test") as client:
            assert client.welcome.instance == hub.daemon.instance


async def test_the_daemon_of_emulated_boards_is_asked_for_by_name(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in(f'for word; do :; done\necho "$word" > {shlex.quote(str(tmp_path / "word"))}\nexit 127\n')
    with pytest.raises(ConnectionFailedError, match="no command"):
        await SshHost("bench", "box", virtual=True).connect(client="test")
    assert (tmp_path / "word").read_text() == "flashdeck connect --stdio --virtual\n"


async def test_an_ssh_that_says_much_is_quoted_by_its_last_words(stand_in: StandIn) -> None:
    stand_in(f"head -c {10 * KEPT} /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo the end >&2; exit 255\n")
    with pytest.raises(ConnectionFailedError) as caught:
        await host().connect(client="test")
    assert "the end" in caught.value.message


@pytest.mark.usefixtures("unhurried")
async def test_of_what_ssh_says_so_much_is_kept(stand_in: StandIn) -> None:
    stand_in(f"head -c {KEPT + 1} /dev/zero | tr '\\0' 'x' >&2; exit 255\n")
    stream = await SshStream.open(host())
    await stream.why(ConnectionFailedError("it ended"), line=b"", greeted=False)
    assert len(stream._said) == KEPT  # pyright: ignore[reportPrivateUsage] - the bound itself
    await stream.closed()


@pytest.mark.parametrize(("asks", "patience"), [(False, PATIENCE), (True, PERSON_SECONDS)])
async def test_the_first_answer_may_take_so_long(
    monkeypatch: pytest.MonkeyPatch,
    stand_in: StandIn,
    asks: bool,
    patience: float,
) -> None:
    stand_in("exit 255\n")
    asked = asked_times(monkeypatch)
    with pytest.raises(ConnectionFailedError):
        await host(asks=asks).connect(client="test")
    assert asked.timeouts[0] == patience


class Stubborn:
    """A process that no signal ends."""

    returncode = None

    def __init__(self) -> None:
        self.told: list[str] = []

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")

    async def wait(self) -> int:
        await asyncio.Event().wait()
        return 0


async def test_an_ssh_that_does_not_end_is_ended_and_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: list[float | None] = []
    real = asyncio.timeout

    def timeout(asked: float | None) -> asyncio.Timeout:
        seconds.append(asked)
        return real(0)

    monkeypatch.setattr(asyncio, "timeout", timeout)
    (ours, theirs), (heard, said) = socket.socketpair(), socket.socketpair()
    with theirs, said:
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=rpc.MAX_LINE)
        process = Stubborn()
        errors = await asyncio.open_unix_connection(sock=heard)
        stream = SshStream(host(), reader, writer, cast("Process", process), *errors)
        writer.close()
        await stream.closed()
    assert process.told == ["terminate", "kill"]
    assert seconds == [PART_SECONDS, END_SECONDS, END_SECONDS]


async def test_a_line_that_is_no_protocol_is_told_and_the_other_side_ended(stand_in: StandIn) -> None:
    stand_in("echo Last login: yesterday; exec cat\n")
    with pytest.raises(ConnectionFailedError, match="Last login: yesterday") as caught:
        await host().connect(client="test")
    assert caught.value.kind is ErrorKind.PROTOCOL_MISMATCH


@pytest.mark.usefixtures("unhurried")
async def test_a_connection_over_ssh_that_is_closed_leaves_nothing(hub: Hub, path: Path, stand_in: StandIn) -> None:
    stand_in(HERE)
    there = host(sys.executable, "-c", CONNECT, "--socket", str(path))
    async with Server(hub, {}).listening(path):
        stream = await SshStream.open(there)
        client = await Client.over(stream, client="test")
        await client.close()
        assert stream._process.returncode == 0  # pyright: ignore[reportPrivateUsage] - it ended by itself


@pytest.mark.parametrize("words", [("connect",), ("connect", "--stdio")])
def test_connect_is_no_command_for_people(words: Sequence[str], tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", CONNECT, "--socket", str(tmp_path / "none"), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "--stdio" in words:
        assert run.returncode == 3
        told = rpc.decode_incoming(run.stdout.encode())
        assert isinstance(told, rpc.Reply)
        assert told.error is not None
        assert told.error.kind is ErrorKind.UNREACHABLE
    else:
        assert run.returncode == 2
        assert "needs --stdio" in run.stderr
