"""An attempt to take a board out of DFU mode because a person wants it."""

from collections.abc import Callable

from flashdeck.errors import BlockedError, ErrorKind, RequestError
from flashdeck.job_state import Phase, Written
from flashdeck.model import JobState, LogLevel, Presence
from flashdeckd.jobs.attempt import Workplace
from flashdeckd.jobs.departure import Departure
from flashdeckd.jobs.visit import Visit, why_incomplete
from flashdeckd.usb.device import UsbDevice


class ResetAttempt:
    """Carries out jobs that end a visit."""

    def __init__(self, place: Workplace, departure: Departure) -> None:
        self._place = place
        self._departure = departure
        self.reached = -1

    async def check(self, job: JobState) -> None:
        """Nothing speaks against it whatever board it meets."""

    async def ends_without_dfu(self, job: JobState, presence: Presence) -> bool:
        """End the job: a board that is running is out of DFU mode, and one that is not there is not waited for."""
        if presence is Presence.APP:
            self._place.book.log(job, "it is running already")
            job = await self._place.book.move(job, Written())
            await self._departure.finish([job])
            return True
        raise RequestError(
            f"board {job.board} is not connected",
            kind=ErrorKind.ABSENT,
            hint="it is not waited for: a later stay in DFU mode may be meant",
        )

    async def run(
        self,
        job: JobState,
        device: UsbDevice,
        visit: Visit,
        *,
        may_leave: Callable[[], bool],  # noqa: ARG002 -- that is for the person to say
        is_accepted: bool,  # noqa: ARG002 -- nothing is done to the device that needs to be the same
    ) -> None:
        """Start the board, with all that the visit has written; an incomplete partition is to be wanted so."""
        place = self._place
        partitions = place.board.profile.partitions
        incomplete = why_incomplete(place.book.incomplete(job.board, partitions))
        if incomplete and not job.force:
            raise BlockedError(
                f"board {job.board} stays in DFU mode: {incomplete}",
                hint="flash it again, or `flashdeck reset --force` starts the board all the same",
            )
        if not place.may_begin(job):
            return
        visit.take(job)
        job = await place.begin(job, Phase.LEAVE, device)
        erased = place.book.erased(job.board, partitions)
        if incomplete or erased:
            told = "; ".join(filter(None, (incomplete, f"{' and '.join(erased)} erased" if erased else "")))
            place.book.log(job, f"leaves DFU mode all the same: {told}", LogLevel.WARNING)
        await place.book.move(job, Written())
        await self._departure.leave(self._departure.written, device)
