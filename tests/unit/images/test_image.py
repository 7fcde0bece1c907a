"""An image as a value: its canonical form, its name, and what satisfies what."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.geometry import Range
from flashdeckd.images.image import NOTHING, PREFIX, ContradictionError, Image, Piece

SPACE = 64

cells = st.dictionaries(st.integers(0, SPACE - 1), st.integers(0, 255), max_size=SPACE)
"""Images as the simplest thing there is: a byte for each place."""


def of(bytes_at: dict[int, int]) -> Image:
    return Image.of(Piece(at, bytes([value])) for at, value in bytes_at.items())


def cells_of(image: Image) -> dict[int, int]:
    return {piece.offset + at: value for piece in image.pieces for at, value in enumerate(piece.data)}


def test_a_raw_image_has_the_hash_of_its_bytes() -> None:
    assert Image.raw(b"abc").sha256 == hashlib.sha256(b"abc").hexdigest()
    assert Image.of([Piece(2, b"c"), Piece(0, b"ab")]).sha256 == Image.raw(b"abc").sha256


def test_an_image_in_pieces_has_a_name_of_its_own() -> None:
    gap = Image.of([Piece(0, b"ab"), Piece(3, b"d")])
    names = {gap.sha256, Image.raw(b"ab\xffd").sha256, Image.raw(b"ab\0d").sha256, Image.of([Piece(1, b"ab")]).sha256}
    assert len(names) == 4
    assert gap.encoded.startswith(PREFIX)


def test_equal_bytes_twice_are_no_contradiction_and_different_ones_are() -> None:
    assert Image.of([Piece(0, b"abcd"), Piece(2, b"cdef")]) == Image.raw(b"abcdef")
    assert Image.of([Piece(0, b"abcdef"), Piece(2, b"cd")]) == Image.raw(b"abcdef")
    with pytest.raises(ContradictionError) as caught:
        Image.of([Piece(4, b"abcd"), Piece(6, b"cx")])
    assert caught.value.offset == 7


@pytest.mark.parametrize(
    "broken",
    [
        PREFIX,
        PREFIX + b"\1\0\0\0",
        PREFIX + b"\1\0\0\0" + b"\0\0\0\0\4\0\0\0" + b"abc",
        PREFIX + b"\2\0\0\0" + b"\0\0\0\0\1\0\0\0" + b"\1\0\0\0\1\0\0\0" + b"ab",
    ],
)
def test_what_is_no_encoded_image_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="image"):
        Image.decode(broken)


@given(cells)
def test_one_canonical_form(given_cells: dict[int, int]) -> None:
    image = of(given_cells)
    assert cells_of(image) == given_cells
    assert Image.of(image.pieces) == image
    assert all(one.end < other.offset for one, other in zip(image.pieces, image.pieces[1:], strict=False))
    if image.pieces:
        assert Image.decode(image.encoded) == image


@given(cells, cells)
def test_satisfying_is_having_every_byte(one: dict[int, int], other: dict[int, int]) -> None:
    expected = bool(one) and all(one.get(at) == value for at, value in other.items())
    assert of(one).satisfies(of(other)) == expected


@given(cells, cells, st.integers(0, SPACE), st.integers(0, SPACE))
def test_cutting_and_laying_over(one: dict[int, int], other: dict[int, int], start: int, end: int) -> None:
    image, span = of(one), Range(min(start, end), max(start, end))
    inside = {at: value for at, value in one.items() if span.start <= at < span.end}
    assert cells_of(image.within(span)) == inside
    assert cells_of(image.without([span])) == {at: value for at, value in one.items() if at not in inside}
    assert cells_of(image.over(of(other))) == other | one
    assert image.touches(span) == bool(inside)
    assert image.count(span) == len(inside)
    assert image.extent(span) == (Range(min(inside), max(inside) + 1) if inside else None)
    assert image.covers(span) == (len(inside) == span.size and span.size > 0)
    assert image.read(span) == bytes(one.get(at, 0xFF) for at in range(span.start, span.end))


@given(cells, st.sampled_from([1, 2, 4, 8, 16]))
def test_padding_to_units_fills_with_erased_flash(one: dict[int, int], unit: int) -> None:
    padded = cells_of(of(one).padded(unit))
    touched = {at // unit for at in one}
    assert padded == {at: one.get(at, 0xFF) for index in touched for at in range(index * unit, (index + 1) * unit)}


@given(cells, cells)
def test_the_first_difference(one: dict[int, int], read: dict[int, int]) -> None:
    data = bytes(read.get(at, 0xFF) for at in range(SPACE))
    expected = min((at for at, value in one.items() if data[at] != value), default=None)
    assert of(one).difference(0, data) == expected


def test_unknown_contents_satisfy_nothing() -> None:
    assert not NOTHING.satisfies(Image.raw(b"a"))
    assert not NOTHING.satisfies(NOTHING)
