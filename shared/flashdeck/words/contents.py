"""The contents of partitions in words. Pure."""

from typing import Final

from flashdeck.job_state import Verified
from flashdeck.model import Contents
from flashdeck.text import clean, format_size, short_sha
from flashdeck.verdict import does_not_run, runs
from flashdeck.words.tone import Phrase, Tone
from flashdeck.words.verdicts import judgement_flaw, verdict_word

BEING_FLASHED: Final = Phrase("being flashed", Tone.BUSY)
"""Replaces the state of contents while a job writes them: incomplete contents are no cause for alarm then."""
BEING_ERASED: Final = Phrase("being erased", Tone.BUSY)
"""The same while a job erases them."""

ERASED: Final = "builds are offered until you flash one"
"""The consequence of an erase by hand."""
LONGEST_VERSION = 24
"""Characters of a version that are shown; JSON has all of it."""


def image_name(version: str, sha256: str) -> str:
    """Return how people tell images apart: by the version in one, else by the start of its hash."""
    return clean(version, LONGEST_VERSION) if version else short_sha(clean(sha256))


def contents_name(contents: Contents) -> str:
    """Return what a partition has: its program, and how many patches lie over it."""
    if contents.erased and contents.complete:
        return "nothing"
    program = image_name(contents.version, contents.sha256) if contents.sha256 else "unknown"
    match len(contents.patches):
        case 0:
            return program
        case 1:
            return f"{program} + a patch"
        case number:
            return f"{program} + {number} patches"


def contents_state(contents: Contents | None) -> Phrase:
    """Return what is known of a partition's contents, the worst first; None where it was never flashed."""
    if contents is None:
        return Phrase("never flashed here", Tone.FAINT)
    if not contents.complete:
        return Phrase("incomplete", Tone.BAD)
    if contents.uncertain:
        return Phrase("uncertain", Tone.WAIT)
    if contents.erased:
        return Phrase("erased", Tone.WAIT)
    if contents.started is False:
        return Phrase("did not start", Tone.BAD)
    if contents.verdict is not None and (runs(contents.verdict) or does_not_run(contents.verdict)):
        return verdict_word(contents.verdict.verdict)
    is_verified = contents.verified is Verified.YES
    return Phrase("verified", Tone.GOOD) if is_verified else Phrase("not verified", Tone.WAIT)


def contents_flaw(contents: Contents, *, plain: bool) -> str:
    """Return what is wrong with a partition's contents, in a sentence; "" where that is nothing.

    `plain` is for a plain DFU 1.1 device, where no order of writing keeps half an image from starting.
    """
    if not contents.complete:
        what = "an erase" if contents.erased else "a flash"
        return f"{what} was cut short; {'a half-written image may start' if plain else 'it cannot boot'}"
    if contents.uncertain:
        return (
            "it may have changed since: another serial or bcdDevice was seen, it did not read as it was flashed, or a "
            "job was cut short"
        )
    if contents.started is False:
        return "it was not seen to start after the flash"
    if contents.verdict is not None and does_not_run(contents.verdict):
        return judgement_flaw(contents.verdict)
    return ""


def contents_text(contents: Contents, *, plain: bool) -> Phrase:
    """Return what a partition has, and what is known of it, in a sentence."""
    what = contents_name(contents)
    if contents.sha256:
        what += f" ({format_size(contents.size)}, SHA-256 {short_sha(clean(contents.sha256))})"
    state = contents_state(contents)
    read = "read back and found equal" if contents.verified is Verified.YES else "not read back"
    read = f"{read}; {ERASED}" if contents.erased else read
    return Phrase(f"{what}, {state.text}: {contents_flaw(contents, plain=plain) or read}", state.tone)
