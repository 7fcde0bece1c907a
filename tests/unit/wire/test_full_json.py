"""JSON for scripts says all that the wire says, under the same names, and what the wire leaves out."""

import json

import pytest

from flashdeck.full_json import full_json
from flashdeck.job_state import JobStatus, name_of
from flashdeck.value import Value
from job_states import EVERY, WAITING


@pytest.mark.parametrize("status", EVERY, ids=name_of)
def test_a_state_has_its_name_and_every_field(status: JobStatus) -> None:
    full = json.loads(full_json(status))
    assert full["state"] == name_of(status)
    assert set(full) == {"state", *type(status).__struct_encode_fields__}


def test_fields_have_the_names_of_the_wire() -> None:
    full = json.loads(full_json({"status": WAITING}))
    assert full == {"status": {"state": "waiting", "for": "absent", "reason": WAITING.reason, "hint": WAITING.hint}}


def test_a_structure_without_a_name_has_none() -> None:
    class Pair(Value, frozen=True, kw_only=True):
        left: int
        right: int = 2

    assert json.loads(full_json((Pair(left=1),))) == [{"left": 1, "right": 2}]
