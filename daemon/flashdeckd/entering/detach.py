"""How a running application is brought into DFU mode for a job."""

from dataclasses import dataclass
from typing import Final

from flashdeck.config import Board, Enter
from flashdeck.errors import DeviceError, DeviceGoneError, NoAccessError
from flashdeck.model import JobState, JobStatus, Phase
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.usb.device import UsbDevice

DETACH_SECONDS: Final = 15.0
"""How long a detached board may take to come back in DFU mode; slow hubs need a few seconds."""
MAX_ASKED: Final = 3
"""An application that came back as often for one job would do so for ever, and each time the board reboots."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whom a job has asked to detach."""

    job: int = 0
    device: UsbDevice | None = None
    """The last one; it is not asked twice before it has enumerated anew."""
    times: int = 0


class Detach:
    """Asks the application of one board to detach, a few times for a job, where the profile lets it."""

    def __init__(self, board: Board, *, state: LaneState, thread: DeviceThread, book: JobBook) -> None:
        self._board = board
        self._state = state
        self._thread = thread
        self._book = book
        self._asked: _Asked = _Asked()

    async def bring_into_dfu(self, job: JobState, device: UsbDevice) -> bool:
        """Answers whether the board came back; where it did not, the job waits for a person.

        Raises ParkedError when the job was to end meanwhile, NoAccessError where the device can not be opened.
        """
        profile, name = self._board.profile, self._board.name
        hint = profile.enter_hint or "bring it into DFU mode by hand"
        if profile.enter is Enter.MANUAL:
            await self._book.wait(job, f"{hint} (board {name} runs its application)")
            return False
        asked = self._asked if self._asked.job == job.id else _Asked(job.id)
        if asked.device == device:
            return False
        if asked.times >= MAX_ASKED:
            reason = f"{hint} (board {name} runs its application again, asked {asked.times} times to detach)"
            await self._book.wait(job, reason)
            return False
        self._asked = _Asked(job.id, device, asked.times + 1)
        await self._book.change(job.id, status=JobStatus.RUNNING, phase=Phase.DETACH, reason="")
        self._book.log(job, "asking the application to detach into DFU mode")
        try:
            await self._thread.opened(lambda worker: worker.detach(device))
        except DeviceGoneError:
            pass  # a device may reboot before it answers: what counts is whether it comes back
        except NoAccessError:
            self._asked = asked  # it was not asked now
            raise
        except DeviceError as error:
            await self._book.wait(job, f"{hint} (board {name} can not be detached: {error.message})")
            return False
        came = await self._state.until(lambda: self._is_over(job), DETACH_SECONDS)
        self._state.check(job.id)
        if came:
            return True
        await self._book.wait(job, f"{hint} (board {name} did not come back in DFU mode when asked)")
        return False

    def _is_over(self, job: JobState) -> bool:
        return self._state.is_in_dfu or self._state.cancelling == job.id
