"""Images with an MCUboot header: looked at behind it, and called what it says."""

import hashlib
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import AnyGuard, Guard, Partition, Profile, UsbId
from flashdeck.errors import RefusedError
from flashdeck.geometry import Geometry, Range, Region
from flashdeckd.images import mcuboot
from flashdeckd.images.guards import check as check_image
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.version import find_version as version_of

K = 1024
SLOT0 = Partition("slot0", Range.sized(0x08020000, 256 * K))
SLOT1 = Partition("slot1", Range.sized(0x08060000, 256 * K))
PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=Geometry((Region(0x08000000, 128, 8 * K, 0),), 16, (Range.sized(0x20000000, 640 * K),)),
    chip="STM32H563RG",
    partitions={"slot0": SLOT0, "slot1": SLOT1},
)
HEADER = 0x200
ENCRYPTED, NON_BOOTABLE, RAM_LOAD = 0x04, 0x10, 0x20


def check(image: bytes, profile: Profile, partition: Partition) -> tuple[str, ...]:
    return check_image(Image.raw(image), profile, partition)


def find_version(image: bytes) -> str:
    return version_of(Image.raw(image), SLOT0)


def program(stack: int = 0x20030000, reset: int = 0x08020000 + HEADER + 0x101) -> bytes:
    return struct.pack("<II", stack, reset) + b"\0flashdeck-test 9.9.9\0" + bytes(range(200)) * 5


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value


def area(magic: int, *tlvs: bytes) -> bytes:
    body = b"".join(tlvs)
    return struct.pack("<HH", magic, len(body) + 4) + body


def signed(
    body: bytes,
    *,
    flags: int = 0,
    load: int = 0,
    version: tuple[int, int, int, int] = (1, 2, 3, 0),
    protected: bytes = b"",
    hashed: bool = True,
) -> bytes:
    """As imgtool makes it, the signature a stand-in."""
    head = struct.pack("<IIHHIIBBHI4x", 0x96F3B83D, load, HEADER, len(protected), len(body), flags, *version)
    covered = head.ljust(HEADER, b"\0") + body + protected
    digest = [tlv(0x10, hashlib.sha256(covered).digest())] if hashed else []
    return covered + area(0x6907, tlv(0x01, bytes(32)), *digest, tlv(0x22, bytes(70)))


def refusal(data: bytes, partition: Partition = SLOT0) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        check(data, PROFILE, partition)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("protected", [b"", area(0x6908, tlv(0x50, b"\1\0\0\0"))])
def test_a_signed_image_passes_without_a_word(protected: bytes) -> None:
    assert check(signed(program(), protected=protected), PROFILE, SLOT0) == ()


def test_an_image_that_imgtool_padded_to_its_slot_is_the_same() -> None:
    padded = signed(program()).ljust(256 * K - 16, b"\xff") + bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
    assert check(padded, PROFILE, SLOT0) == ()


def test_the_guards_look_behind_the_header() -> None:
    error = refusal(signed(program()), SLOT1)
    assert "linked for 0x08020000 = slot0; it was about to go to slot1" in error.message
    assert 'leave "reset" out of the guards of slot1' in error.hint
    assert "0x30000000" in refusal(signed(program(stack=0x30000000))).message
    assert "behind the MCUboot header" in refusal(signed(program(reset=0x08020300))).message
    assert "too short for a vector table" in refusal(signed(b"\0\0\3\x20")).message


def test_no_sample_check_is_between_mcuboot_and_the_stack_pointer() -> None:
    assert check(signed(program(stack=0x200A0000)), PROFILE, SLOT0) == ()


def test_an_image_that_was_cut_off_in_its_program_is_refused() -> None:
    whole = signed(program())
    error = refusal(whole[: HEADER + 100])
    assert f"announces {HEADER + len(program())} bytes" in error.message
    assert "cut off" in error.hint


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (signed(program(), hashed=False), "no hash follows"),
        (signed(program())[: HEADER + len(program())], "no hash follows"),
        (signed(program())[:-1], "no hash follows"),
        (signed(program(), protected=b"no TLVs"), "no hash follows"),
        (signed(program()).replace(b"9.9.9", b"9.9.8"), "changed or damaged"),
    ],
)
def test_what_mcuboot_will_not_start_is_warned_of(image: bytes, said: str) -> None:
    (warning,) = check(image, PROFILE, SLOT0)
    assert said in warning
    assert "MCUboot will not start it" in warning


SIGNED_ONLY = frozenset[AnyGuard]((Guard.FITS, Guard.MCUBOOT))
SLOT = replace(SLOT0, guards=SIGNED_ONLY)
ALTERNATE = Partition("slot", Range(0, 256 * K), guards=SIGNED_ONLY, alternate=0)
PLAIN = replace(PROFILE, geometry=Geometry(()), chip="", partitions={"slot": ALTERNATE})


