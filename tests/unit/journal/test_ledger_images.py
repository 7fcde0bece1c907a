"""What a daemon keeps of the spool when it starts: all that a partition's bytes are known from."""

from flashdeck.job_state import Verified
from flashdeck.model import Contents, Layer, Patch
from flashdeckd.state.journal import Ledger


def test_the_images_below_the_newest_one_and_its_patches_are_kept() -> None:
    contents = Contents(
        sha256="program",
        size=1,
        flashed_at=0.0,
        verified=Verified.YES,
        job=1,
        patches=(Patch(sha256="patch", size=1, flashed_at=0.0, job=2),),
        layers=(Layer(sha256="patch"), Layer(sha256="program"), Layer(sha256="below")),
    )
    ledger = Ledger(
        jobs=(), contents={("left", "app1"): contents}, artifacts={}, holds={}, ports={}, histories={}, next_job=1
    )
    assert {"program", "patch", "below"} <= ledger.images
