"""Tests that need programs which not every machine has: they skip there, and fail where `CI` says that all is there."""

import os
import shutil

import pytest

from flashdeck_tui.demo.firmware import TOOLS


def need(*programs: str, packages: str, path: str | None = None) -> None:
    """Goes on where all these programs are on PATH, or on another `path`.

    `packages` is what to install on Debian and Ubuntu.
    """
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (apt install {packages})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need_compiler() -> None:
    """Goes on where the demo's firmware can be compiled."""
    need(*TOOLS, packages="make gcc-arm-none-eabi binutils-arm-none-eabi")
