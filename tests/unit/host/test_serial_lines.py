"""Serial ports: what is set on one is seen on its other side, and no other thing is opened in its place."""

import errno
import os
import termios
from pathlib import Path

import pytest

from flashdeckd.host import serial_lines
from flashdeckd.host.serial_lines import HeardPort, LineSettings, LineState, PseudoPort, opened


@pytest.fixture
def port() -> PseudoPort:
    return PseudoPort()


def test_speed_and_openers_are_seen_on_the_other_side(port: PseudoPort) -> None:
    first = port.state
    assert not first.is_open
    with opened(port.node) as line:
        assert port.state == LineState(first.baud, is_open=True)
        line.set_speed(1200)
        line.drop_dtr()  # a pseudo-terminal has no such line
        assert port.state == LineState(1200, is_open=True)
        with opened(port.node):
            pass
        assert port.state.is_open
    assert port.state == LineState(1200, is_open=False)
    port.close()


def test_nothing_is_echoed_once_the_speed_is_set(port: PseudoPort) -> None:
    holder = os.open(port.node, os.O_RDWR | os.O_NOCTTY)
    assert termios.tcgetattr(holder)[3] & termios.ECHO
    with opened(port.node) as line:
        line.set_speed(1200)
    assert not termios.tcgetattr(holder)[3] & termios.ECHO
    os.close(holder)
    port.close()


def test_the_number_tells_one_device_from_another(port: PseudoPort, tmp_path: Path) -> None:
    other = PseudoPort()
    with opened(port.node) as line:
        assert line.is_device(port.number)
        assert not line.is_device(other.number)
    file = tmp_path / "ttyACM0"
    file.touch()
    with opened(file) as line:
        assert not line.is_device(port.number)
        with pytest.raises(OSError, match="ioctl") as caught:
            line.set_speed(1200)
    assert caught.value.errno == errno.ENOTTY
    port.close()
    other.close()


def test_no_link_is_followed_and_no_reader_is_waited_for(port: PseudoPort, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(port.node)
    with pytest.raises(OSError, match="symbolic links"), opened(link):
        pass
    os.mkfifo(tmp_path / "fifo")
    with opened(tmp_path / "fifo"):
        pass
    port.close()


def test_whoever_has_a_port_open_is_hung_up_when_it_goes(port: PseudoPort) -> None:
    with opened(port.node) as line:
        port.close()
        with pytest.raises(OSError, match=r"[Ii]nput/output error"):
            line.set_speed(1200)


def test_no_descriptor_is_left_behind(port: PseudoPort) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with opened(port.node), opened(port.node):
        pass
    PseudoPort().close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    port.close()


class MadeUp:
    """Ports that are nobody's."""

    def __init__(self) -> None:
        self.steps: list[object] = []

    def open(self, node: Path, /) -> int:
        self.steps.append(node)
        return 7

    def number(self, descriptor: int, /) -> tuple[int, int]:
        return (166, descriptor)

    def set_speed(self, descriptor: int, baud: int, /) -> None:
        self.steps.append((descriptor, baud))

    def drop_dtr(self, descriptor: int, /) -> None:
        self.steps.append((descriptor, "DTR"))

    def close(self, descriptor: int, /) -> None:
        self.steps.append((descriptor, "closed"))

    def new_pair(self) -> tuple[int, Path, tuple[int, int]]:
        return 8, Path("/dev/pts/1"), (136, 1)

    def line_state(self, _: int, /) -> LineState:
        return LineState(9600, is_open=False)


def test_ports_may_be_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = MadeUp()
    monkeypatch.setattr(serial_lines, "system", made_up)
    with opened(Path("/dev/ttyACM0")) as line:
        assert line.is_device((166, 7))
        line.set_speed(1200)
        line.drop_dtr()
    assert made_up.steps == [Path("/dev/ttyACM0"), (7, 1200), (7, "DTR"), (7, "closed")]
    assert PseudoPort().state == LineState(9600, is_open=False)


def test_a_port_on_which_nothing_has_come_is_not_gone(port: PseudoPort) -> None:
    heard = HeardPort(port.node, LineSettings(115200, dtr=True, rts=True))
    with pytest.raises(BlockingIOError):
        heard.read(10)
    port.speak(b"x")
    assert heard.read(10) == b"x"
    port.close()
    try:
        assert heard.read(10) == b""
    except OSError as error:
        assert error.errno == errno.EIO  # noqa: PT017 - the kernel says one or the other
    heard.close()
