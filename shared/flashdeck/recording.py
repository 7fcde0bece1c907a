"""A recording: what went over a device's endpoint 0 between opening and closing it, as JSON Lines.

The first line is a `RecordedSession`, the last one an `End`; between them are `Transfer` and `Reset`, in order. A
recording whose `End` is missing was cut: the daemon was killed, or the disk was full.
"""

import hashlib
from enum import StrEnum
from pathlib import Path

import msgspec

from flashdeck.errors import ConfigError
from flashdeck.text import clean

FORMAT = 1
MAX_FILE = 16 * 1024 * 1024
"""Bytes of one recording at the most: a full flash of 1 MiB, with contents, read twice, takes a third."""
MAX_LINE = 128 * 1024
"""Bytes of one line: a control transfer carries at most 64 KiB, and base64 makes four of three."""
MAX_LENGTH = 0xFFFF
"""wLength has 16 bits (USB 2.0, 9.3)."""
SUFFIX = ".jsonl"


class Ending(StrEnum):
    """The end of a transfer."""

    OK = "ok"
    STALL = "stall"
    TIMEOUT = "timeout"
    GONE = "gone"
    """The device had left the bus, or left in the middle."""
    OVERFLOW = "overflow"
    """The device sent more than it was asked for."""
    ERROR = "error"
    """Something else; `errno` says what."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of all lines. Unknown fields are ignored."""


class RecordedSession(Line, frozen=True, kw_only=True, tag="session"):
    """The identity of the device, as it was before anything was asked."""

    format: int
    flashdeck: str
    """The version that recorded it."""
    started: float
    """Seconds since the epoch (UTC)."""
    device: bytes
    """The device descriptor."""
    configuration: bytes
    """The first configuration's descriptor with all that follows it, put together from what the system parsed."""
    payloads: bool = False
    """True: image bytes are in it; otherwise their SHA-256 and length are."""


class Transfer(Line, frozen=True, kw_only=True, tag="transfer"):
    """One control transfer."""

    at: float
    """Seconds since the session began."""
    took: float
    """Seconds until it had ended."""
    request_type: int
    request: int
    value: int
    index: int
    length: int
    ending: Ending
    moved: int = 0
    """Bytes of the data stage: sent, or received."""
    data: bytes | None = None
    """They themselves; None where only the hash is kept."""
    sha256: str = ""
    """Of the data stage, where `data` is None and something was moved."""
    errno: int = 0
    """The system's number for an ending that is not OK."""

    @property
    def is_in(self) -> bool:
        """True if data went to the host."""
        return bool(self.request_type & 0x80)

    def holds(self, data: bytes) -> bool:
        """Return whether `data` is what was moved."""
        return data == self.data if self.data is not None else hashlib.sha256(data).hexdigest() == self.digest

    @property
    def digest(self) -> str:
        """SHA-256 of what was moved."""
        return self.sha256 or hashlib.sha256(self.data or b"").hexdigest()


class Reset(Line, frozen=True, kw_only=True, tag="reset"):
    """A bus reset."""

    at: float
    took: float
    ending: Ending
    errno: int = 0


class End(Line, frozen=True, kw_only=True, tag="end"):
    """The session was closed, or the recording was not to grow any further (`full`)."""

    at: float
    full: bool = False


Step = Transfer | Reset
AnyLine = RecordedSession | Transfer | Reset | End


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that was read and checked."""

    name: str
    session: RecordedSession
    steps: tuple[Step, ...]
    complete: bool
    """True if it reaches the end of its session."""

    @property
    def transfers(self) -> int:
        """The number of control transfers."""
        return sum(isinstance(step, Transfer) for step in self.steps)


_ENCODER = msgspec.json.Encoder()
_DECODER: "msgspec.json.Decoder[AnyLine]" = msgspec.json.Decoder(AnyLine)


def encode(line: AnyLine) -> bytes:
    """One line, its line break included."""
    return _ENCODER.encode(line) + b"\n"


def decode(name: str, raw: bytes) -> tuple[AnyLine, ...]:
    """The lines of a recording; a last one that was cut in the middle is left out.

    Raises ConfigError, naming the line, where it is none, of another format, or too large.
    """
    if len(raw) > MAX_FILE + MAX_LINE:
        raise ConfigError(f"{name} has {len(raw)} bytes; a recording has at most {MAX_FILE + MAX_LINE}")
    whole = raw[: raw.rfind(b"\n") + 1].splitlines()
    lines: list[AnyLine] = []
    for number, line in enumerate(whole, 1):
        try:
            if len(line) > MAX_LINE:
                raise ConfigError(f"{name}, line {number}: {len(line)} bytes, and a line has at most {MAX_LINE}")
            lines.append(_DECODER.decode(line))
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(
                f"{name}, line {number}: this is no recording: {clean(str(error))}",
                hint="take a file that flashdeckd --record has written, as it was",
            ) from error
        if number == 1:
            _check_format(name, lines[0])  # before the lines of another format are taken for mistakes
    return tuple(lines)


def _check_format(name: str, first: AnyLine) -> None:
    if isinstance(first, RecordedSession) and first.format != FORMAT:
        raise ConfigError(
            f"{name} is a recording of format {first.format}, and this flashdeck reads format {FORMAT}",
            hint=f"it was written by flashdeck {clean(first.flashdeck)}; replay it with that one",
        )


def parse(name: str, raw: bytes) -> Recording:
    """A recording from its bytes. Raises ConfigError, naming the line, where they are none."""
    lines = decode(name, raw)
    if not lines or not isinstance(lines[0], RecordedSession):
        raise ConfigError(
            f"{name} does not begin with a session: this is no recording",
            hint="take a file that flashdeckd --record has written, as it was",
        )
    steps = tuple(line for line in lines[1:] if isinstance(line, Transfer | Reset))
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Transfer):
            continue
        if step.data is not None and len(step.data) != step.moved:
            raise ConfigError(f"{name}, transfer {number}: {len(step.data)} bytes, and it says {step.moved}")
        if not 0 <= step.moved <= step.length <= MAX_LENGTH:
            raise ConfigError(f"{name}, transfer {number}: {step.moved} bytes, where {step.length} were asked for")
    last = lines[-1]
    return Recording(name=name, session=lines[0], steps=steps, complete=isinstance(last, End) and not last.full)


def read(path: Path) -> Recording:
    """The recording in a file. Raises ConfigError where it cannot be read, or is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + MAX_LINE + 1)
    except OSError as error:
        raise ConfigError(f"the recording {clean(str(path))} cannot be read: {error.strerror}") from error
    return parse(clean(str(path)), raw)
