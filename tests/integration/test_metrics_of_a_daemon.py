"""A daemon's own numbers: what they say of flashes, who gets them, and that boards do not notice who asks."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.job_state import Done
from flashdeckd.metrics.metrics_server import MOST_CONNECTIONS, PACE_SECONDS
from flashdeckd.metrics.metrics_token import TOKEN_NAME
from job_states import is_writing
from metrics_scene import answer_of, request
from rig import SLOW, Rig, board, firmware, prepare, running

pytestmark = pytest.mark.long

LEFT = '[boards.left]\nprofile = "product"\nserial = "A1"\n'
NOBODY = 65534
_SAMPLE = re.compile(r"(?m)^(flashdeck_\w+(?:\{.*\})?) (\S+)$")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def table(port: int) -> str:
    return f'[metrics]\nlisten = "127.0.0.1:{port}"\n'


def token(rig: Rig) -> str:
    return (rig.root / "state" / TOKEN_NAME).read_text().strip()


async def asked(rig: Rig, port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(port, token=token(rig)))
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def numbers(rig: Rig, port: int) -> Mapping[str, float]:
    answer = answer_of(await asked(rig, port))
    assert answer.status == 200
    return {name: float(value) for name, value in _SAMPLE.findall(answer.body.decode())}


async def test_a_flash_is_counted_with_what_it_took_also_where_it_was_cut_short(root: Path) -> None:
    port = free_port()
    prepare(root, boards=table(port) + LEFT, bench=board("left", serial="A1", **SLOW))
    place = '{board="left",partition="app1"}'
    async with running(root) as rig:
        await rig.until_logged("metrics: http")
        rig.build(firmware("1.0.0", size=60_000))
        await rig.until(lambda seen: any(map(is_writing, seen.jobs)))
        await rig.unplug("left")
        await rig.until(lambda seen: any(job.attempts and not is_writing(job) for job in seen.jobs))
        cut = await numbers(rig, port)
        assert cut['flashdeck_board_present{board="left"}'] == 0
        assert cut[f"flashdeck_interruptions_total{place}"] == 1
        assert cut['flashdeck_jobs_total{board="left",kind="flash",partition="app1",result="done"}'] == 0
        assert cut[f"flashdeck_sectors_erased_total{place}"] > 0
        await rig.plug("left")
        (job,) = await rig.wait()
        assert isinstance(job.status, Done)
        assert job.result is not None
        whole = await numbers(rig, port)
        assert whole['flashdeck_jobs_total{board="left",kind="flash",partition="app1",result="done"}'] == 1
        assert whole['flashdeck_boards{state="current"}'] == 1
        assert whole[f"flashdeck_partition_current{place}"] == 1
        assert whole[f"flashdeck_sectors_erased_total{place}"] == job.work.sectors_erased
        assert job.work.sectors_erased > job.result.erases  # those of the attempt that was cut short, too
        assert whole[f"flashdeck_written_bytes_total{place}"] == job.work.bytes_written >= 60_000
        assert whole[f"flashdeck_read_bytes_total{place}"] == job.work.bytes_read > 0
        assert whole[f"flashdeck_last_success_timestamp_seconds{place}"] == pytest.approx(job.finished_at, abs=0.001)
        assert whole['flashdeck_job_phase_seconds_count{phase="write",profile="product"}'] == 1


async def test_a_restart_begins_to_count_anew_and_knows_the_last_success(root: Path) -> None:
    port = free_port()
    prepare(root, boards=table(port) + LEFT, bench=board("left", serial="A1"))
    place = '{board="left",partition="app1"}'
    async with running(root) as rig:
        rig.build(firmware("1.0.0"))
        (job,) = await rig.wait()
        before = token(rig)
        await rig.stop(signal.SIGKILL)
        await rig.restart()
        await rig.until_logged("metrics: http")
        assert token(rig) == before
        found = await numbers(rig, port)
        assert found[f"flashdeck_sectors_erased_total{place}"] == 0
        assert found[f"flashdeck_last_success_timestamp_seconds{place}"] == pytest.approx(job.finished_at, abs=0.001)


async def test_a_reload_opens_moves_and_closes_it(root: Path) -> None:
    first, second = free_port(), free_port()
    prepare(root, boards=LEFT, bench=board("left", serial="A1"))
    config = root / "config.toml"
    text = config.read_text()
    async with running(root) as rig:
        assert not (root / "state" / TOKEN_NAME).exists()
        for port in (first, second):
            config.write_text(text + table(port))
            await rig.client.call(api.ReloadConfig())
            await rig.until_logged(f"http://127.0.0.1:{port}/metrics")
            assert await numbers(rig, port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", first)
        config.write_text(text + '[metrics]\nlisten = "0.0.0.0:9820"\n')
        await rig.until(lambda seen: any(each.part == "configuration" for each in seen.daemon.troubles))
        assert await numbers(rig, second)  # a bad one is refused whole
        config.write_text(text)
        await rig.client.call(api.ReloadConfig())
        await rig.until_logged("metrics: not served any more")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", second)


async def test_a_taken_port_is_told_in_words_and_boards_are_flashed(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = int(other.getsockname()[1])
        prepare(root, boards=table(port) + LEFT, bench=board("left", serial="A1"))
        async with running(root) as rig:
            seen = await rig.until(lambda seen: bool(seen.daemon.degraded))
            assert seen.daemon.degraded[0].startswith(f"metrics: cannot listen on 127.0.0.1:{port}")
            rig.build(firmware("1.0.0"))
            await rig.wait()


async def test_another_user_has_no_numbers_without_the_token(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has another account")
    port = free_port()
    prepare(root, boards=table(port) + LEFT, bench=board("left", serial="A1"))
    ask = (
        "import encodings.idna, os, socket, sys; os.setuid(int(sys.argv[1])); "
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[2]))); s.sendall(sys.argv[3].encode()); "
        "sys.stdout.write(repr(s.recv(100)))"
    )
    async with running(root) as rig:
        await rig.until_logged("metrics: http")
        for shown, status in ((None, b"401"), ("x" * 64, b"401"), (token(rig), b"200")):
            said = await asyncio.to_thread(
                subprocess.run,
                (sys.executable, "-I", "-S", "-c", ask, str(NOBODY), str(port), request(port, token=shown).decode()),
                capture_output=True,
                check=True,
            )
            assert b"HTTP/1.1 " + status in said.stdout


async def test_a_flood_of_requests_is_not_noticed_by_a_flash(root: Path) -> None:
    """Whoever may ask and whoever may not, as fast as they can, all the time that it takes."""
    port = free_port()
    prepare(root, boards=table(port) + LEFT, bench=board("left", serial="A1", **SLOW))
    answered: list[bytes] = []
    async with running(root) as rig:
        await rig.until_logged("metrics: http")

        async def flood(data: bytes) -> None:
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(data)
                    answered.append(await reader.read(20))
                except ConnectionError:  # it made room for others
                    answered.append(b"")
                finally:
                    writer.transport.abort()

        data = (request(port, token=token(rig)), request(port, token=None), b"GET ", b"\0" * 100_000)
        loop = asyncio.get_running_loop()
        began = loop.time()
        floods = [asyncio.create_task(flood(each)) for each in data * 10]
        try:
            rig.build(firmware("1.0.0", size=40_000))
            (job,) = await rig.wait()
        finally:
            for task in floods:
                task.cancel()
            await asyncio.wait(floods)
        took = loop.time() - began
        assert isinstance(job.status, Done)
        assert job.attempts == 1
        assert any(each.startswith(b"HTTP/1.1 200") for each in answered)
        assert len(answered) <= took / PACE_SECONDS + MOST_CONNECTIONS + 1  # no more of them were taken in
        assert await numbers(rig, port)
