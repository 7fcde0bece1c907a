"""The daemons that one screen shows: each with its own state and its own connection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from flashdeck.model import JobState
from flashdeck_tui.link import Link
from flashdeck_tui.store import Selection, Store


@dataclass(frozen=True, slots=True)
class FleetHost:
    """One daemon: its state, the connection that feeds it, and the name of its machine."""

    name: str
    """As `--host` has it; "" is the daemon of this machine."""
    store: Store
    link: Link


class Fleet:
    """The hosts in the order in which they were asked for, at least one."""

    def __init__(self, hosts: Sequence[FleetHost]) -> None:
        self.hosts = tuple(hosts)

    def __iter__(self) -> Iterator[FleetHost]:
        return iter(self.hosts)

    def host_of(self, place: Selection) -> FleetHost:
        """Return the host that a place is on; the first one where it names none of them."""
        return next((host for host in self.hosts if host.name == place.host), self.hosts[0])

    def shown_name(self, host: FleetHost, board: str) -> str:
        """Return a board's name on the screen: with that of its host, where there are several."""
        return f"{host.name}/{board}" if len(self.hosts) > 1 and host.name else board

    def shown_job(self, host: FleetHost, job: JobState) -> JobState:
        """Return a job for what is said of it: its board has the name that it has on the screen."""
        return replace(job, board=self.shown_name(host, job.board))

    @property
    def revision(self) -> int:
        """The changes of all hosts so far, so that a reader can tell whether to look."""
        return sum(host.store.revision for host in self.hosts)

    @property
    def log_count(self) -> int:
        """The log lines of all hosts so far, which no revision counts."""
        return sum(host.store.log_count for host in self.hosts)

    @property
    def is_busy(self) -> bool:
        """True while a job runs anywhere."""
        return any(host.store.is_busy for host in self.hosts)


def fleet_at(socket: Path) -> Fleet:
    """Return the fleet that is the one daemon at a socket of this machine."""
    store = Store()
    return Fleet((FleetHost("", store, Link(socket, store)),))
