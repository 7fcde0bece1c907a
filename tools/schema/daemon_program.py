"""The JSON Schema of what `flashdeckd doctor`, `scan` and `follow` print, which work beside a client."""

from collections.abc import Mapping
from typing import Final, get_args

import msgspec

from flashdeck.diagnosis import Diagnosis
from flashdeck.first_board.found import ScanLine
from flashdeck.followed_file import FollowLine
from flashdeck_tui.cli.answers import Refusal
from schema.values import DRAFT, Schema, definitions, ref

_ABOUT = (
    "What flashdeckd prints: `commands` says for each, `json` of the object, `jsonl` of each line. One that can not do "
    "what it was asked for prints `error` instead. `scan` and `doctor` print every field, `follow` leaves out those "
    "with their default. Fields and members of enums and of unions may be added: ignore what you do not know."
)
FOLLOW_LINES: Final[tuple[type[msgspec.Struct], ...]] = get_args(FollowLine)
"""The lines of `follow`."""


def daemon_program_schema() -> Schema:
    """Return the schema. Each line is valid by it; `commands` refers to its parts by name."""
    lines: Schema = {"anyOf": [ref(kind) for kind in FOLLOW_LINES]}
    commands: Mapping[str, Schema] = {
        "doctor": {"json": ref(Diagnosis)},
        "scan": {"jsonl": ref(ScanLine)},
        "follow": {"jsonl": lines},
    }
    whole = definitions((Diagnosis, ScanLine, Refusal), full=True)
    return {
        "$schema": DRAFT,
        "title": "What flashdeckd prints as JSON",
        "description": _ABOUT,
        "commands": commands,
        "error": ref(Refusal),
        "anyOf": [*map(ref, (Diagnosis, ScanLine, Refusal, *FOLLOW_LINES))],
        "$defs": dict(whole) | dict(definitions(FOLLOW_LINES, full=False)),
    }
