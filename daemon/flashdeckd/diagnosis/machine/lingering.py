"""Services of a user end with the user's last login, unless somebody said that they shall not."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import clean
from flashdeckd.diagnosis.machine.surroundings import LONGEST_ANSWER, Surroundings
from flashdeckd.host import files, processes

_OF_A_USER: Final = re.compile(r"/user@\d+\.service/")


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield that this daemon will end with a login, where it is a service of a user that does not linger."""
    group = ""
    with suppress(OSError):
        group = files.contents(around.proc / "self" / "cgroup", LONGEST_ANSWER).decode(errors="replace")
    if _OF_A_USER.search(group) is None:
        return
    account = processes.account()
    lingers = files.exists(around.var / "lib" / "systemd" / "linger" / account)
    yield Finding(
        code="lingers" if lingers else "ends-with-login",
        severity=Severity.GOOD if lingers else Severity.WARNING,
        seen=f"flashdeckd is a service of {clean(account)}, {'outlives' if lingers else 'ends with'} the last login",
        means="it goes on after the last logout, and starts with the machine"
        if lingers
        else "it ends when you log out for the last time, also over SSH, and does not start with the machine",
        mend="" if lingers else f"loginctl enable-linger {clean(account)}",
    )
