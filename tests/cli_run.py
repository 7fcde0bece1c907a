"""What one run of the command line left behind."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Run(NamedTuple):
    """Exit code and both outputs."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; fails where there is anything else."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def jsonl(self) -> list[Any]:
        """The objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Run]
"""Runs the command line with these words."""
