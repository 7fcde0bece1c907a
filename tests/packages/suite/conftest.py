"""The prepared environments, a home for each test, and the table at the end: minutes, and how many commands ran."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.environments import Counted, Installed
from packages.pythons import pythons
from packages.workshop import VARIABLE, Workshop

RAN = "commands"


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop(Path(os.environ[VARIABLE]))


@pytest.fixture
def home() -> Iterator[Path]:
    """A user's home with a space in its path, short enough for the socket of a demo below it."""
    with tempfile.TemporaryDirectory(prefix="fd home ", dir="/tmp") as place:
        Path(place).chmod(0o755)  # for tests that become another user
        yield Path(place)


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Iterator[Counted]:
    """Takes note of the environments of a test, so that what they ran is counted."""
    kept: list[Installed] = []

    def keep(installed: Installed) -> Installed:
        kept.append(installed)
        return installed

    yield keep
    record_property(RAN, sum(each.ran for each in kept))


def pytest_report_header() -> str:
    found = ", ".join(f"{version} ({path})" for version, path in pythons().items())
    tools = ", ".join(name for name in ("systemd-analyze", "setpriv") if shutil.which(name))
    return f"Pythons found: {found}; of the system's tools: {tools or 'none'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows: dict[str, tuple[float, int]] = {}
    for outcome in ("passed", "failed", ""):  # "": set-up and what comes after a test, which says what was run
        for report in terminalreporter.getreports(outcome):
            name = report.nodeid.rpartition("::")[2]
            seconds, commands = rows.get(name, (0.0, 0))
            ran = sum(int(str(value)) for key, value in report.user_properties if key == RAN)
            rows[name] = seconds + report.duration, commands + ran
    terminalreporter.section("minutes, commands run")
    for name, (seconds, commands) in sorted(rows.items(), key=lambda row: -row[1][0]):
        terminalreporter.write_line(f"{seconds / 60:5.2f} {commands:6d}  {name}")
    total = sum(seconds for seconds, _ in rows.values()), sum(commands for _, commands in rows.values())
    terminalreporter.write_line(f"{total[0] / 60:5.2f} {total[1]:6d}  in all")
