"""What keeps boards from being reached on this machine: nodes, rules, and parts that do not work."""

import os
from pathlib import Path

import pytest

from diagnosis_rig import PROFILE
from flashdeck.config import Config, UsbId
from flashdeck.diagnosis import Severity
from flashdeck.model import ConfigurationState, Trouble
from flashdeckd.diagnosis.installation import Machine, configuration_findings, findings, inspect
from flashdeckd.usb.device import InterfaceClass, UsbDevice

CONFIG = Config(profiles={"product": PROFILE})
DFU = InterfaceClass(0, 0, 0xFE, 1, 2)
DEVICE = UsbDevice("1-4.2", "pci-0-usb-0:4.2", 1, 7, UsbId(0x0483, 0xDF11), 0x0200, interfaces=(DFU,))
OTHER = UsbDevice("1-5", "pci-0-usb-0:5", 1, 8, UsbId(0x1D6B, 0x0104), 0x0100)
RULE = 'ATTR{idVendor}=="0483", ATTR{idProduct}=="df11", TAG+="uaccess"\n'
CONFIG_WORDS = "flashdeck install"


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def node(root: Path, device: UsbDevice) -> None:
    path = root / f"{device.bus:03d}" / f"{device.address:03d}"
    path.parent.mkdir(exist_ok=True)
    path.touch()


@pytest.mark.usefixtures("person")
def test_a_device_of_interest_without_access_is_found_and_others_are_not(tmp_path: Path) -> None:
    machine = inspect(CONFIG, [DEVICE, OTHER], [], nodes=tmp_path, rules=[])
    assert machine.closed == (DEVICE,)
    (found,) = findings(machine)
    assert (found.code, found.severity) == ("node-closed", Severity.ERROR)
    assert "/dev/bus/usb/001/007" in found.seen
    assert CONFIG_WORDS in found.mend


@pytest.mark.usefixtures("person")
def test_a_node_that_opens_needs_no_rule(tmp_path: Path) -> None:
    node(tmp_path, DEVICE)
    assert inspect(CONFIG, [DEVICE], [], nodes=tmp_path, rules=[tmp_path / "none"]) == Machine()


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(
    ("text", "known"),
    [
        (RULE, True),
        (RULE.upper(), True),
        ("#" + RULE, False),
        (RULE.replace("df11", "5740"), False),
        ('ATTR{idVendor}=="0483"\nATTR{idProduct}=="df11"\n', False),
        ("", False),
    ],
)
def test_while_nothing_is_plugged_in_a_missing_rule_is_noted(tmp_path: Path, text: str, known: bool) -> None:
    (tmp_path / "70-mine.rules").write_text(text)
    (tmp_path / "readme").write_text(RULE)
    machine = inspect(CONFIG, [], [], nodes=tmp_path, rules=[tmp_path])
    assert [each.code for each in findings(machine)] == ([] if known else ["rule-missing"])


def test_root_needs_no_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert inspect(CONFIG, [], [], nodes=tmp_path, rules=[tmp_path]) == Machine()


def test_parts_that_do_not_work_are_errors(tmp_path: Path) -> None:
    node(tmp_path, DEVICE)
    trouble = Trouble(part="libusb", text="none can be loaded", hint="install it", since=0)
    machine = inspect(CONFIG, [DEVICE], [trouble], nodes=tmp_path, rules=[])
    (found,) = (each for each in findings(machine) if each.code == "degraded")
    assert (found.seen, found.severity) == ("libusb: none can be loaded", Severity.ERROR)
    assert found.mend == "install it"


@pytest.mark.parametrize(
    ("changed", "refused", "says"),
    [
        (False, "", "read 1 min ago"),
        (True, "", "; changed since"),
        (True, "c.toml:1: seriel", "; a newer one was refused"),
    ],
)
def test_a_configuration_that_is_not_in_force_as_it_is_now_is_a_finding(
    changed: bool,
    refused: str,
    says: str,
) -> None:
    state = ConfigurationState(files=("/c.toml",), read_at=40.0, changed=changed, refused=refused)
    (found,) = configuration_findings(state, 100.0)
    assert (found.code, found.severity) == ("configuration", Severity.WARNING if changed else Severity.GOOD)
    assert found.seen.startswith("configuration /c.toml, ")
    assert found.seen.endswith(says)
    assert ("flashdeck config reload" in found.mend) is changed
    assert list(configuration_findings(None, 100.0)) == []
