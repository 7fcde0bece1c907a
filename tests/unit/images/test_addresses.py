"""What lives at an address, and what to do about bytes there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.chips import find_chip
from flashdeck.config import Profile
from flashdeckd.images.addresses import MemoryKind, locate, partition_at
from product_images import PRODUCT, profile


def of_chip(name: str) -> Profile:
    chip = find_chip(name)
    return replace(
        PRODUCT,
        geometry=chip.geometry,
        chip=chip.name,
        option_bytes=chip.option_bytes,
        otp=chip.otp,
        secure_alias=chip.secure_alias,
        partitions={},
    )


@pytest.mark.parametrize(
    ("chip", "address", "place"),
    [
        ("STM32H563RG", 0x08020000, MemoryKind.UNASSIGNED),
        ("STM32H563RG", 0x0C020000, MemoryKind.SECURE_FLASH),
        ("STM32H563RG", 0x20000000, MemoryKind.RAM),
        ("STM32H563RG", 0x24000000, MemoryKind.RAM),
        ("STM32H563RG", 0x30010000, MemoryKind.SECURE_RAM),
        ("STM32H563RG", 0x1FFFF800, MemoryKind.OPTION_BYTES),  # as files for older chips have them
        ("STM32H563RG", 0x08FFF000, MemoryKind.OTP),
        ("STM32H563RG", 0x60000000, MemoryKind.EXTERNAL),
        ("STM32H563RG", 0x90000000, MemoryKind.EXTERNAL),
        ("STM32H563RG", 0xD0000000, MemoryKind.EXTERNAL),
        ("STM32H563RG", 0x40022000, MemoryKind.PERIPHERALS),
        ("STM32H563RG", 0xE000ED08, MemoryKind.PERIPHERALS),
        ("STM32H563RG", 0x0BF97000, MemoryKind.SYSTEM_MEMORY),
        ("STM32H563RG", 0x08100000, MemoryKind.NOWHERE),
        ("STM32H563RG", 0x00000000, MemoryKind.ADDRESS_ZERO),
        ("STM32H743VI", 0x00000100, MemoryKind.ADDRESS_ZERO),
        ("STM32H563RG", 0x09000000, MemoryKind.EEPROM),
        ("STM32L053R8", 0x08080000, MemoryKind.EEPROM),
        ("STM32F103CB", 0x08080000, MemoryKind.NOWHERE),
        ("STM32F407VG", 0x1FFFC000, MemoryKind.OPTION_BYTES),
        ("STM32F407VG", 0x1FFF7800, MemoryKind.OTP),
        ("STM32F407VG", 0x1FFF0000, MemoryKind.SYSTEM_MEMORY),
        ("STM32F407VG", 0x10000000, MemoryKind.RAM),
        ("STM32F407VG", 0x0C000000, MemoryKind.NOWHERE),
        ("STM32H743VI", 0x24000000, MemoryKind.RAM),
        ("STM32H743VI", 0x30000000, MemoryKind.RAM),
        ("STM32L476RG", 0x1FFF7800, MemoryKind.OPTION_BYTES),
    ],
)
def test_what_lives_at_an_address_of_a_chip(chip: str, address: int, place: MemoryKind) -> None:
    assert locate(address, of_chip(chip)).place is place


def test_a_partition_is_named() -> None:
    location = locate(0x08080004, PRODUCT)
    assert location.place is MemoryKind.PARTITION
    assert location.words == "partition partition2"
    assert "flash this file to partition2" in location.hint
    assert "protected" in locate(0x08000000, PRODUCT).hint


def test_an_alias_names_the_partition_that_it_is_of_and_how_to_change_either_side() -> None:
    location = locate(0x0C080004, PRODUCT)
    assert location.words.endswith("partition partition2")
    assert "0x08080000" in location.hint
    assert "address = 0x0c080000 for partition2" in location.hint
    location = locate(0x08080004, profile(secure=True))
    assert location.place is MemoryKind.NONSECURE_FLASH
    assert "address = 0x08080000 for partition2" in location.hint


def test_option_bytes_and_otp_name_what_can_write_them() -> None:
    assert "STM32CubeProgrammer or OpenOCD" in locate(0x1FFFF800, PRODUCT).hint
    assert "STM32CubeProgrammer" in locate(0x08FFF000, PRODUCT).hint
    assert all("never writes" in locate(address, PRODUCT).hint for address in (0x1FFFF800, 0x08FFF000))


def test_bytes_in_ram_are_a_matter_of_the_linker_script() -> None:
    for address in (0x20000000, 0x30000000):
        assert "AT> FLASH" in locate(address, PRODUCT).hint
        assert "NOLOAD" in locate(address, PRODUCT).hint


def test_an_alternate_setting_has_no_address() -> None:
    plain = replace(PRODUCT, partitions={"a": replace(PRODUCT.partitions["app1"], alternate=0)})
    assert partition_at(0x08020000, plain) is None


@given(st.integers(0, 0xFFFFFFFF), st.booleans())
def test_every_address_is_something(address: int, secure: bool) -> None:
    location = locate(address, profile(secure=secure))
    assert location.words
    assert location.hint
