"""The messages to a person, as lines. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from flashdeck.words.tone import Phrase, Tone
from flashdeck_tui.messages import Message, Weight

_TONES = {Weight.ANSWER: Tone.PLAIN, Weight.REFUSAL: Tone.WAIT, Weight.ERROR: Tone.BAD}


def message_lines(messages: Iterable[Message]) -> list[Phrase]:
    """Return all messages, the newest first, each with its details below it."""
    lines = [line for message in reversed(tuple(messages)) for line in _lines(message)]
    return lines or [Phrase("nothing was said yet", Tone.FAINT)]


def _lines(message: Message) -> Iterator[Phrase]:
    at = datetime.fromtimestamp(message.at).strftime("%H:%M:%S")  # noqa: DTZ006 - local time is what people compare with
    yield Phrase(f"{at} {message.text}", _TONES[message.weight])
    for detail in message.details:
        yield Phrase(f"         {detail}")
