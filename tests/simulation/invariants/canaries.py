"""Rule 1: what an interruption leaves of a canary is erased when the job goes on."""

from dataclasses import dataclass

from flashdeck.job_state import Done, JobKind, Written
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.memory import inside
from simulation.invariants.rule import Rule
from simulation.seen import Device, Did, FlashChange, Seen


@dataclass(frozen=True, slots=True)
class _Canary:
    """A canary that was written, whole."""

    board: str
    step: int
    identity: tuple[str, int]
    """The serial and the bcdDevice of its device then: by these it is remembered."""
    sector: bytes
    """All of its sector since then."""


class Canaries(Rule):
    """No canary stays in a flash: neither of a job that is complete, nor of one before it that was cut short."""

    name = "1, canaries"
    sentence = (
        "The bank canary is recorded before; what an interruption leaves of it is erased when the job goes on, if that "
        "sector still holds the canary and nothing else."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._there: dict[tuple[str, int], _Canary] = {}
        """By device and the start of the sector."""

    def changed(self, change: FlashChange) -> None:
        """Note one that comes, and whatever else comes in its place."""
        attempt, device = self.attempts.of(change), self.seen.devices[change.device]
        sector = device.sector_of(change.address)
        self._there.pop((device.name, sector[0]), None)
        if attempt is not None and attempt.is_canary and change.did is Did.PROGRAMMED:
            canary = _Canary(attempt.named.name, change.step, _identity(device), device.bytes_of(sector))
            self._there[device.name, sector[0]] = canary

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that is complete."""
        job = event.job
        if job is None or job.kind is not JobKind.FLASH or not isinstance(job.status, Written | Done):
            return
        if before is None or isinstance(before.status, Written | Done):
            return
        name = self.attempts.flashed.get((job.board, job.partition), "")
        named, device = self.seen.setup.boards.get(job.board), self.seen.devices.get(name)
        place = named.product.places.get(job.partition) if named is not None else None
        if device is None or place is None or not device.reads_truly or self.attempts.lies.get(device.name):
            return
        for (where, start), canary in self._there.items():
            is_mine = (where, canary.board, canary.identity) == (name, job.board, _identity(device))
            is_mine = is_mine and canary.step > device.struck_at
            sector = device.sector_of(start)
            if is_mine and inside(sector, place.span) and device.bytes_of(sector) == canary.sector:
                raise self.broken(
                    f"job {job.id} of {job.board} is complete, and a canary lies at 0x{start:08x} of {device.name}"
                )


def _identity(device: Device) -> tuple[str, int]:
    return device.serial, device.release
