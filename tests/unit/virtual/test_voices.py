"""The words of an emulated application: when it says what, and how much of it its port keeps."""

from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.virtual.voice import (
    LINE_END,
    MAX_SAYING,
    PORT_BUFFER,
    SHORTEST_PAUSE,
    PortBuffer,
    PortOutput,
    Saying,
    Voice,
)

IMAGE = bytes(64) + b"other demo\0demo 1.0.7\0demo 2\0" + bytes(64)


def test_each_saying_comes_at_its_time_after_the_start_and_once() -> None:
    voice = Voice([Saying(b"late", after=2.0), Saying(b"soon", after=0.5), Saying(b"now")], started=100.0)
    assert voice.spoken(100.0, PORT_BUFFER) == b"now"
    assert voice.spoken(100.4, PORT_BUFFER) == b""
    assert voice.spoken(103.0, PORT_BUFFER) == b"soonlate"
    assert voice.spoken(200.0, PORT_BUFFER) == b""


def test_what_is_said_again_keeps_its_pace_however_seldom_somebody_looks() -> None:
    voice = Voice([Saying(b"x", after=1.0, every=0.5)], started=0.0)
    assert voice.spoken(0.9, PORT_BUFFER) == b""
    assert voice.spoken(2.0, PORT_BUFFER) == b"xxx"
    assert voice.spoken(2.4, PORT_BUFFER) == b""
    assert voice.spoken(2.5, PORT_BUFFER) == b"x"


@given(st.integers(1, MAX_SAYING), st.floats(SHORTEST_PAUSE, 10), st.lists(st.floats(0, 1e9), min_size=2, max_size=5))
def test_a_long_silence_of_those_who_look_costs_no_more_than_a_port_keeps(
    size: int, every: float, looks: list[float]
) -> None:
    voice = Voice([Saying(bytes(size), every=every)], started=0.0)
    for now in sorted(looks):
        assert len(voice.spoken(now, PORT_BUFFER)) <= PORT_BUFFER + 4 * size  # it is counted in fractions of seconds


def test_a_flood_fills_the_port_with_whole_sayings_and_others_still_come() -> None:
    voice = Voice([Saying(b"flood\n", after=1.0, every=0.0), Saying(b"tick\n", after=2.0)], started=0.0)
    assert voice.spoken(0.5, 20) == b""
    assert voice.spoken(1.0, 20) == b"flood\n" * 3
    assert voice.spoken(1.0, 5) == b""
    assert voice.spoken(2.0, 20) == b"tick\n" + b"flood\n" * 2


def test_an_application_that_waits_for_its_reader_counts_from_then() -> None:
    voice = Voice([Saying(b"hello"), Saying(b"later", after=1.0)], started=0.0, waits=True)
    assert voice.spoken(50.0, PORT_BUFFER) == b""
    voice.opened(60.0)
    assert voice.spoken(60.0, PORT_BUFFER) == b"hello"
    voice.opened(60.9)
    assert voice.spoken(61.0, PORT_BUFFER) == b"later", "opened again is no new start"


def test_a_line_of_the_image_is_the_first_text_that_begins_so() -> None:
    voice = Voice([Saying(image="demo 1")], IMAGE, started=0.0)
    assert voice.spoken(0.0, PORT_BUFFER) == b"demo 1.0.7" + LINE_END
    silent = Voice([Saying(image="nowhere")], IMAGE, started=0.0)
    assert silent.spoken(9.0, PORT_BUFFER) == b""
    long = Voice([Saying(image="AA")], b"A" * 10_000, started=0.0)
    assert len(long.spoken(0.0, PORT_BUFFER)) == MAX_SAYING


def test_a_saying_may_be_that_of_certain_images_alone() -> None:
    sayings = (Saying(b"always "), Saying(b"mine", where=b"demo 1.0.7"), Saying(b"not mine", where=b"demo 9"))
    assert Voice(sayings, IMAGE, started=0.0).spoken(0.0, PORT_BUFFER) == b"always mine"
    assert Voice(sayings[2:], IMAGE, started=0.0).is_silent


class Taker:
    """One end of a port that takes so many bytes at once."""

    def __init__(self, at_once: int = PORT_BUFFER) -> None:
        self.heard = b""
        self._at_once = at_once

    def __call__(self, data: bytes) -> int:
        taken = data[: self._at_once]
        self.heard += taken
        return len(taken)


def test_what_is_said_by_hand_comes_in_its_place_also_where_the_firmware_waits() -> None:
    output, taker = PortOutput(), Taker()
    assert output.is_silent
    output.start(Voice([Saying(b"one "), Saying(b"two ", after=2.0)], started=0.0), 0.0)
    output.say(b"hand ", 1.0)
    output.send(3.0, PORT_BUFFER, taker)
    assert taker.heard == b"one hand two "
    output.start(Voice([Saying(b"own")], started=4.0, waits=True), 4.0)
    output.say(b"hand ", 5.0)
    output.send(6.0, PORT_BUFFER, taker)
    output.set_dtr(7.0, is_raised=True)
    output.send(7.0, PORT_BUFFER, taker)
    assert taker.heard == b"one hand two hand own"


def test_a_firmware_says_what_was_due_by_its_end_and_its_successor_comes_behind_that() -> None:
    output, taker = PortOutput(), Taker()
    output.start(Voice([Saying(b"tick ", every=1.0), Saying(b"never", after=2.6)], started=0.0), 0.0)
    output.end(2.5)
    output.send(9.0, PORT_BUFFER, taker)
    output.start(Voice([Saying(b"anew ")], started=10.0), 10.0)
    output.start(Voice([Saying(b"again")], started=11.0), 11.0)
    output.send(12.0, PORT_BUFFER, taker)
    assert taker.heard == b"tick tick tick anew again"


def test_a_firmware_that_starts_behind_a_port_that_is_open_need_not_wait_for_dtr() -> None:
    output, taker = PortOutput(), Taker()
    for is_raised, heard in ((True, b"hello"), (False, b"")):
        taker.heard = b""
        output.set_dtr(1.0, is_raised=is_raised)
        output.start(Voice([Saying(b"hello")], started=1.0, waits=True), 1.0)
        output.send(1.0, PORT_BUFFER, taker)
        assert taker.heard == heard


def test_what_is_not_taken_stays_and_a_flood_fills_what_is_asked_for() -> None:
    output, taker = PortOutput(), Taker(at_once=3)
    output.say(b"abcdefgh", 0.0)
    output.send(0.0, PORT_BUFFER, taker)
    assert taker.heard == b"abc", "a port that is full is not asked again"
    output.send(0.0, 2, taker)
    assert taker.heard == b"abcde"
    flood, drain = PortOutput(), Taker()
    flood.start(Voice([Saying(b"flood\n", every=0.0)], started=0.0), 0.0)
    flood.send(0.0, 3 * PORT_BUFFER, drain)
    assert drain.heard == (b"flood\n" * PORT_BUFFER)[: 3 * PORT_BUFFER]


@given(st.lists(st.binary(max_size=PORT_BUFFER + 100), max_size=6), st.integers(0, PORT_BUFFER))
def test_a_port_keeps_the_newest_bytes(pieces: list[bytes], read: int) -> None:
    buffer, all_of_it = PortBuffer(), b"".join(pieces)
    for piece in pieces:
        buffer.put(piece)
    kept = all_of_it[-PORT_BUFFER:]
    assert buffer.peek(2 * PORT_BUFFER) == kept
    buffer.drop(len(buffer.peek(read)))
    assert buffer.peek(2 * PORT_BUFFER) == kept[read:]
    assert buffer.room == PORT_BUFFER - len(kept[read:])
