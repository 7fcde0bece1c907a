"""Which block goes where, and the fence that nothing leaves."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, ErrorKind, RefusedError, StallError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.dfu.addressing import Addressing
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.leaving import detach
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.wire import DfuRequest, DfuState
from model_pipe import BASE, PAGE, ModelPipe

GEOMETRY = Geometry((Region(BASE, 32, PAGE),), program_unit=16)
WHOLE = Fence.around(Range.sized(BASE, 32 * PAGE), GEOMETRY)


def opened(pipe: ModelPipe, fence: Fence = WHOLE) -> DfuseSession:
    session = DfuseSession(pipe, fence, PollPolicy.AUTO, pipe.sleep, multiplies=True)
    session.open()
    return session


def blocks(pipe: ModelPipe) -> list[int]:
    return [value for value, _ in pipe.requests(DfuRequest.DNLOAD)]


def test_whole_blocks_are_counted_from_one_address() -> None:
    pipe = ModelPipe()
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    for at in (0, 1, 2, 7, 5):
        session.write(BASE + at * 1024, bytes([at + 1]) * 1024)
    assert blocks(pipe) == [0, 2, 3, 4, 9, 7]
    assert pipe.memory[5 * 1024] == 6


@pytest.mark.parametrize("multiplies", [None, False])
def test_where_nobody_has_seen_what_is_multiplied_each_block_is_written_to_its_own_address(
    multiplies: bool | None,
) -> None:
    pipe = ModelPipe()
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    session.multiplies = multiplies
    for at in (0, 1, 7):
        session.write(BASE + at * 1024, bytes([at + 1]) * 1024)
    assert blocks(pipe) == [0, 2] * 3
    assert pipe.memory[7 * 1024] == 8


def test_a_device_that_works_within_getstatus_is_taken_for_st_s_class() -> None:
    """Its descriptor and its multiplier are one constant."""
    pipe = ModelPipe()
    session = opened(pipe)
    session.multiplies = None
    session.erase(Range.sized(BASE, PAGE))
    assert session.pace is Pace.SYNCHRONOUS
    for at in (0, 1):
        session.write(BASE + at * 1024, bytes(1024))
    assert blocks(pipe)[-2:] == [2, 3]


def test_a_short_block_gets_its_own_address() -> None:
    pipe = ModelPipe()
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    session.write(BASE, bytes(1024))
    session.write(BASE + 1024, bytes(16))
    assert blocks(pipe) == [0, 2, 0, 2]
    assert pipe.memory[1024:1040] == bytes(16)


def test_the_address_is_set_again_after_an_erase() -> None:
    pipe = ModelPipe()
    session = opened(pipe)
    for page in (0, 1):
        session.erase(Range.sized(BASE + page * PAGE, PAGE))
    session.write(BASE, bytes(1024))
    session.erase(Range.sized(BASE + 5 * PAGE, PAGE))
    session.write(BASE + 1024, bytes(1024))
    assert blocks(pipe) == [0, 0, 0, 2, 0, 0, 2]


def test_the_address_is_set_again_before_the_block_number_overflows() -> None:
    pages = 65536 * 16 // PAGE + 8
    pipe = ModelPipe(transfer_size=16, pages=pages)
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    span = Range.sized(BASE, pages * PAGE)
    session = opened(pipe, Fence.around(span, Geometry((Region(BASE, pages, PAGE),))))
    session.write(BASE, bytes(16))
    session.write(BASE + 65532 * 16, b"\x01" * 16)
    session.write(BASE + 65533 * 16, b"\x02" * 16)
    session.write(BASE + 65534 * 16, b"\x03" * 16)
    assert blocks(pipe) == [0, 2, 65534, 0, 2, 3]
    assert pipe.memory[65532 * 16 : 65535 * 16] == b"\x01" * 16 + b"\x02" * 16 + b"\x03" * 16


@given(st.integers(0, 4096), st.integers(0, 1 << 24), st.integers(0, 1 << 24), st.integers(1, 4096))
def test_a_block_number_always_leads_to_its_address(size: int, pointer: int, address: int, length: int) -> None:
    addressing = Addressing(size, pointer)
    block = addressing.block_for(address, length)
    if block is not None:
        assert 2 <= block <= 65534
        assert addressing.address_of(block) == address
        assert length == size or block == 2


def test_reading_and_writing_alternate_with_an_abort_between() -> None:
    pipe = ModelPipe()
    session = opened(pipe)
    session.erase(Range.sized(BASE, PAGE))
    assert session.read(BASE, 1024) == b"\xff" * 1024
    session.write(BASE, bytes(1024))
    assert session.read(BASE, 1024) == bytes(1024)
    assert session.read(BASE + 1024, 1024) == b"\xff" * 1024
    session.to_idle()
    assert pipe.state == DfuState.IDLE
    assert pipe.errors == 0
    assert session.uploads == 3
    assert blocks(pipe) == [0, 0, 0, 2], "one address for the reads after the write, too"


@dataclass
class Wanders(ModelPipe):
    """Its address pointer moves with every read, and with every ABORT that ends reading."""

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        if request == DfuRequest.ABORT and self.state == DfuState.UPLOAD_IDLE:
            self.pointer += 1024
        super().send(request, value, data, timeout=timeout)

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        data = super().receive(request, value, length, timeout=timeout)
        if request == DfuRequest.UPLOAD:
            self.pointer += length
        return data


def test_nothing_is_written_to_where_a_read_has_left_the_address() -> None:
    pipe = Wanders()
    session = opened(pipe)
    session.erase(Range.sized(BASE, PAGE))
    session.read(BASE, 1024)
    session.write(BASE, b"\x01" * 16)
    session.read(BASE, 1024)
    session.to_idle()
    session.write(BASE + 16, b"\x02" * 16)
    assert bytes(pipe.memory[:PAGE]) == b"\x01" * 16 + b"\x02" * 16 + b"\xff" * (PAGE - 32)
    assert not any(pipe.memory[PAGE:])


def test_the_address_is_set_again_for_reads_before_the_block_number_overflows() -> None:
    pages = 65536 * 16 // PAGE + 8
    pipe = ModelPipe(transfer_size=16, pages=pages)
    for block in (65532, 65533, 65534):
        pipe.memory[block * 16 : block * 16 + 16] = bytes([block & 0xFF]) * 16
    session = opened(pipe, Fence.around(Range.sized(BASE, pages * PAGE), Geometry((Region(BASE, pages, PAGE),))))
    session.read(BASE, 16)
    for block in (65532, 65533, 65534):
        assert session.read(BASE + block * 16, 16) == bytes([block & 0xFF]) * 16
    assert pipe.requests(DfuRequest.UPLOAD) == [(2, 16), (65534, 16), (2, 16), (3, 16)]


@pytest.mark.parametrize("transfer_size", [64, 1024])
def test_nothing_longer_than_a_block_is_asked_for_or_sent(transfer_size: int) -> None:
    pipe = ModelPipe(transfer_size=transfer_size)
    session = opened(pipe)
    before = pipe.transfers
    for call in (
        lambda: session.read(BASE, transfer_size + 16),
        lambda: session.write(BASE, bytes(transfer_size + 16)),
    ):
        with pytest.raises(ValueError, match="more than one block"):
            call()
    assert pipe.transfers == before


def test_a_block_of_more_than_linux_carries_is_not_used() -> None:
    pipe = ModelPipe(transfer_size=8192)
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    for at in (0, 4096):
        session.write(BASE + at, bytes([1 + at // 4096]) * 4096)
    with pytest.raises(ValueError, match="more than one block"):
        session.write(BASE + 8192, bytes(8192))
    assert blocks(pipe) == [0, 2, 0, 2], "smaller ones are not counted from one address: the factor would be 8192"
    assert pipe.memory[:8192] == b"\x01" * 4096 + b"\x02" * 4096


def test_a_device_that_does_not_say_its_transfer_size_gets_an_address_for_every_block() -> None:
    pipe = ModelPipe(functional=b"\x02\x21")
    pipe.memory[:] = b"\xff" * len(pipe.memory)
    session = opened(pipe)
    for at in (0, 64):
        session.write(BASE + at, bytes(64))
        session.read(BASE + at, 64)
    assert blocks(pipe) == [0, 2, 0, 2]


def test_a_short_answer_to_a_read_is_an_error() -> None:
    pipe = ModelPipe(pages=31)
    session = opened(pipe)
    with pytest.raises(DeviceError, match="answered 0"):
        session.read(BASE + 31 * PAGE, 1024)
    assert session.reading
    session.recover()
    assert not session.reading


INSIDE = Range.sized(BASE + 4 * PAGE, 4 * PAGE)
FENCE = Fence.around(INSIDE, GEOMETRY)


OUTSIDE: tuple[Callable[[DfuseSession], object], ...] = (
    lambda session: session.erase(Range.sized(BASE + 3 * PAGE, PAGE)),
    lambda session: session.erase(Range.sized(BASE + 8 * PAGE, PAGE)),
    lambda session: session.erase(Range.sized(BASE + 4 * PAGE, 2 * PAGE)),
    lambda session: session.erase(Range.sized(BASE + 4 * PAGE + 16, PAGE)),
    lambda session: session.write(INSIDE.start - 16, bytes(16)),
    lambda session: session.write(INSIDE.start - 16, bytes(32)),
    lambda session: session.write(INSIDE.end - 16, bytes(32)),
    lambda session: session.write(INSIDE.end, bytes(16)),
    lambda session: session.write(INSIDE.start, bytes(17)),
    lambda session: session.write(INSIDE.start + 8, bytes(16)),
    lambda session: session.write(INSIDE.start, b""),
    lambda session: session.read(INSIDE.end - 16, 32),
    lambda session: session.leave(INSIDE.end),
    lambda session: session.leave(BASE),
)


@pytest.mark.parametrize("outside", OUTSIDE)
def test_nothing_that_leaves_the_partition_is_sent(outside: Callable[[DfuseSession], object]) -> None:
    pipe = ModelPipe()
    session = opened(pipe, FENCE)
    with pytest.raises(RefusedError) as caught:
        outside(session)
    assert caught.value.kind is ErrorKind.OUTSIDE_PARTITION
    assert all(length == 5 for _, length in pipe.requests(DfuRequest.DNLOAD)), "at most an address inside was set"
    assert bytes(pipe.memory) == bytes(len(pipe.memory))


@given(
    st.lists(
        st.tuples(st.sampled_from(["erase", "write", "read"]), st.integers(-2, 40), st.integers(-2, 40)), max_size=12
    )
)
def test_no_sequence_of_calls_gets_through_the_fence(calls: list[tuple[str, int, int]]) -> None:
    pipe = ModelPipe()
    session = opened(pipe, FENCE)
    for what, at, size in calls:
        address = BASE + at * (PAGE // 4)
        try:
            match what:
                case "erase":
                    session.erase(Range.sized(address, size * (PAGE // 4)))
                case "write" if 0 < size * 32 <= 1024:
                    session.write(address, b"\xff" * (size * 32))
                case "read" if size > 0:
                    session.read(address, min(size * 32, 1024))
                case _:
                    pass
        except RefusedError:
            pass
        except AssertionError as error:
            assert "without an erase" in str(error)  # noqa: PT017 - the model's own rule, not ours
            return
    first, last = INSIDE.start - BASE, INSIDE.end - BASE
    assert not any(pipe.memory[:first])
    assert not any(pipe.memory[last:])


def test_leaving_sets_the_address_first_and_takes_manifest_for_yes() -> None:
    pipe = ModelPipe()
    assert opened(pipe, FENCE).leave(INSIDE.start)
    assert pipe.pointer == INSIDE.start
    assert pipe.requests(DfuRequest.DNLOAD) == [(0, 5), (2, 0)]
    assert pipe.state == DfuState.MANIFEST


def test_a_device_that_refuses_the_leave_has_not_left() -> None:
    class Stays(ModelPipe):
        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            if request == DfuRequest.DNLOAD and not data:
                raise StallError("refused with a STALL")
            super().send(request, value, data, timeout=timeout)

    assert not opened(Stays(), FENCE).leave(INSIDE.start)


@pytest.mark.parametrize(("attributes", "resets"), [(0x0B, 0), (0x03, 1)])
def test_detach_resets_the_bus_only_where_the_device_does_not_detach_itself(attributes: int, resets: int) -> None:
    class Application(ModelPipe):
        def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
            assert timeout > 0
            self.log.append((DfuRequest(request), value, len(data)))

    pipe = Application(functional=bytes((9, 0x21, attributes, 255, 0, 0, 4, 0x10, 1)))
    detach(pipe)
    assert pipe.log == [(DfuRequest.DETACH, 1000, 0)]
    assert pipe.resets == resets


def test_a_detach_that_is_refused_is_no_error() -> None:
    pipe = ModelPipe()
    detach(pipe)
    assert pipe.requests(DfuRequest.DETACH) == [(1000, 0)]
