"""Verdicts in words. Pure."""

from typing import Final

from flashdeck.errors import ErrorKind
from flashdeck.job_state import Failure
from flashdeck.text import format_duration
from flashdeck.verdict import Judgement, Verdict
from flashdeck.words.tone import Phrase, Tone

_WORDS: Final = {
    Verdict.RUNS: Phrase("runs", Tone.GOOD),
    Verdict.CRASHED: Phrase("crashed", Tone.BAD),
    Verdict.SILENT: Phrase("silent", Tone.BAD),
    Verdict.ANOTHER_BUILD: Phrase("another build", Tone.BAD),
    Verdict.NOT_SEEN: Phrase("not seen", Tone.BAD),
    Verdict.UNKNOWN: Phrase("no verdict", Tone.WAIT),
    Verdict.OTHER: Phrase("unknown", Tone.WAIT),
}

KINDS: Final = {
    Verdict.CRASHED: ErrorKind.CRASHED,
    Verdict.SILENT: ErrorKind.SILENT,
    Verdict.ANOTHER_BUILD: ErrorKind.ANOTHER_BUILD,
}
"""The kinds of errors that say that an image does not run, by their verdicts."""


def verdict_word(verdict: Verdict) -> Phrase:
    """Return a verdict in a word or two."""
    return _WORDS[verdict]


def judgement_flaw(judgement: Judgement) -> str:
    """Return why an image does not run, with the line that decided it; for behind the verdict's word."""
    said = f" ({judgement.lines[-1]})" if judgement.lines else ""
    return f"{judgement.reason or verdict_word(judgement.verdict).text}{said}"


def verdict_failure(judgement: Judgement, *, board: str, partition: str, image: str = "") -> Failure:
    """Return that an image is on a board and does not run, with the lines that decided it.

    `partition` is "" where a board was only started again, and `image` where it was named already.
    """
    what = f"{partition} has {image or 'the image'}, and " if partition else ""
    return Failure(
        kind=KINDS[judgement.verdict],
        message=f"board {board}: {what}{judgement_story(judgement)}",
        hint=f"`flashdeck console {board} --since leave` shows what it said",
    )


def judgement_text(judgement: Judgement) -> str:
    """Return a verdict with its reason, in a sentence."""
    word = verdict_word(judgement.verdict).text
    if judgement.verdict is Verdict.RUNS and judgement.after is not None:
        word = f"{word}, {format_duration(judgement.after)} after the leave"
    return f"{word}: {judgement.reason}" if judgement.reason else word


def judgement_story(judgement: Judgement) -> str:
    """Return a verdict with its reason, and the lines that decided it."""
    said = f" ({'; '.join(judgement.lines)})" if judgement.lines else ""
    return f"{judgement_text(judgement)}{said}"
