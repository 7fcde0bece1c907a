"""The user of a lab for whom a program speaks: named as labgrid's own programs name the one who runs them."""

import os
import socket
from collections.abc import Mapping
from getpass import getuser
from typing import Final

from flashdeck.lab_user import is_lab_user

HOST_VARIABLE: Final = "LG_HOSTNAME"
USER_VARIABLE: Final = "LG_USERNAME"
"""The variables by which labgrid's own programs are told another name for the machine, and for its user."""


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
