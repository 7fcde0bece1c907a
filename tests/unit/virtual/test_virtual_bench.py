"""Emulated boards through the real pyusb: what a host sees, and what the hands on the bench do."""

import contextlib
import errno
import struct
import threading
from dataclasses import replace

import pytest
import usb.core
import usb.util

from flashdeck.api import VirtualBoardState
from flashdeck.config import UsbId
from flashdeck.errors import ConfigError, ErrorKind, FlashdeckError, RequestError
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import HONEST_MAP, BoardSpec, Content, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

APP = 0x08020000
GOOD_VECTORS = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little") + bytes(8)
OUT, IN = 0x21, 0xA1
DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = range(7)
IDLE, SYNC, BUSY, DNLOAD_IDLE, ERROR, ILLEGAL = 2, 3, 4, 5, 10, 15
BOTH = pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX])


def bench_of(spec: BoardSpec) -> VirtualBench:
    return VirtualBench([spec])


def only(bench: VirtualBench) -> usb.core.Device:
    found = list(usb.core.find(find_all=True, backend=bench.backend))
    assert len(found) == 1
    return found[0]


class Host:
    """The least that talks DfuSe."""

    def __init__(self, device: usb.core.Device, interface: int = 0) -> None:
        self.device = device
        self.interface = interface

    def send(self, request: int, value: int = 0, data: bytes = b"") -> None:
        self.device.ctrl_transfer(OUT, request, value, self.interface, data)

    def ask(self, request: int, length: int, value: int = 0) -> bytes:
        return self.device.ctrl_transfer(IN, request, value, self.interface, length).tobytes()

    def state(self) -> int:
        return self.ask(GETSTATE, 1)[0]

    def finish(self) -> int:
        """GETSTATUS until the device is not busy; the state then."""
        for _ in range(10):
            try:
                state = self.ask(GETSTATUS, 6)[4]
            except usb.core.USBError as error:
                if error.errno != errno.EPIPE:
                    raise
                continue
            if state != BUSY:
                return state
        raise AssertionError("busy for ever")

    def command(self, opcode: int, address: int) -> int:
        self.send(DNLOAD, 0, bytes([opcode]) + address.to_bytes(4, "little"))
        return self.finish()

    def write(self, address: int, data: bytes) -> int:
        state = self.command(0x21, address)
        for block in range(0, len(data), 1024):
            self.send(DNLOAD, 2 + block // 1024, data[block : block + 1024])
            state = self.finish()
        return state

    def read(self, address: int, size: int) -> bytes:
        self.command(0x21, address)
        self.send(ABORT)
        return self.ask(UPLOAD, size, 2)


def contents(bench: VirtualBench, address: int, size: int) -> bytes:
    return bench.dump(bench.list()[0].name, address, size).data


PLAIN = {
    Model.TINYUSB: (0x0101, "app1"),
    Model.TINYUSB_ASYNC: (0x0101, "app1"),
    Model.DAPBOOT: (0x0110, "DAPBoot DFU"),
    Model.ZEPHYR: (0x0110, "slot0_image"),
}
"""bcdDFUVersion, and the name of the first alternate setting."""
SIZES = {Model.ROM: 2048, Model.ROM_STALLS: 2048, Model.ROM_RDP1_SILENT: 2048, Model.ZEPHYR: 512}
"""wTransferSize, where it is not 1024."""


@pytest.mark.parametrize("model", [*Model])
def test_descriptors_and_strings(model: Model) -> None:
    bench = bench_of(BoardSpec(name="one", model=model, serial="S1", product="P", bcd_device=0x0123, port=4))
    device = only(bench)
    assert (device.idVendor, device.idProduct, device.bcdDevice) == (0x0483, 0xDF11, 0x0123)
    assert (device.serial_number, device.product, device.langids) == ("S1", "P", (0x0409,))
    assert (device.bus, device.port_numbers) == (1, (4,))
    interface, *others = device.get_active_configuration()
    assert (interface.bInterfaceClass, interface.bInterfaceSubClass, interface.bInterfaceProtocol) == (0xFE, 1, 2)
    last = others[-1] if others else interface
    size = SIZES.get(model, 1024)
    begins = "09210f0000" if model is Model.ZEPHYR else "09210bff00"
    version, name = PLAIN.get(model, (0x011A, HONEST_MAP))
    assert bytes(last.extra_descriptors) == bytes.fromhex(begins) + struct.pack("<HH", size, version)
    assert usb.util.get_string(device, interface.iInterface) == name
    assert bench.list()[0].requests == 0
    assert bench.list()[0].transfers > 0


@BOTH
def test_erase_write_read_round_trip(model: Model) -> None:
    bench = bench_of(BoardSpec(name="one", model=model, contents=(Content(0x08000000, fill(1 << 20, 3)),)))
    before = fill(1 << 20, 3)
    host = Host(only(bench))
    image = fill(2048, 9)
    assert host.command(0x41, 0x08080000) == DNLOAD_IDLE
    assert host.write(0x08080000, image) == DNLOAD_IDLE
    assert host.read(0x08080000, 1024) == image[:1024]
    start = 0x80000
    expected = before[:start] + image + b"\xff" * (8192 - 2048) + before[start + 8192 :]
    assert b"".join(contents(bench, 0x08000000 + at, 1 << 18) for at in range(0, 1 << 20, 1 << 18)) == expected
    state = bench.list()[0]
    assert (state.erases, state.words, state.violations) == (1, 128, ())


def test_no_read_fails_with_the_illegal_state() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.CLASSIC_NOREAD))
    host = Host(only(bench))
    with pytest.raises(usb.core.USBError) as caught:
        host.read(APP, 64)
    assert (caught.value.errno, caught.value.backend_error_code) == (errno.EPIPE, -9)
    assert host.state() == ILLEGAL
    assert bench.list()[0].violations == ()


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.USBX_DEFAULT, Model.GD32, Model.TINYUSB])
def test_only_st_s_classic_class_answers_a_read_that_its_attributes_rule_out(model: Model) -> None:
    host = Host(only(bench_of(BoardSpec(name="one", model=model, timing=Timing.NONE, attributes=0x09))))
    if model is not Model.TINYUSB:
        host.command(0x21, APP)
        host.send(ABORT)
    if model is Model.CLASSIC:
        assert len(host.ask(UPLOAD, 64, 2)) == 64
        return
    with pytest.raises(usb.core.USBError) as caught:
        host.ask(UPLOAD, 64, 2)
    assert caught.value.errno == errno.EPIPE


