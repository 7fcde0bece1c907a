"""`flashdeckd doctor`: the same look while no daemon runs, and never beside one."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cli_run import Run
from flashdeck import api
from flashdeck.job_state import Waiting
from rig import firmware, prepare, running

pytestmark = pytest.mark.long

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
BENCH = """
[boards.left]
model = "classic-noread"
serial = "TEST00000001"
port = 1
timing = "none"
start = "dfu"
app = "0483:5740"

[boards.stranger]
model = "classic"
serial = "OTHER"
port = 2
timing = "none"
start = "dfu"
"""


async def run(*words: str, environment: dict[str, str] | None = None) -> Run:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Run(process.returncode or 0, out.decode(), err.decode())


async def doctor(root: Path, *boards: str) -> Run:
    place = ("--config", str(root / "config.toml"), "--state-dir", str(root / "state"))
    return await run("-m", "flashdeckd", "doctor", *place, "--virtual", str(root / "bench.toml"), *boards)


def codes(report: Any) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


async def test_it_prints_what_a_daemon_would_have_answered(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    offline = await doctor(root, "left")
    assert (offline.code, offline.err) == (0, "")
    async with running(root) as rig:
        words = ("-c", "import sys; from flashdeck_tui.cli import main; sys.exit(main())")
        online = await run(*words, "--socket", str(rig.socket), "doctor", "left", "--json")
    assert online.code == 0, online.err
    found, wanted = offline.json, online.json
    assert found["offline"]
    for told in (found, wanted):  # but for what changes meanwhile, and what only a daemon has
        installation: list[dict[str, str]] = told["installation"]
        told["installation"] = [each for each in installation if each["code"] not in ("storage", "configuration")]
    assert found == wanted | {"offline": True}
    assert "read-refused" in codes(offline.json["boards"][0])
    assert [device["serial"] for device in offline.json["devices"]] == ["OTHER"]


async def test_it_does_not_look_beside_a_running_daemon(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    async with running(root):
        refused = await doctor(root)
    assert refused.code == 1
    assert refused.json["error"]["kind"] == "already-running"
    assert "flashdeck doctor" in refused.json["error"]["hint"]


async def test_jobs_that_wait_are_still_there_for_the_next_daemon(root: Path) -> None:
    away = '[boards.away]\nprofile = "product"\nserial = "NOT-HERE"\n'
    prepare(root, boards=LEFT + away, bench=BENCH)
    image = firmware("1.0.0")
    async with running(root) as rig:
        sha256 = (await rig.client.upload("a.bin", image)).sha256
        await rig.client.call(api.Flash(partition="app1", sha256=sha256, boards=("away",)))
        await rig.until(lambda now: any(isinstance(job.status, Waiting) for job in now.jobs))
    prepare(root, boards=LEFT, bench=BENCH)  # another configuration, in which the board of that job is missing
    assert (await doctor(root)).code == 0
    prepare(root, boards=LEFT + away, bench=BENCH)
    async with running(root) as rig:
        assert [job.is_settled for job in await rig.jobs()] == [False]


async def test_a_board_that_was_named_and_is_away_has_its_exit_code(root: Path) -> None:
    away = '[boards.away]\nprofile = "product"\nserial = "NOT-HERE"\n'
    prepare(root, boards=LEFT + away, bench=BENCH)
    assert [(await doctor(root, *names)).code for names in ((), ("away",), ("away", "left"))] == [0, 4, 10]


async def test_an_unusable_configuration_is_a_finding_with_its_exit_code(root: Path) -> None:
    prepare(root, boards=LEFT + "bogus = 1\n", bench=BENCH)
    wrong = await doctor(root)
    assert wrong.code == 11
    (found,) = wrong.json["installation"]
    assert (found["code"], found["severity"]) == ("config-invalid", "error")
    assert "bogus" in found["seen"]


async def test_options_in_front_of_the_command_are_refused_and_not_ignored(root: Path) -> None:
    prepare(root, boards=LEFT, bench=BENCH)
    wrong = await run("-m", "flashdeckd", "--virtual", str(root / "bench.toml"), "doctor")
    assert wrong.code == 2
    assert "behind the command" in wrong.err
