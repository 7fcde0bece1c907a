"""The files in tests/data/cases, through format and guards, each also as files of the other formats."""

from dataclasses import replace
from pathlib import Path

import pytest

from flashdeck.config import Guard, Outside, Partition, Profile
from flashdeck.config_file import load
from flashdeck.errors import ErrorKind, RefusedError
from flashdeckd.images import dfu_file, guards, intel_hex
from flashdeckd.images.image import Image, Piece
from flashdeckd.images.parsing import Parsed, parse_for
from image_writers import WRITERS, Pieces, hexed, srec

CASES = Path(__file__).resolve().parents[2] / "data/cases"
GOOD = (CASES / "controls/good.bin").read_bytes()
START = 0x08020000
PROGRAM = Image.raw(GOOD)

PRODUCT = """
[profiles.product]
dfu = "0483:df11"
app = "0483:5740"
flash = "STM32H563RG"
[profiles.product.partitions.bootloader]
address = 0x08000000
size = "128K"
protected = true
[profiles.product.partitions.app1]
address = 0x08020000
size = "384K"
[profiles.product.partitions.partition2]
address = 0x08080000
size = "384K"
"""


@pytest.fixture
def product(tmp_path: Path) -> Profile:
    return loaded(tmp_path, PRODUCT)


@pytest.fixture
def secure_product(tmp_path: Path) -> Profile:
    return loaded(tmp_path, PRODUCT.replace("= 0x080", "= 0x0c0"))


def loaded(directory: Path, text: str) -> Profile:
    path = directory / "flashdeck.toml"
    path.write_text(text)
    return load(path).profiles["product"]


def case(name: str) -> bytes:
    (path,) = (each for each in CASES.rglob(name) if each.is_file())
    return path.read_bytes()


def pieces(name: str) -> Pieces:
    """What is in a case, for the writers of other formats."""
    data = case(name)
    match name.rsplit(".", 1)[1]:
        case "hex":
            segments = intel_hex.read(name, data).segments
        case "dfu":
            segments = dfu_file.read_dfuse(name, memoryview(data)[:-16]).segments
        case _:
            return [(START, data)]
    return [(each.address, bytes(each.data)) for each in segments]


def written(name: str) -> dict[str, bytes]:
    """The case in all formats with addresses, and as itself."""
    return {name: case(name)} | {other: write(pieces(name)) for other, write in WRITERS.items()}


def taken(name: str, data: bytes, profile: Profile, partition: Partition | None = None) -> Parsed:
    partition = partition or profile.partitions["app1"]
    parsed = parse_for(name, data, profile, partition)
    guards.check(parsed.image, profile, partition)
    return parsed


def refusal(name: str, data: bytes, profile: Profile, partition: Partition | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        taken(name, data, profile, partition)
    assert caught.value.hint
    assert (caught.value.message + caught.value.hint).isprintable()
    return caught.value


def own_part(profile: Profile) -> Partition:
    return replace(profile.partitions["app1"], outside=Outside.LEAVE_OUT)


@pytest.mark.parametrize(
    ("name", "place", "hint"),
    [
        ("c01-option-bytes.hex", "option bytes", "flashdeck never writes option bytes"),
        ("c02-external-ram.hex", "external memory", "internal flash only"),
        ("c24-boot-and-app.hex", "partition bootloader", "takes its own part"),
        ("c25-two-targets-flash-and-option.dfu", "option bytes", "STM32CubeProgrammer"),
    ],
)
def test_bytes_for_other_places_are_refused_by_what_lives_there_or_left_out(
    product: Profile, name: str, place: str, hint: str
) -> None:
    for other, data in written(name).items():
        error = refusal(other, data, product)
        assert error.kind is ErrorKind.OUTSIDE_PARTITION
        assert place in error.message
        assert hint in error.hint
        assert 'outside = "leave-out" for app1' in error.hint
        parsed = taken(other, data, product, own_part(product))
        assert parsed.image == PROGRAM
        assert place in "".join(parsed.notes)


def test_a_merged_raw_binary_has_its_part_taken_by_its_base(product: Profile) -> None:
    """Bootloader and application touch in it, and both have their vector tables."""
    whole = Image.of(Piece(address, data) for address, data in pieces("c24-boot-and-app.hex"))
    merged = whole.read(replace(product.partitions["app1"].span, start=0x08000000, end=whole.end))
    based = replace(own_part(product), base=0x08000000)
    parsed = taken("merged.bin", merged, product, based)
    assert parsed.image == PROGRAM
    assert any("cut at 0x08020000" in note for note in parsed.notes)
    assert "too large" in refusal("merged.bin", b"\xff" * 0x20000 + GOOD, product, based).message
    assert "too large" not in refusal("merged.bin", merged, product, replace(based, outside=Outside.REFUSE)).message


def test_a_version_far_behind_the_program_is_a_piece_of_its_own(product: Profile) -> None:
    for other, data in written("c07-far-version.hex").items():
        one, two = taken(other, data, product).image.pieces
        assert one == Piece(0, GOOD)
        assert two == Piece(0x5DFE0, b"\x02\x01")


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("c11-custom-record.hex", "type 0x0C record"),
        ("c12-size-with-suffix.dfu", "header says 4405 bytes"),
        ("c20-overlap-same.hex", ""),
        ("c28-app.s19", ""),
        ("c28-app.srec", ""),
        ("c31-comments.hex", "1 comment line"),
        ("c31b-lowercase-crlf-sub.hex", ""),
    ],
)
def test_what_carries_no_bytes_breaks_no_file(product: Profile, name: str, note: str) -> None:
    parsed = taken(name, case(name), product)
    assert parsed.image == PROGRAM
    assert note in "".join(parsed.notes)
    assert bool(note) is bool(parsed.notes)


