"""The doctor's look at the machine around the daemon, with each thing broken, and mended."""

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from diagnosis_rig import PROFILE
from flashdeck.config import Config, Partition, UsbId
from flashdeck.diagnosis import Finding, Severity
from flashdeck.geometry import Range
from flashdeckd.diagnosis.machine import (
    interface_holders,
    lingering,
    port_grabbers,
    stale_sockets,
    storage,
    watch_limits,
)
from flashdeckd.diagnosis.machine.port_grabbers import IGNORED, MAX_PROCESSES
from flashdeckd.diagnosis.machine.storage import LEAST_FREE
from flashdeckd.diagnosis.machine.surroundings import LONGEST_ANSWER, Surroundings
from flashdeckd.diagnosis.machine.watch_limits import FEWEST_INSTANCES, FEWEST_WATCHES
from flashdeckd.host import files
from flashdeckd.usb.device import InterfaceClass, UsbDevice

RUNTIME = InterfaceClass(2, 0, 0xFE, 1, 1)
BOARD = UsbDevice("1-4.2", "pci-0-usb-0:4.2", 2, 7, UsbId(0x0483, 0x5740), 0x0200, interfaces=(RUNTIME,))
PROFILED = replace(PROFILE, app=BOARD.usb_id)


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """A machine on which nothing is wrong; all of it lies below a directory of the test."""
    places = {name: tmp_path / name for name in ("state_dir", "proc", "run", "var", "nodes", "sysfs")}
    for place in places.values():
        place.mkdir()
    limits = places["proc"] / "sys" / "fs"
    written(limits / "inotify" / "max_user_watches", f"{FEWEST_WATCHES}\n")
    written(limits / "inotify" / "max_user_instances", f"{FEWEST_INSTANCES}\n")
    written(limits / "leases-enable", "1\n")
    config = Config(profiles={"product": PROFILED})
    return Surroundings(
        config=config,
        devices=frozenset({BOARD}),
        state_dir=places["state_dir"],
        proc=places["proc"],
        run=places["run"],
        var=places["var"],
        nodes=places["nodes"],
        sysfs=places["sysfs"],
    )


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def one(found: Iterator[Finding], code: str, severity: Severity = Severity.WARNING) -> Finding:
    (finding,) = found
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.mend or severity is Severity.GOOD
    return finding


@pytest.mark.parametrize(
    "look", [port_grabbers.findings, lingering.findings, watch_limits.findings, interface_holders.findings]
)
def test_on_a_machine_where_all_is_well_nothing_is_said(
    around: Surroundings, look: Callable[[Surroundings], Iterator[Finding]]
) -> None:
    assert list(look(around)) == []
    assert list(look(replace(around, proc=around.proc / "none", run=around.run / "none"))) == []


@pytest.mark.parametrize("name", ["ModemManager", "brltty"])
def test_programs_that_grab_ports_are_named_where_there_is_an_application(around: Surroundings, name: str) -> None:
    written(around.proc / "412" / "comm", f"{name}\n")
    written(around.proc / "413" / "comm", "bash\n")
    finding = one(port_grabbers.findings(around), "port-grabber")
    assert finding.seen == f"{name} runs here (pid 412)"
    without = Config(profiles={"product": replace(PROFILED, app=None)})
    assert list(port_grabbers.findings(replace(around, config=without))) == []


def test_modem_manager_that_was_told_to_leave_the_board_alone_is_no_finding(around: Surroundings) -> None:
    written(around.proc / "412" / "comm", "ModemManager\n")
    entry = written(around.run / "udev" / "data" / "c189:134", f"E:ID_BUS=usb\n{IGNORED}\n")
    assert list(port_grabbers.findings(around)) == []
    assert list(port_grabbers.findings(replace(around, devices=frozenset()))) != []  # nobody knows
    entry.write_text("E:ID_MM_DEVICE_IGNORE=10\n")
    one(port_grabbers.findings(around), "port-grabber")


def test_no_more_than_a_bounded_answer_is_read(around: Surroundings) -> None:
    written(around.proc / "412" / "comm", "ModemManager\n")
    entry = written(around.run / "udev" / "data" / "c189:134", "\n" * (LONGEST_ANSWER - len(IGNORED)) + IGNORED)
    assert list(port_grabbers.findings(around)) == []
    entry.write_text("\n" + entry.read_text())
    one(port_grabbers.findings(around), "port-grabber")


