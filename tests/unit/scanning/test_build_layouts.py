"""Builds as each tool leaves them: found by their contents, named after target or project."""

import errno
import os
from pathlib import Path

import pytest

from flashdeck.first_board.found import BuildLayout, FoundBuild
from flashdeckd.host import files
from flashdeckd.scanning.builds import builds_below
from unit.scanning.trees import APP1, APP2, HOST_PROGRAM, OBJECT_FILE, elf, hexed, raw, write

L = BuildLayout


def found(root: Path) -> dict[str, FoundBuild]:
    return {os.path.relpath(build.best.path, root): build for build in builds_below(root).builds or ()}


@pytest.mark.parametrize(
    ("files", "best", "origin"),
    [
        (
            {
                "fw/CMakeLists.txt": "",
                "fw/build/CMakeCache.txt": "",
                "fw/build/app1.elf": elf(),
                "fw/build/app1.bin": raw(),
            },
            *("fw/build/app1.elf", (L.CMAKE, "app1", "")),
        ),
        (
            {"fw/build/Debug/CMakeCache.txt": "", "fw/build/Debug/app1.elf": elf(), "fw/build/Debug/app1.hex": hexed()},
            *("fw/build/Debug/app1.elf", (L.CMAKE, "app1", "Debug")),
        ),
        # The target has no ending, and the .bin is made beside it.
        (
            {"fw/build/CMakeCache.txt": "", "fw/build/src/firmware": elf(), "fw/build/src/firmware.bin": raw()},
            *("fw/build/src/firmware", (L.CMAKE, "fw", "")),
        ),
        ({"blinky/Makefile": "", "blinky/build/main.elf": elf()}, "blinky/build/main.elf", (L.MAKE, "blinky", "")),
        (
            {
                "node/platformio.ini": "",
                "node/.pio/build/nucleo_f446re/firmware.elf": elf(),
                "node/.pio/build/nucleo_f446re/firmware.bin": raw(),
                "node/.pio/libdeps/nucleo_f446re/thing/firmware.elf": elf("9"),
            },
            *("node/.pio/build/nucleo_f446re/firmware.elf", (L.PLATFORMIO, "node", "nucleo_f446re")),
        ),
        (
            {
                "APP1/.cproject": "",
                "APP1/.project": "",
                "APP1/Debug/makefile": "",
                "APP1/Debug/APP1.elf": elf(),
                "APP1/Debug/APP1.bin": raw(),
            },
            *("APP1/Debug/APP1.elf", (L.STM32CUBEIDE, "APP1", "Debug")),
        ),
        (
            {"k/MDK-ARM/k.uvprojx": "", "k/MDK-ARM/Objects/k.axf": elf(), "k/MDK-ARM/Objects/main.o": OBJECT_FILE},
            *("k/MDK-ARM/Objects/k.axf", (L.KEIL, "k", "")),
        ),
        (
            {"i/EWARM/i.ewp": "", "i/EWARM/Debug/Exe/i.out": elf(), "i/EWARM/Debug/Obj/main.o": OBJECT_FILE},
            *("i/EWARM/Debug/Exe/i.out", (L.IAR, "i", "Debug")),
        ),
        (
            {
                "r/Cargo.toml": "",
                "r/target/thumbv7em-none-eabihf/debug/.fingerprint/x": "",
                "r/target/thumbv7em-none-eabihf/debug/blinky": elf(),
                "r/target/thumbv7em-none-eabihf/debug/deps/blinky-0123456789abcdef": elf("other"),
                "r/target/debug/.fingerprint/x": "",
                "r/target/debug/build-helper": HOST_PROGRAM,
            },
            *("r/target/thumbv7em-none-eabihf/debug/blinky", (L.CARGO, "blinky", "debug")),
        ),
        (
            {
                "z/build/CMakeCache.txt": "",
                "z/build/zephyr/zephyr.elf": elf(),
                "z/build/zephyr/zephyr.bin": raw(),
                "z/build/zephyr/zephyr_pre0.elf": elf("0"),
                "z/build/zephyr/zephyr.exe": HOST_PROGRAM,
            },
            *("z/build/zephyr/zephyr.elf", (L.ZEPHYR, "z", "")),
        ),
        # Several images of one Zephyr build.
        (
            {"z/build/mcuboot/zephyr/zephyr.hex": hexed()},
            "z/build/mcuboot/zephyr/zephyr.hex",
            (L.ZEPHYR, "mcuboot", ""),
        ),
        ({"out/left.srec.d": "", "out/left.bin": raw()}, "out/left.bin", (L.PLAIN, "left", "")),
        ({"Release/tool-1.2": elf()}, "Release/tool-1.2", (L.PLAIN, "tool-1.2", "Release")),
    ],
)
def test_each_tool_s_build_is_found(
    tmp_path: Path, files: dict[str, bytes | str], best: str, origin: tuple[BuildLayout, str, str]
) -> None:
    write(tmp_path, files)
    builds = found(tmp_path)
    assert list(builds) == [best]
    build = builds[best]
    assert (build.layout, build.name, build.variant) == origin
    assert (build.best.start, build.best.is_program) == (APP1, True)


