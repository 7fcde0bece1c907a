"""The two dialects that a profile can be for, DfuSe and plain DFU 1.1, and the findings that depend on it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flashdeck.config import Profile
from flashdeck.diagnosis import Explanation, Finding, Severity
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.wire import DfuProtocol
from flashdeckd.diagnosis import maps
from flashdeckd.diagnosis.explanations import explanations
from flashdeckd.diagnosis.observation import Case, Observation


@dataclass(frozen=True, slots=True)
class Dialect:
    """All that a diagnosis takes from the dialect of a profile."""

    protocol: DfuProtocol
    on_dfuse: tuple[Finding, ...]
    """Findings on a device that says that it speaks DfuSe."""
    plain: Severity
    """The severity of a device that speaks plain DFU 1.1."""
    can_read_back: Callable[[FunctionalDescriptor], bool]
    """Tells whether the device is still there to be read once it has an image."""
    proved: str
    """The meaning for a flash, where reading is proved."""
    provable: str
    """The meaning for the next flash, where reading works as far as this look shows."""
    map_findings: Callable[[Case, Observation], Iterator[Finding]]
    explanations: Callable[[Case, Observation], Iterator[Explanation]]


def _none(_: Case, __: Observation) -> Iterator[Finding]:
    """A plain DFU device has no map."""
    yield from ()


def _unexplained(_: Case, __: Observation) -> Iterator[Explanation]:
    """A plain DFU device provokes none of the messages."""
    yield from ()


DFUSE = Dialect(
    protocol=DfuProtocol.DFUSE,
    on_dfuse=(),
    plain=Severity.ERROR,
    can_read_back=lambda _: True,
    proved="flashes are verified, and what has not changed is left alone",
    provable="the next flash proves reading on its first sector, and is then verified",
    map_findings=maps.findings,
    explanations=explanations,
)
PLAIN = Dialect(
    protocol=DfuProtocol.PLAIN,
    on_dfuse=(
        Finding(
            code="wants-addresses",
            severity=Severity.ERROR,
            seen="bcdDFUVersion is 0x011a (DfuSe), and the profile's partitions are alternate settings",
            means="a DfuSe device needs addresses: jobs are refused",
            mend="give the profile its flash, and its partitions address and size in place of alt",
        ),
    ),
    plain=Severity.NOTE,
    can_read_back=lambda functional: functional.manifestation_tolerant,
    proved="flashes are verified",
    provable="the next flash that changes a block proves reading, and is then verified",
    map_findings=_none,
    explanations=_unexplained,
)


def dialect_of(profile: Profile) -> Dialect:
    """Return the dialect that a profile is for."""
    return PLAIN if profile.is_plain else DFUSE
