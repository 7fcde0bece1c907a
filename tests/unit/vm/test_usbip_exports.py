"""An emulated board behind USB/IP, with the test in the kernel's place."""

import errno
import socket
import struct
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from flashdeckd.virtual.application import AppPort
from flashdeckd.virtual.spec import BoardSpec, Content, Start, Timing
from flashdeckd.virtual.virtual_bench import VirtualBench
from flashdeckd.virtual.voice import Saying
from vm.usbip import Export, Tally

GET_DEVICE = bytes.fromhex("8006 0001 0000 1200")
FIRST_LOOK = bytes.fromhex("8006 0001 0000 4000")
CONFIGURE = bytes.fromhex("0009 0100 0000 0000")
GETSTATE = bytes.fromhex("a105 0000 0000 0100")
UNKNOWN = bytes.fromhex("a1 2a 0000 0000 0100")
DNLOAD = bytes.fromhex("2101 0000 0000 0500")
IDLE, ERASE = b"\x02", b"\x41\x00\x00\x02\x08"


@dataclass
class Kernel:
    """The host's side of the connection."""

    stream: socket.socket
    bench: VirtualBench
    tally: Tally

    def submit(self, number: int, setup: bytes, data: bytes = b"", *, endpoint: int = 0) -> None:
        length = len(data) if data else int.from_bytes(setup[6:8], "little")
        head = struct.pack(">5I", 1, number, 1, setup[0] >> 7, endpoint)
        self.stream.sendall(head + struct.pack(">5I", 0, length, 0, 0, 0) + setup + data)

    def read(self, number: int, *, endpoint: int, size: int) -> None:
        """Ask another endpoint for data."""
        self.stream.sendall(
            struct.pack(">5I", 1, number, 1, 1, endpoint) + struct.pack(">5I", 0, size, 0, 0, 0) + bytes(8)
        )

    def unlink(self, number: int, victim: int) -> None:
        self.stream.sendall(struct.pack(">6I24x", 2, number, 1, 0, 0, victim))

    def answer(self) -> tuple[int, int, int, bytes]:
        """Command, number and status of the next answer, and its data."""
        head = self._take(48)
        command, number, *_ = struct.unpack(">5I", head[:20])
        status, length = struct.unpack(">ii", head[20:28])
        moved = command == 3 and not status and number not in self.outgoing
        return command, number, status, self._take(length) if moved else b""

    outgoing: frozenset[int] = frozenset()

    def _take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.stream.recv(size - len(data))
            assert part
            data += part
        return data


@contextmanager
def served(spec: BoardSpec) -> Generator[Kernel]:
    bench = VirtualBench([spec])
    connection = bench.boards["left"].connection()
    assert connection is not None
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    tally = Tally()
    export = Export(connection, theirs, tally)
    with ours:
        yield Kernel(ours, bench, tally)
        export.close()


@pytest.fixture(params=[Timing.NONE, Timing.REAL])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    spec = BoardSpec(name="left", serial="TEST", start=Start.DFU, timing=request.param, attach_time=0)
    with served(spec) as it:
        yield it


def test_descriptors_and_states_are_answered(kernel: Kernel) -> None:
    kernel.submit(1, GET_DEVICE)
    command, number, status, data = kernel.answer()
    assert (command, number, status) == (3, 1, 0)
    assert data[8:12] == bytes.fromhex("8304 11df")
    kernel.submit(2, GETSTATE)
    assert kernel.answer() == (3, 2, 0, IDLE)


def test_a_stall_is_a_broken_pipe_and_so_is_an_endpoint_that_is_not_there(kernel: Kernel) -> None:
    kernel.submit(1, UNKNOWN)
    assert kernel.answer() == (3, 1, -errno.EPIPE, b"")
    kernel.submit(2, GETSTATE, endpoint=1)
    assert kernel.answer() == (3, 2, -errno.EPIPE, b"")


def test_data_goes_to_the_board_and_its_length_comes_back(kernel: Kernel) -> None:
    kernel.outgoing = frozenset({1})
    kernel.submit(1, DNLOAD, ERASE)
    assert kernel.answer() == (3, 1, 0, b"")
    assert kernel.bench.list()[0].bytes_down == len(ERASE)


