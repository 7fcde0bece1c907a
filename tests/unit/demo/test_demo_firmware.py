import asyncio
import hashlib
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from flashdeck import paths
from flashdeck.errors import FlashdeckError
from flashdeck_tui.demo.firmware import PIECES, Firmware, link_slowly, next_version, with_version
from needed_tools import need_compiler

SOURCE = paths.data_file("demo", "firmware")
PREBUILT = SOURCE / "prebuilt"
PARTITIONS = {"APP1": (0x08020000, 384 * 1024), "APP2": (0x08080000, 384 * 1024)}
STACK_TOP = 0x20030000
VECTORS = 16 + 131
PT_LOAD = 1


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    directory = tmp_path / "firmware"
    shutil.copytree(SOURCE, directory, ignore=shutil.ignore_patterns("build"))
    return directory


@pytest.mark.parametrize("name", PARTITIONS)
def test_prebuilt_image_is_linked_for_its_partition(name: str) -> None:
    start, size = PARTITIONS[name]
    image = (PREBUILT / f"{name}.bin").read_bytes()
    assert 90_000 < len(image) < size
    vectors = struct.unpack_from(f"<{VECTORS}I", image)
    assert vectors[0] == STACK_TOP
    # Cortex-M runs Thumb code only, so every handler's address is odd; 8 to 10 and 13 are reserved by the architecture.
    handlers = [vector for index, vector in enumerate(vectors) if index not in {0, 8, 9, 10, 13}]
    assert all(vector & 1 and start <= vector < start + len(image) for vector in handlers)


@pytest.mark.parametrize("name", PARTITIONS)
def test_prebuilt_image_holds_the_version_of_the_source_once(name: str, copy: Path) -> None:
    assert (PREBUILT / f"{name}.bin").read_bytes().count(Firmware(copy).version.encode() + b"\0") == 1


@pytest.mark.parametrize("name", PARTITIONS)
def test_prebuilt_elf_and_bin_are_the_same_image(name: str) -> None:
    start, _ = PARTITIONS[name]
    elf = (PREBUILT / f"{name}.elf").read_bytes()
    offset, entry_size, entries = (struct.unpack_from("<I", elf, 28)[0], *struct.unpack_from("<HH", elf, 42))
    image = bytearray()
    for index in range(entries):
        kind, at, _, address, length = struct.unpack_from("<5I", elf, offset + index * entry_size)
        if kind == PT_LOAD and length:
            assert address - start >= len(image)
            image.extend(bytes(address - start - len(image)))
            image.extend(elf[at : at + length])
    assert bytes(image) == (PREBUILT / f"{name}.bin").read_bytes()


def test_no_two_sectors_of_the_image_are_alike() -> None:
    image = (PREBUILT / "APP1.bin").read_bytes()
    sectors = [image[start : start + 8192] for start in range(0, len(image), 8192)]
    assert len(set(sectors)) == len(sectors)
    assert all(len(set(sector)) > 100 for sector in sectors)


def test_prebuilt_images_have_the_recorded_hashes() -> None:
    lines = [line.split() for line in (PREBUILT / "SHA256SUMS").read_text().splitlines()]
    recorded = {name: sha256 for sha256, name in lines}
    assert recorded == {
        f"{name}.{kind}": hashlib.sha256((PREBUILT / f"{name}.{kind}").read_bytes()).hexdigest()
        for name in PARTITIONS
        for kind in ("bin", "elf")
    }


def test_the_recorded_compiler_makes_the_checked_in_images_again(copy: Path) -> None:
    need_compiler()
    recorded = (PREBUILT / "COMPILER").read_text().strip()
    answer = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=True)  # noqa: S607 - found on PATH, as make finds it
    present = answer.stdout.splitlines()[0]
    if present != recorded:
        pytest.skip(f"the images were built by {recorded}; here is {present}")
    subprocess.run(["make", "-C", copy], capture_output=True, check=True)  # noqa: S603, S607 - our own Makefile
    for name in PARTITIONS:
        for kind in ("bin", "elf"):
            built = (copy / "build" / f"{name}.{kind}").read_bytes()
            assert built == (PREBUILT / f"{name}.{kind}").read_bytes(), f"{name}.{kind}"


async def test_without_a_compiler_a_one_line_change_only_changes_the_version(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(copy))
    firmware = Firmware(copy)
    assert not firmware.compiles
    first = await firmware.build()
    assert first.image == (PREBUILT / "APP1.bin").read_bytes()
    firmware.change_version()
    second = await firmware.build()
    assert second.version == next_version(first.version)
    assert len(second.image) == len(first.image)
    assert sum(a != b for a, b in zip(first.image, second.image, strict=True)) == 1
    assert second.version.encode() in second.image


async def test_with_a_compiler_a_one_line_change_is_compiled(copy: Path) -> None:
    firmware = Firmware(copy)
    need_compiler()
    firmware.change_version()
    build = await firmware.build()
    assert build.version == next_version("demo 1.0.0")
    assert build.image.count(build.version.encode() + b"\0") == 1


