"""Tells whether the device that comes to a slot is the unit that was there, or the next one. Pure; part of rule 3.

Units of a line often have one serial, or none, so the time that the port was empty says most. What went away, how it
comes back, and what follows:

| why it went | comes back | it is |
|---|---|---|
| flashdeck, or a person for it, restarts it | in that mode, in time, by a serial of its own | the same |
| likewise | in that mode, within `HAND_SECONDS`, by a serial that others may have | the same |
| likewise, into DFU mode | later, by such a serial | a new one: nothing is on it yet |
| likewise, into its application | later, by such a serial | doubtful: the unit has failed |
| likewise | in the other mode, within `RETURN_SECONDS`, by the same serial | the same: it did not start |
| nobody knows | within `HAND_SECONDS`, by a serial of its own | the same: no hand is as quick |
| any | by another serial or bcdDevice than it has shown in that mode | a new one |
| any | otherwise | a new one |

A serial is a unit's own if it has one, and nothing else has ever shown the same. A new unit is never taken for one that
is done: where both are possible, it is done anew, or told as failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from flashdeck.model import Presence
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.usb.device import UsbDevice

HAND_SECONDS: Final = 1.0
"""A port that was empty for less had no other unit put in by a hand; a restart rarely takes longer."""
RETURN_SECONDS: Final = 3.0
"""A unit that is back in DFU mode so soon after its leave did not start."""


class Coming(Enum):
    """The unit that a device is, which comes to a slot."""

    SAME = auto()
    NEW = auto()
    DOUBTFUL = auto()
    """It may be either, and what was there may have been done."""


@dataclass(frozen=True, slots=True)
class Face:
    """The look of a unit in one of its modes."""

    serial: str
    bcd_device: int

    @classmethod
    def of(cls, device: UsbDevice) -> "Face":
        """Return the look of a device."""
        return cls(device.serial, device.bcd_device)


@dataclass(frozen=True, slots=True)
class Absence:
    """A unit that is off the bus."""

    seconds: float
    """The time for which it was."""
    restart: RestartAsked | None
    """The restart that somebody has asked of it; None where nobody has."""


def judge_coming(
    faces: Mapping[Presence, Face], absence: Absence, came: Presence, device: UsbDevice, *, is_own_serial: bool
) -> Coming:
    """Return what a device is that comes to the place of a unit, by all that this unit has shown.

    `is_own_serial` says of the device's serial that no other unit or device has ever shown it.
    """
    face, known = Face.of(device), faces.get(came)
    if known is not None and known != face:
        return Coming.NEW
    is_known = bool(face.serial) and any(each.serial == face.serial for each in faces.values())
    is_proved = is_known and is_own_serial
    restart = absence.restart
    if restart is None:
        return Coming.SAME if is_proved and absence.seconds < HAND_SECONDS else Coming.NEW
    if came is not restart.into:
        return Coming.SAME if is_known and absence.seconds < RETURN_SECONDS else Coming.NEW
    is_in_time = restart.back_within is None or absence.seconds <= restart.back_within
    if is_in_time and (is_proved or absence.seconds < HAND_SECONDS):
        return Coming.SAME
    return Coming.DOUBTFUL if is_in_time and came is Presence.APP else Coming.NEW


def judge_restart(faces: Mapping[Presence, Face], came: Presence, device: UsbDevice, *, is_own_serial: bool) -> bool:
    """Tell whether a device is the unit that was there before the daemon was restarted, by its serial alone.

    What was on it is to be read again all the same: nobody saw the port meanwhile.
    """
    known = faces.get(came)
    return known == Face.of(device) and bool(device.serial) and is_own_serial


def patience(restart: RestartAsked | None) -> float | None:
    """Return the seconds after which a unit that is off the bus is gone; None: nothing can be seen of it meanwhile."""
    return HAND_SECONDS if restart is None else restart.back_within
