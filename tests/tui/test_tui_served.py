"""The screen where no terminal is, and another program draws it, as in a browser: it honours TEXTUAL_DRIVER."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from flashdeck_tui import terminal
from flashdeck_tui.browser.packets import BEGINNING, HEADER, Kind, Typed, kind_and_size
from flashdeck_tui.browser.screen_process import DRIVER
from flashdeck_tui.terminal import DRIVER_VARIABLE, driver_trouble, has_driver, refusal
from pseudo_terminal import PATIENCE

PROGRAM = (sys.executable, "-m", "flashdeck_tui", "--socket", "/nowhere/s")


@contextmanager
def drawn_elsewhere(driver: str = DRIVER) -> Generator["subprocess.Popen[bytes]"]:
    """The screen with pipes in place of a terminal; it ends by itself."""
    with subprocess.Popen(  # noqa: S603 - ours
        PROGRAM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, DRIVER_VARIABLE: driver, "COLUMNS": "80", "ROWS": "24", "TERM": ""},
        bufsize=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: "subprocess.Popen[bytes]", text: bytes) -> None:
    """Read what is drawn until it has `text`."""
    assert process.stdout is not None
    seen = b""
    while text not in seen:
        kind, size = kind_and_size(exactly(process, HEADER))
        contents = exactly(process, size)
        seen += contents if kind is Kind.SCREEN else b""


def exactly(process: "subprocess.Popen[bytes]", size: int) -> bytes:
    assert process.stdout is not None
    data = b""
    while len(data) < size:
        piece = process.stdout.read(size - len(data))
        assert piece, "it ended"
        data += piece
    return data


def test_it_is_drawn_into_a_pipe_takes_keys_from_one_and_quits() -> None:
    with drawn_elsewhere() as process:
        assert exactly(process, len(BEGINNING)) == BEGINNING
        until(process, b"start it")
        assert process.stdin is not None
        process.stdin.write(Typed("q").packet)
        assert process.stdout is not None
        process.stdout.read()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("end", ["stdin", "stdout", "stderr"])
def test_it_ends_with_any_of_its_pipes(end: str) -> None:
    with drawn_elsewhere() as process:
        assert exactly(process, len(BEGINNING)) == BEGINNING
        getattr(process, end).close()
        assert process.wait(PATIENCE) == terminal.GONE


def test_it_ends_with_its_stdin_though_nobody_reads_what_it_draws() -> None:
    """The page has gone, and the pipe is full."""
    with drawn_elsewhere() as process:
        assert exactly(process, len(BEGINNING)) == BEGINNING
        assert process.stdin is not None
        for _ in range(200):
            process.stdin.write(Typed("?\x1b").packet)
        process.stdin.close()
        assert process.wait(PATIENCE) == terminal.GONE


@pytest.mark.parametrize("name", ["nonsense", "nowhere.at_all:Driver", "os:path", ":x", "evil\x1b[31m", "os:sep"])
def test_a_driver_that_is_none_is_refused_in_a_line(name: str) -> None:
    trouble = driver_trouble({DRIVER_VARIABLE: name})
    assert trouble is not None
    assert "names no driver of Textual; unset it" in trouble
    assert "\x1b" not in trouble


def test_the_screen_says_so() -> None:
    with drawn_elsewhere("nonsense") as process:
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(PATIENCE) == 2
        assert err.count(b"\n") == 1
        assert b"TEXTUAL_DRIVER=nonsense names no driver of Textual" in err


def test_a_terminal_is_wanted_where_no_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver_trouble({DRIVER_VARIABLE: DRIVER}) is None
    assert driver_trouble({}) is None
    assert not has_driver({})
    monkeypatch.setenv(DRIVER_VARIABLE, DRIVER)
    assert refusal(instead="x", is_terminal=lambda _: False) is None
    monkeypatch.setenv(DRIVER_VARIABLE, "")
    assert "no terminals" in (refusal(instead="x", is_terminal=lambda _: False) or "")
