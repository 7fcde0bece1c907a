"""A board that answers as another one did: it replays a recording, and notes the first request that differs.

From that request on it refuses everything, because nobody knows what the recorded board would have done. A recording
without payloads holds only the hashes of what was read. Such a read is answered from what was downloaded before, or as
blank flash, where that has the recorded hash; otherwise it is refused, and said so.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from flashdeck.config import UsbId
from flashdeck.errors import ConfigError
from flashdeck.recording import Ending, Recording, Reset, Step, Transfer
from flashdeckd.dfu.descriptor import VERSION_DFUSE, find_functional, parse_functional
from flashdeckd.virtual.bus_clock import bus_time
from flashdeckd.virtual.control import Answer, Bus, Dfu, Outcome, Setup, Standard, State
from flashdeckd.virtual.identity import INTERFACE_DESCRIPTOR, Identity, InterfaceSetting
from flashdeckd.virtual.nor import Operation

REPLAY = "replay"
"""The model of such a board in a bench file."""
_DEVICE_LENGTH = 18
_CONFIGURATION_LENGTH = 9
_INTERFACE_LENGTH = 9
_ENDPOINT_DESCRIPTOR = 5
_HEADER = 2
_SET_ADDRESS = 0x21
_POINTER_LENGTH = 5
_FIRST_BLOCK = 2
"""The block of a DfuSe DNLOAD or UPLOAD that goes to the address pointer (AN3156)."""
_STATE_AT = 4
"""The place of bState in the answer to GETSTATUS (USB DFU 1.1, 6.1.2)."""
_STANDARD_IN = 0x80
_LEAVES = (Ending.GONE, Ending.ERROR)
"""Endings of a device that is gone, or of which no more is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedIdentity(Identity):
    """A device as its recording begins: its descriptors are the recorded ones, byte for byte."""

    recorded_device: bytes
    recorded_configuration: bytes

    def device(self) -> bytes:
        """The device descriptor."""
        return self.recorded_device

    def configuration(self) -> bytes:
        """The configuration descriptor with all that follows it."""
        return self.recorded_configuration


def recorded_identity(recording: Recording) -> RecordedIdentity:
    """The device that a recording begins with. Raises ConfigError where its descriptors are none."""
    device, configuration = recording.session.device, recording.session.configuration
    if len(device) != _DEVICE_LENGTH or len(configuration) < _CONFIGURATION_LENGTH:
        raise ConfigError(
            f"{recording.name}: its descriptors have {len(device)} and {len(configuration)} bytes",
            hint="a device descriptor has 18, a configuration at least 9",
        )
    settings = tuple(_settings(configuration))
    if not settings:
        raise ConfigError(f"{recording.name}: its configuration has no interface")
    return RecordedIdentity(
        UsbId(int.from_bytes(device[8:10], "little"), int.from_bytes(device[10:12], "little")),
        settings,
        ("", "", ""),
        bcd_device=int.from_bytes(device[12:14], "little"),
        recorded_device=device,
        recorded_configuration=configuration,
    )


