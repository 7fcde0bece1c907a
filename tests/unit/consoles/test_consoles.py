"""Consoles on real pseudo-terminals: opened when they can be, given to others, and never another board's."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from flashdeck import extras
from flashdeck.config import Console
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.errors import RequestError
from flashdeck.model import Presence
from flashdeckd.consoles import console_reader
from flashdeckd.consoles.console_file import file_of
from flashdeckd.consoles.console_reader import (
    BYTES_A_SECOND,
    DRAIN_SECONDS,
    DRAINED,
    ENTRIES_A_SECOND,
    GIVEN_BACK_SECONDS,
    LENT_SECONDS,
    LOOK_SECONDS,
    PIECE,
    SILENCE_SECONDS,
)
from flashdeckd.usb.recognition import Sighting
from talking_boards import ON_APP, Talk, talking

OPEN, ABSENT, HELD, RELEASED, UNAVAILABLE = (
    ConsoleCondition.OPEN,
    ConsoleCondition.ABSENT,
    ConsoleCondition.HELD,
    ConsoleCondition.RELEASED,
    ConsoleCondition.UNAVAILABLE,
)


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "consoles") as found:
        yield found


async def opened(talk: Talk) -> None:
    """The left board runs, and its console is recorded."""
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    talk.see()
    await talk.until(lambda: talk.condition() is OPEN)


async def test_what_a_board_says_is_recorded_and_kept_on_the_disk(talk: Talk, tmp_path: Path) -> None:
    await opened(talk)
    talk.left.say(b"Booting\r\nready\r\n")
    await talk.until(lambda: talk.lines() == ["Booting", "ready"])
    assert talk.changes
    await talk.consoles.close()
    written = file_of(tmp_path / "consoles", "left").read_text().splitlines()
    assert [line[24:] for line in written][:1] == ["<running at 1-1>"]
    assert [line[24:] for line in written][2:4] == ["Booting", "ready"]
    assert talk.hub.daemon.degraded == ()


async def test_what_came_before_the_port_was_open_is_recorded_too(talk: Talk) -> None:
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    talk.left.say(b"early\n")
    talk.see()
    await talk.until(lambda: talk.lines() == ["early"])


async def test_a_port_that_comes_late_is_opened_when_it_is_there(talk: Talk) -> None:
    talk.configure(left=ON_APP, right=None)
    talk.left.start(with_port=False)
    talk.see()
    await talk.until(lambda: (state := talk.consoles.state_of("left")) is not None and "no serial port" in state.reason)
    device = talk.left.device
    talk.left.start()
    talk.left.device = device
    await talk.until(lambda: talk.condition() is OPEN)


async def test_it_survives_a_replug(talk: Talk) -> None:
    await opened(talk)
    talk.left.say(b"before\n")
    await talk.until(lambda: talk.lines() == ["before"])
    talk.left.stop()
    await talk.until(lambda: talk.condition() is ABSENT)  # the port says it before the bus does
    talk.see()
    talk.left.start()
    talk.see()
    await talk.until(lambda: talk.condition() is OPEN)
    talk.left.say(b"after\n")
    await talk.until(lambda: talk.lines() == ["before", "after"])
    assert [text.partition(":")[0] for text in talk.marks() if "opened" not in text] == [
        "running at 1-1",
        "port lost",
        "off the bus",
        "running at 1-1",
    ]


async def test_a_prompt_is_shown_without_an_end_of_line(talk: Talk) -> None:
    await opened(talk)
    talk.left.say(b"login: ")
    await talk.until(lambda: talk.lines() == ["login: "])
    assert LOOK_SECONDS[-1] > SILENCE_SECONDS


async def test_released_it_is_anybodys_until_it_is_taken_back(talk: Talk) -> None:
    await opened(talk)
    port = talk.left.port
    assert port is not None
    reader = talk.consoles.of("left")
    assert reader.has(port.node)
    await reader.release()
    assert (talk.condition(), reader.has(port.node)) == (RELEASED, False)
    assert talk.marks()[-1] == "port released to other programs"
    other = os.open(port.node, os.O_RDWR | os.O_NOCTTY)
    try:
        talk.left.say(b"theirs\n")
        assert await asyncio.to_thread(os.read, other, 100) == b"theirs\n"
    finally:
        os.close(other)
    talk.left.stop()
    talk.see()
    talk.left.start()
    talk.see()
    await asyncio.sleep(LOOK_SECONDS[0])
    assert talk.condition() is RELEASED
    await reader.resume()
    await talk.until(lambda: talk.condition() is OPEN)
    assert talk.lines() == []


async def test_a_port_that_another_program_has_is_left_to_it_by_name(talk: Talk) -> None:
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    assert talk.left.port is not None
    script = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print(flush=True); sys.stdin.read()"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(talk.left.port.node), stdin=-1, stdout=-1
    )
    assert other.stdin is not None
    assert other.stdout is not None
    await other.stdout.readline()
    talk.see()
    await talk.until(lambda: talk.condition() is HELD)
    state = talk.consoles.state_of("left")
    assert state is not None
    assert f"(pid {other.pid}) has it open" in state.reason
    assert state.node == str(talk.left.port.node)
    assert any(f"(pid {other.pid})" in line.text for line in talk.hub.logs())
    other.stdin.close()
    await other.wait()
    await talk.until(lambda: talk.condition() is OPEN)


async def test_it_gives_way_and_stays_away_until_the_board_shows_itself_anew(talk: Talk) -> None:
    await opened(talk)
    port, keeper = talk.left.port, talk.consoles.keeper_of("left")
    assert port is not None
    async with keeper.lent():
        assert not keeper.has(port.node)
        assert talk.condition() is not RELEASED
    assert not keeper.has(port.node)
    talk.left.stop()
    talk.left.start()
    talk.see()
    await talk.until(lambda: talk.condition() is OPEN)
    assert 0 < LENT_SECONDS < GIVEN_BACK_SECONDS


async def test_a_board_that_did_not_restart_is_heard_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_reader, "LENT_SECONDS", 0.05)
    await opened(talk)
    async with talk.consoles.keeper_of("left").lent():
        pass
    await talk.until(lambda: talk.condition() is OPEN)


async def test_it_is_not_lent_while_it_is_being_opened(talk: Talk) -> None:
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    talk.see()
    await asyncio.sleep(0)
    port, keeper = talk.left.port, talk.consoles.keeper_of("left")
    assert port is not None
    async with keeper.lent():
        assert not keeper.has(port.node)
        await asyncio.sleep(0.05)
        assert not keeper.has(port.node)


async def test_a_board_without_a_console_lends_nothing_and_costs_nothing(talk: Talk) -> None:
    talk.configure(left=None, right=None)
    talk.left.start()
    tasks = len(asyncio.all_tasks())
    talk.see()
    async with talk.consoles.keeper_of("left").lent():
        pass
    assert len(asyncio.all_tasks()) == tasks
    assert talk.consoles.state_of("left") is None
    with pytest.raises(RequestError, match="board left has no console") as caught:
        talk.consoles.of("left")
    assert "[profiles.left.console]" in caught.value.hint


async def test_a_flood_is_counted_and_holds_nobody_up(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_reader, "BYTES_A_SECOND", 2 * PIECE)
    await opened(talk)
    line = b"flood " * 10 + b"\n"
    while talk.dropped() == 0:
        with suppress(BlockingIOError):
            talk.left.say(line * 50)
        await asyncio.sleep(0)
    told = [entry.text for entry in talk.entries() if entry.kind is ConsoleKind.NOISE]
    assert any("the board said too much at once" in text for text in told)
    assert talk.condition() is OPEN
    assert BYTES_A_SECOND > DRAINED > PIECE
    assert DRAIN_SECONDS < SILENCE_SECONDS


async def test_a_flood_of_short_lines_is_one_too(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_reader, "ENTRIES_A_SECOND", 100)
    await opened(talk)
    talk.left.say(b"\n" * 1000)
    await talk.until(lambda: talk.dropped() > 0)
    assert len(talk.lines()) < 1000
    assert ENTRIES_A_SECOND > 100


async def test_a_path_is_followed_whatever_the_board_does(talk: Talk, tmp_path: Path) -> None:
    talk.right.start()
    assert talk.right.port is not None
    link = tmp_path / "probe"
    link.symlink_to(talk.right.port.node)
    talk.right.device = None  # its port is no board's
    talk.configure(left=Console(port=str(link), baud=9600), right=None)
    talk.see()
    await talk.until(lambda: talk.condition() is OPEN)
    assert talk.right.port.state.baud == 9600
    talk.right.say(b"from a probe\n")
    await talk.until(lambda: talk.lines() == ["from a probe"])


async def test_a_path_to_another_boards_port_is_refused(talk: Talk) -> None:
    talk.left.start()
    talk.right.start()
    assert talk.right.port is not None
    talk.configure(left=Console(port=str(talk.right.port.node)), right=None)
    talk.see()
    await talk.until(lambda: talk.condition() is UNAVAILABLE)
    state = talk.consoles.state_of("left")
    assert state is not None
    assert state.reason == "it is the serial port of board right (1-2)"
    assert not talk.right.port.state.is_open


async def test_also_where_it_is_known_only_later_whose_it_is(talk: Talk) -> None:
    talk.right.start()
    device, talk.right.device = talk.right.device, None
    assert talk.right.port is not None
    talk.configure(left=Console(port=str(talk.right.port.node)), right=None)
    talk.see()
    await talk.until(lambda: talk.condition() is OPEN)
    talk.right.device = device
    talk.see()
    await talk.until(lambda: talk.condition() is UNAVAILABLE)
    port = talk.right.port
    await talk.until(lambda: not port.state.is_open)


async def test_a_device_that_may_be_a_board_is_none_to_open(talk: Talk) -> None:
    device = talk.right.start()
    assert talk.right.port is not None
    talk.configure(left=Console(port=str(talk.right.port.node)), right=None)
    talk.consoles.see("right", Sighting(Presence.AMBIGUOUS))
    talk.consoles.look(frozenset({device}))
    await talk.until(lambda: talk.condition() is UNAVAILABLE)
    state = talk.consoles.state_of("left")
    assert state is not None
    assert "may be another board" in state.reason


async def test_one_port_is_not_the_console_of_two_boards(talk: Talk, tmp_path: Path) -> None:
    talk.right.start()
    assert talk.right.port is not None
    link = tmp_path / "probe"
    link.symlink_to(talk.right.port.node)
    talk.right.device = None
    talk.configure(left=Console(port=str(link)), right=Console(port=str(talk.right.port.node)))
    talk.see()
    await talk.until(lambda: {talk.condition("left"), talk.condition("right")} == {UNAVAILABLE})
    state = talk.consoles.state_of("left")
    assert state is not None
    assert state.reason == "the consoles of left and right are the same port"


async def test_a_path_that_is_no_port_is_refused_and_one_that_is_not_there_is_waited_for(
    talk: Talk, tmp_path: Path
) -> None:
    path = tmp_path / "port"
    talk.configure(left=Console(port=str(path)), right=None)
    await talk.until(lambda: (state := talk.consoles.state_of("left")) is not None and str(path) in state.reason)
    assert talk.condition() is ABSENT
    path.write_text("no port")
    await talk.until(lambda: talk.condition() is UNAVAILABLE)
    path.unlink()
    path.symlink_to("/dev/null")
    await talk.until(lambda: (state := talk.consoles.state_of("left")) is not None and "null" in state.node)
    assert talk.condition() is UNAVAILABLE


async def test_emulated_boards_open_no_port_of_this_machine(tmp_path: Path) -> None:
    async with talking(tmp_path / "consoles", is_emulated=True) as talk:
        talk.right.start()
        talk.right.device = None
        assert talk.right.port is not None
        talk.configure(left=Console(port=str(talk.right.port.node)), right=None)
        talk.see()
        await talk.until(lambda: talk.condition() is UNAVAILABLE)
        assert not talk.right.port.state.is_open


async def test_without_pyserial_the_reason_and_the_way_out_are_said(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_here(module: str) -> bool:
        return module != "serial"

    monkeypatch.setattr(extras, "_is_here", is_here)
    talk.configure(left=ON_APP, right=None)
    talk.left.start()
    talk.see()
    await talk.until(lambda: talk.condition() is UNAVAILABLE)
    state = talk.consoles.state_of("left")
    assert state is not None
    assert "needs pyserial, which is not installed" in state.reason
    assert "console" in state.hint


async def test_another_configuration_is_taken_over(talk: Talk) -> None:
    await opened(talk)
    port = talk.left.port
    assert port is not None
    talk.configure(left=Console(port="app", baud=9600), right=None)
    await talk.until(lambda: port.state.baud == 9600)
    talk.configure(left=None, right=None)
    assert talk.consoles.state_of("left") is None
    await talk.until(lambda: not port.state.is_open)
    talk.configure(left=ON_APP, right=None)
    await talk.until(lambda: talk.condition() is OPEN)


async def test_a_board_that_is_renamed_keeps_what_it_said(talk: Talk) -> None:
    await opened(talk)
    talk.left.say(b"before\n")
    await talk.until(lambda: talk.lines() == ["before"])
    talk.consoles.rename_boards({"left": "rack"})
    talk.configure(rack=ON_APP, right=None)
    talk.left.say(b"after\n")
    await talk.until(lambda: talk.lines("rack") == ["before", "after"])
    assert talk.consoles.state_of("left") is None


async def test_a_fault_of_ours_costs_that_console_alone(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(console_reader, "open_port", broken)
    talk.configure(left=ON_APP, right=ON_APP)
    talk.left.start()
    talk.see()
    await talk.until(lambda: bool(talk.hub.daemon.degraded))
    assert "console left: a fault in flashdeckd" in talk.hub.daemon.degraded[0]
    assert talk.condition("right") is ABSENT