@pytest.mark.parametrize("model", [Model.STRICT, Model.TINYUSB])
def test_a_download_that_the_attributes_rule_out_is_refused(model: Model) -> None:
    host = Host(only(bench_of(BoardSpec(name="one", model=model, timing=Timing.NONE, attributes=0x0A))))
    with pytest.raises(usb.core.USBError) as caught:
        host.send(DNLOAD, 0, bytes(5))
    assert caught.value.errno == errno.EPIPE


def test_the_usbx_bank_bug_erases_the_bootloader() -> None:
    spec = BoardSpec(name="one", model=Model.USBX, bank_bug=True, contents=(Content(0x08000000, bytes(8192)),))
    bench = bench_of(spec)
    assert Host(only(bench)).command(0x41, 0x08080000) == DNLOAD_IDLE
    assert contents(bench, 0x08000000, 8192) == b"\xff" * 8192


def test_usbx_is_busy_by_stall() -> None:
    host = Host(only(bench_of(BoardSpec(name="one", model=Model.USBX))))
    host.send(DNLOAD, 0, b"\x41" + APP.to_bytes(4, "little"))
    status = host.ask(GETSTATUS, 6)
    assert (status[4], int.from_bytes(status[1:4], "little")) == (BUSY, 244)
    with pytest.raises(usb.core.USBError):
        host.state()
    assert host.finish() == DNLOAD_IDLE


def leave(host: Host, model: Model) -> None:
    """The zero-length DNLOAD, and the GETSTATUS that the classic class needs; either may end in an error."""
    if model is not Model.USBX:
        host.send(DNLOAD)
    with pytest.raises(usb.core.USBError) as caught:
        host.send(DNLOAD) if model is Model.USBX else host.ask(GETSTATUS, 6)
    assert caught.value.errno == errno.ENODEV