def test_equal_bytes_given_twice_are_no_contradiction(product: Profile) -> None:
    for other, data in written("c20-overlap-same.hex").items():
        assert taken(other, data, product).image == PROGRAM
    for other, data in written("c20b-overlap-differ.hex").items():
        assert "two contents for 0x08020100" in refusal(other, data, product).message


def test_two_suffixes_are_told(product: Profile) -> None:
    for name in ("c13-two-suffixes.bin", "app.dfu", "out/blinky"):
        assert "two DFU suffixes" in refusal(name, case("c13-two-suffixes.bin"), product).message


@pytest.mark.parametrize("name", ["c14-unsigned-slot.bin", "c14-unsigned-slot.hex"])
def test_what_mcuboot_wants_signed_is_told(product: Profile, name: str) -> None:
    for other, data in written(name).items():
        error = refusal(other, data, product)
        assert "MCUboot's input before signing" in error.message
        assert "signed file" in error.hint


def test_an_image_that_runs_from_ram_is_told(product: Profile) -> None:
    for other, data in written("c15-runs-from-ram.bin").items():
        error = refusal(other, data, product)
        assert "runs from RAM at 0x24000" in error.message
        assert 'leave "reset" out of the guards' in error.hint


def test_the_secure_alias_is_taken_where_it_is_configured_and_told_where_it_is_not(
    product: Profile, secure_product: Profile
) -> None:
    for name in ("c17-trustzone-secure.bin", "c17-trustzone-secure.hex"):
        for other, data in written(name).items():
            error = refusal(other, data, product)
            assert "secure alias" in error.message + error.hint
            assert "0x0c020000" in error.message + error.hint
    for other, data in written("c17-trustzone-secure.hex").items():
        assert taken(other, data, secure_product).image == Image.raw(case("c17-trustzone-secure.bin"))


def test_two_files_in_one_are_told_with_the_line(product: Profile) -> None:
    name = "c23-two-files-joined.hex"
    error = refusal(name, case(name), product)
    assert error.message == f"{name} ends at line 66 and goes on: two files in one"
    boot, app = [(0x08000000, GOOD)], [(START, GOOD)]
    assert "and goes on" in refusal("app.srec", srec(boot) + srec(app), product).message
    assert "and goes on" in refusal("app", hexed(app) + hexed(boot), product, own_part(product)).message


def test_uf2_is_refused_with_the_reason(product: Profile) -> None:
    for name in ("c29-app.uf2", "app.bin"):
        error = refusal(name, case("c29-app.uf2"), product)
        assert "UF2" in error.message
        assert "USB drive" in error.message


def test_a_header_of_the_products_own_is_taken_where_it_is_configured(product: Profile) -> None:
    behind = replace(product.partitions["app1"], vectors=0x200)
    for other, data in written("c33-own-header.bin").items():
        refusal(other, data, product)
        assert taken(other, data, product, behind).image == Image.raw(case("c33-own-header.bin"))


def test_a_file_in_hundreds_of_pieces_is_taken(product: Profile) -> None:
    image = taken("c39-341-pieces.hex", case("c39-341-pieces.hex"), product).image
    assert len(image.pieces) == 342
    for other, data in written("c39-341-pieces.hex").items():
        assert taken(other, data, product).image == image


@pytest.mark.parametrize(
    "name",
    [
        *("c13b-suffix.bin", "c13c-suffix-other.bin", "c20c-out-of-order.hex", "c26-three-elements-adjacent.dfu"),
        *("c27-two-targets-same-alt.dfu", "c32-wide-records.hex", "good.bin"),
    ],
)
def test_controls_are_taken_as_ever(product: Profile, name: str) -> None:
    assert taken(name, case(name), product) == Parsed(PROGRAM)


def test_controls_of_other_contents_are_taken_as_ever(product: Profile) -> None:
    parsed = taken("c37-no-sections.elf", case("c37-no-sections.elf"), product)
    assert [(each.offset, len(each.data)) for each in parsed.image.pieces] == [(0, 0x134)]
    assert not parsed.notes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("c16-riscv.bin", "app1"),
        ("c20b-overlap-differ.hex", "two contents for 0x08020100"),
        ("c21-segment-records.hex", "0x00000800"),
        ("c30-padded-past-end.bin", "8192"),
    ],
)
def test_controls_are_refused_as_ever(product: Profile, name: str, said: str) -> None:
    assert said in refusal(name, case(name), product).message


def test_an_image_without_a_vector_table_is_taken_with_these_guards_left_out(product: Profile) -> None:
    only_fits = replace(product.partitions["app1"], guards=frozenset((Guard.FITS,)))
    for other, data in written("c16-riscv.bin").items():
        assert taken(other, data, product, only_fits).image == Image.raw(case("c16-riscv.bin"))


def test_a_program_for_another_partition_is_refused_in_every_format(product: Profile) -> None:
    for name, write in WRITERS.items():
        partition2 = replace(own_part(product), name="partition2", span=product.partitions["partition2"].span)
        error = refusal(name, write([(START, GOOD)]), product, partition2)
        assert error.kind is ErrorKind.OUTSIDE_PARTITION
        assert "nothing for partition2" in error.message


def test_every_case_is_looked_at() -> None:
    text = Path(__file__).read_text()
    assert [path.name for path in CASES.rglob("c*.*") if path.name not in text] == []
