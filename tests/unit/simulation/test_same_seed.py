"""One seed decides everything: also where texts are hashed otherwise, and while the machine does something else."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
TRIAL = """
import json, sys
from dataclasses import asdict
from simulation.seed_run import Trial, run_trial
made = [[] for _ in range(int(sys.argv[1]))]  # the collector of garbage counts them
outcomes = [run_trial(Trial(seed, seconds=seconds)) for seed, seconds in ((1, 15.0), (2, 15.0), (20, None))]
print(json.dumps([[each.digest, each.counts, each.failures] for each in outcomes]))
"""


def begun(hash_seed: str, objects: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-c", TRIAL, str(objects)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- this test


def test_two_runs_of_a_seed_have_the_same_log() -> None:
    running = [begun("1", 0), begun("2", 9_000)]  # at once: each disturbs the other one
    said = [each.communicate()[0] for each in running]
    assert said[0] == said[1]
    assert '"transfer"' in said[0]
    assert '"flash"' in said[0]