@BOTH
def test_leave_starts_a_good_application_and_detach_leads_back(model: Model) -> None:
    bench = bench_of(BoardSpec(name="one", model=model, serial="S1", runtime=True, start=Start.DFU))
    old = only(bench)
    host = Host(old)
    host.write(APP, GOOD_VECTORS)
    leave(host, model)
    assert bench.list()[0].mode == "app"
    app = only(bench)
    assert (app.idProduct, app.serial_number) == (0x5740, "S1")
    assert app.address != old.address
    runtime = next(item for item in app.get_active_configuration() if item.bInterfaceClass == 0xFE)
    assert runtime.bInterfaceProtocol == 1
    assert runtime.extra_descriptors[2] & 0x08
    Host(app, runtime.bInterfaceNumber).send(DETACH, 1000)
    again = only(bench)
    assert again.idProduct == 0xDF11
    assert again.address not in {app.address, old.address}
    with pytest.raises(usb.core.USBError) as caught:
        app.ctrl_transfer(IN, GETSTATE, 0, runtime.bInterfaceNumber, 1)
    assert caught.value.errno == errno.ENODEV
    assert contents(bench, APP, 16) == GOOD_VECTORS


@pytest.mark.parametrize(
    "vectors",
    [
        b"\xff" * 16,
        (0x200A0000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little"),
        (0x20030000).to_bytes(4, "little") + (0x08020200).to_bytes(4, "little"),
        (0x20030000).to_bytes(4, "little") + (0x09020201).to_bytes(4, "little"),
    ],
    ids=["blank", "stack-too-high", "even-reset", "reset-outside"],
)
def test_a_board_that_fails_its_boot_check_stays_in_dfu(vectors: bytes) -> None:
    bench = bench_of(BoardSpec(name="one", contents=(Content(APP, vectors),)))
    old = only(bench)
    leave(Host(old), Model.CLASSIC)
    assert bench.list()[0].mode == "dfu"
    assert only(bench).address != old.address


def test_the_answer_to_the_leave_may_arrive() -> None:
    bench = bench_of(BoardSpec(name="one", leave_answers=True))
    old = only(bench)
    host = Host(old)
    host.send(DNLOAD)
    assert host.ask(GETSTATUS, 6)[4] == 7
    assert only(bench).address != old.address


def test_an_application_without_usb_vanishes_until_pressed() -> None:
    bench = bench_of(BoardSpec(name="one", app=None, contents=(Content(APP, GOOD_VECTORS),)))
    assert usb.core.find(backend=bench.backend) is None
    assert bench.list()[0].mode == "app"
    assert bench.press("one").mode == "dfu"
    assert only(bench).idProduct == 0xDF11


def test_press_and_plug_and_unplug() -> None:
    bench = bench_of(BoardSpec(name="one", plugged=False))
    assert usb.core.find(backend=bench.backend) is None
    with pytest.raises(RequestError) as caught:
        bench.press("one")
    assert caught.value.kind is ErrorKind.ABSENT
    assert (bench.plug("one").plugged, bench.plug("one").mode) == (True, "dfu")
    device = only(bench)
    assert not bench.unplug("one").plugged
    for _ in range(2):
        with pytest.raises(usb.core.USBError) as gone:
            device.ctrl_transfer(IN, GETSTATE, 0, 0, 1)
        assert (gone.value.errno, gone.value.backend_error_code) == (errno.ENODEV, -4)
        usb.util.dispose_resources(device)


def test_start_dfu_stays_in_the_bootloader_at_every_plug() -> None:
    bench = bench_of(BoardSpec(name="one", start=Start.DFU, contents=(Content(APP, GOOD_VECTORS),)))
    addresses = {only(bench).address}
    for _ in range(5):
        bench.unplug("one")
        assert bench.plug("one").mode == "dfu"
        addresses.add(only(bench).address)
    assert len(addresses) == 6


def test_a_second_handle_finds_the_interface_busy() -> None:
    bench = bench_of(BoardSpec(name="one"))
    first, second = only(bench), only(bench)
    usb.util.claim_interface(first, 0)
    with pytest.raises(usb.core.USBError) as caught:
        usb.util.claim_interface(second, 0)
    assert caught.value.errno == errno.EBUSY
    usb.util.dispose_resources(first)
    usb.util.claim_interface(second, 0)


@BOTH
def test_a_bus_reset_gets_any_class_out_of_a_stuck_command(model: Model) -> None:
    bench = bench_of(BoardSpec(name="one", model=model))
    device = only(bench)
    host = Host(device)
    host.send(DNLOAD, 0, bytes.fromhex("ff00000208"))
    assert host.ask(GETSTATUS, 6)[4] == BUSY
    device.reset()
    assert host.state() == IDLE
    assert only(bench).address == device.address


# Faults.


def test_a_stall_and_a_timeout_strike_once_at_the_named_request() -> None:
    bench = bench_of(BoardSpec(name="one"))
    host = Host(only(bench))
    bench.fault("one", "stall", 2)
    bench.fault("one", "timeout", 3)
    assert host.state() == IDLE
    with pytest.raises(usb.core.USBError) as stall:
        host.state()
    assert stall.value.errno == errno.EPIPE
    with pytest.raises(usb.core.USBTimeoutError) as timeout:
        host.state()
    assert (timeout.value.errno, timeout.value.backend_error_code) == (errno.ETIMEDOUT, -7)
    assert host.state() == IDLE
    assert bench.list()[0].requests == 4


def test_the_cable_pulled_in_the_middle_of_a_write_leaves_half() -> None:
    bench = bench_of(BoardSpec(name="one"))
    host = Host(only(bench))
    host.command(0x21, APP)
    host.send(DNLOAD, 2, bytes(1024))
    bench.fault("one", "unplug")
    with pytest.raises(usb.core.USBError) as caught:
        host.finish()
    assert caught.value.errno == errno.ENODEV
    assert contents(bench, APP, 1024) == bytes(512) + b"\xff" * 512
    assert bench.list()[0].mode == "unplugged"


@pytest.mark.parametrize(("fault", "state"), [("error-erase", ERROR), ("error-write", ERROR)])
def test_failing_media_on_the_classic_class(fault: str, state: int) -> None:
    bench = bench_of(BoardSpec(name="one"))
    host = Host(only(bench))
    bench.fault("one", fault)
    assert host.command(0x21, APP) == DNLOAD_IDLE
    reached = host.command(0x41, APP) if fault == "error-erase" else host.write(APP, bytes(16))
    assert reached == state
    assert host.ask(GETSTATUS, 6)[0] == 11
    host.send(CLRSTATUS)
    assert host.command(0x41, APP) == DNLOAD_IDLE
    assert host.write(APP, bytes(16)) == DNLOAD_IDLE
    assert bench.list()[0].violations == ()


def test_a_write_error_is_lost_on_usbx() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.USBX))
    host = Host(only(bench))
    bench.fault("one", "error-write")
    assert host.write(APP, bytes(16)) == DNLOAD_IDLE
    assert contents(bench, APP, 16) == b"\xff" * 16


