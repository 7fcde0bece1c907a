"""Jobs that are cut at each of their places, as `make sim-cuts` does it: here at some, in a process of its own."""

import asyncio
import sys
from pathlib import Path

import pytest

from flashdeckd.virtual.spec import Model
from simulation.cuts import At, Cut, Job, Measured, subjects
from soaking import sized

EVERY = sized(90, 60, 8)
"""Each so-many-th place of each job is cut."""
MODELS = sized(("classic",), (), ())
"""Bootloaders; none: all of them."""


@pytest.mark.soak
@pytest.mark.timeout(sized(300, 1800, 7200))
async def test_a_job_that_is_cut_anywhere_is_finished_by_the_next_daemon() -> None:
    command = ["-m", "simulation.exhaustive", "--every", str(EVERY), *(f"--model={model}" for model in MODELS)]
    environment = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    *_, last = told.decode().splitlines()
    assert last.startswith(f"{len(Job) if MODELS else len(list(subjects()))} jobs: "), told.decode()
    assert ", 0 not recovered, 0 not met" in last


def test_every_bootloader_that_keeps_what_is_written_is_cut_in_every_kind_of_job_that_it_can_do() -> None:
    found = {model: [subject.job for subject in subjects() if subject.model is model] for model in Model}
    assert found[Model.CLASSIC] == list(Job)
    assert found[Model.DAPBOOT] == [Job.FULL, Job.ONE_SECTOR, Job.ROLLBACK]
    assert found[Model.ROM_RDP1_SILENT] == []
    assert sum(bool(jobs) for jobs in found.values()) == len(Model) - 3


def test_each_place_is_cut_once_and_the_power_fails_in_each_state_of_the_disk() -> None:
    counts = {At.FLASH.name: 2, At.TRANSFER.name: 1, At.POWER.name: 2}
    assert list(Measured(counts=counts, states=[1, 2]).cuts()) == [
        Cut(At.FLASH, 1),
        Cut(At.FLASH, 2),
        Cut(At.TRANSFER, 1),
        Cut(At.POWER, 1, 0),
        Cut(At.POWER, 2, 0),
        Cut(At.POWER, 2, 1),
    ]
