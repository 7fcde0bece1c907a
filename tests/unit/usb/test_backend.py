import ctypes.util
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import libusb_package
import pytest
import usb.backend.libusb1
import usb.core

from flashdeck.errors import FlashdeckError
from flashdeckd.usb import libusb
from flashdeckd.usb.libusb import library_version, open_backend

WHEELS = "/site/libusb_package/libusb-1.0.so"
SYSTEMS = "libusb-1.0.so.0"


class Loader:
    """The dynamic loader and pyusb: which libraries there are, and which of them can be opened."""

    def __init__(self, *loads: str) -> None:
        self.asked: list[str] = []
        self.loads = loads
        self.opens = loads
        self.is_libusb = True

    def load(self, name: str) -> object:
        self.asked.append(name)
        if name not in self.loads:
            raise OSError(f"{name}: cannot open shared object file")
        return SimpleNamespace(libusb_init=1) if self.is_libusb else SimpleNamespace()

    def backend(self, find_library: Callable[[str], str]) -> str | None:
        library = find_library("usb-1.0")
        return library if library in self.opens else None


def nowhere(_name: str) -> None:
    return None


def machine(monkeypatch: pytest.MonkeyPatch, *loads: str, wheel: str | None = WHEELS) -> Loader:
    loader = Loader(*loads)
    monkeypatch.setattr(libusb.ctypes, "CDLL", loader.load)
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", loader.backend)
    monkeypatch.setattr(libusb_package, "get_library_path", lambda: wheel and Path(wheel))
    return loader


def test_a_library_is_found_and_lists_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    backend = open_backend()
    assert all(device.idVendor >= 0 for device in usb.core.find(find_all=True, backend=backend))
    assert open_backend() is backend
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_library_that_needs_no_udev_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = machine(monkeypatch, WHEELS, SYSTEMS)
    assert open_backend() == WHEELS
    assert loader.asked == [WHEELS]


def test_without_the_wheel_the_systems_library_is_taken_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, SYSTEMS)
    monkeypatch.setitem(sys.modules, "libusb_package", None)
    monkeypatch.setattr(ctypes.util, "find_library", nowhere)  # neither a compiler nor ldconfig
    assert open_backend() == SYSTEMS


def test_a_wheel_that_does_not_load_is_said_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine(monkeypatch, SYSTEMS)
    assert open_backend() == SYSTEMS
    assert f"libusb-package: {WHEELS}: cannot open shared object file" in caplog.text
    caplog.clear()
    machine(monkeypatch, SYSTEMS, wheel=None)
    assert open_backend() == SYSTEMS
    assert "libusb-package: it has no library for this platform" in caplog.text


def test_one_that_cannot_be_opened_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine(monkeypatch, WHEELS, SYSTEMS).opens = (SYSTEMS,)
    assert open_backend() == SYSTEMS
    assert "libusb-package: it loads, and cannot be opened" in caplog.text


def test_no_library_at_all_is_an_error_that_says_what_is_wrong_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.setitem(sys.modules, "libusb_package", None)
    with pytest.raises(FlashdeckError, match=r"no libusb-1\.0") as missing:
        open_backend()
    assert "libusb-package: import of libusb_package halted" in missing.value.message
    assert f"{SYSTEMS}: {SYSTEMS}: cannot open shared object file" in missing.value.message
    assert "libusb-1.0-0" in missing.value.hint
    assert "libusb-package" in missing.value.hint


def test_another_library_of_that_name_is_no_libusb(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, SYSTEMS, wheel=None).is_libusb = False
    with pytest.raises(FlashdeckError, match=r"libusb-1\.0\.so\.0: it is not libusb 1\.0"):
        open_backend()


def test_a_missing_pyusb_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usb.backend.libusb1", None)
    with pytest.raises(FlashdeckError, match="halted") as missing:
        open_backend()
    assert "[daemon,tui" in missing.value.hint


def test_a_loaded_library_says_its_version() -> None:
    numbers = library_version(open_backend()).split(".")
    assert numbers[:2] == ["1", "0"]
    assert len(numbers) == 4
    assert numbers[2].isdigit()
