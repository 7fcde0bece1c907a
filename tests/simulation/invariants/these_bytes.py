"""Rule 4: these bytes."""

from simulation.invariants.memory import defined, differing
from simulation.invariants.rule import Rule
from simulation.seen import Did, FlashChange


class TheseBytes(Rule):
    """What is written are the bytes of an image that was built, whole, and nothing else."""

    name = "4"
    sentence = "What is flashed is the spooled artifact, never the path: a rebuild during a flash becomes the next job."

    def changed(self, change: FlashChange) -> None:
        """Compare what was written with the image."""
        attempt = self.attempts.of(change)
        if attempt is None or not change.life or attempt.job.kind.value != "flash":
            return
        if attempt.build is None:
            raise self.broken(f"{attempt.text()} brings {attempt.job.sha256[:12]}, and nobody has built that")
        if change.did is not Did.PROGRAMMED or attempt.is_canary or change.is_astray:
            return
        start = change.address - attempt.place.address
        wanted = defined(attempt.build.pieces, start, start + change.size)
        for at in differing(change.after, wanted):
            if not self.attempts.is_wrong(change.device, change.address + at):
                raise self.broken(
                    f"{attempt.text()} has written 0x{change.after[at]:02x} to 0x{change.address + at:08x}, where "
                    f"{attempt.job.sha256[:12]} has 0x{wanted[at]:02x} (there was 0x{change.before[at]:02x})"
                )