@BOTH
def test_a_corrupted_write_is_reported_as_good(model: Model) -> None:
    bench = bench_of(BoardSpec(name="one", model=model))
    host = Host(only(bench))
    bench.fault("one", "corrupt")
    assert host.write(APP, bytes(2048)) == DNLOAD_IDLE
    written = contents(bench, APP, 2048)
    assert sum(byte != 0 for byte in written[:1024]) == 1
    assert written[1024:] == bytes(1024)


def erase_and_write(host: Host, data: bytes) -> None:
    host.command(0x41, APP)
    host.write(APP, data)


def test_power_can_fail_at_any_step() -> None:
    for step in range(6):
        bench = bench_of(BoardSpec(name="one", start=Start.DFU, contents=(Content(APP, bytes(8192)),)))
        host = Host(only(bench))
        bench.cut_power("one", step)
        with pytest.raises(usb.core.USBError) as caught:
            erase_and_write(host, b"\x11" * 128)
        assert caught.value.errno == errno.ENODEV
        left = contents(bench, APP, 8192)
        if step == 0:
            assert left not in {bytes(8192), b"\xff" * 8192}
        else:
            assert left == b"\x11" * 16 * (step - 1) + b"\xff" * (8192 - 16 * (step - 1))
        assert bench.plug("one").mode == "dfu"


# What a host should not do is noted.


@pytest.mark.parametrize(
    ("request_", "value", "data", "noted"),
    [
        (DNLOAD, 1, bytes(16), "reserved block 1"),
        (DNLOAD, 0, b"\x41", "mass erase"),
        (DNLOAD, 0, b"\x92", "Read Unprotect"),
        (DNLOAD, 0, bytes.fromhex("7700000208"), "command 7700000208"),
        (DNLOAD, 2, bytes(1025), "more than wTransferSize"),
        (CLRSTATUS, 0, b"", "CLRSTATUS"),
    ],
)
@BOTH
def test_violations_are_noted(model: Model, request_: int, value: int, data: bytes, noted: str) -> None:
    bench = bench_of(BoardSpec(name="one", model=model))
    with contextlib.suppress(usb.core.USBError):  # some classes refuse it, some pretend
        Host(only(bench)).send(request_, value, data)
    (violation,) = bench.list()[0].violations
    assert noted in violation


