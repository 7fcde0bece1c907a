"""One session with a plain DFU 1.1 device: an image goes into one alternate setting, block after block.

There are no addresses: the first block begins the image, each one goes on where the last ended, and a block of no bytes
ends it (USB DFU 1.1, 6.1.1). The device erases as it sees fit. Whatever breaks off begins again at the first block.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from flashdeck.config import PollPolicy
from flashdeck.errors import (
    DescriptorError,
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    RefusedError,
    StallError,
    TransferTimeoutError,
)
from flashdeck.job_state import DeviceWork
from flashdeck.memory_map import parse_memory_map
from flashdeck.text import clean
from flashdeckd.dfu import class_requests
from flashdeckd.dfu.claims import OnClaim, tell_nobody
from flashdeckd.dfu.descriptor import VERSION_DFUSE, FunctionalDescriptor, parse_functional
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.polling import CLAIMS, FIRST_PLAIN_BLOCK, PLAIN_BLOCK, DeviceTask, DfuStatusError, Poller
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.refusals import refusal
from flashdeckd.dfu.wire import STATUS_OK, DfuProtocol, DfuState, StatusReport, state_name, usable_transfer_size
from flashdeckd.host import clock

_BLOCK_NUMBERS = 1 << 16
"""wBlockNum has 16 bits and goes on at 0 (USB DFU 1.1, 6.1.1)."""
MAX_NAMES = 32
"""Alternate settings whose names are looked at."""
MANIFEST_PATIENCE = 60.0
"""Seconds: some devices check a signature, or copy the whole image, in dfuMANIFEST."""
_MANIFESTATION = DeviceTask(DeviceWork.END, MANIFEST_PATIENCE, MANIFEST_PATIENCE)
SILENCE = 5.0
"""Seconds: a device that is not manifestation tolerant answers nothing once it waits for the bus reset."""
FIRST_NAP = 0.001
LONGEST_BACK_OFF = 0.5
"""Seconds between questions to a device that claims no time for its manifestation; doubled up to this."""
LEAVE_POLLS = 3
LEAVE_NAP = 0.1


def block_size(functional: FunctionalDescriptor) -> int:
    """Bytes of a full block."""
    return usable_transfer_size(functional.transfer_size)


@dataclass(frozen=True, slots=True)
class PlainFacts:
    """The facts that a device states of itself."""

    functional: FunctionalDescriptor
    number: int
    """The alternate setting that was selected."""


class AfterManifest(Enum):
    """The whereabouts of a device that has taken the end of an image."""

    IDLE = "back in dfuIDLE"
    WAITS_FOR_RESET = "waiting for a bus reset"
    GONE = "gone from the bus"


class _PlainMode(Enum):
    IDLE = "dfuIDLE"
    DOWNLOAD = "dfuDNLOAD-IDLE"
    UPLOAD = "dfuUPLOAD-IDLE"
    ENDED = "whatever an upload ends in"


class PlainSession:
    """Drives one alternate setting of one device, at most `size` bytes of it. For one thread; ends with the pipe.

    Errors leave the device in an unknown state: `recover` brings it back to dfuIDLE, and the next block is the first.
    """

    def __init__(
        self,
        pipe: ControlPipe,
        alternate: int | str,
        size: int,
        sleep: Callable[[float], object],
        *,
        policy: PollPolicy = PollPolicy.AUTO,
        on_claim: OnClaim = tell_nobody,
    ) -> None:
        """`on_claim` hears of each longer wait that the device claims, before it begins."""
        self._pipe = pipe
        self._on_claim = on_claim
        self._alternate = alternate
        self._size = size
        self._sleep = sleep
        # A data block cannot be done again, so it is never used to find out whether an early question does harm.
        self._poller = Poller(pipe, policy, sleep, Pace.CLAIMED, protocol=DfuProtocol.PLAIN, on_claim=on_claim)
        self._selected: int | None = None
        self._functional = FunctionalDescriptor()
        self._mode = _PlainMode.IDLE
        self._block = 0
        self._done = 0
        self.uploads = 0
        """UPLOAD requests so far."""
        self.reading = False
        """True during an UPLOAD, and after one that failed until the device was recovered."""

    @property
    def slept(self) -> float:
        """Seconds slept because the device asked for it."""
        return self._poller.slept

    def open(self) -> PlainFacts:
        """Recovers the device to dfuIDLE, finds the alternate setting and selects it.

        Raises DescriptorError where the device speaks DfuSe, or has no such alternate setting.
        """
        self.recover()
        self._functional = parse_functional(self._pipe.functional)
        chosen = self._find()
        self._require_plain(chosen)
        if len(self._pipe.alternates) > 1:
            self._selected = chosen.number
            self._pipe.select(chosen.number)
        return PlainFacts(self._functional, chosen.number)

    def recover(self) -> None:
        """Brings the device to dfuIDLE from whatever state it is in; raises DeviceError where that fails."""
        to_idle(self._pipe, self._sleep, on_claim=self._on_claim)
        if self._selected is not None:  # a bus reset goes back to the first one
            self._pipe.select(self._selected)
        self._begin(_PlainMode.IDLE)
        self.reading = False

    def to_idle(self) -> None:
        """Brings the device to dfuIDLE after something that went well. The next block is the first."""
        ended = self._mode is _PlainMode.ENDED and class_requests.get_state(self._pipe) == DfuState.IDLE
        if self._mode is not _PlainMode.IDLE and not ended:
            try:
                class_requests.abort(self._pipe)
            except StallError:
                self.recover()
        self._begin(_PlainMode.IDLE)

    def download(self, data: bytes) -> None:
        """Sends the next block, which is the first after `open`, `recover` and `to_idle`, and sees it to its end."""
        self._enter(_PlainMode.DOWNLOAD)
        self._require_room(len(data), "sent")
        what = f"block {self._block} ({len(data)} bytes from offset 0x{self._done:x})"
        self._send(data, what)
        self._poller.complete(what, PLAIN_BLOCK if self._done else FIRST_PLAIN_BLOCK)
        self._done += len(data)

    def manifest(self) -> AfterManifest:
        """Tells the device that the image is complete, and waits until it has accepted it.

        Raises DfuStatusError where it does not. Vanishing is an acceptance once the end of the image was answered.
        """
        self._send(b"", "the end of the image")
        ending = _Manifestation(self._pipe, self._poller, tolerant=self._functional.manifestation_tolerant).run()
        self._begin(_PlainMode.IDLE)
        return ending

    def upload(self, length: int) -> bytes:
        """The next bytes, which are the first ones after `open`, `recover` and `to_idle`; fewer at the end."""
        self._enter(_PlainMode.UPLOAD)
        self._require_room(length, "read")
        self.uploads += 1
        self.reading = True
        what = f"read of {length} bytes from offset 0x{self._done:x}"
        try:
            data = class_requests.upload(self._pipe, self._next_number(), length)
        except StallError as error:
            raise StallError(
                f"{what}: {refusal(self._pipe, DfuProtocol.PLAIN).words}",
                hint="it cannot be read, or not now; flashing works without it",
            ) from error
        self.reading = False
        self._done += len(data)
        if len(data) < length:
            self._mode = _PlainMode.ENDED
        return data

    def leave(self, *, after: AfterManifest = AfterManifest.IDLE) -> bool:
        """Asks the device to start its application: by DETACH, then by a bus reset. True if it left DFU mode.

        One that stays is in dfuIDLE.
        """
        try:
            if after is AfterManifest.IDLE:
                self.to_idle()
                self._detach()
                if self._has_left():
                    return True
            self._pipe.reset()
            if self._has_left():
                return True
        except DeviceGoneError:
            return True
        self.calm()
        return False

    def calm(self) -> None:
        """Brings the device to dfuIDLE where requests alone can do that, after something that it refused."""
        with suppress(DeviceError):
            to_idle(self._pipe, self._sleep, may_reset=False)
            self._begin(_PlainMode.IDLE)

    def _detach(self) -> None:
        """Not every bootloader knows DETACH in DFU mode, and Zephyr's class is in dfuERROR then."""
        with suppress(TransferTimeoutError):
            try:
                class_requests.detach(self._pipe)
            except StallError:
                self.calm()

    def _has_left(self) -> bool:
        for turn in range(LEAVE_POLLS):
            if turn:
                self._sleep(LEAVE_NAP)
            with suppress(StallError, TransferTimeoutError):
                if class_requests.get_state(self._pipe) in (DfuState.APP_IDLE, DfuState.APP_DETACH):
                    return True
        return False

    def _find(self) -> AlternateSetting:
        if isinstance(self._alternate, int):
            for each in self._pipe.alternates:
                if each.number == self._alternate:
                    return each
            raise self._not_found(", ".join(str(each.number) for each in self._pipe.alternates[:MAX_NAMES]))
        names = [(each, self._name(each)) for each in self._pipe.alternates[:MAX_NAMES]]
        found = [each for each, name in names if name == self._alternate]
        if not found:
            raise self._not_found(", ".join(f'{each.number} "{name}"' for each, name in names))
        if len(found) > 1:
            raise DescriptorError(
                f'the device has {len(found)} alternate settings with the name "{self._alternate}"',
                hint=f"say in the profile which one by its number: {', '.join(str(each.number) for each in found)}",
            )
        return found[0]

    def _not_found(self, known: str) -> DescriptorError:
        wanted = self._alternate if isinstance(self._alternate, int) else f'"{self._alternate}"'
        return DescriptorError(
            f"the device has no alternate setting {wanted}",
            hint=f"it has {known}; mend alt in the profile, or look whether this is the right device",
        )

    def _name(self, alternate: AlternateSetting) -> str:
        text = self._pipe.text(alternate.text_index) if alternate.text_index else ""
        return clean(text.rstrip("\0")).strip()

    def _require_plain(self, chosen: AlternateSetting) -> None:
        """A DfuSe device would take the first block for a command, and begin with an erase where it looks like one."""
        version = self._functional.version
        text = self._pipe.text(chosen.text_index) if chosen.text_index else ""
        has_map = False
        with suppress(DescriptorError):
            parse_memory_map(text)
            has_map = True
        if version != VERSION_DFUSE and not has_map:
            return
        reports = "no version" if version is None else f"bcdDFUVersion 0x{version:04x}"
        named = f' and the memory map "{clean(text)}"' if has_map else ""
        raise DescriptorError(
            f"the device reports {reports}{named}: it speaks DfuSe, which needs an address for every partition",
            hint="give the partitions address in place of alt, and the profile its flash",
        )

    def _enter(self, mode: _PlainMode) -> None:
        if self._mode is not mode:
            self.to_idle()
            self._begin(mode)

    def _begin(self, mode: _PlainMode) -> None:
        self._mode = mode
        self._block = self._done = 0

    def _require_room(self, length: int, doing: str) -> None:
        if not 0 < length <= block_size(self._functional) or self._done + length > self._size:
            raise RefusedError(
                f"{length} bytes from offset 0x{self._done:x} were about to be {doing}, which the partition of "
                f"{self._size} bytes does not allow; nothing was sent",
                hint="this is a fault in flashdeck: please report it with the configuration and the image's size",
                kind=ErrorKind.OUTSIDE_PARTITION,
            )

    def _next_number(self) -> int:
        number, self._block = self._block % _BLOCK_NUMBERS, self._block + 1
        return number

    def _send(self, data: bytes, what: str) -> None:
        try:
            class_requests.download(self._pipe, self._next_number(), data)
        except StallError as error:
            raise StallError(
                f"{what}: {refusal(self._pipe, DfuProtocol.PLAIN).words}",
                hint="reset the board and flash again; it begins at the first block",
            ) from error


