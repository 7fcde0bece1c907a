"""The states of a flash's sectors in words. Pure."""

from typing import Final

from flashdeck.flash_map import SectorState
from flashdeck.words.tone import Phrase, Tone

_WORDS: Final = {
    SectorState.FOREIGN: Phrase("in no partition", Tone.FAINT),
    SectorState.PROTECTED: Phrase("protected", Tone.FAINT),
    SectorState.UNTOUCHED: Phrase("untouched", Tone.FAINT),
    SectorState.CONTENTS: Phrase("has contents", Tone.GOOD),
    SectorState.EQUAL: Phrase("equal", Tone.GOOD),
    SectorState.TO_ERASE: Phrase("to be erased", Tone.WAIT),
    SectorState.ERASING: Phrase("being erased", Tone.BUSY),
    SectorState.ERASED: Phrase("erased", Tone.WAIT),
    SectorState.WRITING: Phrase("being written", Tone.BUSY),
    SectorState.WRITTEN: Phrase("written", Tone.PLAIN),
    SectorState.VERIFIED: Phrase("verified", Tone.GOOD),
    SectorState.UNCERTAIN: Phrase("uncertain", Tone.WAIT),
    SectorState.INCOMPLETE: Phrase("incomplete", Tone.BAD),
    SectorState.FAILED: Phrase("failed", Tone.BAD),
    SectorState.OTHER: Phrase("in another state", Tone.PLAIN),
}


def sector_word(state: SectorState) -> Phrase:
    """Return the state of a sector in a word or two."""
    return _WORDS[state]
