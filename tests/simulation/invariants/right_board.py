"""Rule 3: the right board."""

from flashdeck.model import Presence
from simulation.invariants.attempts import Attempts
from simulation.invariants.identity import candidates, is_exactly
from simulation.invariants.rule import Rule
from simulation.seen import FlashChange, Opened, Seen, Setup

NOTICED_SECONDS = 5.0
"""Seconds in which the daemon has noticed what is plugged in: hotplug, and the reads of a new device."""


class RightBoard(Rule):
    """A lane opens, and changes, only the one device that is its board."""

    name = "3"
    sentence = (
        "A job runs only on a board that matches exactly one configured board, by serial, by port, or by what adopt "
        "pinned. Two candidates, or a pinned fact that changed: blocked, with the reason, never first found. The same "
        "goes for everything that is done to a board."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._before = seen.setup
        self._took_at = 0.0

    def took(self, before: Setup, after: Setup) -> None:
        """Note which boards there were until now."""
        self._before, self._took_at = before, self.seen.now

    def opened(self, opened: Opened) -> None:
        """Judge the device, and that nothing else could be meant."""
        if not opened.lane:
            return  # somebody only looks at a device that is to be adopted
        named = self.seen.setup.boards.get(opened.lane)
        if named is None and (attempt := self.attempts.running(opened.lane)) is not None:
            named = attempt.named  # what has begun ends as it began, at its next safe point
        if named is None and self.seen.now < self._took_at + NOTICED_SECONDS:
            named = self._before.boards.get(opened.lane)  # somebody had asked for a look at it before
        if named is None:
            raise self.broken(f"{opened.device} was opened for {opened.lane}, which is not configured")
        if not opened.was_dfu:
            return  # an application may show another serial; where it was last seen tells then
        device = self.seen.devices[opened.device]
        shown = self.seen.shown.boards.get(opened.lane)
        if shown is not None and shown.presence is Presence.AMBIGUOUS:
            raise self.broken(f"{opened.device} was opened for {opened.lane} while two devices look like it")
        attempt = self.attempts.running(opened.lane)  # it goes by what was in force when it began, to its end
        is_meant = is_exactly(named, device) or (attempt is not None and is_exactly(attempt.named, device))
        if device.is_plugged and not is_meant:
            raise self.broken(self._other(opened.device, opened.lane))

    def changed(self, change: FlashChange) -> None:
        """Judge whose flash it is."""
        if not change.life or (attempt := self.attempts.of(change)) is None:
            return
        named, device = attempt.named, self.seen.devices[change.device]
        if device.is_plugged and device.mode == "dfu" and not is_exactly(named, device):
            raise self.broken(self._other(change.device, change.lane))
        if attempt.changes > 1:
            return
        others = [each for each in candidates(named, self.seen.devices.values()) if each is not device]
        since = self.seen.now - NOTICED_SECONDS
        if any(each.changed_at < since for each in others) and device.changed_at < since:
            names = ", ".join(each.name for each in others)
            raise self.broken(f"{change.device} is flashed as {change.lane}, and {names} looks like it for long")

    def _other(self, name: str, lane: str) -> str:
        device, named = self.seen.devices[name], self.seen.setup.boards.get(lane)
        wanted = f"serial {named.serial or 'any'}, port {named.port or 'any'}" if named is not None else "nothing"
        return f"{name} (serial {device.serial}, port {device.port}) is taken for {lane} ({wanted})"
