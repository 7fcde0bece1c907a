"""A crash in a console: heard with its first line by whoever listens, and told behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeckd.consoles.console_file import file_of
from flashdeckd.crashes.board_programs import BoardProgram
from flashdeckd.images.image import NOTHING
from talking_boards import ON_APP, Talk, talking

DUMP = b"booting\r\nHardFault\r\nPC = 0x08021a3c\r\nCFSR = 0x02000000\r\n"
TOLD = ["HardFault: a division by zero", "  pc 0x08021a3c", "  nobody knows app1: addresses are not resolved"]


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "consoles") as found:
        found.consoles.know_programs(programs)
        yield found


def programs(board: str) -> tuple[BoardProgram, ...]:
    why = "nobody knows app1" if board == "left" else "nobody knows that board"
    return (BoardProgram(partition="app1", span=None, image="APP1.bin", unknown=why, read=lambda: NOTHING),)


async def opened(talk: Talk) -> None:
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    talk.see()
    await talk.until(lambda: talk.condition() is ConsoleCondition.OPEN)


def crashes(talk: Talk) -> list[str]:
    return [entry.text for entry in talk.entries() if entry.kind is ConsoleKind.CRASH]


async def test_a_crash_is_told_behind_what_the_board_has_said(talk: Talk, tmp_path: Path) -> None:
    await opened(talk)
    talk.left.say(DUMP)
    await talk.until(lambda: crashes(talk) == TOLD)
    assert [entry.kind for entry in talk.entries()][-4:] == [ConsoleKind.LINE, *(ConsoleKind.CRASH,) * 3]
    kept = file_of(tmp_path / "consoles", "left")
    await talk.until(lambda: kept.exists() and f"<{TOLD[-1]}>" in kept.read_text())


async def test_a_board_that_goes_has_its_crash_told_before_the_port_is_closed(talk: Talk) -> None:
    await opened(talk)
    talk.left.say(DUMP)
    await talk.until(lambda: "CFSR = 0x02000000" in talk.lines())
    talk.left.stop()
    talk.see()
    await talk.until(lambda: crashes(talk) == TOLD)


async def test_a_board_with_another_name_is_still_that_board(talk: Talk) -> None:
    await opened(talk)
    talk.consoles.rename_boards({"left": "middle"})
    talk.left.say(DUMP)

    def told() -> list[str]:
        return [each.text for each in talk.entries("middle") if each.kind is ConsoleKind.CRASH]

    await talk.until(lambda: bool(told()))
    assert told()[-1] == "  nobody knows that board: addresses are not resolved"
