"""The name of a user of a lab as labgrid has it: "host/user"."""

import os
import re
import socket
from collections.abc import Mapping
from getpass import getuser
from typing import Final

HOST_VARIABLE: Final = "LG_HOSTNAME"
USER_VARIABLE: Final = "LG_USERNAME"
"""The variables by which labgrid's own programs are told another name for the machine, and for its user."""

LONGEST_LAB_NAME: Final = 100
"""Characters of a name in a lab: of an exporter, a group, a host, a user."""
LAB_USER_PATTERN: Final = rf"[^\s/]{{1,{LONGEST_LAB_NAME}}}/[^\s/]{{1,{LONGEST_LAB_NAME}}}"
"""A host and a user, with one slash between."""


def is_lab_user(text: str) -> bool:
    """Return whether a text names a user of a lab."""
    return re.fullmatch(LAB_USER_PATTERN, text) is not None and text.isprintable()


def labgrid_user(environ: Mapping[str, str] = os.environ) -> str:
    """Return the user of the lab, host/user, as `labgrid-client` names the one who runs it."""
    return f"{environ.get(HOST_VARIABLE) or socket.gethostname()}/{environ.get(USER_VARIABLE) or getuser()}"


def own_lab_user(environ: Mapping[str, str] = os.environ) -> str:
    """Return the same; "" where the environment, or the system, gives no such name: most have no lab."""
    try:
        user = labgrid_user(environ)
    except (KeyError, OSError):  # there is no account of this number
        return ""
    return user if is_lab_user(user) else ""
