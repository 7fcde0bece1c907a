"""A DfuSe bootloader by the book, through pyusb: early polls, leaves, wedges and errors at power-on."""

import contextlib
import errno
from dataclasses import dataclass, field, replace

import pytest
import usb.core
import usb.util

from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import BoardSpec, Content, Model, Start
from flashdeckd.virtual.virtual_bench import VirtualBench

OUT, IN = 0x21, 0xA1
DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = range(7)
IDLE, SYNC, BUSY, DNLOAD_IDLE, MANIFEST, ERROR = 2, 3, 4, 5, 7, 10
APP = 0x08020000
BANK_2 = 0x08080000
SET_ADDRESS, ERASE = 0x21, 0x41


@dataclass
class Bench:
    """One board in DFU mode, a clock that stands still, and a host that waits only when it is told to."""

    model: Model
    changes: dict[str, object] = field(default_factory=dict[str, object])
    now: float = 0.0

    def __post_init__(self) -> None:
        spec = BoardSpec(name="one", model=self.model, start=Start.DFU, clock=lambda: self.now)
        self.bench = VirtualBench([replace(spec, **self.changes)])
        self.device = self.found()

    def found(self) -> usb.core.Device:
        (device,) = usb.core.find(find_all=True, backend=self.bench.backend)
        return device

    def send(self, request: int, value: int = 0, data: bytes = b"") -> None:
        self.device.ctrl_transfer(OUT, request, value, 0, data)

    def ask(self, request: int, length: int, value: int = 0) -> bytes:
        return self.device.ctrl_transfer(IN, request, value, 0, length).tobytes()

    def status(self) -> tuple[int, int, int]:
        """Status, claimed milliseconds and state."""
        answer = self.ask(GETSTATUS, 6)
        return answer[0], int.from_bytes(answer[1:4], "little"), answer[4]

    def refused(self, request: int, length: int = 0) -> bool:
        with pytest.raises(usb.core.USBError) as caught:
            self.ask(request, length) if length else self.send(request)
        return caught.value.errno == errno.EPIPE

    def finish(self) -> tuple[int, int]:
        """Obeys every claim; status and state when it is over."""
        for _ in range(10):
            status, poll, state = self.status()
            if state != BUSY:
                return status, state
            self.now += poll / 1000
        raise AssertionError("busy for ever")

    def command(self, opcode: int, address: int) -> tuple[int, int]:
        self.send(DNLOAD, 0, bytes([opcode]) + address.to_bytes(4, "little"))
        return self.finish()

    @property
    def violations(self) -> tuple[str, ...]:
        return self.bench.list()[0].violations


@pytest.mark.parametrize("model", [Model.STRICT, Model.STRICT_ERASE, Model.STRICT_WRITE])
def test_a_host_that_waits_as_claimed_is_never_refused(model: Model) -> None:
    bench = Bench(model)
    block = fill(1024, 1)
    assert bench.command(ERASE, BANK_2) == (0, DNLOAD_IDLE)
    assert bench.command(SET_ADDRESS, BANK_2) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD, 2, block)
    assert bench.finish() == (0, DNLOAD_IDLE)
    bench.send(ABORT)
    assert bench.ask(UPLOAD, 1024, 2) == block
    assert bench.violations == ()


@pytest.mark.parametrize(
    ("model", "during_erase", "during_write"),
    [(Model.STRICT, True, True), (Model.STRICT_ERASE, True, False), (Model.STRICT_WRITE, False, True)],
)
def test_an_early_request_leads_to_an_error_where_the_model_says_so(
    model: Model, during_erase: bool, during_write: bool
) -> None:
    for erase, objects in ((True, during_erase), (False, during_write)):
        bench = Bench(model)
        bench.send(DNLOAD, 0 if erase else 2, bytes.fromhex("4100000808") if erase else fill(1024, 1))
        _, poll, state = bench.status()
        assert state == BUSY
        bench.now += poll / 1000 - 0.001
        if not objects:
            assert bench.status()[2] == BUSY
            assert bench.violations == ()
            continue
        assert bench.refused(GETSTATUS, 6)
        assert bench.status() == (15, 0, ERROR)
        assert len(bench.violations) == 1
        bench.send(CLRSTATUS)
        assert bench.command(ERASE, APP) == (0, DNLOAD_IDLE), "what was under way is over before the next begins"
        assert bench.bench.dump("one", APP, 1024).data == b"\xff" * 1024


