"""The life of a job as CONTRIBUTING.md shows it, drawn from the table of states.

make diagram
"""

import re
from pathlib import Path

from flashdeck.job_state import TRANSITIONS, JobStatus, Unknown, name_of

DOCUMENT = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
_PLACE = re.compile(r"(?<=<!-- job states: drawn by `make diagram` -->\n).*?(?=<!-- end of job states -->)", re.DOTALL)


def drawn() -> str:
    """Return the diagram: a state, and what may follow it. That each may be told anew is left out."""
    known: list[type[JobStatus]] = [status for status in TRANSITIONS if status is not Unknown]
    width = max(len(name_of(status)) for status in known)
    lines = [_line(status, width) for status in known]
    return "".join(("```text\n", *lines, "```\n"))


def shown(document: str) -> str:
    """Return the diagram that a document has."""
    found = _PLACE.search(document)
    return found[0] if found else ""


def renewed(document: str) -> str:
    """Return a document with the diagram as it is drawn now."""
    return _PLACE.sub(lambda _: drawn(), document)


def _line(status: type[JobStatus], width: int) -> str:
    after = [name_of(each) for each in TRANSITIONS[status] if each is not status]
    return f"{name_of(status):{width}} ─▶ {' · '.join(after)}\n" if after else f"{name_of(status):{width}}  (the end)\n"


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
