"""The guide for authors of bootloaders: its code is C, its map is one, and its commands exist."""

import re
import shlex
import subprocess
from pathlib import Path

from flash_rig import APP1, BOOTLOADER, PARTITION2
from flashdeck.memory_map import Access, parse_memory_map
from flashdeck_tui.cli.root import root
from flashdeckd.diagnosis import st_sources
from needed_tools import need

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs/bootloader-guide.md").read_text()
CODE = re.findall(r"^```c\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
# What ST's headers would declare; only as much as the snippets use.
STUBS = """
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
typedef enum { HAL_OK } HAL_StatusTypeDef;
enum { USBD_OK, USBD_FAIL = 3 };
typedef struct { uint32_t TypeErase, Banks, Sector, NbSectors; } FLASH_EraseInitTypeDef;
enum { FLASH_TYPEERASE_SECTORS, FLASH_BANK_1, FLASH_BANK_2, FLASH_TYPEPROGRAM_QUADWORD, DFU_MEDIA_ERASE };
enum { UX_SUCCESS = 0, UX_ERROR = 0xff };
typedef void VOID; typedef unsigned UINT; typedef unsigned long ULONG; typedef unsigned char UCHAR;
HAL_StatusTypeDef HAL_FLASH_Unlock(void), HAL_FLASH_Lock(void), HAL_FLASH_Program(uint32_t, uint32_t, uint32_t);
HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *, uint32_t *);
void invalidate_caches(void), NVIC_SystemReset(void), __DSB(void);
#define RAM_START 0x20000000u
#define RAM_SIZE 0xA0000u
#define USBD_DFU_XFER_SIZE 1024U
#define UX_SLAVE_REQUEST_CONTROL_MAX_LENGTH 1024
static UCHAR RX_Data[1024];
static uint32_t pointer;
"""
EXPECTED_WARNINGS = ("unused-function", "unused-parameter", "int-to-pointer-cast", "pointer-to-int-cast")


def test_the_snippets_compile_together(tmp_path: Path) -> None:
    need("cc", packages="gcc libc6-dev")
    source = tmp_path / "guide.c"
    source.write_text(STUBS + "\n".join(CODE))
    quiet = [f"-Wno-{name}" for name in EXPECTED_WARNINGS]  # addresses of the target on a host with 64 bits
    words = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", *quiet, "-fsyntax-only", str(source)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert run.returncode == 0, run.stderr


def test_its_map_protects_the_bootloader_and_opens_the_rest() -> None:
    (text,) = re.findall(r'#define FLASH_DESC_STR "(.*?)"', "".join(CODE))
    found = parse_memory_map(text)
    assert not any(segment.access & (Access.ERASE | Access.WRITE) for segment in found.overlapping(BOOTLOADER))
    assert all(found.permits(span, Access.READ | Access.ERASE | Access.WRITE) for span in (APP1, PARTITION2))


def test_it_has_all_that_the_doctor_names_in_the_source() -> None:
    mends = " ".join(value for name, value in vars(st_sources).items() if name.isupper())
    names = set(re.findall(r"\w*[a-zA-Z]_\w+(?:\.[ch])?", mends))
    assert len(names) > 30
    assert sorted(name for name in names if name not in GUIDE) == []


def test_its_commands_exist_and_the_readme_leads_to_it() -> None:
    shell = "".join(re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))
    lines = [*re.findall(r"^flashdeck .*$", shell, re.MULTILINE), *re.findall(r"`(flashdeck [a-z][^`]*)`", GUIDE)]
    assert lines
    with root.make_context("flashdeck", ["demo"]) as context:
        for line in lines:
            _, name, *words = shlex.split(line, comments=True)
            command = root.get_command(context, name)
            assert command is not None, line
            command.make_context(name, words, parent=context).close()
    assert "docs/bootloader-guide.md" in (ROOT / "README.md").read_text()