class _Manifestation:
    """The end of an image under way."""

    def __init__(self, pipe: ControlPipe, poller: Poller, *, tolerant: bool) -> None:
        self._pipe = pipe
        self._poller = poller
        self._tolerant = tolerant
        self._said = 0.0
        self._claimed = 0.0
        """Seconds that are claimed, as far as they are believed."""
        self._nap = FIRST_NAP
        self._slept = 0.0
        self._began = clock.monotonic()
        self._manifesting = False
        """True once dfuMANIFEST was reported."""

    def run(self) -> AfterManifest:
        while True:
            try:
                report = self._ask()
            except DeviceGoneError:
                return AfterManifest.GONE
            if report is not None and report.state == DfuState.IDLE:
                return AfterManifest.IDLE
            if report is not None and report.state == DfuState.MANIFEST_WAIT_RESET:
                return AfterManifest.WAITS_FOR_RESET
            waited = max(self._slept, clock.monotonic() - self._began)
            if report is None and self._manifesting and not self._tolerant and waited > max(SILENCE, self._claimed):
                return AfterManifest.WAITS_FOR_RESET
            self._check_patience(report, waited)
            self._wait()

    def _ask(self) -> StatusReport | None:
        """None: a STALL, or no answer after dfuMANIFEST was reported."""
        try:
            report = class_requests.get_status(self._pipe)
        except StallError:
            return None
        except TransferTimeoutError:
            if self._manifesting:
                return None
            raise
        if report.status != STATUS_OK or report.state == DfuState.ERROR:
            raise DfuStatusError(
                f"the end of the image failed: {report.describe(DfuProtocol.PLAIN)}",
                hint="the bootloader refused the image: check that it is built, linked and signed for this board",
            )
        if report.state not in (DfuState.MANIFEST_SYNC, DfuState.MANIFEST, DfuState.IDLE, DfuState.MANIFEST_WAIT_RESET):
            raise DeviceError(
                f"the end of the image: the bootloader is in {state_name(report.state)} where dfuMANIFEST was expected",
                hint="reset the board and flash again; another program may be talking to it",
            )
        self._manifesting |= report.state == DfuState.MANIFEST
        self._said = report.poll_ms / 1000
        self._claimed = self._poller.believed(self._said, _MANIFESTATION)
        return report

    def _wait(self) -> None:
        nap = max(self._claimed, self._nap)
        self._poller.wait(nap, self._said, _MANIFESTATION)
        self._slept += nap
        self._nap = min(2 * self._nap, LONGEST_BACK_OFF)

    def _check_patience(self, report: StatusReport | None, waited: float) -> None:
        limit = max(MANIFEST_PATIENCE, CLAIMS * self._claimed)
        if waited <= limit:
            return
        seen = "answers GETSTATUS with nothing" if report is None else f"stays in {state_name(report.state)}"
        raise DeviceError(
            f"the end of the image: the bootloader {seen} for longer than {limit:.0f} s",
            hint="reset the board and look whether its application starts; if not, flash again",
        )
