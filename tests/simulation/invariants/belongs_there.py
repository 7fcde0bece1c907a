"""Rule 5: an image that belongs there."""

from flashdeck.disposition import Disposition
from flashdeck.job_state import JobKind
from flashdeck.model import Event, JobState
from simulation.invariants.belongs import why_refused
from simulation.invariants.rule import Rule
from simulation.seen import FlashChange


class BelongsThere(Rule):
    """What the guards refuse is shown as refused, and never flashed."""

    name = "5"
    sentence = (
        "It must fit, and by default look as if it belongs: initial stack pointer inside RAM (its end included), reset "
        "vector odd and inside this partition. Guards can be turned off per partition, by name."
    )

    def changed(self, change: FlashChange) -> None:
        """Judge the image of a job that begins."""
        attempt = self.attempts.of(change)
        if attempt is None or attempt.changes != 1 or attempt.build is None or attempt.job.kind is not JobKind.FLASH:
            return
        if why := why_refused(attempt.build.pieces, attempt.place, attempt.named.product):
            raise self.broken(f"{attempt.text()} flashes {attempt.job.sha256[:12]}, although {why}")

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge what becomes of a build."""
        artifact = event.artifact
        if artifact is None:
            return
        build = self.seen.builds.get(artifact.sha256)
        product = self.seen.setup.products.get(artifact.profile)
        place = product.places.get(artifact.partition) if product is not None else None
        if build is None or product is None or place is None or not self.seen.is_alive:
            return
        why = why_refused(build.pieces, place, product)
        if why and artifact.disposition is not Disposition.REFUSED:
            raise self.broken(
                f"{artifact.sha256[:12]} for {place.name} is {artifact.disposition.value}, although {why}"
            )
        if not why and artifact.disposition is Disposition.REFUSED and build.place == place.name:
            raise self.broken(f"{artifact.sha256[:12]} for {place.name} is refused: {artifact.reason}")
