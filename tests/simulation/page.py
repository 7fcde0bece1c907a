"""The parts of docs/simulation.md that are what a command has printed. Pure, but for the page itself."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs/simulation.md"


def part(text: str, name: str) -> str:
    """Return what stands in a part of the page."""
    before, _, behind = text.partition(_end(name))
    _, begin, rest = before.partition(_begin(name))
    if not begin or not behind:
        raise ValueError(f"the page has no part {name}")
    return rest.partition("-->")[2].strip()


def with_part(text: str, name: str, command: str, lines: Iterable[str]) -> str:
    """Return the page with other lines in a part, and the command that has printed them at its beginning."""
    part(text, name)
    head, _, rest = text.partition(_begin(name))
    _, _, tail = rest.partition(_end(name))
    body = "\n".join(lines)
    return f"{head}{_begin(name)} what `{command}` printed -->\n\n{body}\n\n{_end(name)}{tail}"


def write_part(name: str, command: str, lines: Iterable[str]) -> None:
    """Put into the page what a command has printed."""
    PAGE.write_text(with_part(PAGE.read_text(), name, command, lines))


def _begin(name: str) -> str:
    return f"<!-- {name}:"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->"
