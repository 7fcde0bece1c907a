"""Standard input, line by line to its end."""

import asyncio
from collections.abc import Iterator

import pytest

from flashdeckd.host import files
from flashdeckd.host.standard_input import LONGEST_LINE, lines_of_stdin


def given(monkeypatch: pytest.MonkeyPatch, *pieces: bytes) -> None:
    """Let reads give these pieces, and then the end."""
    left: Iterator[bytes] = iter(pieces)

    def read(_descriptor: int, _size: int) -> bytes:
        return next(left, b"")

    monkeypatch.setattr(files, "read", read)


async def lines() -> list[bytes]:
    async with asyncio.timeout(20):
        return [line async for line in lines_of_stdin()]


async def test_lines_are_whole_whatever_the_pieces_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, b"one\ntw", b"o\n", b"\nthree\nno end")
    assert await lines() == [b"one\n", b"two\n", b"\n", b"three\n"]


async def test_of_a_line_that_is_too_long_the_end_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"x" * (LONGEST_LINE - 1) + b"\n"
    given(monkeypatch, line)
    assert await lines() == [line]
    given(monkeypatch, b"1234", line)
    assert await lines() == [line]
    given(monkeypatch, b"begun ", b"a line\n" * 600 + b"end\n")
    assert (await lines())[:2] == [b"begun a line\n", b"a line\n"], "many short ones are all whole"


async def test_an_input_that_cannot_be_read_is_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int, _size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "read", fail)
    assert await lines() == []
