"""What applications of the simulation say, and the lines on which they say it."""

import asyncio
from random import Random

import pytest

from flashdeckd.host.serial_lines import LineSettings
from flashdeckd.virtual.voice import PORT_BUFFER, Saying
from simulation.firmware import program
from simulation.seen import Said, Signs
from simulation.sim_serial_lines import ROOM, SimSerialLines
from simulation.speaking import KINDS, Speech, said_version, speech_of

SIGNS = Signs(within=3.0, stays=1.0)
IMAGE = program(0x08002000, 600, Random(1), "1.0.7")
SETTINGS = LineSettings(115200, dtr=True, rts=True)


def test_a_line_in_pieces_is_whole_with_the_last_of_them() -> None:
    speech = Speech("", (Saying(b"a\r\nb", 0.5), Saying(b"c\r", 1.0), Saying(b"\n", 1.5)))
    assert speech.lines(10.0) == (Said(10.5, "a"), Said(10.5, "b", is_whole=False), Said(11.0, "bc"))


@pytest.mark.parametrize("kind", KINDS)
def test_of_each_kind_all_is_kept_until_somebody_opens_the_port(kind: str) -> None:
    for seed in range(20):
        sayings = KINDS[kind][1](Random(seed), "1.0.7", SIGNS)
        assert sum(len(each.data) for each in sayings) < PORT_BUFFER


def test_seeds_choose_every_kind_and_an_image_says_its_own_version() -> None:
    speeches = [speech_of(Random(seed), IMAGE, SIGNS) for seed in range(300)]
    assert {each.kind for each in speeches} == KINDS.keys()
    right = next(each for each in speeches if each.kind == "the right version")
    assert said_version(right.lines(0.0)[-1].text) == "1.0.7"
    assert said_version("hello") == ""


def test_what_nobody_has_open_is_lost_and_no_more_is_taken_than_there_is_room_for() -> None:
    lines = SimSerialLines(lambda: None)
    ours, node, _ = lines.new_pair()
    assert lines.speak(ours, b"before") == len(b"before")
    theirs = lines.open_to_hear(node, SETTINGS)
    with pytest.raises(BlockingIOError):
        lines.read(theirs, 10)
    assert lines.speak(ours, b"x" * (ROOM + 1)) == ROOM
    assert lines.speak(ours, b"y") == 0
    assert lines.read(theirs, ROOM + 1) == b"x" * ROOM
    lines.speak(ours, b"z")
    lines.end_readers()
    assert not lines.line_state(ours).is_open
    with pytest.raises(BlockingIOError):
        lines.read(lines.open_to_hear(node, SETTINGS), 10)


async def test_who_watches_is_called_until_all_is_read_and_once_the_line_is_gone() -> None:
    lines = SimSerialLines(lambda: None)
    ours, node, _ = lines.new_pair()
    theirs = lines.open_to_hear(node, SETTINGS)
    read: list[bytes] = []
    whole, over = asyncio.Event(), asyncio.Event()

    def come() -> None:
        read.append(lines.read(theirs, 2))
        if b"".join(read) == b"abc":
            whole.set()
        if not read[-1]:
            lines.unwatch(theirs)
            over.set()

    lines.watch(theirs, come)
    lines.speak(ours, b"abc")
    await whole.wait()
    lines.close(ours)
    await over.wait()
    assert read == [b"ab", b"c", b""]
