"""The command line works without the `tui` extra."""

import subprocess
import sys

HEADLESS = ("cli", "store", "link", "views", "board_list", "actions", "bench_actions", "terminal")


def test_nothing_but_the_screen_loads_textual() -> None:
    modules = ", ".join(f"flashdeck_tui.{name}" for name in HEADLESS)
    code = f"import sys, {modules}; sys.exit('textual' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), timeout=60, check=False).returncode == 0  # noqa: S603 - ours
