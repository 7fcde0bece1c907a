"""Consoles behind the kernel's own cdc_acm: which of many /dev/ttyACM is whose, who has it, and its modem lines."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from flashdeck import api
from flashdeck.console_kinds import ConsoleCondition, ConsoleKind
from flashdeck.model import ConsoleState, Presence, Snapshot
from flashdeckd.virtual.spec import BoardSpec
from flashdeckd.virtual.voice import Saying
from vm.desk import Desk, desk, of, talking_board
from vm.vhci import Port

PLUGGED = (5, 2, 8, 1, 7, 3, 6, 4)
"""Ports, in the order in which boards are plugged into them: the kernel counts its ttys by that."""
TWIN = "SAME FOR ALL"
CONSOLE = '[profiles.product.console]\nport = "app"\n'
DTR, RTS = 1, 2
OPENED = " opened at 115200 baud"


def words_of(name: str) -> str:
    return f"this is {name}"


def talking(port: int) -> BoardSpec:
    """One of eight boards that nothing tells from each other but what they say: the same serial, or none.

    It begins once it sees DTR: what had gathered before would come in pieces, and a slow machine might show a piece.
    """
    name = f"board{port}"
    says = (Saying(words_of(name).encode() + b"\r\n"), Saying(words_of(name).encode() + b"\r\n", after=1, every=2))
    return replace(talking_board(name, port, *says, serial=TWIN if port % 2 else ""), waits_for_dtr=True)


def by_port(*specs: BoardSpec) -> str:
    return "".join(f'[boards.{it.name}]\nprofile = "product"\nport = "{Port(it.port).path}"\n' for it in specs)


def console_of(now: Snapshot, name: str) -> ConsoleState:
    state = of(now, name).console
    assert state is not None
    return state


def all_in(condition: ConsoleCondition, *names: str) -> Callable[[Snapshot], bool]:
    return lambda now: all(console_of(now, name).condition is condition for name in names)


async def until_said(it: Desk, name: str, text: str, *, after: int = 0) -> int:
    """Wait until a console has a line behind the entry `after`; return the number of the last entry that was read."""
    while True:
        page = await it.rig.client.call(api.GetConsole(board=name, after=after or -1, wait=30))
        after = page.next
        if any(entry.kind is ConsoleKind.LINE and entry.text == text for entry in page.entries):
            return after


async def said(it: Desk, name: str, *, after: int = 0) -> set[str]:
    """Return the different lines that a console has behind an entry, but empty ones.

    The kernel makes two ends of a line of CR and LF that come between the open and the first setting of a port.
    """
    page = await it.rig.client.call(api.GetConsole(board=name, after=after or -1, limit=1000))
    return {entry.text for entry in page.entries if entry.kind is ConsoleKind.LINE and entry.text}


async def until_mark(it: Desk, name: str, text: str, *, after: int) -> int:
    """Wait for a mark with this text behind an entry; return its number."""
    while True:
        page = await it.rig.client.call(api.GetConsole(board=name, after=after, wait=30))
        for entry in page.entries:
            if entry.kind is ConsoleKind.MARK and text in entry.text:
                return entry.number
        after = page.next


@contextmanager
def grabbed(node: str) -> Generator[None]:
    """An intruder: another program that opens a port."""
    descriptor = os.open(node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        yield
    finally:
        os.close(descriptor)


async def test_each_of_eight_consoles_has_the_words_of_the_board_in_its_port_and_an_intruder_is_named(
    root: Path,
) -> None:
    specs = {port: talking(port) for port in range(1, 9)}
    names = [spec.name for spec in specs.values()]
    async with desk(root, *specs.values(), boards=by_port(*specs.values()), profile=CONSOLE) as it:
        for port in PLUGGED:
            it.bench.plug(specs[port].name)
            await it.tty_of(specs[port].name)
        now = await it.rig.until(all_in(ConsoleCondition.OPEN, *names))
        nodes = [console_of(now, name).node for name in names]
        assert len(set(nodes)) == len(nodes)
        assert all(node.startswith("/dev/ttyACM") for node in nodes)
        assert nodes != sorted(nodes), "they are not numbered by their ports, which is the point"
        for name in names:
            await until_said(it, name, words_of(name))
            assert await said(it, name) == {words_of(name)}

        # Two are exchanged: a console is that of the port, whoever is in it.
        before = {name: (await it.rig.client.call(api.GetConsole(board=name))).next for name in ("board2", "board7")}
        for name in before:
            it.bench.unplug(name)
        await it.until_present(Presence.ABSENT, *before)
        await it.until_empty(*before)
        it.cables.swap("board2", "board7")
        for name in before:
            it.bench.plug(name)
        for name, other in (("board2", "board7"), ("board7", "board2")):
            gone = await until_mark(it, name, "off the bus", after=before[name])
            await until_said(it, name, words_of(other), after=gone)
            assert await said(it, name, after=gone) == {words_of(other)}

        # An intruder is there first.
        released = await it.rig.client.call(api.ReleaseConsole(board="board4"))
        with grabbed(released.console.node):
            await it.rig.client.call(api.ResumeConsole(board="board4"))
            told = await it.cli("console", "board4")
            assert told.code == 13, told
            assert f"(pid {os.getpid()}) has it open" in told.err, told
            assert words_of("board4") in told.out, "what was recorded before is shown all the same"
            last = (await it.rig.client.call(api.GetConsole(board="board4"))).next
        await it.rig.until(all_in(ConsoleCondition.OPEN, *names))
        await until_said(it, "board4", words_of("board4"), after=last)


async def test_the_device_sees_the_modem_lines_as_they_are_configured(root: Path) -> None:
    spec, keys = talking(1), "dtr = false\nrts = false\n"
    async with desk(root, spec, boards=by_port(spec), profile=CONSOLE + keys) as it:
        it.bench.plug("board1")
        opened = await until_mark(it, "board1", OPENED, after=-1)
        lines = it.cables.tallies["board1"].lines
        assert lines[-1] == 0, "the kernel raises both as a port is opened, and they are taken back"
        config = it.rig.root / "config.toml"
        for other, wanted in (("dtr = true\nrts = false\n", DTR), ("", DTR | RTS)):
            before = len(lines)
            config.write_text(config.read_text().replace(CONSOLE + keys, CONSOLE + other))
            keys = other
            await it.rig.client.call(api.ReloadConfig())
            opened = await until_mark(it, "board1", OPENED, after=opened)
            assert lines[before] == 0, "they drop as the port is closed"
            assert lines[-1] == wanted
        await it.rig.client.call(api.ReleaseConsole(board="board1"))
        assert lines[-1] == 0
