"""The bytes that the screen sends to its terminal, counted where they arrive: most screens are behind an ssh."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from textual.widgets import Input

import screen_in_steps
from flashdeck_tui.settings import FRAMES_OVER_SSH
from flashdeck_tui.store import Selection
from pseudo_terminal import PATIENCE, OnTerminal
from screen_in_steps import BEGIN, END, FLASH_SECONDS
from tui_scene import make_app

IDLE_MINUTE = 1000
"""Bytes in a minute in which nothing happens."""
FLASH_SECOND = 10_000
"""Bytes a second while one board is flashed."""
SYNC = b"\x1b[?2026h"
"""The beginning of a picture, for a terminal that said that it knows this (synchronized output)."""
COLOURS = re.compile(rb"\x1b\[[0-9;]*?(?<![0-9])(?:3[0-9]|4[0-9]|9[0-7]|10[0-7])[;m]")


def everything(what: str, **variables: str) -> bytes:
    """All that is sent from the first byte to the last."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    environment = {"LANG": "C.UTF-8", "PYTHONPATH": str(Path(screen_in_steps.__file__).parent), **variables}
    app = OnTerminal(screen_in_steps.__file__, what, installed=(sys.executable, {**inherited, **environment}))
    try:
        app.until(b"\x1b[?1049l")
        assert app.ended() == 0
    finally:
        app.close()
    return app.seen


def sent(what: str) -> int:
    """Return the number of bytes between the marks."""
    seen = everything(what)
    return seen.index(END) - seen.index(BEGIN) - len(BEGIN)


def test_an_idle_minute_costs_next_to_nothing() -> None:
    assert sent("idle") <= IDLE_MINUTE


def test_a_board_that_is_flashed_costs_little() -> None:
    assert sent("flashing") <= FLASH_SECOND * FLASH_SECONDS


@pytest.mark.parametrize("keys", [("slash",), ("H",), ("f", "end", "enter"), ("3", "slash"), ("ctrl+p",)], ids="-".join)
async def test_a_line_to_type_in_waits_without_a_byte(keys: tuple[str, ...]) -> None:
    """A cursor that blinks would be drawn twice a second for as long as it is there."""
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.refresh_views()
        app.main.select(Selection(board="left", partition="app1"))
        await pilot.press(*keys)
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert not app.focused.cursor_blink


def test_no_color_sends_no_colour_at_all() -> None:
    assert COLOURS.search(everything("flashing"))
    assert not COLOURS.search(everything("flashing", NO_COLOR="1"))


@pytest.mark.parametrize("variables", [{"LANG": "C"}, {"LANG": "en_US.ISO-8859-1"}])
def test_a_terminal_that_knows_ascii_gets_nothing_else(variables: dict[str, str]) -> None:
    assert not everything("flashing").isascii()
    assert everything("flashing", **variables).isascii()


def test_over_ssh_a_held_key_makes_few_pictures_a_second() -> None:
    app = OnTerminal("--socket", "/nowhere/s", SSH_CONNECTION="192.0.2.1 5 192.0.2.2 22")
    app.until(b"start it:")
    app.until(b"\x1b[?2026$p")
    app.types(b"\x1b[?2026;2$y")
    before = len(app.seen)
    began = time.monotonic()
    for _ in range(200):
        app.types(b"\x0c")  # Ctrl-L draws all of it anew
        app.reads(0.01)
    while app.seen.count(SYNC, before) < 2:
        seen = len(app.seen)
        app.reads(PATIENCE)
        assert len(app.seen) > seen, "it draws, sooner or later"
    seconds = time.monotonic() - began
    assert app.seen.count(SYNC, before) <= FRAMES_OVER_SSH * seconds + 2
    app.process.send_signal(signal.SIGTERM)
    app.until(b"\x1b[?1049l")
    assert app.ended() == 128 + signal.SIGTERM
    app.close()
