"""What each side loads, looked up in a fresh interpreter: the import contracts, seen from the other end."""

import subprocess
import sys
from pkgutil import walk_packages

import pytest

import flashdeckd

REAL_HARDWARE = {"usb.backend.libusb1", "usb.backend.libusb0", "usb.backend.openusb", "libusb_package", "pyudev"}


def loaded_by(*modules: str) -> set[str]:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())  # noqa: S603 -- our own interpreter


OF_LABGRID = ("flashdeckd.lab.lab_child", "flashdeckd.lab.lab_exporter")
"""Only the process beside the daemon loads them: labgrid is in an environment of its own."""


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        (("flashdeck.client", "flashdeck.config_file"), {"flashdeckd", "flashdeck_tui", "usb", "pyudev", "textual"}),
        (("flashdeck_tui.cli",), {"flashdeckd", "usb", "pyudev", "watchfiles", "textual", "tomli_w", "aiohttp"}),
        (
            ("flashdeckd.dfu.dfuse_session", "flashdeckd.flash.engine", "flashdeckd.images.spool"),
            {"flashdeckd.boards", "flashdeckd.server", "flashdeckd.usb", "flashdeckd.state.journal", "usb", "sqlite3"},
        ),
        (("flashdeckd.virtual.virtual_bench",), REAL_HARDWARE),
        (("flashdeckd.service",), {"flashdeck_tui", "textual", *REAL_HARDWARE}),
        (("flashdeckd.service",), {"prometheus_client", "h11", "http", "flashdeckd.metrics.served_metrics"}),
    ],
)
def test_no_side_loads_what_it_must_not_know(modules: tuple[str, ...], forbidden: set[str]) -> None:
    assert loaded_by(*modules) & forbidden == set()


def test_a_daemon_for_real_boards_loads_nothing_of_the_emulated_ones() -> None:
    modules = [module.name for module in walk_packages(flashdeckd.__path__, "flashdeckd.")]
    real = [name for name in modules if not name.startswith(("flashdeckd.virtual", *OF_LABGRID))]
    assert {"flashdeckd.__main__", "flashdeckd.service", "flashdeckd.offline_doctor"} < set(real) < set(modules)
    assert [name for name in loaded_by(*real) if name.startswith("flashdeckd.virtual")] == []