class ReplayedBoard:
    """Answers on endpoint 0 of a board that replays, from the beginning of the recording."""

    def __init__(self, recording: Recording, identity: Identity) -> None:
        self._recording = recording
        self._steps = _until_gone(recording.steps)
        self._next = 0
        self._memory = _Memory(identity)
        self._attached = False
        self.state = State.IDLE
        """As the host was told last."""
        self.difference = ""
        """The first request that was not as recorded; "" while there is none."""
        self.replayed = 0
        """Control transfers that came as recorded."""

    @property
    def is_gone(self) -> bool:
        """True if the recorded device left the bus after the last replayed transfer."""
        last = self._steps[self._next - 1] if self._next else None
        return last is not None and last.ending in _LEAVES

    @property
    def busy(self) -> Operation | None:
        """There is no flash behind it."""
        return None

    def ended(self, operation: Operation) -> None:
        """Never called: it begins no operation."""

    def attach(self) -> None:
        """The host has found the device, or has reset its port: that is in the recording, too."""
        if not self._attached:
            self._attached = True
            return
        if self.difference:
            return
        if self._next < len(self._steps) and isinstance(self._steps[self._next], Reset):
            self._next += 1
        else:
            self._differs("seen: a bus reset")

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """The recorded answer to this request, if it is the recorded request."""
        if self.difference:
            return Outcome(Answer.STALL)
        step = self._steps[self._next] if self._next < len(self._steps) else None
        if not isinstance(step, Transfer) or not _same(step, setup, data):
            self._differs(f"seen: {_seen(setup, data)}")
            return Outcome(Answer.STALL)
        answer = self._answer(step, setup, data)
        if answer is None:
            self._differs(
                f"its answer of {step.moved} bytes is in the recording only as SHA-256 {step.digest[:16]}…, and is "
                "neither what was downloaded since nor blank: to replay this, record with --record-payloads"
            )
            return Outcome(Answer.STALL)
        self._next += 1
        self.replayed += 1
        self._note_state(step, answer)
        return self._outcome(step, answer)

    def _answer(self, step: Transfer, setup: Setup, data: bytes) -> bytes | None:
        """The data stage that the host gets; None where it cannot be known."""
        if step.ending is not Ending.OK:
            return b""
        if not step.is_in:
            self._memory.sent(setup, data)
            return b""
        return self._memory.read(setup, step) if step.data is None and step.moved else step.data or b""

    def _outcome(self, step: Transfer, answer: bytes) -> Outcome:
        left = max(0.0, step.took - bus_time(step.moved)) * 1000
        match step.ending:
            case Ending.OK:
                # Behind its last answer a board that was told to leave is gone; nothing else recorded that it went.
                leaves = self._next == len(self._steps) and self._recording.complete and self._was_told_to_leave()
                return Outcome(data=answer, delay_ms=left, bus=Bus.RESTARTS if leaves else Bus.STAYS)
            case Ending.STALL:
                return Outcome(Answer.STALL, delay_ms=left)
            case Ending.OVERFLOW:
                return Outcome(Answer.OVERFLOW, delay_ms=left)
            case Ending.TIMEOUT:
                return Outcome(Answer.NAK)
            case Ending.GONE | Ending.ERROR:  # what is neither shows as a device that leaves in mid-transfer
                return Outcome(bus=Bus.RESTARTS, cut_short=True, delay_ms=left)

    def _was_told_to_leave(self) -> bool:
        downloads = [step for step in self._steps if isinstance(step, Transfer) and _is(step, Dfu.DNLOAD)]
        return bool(downloads) and downloads[-1].length == 0

    def _note_state(self, step: Transfer, answer: bytes) -> None:
        told = -1
        if _is(step, Dfu.GETSTATUS) and len(answer) > _STATE_AT:
            told = answer[_STATE_AT]
        elif _is(step, Dfu.GETSTATE) and answer:
            told = answer[0]
        if told in list(State):
            self.state = State(told)

    def _differs(self, what: str) -> None:
        total = self._recording.transfers
        if self._next < len(self._steps):
            expected = f"recorded: {_recorded(self._steps[self._next])}"
        elif self._recording.complete:
            expected = "recorded: nothing more"
        else:
            expected = "the recording was cut here"
        self.difference = f"transfer {self.replayed + 1} of {total} differs; {expected}; {what}"


