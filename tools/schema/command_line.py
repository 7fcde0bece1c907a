"""The JSON Schema of what the commands of `flashdeck` print with `--json` and `--jsonl`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from flashdeck import api
from flashdeck.diagnosis import Diagnosis
from flashdeck.model import BoardState, JobState
from flashdeck.slot_state import LotState
from flashdeck_tui.cli import answers
from flashdeck_tui.demo.demo_report import Report
from schema.values import DRAFT, Schema, definitions, ref

_ABOUT = (
    "What the commands of flashdeck print: `commands` says for each, `json` of the object, `jsonl` of each line. "
    "A command that can not do what it was asked for prints `error` instead. Where `--host` names several machines and "
    "some of them failed, each object also has `failed_hosts`, and so has the last line of `--jsonl`. "
    "Every field is always there. Fields and "
    "members of enums and of unions may be added: ignore what you do not know."
)
_CONFIG: Final[Schema] = {
    "description": "The configuration with every default, as flashdeck.schema.json has it; `files` says where from, "
    "`disarmed` names the boards that are, `once` those that are armed for one job.",
    "type": "object",
    "properties": {name: {"type": "array", "items": {"type": "string"}} for name in ("files", "disarmed", "once")},
    "required": ["files"],
    "additionalProperties": True,
}


@dataclass(frozen=True, slots=True)
class Printed:
    """What one command prints."""

    json: type[msgspec.Struct] | None = None
    jsonl: type[msgspec.Struct] | None = None
    json_of_hosts: type[msgspec.Struct] | None = None
    """The object where `--host` names several machines and that is another one."""

    @property
    def kinds(self) -> tuple[type[msgspec.Struct], ...]:
        """Everything that it may print."""
        return tuple(kind for kind in (self.json, self.jsonl, self.json_of_hosts) if kind is not None)


COMMANDS: Final[Mapping[str, Printed]] = {
    "init": Printed(answers.FirstBoard),
    "status": Printed(answers.Status, json_of_hosts=answers.StatusOfHosts),
    "boards": Printed(api.BoardList),
    "jobs": Printed(api.JobList),
    "history": Printed(answers.History, answers.JobLine),
    "flash": Printed(answers.FlashReport, answers.JobLine),
    "run": Printed(answers.RunReport, answers.RunLine),
    "plan": Printed(api.PlanList),
    "rollback": Printed(answers.FlashReport, answers.JobLine),
    "verify": Printed(answers.FlashReport, answers.JobLine),
    "read": Printed(answers.ReadReport, answers.JobLine),
    "erase": Printed(answers.FlashReport, answers.JobLine),
    "reset": Printed(answers.FlashReport, answers.JobLine),
    "wait": Printed(answers.WaitReport),
    "follow": Printed(jsonl=answers.FollowedLine),
    "cancel": Printed(JobState),
    "retry": Printed(answers.FlashReport, answers.JobLine),
    "move": Printed(api.QueueOrder),
    "logs": Printed(api.LogPage, answers.LogLineOfMany),
    "console": Printed(answers.ConsoleReport, answers.ConsoleLine),
    "hold": Printed(api.BoardList),
    "release": Printed(api.BoardList),
    "take": Printed(answers.Taken),
    "arm": Printed(api.BoardList),
    "disarm": Printed(api.BoardList),
    "units": Printed(answers.UnitList),
    "lot begin": Printed(LotState),
    "lot status": Printed(api.LotList),
    "lot end": Printed(LotState),
    "suggest": Printed(answers.Suggestions),
    "adopt": Printed(BoardState),
    "doctor": Printed(Diagnosis),
    "report": Printed(answers.ReportWritten),
    "config check": Printed(answers.ConfigChecked),
    "config reload": Printed(api.ConfigReloaded),
    "config trust": Printed(api.ConfigTrusted),
    "install": Printed(answers.InstallationReport),
    "uninstall": Printed(answers.InstallationReport),
    "completion": Printed(answers.CompletionScript),
    "demo": Printed(Report),
    "serve": Printed(answers.Served),
    "virtual list": Printed(api.VirtualBoardList),
    "virtual plug": Printed(api.VirtualBoardList),
    "virtual unplug": Printed(api.VirtualBoardList),
    "virtual swap": Printed(api.VirtualBoardState),
    "virtual press": Printed(api.VirtualBoardList),
    "virtual say": Printed(api.VirtualBoardState),
    "virtual fault": Printed(api.VirtualBoardState),
    "virtual dump": Printed(answers.FlashCopied),
}
"""By the words of the command. `config show` prints the configuration itself."""


def command_line_schema() -> Schema:
    """Return the schema. What any command prints is valid by it; `commands` refers to its parts by name."""
    commands: Schema = {name: _printed(printed) for name, printed in COMMANDS.items()} | {
        "config show": {"json": _CONFIG}
    }
    kinds = [*(kind for printed in COMMANDS.values() for kind in printed.kinds), answers.HostsFailed]
    return {
        "$schema": DRAFT,
        "title": "What the commands of flashdeck print as JSON",
        "description": _ABOUT,
        "commands": commands,
        "error": ref(answers.Refusal),
        "failed_hosts": {"type": "array", "items": ref(answers.HostFailure)},
        "anyOf": [ref(kind) for kind in dict.fromkeys((*kinds, answers.Refusal))] + [_CONFIG],
        "$defs": dict(definitions((*kinds, answers.Refusal, answers.HostFailure), full=True)),
    }


def _printed(printed: Printed) -> Schema:
    said: dict[str, Schema] = {}
    if printed.json is not None:
        said["json"] = ref(printed.json)
    if printed.json is not None and printed.json_of_hosts is not None:
        said["json"] = {"anyOf": [ref(printed.json), ref(printed.json_of_hosts)]}
    if printed.jsonl is not None:
        said["jsonl"] = ref(printed.jsonl)
    return said
