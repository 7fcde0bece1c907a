"""Functions and lines of addresses, from symbols and from DWARF of all versions that compilers write."""

import random
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hypothesis import given, settings
from hypothesis import strategies as st

from crash_elves import BEHIND_MAIN, CALL_LINE, ELF, IN_SYSTICK, INLINED_LINE, ORIGIN, SYSTICK, compiled
from flashdeckd.crashes import elf_lines
from flashdeckd.crashes.elf_lines import LATEST_LINES, LONGEST_FILE, MOST_DEPTH, MOST_INLINED, look_up
from flashdeckd.crashes.looked_up import Frame

WHOLE = ELF.read_bytes()


def test_an_address_has_its_function_and_its_line() -> None:
    (systick,), (reset,) = look_up(WHOLE, [IN_SYSTICK, BEHIND_MAIN - 2])
    assert systick == Frame(function="systick_handler", offset=IN_SYSTICK - SYSTICK, file="main.c", line=38)
    assert (reset.function, reset.file) == ("reset_handler", "startup.c")


@pytest.mark.parametrize("address", [0, 0x20000000, ORIGIN + 0x100000, 0xFFFFFFFF])
def test_an_address_elsewhere_has_none(address: int) -> None:
    assert look_up(WHOLE, [address]) == [[]]


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("more", [(), ("-ffunction-sections",), ("-gz=zlib",)])
def test_each_version_of_dwarf(tmp_path: Path, version: int, more: tuple[str, ...]) -> None:
    data = compiled(tmp_path, f"-gdwarf-{version}", *more).read_bytes()
    step = symbol(tmp_path / "control.elf", "_ZN5motor4Loop4stepEi")
    ((inner, outer),) = look_up(data, [step])
    assert (inner.function, inner.file, inner.line, inner.is_inlined) == ("scale", "control.cpp", INLINED_LINE, True)
    assert (outer.function, outer.file, outer.line, outer.is_inlined) == (
        "motor::Loop::step",
        "control.cpp",
        CALL_LINE,
        False,
    )


def test_without_debug_information_there_are_names_alone(tmp_path: Path) -> None:
    data = compiled(tmp_path, "-g0").read_bytes()
    step = symbol(tmp_path / "control.elf", "_ZN5motor4Loop4stepEi")
    assert look_up(data, [step + 4]) == [[Frame(function="motor::Loop::step", offset=4)]]


def test_without_symbols_there_is_what_the_debug_information_has(tmp_path: Path) -> None:
    path = compiled(tmp_path, "-gdwarf-5")
    step = symbol(path, "_ZN5motor4Loop4stepEi")
    data = path.read_bytes().replace(b".symtab\0", b".xymtab\0")
    ((inner, outer),) = look_up(data, [step])
    assert (inner.function, outer.function, outer.line) == ("scale", "motor::Loop::step", CALL_LINE)


def symbol(path: Path, name: str) -> int:
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return next(each["st_value"] for each in table.iter_symbols() if each.name == name) & ~1


def test_files_below_the_directory_of_the_build_are_named_from_there(tmp_path: Path) -> None:
    path = compiled(tmp_path, "-gdwarf-5", f"-fdebug-prefix-map={tmp_path}=/home/me/fw")
    ((frame, *_),) = look_up(path.read_bytes(), [symbol(path, "main")])
    assert frame.file == "control.cpp"


def test_the_end_of_a_long_file_name_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf_lines, "LONGEST_FILE", 4)
    assert look_up(WHOLE, [IN_SYSTICK])[0][0].file == "in.c"
    assert len("main.c") < LONGEST_FILE


def test_a_line_that_no_file_can_have_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf_lines, "LATEST_LINES", 37)
    assert look_up(WHOLE, [IN_SYSTICK])[0][0].line == 0
    assert LATEST_LINES >= 0xFFFFFF


def test_so_deep_functions_in_one_another_are_gone_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = compiled(tmp_path, "-gdwarf-4")
    data, step = path.read_bytes(), symbol(path, "_ZN5motor4Loop4stepEi")
    assert [len(found) for found in look_up(data, [step])] == [2]
    monkeypatch.setattr(elf_lines, "MOST_INLINED", 1)
    assert [len(found) for found in look_up(data, [step])] == [1]
    monkeypatch.setattr(elf_lines, "MOST_DEPTH", 0)
    assert [[frame.is_inlined for frame in found] for found in look_up(data, [step])] == [[False]]
    assert MOST_INLINED > 1
    assert MOST_DEPTH > MOST_INLINED


def test_what_is_known_by_the_end_of_its_time_is_returned() -> None:
    found = look_up(WHOLE, [IN_SYSTICK], may_go_on=lambda: False)
    assert found == [[Frame(function="systick_handler", offset=IN_SYSTICK - SYSTICK)]]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 200))
def test_a_file_that_is_damaged_anywhere_raises_nothing(seed: int, count: int) -> None:
    rng = random.Random(seed)  # noqa: S311 -- damage, not secrets
    data = bytearray(WHOLE)
    table = rng.choice([0, len(data) - 4096])  # the headers are what matters most
    for _ in range(count):
        at = rng.choice([rng.randrange(len(data)), table + rng.randrange(4096)])
        data[at] = rng.randrange(256)
    found = look_up(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]), [IN_SYSTICK, BEHIND_MAIN - 2])
    assert len(found) == 2


@given(st.binary(max_size=300))
def test_what_is_no_elf_file_names_nothing(data: bytes) -> None:
    assert look_up(data, [IN_SYSTICK]) == [[]]
    assert look_up(b"\x7fELF" + data, [IN_SYSTICK]) in ([[]], [[Frame()]])
