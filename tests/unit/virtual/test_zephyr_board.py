"""Zephyr's DFU class through pyusb: what its published source says that it does.

zephyrproject-rtos/zephyr: subsys/usb/device_next/class/usbd_dfu.c (the states, what is refused, what GETSTATUS says)
and usbd_dfu_flash.c (block numbers, uploads) over subsys/dfu/img_util/flash_img.c and
subsys/storage/stream/stream_flash.c (the buffer, erasing on the way, the last page).
"""

import errno
from dataclasses import replace

import pytest
import usb.core

from flash_rig import APP1, PARTITION2, Rig, image
from flashdeck.geometry import Range
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.virtual.control import Attribute
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.spec import BoardSpec, Content, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench

OUT, IN = 0x21, 0xA1
DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT = range(7)
GET_INTERFACE, SET_INTERFACE = 10, 11
IDLE, SYNC, DNLOAD_IDLE, MANIFEST_SYNC, MANIFEST, WAIT_RESET, UPLOAD_IDLE, ERROR = 2, 3, 5, 6, 7, 8, 9, 10
UNKNOWN, STALLED = 14, 15
BLOCK = 512
SIZE = 384 * 1024
LAST_PAGE = Range(APP1.end - 8192, APP1.end)
INTOLERANT = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.WILL_DETACH
GOOD = image(3000)