def test_a_request_that_the_state_refuses_is_noted() -> None:
    bench = bench_of(BoardSpec(name="one"))
    host = Host(only(bench))
    host.command(0x21, APP)
    with pytest.raises(usb.core.USBError):
        host.ask(UPLOAD, 64, 2)
    (violation,) = bench.list()[0].violations
    assert "UPLOAD" in violation
    assert "DNLOAD_IDLE" in violation


def test_hostile_strings_come_out_raw() -> None:
    product, serial = "evil \x1b[2J[/] \x00 board", "A\x1b]0;x\x07B"
    device = only(bench_of(BoardSpec(name="one", product=product, serial=serial)))
    assert (device.product, device.serial_number) == (product, serial)


# Real time. Lower bounds only: they are what the emulation promises.


def real(**changes: float) -> VirtualBench:
    spec = BoardSpec(name="one", timing=Timing.REAL, attach_time=0, start=Start.DFU)
    return bench_of(replace(spec, **changes))


def test_a_device_that_blocks_for_longer_than_the_timeout_is_given_up() -> None:
    device = only(real(attributes=0x03))
    device.default_timeout = 20
    with pytest.raises(usb.core.USBTimeoutError):
        Host(device).send(DETACH, 1500)


def test_an_operation_that_takes_longer_than_the_timeout_goes_on() -> None:
    bench = real(erase_time=0.15)
    device = only(bench)
    host = Host(device)
    host.send(DNLOAD, 0, b"\x41" + APP.to_bytes(4, "little"))
    device.default_timeout = 20
    with pytest.raises(usb.core.USBTimeoutError):
        host.ask(GETSTATUS, 6)
    device.default_timeout = 10_000
    assert host.finish() == DNLOAD_IDLE
    assert bench.list()[0].erases == 1


@BOTH
def test_the_cable_can_be_pulled_during_a_long_erase(model: Model) -> None:
    bench = bench_of(
        BoardSpec(
            name="one",
            model=model,
            timing=Timing.REAL,
            attach_time=0,
            erase_time=50,
            contents=(Content(APP, bytes(8192)),),
            start=Start.DFU,
        )
    )
    device = only(bench)
    device.default_timeout = 60_000
    host = Host(device)
    outcome: list[int | None] = []
    asked = threading.Event()

    def erase() -> None:
        host.send(DNLOAD, 0, b"\x41" + APP.to_bytes(4, "little"))
        asked.set()
        try:
            while True:
                try:
                    host.ask(GETSTATUS, 6)
                except usb.core.USBError as error:
                    if error.errno != errno.EPIPE:
                        raise
        except usb.core.USBError as error:
            outcome.append(error.errno)

    thread = threading.Thread(target=erase)
    thread.start()
    assert asked.wait(30)
    while bench.list()[0].requests < 2:
        threading.Event().wait(0.001)
    bench.unplug("one")
    thread.join(30)
    assert outcome == [errno.ENODEV]
    assert contents(bench, APP, 8192) not in {bytes(8192), b"\xff" * 8192}


def test_real_boards_take_their_time_to_enumerate() -> None:
    bench = bench_of(BoardSpec(name="one", timing=Timing.REAL, attach_time=60))
    assert bench.list()[0].mode == "dfu"
    assert usb.core.find(backend=bench.backend) is None


def costs_of_an_erase(**changes: object) -> VirtualBoardState:
    """What a board has counted once an erase was sent, and waited for."""
    spec = BoardSpec(name="one", attach_time=0, start=Start.DFU, contents=(Content(APP, bytes(8192)),))
    bench = bench_of(replace(spec, **changes))
    host = Host(only(bench))
    host.send(DNLOAD, 0, b"\x41" + APP.to_bytes(4, "little"))
    assert host.finish() == DNLOAD_IDLE
    return bench.list()[0]


@pytest.mark.parametrize("timing", [*Timing])
def test_the_time_of_the_model_is_counted_whether_it_passes_or_not(timing: Timing) -> None:
    state = costs_of_an_erase(timing=timing, erase_time=0.002, word_time=0.0)
    assert state.busy_seconds == pytest.approx(0.002)
    assert state.statuses == state.requests - 1
    assert state.bus_seconds > state.transfers * 0.00015
    assert state.bus_seconds < state.transfers * 0.0005


