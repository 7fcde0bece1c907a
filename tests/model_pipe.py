"""A small DfuSe device in simulated time, strict about its own protocol: what the tests of the session talk to."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn

from flashdeck.errors import StallError
from flashdeckd.dfu.pipe import AlternateSetting
from flashdeckd.dfu.quirks import NONE, Quirk
from flashdeckd.dfu.wire import DfuRequest, DfuState

BASE = 0x08000000
SIZE = 64 * 1024
PAGE = 2048
MAP = "@Internal Flash  /0x08000000/32*002Kg"


class WhileBusy(Enum):
    """What the device does with a GETSTATUS before its operation is over."""

    BUSY = "answers dfuDNBUSY"
    STALL = "STALLs"
    ERROR = "goes to dfuERROR"


@dataclass
class ModelPipe:
    """Satisfies `ControlPipe`. `sleep` moves its clock; nothing else does."""

    while_busy: WhileBusy = WhileBusy.BUSY
    first: DfuState = DfuState.DNBUSY
    duration: float = 0.0
    """Seconds that an operation goes on after the GETSTATUS that started it."""
    strict: frozenset[str] = frozenset(("erase", "address", "data"))
    """Operations during which `WhileBusy.ERROR` is meant; during the others it answers dfuDNBUSY."""
    poll_ms: int = 50
    transfer_size: int = 1024
    pages: int = SIZE // PAGE
    functional: bytes = b""
    alternates: tuple[AlternateSetting, ...] = (AlternateSetting(0, 4, 2),)
    texts: dict[int, str] = field(default_factory=lambda: {4: MAP})
    quirk: Quirk = NONE
    failing_erases: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        size = self.transfer_size
        self.functional = self.functional or bytes((9, 0x21, 0x0B, 255, 0, size & 255, size >> 8, 0x1A, 0x01))
        self.memory = bytearray(b"\x00") * (self.pages * PAGE)
        self.state: int = DfuState.IDLE
        self.status = 0
        self.pointer = 0
        self.pending: tuple[int, bytes] | None = None
        self.done_at = 0.0
        self.clock = 0.0
        self.naps: list[float] = []
        self.transfers = 0
        self.log: list[tuple[DfuRequest, int, int]] = []
        self.early = 0
        """Questions that came before the operation was over."""
        self.objections = 0
        """Those of them that led to dfuERROR."""
        self.errors = 0
        self.resets = 0
        self.selected: list[int] = []

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.naps.append(seconds)

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        assert timeout > 0
        self._count(request, value, len(data))
        match request:
            case DfuRequest.DNLOAD if self.state in (DfuState.IDLE, DfuState.DNLOAD_IDLE):
                assert len(data) <= self.transfer_size
                self.pending, self.state = (value, data), DfuState.DNLOAD_SYNC if data else DfuState.MANIFEST_SYNC
            case DfuRequest.CLRSTATUS if self.state == DfuState.ERROR:
                self.state, self.status = DfuState.IDLE, 0
            case DfuRequest.ABORT if self.state in (
                DfuState.IDLE,
                DfuState.DNLOAD_SYNC,
                DfuState.DNLOAD_IDLE,
                DfuState.UPLOAD_IDLE,
            ):
                self.state, self.pending = DfuState.IDLE, None
            case _:
                self._refuse()

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        assert timeout > 0
        self._count(request, value, length)
        match request:
            case DfuRequest.GETSTATE:
                return bytes((self.state,))
            case DfuRequest.GETSTATUS:
                return self._status()
            case DfuRequest.UPLOAD if self.state in (DfuState.IDLE, DfuState.UPLOAD_IDLE):
                self.state = DfuState.UPLOAD_IDLE
                at = self.pointer + (value - 2) * self.transfer_size - BASE
                return bytes(self.memory[at : at + length])
            case _:
                return self._refuse()

    def select(self, alternate: int) -> None:
        self.transfers += 1
        self.selected.append(alternate)

    def text(self, index: int) -> str:
        self.transfers += 1
        assert self.state == DfuState.IDLE, "a string was read within an operation"
        return self.texts.get(index, "")

    def reset(self) -> None:
        self.resets += 1
        self.state, self.pending = DfuState.IDLE, None

    def requests(self, kind: DfuRequest) -> list[tuple[int, int]]:
        """wValue and length of every request of a kind."""
        return [(value, length) for request, value, length in self.log if request is kind]

    def _count(self, request: int, value: int, length: int) -> None:
        self.transfers += 1
        self.log.append((DfuRequest(request), value, length))

    def _refuse(self) -> NoReturn:
        self.state = DfuState.ERROR
        self.errors += 1
        raise StallError("refused with a STALL")

    def _status(self) -> bytes:
        if self.state == DfuState.MANIFEST_SYNC:
            self.state = DfuState.MANIFEST
        elif self.state == DfuState.DNLOAD_SYNC and self.pending is not None:
            self._start()
        elif self.state == DfuState.DNBUSY:
            self._busy()
        elif self.state == DfuState.DNLOAD_SYNC:
            self.state = DfuState.DNLOAD_IDLE
        return self._report()

    def _start(self) -> None:
        self.state, self.done_at = self.first, self.clock + self.duration
        if self.first != DfuState.DNBUSY:
            self._run()

    def _busy(self) -> None:
        if self.clock + 1e-9 >= self.done_at:
            self._run()
            self.state = DfuState.ERROR if self.status else DfuState.DNLOAD_IDLE
            return
        self.early += 1
        if self.while_busy is WhileBusy.STALL:
            raise StallError("refused with a STALL")
        if self.while_busy is WhileBusy.ERROR and self._kind() in self.strict:
            self.objections += 1
            self.state, self.status, self.pending = DfuState.ERROR, 15, None

    def _kind(self) -> str:
        assert self.pending is not None
        block, data = self.pending
        return "data" if block else {0x21: "address", 0x41: "erase"}[data[0]]

    def _run(self) -> None:
        assert self.pending is not None
        block, data = self.pending
        self.pending = None
        if block == 0:
            address = int.from_bytes(data[1:], "little")
            assert len(data) == 5
            assert data[0] in (0x21, 0x41)
            if data[0] == 0x41:
                page = (address - BASE) // PAGE
                if page in self.failing_erases:
                    self.state, self.status = DfuState.ERROR, 4
                    return
                self.memory[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
            self.pointer = address
            return
        assert block >= 2
        at = self.pointer + (block - 2) * self.transfer_size - BASE
        assert self.memory[at : at + len(data)] == b"\xff" * len(data), "written without an erase"
        self.memory[at : at + len(data)] = data

    def _report(self) -> bytes:
        poll = self.poll_ms if self.state == DfuState.DNBUSY else 0
        return bytes((self.status, *poll.to_bytes(3, "little"), self.state, 0))