def test_the_newest_come_first_and_each_configuration_is_a_build(tmp_path: Path) -> None:
    write(tmp_path, {"a/Release/AA.elf": elf("1"), "a/Debug/AA.elf": elf("2"), "b/B.bin": raw(base=APP2)})
    builds = list(builds_below(tmp_path).builds or ())
    assert [(each.name, each.variant, each.best.start) for each in builds] == [
        ("B", "", APP2),
        ("AA", "Debug", APP1),
        ("AA", "Release", APP1),
    ]
    assert builds[0].best.start_is_guess
    assert not builds[1].best.start_is_guess


def test_what_nobody_could_flash_is_passed_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.out": HOST_PROGRAM,
            "build/CMakeFiles/3.28/CompilerIdC/a.out": elf(),
            "build/CMakeFiles/_CMakeLTOTest-C/bin/foo": elf(),
            "node_modules/x/firmware.bin": raw(),
            ".git/objects/app.bin": raw(),
            ".venv/app.bin": raw(),
            "lib/libthing.a": elf(),
            "main.o": OBJECT_FILE,
            "object-without-ending": OBJECT_FILE,
            "README": "no program",
            "font.bin": bytes(range(256)) * 20,
            "blank.bin": b"\xff" * 4096,
            "zero.bin": bytes(4096),
            "tiny.bin": b"1",
            "avr.hex": ":100000000C9435000C945D000C945D000C945D0024\n:00000001FF\n",
            "app.uf2": b"UF2\n" + bytes(508),
            "linux-arm": _with_interpreter(elf()),
        },
    )
    line = builds_below(tmp_path)
    assert line.builds == ()
    assert line.notes == ()


def test_a_broken_file_that_nothing_stands_beside_is_said(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "notes.hex": "these are no records" * 5,
            "cut.elf": elf()[:-100],
            "beside.elf": elf("2")[:-100],
            "beside.bin": raw("2"),
        },
    )
    line = builds_below(tmp_path)
    assert [build.name for build in line.builds or ()] == ["beside"]
    assert line.notes == (f"passed over: {tmp_path}/cut.elf (cut.elf ends before its segments do) and 1 more",), (
        "the newest, and how many"
    )


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"mine.elf": elf("1"), "theirs.elf": elf("2")})
    contents = files.contents

    def denied(path: Path, most: int) -> bytes:
        if path.name == "theirs.elf":
            raise PermissionError(errno.EACCES, "Permission denied")
        return contents(path, most)

    monkeypatch.setattr(files, "contents", denied)
    line = builds_below(tmp_path)
    assert [build.name for build in line.builds or ()] == ["mine"]
    assert line.notes == (f"passed over: {tmp_path}/theirs.elf (Permission denied)",)


def test_names_that_look_like_something_else(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "fw-v1.2.3-rc1": elf("1"),
            "sensor_pre2.hex": hexed("2"),
            "zephyr/app_pre1.elf": elf("3"),
            "zephyr/app.elf": elf("4"),
        },
    )
    assert [build.name for build in builds_below(tmp_path).builds or ()] == ["app", "sensor_pre2", "fw-v1.2.3-rc1"]


def _with_interpreter(program: bytes) -> bytes:
    """The same with a second program header that names a loader, as programs for Linux have it."""
    return program[:52] + (3).to_bytes(4, "little") + program[56:]


def test_links_lead_to_builds_but_not_round_and_round(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/app.elf": elf(), "here/src/main.c": ""})
    here = tmp_path / "here"
    (here / "build").symlink_to(tmp_path / "elsewhere")
    (here / "again").symlink_to(here)
    (here / "src" / "up").symlink_to(tmp_path)
    (here / "gone").symlink_to(tmp_path / "nowhere")
    (here / "self").symlink_to(here / "self")
    (here / "latest.elf").symlink_to(tmp_path / "elsewhere" / "app.elf")
    os.mkfifo(here / "pipe.bin")
    builds = builds_below(here).builds or ()
    assert len(builds) == 1, "one file, whatever it is called"


def test_a_name_that_no_configuration_can_have_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"good.bin": raw()})
    (tmp_path / "bad\x1b[31m.bin").write_bytes(raw())
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.bin")).write_bytes(raw())
    assert [build.name for build in builds_below(tmp_path).builds or ()] == ["good"]
