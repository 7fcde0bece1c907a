"""Rule 3: a serial that two devices have shown at once is no identity any more."""

from itertools import combinations

from flashdeck.job_state import Running
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.right_board import NOTICED_SECONDS
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Device, Seen, Wish

_VISIBLE = frozenset({"dfu", "app"})


class SharedSerials(Rule):
    """Nothing is done by a serial that two devices have shown, also after a restart, until a person says so."""

    name = "3, twins"
    sentence = "Two candidates: blocked, with the reason, never first found."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._since: dict[str, float] = {}
        """By serial: since when two devices show it."""
        self._noted: dict[str, float] = {}
        """By serial: when the daemon must have noticed that."""

    def plugged(self) -> None:
        """Note which serials two devices show now."""
        self._note()
        visible = [each for each in self.seen.devices.values() if each.is_plugged and each.mode in _VISIBLE]
        twins = {one.serial for one, other in combinations(visible, 2) if _are_alike(one, other)}
        self._since = {serial: self._since.get(serial, self.seen.now) for serial in sorted(twins)}

    def began(self) -> None:
        """It knows what the last one knew, unless the disk has kept that from being recorded."""
        self._since = dict.fromkeys(self._since, self.seen.now)
        self._noted = {
            serial: at for serial, at in self._noted.items() if at - NOTICED_SECONDS > self.seen.disk_failed_at
        }

    def asked(self, ask: Ask) -> None:
        """A person says which device is a board by releasing it."""
        if ask.wish is not Wish.RELEASE:
            return
        mine = [self.seen.setup.boards.get(name) for name in ask.boards]
        for serial in list(self._noted):
            if any(named is None or named.serial == serial for named in mine):
                del self._noted[serial]
                self._since.pop(serial, None)

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that begins."""
        job = event.job
        if job is None or not isinstance(job.status, Running) or (before and isinstance(before.status, Running)):
            return
        self._note()
        named = self.seen.setup.boards.get(job.board)
        if named is not None and not named.port and named.serial in self._noted:
            raise self.broken(
                f"job {job.id} begins on {job.board}, whose serial {named.serial} two devices have shown at once"
            )

    def _note(self) -> None:
        """Two that were there for long enough, while the daemon ran, were noticed."""
        if not self.seen.is_alive:
            return
        for serial, since in self._since.items():
            if max(since, self.seen.ready_at) < self.seen.now - NOTICED_SECONDS:
                self._noted.setdefault(serial, self.seen.now)


def _are_alike(one: Device, other: Device) -> bool:
    return one.serial == other.serial != "" and (one.dfu_id, one.app_id) == (other.dfu_id, other.app_id)
