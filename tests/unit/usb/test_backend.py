import ctypes.util
import logging
import sys

import libusb_package
import pytest
import usb.backend.libusb1
import usb.core

from flashdeck.errors import FlashdeckError
from flashdeckd.usb.libusb import library_version, open_backend


def _found(name: str) -> str:
    return f"lib{name}.so.0"


def _not_found(_: str) -> None:
    return None


def test_a_library_is_found_and_lists_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    backend = open_backend()
    assert all(device.idVendor >= 0 for device in usb.core.find(find_all=True, backend=backend))
    assert open_backend() is backend
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_library_that_needs_no_udev_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = object()
    monkeypatch.setattr(ctypes.util, "find_library", _found)
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", object)
    monkeypatch.setattr(libusb_package, "get_libusb1_backend", lambda: bundled)
    assert open_backend() is bundled


def test_without_the_wheel_the_systems_library_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    systems = object()
    monkeypatch.setitem(sys.modules, "libusb_package", None)
    monkeypatch.setattr(ctypes.util, "find_library", _found)
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda: systems)
    assert open_backend() is systems


def test_a_wheel_that_does_not_load_is_said_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    systems = object()
    monkeypatch.setattr(libusb_package, "get_libusb1_backend", lambda: None)
    monkeypatch.setattr(ctypes.util, "find_library", _found)
    monkeypatch.setattr(usb.backend.libusb1, "get_backend", lambda: systems)
    assert open_backend() is systems
    assert "libusb-package does not load" in caplog.text


def test_no_library_at_all_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", _not_found)
    monkeypatch.setitem(sys.modules, "libusb_package", None)
    with pytest.raises(FlashdeckError, match=r"no libusb-1\.0") as missing:
        open_backend()
    assert "libusb-1.0-0" in missing.value.hint
    assert "libusb-package" in missing.value.hint


def test_a_missing_pyusb_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usb.backend.libusb1", None)
    with pytest.raises(FlashdeckError, match="pyusb") as missing:
        open_backend()
    assert "flashdeck[daemon]" in missing.value.hint


def test_a_loaded_library_says_its_version() -> None:
    numbers = library_version(open_backend()).split(".")
    assert numbers[:2] == ["1", "0"]
    assert len(numbers) == 4
    assert numbers[2].isdigit()