def test_a_transfer_that_hangs_is_unlinked_and_the_next_one_answered(kernel: Kernel) -> None:
    kernel.bench.fault("left", "timeout", 1)
    kernel.submit(1, GETSTATE)
    deadline = time.monotonic() + 30
    while not kernel.bench.list()[0].requests:  # until the board has it
        assert time.monotonic() < deadline
        time.sleep(0.001)
    kernel.unlink(2, 1)
    assert kernel.answer() == (4, 2, -errno.ECONNRESET, b"")
    kernel.submit(3, GETSTATE)
    assert kernel.answer() == (3, 3, 0, IDLE)
    assert [setup.request for setup in kernel.tally.unlinks] == [5]


def test_an_unlink_that_comes_too_late_says_so(kernel: Kernel) -> None:
    kernel.submit(1, GETSTATE)
    assert kernel.answer() == (3, 1, 0, IDLE)
    kernel.unlink(2, 1)
    assert kernel.answer() == (4, 2, 0, b"")
    assert kernel.tally.unlinks == []


def test_a_board_that_is_gone_does_not_answer_on_the_bus(kernel: Kernel) -> None:
    kernel.bench.unplug("left")
    kernel.submit(1, GETSTATE)
    assert kernel.answer() == (3, 1, -errno.EPROTO, b"")


def test_the_first_look_at_a_configured_device_is_a_bus_reset(kernel: Kernel) -> None:
    kernel.submit(1, FIRST_LOOK)
    kernel.answer()
    kernel.submit(2, CONFIGURE)
    assert kernel.answer() == (3, 2, 0, b"")
    assert kernel.tally.resets == 0
    kernel.submit(3, FIRST_LOOK)
    kernel.answer()
    assert kernel.tally.resets == 1


def test_a_hung_board_can_be_taken_off_the_bus(kernel: Kernel) -> None:
    kernel.bench.fault("left", "hang", 1)
    kernel.submit(1, GETSTATE)  # the fixture's end joins the threads that serve it
    kernel.stream.shutdown(socket.SHUT_WR)


# What an application says on its serial port.

RAISE_BOTH = bytes.fromhex("2122 0300 0000 0000")
IMAGE = (0x20030000).to_bytes(4, "little") + (0x08020201).to_bytes(4, "little")


@pytest.fixture
def talking() -> Iterator[Kernel]:
    spec = BoardSpec(name="left", contents=(Content(0x08020000, IMAGE),), serial_port=AppPort.PLAIN, waits_for_dtr=True)
    with served(replace(spec, says=(Saying(b"what a long line\n"),))) as it:
        yield it


def test_reads_of_the_port_are_answered_with_its_words_in_the_order_of_both(talking: Kernel) -> None:
    for number in (1, 2, 3):
        talking.read(number, endpoint=1, size=8)
    talking.read(4, endpoint=2, size=8)  # the interrupt endpoint never has anything
    talking.outgoing = frozenset({5})
    talking.submit(5, RAISE_BOTH)
    answers = sorted(talking.answer() for _ in range(4))
    assert answers == [(3, 1, 0, b"what a l"), (3, 2, 0, b"ong line"), (3, 3, 0, b"\n"), (3, 5, 0, b"")]
    assert talking.tally.lines == [3]


def test_a_read_that_is_given_up_takes_no_words_with_it(talking: Kernel) -> None:
    talking.read(1, endpoint=1, size=64)
    talking.unlink(2, 1)
    assert talking.answer() == (4, 2, -errno.ECONNRESET, b"")
    talking.bench.say("left", "hand")
    talking.read(3, endpoint=1, size=64)
    assert talking.answer() == (3, 3, 0, b"hand\r\n")
    assert talking.tally.unlinks == []


def test_a_port_that_is_read_can_be_taken_off_the_bus(talking: Kernel) -> None:
    talking.read(1, endpoint=1, size=64)  # the fixture's end joins the threads that serve it
    talking.stream.shutdown(socket.SHUT_WR)
