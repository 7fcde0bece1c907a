"""From bytes to lines: ends of lines, characters and escape sequences in pieces, noise, and nothing that harms."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.console_kinds import ConsoleKind
from flashdeck.text import clean
from flashdeckd.consoles.line_cutter import (
    LONGEST_CHARACTER,
    LONGEST_ENTRY,
    LONGEST_ESCAPE,
    MOST_NOISE,
    NOISE_SHARE,
    LineCutter,
    Said,
)

LINE, NOISE = ConsoleKind.LINE, ConsoleKind.NOISE
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"\r\n", b"\n", b"\r", b"\x1b[1;32m", b"\x1b]0;title\x07", "äö€😀".encode(), b"plain text " * 30]
        ),
    ),
    max_size=40,
)


def cut(pieces: Iterable[bytes], *, end: bool = True) -> list[Said]:
    cutter = LineCutter()
    found = [said for number, piece in enumerate(pieces) for said in cutter.feed(piece, float(number))]
    return [*found, *(cutter.end() if end else ())]


def texts(pieces: Iterable[bytes]) -> list[str]:
    return [said.text for said in cut(pieces)]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\r\nthree\rfour"], ["one", "two", "three", "four"]),
        ([b"one\r", b"\ntwo"], ["one", "two"]),
        ([b"one\n\nthree\r\n\r\nfive\n"], ["one", "", "three", "", "five"]),
        ([b"one\r\r\ntwo\n\rthree"], ["one", "two", "three"]),
        (["grün".encode()[:3], "grün".encode()[3:], b"\n"], ["grün"]),
        ([b"\x1b[1;3", b"2muart:~$ \x1b[m\n"], ["uart:~$ "]),
        ([b"\x1b]0;title\x07\x1b[2J\x1b(Bhere\n"], ["here"]),
        ([b"a\tb\a\b\n"], ["a b"]),
        (["left\u202eright\u2028next\u00a0one\n".encode()], ["leftright next one"]),
        ([b"\x1b]0;never ends\n"], ["]0;never ends"]),
    ],
)
def test_lines(pieces: Sequence[bytes], lines: list[str]) -> None:
    assert texts(pieces) == lines


def test_a_line_has_the_time_of_its_first_byte() -> None:
    assert [said.at for said in cut([b"one\ntw", b"o", b"\nthree\n"])] == [0.0, 0.0, 2.0]


def test_noise_is_counted_and_not_shown() -> None:
    assert cut([b"\x00\xff\xfe\x80ab\n"]) == [Said(0.0, NOISE, "6 bytes that are no text")]
    assert cut([b"\x00Booting\n"]) == [Said(0.0, LINE, "Booting"), Said(0.0, NOISE, "1 byte that is no text")]
    assert texts([b"tempera\xff\xffture 21\n"]) == [
        "tempera\N{REPLACEMENT CHARACTER}ture 21",
        "2 bytes that are no text",
    ]


def test_a_line_is_noise_where_a_share_of_it_is() -> None:
    text = b"ab" * NOISE_SHARE
    share = len(text) // (NOISE_SHARE - 1)
    assert [said.kind for said in cut([text + b"\xff" * share])] == [LINE, NOISE]
    assert [said.kind for said in cut([text + b"\xff" * (share + 1)])] == [NOISE]


def test_an_escape_sequence_is_waited_for_only_so_long() -> None:
    cutter = LineCutter()
    list(cutter.feed(b"a\x1b]" + b"x" * (LONGEST_ESCAPE - 2), 0.0))
    assert [said.text for said in cutter.rest()] == ["a"]
    list(cutter.feed(b"x", 0.0))
    assert [len(said.text) for said in cutter.rest()] == [LONGEST_ESCAPE]


@pytest.mark.parametrize("character", ["ü", "€", "😀"])
def test_a_character_is_waited_for(character: str) -> None:
    data = character.encode()
    assert len(data) <= LONGEST_CHARACTER
    for split in range(1, len(data)):
        cutter = LineCutter()
        list(cutter.feed(b"a" + data[:split], 0.0))
        assert [said.text for said in cutter.rest()] == ["a"]
        list(cutter.feed(data[split:], 0.0))
        assert [said.text for said in cutter.rest()] == [character]


def test_noise_without_an_end_is_told_in_pieces() -> None:
    told = cut([b"\xff" * 1000] * 30, end=False)
    assert {said.kind for said in told} == {NOISE}
    assert [said.text for said in told] == [f"{n} bytes that are no text" for n in (5000, 5000, 5000, 5000, 5000, 5000)]
    assert MOST_NOISE == 4096


def test_a_line_that_is_too_long_goes_on_in_the_next_entry() -> None:
    text = "ü" * 900
    told = texts([b"x", text.encode(), b"\n"])
    assert "".join(told) == f"x{text}"
    assert [len(each.encode()) for each in told] == [LONGEST_ENTRY - 1, 802]


def test_silence_shows_a_prompt_and_keeps_half_a_character() -> None:
    cutter = LineCutter()
    assert list(cutter.feed("login: ü".encode()[:-1], 1.0)) == []
    assert list(cutter.rest()) == [Said(1.0, LINE, "login: ")]
    assert cutter.is_pending
    assert list(cutter.rest()) == []
    assert list(cutter.feed("ü".encode()[1:] + b"\n", 2.0)) == [Said(1.0, LINE, "ü")]
    assert not cutter.is_pending


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_late_end_of_a_line_that_was_shown_is_no_line(end: bytes) -> None:
    cutter = LineCutter()
    assert list(cutter.feed(b"PASS", 1.0)) == []
    assert [said.text for said in cutter.rest()] == ["PASS"]
    assert [said.text for said in cutter.feed(end + b"\nnext\n", 2.0) if said.text != ""] == ["next"]
    assert [said.text for said in cutter.feed(b"> ", 3.0)] == []
    assert [said.text for said in cutter.rest()] == ["> "]
    assert [said.text for byte in end for said in cutter.feed(bytes([byte]), 4.0)] == []
    assert [said.text for said in cutter.feed(b"next\n\n", 5.0)] == ["next", ""]


def test_a_line_that_just_fits_has_no_empty_one_behind_it() -> None:
    assert texts([b"x" * LONGEST_ENTRY + b"\r\nnext\n"]) == ["x" * LONGEST_ENTRY, "next"]


def test_nothing_of_a_lost_port_goes_on_in_the_next_one() -> None:
    cutter = LineCutter()
    list(cutter.feed(b"half\r", 1.0))
    list(cutter.feed(b"\xc3", 1.0))
    assert list(cutter.end()) == [Said(1.0, NOISE, "1 byte that is no text")]
    assert list(cutter.feed(b"\n", 2.0)) == [Said(2.0, LINE, "")]


@given(PIECES)
def test_how_the_bytes_come_makes_no_difference(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert [(said.kind, said.text) for said in cut(pieces)] == [(said.kind, said.text) for said in cut([whole])]
    one_by_one = cut(whole[at : at + 1] for at in range(len(whole)))
    assert [(said.kind, said.text) for said in one_by_one] == [(said.kind, said.text) for said in cut([whole])]


@given(PIECES)
def test_what_is_shown_harms_nobody(pieces: list[bytes]) -> None:
    for said in cut(pieces):
        assert clean(said.text, LONGEST_ENTRY) == said.text
        assert len(said.text) <= LONGEST_ENTRY


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=200))
def test_text_comes_through_whole(text: str) -> None:
    shown = text.strip("\N{REPLACEMENT CHARACTER}")
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert "".join(said.text for said in cut([text.encode()]) if said.kind is LINE) == shown
