"""The device that comes to a slot is the unit that was there, or the next one; a new one is never called done."""

from dataclasses import replace

import pytest

from flashdeck.config import UsbId
from flashdeck.model import Presence
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.slotting.unit_identity import (
    HAND_SECONDS,
    RETURN_SECONDS,
    Absence,
    Coming,
    Face,
    judge_coming,
    judge_restart,
    patience,
)
from flashdeckd.usb.device import UsbDevice

DEVICE = UsbDevice(
    name="1-4.2",
    port="pci-0000:00:14.0-usb-0:4.2",
    bus=1,
    address=7,
    usb_id=UsbId(0x0483, 0xDF11),
    bcd_device=0x200,
    serial="SAME",
)
IN_DFU = {Presence.DFU: Face.of(DEVICE)}
LEAVE = RestartAsked(Presence.APP, 20.0)
DETACH = RestartAsked(Presence.DFU, 15.0)
UNSEEN = RestartAsked(Presence.APP, None)
JUST_BELOW, JUST_ABOVE = HAND_SECONDS - 0.01, HAND_SECONDS


@pytest.mark.parametrize(
    ("restart", "seconds", "came", "is_own", "is_"),
    [
        (None, JUST_BELOW, Presence.DFU, True, Coming.SAME),
        (None, JUST_ABOVE, Presence.DFU, True, Coming.NEW),
        (None, JUST_BELOW, Presence.DFU, False, Coming.NEW),
        (LEAVE, 19.0, Presence.APP, True, Coming.SAME),
        (LEAVE, 21.0, Presence.APP, True, Coming.NEW),
        (LEAVE, JUST_BELOW, Presence.APP, False, Coming.SAME),
        (LEAVE, JUST_ABOVE, Presence.APP, False, Coming.DOUBTFUL),
        (LEAVE, RETURN_SECONDS - 0.1, Presence.DFU, False, Coming.SAME),
        (LEAVE, RETURN_SECONDS, Presence.DFU, True, Coming.NEW),
        (DETACH, JUST_BELOW, Presence.DFU, False, Coming.SAME),
        (DETACH, JUST_ABOVE, Presence.DFU, False, Coming.NEW),
        (UNSEEN, 3600.0, Presence.DFU, True, Coming.NEW),
    ],
)
def test_by_why_it_was_gone_for_how_long_and_its_serial(
    restart: RestartAsked | None, seconds: float, came: Presence, *, is_own: bool, is_: Coming
) -> None:
    assert judge_coming(IN_DFU, Absence(seconds, restart), came, DEVICE, is_own_serial=is_own) is is_


@pytest.mark.parametrize("restart", [None, LEAVE, DETACH])
@pytest.mark.parametrize("other", [replace(DEVICE, serial="OTHER"), replace(DEVICE, bcd_device=0x201)])
def test_another_serial_or_revision_in_the_same_mode_is_another_unit(
    restart: RestartAsked | None, other: UsbDevice
) -> None:
    assert judge_coming(IN_DFU, Absence(0.0, restart), Presence.DFU, other, is_own_serial=True) is Coming.NEW


def test_units_without_a_serial_are_the_same_only_where_no_hand_is_as_quick() -> None:
    nameless = replace(DEVICE, serial="")
    faces = {Presence.DFU: Face.of(nameless)}
    for restart, seconds, expected in (
        (None, 0.0, Coming.NEW),
        (LEAVE, JUST_BELOW, Coming.SAME),
        (LEAVE, JUST_ABOVE, Coming.DOUBTFUL),
    ):
        away = Absence(seconds, restart)
        assert judge_coming(faces, away, Presence.APP, nameless, is_own_serial=True) is expected


def test_an_application_with_a_serial_of_its_own_is_taken_at_once_and_doubted_later() -> None:
    running = replace(DEVICE, serial="RUNNING")
    for seconds, expected in ((JUST_BELOW, Coming.SAME), (JUST_ABOVE, Coming.DOUBTFUL)):
        assert judge_coming(IN_DFU, Absence(seconds, LEAVE), Presence.APP, running, is_own_serial=True) is expected


def test_after_a_restart_of_the_daemon_a_serial_proves_it_alone_where_it_is_its_own() -> None:
    assert judge_restart(IN_DFU, Presence.DFU, DEVICE, is_own_serial=True)
    assert not judge_restart(IN_DFU, Presence.DFU, DEVICE, is_own_serial=False)
    assert not judge_restart(IN_DFU, Presence.APP, DEVICE, is_own_serial=True)
    assert not judge_restart({}, Presence.DFU, replace(DEVICE, serial=""), is_own_serial=True)


def test_how_long_a_unit_is_waited_for() -> None:
    assert (patience(None), patience(LEAVE), patience(UNSEEN)) == (HAND_SECONDS, 20.0, None)
