"""Intel HEX and S-records: what carries no bytes is passed over, what could be a damaged record is not."""

import io
from collections.abc import Callable

import pytest
from bincopy import BinFile
from hypothesis import given
from hypothesis import strategies as st
from intelhex import IntelHex

from flashdeck.errors import RefusedError
from flashdeckd.images import intel_hex, s_record
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.segments import FileContents
from image_writers import Pieces, hex_record, hexed, srec, srec_line

BIN = bytes(range(256)) * 4
PIECES: Pieces = [(0x08020000, BIN), (0x08020000 + len(BIN) + 3, b"data")]
READERS: dict[str, Callable[[str, bytes], FileContents]] = {"APP1.hex": intel_hex.read, "APP1.srec": s_record.read}
WRITERS: dict[str, Callable[[Pieces], bytes]] = {"APP1.hex": hexed, "APP1.srec": srec}
each_format = pytest.mark.parametrize("name", READERS)


def whole(name: str, data: bytes) -> Image:
    return Image.of(Piece(each.address, bytes(each.data)) for each in READERS[name](name, data).segments)


def refusal(name: str, data: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        READERS[name](name, data)
    assert caught.value.hint
    assert (caught.value.message + caught.value.hint).isprintable()
    return caught.value.message


ODD: list[Callable[[bytes], bytes]] = [
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text.lower(),
    lambda text: text.replace(b"\n", b"\r\n"),
    lambda text: text.replace(b"\n", b"\r"),
    lambda text: text.replace(b"\n", b" \t\r\n\r\n\n"),
    lambda text: text + b"\x1a",
    lambda text: text.replace(b"\n", b"\r\n") + b"\x1a\x1a\x1a",
    lambda text: text + b"\r\n\x1a" + bytes(300),
    lambda text: text.rstrip(),
    lambda text: b"\n\n  " + text,
]


@each_format
@pytest.mark.parametrize("odd", ODD)
def test_how_a_text_is_written_changes_nothing(name: str, odd: Callable[[bytes], bytes]) -> None:
    text = WRITERS[name](PIECES)
    assert odd(text) != text
    assert whole(name, odd(text)) == whole(name, text)
    assert not READERS[name](name, odd(text)).notes


@each_format
@pytest.mark.parametrize("comment", [b"; a tool", b";", b"# x", b"// :00000001FF", b"  ; S0", b"-- x", b"!x", b"* x"])
def test_comments_are_passed_over_with_a_note(name: str, comment: bytes) -> None:
    lines = WRITERS[name](PIECES).splitlines()
    for at in (0, 3, len(lines)):
        text = b"\n".join([*lines[:at], comment, comment, *lines[at:]])
        assert whole(name, text) == whole(name, WRITERS[name](PIECES))
        assert READERS[name](name, text).notes == (f"{name}: passed over 2 comment lines",)
    behind = b"\n".join(line + b" ; behind" for line in lines)
    assert whole(name, behind) == whole(name, WRITERS[name](PIECES))


@each_format
@pytest.mark.parametrize(
    "line", [b"garbage", b":", b"S", b"S3", b":0", b"00000001FF", b"\x1a", b"\x0c", b"=;", b"\xff" * 9]
)
def test_any_other_line_is_refused_with_its_number(name: str, line: bytes) -> None:
    lines = WRITERS[name](PIECES).splitlines()
    text = b"\r\n".join([*lines[:4], line, *lines[4:]])
    if line.strip():
        assert refusal(name, text).startswith(f"line 5 of {name} is no ")


@each_format
@given(st.data())
def test_a_record_with_one_wrong_character_is_refused(name: str, draw: st.DataObject) -> None:
    text = bytearray(WRITERS[name]([(0x08020000, BIN[:40])]))
    at = draw.draw(st.sampled_from([i for i, each in enumerate(text) if chr(each) in "0123456789ABCDEF"]))
    text[at] = draw.draw(st.sampled_from([each for each in b"0123456789ABCDEFxg" if each != text[at]]))
    changed = bytes(text)
    try:
        image = whole(name, changed)
    except RefusedError:
        return
    # The type of an S-record is not part of its sum, and S1 and S9, S2 and S8, S3 and S7 have equal forms.
    assert name == "APP1.srec"
    assert image != whole(name, WRITERS[name]([(0x08020000, BIN[:40])])) or changed[at - 1 : at] == b"S"


@each_format
@pytest.mark.parametrize("between", [b"", b"\r\n", b"\x1a", b"; the other one\n"])
def test_two_files_in_one_are_told_with_the_line(name: str, between: bytes) -> None:
    first, second = (WRITERS[name]([(address, BIN)]) for address in (0x08000000, 0x08020000))
    ended = first.count(b"\n")
    said = refusal(name, first + between + second)
    if between == b"\x1a":
        assert said.startswith(f"line {ended + 1} of {name} is no ")
    else:
        assert said == f"{name} ends at line {ended} and goes on: two files in one"


@each_format
def test_a_file_that_was_cut_off_is_refused(name: str) -> None:
    lines = WRITERS[name](PIECES).splitlines()
    least = len(lines) - (1 if name == "APP1.hex" else 2)  # an S-record file may end in its count
    for count in range(1, least + 1):
        assert "cut off" in refusal(name, b"\n".join(lines[:count]))


@each_format
@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=40)), max_size=8), st.integers(1, 32))
def test_equal_bytes_given_twice_are_the_same_image(name: str, runs: list[tuple[int, bytes]], width: int) -> None:
    pieces = [(0x0800FF00 + at, BIN[at : at + len(data)]) for at, data in runs]
    assert whole(name, {"APP1.hex": hexed, "APP1.srec": srec}[name](pieces, width=width)) == Image.of(
        Piece(address, data) for address, data in pieces
    )


