"""The schemas that there are; a new one is an entry of `DOCUMENTS`. A test compares the files with the models."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from flashdeck.config_tables import BoardFileTable, ConfigTable
from flashdeckd.virtual.bench_file import BenchTable
from schema.command_line import command_line_schema
from schema.daemon_program import daemon_program_schema
from schema.toml_files import schema_of
from schema.wire import wire_schema

DIRECTORY = Path(__file__).resolve().parents[2] / "config" / "schema"
DOCUMENTS: Mapping[str, Callable[[], dict[str, object]]] = {
    "flashdeck.schema.json": partial(schema_of, ConfigTable),
    "boards.schema.json": partial(schema_of, BoardFileTable),
    "bench.schema.json": partial(schema_of, BenchTable),
    "wire.schema.json": wire_schema,
    "cli.schema.json": command_line_schema,
    "flashdeckd.schema.json": daemon_program_schema,
}
"""By file name."""


def rendered(name: str) -> str:
    """Return the text of a schema."""
    return json.dumps(DOCUMENTS[name](), indent=2, ensure_ascii=False) + "\n"
