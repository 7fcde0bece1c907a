"""A bench of emulated boards: one USB bus, and the hands that plug, press and pull."""

import asyncio
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from flashdeck.api import FlashBytes, VirtualBoardState
from flashdeck.config import MAX_SERIAL
from flashdeck.errors import ConfigError, RequestError
from flashdeck.names import did_you_mean, select_one
from flashdeck.text import clean
from flashdeckd.virtual.backend import VirtualBackend
from flashdeckd.virtual.bench_file import LATEST, MAX_TIMES, read_specs
from flashdeckd.virtual.board import VirtualBoard
from flashdeckd.virtual.faults import OF_APPLICATION, ON_MEDIA, AppCrash, Fault
from flashdeckd.virtual.hotplug import VirtualHotplug
from flashdeckd.virtual.serial_ports import VirtualSerialPorts
from flashdeckd.virtual.spec import BoardSpec

HAND_SECONDS: Final = 1.5
"""Seconds in which a hand takes one unit out of a port and puts another one in."""


class VirtualBench:
    """Boards on one bus. Every method may be called from any thread."""

    def __init__(self, specs: Iterable[BoardSpec]) -> None:
        addresses = itertools.count(1)
        self.boards: dict[str, VirtualBoard] = {}
        ports: dict[int, str] = {}
        for spec in specs:
            if spec.name in self.boards:
                raise ConfigError(f"two virtual boards are called {spec.name}", hint="give each its own name")
            if (other := ports.setdefault(spec.port, spec.name)) != spec.name:
                raise ConfigError(
                    f"virtual boards {other} and {spec.name} are both in port {spec.port}",
                    hint="a port of the bench takes one board",
                )
            self.boards[spec.name] = VirtualBoard(spec, lambda: next(addresses), self._changed)
        boards = tuple(self.boards.values())
        self.ports = VirtualSerialPorts(boards)
        self.hotplug = VirtualHotplug(boards, self.ports)
        self.backend = VirtualBackend(boards)

    def list(self) -> tuple[VirtualBoardState, ...]:
        """All boards, in the order in which they were given."""
        return tuple(
            replace(board.state(), tty=self.ports.node_of(board), uart=self.ports.uart_of(board))
            for board in self.boards.values()
        )

    def plug(self, name: str) -> VirtualBoardState:
        """Connects a board; it powers up as its specification says."""
        return self._board(name).plug()

    def unplug(self, name: str) -> VirtualBoardState:
        """Pulls a board's cable: power is lost at once, in the middle of whatever runs."""
        return self._board(name).unplug()

    async def swap(self, name: str, serial: str | None = None, fault: str = "") -> VirtualBoardState:
        """Puts another unit into a board's port, with a fault that it always has where one is named.

        A hand takes `HAND_SECONDS` for that. Raises RequestError.
        """
        board = self._board(name)
        if serial is not None and (len(serial) > MAX_SERIAL or not serial.isprintable()):
            raise RequestError(f"{clean(serial)!r} cannot be a serial", hint=f"up to {MAX_SERIAL} printable characters")
        board.exchange(serial)
        if fault:
            self.fault(board.spec.name, fault, times=MAX_TIMES)
        await asyncio.sleep(HAND_SECONDS)
        return board.plug()

    def press(self, name: str) -> VirtualBoardState:
        """Restarts a board into its bootloader, from whatever it does; it must be plugged in."""
        return self._board(name).press()

    def say(self, name: str, text: str) -> VirtualBoardState:
        """Lets a board say a line, on its application's serial port and on its UART."""
        return self._board(name).say(text)

    def fault(
        self,
        name: str,
        fault: str,
        after: int = 1,
        *,
        any_transfer: bool = False,
        times: int = 1,
        address: int | None = None,
        delay: float = 0.0,
    ) -> VirtualBoardState:
        """Arms a fault at the `after`-th DFU request from now (1 is the next); it happens once, or `times` in a row.

        With `any_transfer` it is the `after`-th control transfer, standard requests included. A fault of the flash with
        an `address` happens to the erases or writes of that byte: nothing else counts. A fault of the application
        happens `delay` seconds after its `after`-th start; 1 is that which runs, or the next. Raises RequestError.
        """
        board = self._board(name)
        if fault not in list(Fault):
            raise RequestError(
                f"there is no fault {fault!r}", hint=did_you_mean(fault, Fault) or f"known faults: {', '.join(Fault)}"
            )
        if after < 1:
            raise RequestError(f"a fault after {after} requests cannot be", hint="1 is the next request")
        if not 1 <= times <= MAX_TIMES:
            raise RequestError(f"a fault {times} times cannot be", hint=f"from 1 to {MAX_TIMES} times")
        if address is not None and fault not in ON_MEDIA:
            raise RequestError(f"the fault {fault} has no address", hint=f"those that have one: {', '.join(ON_MEDIA)}")
        if not 0 <= delay <= LATEST:
            raise RequestError(f"a fault after {delay:g} s cannot be", hint=f"from 0 to {LATEST:g} s")
        if fault in OF_APPLICATION:
            return board.crash(AppCrash(Fault(fault), delay, after - 1, times))
        if delay:
            known = ", ".join(sorted(OF_APPLICATION))
            raise RequestError(f"the fault {fault} has no delay", hint=f"those that have one: {known}")
        return board.fault(Fault(fault), after, any_transfer=any_transfer, times=times, address=address)

    def cut_power(self, name: str, after: int, share: float | None = None) -> None:
        """Lets a board's power fail once `after` more sectors are erased and words programmed, all counted together.

        The next one is cut when that `share` of it is done; None: half of an erase, nothing of a word.
        """
        self._board(name).cut_power(after, share)

    def dump(self, name: str, address: int = 0, size: int = 256 * 1024) -> FlashBytes:
        """A piece of a board's flash, at most 256 KiB; address 0 means its start."""
        return self._board(name).dump(address, size)

    def _board(self, name: str) -> VirtualBoard:
        return self.boards[select_one(name, self.boards, thing="virtual board")]

    def _changed(self) -> None:
        self.hotplug.changed()


def load_bench(path: Path) -> VirtualBench:
    """The bench that a TOML file describes. Raises ConfigError, naming file, table and key, where it cannot be."""
    return VirtualBench(read_specs(path))
