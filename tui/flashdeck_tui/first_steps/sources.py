"""Devices and boards as they are now: from the daemon where there is one, else from `flashdeckd scan`."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from flashdeck.api import BoardList, GetBoards
from flashdeck.client import Client
from flashdeck.first_board.found import ScanLine
from flashdeck.model import BoardState, DeviceState
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.daemon_program import following_devices, plugged_devices

ASK_AGAIN: Final = 0.3
"""Seconds between two questions to the daemon while a board is waited for."""


@dataclass(frozen=True, slots=True)
class Bus:
    """The devices and boards at one instant."""

    devices: tuple[DeviceState, ...]
    boards: tuple[BoardState, ...] = ()
    troubles: tuple[str, ...] = ()
    """The reasons why devices are not seen as they should be."""


class Source(Protocol):
    """Tells of devices and boards."""

    def now(self) -> Bus:
        """Return them as they are."""
        ...

    def after(self, before: Bus) -> Bus:
        """Return them once they are not as they were."""
        ...


class FromDaemon:
    """The daemon's boards, and the devices that are none of them."""

    def __init__(self, *, virtual: bool) -> None:
        """`virtual`: a daemon of emulated boards is looked for where none is named."""
        self._virtual = virtual

    def now(self) -> Bus:
        """Return them as they are."""
        return converse(_ask, virtual=self._virtual)

    def after(self, before: Bus) -> Bus:
        """Return them once they are not as they were."""

        async def wait(client: Client) -> Bus:
            while True:  # asked again and again: no event tells of devices whose application is running
                bus = await _ask(client)
                if bus != before:
                    return bus
                await asyncio.sleep(ASK_AGAIN)

        return converse(wait, virtual=self._virtual)


class FromScan:
    """The devices that the kernel shows."""

    def now(self) -> Bus:
        """Return them as they are."""
        return _of_line(plugged_devices())

    def after(self, before: Bus) -> Bus:
        """Return them once they are not as they were; as they are, where that cannot be followed any more."""
        with following_devices() as lines:
            for line in lines:
                if (bus := _of_line(line)) != before:
                    return bus
        return self.now()


async def _ask(client: Client) -> Bus:
    reply: BoardList = await client.call(GetBoards())
    return Bus((*reply.devices, *reply.running), reply.boards)


def _of_line(line: ScanLine) -> Bus:
    return Bus(line.devices or (), troubles=(*((line.trouble,) if line.trouble else ()), *line.unread))
