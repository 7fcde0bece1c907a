"""Whatever a device answers: no crash, no hang, and nothing outside the partition is ever asked of it."""

import tracemalloc
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flash_rig import APP1, BASE, FLASH_SIZE, GEOMETRY, SECTOR, TARGET, Rig, Watcher, image, small
from flashdeck.config import PollPolicy
from flashdeck.errors import DescriptorError, DeviceGoneError, FlashdeckError, StallError, TransferTimeoutError
from flashdeck.geometry import Range
from flashdeck.memory_map import parse_memory_map
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.quirks import NONE, Quirk
from flashdeckd.dfu.wire import DfuRequest, DfuState
from flashdeckd.flash import engine
from flashdeckd.flash.dfuse_planner import make_plan
from flashdeckd.flash.flash_plan import DeviceFacts
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.images.image import Image
from flashdeckd.virtual.spec import Model
from soaking import sized

pytestmark = pytest.mark.soak

SPAN = small(2).span
TWIN = Range.sized(SPAN.start + SECTOR + FLASH_SIZE // 2, SECTOR)
READABLE = (SPAN, TWIN, Range.sized(BASE, SECTOR))
"""The partition, where a canary's twin would be, and the first sector of the bootloader."""
DATA = image(9000)
ALTERNATE = AlternateTarget(partition="app1", size=APP1.size, setting=0)
LONGEST_SLEPT = 2 * 3600.0
"""Seconds of one flash, whatever a device claims."""
MOST_MEMORY = 32 * 1024 * 1024
"""Bytes of one flash, whatever a device sends: the image, what is read back, and a great deal more."""


@dataclass
class HostilePipe:
    """Answers what hypothesis draws, and checks what it is asked: it keeps the pointer that a DfuSe device would."""

    data: st.DataObject
    functional: bytes = b""
    size: int = 1024
    alternates: tuple[AlternateSetting, ...] = (AlternateSetting(0, 1, 2),)
    map: str = ""
    quirk: Quirk = NONE
    transfers: int = 0
    slept: float = 0.0
    pointer: int | None = None
    asked: list[str] = field(default_factory=list[str])

    def _misbehave(self) -> None:
        match self.data.draw(st.integers(0, 60)):
            case 0:
                raise StallError("refused with a STALL")
            case 1:
                raise TransferTimeoutError("no answer in time")
            case 2 if self.data.draw(st.booleans()):
                raise DeviceGoneError("gone")
            case _:
                pass

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        assert timeout > 0
        self.transfers += 1
        assert self.transfers < 60_000
        if request == DfuRequest.DNLOAD and data:
            self._download(value, data)
        self._misbehave()

    def _download(self, block: int, data: bytes) -> None:
        assert len(data) <= self.size
        if block == 0:
            assert len(data) == 5
            address = int.from_bytes(data[1:], "little")
            assert data[0] in (0x21, 0x41)
            if data[0] == 0x41:
                assert SPAN.start <= address < SPAN.end
                assert (address - SPAN.start) % SECTOR == 0
            assert any(span.start <= address < span.end for span in READABLE)
            self.pointer = address if data[0] == 0x21 else None
            return
        assert block >= 2
        assert self.pointer is not None, "data without an address"
        written = Range.sized(self.pointer + (block - 2) * self.size, len(data))
        assert SPAN.covers(written)
        assert written.start % 16 == 0
        assert written.size % 16 == 0

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        assert timeout > 0
        self.transfers += 1
        assert self.transfers < 60_000
        self._misbehave()
        states = st.sampled_from((DfuState.IDLE, DfuState.DNLOAD_IDLE, DfuState.DNLOAD_IDLE)) | st.integers(0, 255)
        match request:
            case DfuRequest.GETSTATE:
                return bytes((self.data.draw(states),))
            case DfuRequest.GETSTATUS:
                if self.data.draw(st.integers(0, 40)) == 0:
                    return self.data.draw(st.binary(max_size=6))
                status = 0 if self.data.draw(st.integers(0, 30)) else self.data.draw(st.integers(0, 255))
                return bytes((status, *self.data.draw(st.binary(min_size=3, max_size=3)), self.data.draw(states), 0))
            case DfuRequest.UPLOAD:
                assert self.pointer is not None
                read = Range.sized(self.pointer + (value - 2) * self.size, length)
                assert any(span.covers(read) for span in READABLE)
                return b"\xff" * length if self.data.draw(st.booleans()) else self.data.draw(st.binary(max_size=16))
            case _:
                raise AssertionError("unknown request")

    def select(self, alternate: int) -> None:
        assert alternate in range(len(self.alternates))
        self.transfers += 1

    def text(self, index: int) -> str:
        assert index == 1
        self.transfers += 1
        return self.map

    def reset(self) -> None:
        self._misbehave()

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 60
        self.slept += seconds


@settings(max_examples=sized(40, 120, 4000), deadline=None)
@given(
    data=st.data(),
    functional=st.sampled_from((1024, 2048, 64)).map(
        lambda size: bytes((9, 0x21, 11, 0, 1, size & 255, size >> 8, 0x1A, 1))
    )
    | st.binary(max_size=12).map(lambda raw: raw[:1] + b"\x21" + raw[2:]),
    text=st.sampled_from(("@F/0x08000000/128*8Kg", "@F/0x08020000/2*8Kg", "", "@F/0x08000000/16*8Ka,112*8Kg"))
    | st.text(max_size=60),
)
def test_nothing_outside_is_asked_of_a_device_that_answers_anything(
    data: st.DataObject, functional: bytes, text: str
) -> None:
    size = int.from_bytes(functional[5:7], "little") if len(functional) >= 7 else 0
    pipe = HostilePipe(data, functional, size or 64, map=text)
    with suppress(FlashdeckError):
        engine.flash(pipe, Image.raw(DATA), small(2), Watcher(), pipe.sleep)
    assert pipe.slept <= LONGEST_SLEPT


class Sleeper:
    """A board that claims hours for everything."""

    def __init__(self, pipe: ControlPipe) -> None:
        self._pipe = pipe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        answer = self._pipe.receive(request, value, length, timeout=timeout)
        return answer[:1] + b"\xff\xff\xff" + answer[4:] if request == DfuRequest.GETSTATUS else answer


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.USBX, Model.TINYUSB])
def test_claims_of_hours_do_not_add_up(model: Model) -> None:
    rig, target = Rig(model), ALTERNATE if model is Model.TINYUSB else replace(TARGET, poll=PollPolicy.SPEC)
    with rig.open() as pipe:
        sleeper = cast("ControlPipe", Sleeper(pipe))
        with pytest.raises(FlashdeckError) as caught:
            engine.flash(sleeper, Image.raw(image(APP1.size)), target, Watcher(), rig.nap)
    assert caught.value.hint
    assert sum(rig.naps) <= LONGEST_SLEPT
    assert not rig.outside_changed(APP1)


