"""The name of a user of a lab as labgrid has it: "host/user". Pure."""

import re
from typing import Final

LONGEST_LAB_NAME: Final = 100
"""Characters of a name in a lab: of an exporter, a group, a host, a user."""
LAB_USER_PATTERN: Final = rf"[^\s/]{{1,{LONGEST_LAB_NAME}}}/[^\s/]{{1,{LONGEST_LAB_NAME}}}"
"""A host and a user, with one slash between."""


def is_lab_user(text: str) -> bool:
    """Return whether a text names a user of a lab."""
    return re.fullmatch(LAB_USER_PATTERN, text) is not None and text.isprintable()
