"""The state directory while the daemon runs: is it still the one that it began with."""

import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flashdeck.errors import FlashdeckError
from flashdeck.paths import ensure_private_dir
from flashdeck.text import clean
from flashdeckd.host import files
from flashdeckd.host.quiet_looks import QuietLooks
from flashdeckd.state.health import Health
from flashdeckd.state.journal import Journal
from flashdeckd.state.lock import LockFile, Name, exclusive, sole

HINT = "put it back, or restart flashdeckd: it then begins anew, and nothing is known of boards and builds"
"""The way out where the directory is gone."""


class StatePlace:
    """The state directory, by its identity: one that is made anew under its name is another one.

    It is never made again here: that it is gone may be a disk that was taken away.
    """

    def __init__(self, directory: Path, lock: LockFile, name: Name) -> None:
        self.lock = lock
        self._directory = directory
        self._name = name
        self._identity = files.identity(files.status(directory))

    def trouble(self) -> tuple[str, str]:
        """Return why the directory cannot be used any more, and what to do; "" and "" where it can. Blocks."""
        self._name.answer()
        shown = clean(str(self._directory))
        try:
            found = files.status(self._directory)
        except OSError as error:
            return f"the state directory {shown} is gone ({error.strerror}): nothing new begins", HINT
        if files.identity(found) != self._identity:
            return f"another directory is in the place of the state directory {shown}: nothing new begins", HINT
        if (mode := stat.S_IMODE(found.st_mode)) & 0o077:
            return f"the state directory {shown} is open to others (mode {mode:04o})", f'close it: chmod 700 "{shown}"'
        try:
            if not self.lock.is_there:
                self.lock.take_again()
        except FlashdeckError as error:
            return error.message, error.hint
        return "", ""


@contextmanager
def own_place(directory: Path, *, hint: str) -> Generator[StatePlace]:
    """Make this the only daemon of a state directory, which is made (0700) where it is missing.

    `hint` is for whoever finds another one there. Raises FlashdeckError of kind `already-running` then, of kind
    `no-permission` where the directory is not ours alone.
    """
    ensure_private_dir(directory)
    does = f"uses {directory}"
    # Two daemons on one journal would flash everything twice.
    with exclusive(directory / "lock", does=does, hint=hint) as lock, sole(directory, does=does, hint=hint) as name:
        files.sync_what_is_left(directory)
        yield StatePlace(directory, lock, name)


async def watch(place: StatePlace, journal: Journal, health: Health, looks: QuietLooks) -> None:
    """Look at the directory and at the journal in it again and again, until cancelled.

    Before anything is begun, the journal looks by itself.
    """
    while True:
        (trouble, hint), is_there = await looks.next(lambda: (place.trouble(), journal.is_there))
        health.report("state directory", trouble, hint=hint)
        if not is_there or journal.trouble:
            await journal.look()
