"""For all tests: searches by hypothesis have no deadline, because a loaded machine is no fault of the code.

What a storm has counted is shown at the end of a run. Signals mean what they mean, also where the tests run by nohup.
"""

from collections.abc import Iterator

import pytest
from hypothesis import settings

import forked_daemons
from inherited_signals import heard_again
from storm_tally import SHOWN

settings.register_profile("flashdeck", deadline=None)
settings.load_profile("flashdeck")
heard_again()


@pytest.fixture(scope="session", autouse=True)
def daemons_are_forked() -> Iterator[None]:
    """A daemon that a test starts need not import anything first."""
    with forked_daemons.offered():
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each storm has counted, also where it came to a bad end."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for text in (value for name, value in report.user_properties if name == SHOWN):
                terminalreporter.write_line(str(text))
