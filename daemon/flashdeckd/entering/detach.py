"""A DFU_DETACH to the run-time interface of the application (USB DFU 1.1, 5.1)."""

from flashdeck.model import JobState
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.usb.device import UsbDevice


class Detach:
    """The way of an application with a DFU run-time interface."""

    requests = "requests to detach"

    def __init__(self, thread: DeviceThread, book: JobBook) -> None:
        self._thread = thread
        self._book = book

    async def reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the device cannot be opened."""
        await self._thread.run(lambda worker: worker.reach(device), takes_place=False)

    async def ask(self, job: JobState, device: UsbDevice) -> str:
        """Send the request, which says all that there is to say."""
        self._book.log(job, "asking the application to detach into DFU mode")
        await self._thread.opened(lambda worker: worker.detach(device), takes_place=False)
        return ""