class _Memory:
    """The data that a host has downloaded, by its place: to answer reads of which only the hash is known."""

    def __init__(self, identity: Identity) -> None:
        places = [setting.extra for setting in identity.settings]
        functional = parse_functional(find_functional([*places, identity.configuration()]))
        self._is_dfuse = functional.version == VERSION_DFUSE
        self._block = functional.transfer_size
        self._pointer = 0
        self._alternate = 0
        self._blocks: dict[tuple[int, int], bytes] = {}
        """Pieces by alternate setting and address, or offset in plain DFU."""

    def sent(self, setup: Setup, data: bytes) -> None:
        """Follows what the host said."""
        if setup.kind == 0 and setup.request == Standard.SET_INTERFACE and setup.recipient == 1:
            self._alternate = setup.value
        if not setup.is_dfu or setup.request != Dfu.DNLOAD or not data:
            return
        if self._is_dfuse and setup.value == 0:
            if data[0] == _SET_ADDRESS and len(data) == _POINTER_LENGTH:
                self._pointer = int.from_bytes(data[1:], "little")
            return
        self._blocks[self._alternate, self._place(setup.value)] = data

    def read(self, setup: Setup, step: Transfer) -> bytes | None:
        """Return the bytes with the recorded hash: those downloaded there, or blank flash; None for neither."""
        start = self._place(setup.value)
        written = bytearray(b"\xff" * step.moved)
        for (alternate, at), data in self._blocks.items():
            first, last = max(at, start), min(at + len(data), start + step.moved)
            if alternate == self._alternate and first < last:
                written[first - start : last - start] = data[first - at : last - at]
        candidates = (bytes(written), b"\xff" * step.moved)
        return next((each for each in candidates if hashlib.sha256(each).hexdigest() == step.digest), None)

    def _place(self, block: int) -> int:
        return self._pointer + (block - _FIRST_BLOCK) * self._block if self._is_dfuse else block * self._block


def _until_gone(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Up to the first answer that a device gave by leaving: what came after it reached nobody."""
    for number, step in enumerate(steps):
        if step.ending in _LEAVES:
            return steps[: number + 1]
    return steps


def _settings(configuration: bytes) -> Iterator[InterfaceSetting]:
    """The alternate settings, each with the class descriptors behind it; endpoints are left out.

    What stands before the first one counts as its own.
    """
    head: bytes | None = None
    extra = b""
    at = configuration[0] or len(configuration)
    while at + _HEADER <= len(configuration) and configuration[at] >= _HEADER:
        descriptor = configuration[at : at + configuration[at]]
        at += configuration[at]
        if descriptor[1] == INTERFACE_DESCRIPTOR and len(descriptor) >= _INTERFACE_LENGTH:
            if head is not None:
                yield _setting(head, extra)
            head, extra = descriptor, b"" if head is not None else extra
        elif descriptor[1] != _ENDPOINT_DESCRIPTOR:
            extra += descriptor
    if head is not None:
        yield _setting(head, extra)


def _setting(head: bytes, extra: bytes) -> InterfaceSetting:
    return InterfaceSetting(
        interface=head[2],
        alternate=head[3],
        class_code=head[5],
        subclass=head[6],
        protocol=head[7],
        string=head[8],
        extra=extra,
    )


def _same(step: Transfer, setup: Setup, data: bytes) -> bool:
    asked = (setup.request_type, setup.request, setup.value, setup.index, setup.length)
    if asked != (step.request_type, step.request, step.value, step.index, step.length):
        return False
    return step.is_in or step.holds(data)


def _is(step: Transfer, request: Dfu) -> bool:
    return _setup(step).is_dfu and step.request == request


def _setup(step: Transfer) -> Setup:
    return Setup(step.request_type, step.request, step.value, step.index, step.length)


def _recorded(step: Step) -> str:
    if isinstance(step, Reset):
        return "a bus reset"
    return _described(_setup(step), step.digest if step.moved and not step.is_in else "")


def _seen(setup: Setup, data: bytes) -> str:
    return _described(setup, hashlib.sha256(data).hexdigest() if data else "")


def _described(setup: Setup, digest: str) -> str:
    if setup.is_dfu and setup.request in list(Dfu):
        name = Dfu(setup.request).name
    elif setup.request_type == _STANDARD_IN and setup.request == Standard.GET_DESCRIPTOR:
        name = "GET_DESCRIPTOR"
    else:
        name = f"request {setup.request} of type 0x{setup.request_type:02x}"
    held = f", data with SHA-256 {digest[:16]}…" if digest else ""
    return f"{name} (wValue {setup.value}, wIndex {setup.index}, wLength {setup.length}{held})"
