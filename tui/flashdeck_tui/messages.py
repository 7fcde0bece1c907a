"""All that was said to a person: what each action did, and what went wrong. Pure.

One line of the screen shows the newest; the list has the rest, so that nothing is lost.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flashdeck.text import clean, counted
from flashdeck.words.tone import Phrase, Tone

MOST_MESSAGES = 200
"""Messages that are kept, the newest."""
MOST_DETAILS = 100
"""Details of one message that are kept, as the failures of many boards."""
LONGEST_MESSAGE = 1000
"""Characters of a message, and of each of its details."""
ANSWER_SECONDS = 10.0
"""Seconds that an answer is shown."""
ERROR_SECONDS = 30.0
"""Seconds that an error is shown, unless a key is pressed before."""


class Weight(StrEnum):
    """The weight of a message."""

    ANSWER = "answer"
    REFUSAL = "refusal"  # an action that cannot run now, with its reason
    ERROR = "error"


_TONES = {Weight.ANSWER: Tone.PLAIN, Weight.REFUSAL: Tone.WAIT, Weight.ERROR: Tone.BAD}
_SECONDS = {Weight.ANSWER: ANSWER_SECONDS, Weight.REFUSAL: ANSWER_SECONDS, Weight.ERROR: ERROR_SECONDS}


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said."""

    at: float
    """Seconds since the epoch."""
    weight: Weight
    text: str
    details: tuple[str, ...] = ()
    """Lines that only the list has room for: what to do, or each board of many."""

    @property
    def line(self) -> str:
        """All of it in one line, as far as it is the answer to one thing."""
        return f"{self.text.removesuffix('.')}; {self.details[0]}" if len(self.details) == 1 else self.text


class Messages:
    """The newest messages, and which of them is shown now."""

    def __init__(self, list_key: str) -> None:
        """Take the key that shows the list, as it is named to people."""
        self.list_key = list_key
        self._all: deque[Message] = deque(maxlen=MOST_MESSAGES)
        self._shown: Message | None = None
        self._unseen = 0
        self.revision = 0
        """Grows with each message."""

    @property
    def all(self) -> Sequence[Message]:
        """The messages, the oldest first."""
        return tuple(self._all)

    def say(self, message: Message) -> None:
        """Take a message. It is shown, unless an error still is, and it is none itself."""
        kept = Message(
            message.at,
            message.weight,
            clean(message.text, LONGEST_MESSAGE),
            tuple(clean(line, LONGEST_MESSAGE) for line in message.details[:MOST_DETAILS]),
        )
        self._all.append(kept)
        self.revision += 1
        is_error = kept.weight is Weight.ERROR
        self._unseen += is_error
        if is_error or not self._is_fresh(self._shown, kept.at) or not _is_error(self._shown):
            self._shown = kept

    def key_pressed(self) -> None:
        """A person did something: an error was seen, and the line is free for the answer."""
        self._shown = None

    def read(self) -> None:
        """The list was looked at."""
        self._unseen = 0

    def phrase(self, now: float) -> Phrase:
        """Return what the line shows at this time, in seconds since the epoch; an empty one for nothing."""
        shown = self._shown
        if shown is not None and self._is_fresh(shown, now):
            more = (
                f" ({self.list_key} shows {counted(len(shown.details), 'line')} more)" if len(shown.details) > 1 else ""
            )
            return Phrase(shown.line + more, _TONES[shown.weight])
        if self._unseen:
            return Phrase(
                f"{counted(self._unseen, 'error')} in the list of messages: {self.list_key} shows it", Tone.WAIT
            )
        return Phrase("")

    def _is_fresh(self, message: Message | None, now: float) -> bool:
        return message is not None and 0 <= now - message.at < _SECONDS[message.weight]


def _is_error(message: Message | None) -> bool:
    return message is not None and message.weight is Weight.ERROR