class Desk:
    """One board in DFU mode."""

    def __init__(self, **changes: object) -> None:
        spec = BoardSpec(name="one", model=Model.ZEPHYR, start=Start.DFU)
        self.bench = VirtualBench([replace(spec, **changes)])
        (self.device,) = usb.core.find(find_all=True, backend=self.bench.backend)

    def send(self, request: int, value: int = 0, data: bytes = b"") -> None:
        self.device.ctrl_transfer(OUT, request, value, 0, data)

    def ask(self, request: int, length: int, value: int = 0) -> bytes:
        return self.device.ctrl_transfer(IN, request, value, 0, length).tobytes()

    def status(self) -> tuple[int, int]:
        """Status and state; every answer claims 100 ms."""
        answer = self.ask(GETSTATUS, 6)
        assert answer[1:4] == bytes((100, 0, 0))
        return answer[0], answer[4]

    def refused(self, request: int, value: int = 0, data: bytes | int = b"") -> bool:
        """Whether a request is STALLed; a number is the length of an IN data stage."""
        with pytest.raises(usb.core.USBError) as caught:
            self.ask(request, data, value) if isinstance(data, int) else self.send(request, value, data)
        return caught.value.errno == errno.EPIPE

    def block(self, number: int, data: bytes) -> None:
        self.send(DNLOAD, number, data)
        assert (self.status(), self.status()) == ((0, SYNC), (0, DNLOAD_IDLE))

    def download(self, data: bytes) -> int:
        """All blocks; the number that the end has."""
        for at in range(0, len(data), BLOCK):
            self.block(at // BLOCK, data[at : at + BLOCK])
        return -(-len(data) // BLOCK)

    def flash(self, span: Range) -> bytes:
        whole = range(span.start, span.end, 1 << 17)
        return b"".join(self.bench.dump("one", at, min(1 << 17, span.end - at)).data for at in whole)

    def cured(self) -> None:
        assert self.status()[1] == ERROR
        self.send(CLRSTATUS)
        assert self.status() == (0, IDLE)


@pytest.mark.parametrize("timing", [*Timing])
def test_status_tells_the_state_before_its_own_transition(timing: Timing) -> None:
    desk = Desk(timing=timing, attach_time=0.0, erase_time=0.001)
    end = desk.download(GOOD)
    assert desk.flash(Range.sized(APP1.start, 2560)) == GOOD[:2560]
    assert desk.flash(Range(APP1.start + 2560, APP1.start + 3000)) == b"\xff" * 440, "what does not fill a buffer waits"
    desk.send(DNLOAD, end)
    assert desk.ask(GETSTATE, 1) == bytes([MANIFEST_SYNC])
    assert [desk.status() for _ in range(3)] == [(0, MANIFEST_SYNC), (0, IDLE), (0, IDLE)]
    assert desk.flash(Range.sized(APP1.start, 3000)) == GOOD
    state = desk.bench.list()[0]
    assert (state.mode, state.violations) == ("dfu", ()), "nobody restarts it"


def test_the_end_with_number_0_writes_nothing_of_what_waits() -> None:
    desk = Desk()
    desk.download(GOOD)
    desk.send(DNLOAD, 0)
    assert [desk.status() for _ in range(2)] == [(0, MANIFEST_SYNC), (0, IDLE)]
    assert desk.flash(Range.sized(APP1.start, 3000)) == GOOD[:2560] + b"\xff" * 440


def test_pages_are_erased_on_the_way_and_the_last_at_the_end() -> None:
    old = fill(SIZE, 3)
    desk = Desk(contents=(Content(APP1.start, old),))
    desk.send(DNLOAD, desk.download(fill(9000, 1)))
    assert desk.flash(Range.sized(APP1.start, 16384)) == fill(9000, 1) + b"\xff" * (16384 - 9000)
    assert desk.flash(Range(APP1.start + 16384, APP1.start + 24576)) == old[16384:24576]
    assert desk.flash(LAST_PAGE) == b"\xff" * 8192, "where MCUboot keeps its trailer"
    assert desk.bench.list()[0].erases == 3


@pytest.mark.parametrize("number", [0, 2, 7])
def test_a_block_out_of_its_turn_is_refused_and_0_begins_anew(number: int) -> None:
    desk = Desk()
    desk.block(0, fill(BLOCK, 1))
    if number:
        assert desk.refused(DNLOAD, number, fill(BLOCK, 2))
        assert desk.status() == (UNKNOWN, ERROR)
        assert desk.flash(Range.sized(APP1.start, 1024)) == fill(BLOCK, 1) + b"\xff" * BLOCK
        return
    desk.block(number, fill(BLOCK, 2))
    assert desk.flash(Range.sized(APP1.start, 1024)) == fill(BLOCK, 2) + b"\xff" * BLOCK


def test_flash_that_refuses_and_an_image_that_is_too_long_are_a_stall_of_that_dnload() -> None:
    for timing in Timing:
        desk = Desk(layout=FlashLayout(bad=frozenset({17})), timing=timing, attach_time=0.0)
        desk.download(fill(8192, 1))
        assert desk.refused(DNLOAD, 16, fill(BLOCK, 2))
        assert desk.status() == (UNKNOWN, ERROR)
        assert desk.bench.list()[0].violations == ()
    desk = Desk()
    desk.download(fill(SIZE, 1))
    assert desk.refused(DNLOAD, SIZE // BLOCK, b"x")
    assert desk.flash(APP1) == fill(SIZE, 1)
    assert desk.flash(Range.sized(APP1.end, 1024)) == b"\xff" * 1024


def test_an_upload_is_numbered_and_stays_where_it_is_after_its_end() -> None:
    old = fill(SIZE, 3)
    desk = Desk(contents=(Content(APP1.start, old),))
    assert desk.ask(UPLOAD, BLOCK) == old[:BLOCK]
    assert desk.ask(UPLOAD, 100, 1) == old[BLOCK : BLOCK + 100]
    assert desk.ask(UPLOAD, BLOCK, 2) == old[612:1124], "it is counted in bytes"
    assert desk.refused(UPLOAD, 2, BLOCK)
    assert desk.status() == (UNKNOWN, ERROR)
    desk.cured()
    got = b"".join(desk.ask(UPLOAD, BLOCK, number) for number in range(SIZE // BLOCK + 1))
    assert got == old
    assert desk.ask(GETSTATE, 1) == bytes([UPLOAD_IDLE])
    assert desk.refused(UPLOAD, SIZE // BLOCK + 1, BLOCK)
    assert desk.status() == (UNKNOWN, ERROR)


WRONG = [
    (IDLE, CLRSTATUS, b""),
    (IDLE, DETACH, b""),
    (IDLE, DNLOAD, b""),
    (IDLE, UPLOAD, 513),
    (IDLE, 7, b""),
    (SYNC, ABORT, b""),
    (SYNC, DNLOAD, b"x"),
    (SYNC, CLRSTATUS, b""),
    (DNLOAD_IDLE, UPLOAD, 16),
    (DNLOAD_IDLE, CLRSTATUS, b""),
    (MANIFEST_SYNC, ABORT, b""),
    (UPLOAD_IDLE, DNLOAD, b"x"),
    (UPLOAD_IDLE, UPLOAD, 513),
]


@pytest.mark.parametrize(("state", "request_", "data"), WRONG)
def test_what_has_no_place_in_a_state_is_stalled_and_leads_to_an_error(
    state: int, request_: int, data: bytes | int
) -> None:
    desk = Desk()
    match state:
        case 3:
            desk.send(DNLOAD, 0, fill(BLOCK, 1))
        case 5 | 6:
            desk.block(0, fill(BLOCK, 1))
            if state == MANIFEST_SYNC:
                desk.send(DNLOAD, 1)
        case 9:
            desk.ask(UPLOAD, BLOCK)
        case _:
            pass
    assert desk.ask(GETSTATE, 1) == bytes([state])
    assert desk.refused(request_, 0, data)
    assert desk.status() == (STALLED, ERROR)
    for again in (ABORT, DETACH, DNLOAD):
        assert desk.refused(again)
    assert desk.status() == (STALLED, ERROR)
    desk.cured()


def test_abort_leads_home_where_it_may_and_nothing_is_half_done() -> None:
    desk = Desk()
    desk.block(0, fill(BLOCK, 1))
    desk.send(ABORT)
    assert desk.status() == (0, IDLE)
    desk.send(ABORT)
    assert desk.status() == (0, IDLE)
    desk.ask(UPLOAD, 16)
    desk.send(ABORT)
    assert desk.status() == (0, IDLE)


def test_unknown_numbers_change_nothing_and_odd_lengths_get_no_answer() -> None:
    desk = Desk()
    assert desk.refused(11)
    assert desk.status() == (0, IDLE)
    assert desk.ask(GETSTATE, 2) == desk.ask(GETSTATUS, 64) == b""
    desk.send(DNLOAD, 0, fill(BLOCK, 1))
    assert desk.ask(GETSTATUS, 5) == b""
    assert desk.status() == (0, DNLOAD_IDLE), "it counted all the same"


def test_a_reset_and_another_alternate_setting_leave_the_state_alone() -> None:
    desk = Desk(contents=(Content(PARTITION2.start, fill(1024, 9)),))
    desk.device.set_interface_altsetting(0, 1)
    desk.block(0, fill(BLOCK, 1))
    desk.device.reset()
    assert desk.ask(GETSTATE, 1) == bytes([DNLOAD_IDLE])
    assert desk.device.ctrl_transfer(0x81, GET_INTERFACE, 0, 0, 1).tobytes() == b"\0"
    desk.block(1, fill(BLOCK, 2))
    assert desk.flash(Range.sized(PARTITION2.start, 1024)) == fill(BLOCK, 1) + fill(BLOCK, 2)
    assert desk.flash(Range.sized(APP1.start, 1024)) == b"\xff" * 1024
    desk.device.ctrl_transfer(0x01, SET_INTERFACE, 0, 0)
    assert desk.ask(GETSTATE, 1) == bytes([DNLOAD_IDLE])
    with pytest.raises(usb.core.USBError):
        desk.device.ctrl_transfer(0x01, SET_INTERFACE, 2, 0)


def test_a_build_that_is_not_tolerant_waits_for_a_reset_that_does_not_help() -> None:
    desk = Desk(attributes=INTOLERANT)
    desk.send(DNLOAD, desk.download(GOOD))
    assert [desk.status()[1] for _ in range(4)] == [MANIFEST_SYNC, MANIFEST, WAIT_RESET, WAIT_RESET]
    desk.send(CLRSTATUS)
    desk.send(ABORT)
    desk.device.reset()
    assert desk.status() == (0, WAIT_RESET)
    assert desk.bench.list()[0].mode == "dfu"


@pytest.mark.parametrize(("alternate", "span"), [(0, APP1), ("slot1_image", PARTITION2)])
@pytest.mark.parametrize("size", [1000, 20_000, SIZE])
def test_the_engine_flashes_it(alternate: int | str, span: Range, size: int) -> None:
    rig, data = Rig(Model.ZEPHYR), image(size)
    target = AlternateTarget(partition="app", size=SIZE, setting=alternate)
    rig.flash(data, target)
    assert rig.memory(Range.sized(span.start, size)) == data
    assert not rig.outside_changed(span)
    assert rig.present
