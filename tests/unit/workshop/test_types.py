"""What the type checker refuses: mistakes that would otherwise be found at the desk of a user."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLANTED = """
from typing import assert_never

from flashdeck import api, job_state
from flashdeck.job_state import Blocked, Cancelled, Done, Failed, Queued, Running, Superseded, Unknown, Waiting, Written
from flashdeck.model import JobState
from flashdeckd.server.connection import Connection
from flashdeckd.server.handlers import handled


def a_wrong_name_of_a_status(job: JobState) -> bool:
    return isinstance(job.status, job_state.Finished)  # refused


def a_wrong_field_of_a_status(status: Waiting) -> str:
    return status.reason + status.note  # refused


async def cancel(params: api.Cancel, connection: Connection) -> JobState:
    raise ValueError(params, connection)


RIGHT = handled(api.Cancel, cancel)
A_WRONG_HANDLER = handled(api.Retry, cancel)  # refused


def every_case(status: job_state.JobStatus) -> str:
    match status:
        case Queued() | Waiting() | Running() | Blocked() | Done() | Written():
            return "still of interest"
        case Failed() | Superseded() | Cancelled() | Unknown():
            return "over"
        case _:
            assert_never(status)


def a_missing_case(status: job_state.JobStatus) -> str:
    match status:
        case Queued() | Waiting() | Running() | Blocked() | Done():
            return "still of interest"
        case Failed() | Superseded() | Cancelled() | Unknown():
            return "over"
        case _:
            assert_never(status)  # refused
"""


def test_a_wrong_status_field_handler_or_match_is_refused_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    paths = [str(ROOT / part) for part in ("shared", "daemon", "typings")]
    settings = {"include": ["planted.py"], "extraPaths": paths, "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    found = json.loads(run.stdout)["generalDiagnostics"]
    lines = PLANTED.splitlines()
    planted = {number for number, line in enumerate(lines) if line.endswith("# refused")}
    assert len(planted) == 4
    assert {each["range"]["start"]["line"] for each in found} == planted, found
