"""An image that does not belong where it is going is refused, with the likely mistake."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Guard, Partition, Profile, UsbId
from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.text import MAX_TEXT
from flashdeckd.images.guards import check
from flashdeckd.images.image import Image

K = 1024
BOOTLOADER = Partition("bootloader", Range.sized(0x08000000, 128 * K), protected=True)
APP1 = Partition("app1", Range.sized(0x08020000, 384 * K))
PARTITION2 = Partition("partition2", Range.sized(0x08080000, 384 * K))
RAM = Range.sized(0x20000000, 640 * K)
GEOMETRY = Geometry((Region(0x08000000, 64, 8 * K, 0), Region(0x08080000, 64, 8 * K, 1)), 16, (RAM,))
PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=GEOMETRY,
    chip="STM32H563RG",
    partitions={p.name: p for p in (BOOTLOADER, APP1, PARTITION2)},
)


def image(stack: int = 0x20030000, reset: int = 0x08020251, size: int = 4096) -> Image:
    return Image.raw(struct.pack("<II", stack, reset) + bytes(size - 8))


def refusal(data: Image, partition: Partition, profile: Profile = PROFILE) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        check(data, profile, partition)
    assert caught.value.hint
    return caught.value


def without(partition: Partition, *guards: Guard) -> Partition:
    return replace(partition, guards=partition.guards - set(guards))


def test_an_image_that_belongs_there_passes_without_a_word() -> None:
    assert check(image(), PROFILE, APP1) == ()
    assert check(image(reset=0x08080251), PROFILE, PARTITION2) == ()


def test_an_image_for_another_partition_is_refused_and_the_error_says_which() -> None:
    error = refusal(image(), PARTITION2)
    assert error.kind is ErrorKind.GUARD
    assert "linked for 0x08020000 = app1; it was about to go to partition2" in error.message


def test_a_bootloader_image_is_refused_for_an_application_partition() -> None:
    assert "linked for 0x08000000 = bootloader" in refusal(image(reset=0x08000251), APP1).message


def test_an_image_linked_for_no_partition_is_told_where_to_link() -> None:
    error = refusal(image(reset=0x00000251), APP1)
    assert "0x00000251" in error.message
    assert "0x08020000" in error.hint


def test_a_file_that_is_no_program_is_told_so_and_not_to_be_linked() -> None:
    error = refusal(Image.raw(b"hello world, this is text\n" * 100), APP1)
    assert "no vector table at its start" in error.message
    assert "link" not in error.hint


def test_an_even_reset_vector_is_no_vector_table() -> None:
    assert "even" in refusal(image(reset=0x08020250), APP1).message


@pytest.mark.parametrize("offset", [1, 7])
def test_a_reset_vector_that_names_its_own_table_is_refused(offset: int) -> None:
    assert "its own vector table" in refusal(image(reset=APP1.span.start + offset), APP1).message
    check(image(reset=APP1.span.start + 9), PROFILE, APP1)


@pytest.mark.parametrize("stack", [RAM.start, RAM.start + 8, RAM.end])
def test_the_stack_pointer_may_lie_in_ram_its_end_included(stack: int) -> None:
    check(image(stack=stack), PROFILE, APP1)


@pytest.mark.parametrize("stack", [0, RAM.start - 4, RAM.end + 4, 0x08020000, 0xFFFFFFFF])
def test_a_stack_pointer_outside_ram_is_refused(stack: int) -> None:
    error = refusal(image(stack=stack), APP1)
    assert f"0x{stack:08x}" in error.message
    assert str(RAM) in error.message


def test_the_largest_image_fits_and_one_byte_more_does_not() -> None:
    assert check(image(size=APP1.span.size), PROFILE, APP1) == ()
    error = refusal(image(size=APP1.span.size + 1), APP1)
    assert error.kind is ErrorKind.GUARD
    assert "1 more" in error.message


def test_a_too_large_image_for_another_partition_says_so() -> None:
    assert "app1" in refusal(image(size=APP1.span.size + 1), PARTITION2).hint


def test_leaving_out_fits_never_lets_a_larger_image_through() -> None:
    unguarded = without(APP1, *Guard)
    error = refusal(image(size=APP1.span.size + 1), unguarded)
    assert error.kind is ErrorKind.OUTSIDE_PARTITION


def test_each_guard_can_be_left_out_alone() -> None:
    elsewhere = image(reset=0x08080251)
    no_stack = image(stack=0)
    assert check(elsewhere, PROFILE, without(APP1, Guard.RESET)) == ()
    assert check(no_stack, PROFILE, without(APP1, Guard.STACK)) == ()
    refusal(elsewhere, without(APP1, Guard.STACK))
    refusal(no_stack, without(APP1, Guard.RESET))


@pytest.mark.parametrize("size", [1, 7])
def test_an_image_too_short_for_a_vector_table(size: int) -> None:
    short = image().within(Range(0, size))
    assert f"{size} bytes" in refusal(short, APP1).message
    assert check(short, PROFILE, without(APP1, Guard.STACK, Guard.RESET)) == ()


def test_an_image_with_a_broken_mcuboot_header_is_told_from_a_vector_table() -> None:
    error = refusal(image(stack=0x96F3B83D), APP1)
    assert "MCUboot" in error.message
    assert '"reset"' in error.hint
    assert '"stack"' in error.hint


@pytest.mark.parametrize(
    ("chip", "stack", "source"),
    [
        ("STM32H563RG", 0x2003FFF8, ""),
        ("STM32H563RG", 0x20040000, "ST's sample bootloader for the STM32H563"),
        ("STM32H563RG", 0x200A0000, "ST's sample bootloader for the STM32H563"),
        ("STM32F407VG", 0x2001FFF8, ""),
        ("STM32F407VG", 0x20020000, "ST's older DFU and IAP samples"),
        ("STM32L476RG", 0x20018000, ""),
    ],
)
def test_a_stack_pointer_that_a_sample_boot_check_rejects_is_warned_of(chip: str, stack: int, source: str) -> None:
    warnings = check(image(stack=stack), replace(PROFILE, chip=chip), APP1)
    assert bool(warnings) is bool(source)
    for warning in warnings:
        assert source in warning
        assert f"0x{stack:08x}" in warning
        assert "never starts" in warning
        assert "linker script" in warning
        assert len(warning) <= MAX_TEXT, "the log has it whole"


@given(stack=st.integers(RAM.start, RAM.end))
def test_the_stack_pointers_that_are_warned_of_are_those_that_the_samples_reject(stack: int) -> None:
    for chip, mask, below in (("STM32H563RG", 0x2FFC0000, 0x20040000), ("STM32F407VG", 0x2FFE0000, 0x20020000)):
        warnings = check(image(stack=stack), replace(PROFILE, chip=chip), APP1)
        assert bool(warnings) is (stack & mask != 0x20000000) is (stack >= below)
        assert all(f"below 0x{below:08x}" in warning for warning in warnings)


def test_a_reset_vector_behind_the_end_of_the_image_is_refused() -> None:
    data = image(reset=0x08020000 + 4097, size=4096)
    assert "cut off" in refusal(data, APP1).hint
    assert check(data, PROFILE, without(APP1, Guard.RESET)) == ()


def test_without_known_ram_the_stack_guard_says_so() -> None:
    blind = replace(PROFILE, geometry=replace(GEOMETRY, ram=()))
    with pytest.raises(RefusedError, match="not known"):
        check(image(), blind, APP1)


word = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0x0801FFF0, 0x08020050),
    st.integers(0x0801FFF0, 0x080E0010),
    st.integers(RAM.start - 16, RAM.end + 16),
)


@given(stack=word, reset=word, size=st.integers(8, 64))
def test_what_passes_is_exactly_what_belongs_there(stack: int, reset: int, size: int) -> None:
    start = APP1.span.start
    belongs = RAM.start <= stack <= RAM.end and reset % 2 == 1 and start + 8 <= reset - 1 <= start + size - 2
    try:
        check(image(stack, reset, size), PROFILE, APP1)
    except RefusedError:
        assert not belongs
    else:
        assert belongs


def test_an_alternate_setting_has_a_size_and_no_address() -> None:
    firmware = Partition("firmware", Range(0, 4096), guards=frozenset((Guard.FITS,)), alternate=0)
    other = Partition("other", Range(0, 8192), guards=frozenset((Guard.FITS,)), alternate=1)
    plain = replace(PROFILE, geometry=Geometry(()), partitions={"firmware": firmware, "other": other})
    assert check(image(reset=0x101), plain, firmware) == ()
    with pytest.raises(RefusedError) as caught:
        check(image(reset=0x101, size=4100), plain, firmware)
    assert "4 more than partition firmware has (4096 bytes)" in caught.value.message
    assert "linked" not in caught.value.hint
