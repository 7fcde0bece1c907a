"""The use of a board that is part of a lab: whose jobs may start on it, by what is known of its place. Pure."""

from dataclasses import dataclass
from typing import Final

from flashdeck.job_state import Origin
from flashdeck.model import BoardLease

PLACE_REASON: Final = "place "
"""The beginning of the purpose of a lease that is the acquisition of a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabHolding:
    """The acquisition of a place that a board belongs to."""

    place: str
    holder: str = ""
    """The user who has acquired it, as "host/user"; "" while only the coordinator knows."""
    allowed: frozenset[str] = frozenset()
    """Users whom the holder allows to use it, too."""
    since: float = 0.0

    @property
    def shown(self) -> BoardLease:
        """Return it as the lease that it is."""
        by, reason = self.holder or "a user of labgrid", f"{PLACE_REASON}{self.place}"
        return BoardLease(by=by, reason=reason, place=self.place, since=self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabGate:
    """All that decides whether a job may start on a board that is part of a lab."""

    holding: LabHolding | None = None
    """None: nobody has acquired it, as far as is known."""
    is_known: bool = False
    """True once a coordinator has said, since the daemon's start, who has it."""
    is_away: bool = False
    """True while it is known that no coordinator can be asked: what is known of acquisitions stays as it was."""
    only_for: str = ""
    """The one user for whom builds flash by themselves; "" for whoever has it, where nobody else has."""

    def why_not(self, origin: Origin, user: str) -> str:
        """Return why a job that `user` has asked for ("": no user of the lab) does not start now; "" where it may."""
        if self.holding is not None and self.admits(user):
            return ""
        if origin in (Origin.BUILD, Origin.FLASHDECK):
            return self._why_not_by_itself()
        if self.holding is not None:
            return _taken(self.holding)
        is_open = self.is_known or self.is_away
        return "" if is_open else "not known to be free: labgrid has not yet said who has it"

    def admits(self, user: str) -> bool:
        """Return whether a person may use the board for `user` ("": no user of the lab) now."""
        holding = self.holding
        if holding is None:
            return self.is_known or self.is_away
        return bool(user) and (user == holding.holder or (bool(holding.holder) and user in holding.allowed))

    def _why_not_by_itself(self) -> str:
        if self.holding is not None and (not self.only_for or self.holding.holder != self.only_for):
            return _taken(self.holding)
        if not self.is_known:
            return "builds wait until labgrid has said who has it"
        if not self.only_for:
            return ""
        if self.is_away:
            return f"builds wait for {self.only_for}: the coordinator of labgrid is away, so nobody knows who has it"
        return (
            "" if self.holding is not None else f"builds wait until {self.only_for} has acquired its place in labgrid"
        )


def _taken(holding: LabHolding) -> str:
    return f"taken by {holding.shown.by} for {holding.shown.reason}"
