"""The protocols of releases that are out: `tests/data/wire`, which never changes."""

import json
from pathlib import Path
from typing import Any, Final

V2: Final = Path(__file__).parent / "data" / "wire" / "v2"
CLIENT: Final = V2 / "client.py"


def read(name: str) -> Any:
    """Return a JSON file of protocol 2."""
    return json.loads((V2 / name).read_text())
