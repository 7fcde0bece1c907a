"""A real daemon tells of the crashes of emulated boards: by function and line of the build that is on them."""

import struct
from asyncio import create_subprocess_exec, subprocess
from pathlib import Path

import msgspec

from flashdeck import api, own_python
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.model import ConsoleEntry
from rig import Rig, board, prepare, running

PREBUILT = Path(__file__).resolve().parents[2] / "config/demo/firmware/prebuilt"
BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
ON_APP = '[profiles.product.console]\nport = "app"\n'
PLAIN = board("left", start="dfu", serial_port="plain")
ZEPHYR = (
    "[00:00:00.012,000] <err> os: ***** BUS FAULT *****",
    "[00:00:00.012,000] <err> os:   Precise data bus error",
    "[00:00:00.012,000] <err> os:   BFAR Address: 0x20030000",
    "[00:00:00.012,000] <err> os: r0/a1:  0x00000000  r1/a2:  0x00000000  r2/a3:  0x00000000",
    "[00:00:00.012,000] <err> os: r3/a4:  0x00000000 r12/ip:  0x00000000 r14/lr:  0x080202a1",
    "[00:00:00.012,000] <err> os: Faulting instruction address (r15/pc): 0x080202b0",
    "[00:00:00.013,000] <inf> adc: 512",
    "[00:00:00.013,000] <err> os: >>> ZEPHYR FATAL ERROR 25: Unknown error on CPU 0",
    "[00:00:00.013,000] <err> os: Current thread: 0x20000a48 (control)",
)
SENTENCE = "BusFault: a bus error at 0x20030000, precise, in task control"
MOST_PAGES = 50
"""Pages that are read of one console."""


async def flash(rig: Rig) -> None:
    """Build the demo's firmware, and have it flashed; its console is open then."""
    (rig.root / "build").mkdir(exist_ok=True)
    (rig.root / "build/APP1.elf").write_bytes((PREBUILT / "APP1.elf").read_bytes())
    data = (PREBUILT / "APP1.bin").read_bytes()
    rig.build(data)
    await rig.wait(data=data)
    await opened(rig)


async def opened(rig: Rig) -> None:
    await rig.until(lambda now: any(b.console and b.console.condition is ConsoleCondition.OPEN for b in now.boards))


async def say(rig: Rig, *lines: str) -> None:
    """Let the board say all of it at once: what belongs to a crash comes without a pause, however slow this side is."""
    await rig.client.call(api.VirtualSay(board="left", text="\r\n".join(lines)))


async def told(rig: Rig, *, until: str) -> list[str]:
    """Return what the console of the left board says of crashes, up to a certain line."""
    found: list[ConsoleEntry] = []
    after = -1
    for _ in range(MOST_PAGES):
        page = await rig.client.call(api.GetConsole(board="left", after=after, wait=30))
        found += page.entries
        after = page.next
        texts = [entry.text for entry in found if entry.kind is ConsoleKind.CRASH]
        if any(until in text for text in texts):
            return texts
    raise AssertionError([entry.text for entry in found])


async def test_a_crash_is_told_by_function_and_line(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=PLAIN, profile=ON_APP)
    async with running(tmp_path) as rig:
        await flash(rig)
        await say(rig, *ZEPHYR)
        texts = await told(rig, until="lr")
        assert texts == [
            SENTENCE,
            "  pc 0x080202b0  systick_handler (main.c:38)",
            "  lr 0x080202a1  reset_handler (startup.c:45)",
        ]
        command = own_python.code("import sys; from flashdeck_tui.cli import main; sys.exit(main())")
        words = ("--socket", str(rig.socket), "console", "left")
        process = await create_subprocess_exec(*command, *words, stdout=subprocess.PIPE)
        shown, _ = await process.communicate()
        assert f"!!! {SENTENCE}" in shown.decode()
        assert "!!!   pc 0x080202b0  systick_handler (main.c:38)" in shown.decode()
    kept = (tmp_path / "state" / "consoles" / "left.log").read_text()
    assert f"<{SENTENCE}>" in kept


async def test_an_elf_file_that_was_built_anew_meanwhile_names_nothing(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=PLAIN, profile=ON_APP)
    async with running(tmp_path) as rig:
        await flash(rig)
        elf = rig.root / "build/APP1.elf"
        data = elf.read_bytes()
        at = data.index((PREBUILT / "APP1.bin").read_bytes()[0x2A8:0x2C8])  # the code of systick_handler
        elf.write_bytes(data[:at] + struct.pack("<H", 0xBF00) + data[at + 2 :])
        await say(rig, "HardFault", "PC = 0x080202b0", "CFSR: 0x00008200", "BFAR: 0x20030000")
        texts = await told(rig, until="not resolved")
        assert texts == [
            "HardFault: a bus error at 0x20030000, precise",
            "  pc 0x080202b0",
            "  APP1.elf is of another build (its code differs at 0x080202a8): addresses are not resolved",
        ]


async def test_an_image_that_this_daemon_has_not_flashed_is_unknown(tmp_path: Path) -> None:
    image = PREBUILT / "APP1.bin"
    words = msgspec.json.encode("HardFault\r\npc: 0x080202b0\r\n").decode()
    bench = board("left", start="boot", serial_port="plain") + f"says = [{{ text = {words}, every = '200ms' }}]\n"
    bench += f'contents = [{{ address = 0x08020000, file = "{image}" }}]\n'
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=ON_APP)
    async with running(tmp_path) as rig:
        texts = await told(rig, until="not resolved")
        unknown = "app1 was not flashed by this daemon, so nobody knows its build"
        assert texts[:3] == ["HardFault", "  pc 0x080202b0", f"  {unknown}: addresses are not resolved"]
        # it crashes again and again: that is counted, and not told each time
        texts = await told(rig, until="since then")
        assert texts.count("HardFault") < 5
