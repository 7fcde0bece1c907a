"""The units that failed last, as the daemons record them: asked for whenever a unit came, went or got its result."""

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.slot_state import UnitRecord, UnitResult
from flashdeck_tui.fleet import Fleet, FleetHost
from flashdeck_tui.slot_page import MOST_FAILURES

MOST_UNITS = 100
"""Units that are looked at for those that failed."""
_Seen = tuple[tuple[str, int, str], ...]


class UnitFailures:
    """The failed units of all hosts, newest first, by the names of the hosts."""

    def __init__(self, fleet: Fleet) -> None:
        self.by_host: dict[str, tuple[UnitRecord, ...]] = {}
        self._fleet = fleet
        self._seen: dict[str, _Seen] = {}

    @property
    def are_old(self) -> bool:
        """True if something has become of a unit since they were asked for."""
        return any(self._is_old(host) for host in self._fleet)

    async def renew(self) -> None:
        """Ask each daemon of which they are old. A daemon that does not answer is asked once something changes."""
        for host in self._fleet:
            if self._is_old(host):
                self._seen[host.name] = _units(host)
                try:
                    page = await host.link.call(api.GetUnits(limit=MOST_UNITS))
                except FlashdeckError:  # the page says that it is not connected
                    self._seen.pop(host.name)
                    continue
                failed = [unit for unit in page.units if unit.result is UnitResult.FAILED]
                self.by_host[host.name] = tuple(failed[:MOST_FAILURES])

    def _is_old(self, host: FleetHost) -> bool:
        return host.link.connected and bool(host.store.slots) and self._seen.get(host.name) != _units(host)


def _units(host: FleetHost) -> _Seen:
    slots = host.store.slots.values()
    return tuple((slot.name, slot.unit.id, slot.unit.result) if slot.unit else (slot.name, 0, "") for slot in slots)
