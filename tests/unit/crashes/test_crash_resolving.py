"""Addresses become functions and lines in a process of their own, which may go wrong in any way."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from crash_elves import BEHIND_MAIN, ELF, IMAGE, IN_SYSTICK, ORIGIN
from flashdeck.geometry import Range
from flashdeckd.crashes import crash_resolving, look_up
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.crashes.crash import AddressRole, Crash, CrashAddress, CrashKind
from flashdeckd.crashes.crash_resolving import (
    FIND_SECONDS,
    LOOK_UP_SECONDS,
    MOST_OUTPUT,
    USEFUL_SECONDS,
    resolve,
)
from flashdeckd.crashes.look_up import MOST_MEMORY, main
from flashdeckd.crashes.looked_up import OTHER_FILE, Frame
from flashdeckd.host import commands, processes
from flashdeckd.images.image import Image

PC = CrashAddress(AddressRole.PC, IN_SYSTICK)
LR = CrashAddress(AddressRole.LR, BEHIND_MAIN)
APP1 = Range.sized(ORIGIN, 384 * 1024)
RAW = "addresses are not resolved"


def crash(*addresses: CrashAddress) -> Crash:
    return Crash(kind=CrashKind.FAULT, name="HardFault", addresses=addresses)


def program(directory: Path, span: Range | None = APP1) -> BoardProgram:
    (directory / "APP1.elf").write_bytes(ELF.read_bytes())
    image = Image.raw(IMAGE.read_bytes())
    return BoardProgram(partition="app1", span=span, image=str(directory / "APP1.bin"), read=lambda: image)


async def test_addresses_become_functions_and_lines(tmp_path: Path) -> None:
    found = await resolve(crash(PC, LR), (program(tmp_path),))
    assert {each: [(f.function, f.file) for f in frames] for each, frames in found.frames.items()} == {
        PC: [("systick_handler", "main.c")],
        LR: [("reset_handler", "startup.c")],
    }
    assert found.notes == ()


async def test_an_address_is_looked_up_in_the_partition_that_it_lies_in(tmp_path: Path) -> None:
    elsewhere = BoardProgram(partition="boot", span=Range(0x08000000, ORIGIN), image="", read=lambda: Image.raw(b"x"))
    in_boot, in_ram = (CrashAddress(AddressRole.BACKTRACE, at) for at in (0x08001235, 0x20000101))
    found = await resolve(crash(PC, in_boot, in_ram), (elsewhere, program(tmp_path)))
    assert set(found.frames) == {PC}
    assert found.notes == (f"boot has no image file in the configuration: {RAW}",)


async def test_where_no_address_is_in_any_partition_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "system", None)
    found = await resolve(crash(CrashAddress(AddressRole.PC, 0x20000000)), ())
    assert (found.frames, found.notes) == ({}, ())


async def test_a_partition_without_addresses_has_those_of_the_file(tmp_path: Path) -> None:
    found = await resolve(crash(PC), (program(tmp_path, span=None),))
    assert set(found.frames) == {PC}


class Commands:
    """In place of the process."""

    def __init__(self, result: commands.CommandResult | OSError) -> None:
        self.result = result
        self.asked: list[tuple[Sequence[str], float, int]] = []

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> commands.CommandResult:
        assert environment == {}
        self.asked.append((argv, seconds, most_output))
        if isinstance(self.result, OSError):
            raise self.result
        return self.result

    def find(self, program: str) -> str:
        return program


NONE: list[list[Frame]] = [[]]


@pytest.mark.parametrize(
    ("result", "note"),
    [
        (commands.CommandResult(commands.Exited(OTHER_FILE)), f"APP1.elf has just been built anew: {RAW}"),
        (
            commands.CommandResult(commands.TimedOut(20.0)),
            f"APP1.elf cannot be made sense of (the process did not end within 20 s): {RAW}",
        ),
        (
            commands.CommandResult(commands.Signalled(9)),
            f"APP1.elf cannot be made sense of (the process was ended by SIGKILL): {RAW}",
        ),
        (
            commands.CommandResult(commands.Exited(1), "MemoryError"),
            f"APP1.elf cannot be made sense of (the process ended with 1): {RAW}",
        ),
        (commands.CommandResult(commands.Exited(0), "[[{]"), f"APP1.elf cannot be made sense of: {RAW}"),
        (
            commands.CommandResult(commands.Exited(0), msgspec.json.encode(NONE).decode()),
            "APP1.elf has no names for these addresses: is it stripped?",
        ),
        (OSError(12, "Cannot allocate memory"), f"APP1.elf cannot be looked at (Cannot allocate memory): {RAW}"),
    ],
)
async def test_what_goes_wrong_with_the_process_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: commands.CommandResult | OSError, note: str
) -> None:
    place = Commands(result)
    monkeypatch.setattr(commands, "system", place)
    found = await resolve(crash(PC), (program(tmp_path),))
    assert (found.frames, found.notes) == ({}, (note,))
    ((argv, seconds, most_output),) = place.asked
    assert (seconds, most_output) == (LOOK_UP_SECONDS, MOST_OUTPUT)
    assert argv[-2:] == (f"{USEFUL_SECONDS:g}", f"{IN_SYSTICK:x}")
    assert USEFUL_SECONDS < LOOK_UP_SECONDS


async def test_a_warning_before_the_answer_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = msgspec.json.encode([[Frame(function="f", file="f.c", line=1)]]).decode()
    monkeypatch.setattr(commands, "system", Commands(commands.CommandResult(commands.Exited(0), f"warning\n{answer}")))
    found = await resolve(crash(PC), (program(tmp_path),))
    assert found.frames == {PC: [Frame(function="f", file="f.c", line=1)]}


async def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(crash_resolving.threads, "run", hangs)
    found = await resolve(crash(PC), (program(tmp_path),))
    assert found.notes == (f"the ELF file of app1 was not read within {FIND_SECONDS:g} s: {RAW}",)


def asked(path: Path, sha256: str) -> list[str]:
    return [str(path), sha256, f"{USEFUL_SECONDS:g}", f"{IN_SYSTICK:x}"]


def test_the_process_answers_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    limits: list[int] = []
    monkeypatch.setattr(processes, "limit_memory", limits.append)
    data = ELF.read_bytes()
    (tmp_path / "APP1.elf").write_bytes(data)
    assert main(asked(tmp_path / "APP1.elf", hashlib.sha256(data).hexdigest())) == 0
    (line,) = capsys.readouterr().out.splitlines()
    ((frame,),) = msgspec.json.decode(line, type=list[list[Frame]])
    assert frame.function == "systick_handler"
    assert limits == [MOST_MEMORY]


def test_the_process_names_nothing_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "limit_memory", list[int]().append)
    (tmp_path / "APP1.elf").write_bytes(ELF.read_bytes() + b"\0")
    assert main(asked(tmp_path / "APP1.elf", hashlib.sha256(ELF.read_bytes()).hexdigest())) == OTHER_FILE
    assert capsys.readouterr().out == ""


def test_the_daemon_itself_loads_nothing_that_only_the_process_needs() -> None:
    assert look_up.__name__ in sys.modules  # by this test
    imports = Path(crash_resolving.__file__).read_text()
    assert "elf_lines" not in imports
