"""A bench file's `flash_file`: what is in the flash outlives the process, killed or not."""

import subprocess
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ConfigError
from flashdeckd.virtual.nor import FlashLayout, fill
from flashdeckd.virtual.virtual_bench import load_bench

SIZE = FlashLayout().size
BENCH = """
[boards.one]
model = "classic"
timing = "none"
start = "dfu"
contents = [{ address = 0x08000000, size = "1M", pattern = 1 }]
flash_file = "one.flash"
"""
KILLED_WHILE_ERASING = """
import os, signal, sys
from pathlib import Path
from flashdeckd.virtual.spec import BoardSpec
flash = BoardSpec(name="one", flash_file=Path(sys.argv[1])).new_flash()
assert flash.erase_now(3)
flash.program_now(0x08006000, bytes(range(32)), 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def bench(folder: Path, text: str = BENCH) -> Path:
    path = folder / "bench.toml"
    path.write_text(text)
    return path


def test_the_file_begins_with_the_contents_and_keeps_what_is_done_to_them(tmp_path: Path) -> None:
    path = bench(tmp_path)
    load_bench(path)
    assert (tmp_path / "one.flash").read_bytes() == fill(SIZE, 1)
    command = [sys.executable, "-c", KILLED_WHILE_ERASING, str(tmp_path / "one.flash")]
    subprocess.run(command, check=False)  # noqa: S603 -- this very interpreter
    expected = bytearray(fill(SIZE, 1))
    expected[0x6000:0x8000] = b"\xff" * 0x2000
    expected[0x6000:0x6010] = bytes(range(16))
    assert (tmp_path / "one.flash").read_bytes() == expected
    again = load_bench(path)
    assert again.dump("one", 0x08006000, 64).data == expected[0x6000:0x6040]
    assert again.dump("one", 0x08000000, 64).data == expected[:64]


def test_a_file_of_another_size_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = bench(tmp_path)
    (tmp_path / "one.flash").write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"one.flash has 4 bytes, and the flash 1048576"):
        load_bench(path)
    assert (tmp_path / "one.flash").read_bytes() == b"mine"


def test_a_file_that_can_not_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.flash").mkdir()
    with pytest.raises(ConfigError, match=r"one.flash cannot be used: Is a directory"):
        load_bench(bench(tmp_path))


def test_two_boards_do_not_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[boards\.two\] flash_file: board one keeps its flash there, too"):
        load_bench(bench(tmp_path, BENCH + BENCH.replace("boards.one", "boards.two")))
    assert not (tmp_path / "one.flash").exists()