# Intel HEX


@pytest.mark.parametrize("kind", [0x06, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x20, 0xFF])
def test_records_of_other_types_are_passed_over_with_a_note(kind: int) -> None:
    extra = hex_record(kind, 0, b"\xff" * 16)
    for text in (extra + hexed(PIECES), hexed(PIECES).replace(b":00000001FF", extra * 2 + b":00000001FF")):
        assert whole("APP1.hex", text) == whole("APP1.hex", hexed(PIECES))
        assert f"type 0x{kind:02X} record" in "".join(intel_hex.read("APP1.hex", text).notes)
    broken = extra[:-2] + (b"0" if extra[-2:-1] != b"0" else b"1") + b"\n"
    assert "wrong checksum" in refusal("APP1.hex", broken + hexed(PIECES))


def test_very_many_types_make_one_note() -> None:
    extra = b"".join(hex_record(kind, 0, b"") for kind in range(6, 256))
    (note,) = intel_hex.read("APP1.hex", extra + hexed(PIECES)).notes
    assert note.endswith("others")
    assert len(note) < 200


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b":02000004", b":03000004", "line 1 of APP1.hex says 3 bytes and has 2"),
        (b"0802F0", b"0802F1", "line 1 of APP1.hex has a wrong checksum"),
        (b":00000001FF", b":0100000100FE", "has 1 bytes, and records of its type have 0"),
        (b":00000001FF", b":0100000200FD\n:00000001FF", "has 1 bytes, and records of its type have 2"),
        (b":00000001FF", b":0100000500FA\n:00000001FF", "has 1 bytes, and records of its type have 4"),
        (b":00000001FF", b":\xd9\xa3\n:00000001FF", "is no Intel HEX record"),
    ],
)
def test_a_broken_hex_file_is_refused(old: bytes, new: bytes, said: str) -> None:
    assert old in hexed(PIECES)
    assert said in refusal("APP1.hex", hexed(PIECES).replace(old, new))


def test_where_to_start_is_not_for_the_chip() -> None:
    start = hex_record(5, 0, bytes(4)) + hex_record(3, 0, bytes(4))
    assert whole("APP1.hex", start * 2 + hexed(PIECES)) == whole("APP1.hex", hexed(PIECES))
    assert not intel_hex.read("APP1.hex", start + hexed(PIECES)).notes


def test_segments_of_64k_begin_at_multiples_of_16() -> None:
    text = hex_record(2, 0, b"\x12\x34") + hex_record(0, 0x10, b"data") + hex_record(1, 0, b"")
    assert whole("APP1.hex", text).pieces == (Piece(0x12350, b"data"),)


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFF00), st.binary(min_size=1, max_size=60)), max_size=6))
def test_another_library_reads_and_writes_the_same(runs: list[tuple[int, bytes]]) -> None:
    other = IntelHex()
    for address, data in runs:
        other.frombytes(data, offset=address)
    written = io.StringIO()
    other.write_hex_file(written)
    expected = tuple(Piece(start, other.tobinstr(start=start, size=end - start)) for start, end in other.segments())
    assert whole("APP1.hex", written.getvalue().encode()).pieces == expected
    again = IntelHex()
    again.loadhex(io.StringIO(hexed([(each.offset, each.data) for each in expected]).decode()))
    assert again.segments() == other.segments()


# S-records


@pytest.mark.parametrize(("kind", "base"), [(1, 0x100), (2, 0x20100), (3, 0x08020100)])
def test_s_records_have_addresses_of_three_widths(kind: int, base: int) -> None:
    assert whole("APP1.srec", srec([(base, BIN)], kind=kind)).pieces == (Piece(base, BIN),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"S5030041BB", b"S5030040BC", "says 64 records with data, and 65 came before"),
        (b"S5030041BB", b"S5030041BC", "is broken"),
        (b"S315", b"S314", "is broken"),
        (b"S315", b"S015", "says 65 records"),
        (b"S70500000000FA", b"S7040000FB", "is no Motorola S-record record"),
    ],
)
def test_a_broken_s_record_file_is_refused(old: bytes, new: bytes, said: str) -> None:
    text = srec(PIECES)
    assert old in text
    assert said in refusal("APP1.srec", text.replace(old, new, 1))


def test_what_carries_no_bytes_in_s_records_is_passed_over() -> None:
    text = b"S0030000FC\n" + srec_line(4, 0, b"x") + srec(PIECES)
    assert whole("APP1.srec", text) == whole("APP1.srec", srec(PIECES))
    assert s_record.read("APP1.srec", text).notes == ("APP1.srec: passed over 1 S4 record",)
    symbols = b"$$ app.srec\n  main $08020101\n  $d $8020\n$$ \n" + srec(PIECES)
    assert whole("APP1.srec", symbols) == whole("APP1.srec", srec(PIECES))


@pytest.mark.parametrize("count", [0xFFFF, 0x10001])
def test_a_count_may_have_no_room_for_all_records(count: int) -> None:
    lines = srec_line(1, 0, b"x") * count
    assert whole("APP1.srec", lines + srec_line(5, count & 0xFFFF, b"")).size == 1
    assert whole("APP1.srec", lines + srec_line(6, count, b"")).size == 1
    assert "records with data" in refusal("APP1.srec", lines + srec_line(5, 7, b""))


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=60)), min_size=1, max_size=6))
def test_the_library_writes_what_is_read(runs: list[tuple[int, bytes]]) -> None:
    image = Image.of(Piece(address << 12, data) for address, data in dict(runs).items())
    other = BinFile()
    for piece in image.pieces:
        other.add_binary(piece.data, piece.offset)
    assert whole("APP1.srec", other.as_srec().encode()) == image
