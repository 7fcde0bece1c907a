"""How long the demo waits for its parts, counted instead of waited for, and how much it keeps of what they say."""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asked_times import asked_times
from flashdeck import api, paths
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, ErrorKind, FlashdeckError
from flashdeck_tui import terminal
from flashdeck_tui.demo import command, keeper
from flashdeck_tui.demo import demo_bench as module
from flashdeck_tui.demo.command import END_WITHIN, TIME_LIMIT, play_by_itself, until_signal
from flashdeck_tui.demo.demo_bench import LOG_KEPT, RETRY, START_WITHIN, connected, demo_bench
from flashdeck_tui.demo.firmware import OUTPUT_KEPT, PIECES, Build, Firmware
from flashdeck_tui.demo.keeper import REMOVAL_PAUSE, REMOVALS, STOP_WITHIN, end_when_asked, remove
from flashdeck_tui.demo.loop import LAND_WITHIN, PARTITION, PAUSES, write_and_wait


async def test_all_of_it_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)

    @asynccontextmanager
    async def late() -> AsyncGenerator[object]:
        yield SimpleNamespace(firmware=SimpleNamespace(compiles=True))

    async def build(_bench: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(command, "demo_bench", late)
    monkeypatch.setattr(command, "build_and_land", build)
    with pytest.raises(FlashdeckError) as caught:
        await play_by_itself(as_json=False)
    assert caught.value.kind is ErrorKind.TIMEOUT
    assert asked.timeouts == [TIME_LIMIT]


async def test_a_signal_ends_it_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    @contextmanager
    def ended_by(_numbers: object, _end: object, *, within: float) -> Any:
        asked.append(within)
        yield

    async def work() -> str:
        return "done"

    monkeypatch.setattr(terminal, "ended_by", ended_by)
    assert await until_signal(work()) == "done"
    assert asked == [END_WITHIN]
    assert END_WITHIN > STOP_WITHIN


async def test_a_daemon_has_its_time_to_serve_and_is_tried_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    waits: list[float | None] = []
    client = object()
    ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def connect(_socket: Path, **_: str) -> object:
        if len(waits) < 2:
            raise ConnectionFailedError("nobody listens", kind=ErrorKind.UNREACHABLE)
        return client

    async def wait(_ended: object, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        waits.append(timeout)

    monkeypatch.setattr(Client, "connect", connect)
    monkeypatch.setattr(asyncio, "wait", wait)
    assert await connected(ended, Path("socket")) is client
    assert asked.timeouts == [START_WITHIN]
    assert waits == [RETRY] * 2


async def test_a_build_is_written_in_pieces_and_has_its_time_to_land(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = asked_times(monkeypatch)
    settle = 0.5
    calls: list[api.Wait] = []

    async def call(params: api.Wait) -> Any:
        calls.append(params)
        return api.WaitResult(boards=())

    board = SimpleNamespace(profile=SimpleNamespace(partitions={PARTITION: SimpleNamespace(settle=settle)}))
    bench = SimpleNamespace(
        config=SimpleNamespace(boards={"left": board}),
        firmware=SimpleNamespace(output=tmp_path / "APP1.bin"),
        client=SimpleNamespace(call=call),
    )
    with pytest.raises(FlashdeckError, match="left"):
        await write_and_wait(cast("Any", bench), Build("1.0.0", b"x" * 10 * PIECES))
    assert asked.naps == [PAUSES * settle] * PIECES
    assert [each.timeout for each in calls] == [LAND_WITHIN]


def test_a_daemon_that_is_to_end_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    killed: list[str] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(sys, "stdin", SimpleNamespace(readline=str))
    daemon = SimpleNamespace(terminate=lambda: killed.append("terminate"), kill=lambda: killed.append("kill"))
    end_when_asked(cast("Any", daemon), cast("Any", SimpleNamespace(wait=wait)))
    assert (waits, killed) == ([STOP_WITHIN], ["terminate", "kill"])


def test_the_directory_is_removed_again_and_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pauses: list[float] = []

    def busy(_directory: Path, *, ignore_errors: bool) -> None:
        assert ignore_errors

    monkeypatch.setattr(shutil, "rmtree", busy)
    monkeypatch.setattr(keeper.threading, "Event", lambda: SimpleNamespace(wait=pauses.append))
    remove(tmp_path)
    assert pauses == [REMOVAL_PAUSE] * REMOVALS


async def test_so_much_of_the_daemon_s_log_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / keeper.LOG).write_text("f" + "l" * LOG_KEPT)

    @asynccontextmanager
    async def kept() -> AsyncGenerator[object]:
        yield SimpleNamespace(directory=tmp_path, start=print, ended=None)

    async def nobody(_ended: object, _socket: Path) -> Client:
        raise FlashdeckError("it did not serve")

    monkeypatch.setattr(module, "_kept", kept)
    monkeypatch.setattr(module, "connected", nobody)
    with pytest.raises(FlashdeckError) as caught:
        async with demo_bench():
            pass
    (note,) = caught.value.__notes__
    assert note.partition("\n")[2] == "l" * LOG_KEPT


async def test_so_much_of_what_a_compiler_says_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Failed:
        returncode = 2

        async def communicate(self) -> tuple[bytes, None]:
            return b"f" + b"l" * OUTPUT_KEPT, None

    async def make(*_words: object, **_options: object) -> Failed:
        return Failed()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", make)
    shutil.copytree(paths.data_file("demo", "firmware"), tmp_path / "firmware")
    monkeypatch.setattr(shutil, "which", str)
    with pytest.raises(FlashdeckError) as caught:
        await Firmware(tmp_path / "firmware").build()
    assert caught.value.__notes__ == ["l" * OUTPUT_KEPT]
