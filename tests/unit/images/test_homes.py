"""Where a file belongs by what it says itself: never into what is protected, never by a guess."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from flashdeck.config import Outside, Partition, PartitionKind, Profile
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.geometry import Range
from flashdeckd.images.homes import homes
from image_writers import WRITERS, Pieces, hexed
from product_images import PRODUCT, profile, program

BOOT, APP1, APP2 = 0x08000000, 0x08020000, 0x08080000
APP_FOR_1 = program(vector=APP1 + 0x101)
APP_FOR_2 = program(vector=APP2 + 0x101)
LOADER = program(vector=BOOT + 0x101)


def found(name: str, data: bytes, of: Profile = PRODUCT) -> Mapping[str, bytes]:
    return {home.partition.name: home.parsed.image.pieces[0].data for home in homes(name, data, of)}


def refusal(name: str, data: bytes, of: Profile = PRODUCT) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        homes(name, data, of)
    assert caught.value.hint
    return caught.value


def lenient(*names: str) -> Profile:
    """The product, some of whose partitions leave out what is not theirs."""
    parts = {
        name: replace(each, outside=Outside.LEAVE_OUT) if name in names else each
        for name, each in PRODUCT.partitions.items()
    }
    return replace(PRODUCT, partitions=parts)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(("address", "home"), [(APP1, "app1"), (APP2, "partition2")])
def test_a_file_with_addresses_belongs_where_they_are(name: str, address: int, home: str) -> None:
    data = program(vector=address + 0x101)
    assert found(name, WRITERS[name]([(address, data)])) == {home: data}


@pytest.mark.parametrize(("data", "home"), [(APP_FOR_1, "app1"), (APP_FOR_2, "partition2")])
def test_a_raw_binary_belongs_where_its_vector_table_proves_it(data: bytes, home: str) -> None:
    assert found("APP.bin", data) == {home: data}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a program in bytes", LOADER),
        ("loader.hex", hexed([(BOOT, LOADER)])),
        ("a patch.hex", hexed([(BOOT + 0x4000, b"x" * 64)])),
    ],
)
def test_what_is_protected_is_no_home(name: str, data: bytes) -> None:
    error = refusal(name, data)
    assert error.kind is ErrorKind.PROTECTED
    assert "bootloader" in error.message


@pytest.mark.parametrize(
    "data",
    [
        bytes(4096),
        b"\xff" * 4096,
        b"text " * 100,
        program(vector=0x08010101),  # linked for the bootloader's place, but too short to reach it
        program(vector=APP1 + 0x5001),  # behind its own end
        program(stack=0x90000000, vector=APP1 + 0x101),
    ],
    ids=["zeros", "blank", "text", "elsewhere", "cut off", "no stack"],
)
def test_a_raw_binary_that_proves_nothing_goes_nowhere(data: bytes) -> None:
    error = refusal("APP.bin", data)
    assert error.kind is ErrorKind.AMBIGUOUS
    assert "app1, partition2" in error.hint
    assert "bootloader" not in error.hint


def test_no_raw_binary_is_taken_for_a_program_where_no_ram_is_known() -> None:
    blind = replace(PRODUCT, geometry=replace(PRODUCT.geometry, ram=()))
    assert refusal("APP.bin", APP_FOR_1, blind).kind is ErrorKind.AMBIGUOUS


def test_no_raw_binary_is_a_program_for_a_partition_of_data() -> None:
    assert refusal("APP.bin", APP_FOR_1, profile(holds=PartitionKind.DATA)).kind is ErrorKind.AMBIGUOUS


def test_a_program_that_a_header_lets_run_anywhere_is_not_placed_by_a_guess() -> None:
    twin = replace(PRODUCT.partitions["app1"], name="again", base=APP1)
    parts = {**PRODUCT.partitions, "again": twin}
    error = refusal("APP.bin", APP_FOR_1, replace(PRODUCT, partitions=parts))
    assert error.kind is ErrorKind.AMBIGUOUS
    assert "app1, again" in error.message


@pytest.mark.parametrize(
    ("pieces", "what"),
    [
        ([(0x20000000, b"data" * 8)], "RAM"),
        ([(0x40022000, b"data" * 8)], "peripherals"),
        ([(0x080E0000, b"data" * 8)], "no partition"),
    ],
)
def test_a_file_for_no_partition_says_what_lives_there(pieces: Pieces, what: str) -> None:
    error = refusal("odd.hex", hexed(pieces))
    assert error.kind is ErrorKind.OUTSIDE_PARTITION
    assert what in error.message


MERGED = hexed([(APP1, APP_FOR_1), (APP2, APP_FOR_2)])
WITH_LOADER = hexed([(BOOT, LOADER), (APP1, APP_FOR_1)])


def test_a_merged_file_goes_to_all_its_partitions_where_each_takes_its_part() -> None:
    both = found("merged.hex", MERGED, lenient("app1", "partition2"))
    assert both == {"app1": APP_FOR_1, "partition2": APP_FOR_2}


@pytest.mark.parametrize("names", [(), ("app1",), ("partition2",)])
def test_a_merged_file_goes_nowhere_where_one_of_them_refuses_it(names: tuple[str, ...]) -> None:
    error = refusal("merged.hex", MERGED, lenient(*names))
    assert error.kind is ErrorKind.OUTSIDE_PARTITION
    assert "leave-out" in error.hint


def test_a_file_with_the_bootloader_in_it_loses_that_only_where_the_configuration_says_so() -> None:
    assert refusal("all.hex", WITH_LOADER).kind is ErrorKind.OUTSIDE_PARTITION
    (home,) = homes("all.hex", WITH_LOADER, lenient("app1"))
    assert home.partition.name == "app1"
    assert "left out" in home.parsed.notes[0]


def test_an_alternate_setting_has_no_addresses_to_go_by() -> None:
    plain = Partition("app", Range(0, 0x10000), alternate=0)
    only = replace(PRODUCT, partitions={"app": plain})
    assert refusal("APP.bin", APP_FOR_1, only).kind is ErrorKind.AMBIGUOUS
    assert refusal("APP.hex", hexed([(APP1, APP_FOR_1)]), only).kind is ErrorKind.OUTSIDE_PARTITION


def test_a_file_that_is_broken_is_refused_as_everywhere() -> None:
    assert "line 1" in refusal("APP.hex", b":00000001FE\n").message
