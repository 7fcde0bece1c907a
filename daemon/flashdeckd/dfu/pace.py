"""The pace of a device, and how one operation shows it: states, events, and one table of where each leads. Pure.

ST's class erases and programs *inside* GETSTATUS: once that is answered, the claimed bwPollTimeout is waste. Others
must be left alone until it is over. Which kind a device is shows on its first erase, the one operation that can be done
twice without harm; a data block is never used to find out. What was found out holds for later sessions too.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never


class Pace(StrEnum):
    """The pace of a device, as far as it is known: when it may be asked."""

    UNPROVEN = "unproven"
    """Nothing yet: wait as claimed, try an early poll on the next erase."""
    SYNCHRONOUS = "synchronous"
    """Done when GETSTATUS is answered: no sleep."""
    STALLING = "stalling"
    """STALLs while busy: short polls."""
    PATIENT = "patient"
    """Says dfuDNBUSY as often as asked: short polls."""
    CLAIMED = "claimed"
    """Wait as claimed."""


class PollEvent(StrEnum):
    """Something that happens to an operation once its first GETSTATUS was answered."""

    HURRY = "the time that the device claimed is not over, and a question could come"
    BUSY = "a question was answered with dfuDNBUSY or dfuDNLOAD-SYNC"
    STALL = "a question was answered with a STALL, which is how USBX and some ROM bootloaders say busy"
    DONE = "the device is in dfuDNLOAD-IDLE"
    FAILURE = "the device reports an error, or a state that does not belong here"
    LOST = "a question was not answered, or the device left the bus"
    SILENCE = "it has answered with STALLs for longer than it is given"
    STUCK = "it has been busy for longer than it is given"


class PollState(StrEnum):
    """The state of one operation: how it is waited for, and what it has shown of the device's pace."""

    OBEYING = "no question comes before its time"
    KNOWN = "the pace is known, and no question has come before its time"
    KNOWN_HURRIED = "the pace is known, and a question has come before its time"
    TRIAL = "on trial: not asked again yet"
    TRIAL_BUSY = "on trial: asked, but never before its time"
    TRIAL_STALLED = "on trial: a question was stalled, but none has come before its time"
    HURRIED = "on trial: the very first question comes before its time"
    HURRIED_BUSY = "on trial: a question has come before its time, and there were several"
    HURRIED_STALLED = "on trial: a question has come before its time, and one was stalled"

    ENDED = "over, and nothing is known that was not known before"
    SYNCHRONOUS = "over: done when the first question was answered, although that came before its time"
    PATIENT = "over: it said that it was busy as often as it was asked"
    STALLING = "over: it was silent as long as it was busy"
    OBJECTED = "over, with an error that an early question may have caused"


_S, _E = PollState, PollEvent

NEXT: Mapping[PollState, Mapping[PollEvent, PollState]] = {
    _S.OBEYING: {
        _E.HURRY: _S.OBEYING,
        _E.BUSY: _S.OBEYING,
        _E.STALL: _S.OBEYING,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.ENDED,
        _E.LOST: _S.ENDED,
        _E.SILENCE: _S.ENDED,
        _E.STUCK: _S.ENDED,
    },
    _S.KNOWN: {
        _E.HURRY: _S.KNOWN_HURRIED,
        _E.BUSY: _S.KNOWN,
        _E.STALL: _S.KNOWN,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.ENDED,
        _E.LOST: _S.ENDED,
        _E.SILENCE: _S.ENDED,
        _E.STUCK: _S.ENDED,
    },
    _S.KNOWN_HURRIED: {
        _E.HURRY: _S.KNOWN_HURRIED,
        _E.BUSY: _S.KNOWN_HURRIED,
        _E.STALL: _S.KNOWN_HURRIED,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.OBJECTED,
        _E.LOST: _S.ENDED,  # it has stood early questions before
        _E.SILENCE: _S.OBJECTED,  # to some the early question is an error, and they are silent in dfuERROR
        _E.STUCK: _S.ENDED,
    },
    _S.TRIAL: {
        _E.HURRY: _S.HURRIED,
        _E.BUSY: _S.TRIAL_BUSY,
        _E.STALL: _S.TRIAL_STALLED,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.ENDED,
        _E.LOST: _S.ENDED,
        _E.SILENCE: _S.ENDED,
        _E.STUCK: _S.ENDED,
    },
    _S.TRIAL_BUSY: {
        _E.HURRY: _S.HURRIED_BUSY,
        _E.BUSY: _S.TRIAL_BUSY,
        _E.STALL: _S.TRIAL_STALLED,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.ENDED,
        _E.LOST: _S.ENDED,
        _E.SILENCE: _S.ENDED,
        _E.STUCK: _S.ENDED,
    },
    _S.TRIAL_STALLED: {
        _E.HURRY: _S.HURRIED_STALLED,
        _E.BUSY: _S.TRIAL_STALLED,
        _E.STALL: _S.TRIAL_STALLED,
        _E.DONE: _S.ENDED,
        _E.FAILURE: _S.ENDED,
        _E.LOST: _S.ENDED,
        _E.SILENCE: _S.ENDED,
        _E.STUCK: _S.ENDED,
    },
    _S.HURRIED: {
        _E.HURRY: _S.HURRIED,
        _E.BUSY: _S.HURRIED_BUSY,
        _E.STALL: _S.HURRIED_STALLED,
        _E.DONE: _S.SYNCHRONOUS,
        _E.FAILURE: _S.OBJECTED,
        _E.LOST: _S.OBJECTED,  # a bootloader may die of the question; where it was the cable, this costs only speed
        _E.SILENCE: _S.OBJECTED,
        _E.STUCK: _S.ENDED,
    },
    _S.HURRIED_BUSY: {
        _E.HURRY: _S.HURRIED_BUSY,
        _E.BUSY: _S.HURRIED_BUSY,
        _E.STALL: _S.HURRIED_STALLED,
        _E.DONE: _S.PATIENT,
        _E.FAILURE: _S.OBJECTED,
        _E.LOST: _S.OBJECTED,
        _E.SILENCE: _S.OBJECTED,
        _E.STUCK: _S.ENDED,
    },
    _S.HURRIED_STALLED: {
        _E.HURRY: _S.HURRIED_STALLED,
        _E.BUSY: _S.HURRIED_STALLED,
        _E.STALL: _S.HURRIED_STALLED,
        _E.DONE: _S.STALLING,
        _E.FAILURE: _S.OBJECTED,
        _E.LOST: _S.OBJECTED,
        _E.SILENCE: _S.OBJECTED,
        _E.STUCK: _S.ENDED,
    },
}
"""The state that follows each event in each state. States that are not in it are the last."""

LEARNED: Mapping[PollState, Pace] = {
    _S.SYNCHRONOUS: Pace.SYNCHRONOUS,
    _S.PATIENT: Pace.PATIENT,
    _S.STALLING: Pace.STALLING,
    _S.OBJECTED: Pace.CLAIMED,
}
"""The pace that is known from the end of an operation on; where it is not in here, the one that was known before."""


def first_state(pace: Pace, *, erase: bool) -> PollState:
    """Return the state in which an operation begins on a device of that pace, as far as it is known."""
    match pace:
        case Pace.UNPROVEN:
            return PollState.TRIAL if erase else PollState.OBEYING
        case Pace.SYNCHRONOUS | Pace.STALLING | Pace.PATIENT:
            return PollState.KNOWN
        case Pace.CLAIMED:
            return PollState.OBEYING
        case _:
            assert_never(pace)
