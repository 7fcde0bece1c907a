"""A pipe that lets nothing through which could change a flash: whatever is built on it can only look."""

from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Range
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.quirks import Quirk
from flashdeckd.dfu.wire import DfuRequest, DfuState, parse_status, set_address

_ADDRESS = slice(1, 5)
_HARMLESS = frozenset({DfuRequest.CLRSTATUS, DfuRequest.ABORT})


class HarmlessPipe:
    """Passes on what only asks, what recovers a device, and Set Address inside `spans`. Also notes claimed times.

    Set Address is a DNLOAD of block 0 and changes no flash; the device needs it to know where to read (ST AN3156). Any
    other DNLOAD, and DETACH, raise RefusedError before anything is sent.
    """

    def __init__(self, pipe: ControlPipe, spans: tuple[Range, ...]) -> None:
        self._pipe = pipe
        self._spans = spans
        self.claims: list[int] = []
        """bwPollTimeout of each answer that said dfuDNBUSY, in milliseconds: what was claimed for Set Address."""

    @property
    def alternates(self) -> tuple[AlternateSetting, ...]:
        """As the pipe has them."""
        return self._pipe.alternates

    @property
    def functional(self) -> bytes:
        """As the pipe has it."""
        return self._pipe.functional

    @property
    def quirk(self) -> Quirk:
        """As the pipe has it."""
        return self._pipe.quirk

    @property
    def transfers(self) -> int:
        """Control transfers so far, failed ones included."""
        return self._pipe.transfers

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        """A request that carries `data`, or nothing; raises RefusedError for one that could change something."""
        if not (self._is_set_address(request, value, data) or (request in _HARMLESS and not data)):
            raise RefusedError(
                f"request {request} (value {value}, {len(data)} bytes) was about to be sent by a look that may not "
                "change anything; nothing was sent",
                hint="this is a fault in flashdeck: please report it",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )
        self._pipe.send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        """A request that asks."""
        answer = self._pipe.receive(request, value, length, timeout=timeout)
        if request == DfuRequest.GETSTATUS:
            report = parse_status(answer)
            if report.state == DfuState.DNBUSY:
                self.claims.append(report.poll_ms)
        return answer

    def select(self, alternate: int) -> None:
        """Selects an alternate setting."""
        self._pipe.select(alternate)

    def text(self, index: int) -> str:
        """A string descriptor as the device sends it."""
        return self._pipe.text(index)

    def reset(self) -> None:
        """Resets the device's port."""
        self._pipe.reset()

    def _is_set_address(self, request: int, value: int, data: bytes) -> bool:
        if request != DfuRequest.DNLOAD or value != 0:
            return False
        address = int.from_bytes(data[_ADDRESS], "little")
        return data == set_address(address) and any(span.start <= address < span.end for span in self._spans)
