"""The limits of the kernel on which noticing builds depends: inotify and leases."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import clean
from flashdeckd.builds.filesystem import is_remote
from flashdeckd.diagnosis.machine.surroundings import LONGEST_ANSWER, Surroundings
from flashdeckd.host import files

FEWEST_WATCHES = 4096
"""Below so many watches for all programs of a user, an editor that watches a source tree leaves none to us."""
FEWEST_INSTANCES = 32
"""The same for programs that watch anything."""


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield the limits that are too low, and directories of builds where the kernel sees no writer."""
    limits = around.proc / "sys" / "fs"
    for name, fewest in (("max_user_watches", FEWEST_WATCHES), ("max_user_instances", FEWEST_INSTANCES)):
        found = _number(limits / "inotify" / name)
        if found is not None and found < fewest:
            yield Finding(
                code="few-watches",
                severity=Severity.WARNING,
                seen=f"fs.inotify.{name} is {found}, for all programs of a user together",
                means="once another program has used them up, builds are looked for every few seconds only",
                mend=f"sudo sysctl fs.inotify.{name}={fewest * 16}, and the same in a file in /etc/sysctl.d",
            )
    if _number(limits / "leases-enable") == 0:
        yield Finding(
            code="no-leases",
            severity=Severity.WARNING,
            seen="fs.leases-enable is 0",
            means="nobody can say whether a build still has its file open: only how long it did not change counts",
            mend="sudo sysctl fs.leases-enable=1; or give partitions a longer `settle`",
        )
    partitions = (each for profile in around.config.profiles.values() for each in profile.partitions.values())
    folders = sorted({str(Path(partition.image).parent) for partition in partitions if partition.image})
    for folder in folders:
        if not files.is_pattern(folder) and is_remote(folder):
            yield Finding(
                code="remote-builds",
                severity=Severity.NOTE,
                seen=f"{clean(folder)} is on a file system that other machines write to",
                means="their writes make no event here, and nobody can say whether a file is still open: it is looked "
                "at again and again, and counts as built once it did not change for its `settle`",
                mend='if half-written files are taken, give its partition a longer `settle`, as settle = "2s"',
            )


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(files.contents(path, LONGEST_ANSWER))
    return None
