"""ELF files for tests of crashes: the demo's firmware, and what an Arm compiler makes of a few lines."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

PREBUILT: Final = Path(__file__).resolve().parents[1] / "config/demo/firmware/prebuilt"
ELF: Final = PREBUILT / "APP1.elf"
IMAGE: Final = PREBUILT / "APP1.bin"
ORIGIN: Final = 0x08020000
"""The address that it is linked for."""
IN_SYSTICK: Final = 0x080202B0
"""An instruction of `systick_handler`."""
BEHIND_MAIN: Final = 0x080202A1
"""The place that `main` would return to, in `reset_handler`, with the Thumb bit."""
SYSTICK: Final = 0x080202A8
"""The first instruction of `systick_handler`."""

SOURCE: Final = """\
namespace motor {
struct Loop { int gain; int step(int x); };
static inline __attribute__((always_inline)) int scale(volatile int *p, int x) {
  return *p * x;
}
int Loop::step(int x) {
  return scale((volatile int *)0x20030000, x) + gain;
}
}
extern "C" int main() { motor::Loop l{3}; for (;;) l.step(4); }
"""
TABLES: Final = """\
extern "C" { extern const unsigned table[1024]; const unsigned table[1024] = { 1, 2, 3 };
unsigned look(int at) { return table[at]; }
int main() { volatile int at = 7; for (;;) at = (int)look(at); } }
"""
"""A program with constants in a section of their own."""
INLINED_LINE: Final = 4
CALL_LINE: Final = 7


def compiled(directory: Path, *options: str, source: str = SOURCE) -> Path:
    """Return the ELF file of a source, built with these options; skips where there is no compiler."""
    compiler = shutil.which("arm-none-eabi-g++")
    if compiler is None:
        pytest.skip("no arm-none-eabi-g++")
    (directory / "control.cpp").write_text(source)
    fixed = (
        "-mcpu=cortex-m4",
        "-mthumb",
        "-O2",
        "-fno-inline-functions",
        "-ffreestanding",
        "-nostdlib",
        "-fno-exceptions",
    )
    linked = (
        "-Wl,-Ttext=0x08020000",
        "-Wl,-e,main",
        "-Wl,--build-id=none",
        "-Wl,-n",
        "-o",
        "control.elf",
        "control.cpp",
    )
    command = (compiler, *fixed, *linked, *options)
    subprocess.run(command, check=True, cwd=directory, capture_output=True)  # noqa: S603 -- a compiler
    return directory / "control.elf"