def test_a_slower_board_takes_longer_and_claims_more_but_does_the_same() -> None:
    once, tenfold = costs_of_an_erase(), costs_of_an_erase(slowdown=10.0)
    assert tenfold.busy_seconds == pytest.approx(10 * once.busy_seconds)
    assert tenfold.bus_seconds == pytest.approx(10 * once.bus_seconds)
    assert (tenfold.transfers, tenfold.erases) == (once.transfers, once.erases)
    host = Host(only(bench_of(BoardSpec(name="one", start=Start.DFU, poll_erase=50, slowdown=10.0))))
    host.send(DNLOAD, 0, b"\x41" + APP.to_bytes(4, "little"))
    assert int.from_bytes(host.ask(GETSTATUS, 6)[1:4], "little") == 500


def pauses(shortest_pause: float) -> tuple[int, float]:
    """What a board counts whose host lets a second pass between two requests."""
    now = 0.0
    spec = BoardSpec(name="one", start=Start.DFU, shortest_pause=shortest_pause, slowdown=4.0, clock=lambda: now)
    bench = bench_of(spec)
    host = Host(only(bench))
    host.send(DNLOAD, 0, b"\x21" + APP.to_bytes(4, "little"))
    assert host.finish() == DNLOAD_IDLE
    now += 1.0
    host.state()
    return bench.list()[0].sleeps, bench.list()[0].slept


@pytest.mark.parametrize(("shortest", "counted"), [(0.2, (1, 1.0)), (0.3, (0, 0.0))])
def test_a_pause_counts_from_a_length_on_that_is_slowed_down_with_the_board(
    shortest: float, counted: tuple[int, float]
) -> None:
    assert pauses(shortest) == counted


# The bench itself.


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    bench = bench_of(BoardSpec(name="left"))
    with pytest.raises(FlashdeckError) as board:
        bench.plug("lefd")
    assert (board.value.kind, board.value.hint) == (ErrorKind.NO_SUCH_BOARD, "did you mean left?")
    with pytest.raises(RequestError) as fault:
        bench.fault("left", "meteor")
    assert "error-write" in fault.value.hint
    with pytest.raises(RequestError):
        bench.fault("left", "stall", 0)
    with pytest.raises(RequestError, match="0 times"):
        bench.fault("left", "stall", times=0)
    with pytest.raises(RequestError, match="no address"):
        bench.fault("left", "stall", address=APP)
    with pytest.raises(RequestError, match="0x20000000 is not in the flash"):
        bench.fault("left", "corrupt", address=0x20000000)
    with pytest.raises(RequestError):
        bench.dump("left", 0x20000000)


def test_two_boards_can_not_share_a_name_or_a_port() -> None:
    one = BoardSpec(name="one", port=1)
    with pytest.raises(ConfigError, match="called one"):
        VirtualBench([one, replace(one, port=2)])
    with pytest.raises(ConfigError, match="port 1"):
        VirtualBench([one, replace(one, name="two")])


def test_boards_are_told_apart_by_serial_and_port() -> None:
    specs = [BoardSpec(name=f"b{n}", port=n, serial=f"S{n}", dfu=UsbId(0x0483, 0xDF11)) for n in (1, 2, 3)]
    bench = VirtualBench(specs)
    found = usb.core.find(find_all=True, backend=bench.backend, idVendor=0x0483)
    assert {(device.port_numbers, device.serial_number) for device in found} == {((n,), f"S{n}") for n in (1, 2, 3)}
    host = Host(next(iter(usb.core.find(find_all=True, backend=bench.backend, port_number=2))))
    host.command(0x41, APP)
    assert [state.requests > 0 for state in bench.list()] == [False, True, False]


def test_release_2_9_0_repeats_a_failed_erase_for_ever() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.CLASSIC_OLD, layout=FlashLayout(bad=frozenset({64}))))
    host = Host(only(bench))
    host.send(DNLOAD, 0, bytes.fromhex("4100000808"))
    assert [host.ask(GETSTATUS, 6)[4] for _ in range(5)] == [BUSY] * 5
    host.send(ABORT)
    assert host.state() == BUSY
    for _ in range(2):
        host.send(CLRSTATUS)
    assert host.state() == IDLE


