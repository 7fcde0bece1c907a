"""A daemon that records a board, and another one that flashes the recording."""

import asyncio
import json
import stat
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from flashdeck import api
from flashdeck.errors import RemoteError
from flashdeck.job_state import Done, Verified
from flashdeck.recording import parse, read
from flashdeckd.__main__ import main
from rig import DAEMON, Rig, board, firmware, prepare, running

BOARD = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'


async def recordings(rig: Rig) -> dict[str, bytes]:
    """All that the daemon has, by name."""
    found: dict[str, bytes] = {}
    for each in (await rig.client.call(api.GetRecordings())).recordings:
        data = b""
        while piece := (await rig.client.call(api.ReadRecording(index=each.index, offset=len(data), size=9999))).data:
            data += piece
        found[each.name] = data
    return found


async def test_a_recorded_board_is_flashed_again_without_itself(root: Path) -> None:
    directory = root / "records"
    prepare(root, boards=BOARD, bench=board("left"))
    image = firmware("1.0")
    async with running(root, daemon=(*DAEMON, "--record", str(directory), "--record-payloads")) as rig:
        rig.build(image)
        (job,) = await rig.wait(data=image)
        assert isinstance(job.status, Done)
        found = await recordings(rig)
        assert not (await rig.client.call(api.GetStatus())).daemon.degraded
    files = sorted(directory.iterdir())
    assert [each.name for each in files] == sorted(found)
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    sessions = [each for each in files if read(each).transfers > 50]
    assert len(sessions) == 1
    assert parse("x", found[sessions[0].name]).steps == read(sessions[0]).steps

    again = root / "again"
    again.mkdir(mode=0o700)
    bench = (
        f'[boards.left]\nmodel = "replay"\nrecording = "{sessions[0]}"\nserial = "TEST00000001"\n'
        'timing = "none"\napp = "0483:5740"\n'
    )
    prepare(again, boards=BOARD, bench=bench)
    async with running(again) as rig:
        rig.build(image)
        (job,) = await rig.wait(data=image)
        assert isinstance(job.status, Done)
        assert job.result is not None
        assert job.result.verified is Verified.YES
        assert job.result.started
        state = await rig.emulated("left")
        assert state.violations == ()
        assert state.replayed == state.recorded == read(sessions[0]).transfers


async def test_a_daemon_that_does_not_record_has_no_recordings(root: Path) -> None:
    prepare(root, boards=BOARD, bench=board("left"))
    async with running(root) as rig:
        assert await rig.client.call(api.GetRecordings()) == api.RecordingList()
        with pytest.raises(RemoteError, match="does not record"):
            await rig.client.call(api.ReadRecording(index=1))


async def test_a_flash_ends_well_where_nothing_can_be_recorded_any_more(root: Path) -> None:
    directory = root / "records"
    prepare(root, boards=BOARD, bench=board("left"))
    image = firmware("1.0")
    async with running(root, daemon=(*DAEMON, "--record", str(directory))) as rig:
        directory.rmdir()
        rig.build(image)
        (job,) = await rig.wait(data=image)
        assert isinstance(job.status, Done)
        (degraded,) = (await rig.client.call(api.GetStatus())).daemon.degraded
        assert degraded.startswith("record: ")
        assert str(directory) in degraded


def test_payloads_of_nothing_can_not_be_recorded() -> None:
    run = CliRunner().invoke(main, ["--record-payloads"])
    assert run.exit_code == 2
    assert "--record DIR" in run.output


async def test_a_directory_open_to_others_ends_the_daemon_with_a_hint(root: Path) -> None:
    directory = root / "records"
    directory.mkdir(mode=0o755)
    prepare(root, boards=BOARD, bench=board("left"))
    with pytest.raises(AssertionError, match="chmod 700"):
        async with running(root, daemon=(*DAEMON, "--record", str(directory))):
            pass


async def test_a_report_of_a_bench_that_records_has_its_sessions_under_invented_names(root: Path) -> None:
    prepare(root, boards=BOARD, bench=board("left"))
    image = firmware("1.0")
    async with running(root, daemon=(*DAEMON, "--record", str(root / "records"))) as rig:
        rig.build(image)
        await rig.wait(data=image)
        words = ("--socket", str(rig.socket), "report", "--redact", "--config", str(root / "config.toml"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())"),
            *(*words, "--output", str(root / "r.tar.gz"), "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
    said = json.loads(out)
    assert said["missing"] == []
    with tarfile.open(root / "r.tar.gz") as archive:
        names = archive.getnames()
        contents = b"".join(archive.extractfile(name).read() for name in names)  # type: ignore[union-attr]
    assert [part["name"] for part in said["parts"]] == names
    assert {"versions.json", "config.toml", "status.json", "doctor.json", "log.jsonl"} < set(names)
    assert sum(name.startswith("recordings/") for name in names) >= 1
    assert b"TEST00000001" not in contents
    assert not any(image[at : at + 16] in contents for at in range(64, len(image) - 16, 16))