def test_flash_work_outlives_the_error_that_an_early_poll_caused() -> None:
    bench = Bench(Model.STRICT, {"contents": (Content(BANK_2, fill(8192, 1)),)})
    bench.send(DNLOAD, 0, bytes.fromhex("4100000808"))
    assert bench.status()[2] == BUSY
    assert bench.refused(GETSTATUS, 6)
    bench.send(CLRSTATUS)
    assert bench.command(SET_ADDRESS, APP) == (0, DNLOAD_IDLE)
    assert bench.bench.dump("one", BANK_2, 8192).data == b"\xff" * 8192


def test_a_failed_operation_is_told_with_its_status() -> None:
    bench = Bench(Model.STRICT, {"layout": FlashLayout(bad=frozenset({64}))})
    assert bench.command(ERASE, BANK_2) == (4, ERROR)
    bench.send(CLRSTATUS)
    assert bench.command(ERASE, 0x20000000) == (1, ERROR), "outside the flash"
    bench.send(CLRSTATUS)
    assert bench.command(SET_ADDRESS, BANK_2) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD, 2, fill(16, 1))
    assert bench.finish() == (6, ERROR)
    bench.send(CLRSTATUS)
    assert bench.command(0x92, 0) == (15, ERROR), "no such command"


@pytest.mark.parametrize("request_", [CLRSTATUS, DETACH, 9])
def test_what_does_not_belong_into_a_state_leads_to_an_error(request_: int) -> None:
    bench = Bench(Model.STRICT)
    assert bench.refused(request_)
    assert bench.ask(GETSTATE, 1) == bytes([ERROR])
    assert bench.refused(ABORT)
    with contextlib.suppress(usb.core.USBError):
        bench.send(DNLOAD, 2, bytes(16))
    assert bench.bench.list()[0].words == 0
    bench.send(CLRSTATUS)
    assert bench.ask(GETSTATE, 1) == bytes([IDLE])


def test_the_wedge_holds_after_an_erase_in_bank_2_until_it_is_cleared_twice() -> None:
    bench = Bench(Model.H7_WEDGE, {"contents": (Content(BANK_2, fill(8192, 1)),)})
    assert bench.command(ERASE, APP) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD, 0, bytes.fromhex("4100000808"))
    for _ in range(20):
        assert bench.status()[2] == BUSY
        bench.now += 1
    assert bench.violations == ()
    assert bench.refused(ABORT)
    bench.send(CLRSTATUS)
    assert bench.ask(GETSTATE, 1) == bytes([IDLE])
    assert bench.bench.dump("one", BANK_2, 8192).data == b"\xff" * 8192, "the erase itself was done"
    assert bench.command(SET_ADDRESS, BANK_2) == (0, DNLOAD_IDLE)


def bootable(address: int) -> bytes:
    return (0x20030000).to_bytes(4, "little") + (address + 0x201).to_bytes(4, "little")


def test_a_rom_bootloader_jumps_to_the_address_pointer() -> None:
    bench = Bench(Model.ROM, {"contents": (Content(BANK_2, bootable(BANK_2)),)})
    assert bench.status() == (10, 0, ERROR), "FIRMWARE, from power-on"
    bench.send(CLRSTATUS)
    assert bench.command(SET_ADDRESS, BANK_2) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD)
    assert bench.status()[2] == MANIFEST
    assert bench.bench.list()[0].mode == "app"
    assert bench.found().idProduct == 0x5740


def test_a_jump_to_what_is_no_application_ends_in_nothing() -> None:
    bench = Bench(Model.ROM, {"contents": (Content(APP, bootable(APP)),)})
    bench.send(CLRSTATUS)
    assert bench.command(SET_ADDRESS, BANK_2) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD)
    assert bench.status()[2] == MANIFEST
    assert list(usb.core.find(find_all=True, backend=bench.bench.backend)) == []


