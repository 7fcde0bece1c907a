"""The packets of a page and of a screen's process, bounded."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck_tui.browser.packets import (
    HEADER,
    LARGEST_PACKET,
    MOST_COLUMNS,
    MOST_LINES,
    Focused,
    Kind,
    PacketError,
    Pinged,
    ScreenSize,
    Typed,
    is_end,
    kind_and_size,
    message,
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["stdin", "fé"], Typed("fé")),
        (["resize", {"width": 120, "height": 40}], ScreenSize(120, 40)),
        (["focus"], Focused(has_it=True)),
        (["blur", None], Focused(has_it=False)),
        (["ping", "17"], Pinged("17")),
        (["of a later release", 1], None),
    ],
)
def test_what_a_page_says_is_understood(said: object, meant: object) -> None:
    assert message(json.dumps(said)) == meant


def test_what_goes_to_the_screen_is_a_packet_with_its_size() -> None:
    assert Typed("fé").packet == b"D\x00\x00\x00\x03f\xc3\xa9"
    assert Typed("\ud800").packet == b"D\x00\x00\x00\x01?"
    kind, size = kind_and_size(ScreenSize(120, 40).packet[:HEADER])
    assert (kind, json.loads(ScreenSize(120, 40).packet[HEADER:])) == (
        Kind.NOTE,
        {"type": "resize", "width": 120, "height": 40},
    )
    assert size == len(ScreenSize(120, 40).packet) - HEADER
    assert json.loads(Focused(has_it=False).packet[HEADER:]) == {"type": "blur"}
    assert json.loads(Pinged("17").answer) == ["pong", "17"]


@pytest.mark.parametrize(
    "said", ["", "{", "{}", "[]", "17", '["stdin", 1', "[[1]]", '["resize", {"width": "a", "height": 2}]', "[" * 10_000]
)
def test_what_no_page_says_is_refused(said: str) -> None:
    with pytest.raises(PacketError):
        message(said)


@given(st.text() | st.recursive(st.none() | st.text() | st.floats(), st.lists, max_leaves=5).map(json.dumps))
def test_whatever_a_page_says_is_understood_or_refused(said: str) -> None:
    with suppress(PacketError):
        message(said)


def test_a_size_is_within_what_a_screen_may_have() -> None:
    assert ScreenSize.of(MOST_COLUMNS, MOST_LINES) == ScreenSize(MOST_COLUMNS, MOST_LINES)
    assert ScreenSize.of(MOST_COLUMNS + 1, MOST_LINES + 1) == ScreenSize(MOST_COLUMNS, MOST_LINES)
    assert ScreenSize.of("0", "-5") == ScreenSize(1, 1)
    assert ScreenSize.of(10**9, 10**9) == ScreenSize(MOST_COLUMNS, MOST_LINES)
    with pytest.raises(PacketError, match="is no size"):
        ScreenSize.of("wide", 2)


def test_a_packet_is_not_longer_than_any_screen() -> None:
    assert kind_and_size(b"D" + LARGEST_PACKET.to_bytes(4, "big")) == (Kind.SCREEN, LARGEST_PACKET)
    with pytest.raises(PacketError, match="there are at most"):
        kind_and_size(b"D" + (LARGEST_PACKET + 1).to_bytes(4, "big"))
    with pytest.raises(PacketError, match="a packet of the kind"):
        kind_and_size(b"T" + bytes(4))


def test_a_screen_says_that_it_was_closed() -> None:
    assert is_end(b'{"type": "exit"}')
    for other in (b'{"type": "open_url", "url": "x"}', b"[]", b"{", b"\xff"):
        assert not is_end(other)