@pytest.mark.long
@pytest.mark.parametrize("compiles", [True, False], ids=["compiled", "prebuilt"])
def test_the_shell_command_builds_what_was_edited_when_it_is_pasted_anywhere(
    tmp_path: Path, compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiles:
        need_compiler()
    directory = tmp_path / "a name with 'blanks' in it"
    shutil.copytree(SOURCE, directory, ignore=shutil.ignore_patterns("build"))
    firmware = Firmware(directory)
    monkeypatch.setattr(firmware, "compiles", compiles)
    firmware.source.write_text(firmware.source.read_text().replace("1.0.0", "3.1.4"))
    subprocess.run(firmware.shell_command, shell=True, check=True, capture_output=True, cwd="/")  # noqa: S602 - as a person pastes it
    image = firmware.output.read_bytes()
    assert image.count(b"demo 3.1.4\0") == 1
    assert b"demo 1.0.0" not in image
    if not compiles:
        assert len(image) == (PREBUILT / "APP1.bin").stat().st_size


@pytest.mark.long
@pytest.mark.parametrize("edited", ["version.h", "waveforms.h", "main.c"])
async def test_the_shell_command_sees_an_edit_also_after_a_build_by_hand(copy: Path, edited: str) -> None:
    firmware = Firmware(copy)
    need_compiler()
    await link_slowly((await firmware.build()).image, firmware.output, 0)
    built = firmware.output.stat().st_mtime_ns
    os.utime(copy / edited, ns=(built + 1, built + 1))
    await asyncio.to_thread(subprocess.run, ["sh", "-c", firmware.shell_command], check=True, capture_output=True)
    assert firmware.output.stat().st_mtime_ns > built


@pytest.mark.parametrize("version", ["demo 10.0.0", "demo 1/0/0", ""])
def test_without_a_compiler_a_version_that_does_not_fit_is_refused_and_nothing_built(
    copy: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = Firmware(copy)
    monkeypatch.setattr(firmware, "compiles", False)
    firmware.source.write_text(firmware.source.read_text().replace("demo 1.0.0", version))
    ended = subprocess.run(firmware.shell_command, shell=True, check=False, capture_output=True, text=True)  # noqa: S602 - as a person pastes it
    assert ended.returncode == 1
    assert "version.h" in ended.stderr
    assert not firmware.output.exists()


async def test_a_broken_source_says_what_the_compiler_said(copy: Path) -> None:
    firmware = Firmware(copy)
    need_compiler()
    with (copy / "main.c").open("a") as source:
        source.write("no such declaration;\n")
    with pytest.raises(FlashdeckError, match="does not build") as caught:
        await firmware.build()
    assert "main.c" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("first", ["", "kill -9 $$PPID; "], ids=["all of it runs", "make itself was killed"])
async def test_a_build_that_is_given_up_leaves_no_compiler_behind(copy: Path, first: str) -> None:
    firmware = Firmware(copy)
    need_compiler()
    # A build that says that it has begun, and then never ends; the pipe closes when the last of its processes is gone.
    os.mkfifo(copy / "alive")
    (copy / "Makefile").write_text(f"staging/APP1.bin:\n\t{first}exec > alive; echo begun; exec sleep 1000\n")
    build = asyncio.create_task(firmware.build())
    with await asyncio.to_thread((copy / "alive").open) as alive:
        assert await asyncio.to_thread(alive.readline) == "begun\n"
        build.cancel()
        with pytest.raises(asyncio.CancelledError):
            await build
        assert await asyncio.to_thread(alive.read) == ""


def test_a_version_that_can_not_be_counted_up_or_does_not_fit_is_refused() -> None:
    assert next_version("demo 1.0.9") == "demo 1.0.0"
    with pytest.raises(FlashdeckError, match="does not end in a digit"):
        next_version("demo")
    with pytest.raises(FlashdeckError, match="cannot get longer"):
        with_version(b"..v1\0..", "v1", "v1.0")
    with pytest.raises(FlashdeckError, match="exactly once"):
        with_version(b"..v1.0\0..", "v1", "v2")
    assert with_version(b"..v1.0\0..", "v1.0", "v2") == b"..v2\0\0\0.."


async def test_the_slow_linker_grows_the_file_piece_by_piece_while_it_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "build" / "APP1.bin"
    image = bytes(range(256)) * 4 + b"end"
    sizes: list[int] = []
    writing = asyncio.create_task(link_slowly(image, path, 0.001))
    while not writing.done():
        if path.exists() and (size := path.stat().st_size) not in sizes:
            sizes.append(size)
        await asyncio.sleep(0)
    assert path.read_bytes() == image
    assert sizes == sorted(sizes)
    assert len([size for size in sizes if size]) == PIECES
