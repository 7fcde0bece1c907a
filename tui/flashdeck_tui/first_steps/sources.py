"""Devices and boards as they are now: from the daemon where there is one, else from `flashdeckd scan`."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from flashdeck.api import BoardList, GetBoards
from flashdeck.client import Client
from flashdeck.config import Config
from flashdeck.first_board.found import ScanLine
from flashdeck.model import BoardState, DeviceState, Presence
from flashdeck_tui.cli.connect import converse
from flashdeck_tui.cli.daemon_program import following_devices, plugged_devices

ASK_AGAIN: Final = 0.3
"""Seconds between two questions to the daemon while a board is waited for."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """The devices and boards at one instant."""

    devices: tuple[DeviceState, ...]
    boards: tuple[BoardState, ...] = ()
    troubles: tuple[str, ...] = ()
    """The reasons why devices are not seen as they should be."""


class BusSource(Protocol):
    """Tells of devices and boards."""

    def now(self) -> Plugged:
        """Return them as they are."""
        ...

    def after(self, before: Plugged) -> Plugged:
        """Return them once they are not as they were."""
        ...


class FromDaemon:
    """The daemon's boards, and the devices that are none of them."""

    def now(self) -> Plugged:
        """Return them as they are."""
        return converse(_ask)

    def after(self, before: Plugged) -> Plugged:
        """Return them once they are not as they were."""

        async def wait(client: Client) -> Plugged:
            while True:  # asked again and again: no event tells of devices whose application is running
                bus = await _ask(client)
                if bus != before:
                    return bus
                await asyncio.sleep(ASK_AGAIN)

        return converse(wait)


class FromScan:
    """The devices that the kernel shows; those that the configuration knows are its boards."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def now(self) -> Plugged:
        """Return them as they are."""
        return self._bus(plugged_devices())

    def after(self, before: Plugged) -> Plugged:
        """Return them once they are not as they were; as they are, where that cannot be followed any more."""
        with following_devices() as lines:
            for line in lines:
                if (bus := self._bus(line)) != before:
                    return bus
        return self.now()

    def _bus(self, line: ScanLine) -> Plugged:
        known = {device: board for device in line.devices or () if (board := self._board(device)) is not None}
        devices = tuple(device for device in line.devices or () if device not in known)
        return Plugged(devices, tuple(known.values()), (*((line.trouble,) if line.trouble else ()), *line.unread))

    def _board(self, device: DeviceState) -> BoardState | None:
        """Return the board of the configuration that a device is; its daemon will know better."""
        for board in self._config.boards.values():
            modes = {str(board.profile.app): Presence.APP, str(board.profile.dfu): Presence.DFU}
            has_name = bool(board.serial or board.port)
            same = board.serial in {"", device.serial} and board.port in {"", device.port}
            if has_name and same and device.usb_id in modes:
                return BoardState(name=board.name, profile=board.profile.name, presence=modes[device.usb_id])
        return None


async def _ask(client: Client) -> Plugged:
    reply: BoardList = await client.call(GetBoards())
    return Plugged((*reply.devices, *reply.running), reply.boards)