def test_release_2_9_0_lets_an_erase_move_the_pointer() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.CLASSIC_OLD, contents=(Content(0x08020000, fill(16, 3)),)))
    host = Host(only(bench))
    assert host.command(0x41, 0x08080000) == DNLOAD_IDLE
    host.send(ABORT)
    assert host.ask(UPLOAD, 16, 2) == b"\xff" * 16


def test_release_2_9_0_reads_from_address_0_where_its_media_have_no_read() -> None:
    host = Host(only(bench_of(BoardSpec(name="one", model=Model.CLASSIC_OLD_NOREAD))))
    assert host.read(0x08080000, 1024) == bytes(1024)
    assert host.state() == 9, "it did not notice"


def test_usbx_without_settings_is_silent_in_an_error_until_it_is_cleared() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.USBX_DEFAULT))
    host = Host(only(bench))
    host.send(CLRSTATUS)
    for request, length in ((GETSTATE, 1), (GETSTATUS, 6), (UPLOAD, 16)):
        with pytest.raises(usb.core.USBError) as caught:
            host.ask(request, length)
        assert caught.value.errno == errno.EPIPE
    assert len(bench.list()[0].violations) == 4
    host.send(CLRSTATUS)
    assert host.state() == IDLE


def test_usbx_without_settings_answers_the_status_that_makes_it_leave() -> None:
    bench = bench_of(
        BoardSpec(name="one", model=Model.USBX_DEFAULT, contents=(Content(APP, GOOD_VECTORS),), start=Start.DFU)
    )
    host = Host(only(bench))
    assert host.command(0x21, APP) == DNLOAD_IDLE
    host.send(DNLOAD)
    assert host.ask(GETSTATUS, 6)[4] == 8
    assert bench.list()[0].mode == "app"
    assert bench.list()[0].violations == ()


def test_stale_reads_answer_what_was_there_until_the_board_is_reset() -> None:
    old, new = fill(1024, 3), fill(1024, 4)
    bench = bench_of(
        BoardSpec(name="one", model=Model.CLASSIC_STALE, start=Start.DFU, contents=(Content(0x08080000, old),))
    )
    host = Host(only(bench))
    assert host.read(0x08080000, 1024) == old
    host.send(ABORT)
    assert host.command(0x41, 0x08080000) == DNLOAD_IDLE
    assert host.write(0x08080000, new) == DNLOAD_IDLE
    host.send(ABORT)
    assert host.read(0x08080010, 100) == old[16:116]
    host.send(ABORT)
    assert host.read(0x08080400, 64) == b"\xff" * 64, "never read before, so never stale"
    assert contents(bench, 0x08080000, 1024) == new
    bench.press("one")
    assert Host(only(bench)).read(0x08080000, 1024) == new


def test_reads_that_are_stale_after_an_erase_only_answer_what_was_written() -> None:
    old, new = fill(1024, 3), fill(1024, 4)
    model = Model.CLASSIC_STALE_ERASE
    bench = bench_of(BoardSpec(name="one", model=model, start=Start.DFU, contents=(Content(0x08080000, old),)))
    host = Host(only(bench))
    assert host.read(0x08080000, 1024) == old
    host.send(ABORT)
    assert host.command(0x41, 0x08080000) == DNLOAD_IDLE
    host.send(ABORT)
    assert host.read(0x08080000, 1024) == old
    assert contents(bench, 0x08080000, 1024) == b"\xff" * 1024
    host.send(ABORT)
    assert host.write(0x08080000, new) == DNLOAD_IDLE
    host.send(ABORT)
    assert host.read(0x08080000, 1024) == new


def test_echoing_reads_answer_the_last_block() -> None:
    bench = bench_of(BoardSpec(name="one", model=Model.CLASSIC_ECHO))
    host = Host(only(bench))
    block = fill(1024, 5)
    assert host.write(0x08080000, block) == DNLOAD_IDLE
    host.send(ABORT)
    assert host.ask(UPLOAD, 1024, 2) == block
    assert host.ask(UPLOAD, 1024, 40) == block, "whatever the address"


def test_constant_reads_answer_one_byte() -> None:
    host = Host(only(bench_of(BoardSpec(name="one", model=Model.CLASSIC_CONSTANT, read_constant=0xFF))))
    assert host.write(0x08080000, fill(1024, 5)) == DNLOAD_IDLE
    assert host.read(0x08080000, 1000) == b"\xff" * 1000