def test_a_rom_bootloader_takes_2_kib_blocks_and_shows_its_memories() -> None:
    bench = Bench(Model.ROM)
    bench.send(CLRSTATUS)
    block = fill(2048, 7)
    assert bench.command(ERASE, APP) == (0, DNLOAD_IDLE)
    assert bench.command(SET_ADDRESS, APP) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD, 3, block)
    assert bench.finish() == (0, DNLOAD_IDLE)
    assert bench.bench.dump("one", APP + 2048, 2048).data == block
    (configuration,) = bench.device
    names = [usb.util.get_string(bench.device, setting.iInterface) or "" for setting in configuration]
    assert [name.split("/")[0].strip() for name in names] == [
        "@Internal Flash",
        "@Option Bytes",
        "@OTP Memory",
        "@Device Feature",
    ]
    assert bench.violations == ()


def test_other_memories_of_a_rom_bootloader_are_not_the_flash() -> None:
    bench = Bench(Model.ROM)
    bench.send(CLRSTATUS)
    bench.device.ctrl_transfer(0x01, 11, 1, 0)
    assert bench.command(ERASE, APP) == (1, ERROR)
    assert bench.bench.list()[0].erases == 0


def test_a_busy_rom_bootloader_may_stall_without_harm() -> None:
    bench = Bench(Model.ROM_STALLS)
    bench.send(CLRSTATUS)
    bench.send(DNLOAD, 0, bytes.fromhex("4100000808"))
    assert bench.status()[2] == BUSY
    for _ in range(3):
        assert bench.refused(GETSTATUS, 6)
    assert bench.status() == (0, 0, DNLOAD_IDLE)
    assert bench.violations == ()


def test_a_protected_rom_says_yes_stores_nothing_and_refuses_to_be_read() -> None:
    old = bootable(APP) + fill(8184, 1)
    bench = Bench(Model.ROM_RDP1_SILENT, {"contents": (Content(APP, old),)})
    assert bench.status() == (10, 0, ERROR), "FIRMWARE, from power-on"
    bench.send(CLRSTATUS)
    bench.send(DNLOAD, 0, bytes([ERASE]) + APP.to_bytes(4, "little"))
    assert bench.status() == (0, 50, BUSY), "it even takes its time"
    assert bench.finish() == (0, DNLOAD_IDLE)
    assert bench.command(SET_ADDRESS, APP) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD, 2, fill(2048, 7))
    assert bench.finish() == (0, DNLOAD_IDLE)
    assert bench.bench.dump("one", APP, 8192).data == old
    assert (bench.bench.list()[0].erases, bench.bench.list()[0].words) == (0, 0)
    bench.send(ABORT)
    assert bench.ask(UPLOAD, 16, 0) == bytes([0x00, SET_ADDRESS, ERASE]), "its commands are no secret"
    with pytest.raises(usb.core.USBError):
        bench.ask(UPLOAD, 2048, 2)
    assert bench.status() == (11, 0, ERROR)
    bench.send(CLRSTATUS)
    assert bench.command(SET_ADDRESS, APP) == (0, DNLOAD_IDLE)
    bench.send(DNLOAD)
    assert bench.status()[2] == MANIFEST
    assert bench.bench.list()[0].mode == "app", "the old one"


def test_a_leave_without_an_answer() -> None:
    gone = Bench(Model.GD32, {"contents": (Content(APP, bootable(APP)),)})
    with pytest.raises(usb.core.USBError) as caught:
        gone.send(DNLOAD)
    assert caught.value.errno == errno.ENODEV
    assert gone.bench.list()[0].mode == "app"
    still = Bench(Model.GD32_SILENT, {"contents": (Content(APP, bootable(APP)),)})
    with pytest.raises(usb.core.USBTimeoutError):
        still.send(DNLOAD)
    assert still.bench.list()[0].mode == "dfu"
    assert still.ask(GETSTATE, 1) == bytes([IDLE])
    assert gone.violations == still.violations == ()
