"""The token that the numbers are given for: a file in the state directory that only our user can read."""

import re
import stat
from pathlib import Path
from typing import Final

from flashdeck.errors import FlashdeckError
from flashdeck.text import clean
from flashdeckd.host import files, processes, randomness
from flashdeckd.host.durable import write_durably

TOKEN_NAME: Final = "metrics-token"  # noqa: S105 - the name of its file
SHORTEST_TOKEN: Final = 16
"""Characters: a shorter one may be guessed."""
LONGEST_TOKEN: Final = 256
"""Characters."""
_TOKEN: Final = re.compile(rf"[0-9A-Za-z._~+/=-]{{{SHORTEST_TOKEN},{LONGEST_TOKEN}}}")
"""A token as an Authorization header may have it (RFC 6750, 2.1)."""


def kept_token(state_dir: Path) -> str:
    """Return the token; where there is none yet, a new one, which stays over restarts. Blocks.

    Raises FlashdeckError where the file is not ours alone, or says something else.
    """
    path = state_dir / TOKEN_NAME
    try:
        if not files.is_named(path):
            write_durably(path, f"{randomness.unique_id()}{randomness.unique_id()}\n".encode())
        descriptor = files.open_to_read(path, follow=False)
        try:
            found = files.open_status(descriptor)
            said = files.read(descriptor, LONGEST_TOKEN + 2)
        finally:
            files.close(descriptor)
    except OSError as error:
        raise FlashdeckError(
            f"the token {clean(str(path))} cannot be read or written: {error.strerror}",
            hint="see that it is a file of yours",
        ) from error
    if found.st_uid != processes.own_uid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise FlashdeckError(
            f"the token {clean(str(path))} is not yours alone",
            hint=f'remove it, and flashdeckd makes another one; or close it: chmod 600 "{clean(str(path))}"',
        )
    token = said.decode("latin-1").strip()
    if not _TOKEN.fullmatch(token):
        raise FlashdeckError(
            f"{clean(str(path))} has no token of {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters",
            hint="remove it, and flashdeckd makes another one",
        )
    return token
