"""The words of an emulated application: when it says what, and how much of it its port keeps."""

from hypothesis import given
from hypothesis import strategies as st

from flashdeckd.virtual.voice import LINE_END, MAX_SAYING, PORT_BUFFER, SHORTEST_PAUSE, PortBuffer, Saying, Voice

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
        assert len(voice.spoken(now, PORT_BUFFER)) <= PORT_BUFFER + 3 * size


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


def test_what_is_said_by_hand_comes_first_also_where_it_waits() -> None:
    voice = Voice([Saying(b"own")], started=0.0)
    voice.say(b"hand ")
    assert voice.spoken(0.0, PORT_BUFFER) == b"hand own"
    waiting = Voice([], started=0.0, waits=True)
    assert waiting.is_silent
    waiting.say(b"hand")
    assert not waiting.is_silent
    assert waiting.spoken(0.0, PORT_BUFFER) == b"hand"


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