def test_so_many_processes_are_looked_at(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def contents(path: Path, _limit: int) -> bytes:
        looked.append(str(path))
        return b"bash\n"

    def names(_directory: Path) -> list[str]:
        return [str(pid) for pid in range(2 * MAX_PROCESSES)]

    monkeypatch.setattr(files, "names", names)
    monkeypatch.setattr(files, "contents", contents)
    assert list(port_grabbers.findings(around)) == []
    assert sum(path.endswith("comm") for path in looked) == MAX_PROCESSES


def test_a_service_of_a_user_that_does_not_linger_is_told(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flashdeckd.host.processes.account", lambda: "ann")
    group = written(around.proc / "self" / "cgroup", "0::/user.slice/user-1000.slice/session-3.scope\n")
    assert list(lingering.findings(around)) == []
    group.write_text("0::/user.slice/user-1000.slice/user@1000.service/app.slice/flashdeckd.service\n")
    assert one(lingering.findings(around), "ends-with-login").mend == "loginctl enable-linger ann"
    written(around.var / "lib" / "systemd" / "linger" / "ann", "")
    one(lingering.findings(around), "lingers", Severity.GOOD)


@pytest.mark.parametrize(
    ("name", "fewest"), [("max_user_watches", FEWEST_WATCHES), ("max_user_instances", FEWEST_INSTANCES)]
)
def test_too_few_watches_are_told_with_the_setting(around: Surroundings, name: str, fewest: int) -> None:
    limit = written(around.proc / "sys" / "fs" / "inotify" / name, f"{fewest - 1}\n")
    finding = one(watch_limits.findings(around), "few-watches")
    assert f"fs.inotify.{name} is {fewest - 1}" in finding.seen
    assert f"sudo sysctl fs.inotify.{name}=" in finding.mend
    limit.write_text("many\n")  # no kernel says that
    assert list(watch_limits.findings(around)) == []


def test_leases_that_are_switched_off_are_told(around: Surroundings) -> None:
    written(around.proc / "sys" / "fs" / "leases-enable", "0\n")
    assert "leases-enable=1" in one(watch_limits.findings(around), "no-leases").mend


def test_builds_on_a_file_system_of_other_machines_are_told(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app1 = Partition(name="app1", span=Range(0x08020000, 0x08080000), image=str(tmp_path / "APP1.bin"))
    config = Config(profiles={"product": replace(PROFILED, partitions={"app1": app1})})
    assert list(watch_limits.findings(replace(around, config=config))) == []
    monkeypatch.setattr(watch_limits, "is_remote", str(tmp_path).__eq__)
    finding = one(watch_limits.findings(replace(around, config=config)), "remote-builds", Severity.NOTE)
    assert str(tmp_path) in finding.seen


def test_who_has_a_device_open_is_told_with_the_way_to_end_it(around: Surroundings) -> None:
    written(around.proc / "77" / "comm", "openocd\n")
    (around.proc / "77" / "fd").mkdir()
    (around.proc / "77" / "fd" / "5").symlink_to(around.nodes / "002" / "007")
    finding = one(interface_holders.findings(around), "device-open")
    assert finding.seen == "openocd (pid 77) has 0483:5740 at 1-4.2 open"
    assert finding.mend == "end it: kill 77"
    stranger = replace(BOARD, usb_id=UsbId(0x1D6B, 2), interfaces=())
    assert list(interface_holders.findings(replace(around, devices=frozenset({stranger})))) == []


def test_a_driver_on_the_dfu_interface_is_told_and_a_program_behind_usbfs_is_not(around: Surroundings) -> None:
    interface = around.sysfs / "1-4.2:1.2"
    interface.mkdir()
    (interface / "driver").symlink_to("../../../../bus/usb/drivers/usbfs")
    assert list(interface_holders.findings(around)) == []
    (interface / "driver").unlink()
    (interface / "driver").symlink_to("../../../../bus/usb/drivers/usbhid")
    finding = one(interface_holders.findings(around), "driver-bound")
    assert "usbhid has the DFU interface" in finding.seen
    assert "modprobe --remove usbhid" in finding.mend


def test_a_socket_where_nobody_listens_is_told(around: Surroundings, tmp_path: Path) -> None:
    path = tmp_path / "s"
    looked_at = replace(around, sockets=(path,))
    assert list(stale_sockets.findings(looked_at)) == []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        assert list(stale_sockets.findings(looked_at)) == []
        listener.listen(0)  # which that look has filled: somebody is there, who has no time
        assert list(stale_sockets.findings(looked_at)) == []
    finding = one(stale_sockets.findings(looked_at), "stale-socket", Severity.NOTE)
    assert str(path) in finding.mend
    path.unlink()
    path.touch()
    assert list(stale_sockets.findings(looked_at)) == []


def test_what_is_kept_is_told_and_a_disk_that_is_full(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    written(around.state_dir / "journal.sqlite3", "x" * 2048)
    written(around.state_dir / "log.sqlite3", "x" * 4096)
    written(around.state_dir / "log.sqlite3-wal", "x" * 1024)
    written(around.state_dir / "spool" / ("a" * 64), "y" * 1024)
    free = LEAST_FREE

    def free_bytes(_path: Path) -> int:
        return free

    monkeypatch.setattr(files, "free_bytes", free_bytes)
    finding = one(storage.findings(around), "storage", Severity.GOOD)
    assert "journal 2 KiB, log 5 KiB, 1 image in the spool, 1 KiB" in finding.seen
    free -= 1
    assert "du -xh" in one(storage.findings(around), "disk-full").mend


def test_a_state_directory_that_is_gone_is_told(around: Surroundings) -> None:
    around.state_dir.rmdir()
    one(storage.findings(around), "no-state", Severity.ERROR)


def test_the_disk_is_really_asked(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert 0 < files.free_bytes(tmp_path) <= found.f_blocks * found.f_frsize
