"""The emulated bus of the simulation: at each control transfer the baton is given back, and a line is told."""

from array import array
from collections.abc import Sequence

import usb.core

from flashdeckd.virtual.backend import Handle, VirtualBackend
from flashdeckd.virtual.board import VirtualBoard
from simulation.baton import Baton, Point
from simulation.onlooker import Onlooker
from simulation.story import Story


class SimBackend(VirtualBackend):
    """One for each life of the daemon."""

    def __init__(self, boards: Sequence[VirtualBoard], baton: Baton, story: Story, witness: Onlooker) -> None:
        super().__init__(boards)
        self._baton = baton
        self._story = story
        self._witness = witness

    def open_device(self, dev: object) -> Handle:
        """See the base."""
        handle = super().open_device(dev)
        self._witness.opened(handle.connection.board.spec.name, was_dfu=handle.connection.is_dfu)
        return handle

    def ctrl_transfer(
        self,
        dev_handle: object,
        bmRequestType: int,  # noqa: N803 - pyusb names it
        bRequest: int,  # noqa: N803 - pyusb names it
        wValue: int,  # noqa: N803 - pyusb names it
        wIndex: int,  # noqa: N803 - pyusb names it
        data: "array[int]",
        timeout: int,
    ) -> int:
        """See the base."""
        baton = self._baton
        assert isinstance(dev_handle, Handle)
        name = dev_handle.connection.board.spec.name
        baton.point(Point.TRANSFER)
        what = f"{name} {bmRequestType:02x} {bRequest} {wValue} {wIndex} {len(data)}"
        try:
            done = super().ctrl_transfer(dev_handle, bmRequestType, bRequest, wValue, wIndex, data, timeout)
        except usb.core.USBError as error:
            self._story.tell(baton.now, "transfer", f"{what}: {error.errno}")
            raise
        else:
            self._story.tell(baton.now, "transfer", f"{what}: {done}")
            return done
        finally:
            self._witness.look(name)
