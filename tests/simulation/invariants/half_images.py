"""Rule 6: no half image boots."""

from flashdeck.job_state import JobKind
from simulation.invariants.attempts import Attempt, is_blank
from simulation.invariants.memory import demanded, differing, overlap
from simulation.invariants.rule import Rule
from simulation.seen import Device, Did, FlashChange, Span


class HalfImages(Rule):
    """The boot unit is away first, and there last."""

    name = "6"
    sentence = (
        "Whenever anything in the partition changes: the sector of the boot unit is erased first (only the bank canary "
        "may come before); everything else that differs is erased and written; and only then is the boot unit written, "
        "last, alone."
    )

    def changed(self, change: FlashChange) -> None:
        """Judge the order."""
        attempt = self.attempts.of(change)
        if attempt is None or attempt.device is None or change.is_astray or not self._is_protected(attempt):
            return
        device, unit = attempt.device, attempt.boot_unit
        boot_sector = device.sector_of(unit[0])
        if attempt.is_canary or (change.did in (Did.ERASED, Did.TORN_ERASE) and change.span == boot_sector):
            return
        if overlap(change.span, unit):
            self._be_last(attempt, device, change, unit)
            return
        there = device.bytes_of(unit)
        if not is_blank(there) and not any(lie.is_erase and lie.address == boot_sector[0] for lie in attempt.lies):
            raise self.broken(
                f"{device.name}: {attempt.text()}: 0x{change.address:08x}+0x{change.size:x} {change.did.value} while "
                f"the boot unit at 0x{unit[0]:08x} is {there.hex()}"
            )

    def _is_protected(self, attempt: Attempt) -> bool:
        if attempt.named.product.is_plain or attempt.place.is_data:
            return False
        return attempt.job.kind is JobKind.ERASE or (attempt.build is not None and attempt.build.is_program)

    def _be_last(self, attempt: Attempt, device: Device, change: FlashChange, unit: Span) -> None:
        what = f"{device.name}: {attempt.text()}: the boot unit at 0x{unit[0]:08x}"
        if change.did is not Did.TORN_WRITE and not (unit[0] <= change.address and change.span[1] <= unit[1]):
            raise self.broken(f"{what} is written together with 0x{change.address:08x}+0x{change.size:x}")
        place, build = attempt.place, attempt.build
        if build is None:
            return
        for offset, data in demanded(build.pieces, place.size, erase_all=attempt.is_whole):
            first = max(offset, unit[1] - place.address)
            wanted = data[first - offset :]
            there = device.bytes_of((place.address + first, place.address + first + len(wanted)))
            if there == wanted:
                continue
            wrong = [place.address + first + at for at in differing(there, wanted)]
            missing = [at for at in wrong if not self.attempts.is_wrong(device.name, at)]
            if missing or self._is_proved(attempt, device):
                at = (missing or wrong)[0]
                raise self.broken(
                    f"{what} is written although {len(missing or wrong)} bytes of the image are not there, the first "
                    f"at 0x{at:08x}: 0x{device.bytes_of((at, at + 1)).hex()}"
                )

    @staticmethod
    def _is_proved(attempt: Attempt, device: Device) -> bool:
        """Tell whether reading must have been proved: it tells the truth, and nothing came in between."""
        boot_sector = device.sector_of(attempt.place.address)
        is_disproved = any(
            overlap((lie.address, lie.address + lie.size), boot_sector)
            or device.sector_of(lie.address) not in attempt.touched
            for lie in attempt.lies
        )
        is_quiet = device.disturbed_at < attempt.step
        return device.reads_truly and attempt.named.product.verify != "never" and is_quiet and not is_disproved
