"""What the doctor says of a running board: which way leads into DFU mode, and whether it can work."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from diagnosis_rig import PROFILE
from flashdeck.config import AnyEnter, Enter, EnterCommand, UsbId
from flashdeck.diagnosis import Finding, Severity
from flashdeck.model import Presence
from flashdeckd.diagnosis import ways_in
from flashdeckd.diagnosis.entry_facts import look
from flashdeckd.diagnosis.judge import judge
from flashdeckd.diagnosis.observation import Case, EntryFacts
from flashdeckd.host.open_files import Holder
from flashdeckd.host.serial_lines import PseudoPort
from flashdeckd.usb.device import InterfaceClass, UsbDevice
from flashdeckd.usb.serial_ports import SerialPort
from lane_rig import FakePorts

APP = UsbId(0x2341, 0x8036)
DEVICE = UsbDevice("1-4.2", "pci-0-usb-0:4.2", 1, 7, APP, 0x0200, serial="A1")
CDC = InterfaceClass(0, 0, 2, 2, 1)
RUNTIME = InterfaceClass(2, 0, 0xFE, 1, 1)
PORT = SerialPort(0, Path("/dev/ttyACM7"), (166, 7))
OTHER = SerialPort(2, Path("/dev/ttyACM8"), (166, 8))


def found(enter: AnyEnter, entry: EntryFacts, *interfaces: InterfaceClass) -> dict[str, Finding]:
    profile = replace(PROFILE, app=APP, enter=enter)
    case = Case("left", profile, Presence.APP, replace(DEVICE, interfaces=interfaces), entry=entry)
    return {each.code: each for each in ways_in.findings(case) if each.code != "runs-application"}


def test_a_port_that_is_there_is_good() -> None:
    (only,) = found(Enter.TOUCH, EntryFacts(ports=(PORT,))).values()
    assert (only.code, only.severity) == ("port-there", Severity.GOOD)
    assert only.seen == "the running application has the serial port /dev/ttyACM7"


def test_of_several_ports_the_one_that_is_touched_is_named() -> None:
    there = found(Enter.TOUCH, EntryFacts(ports=(PORT, OTHER)))["port-there"]
    assert there.seen.endswith("/dev/ttyACM7, the first of its 2 serial ports")


def test_a_missing_port_is_the_drivers_or_the_applications() -> None:
    missing = found(Enter.TOUCH, EntryFacts())["port-missing"]
    assert missing.severity is Severity.ERROR
    assert "add a serial port" in missing.mend
    assert "modprobe cdc_acm" in found(Enter.TOUCH, EntryFacts(), CDC)["port-missing"].mend


def test_a_port_that_may_not_be_opened_is_grave() -> None:
    (closed,) = found(Enter.TOUCH, EntryFacts(ports=(PORT,), is_closed=True)).values()
    assert (closed.code, closed.severity) == ("port-closed", Severity.ERROR)
    assert "`ls -l /dev/ttyACM7`" in closed.mend


def test_a_port_whose_node_is_not_there_is_grave() -> None:
    (hidden,) = found(Enter.TOUCH, EntryFacts(ports=(PORT,), is_hidden=True, is_closed=True)).values()
    assert (hidden.code, hidden.severity) == ("port-hidden", Severity.ERROR)


def test_whoever_has_the_port_is_named_beside_it() -> None:
    one = found(Enter.TOUCH, EntryFacts(ports=(PORT,), holders=(Holder(12, "picocom"),)))
    assert one.keys() == {"port-in-use", "port-there"}
    assert one["port-in-use"].seen == "picocom (pid 12) has /dev/ttyACM7 open"
    two = found(Enter.TOUCH, EntryFacts(ports=(PORT,), holders=(Holder(12, "picocom"), Holder(13, ""))))
    assert two["port-in-use"].seen == "picocom (pid 12), a process (pid 13) have /dev/ttyACM7 open"


def test_a_command_is_there_or_not() -> None:
    (there,) = found(EnterCommand(command=("enter",)), EntryFacts(program="/usr/bin/enter")).values()
    assert (there.code, there.severity, there.seen) == ("command-there", Severity.GOOD, "/usr/bin/enter is there")
    (missing,) = found(EnterCommand(command=("enter",)), EntryFacts()).values()
    assert (missing.code, missing.severity) == ("command-missing", Severity.ERROR)
    assert missing.seen.endswith("there is no program enter in the PATH of flashdeckd")
    (missing,) = found(EnterCommand(command=("/fw/enter",)), EntryFacts()).values()
    assert missing.seen.endswith("there is no program /fw/enter")
    assert "chmod +x" in missing.mend


def test_a_board_that_a_person_brings_is_said_to_be_one() -> None:
    (by_hand,) = found(Enter.MANUAL, EntryFacts()).values()
    assert (by_hand.code, by_hand.severity, by_hand.mend) == ("by-hand", Severity.NOTE, "")
    (by_hand,) = found(Enter.MANUAL, EntryFacts(), RUNTIME).values()
    assert 'enter = "detach"' in by_hand.mend


@pytest.mark.parametrize("presence", [Presence.DFU, Presence.ABSENT, Presence.AMBIGUOUS])
def test_nothing_is_said_of_a_board_that_is_not_running(presence: Presence) -> None:
    profile = replace(PROFILE, app=APP, enter=Enter.TOUCH)
    report = judge(Case("left", profile, presence, DEVICE if presence is Presence.DFU else None))
    assert not {each.code for each in report.findings} & {"port-missing", "runs-application"}


# What is looked at for that.


def test_only_what_the_way_needs_is_looked_at(tmp_path: Path) -> None:
    ports = FakePorts()
    ports.found = (PORT,)
    for enter in (Enter.DETACH, Enter.MANUAL):
        assert look(replace(PROFILE, enter=enter), DEVICE, ports) == EntryFacts()
    program = tmp_path / "enter"
    way = replace(PROFILE, enter=EnterCommand(command=(str(program),)))
    assert look(way, DEVICE, ports) == EntryFacts()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    assert look(way, DEVICE, ports) == EntryFacts(program=str(program))


def test_a_port_is_looked_at_and_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    profile, ports, pseudo = replace(PROFILE, enter=Enter.TOUCH), FakePorts(), PseudoPort()
    assert look(profile, DEVICE, ports) == EntryFacts()
    ports.found = (SerialPort(0, pseudo.node, pseudo.number), OTHER)
    assert look(profile, DEVICE, ports) == EntryFacts(ports=ports.found)
    assert not pseudo.state.is_open

    def refused(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refused)
    assert look(profile, DEVICE, ports).is_closed
    assert not look(profile, DEVICE, ports).is_hidden
    ports.found = (replace(PORT, node=Path("/dev/flashdeck/no-such-tty")),)
    assert look(profile, DEVICE, ports).is_hidden
    pseudo.close()