@pytest.mark.parametrize(("profile", "slot"), [(PROFILE, SLOT), (PLAIN, ALTERNATE)])
def test_the_guard_for_mcuboot_takes_what_is_signed(profile: Profile, slot: Partition) -> None:
    assert check(signed(program()), profile, slot) == ()
    assert check(signed(program(), protected=area(0x6908, tlv(0x50, b"\1\0\0\0"))), profile, slot) == ()
    assert check(signed(program()).ljust(200 * K, b"\xff"), profile, slot) == ()
    assert check(signed(b"\x55" * 1000, flags=ENCRYPTED), profile, slot) == ()  # its hash is that of the plain program
    assert check(signed(b"anything"), profile, slot) == ()  # where it runs is for the other guards


@pytest.mark.parametrize(("profile", "slot"), [(PROFILE, SLOT), (PLAIN, ALTERNATE)])
@pytest.mark.parametrize(
    ("image", "said"),
    [
        (program(), "does not begin with an MCUboot header"),
        (b"", "does not begin with an MCUboot header"),
        (bytes(100), "does not begin with an MCUboot header"),
        (signed(program())[4:], "does not begin with an MCUboot header"),
        (signed(program())[:31], "does not begin with an MCUboot header"),
        (signed(program())[: HEADER + 100], "announces"),
        (signed(program(), hashed=False), "no hash follows"),
        (signed(b"\x55" * 1000, flags=ENCRYPTED, hashed=False), "no hash follows"),
        (signed(program())[:-1], "no hash follows"),
        (signed(program()).replace(b"9.9.9", b"9.9.8"), "changed or damaged"),
        (b"\xff" * 0x200 + program(reset=0x08020000 + HEADER + 0x101), "before signing"),
    ],
)
def test_the_guard_for_mcuboot_refuses_what_is_not_signed(
    profile: Profile, slot: Partition, image: bytes, said: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        check(image, profile, slot)
    assert said in caught.value.message
    assert "imgtool sign" in caught.value.hint


def test_a_signed_image_may_leave_out_what_is_as_erased_flash() -> None:
    body = program() + b"\xff" * 512 + b"end"
    whole = signed(body)
    start = HEADER + len(program())
    image = Image.of([Piece(0, whole[:start]), Piece(start + 512, whole[start + 512 :])])
    assert check_image(image, PROFILE, SLOT) == ()
    assert check_image(image, PROFILE, SLOT0) == ()


def test_the_room_for_a_header_of_mcuboot_is_that_of_its_program_linked_elsewhere_too() -> None:
    unsigned = bytes(HEADER) + program()
    assert "before signing" in refusal(unsigned, SLOT1).message


@pytest.mark.parametrize(("flags", "said"), [(ENCRYPTED, "encrypted"), (0x400, "compressed"), (NON_BOOTABLE, "not st")])
def test_what_can_not_be_looked_at_is_said(flags: int, said: str) -> None:
    (warning,) = check(signed(b"\x55" * 1000, flags=flags), PROFILE, SLOT0)
    assert said in warning
    assert "not checked" in warning


def test_an_image_that_runs_in_ram_is_linked_for_where_it_is_loaded_to() -> None:
    body = program(reset=0x20001000 + HEADER + 0x11)
    assert check(signed(body, flags=RAM_LOAD, load=0x20001000), PROFILE, SLOT0) == ()
    error = refusal(signed(program(), flags=RAM_LOAD, load=0x20001000))
    assert "loaded to" in error.message
    assert "--load-addr" in error.hint


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ((1, 2, 3, 0), "1.2.3"),
        ((255, 255, 65535, 2**32 - 1), "255.255.65535+4294967295"),
        ((0, 0, 0, 7), "0.0.0+7"),
        ((0, 0, 0, 0), "flashdeck-test 9.9.9"),
    ],
)
def test_the_version_in_the_header_counts_where_somebody_gave_one(
    version: tuple[int, int, int, int], shown: str
) -> None:
    assert find_version(signed(program(), version=version)) == shown


@pytest.mark.parametrize("start", [b"\xe9\x05\x02\x20", bytes.fromhex("3db8f396")[::-1], b"\x3d\xb8\xf3\x95"])
def test_other_headers_are_none_of_mcuboots(start: bytes) -> None:
    assert mcuboot.header(start + bytes(1000)) is None


@given(
    head=st.binary(max_size=40),
    tail=st.binary(max_size=200),
    at=st.integers(0, 1800),
    other=st.binary(min_size=1, max_size=4),
)
def test_whatever_a_header_says_the_image_is_judged(head: bytes, tail: bytes, at: int, other: bytes) -> None:
    whole = signed(program())
    for image in (bytes.fromhex("3db8f396") + head + tail, whole[:at] + other + whole[at + len(other) :]):
        try:
            said = "".join(check(image, PROFILE, SLOT0))
        except RefusedError as error:
            said = error.message + error.hint
        assert (said + find_version(image)).isprintable()