class Flood:
    """A board that sends far more than it was asked for where a length may vary, and says far too much of itself."""

    def __init__(self, pipe: ControlPipe, excess: int) -> None:
        self._pipe = pipe
        self._excess = excess
        self.sent = 0
        """Bytes that nobody asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        answer = self._pipe.receive(request, value, length, timeout=timeout)
        if request == DfuRequest.GETSTATE:
            return answer
        self.sent += self._excess
        return answer + bytes(self._excess)

    def text(self, index: int) -> str:
        self.sent += self._excess
        return self._pipe.text(index) + "\0" * self._excess


@pytest.mark.parametrize("model", [Model.CLASSIC, Model.TINYUSB])
def test_a_device_that_sends_too_much_does_not_fill_the_memory(model: Model) -> None:
    data, rig = image(APP1.size), Rig(model)
    target = TARGET if model is Model.CLASSIC else ALTERNATE
    with rig.open() as pipe:
        flood = Flood(pipe, 1_000_000)
        tracemalloc.start()
        try:
            with suppress(FlashdeckError):
                engine.flash(cast("ControlPipe", flood), Image.raw(data), target, Watcher(), rig.nap)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert flood.sent > 5 * MOST_MEMORY, "so much that keeping it would be seen"
    assert most < MOST_MEMORY
    assert rig.board.state().words, "it was written all the same, or to a part"


@given(st.text(max_size=80), st.integers(0, 0xFFFF))
def test_any_map_and_size_give_a_plan_inside_or_a_clear_error(text: str, size: int) -> None:
    try:
        memory_map = parse_memory_map(f"@Flash/0x08000000/16*8Ka,112*8Kg{text}")
    except DescriptorError:
        memory_map = None
    try:
        plan = make_plan(
            Image.raw(DATA), TARGET, DeviceFacts(transfer_size=size, memory_map=memory_map, map_error="broken")
        )
    except FlashdeckError:
        return
    assert all(APP1.covers(step.span) for step in plan.steps)
    assert {sector.span for sector in GEOMETRY.sectors_in(APP1)} >= {
        step.span for step in plan.steps if step.action == "erase"
    }
