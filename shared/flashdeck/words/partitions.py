"""Partitions and the newest build for them in words. Pure."""

from flashdeck.model import ArtifactState, PartitionState
from flashdeck.words.contents import image_name
from flashdeck.words.tone import Phrase, Tone


def build_state(partition: PartitionState, newest: ArtifactState | None) -> Phrase:
    """Return what is up with the newest build at a partition, in a few words; `newest` where there was one."""
    name = image_name(newest.version, newest.sha256) if newest is not None else ""
    if partition.kept_open:
        return Phrase("file kept open", Tone.WAIT)
    if partition.being_written:
        return Phrase("a build is being written", Tone.BUSY)
    if partition.trouble:
        return Phrase("build refused", Tone.BAD)
    if partition.offered:
        is_known = newest is not None and newest.sha256 == partition.offered
        return Phrase(f"{name if is_known else 'a build'} is offered", Tone.WAIT)
    if partition.current:
        return Phrase("current", Tone.GOOD)
    return Phrase(f"newest build is {name}", Tone.WAIT) if name else Phrase("no build yet", Tone.FAINT)
