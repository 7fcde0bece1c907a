"""Rule 9: reading is believed only when proved on this board."""

from flashdeck.job_state import Done, JobKind, Verified, Written, result_of
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.memory import Pieces, demanded, differing
from simulation.invariants.rule import Rule
from simulation.seen import Device, Opened, Seen


class Reading(Rule):
    """What is called verified was read from a board that reads truly, and is there; what is done is there at all."""

    name = "9"
    sentence = (
        "Reading is believed only when proved on this board: an erased sector read 0xFF and a written one read back "
        "new. Before that, nothing is skipped (unless the profile says trust_cache = true) and nothing is ever called "
        "verified."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._opened: dict[str, str] = {}
        """By board: the device that its lane has opened last in DFU mode, which is the one that a job speaks of."""

    def opened(self, opened: Opened) -> None:
        """Note which device is read; another one may have been flashed before, in its place or under its serial."""
        if opened.was_dfu:
            self._opened[opened.lane] = opened.device

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job whose work is complete."""
        job = event.job
        if job is None or not isinstance(job.status, Written | Done) or self.seen.life == 0:
            return
        if before is None or isinstance(before.status, Written | Done):
            return
        flashed = self.attempts.flashed.get((job.board, job.partition), "")
        device = self.seen.devices.get(self._opened.get(job.board, flashed))
        result = result_of(job.status)
        is_verified = result is not None and result.verified is Verified.YES
        match job.kind:
            case JobKind.FLASH:
                if device is not None:
                    self._be_there(job, device, is_verified=is_verified)
            case JobKind.ERASE:
                if device is not None:
                    self._be_blank(job, device, is_verified=is_verified)
            case _:
                return

    def _be_there(self, job: JobState, device: Device, *, is_verified: bool) -> None:
        build, named = self.seen.builds.get(job.sha256), self.seen.setup.boards.get(job.board)
        place = self.attempts.place_of(job)
        if build is None or named is None or place is None:
            return
        wanted = demanded(build.pieces, place.size, erase_all=named.product.erase_all)
        self._compare(job, device, place.address, wanted, is_verified=is_verified)

    def _be_blank(self, job: JobState, device: Device, *, is_verified: bool) -> None:
        place = self.attempts.place_of(job)
        if place is not None:
            self._compare(job, device, place.address, ((0, b"\xff" * place.size),), is_verified=is_verified)

    def _compare(self, job: JobState, device: Device, start: int, wanted: Pieces, *, is_verified: bool) -> None:
        if is_verified and not device.reads_truly and not device.is_stale:
            raise self.broken(f"job {job.id} is called verified, and {device.name} does not read truly")
        if not device.stores or device.erases_astray:
            return
        for offset, data in wanted:
            there = device.bytes_of((start + offset, start + offset + len(data)))
            for at in differing(there, data):
                address = start + offset + at
                if is_verified or not self.attempts.is_wrong(device.name, address):
                    called = "verified" if is_verified else "complete"
                    raise self.broken(
                        f"job {job.id} of {job.board} is called {called}, and {device.name} has 0x{there[at]:02x} at "
                        f"0x{address:08x}, not 0x{data[at]:02x}"
                    )
