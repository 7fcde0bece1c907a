"""Rule 1: nowhere else."""

from simulation.invariants.attempts import is_blank
from simulation.invariants.memory import inside
from simulation.invariants.rule import Rule
from simulation.seen import FlashChange


class NowhereElse(Rule):
    """Each change of a flash is one of a job that runs, in its partition, in a sector that its image touches."""

    name = "1"
    sentence = (
        "Not one byte is erased or written outside the job's partition, and inside it no sector that no piece of the "
        'image touches (but with erase = "partition"); the bank canary goes into a blank sector that the image '
        "touches; "
        "only where there is none, and the image is a program of one piece, into another blank sector of the partition"
    )

    def changed(self, change: FlashChange) -> None:
        """Judge where it was."""
        if change.is_astray or not change.life:
            return
        attempt = self.attempts.of(change)
        if attempt is None:
            by = f"the lane of {change.lane or 'nobody'}"
            raise self.broken(f"{_what(change)} by {by} while none of its jobs runs")
        place, device = attempt.place, self.seen.devices[change.device]
        if not inside(change.span, place.span):
            raise self.broken(f"{_what(change)} by {attempt.text()}, which is 0x{place.address:08x}+0x{place.size:x}")
        sector = device.sector_of(change.address)
        if sector in attempt.touched or (attempt.build is None and not attempt.is_whole):
            return  # of an image that nobody has built, rule 4 tells
        is_one_piece = attempt.build is not None and attempt.build.is_program and len(attempt.build.pieces) == 1
        if attempt.is_canary and (is_one_piece or is_blank(device.bytes_of(sector))):
            return  # what an earlier job has left is taken back whatever this one brings
        there = change.before[:32].hex()
        raise self.broken(f"{_what(change)} by {attempt.text()}, whose image touches nothing there; there was {there}")


def _what(change: FlashChange) -> str:
    return f"{change.device}: 0x{change.address:08x}+0x{change.size:x} {change.did.value}"
