"""What each method of the socket protocol does, beyond those that the server answers itself."""

import asyncio
from collections.abc import Mapping
from typing import Any

from flashdeck import api
from flashdeck.diagnosis import Diagnosis, Fact
from flashdeck.errors import RequestError
from flashdeck.model import BoardState, JobState
from flashdeck.versions import software
from flashdeckd.boards.bench import Bench
from flashdeckd.diagnosis.doctor import Doctor
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.requests.waiting import WaitRequests
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Handler
from flashdeckd.state.hub import Hub
from flashdeckd.usb.record_directory import RecordDirectory


class Handlers:
    """The methods, one each. `table` is what the server dispatches on."""

    def __init__(self, hub: Hub, bench: Bench, by_hand: HandRequests, waits: WaitRequests, doctor: Doctor) -> None:
        self._hub = hub
        self._bench = bench
        self._by_hand = by_hand
        self._waits = waits
        self._doctor = doctor

    def table(self) -> Mapping[type[api.Params[Any]], Handler]:
        """Handlers by the type of their parameters."""
        return {
            api.GetBoards: self.boards,
            api.GetJobs: self.jobs,
            api.Flash: self.flash,
            api.Plan: self.plan,
            api.Wait: self.wait,
            api.WaitJobs: self.wait_jobs,
            api.GetLogs: self.logs,
            api.Hold: self.hold,
            api.Release: self.release,
            api.Cancel: self.cancel,
            api.Retry: self.retry,
            api.Arm: self.arm,
            api.Disarm: self.disarm,
            api.Adopt: self.adopt,
            api.Doctor: self.doctor,
        }

    async def boards(self, _params: api.GetBoards, _connection: Connection) -> api.BoardList:
        """`boards`."""
        return api.BoardList(boards=tuple(self._hub.boards.values()), devices=self._hub.devices)

    async def jobs(self, params: api.GetJobs, _connection: Connection) -> api.JobList:
        """`jobs`."""
        if params.ids:
            return api.JobList(jobs=tuple(self._bench.book.job(job_id) for job_id in params.ids[: api.JOB_PAGE]))
        newest = sorted(self._bench.book.jobs.values(), key=lambda job: job.id, reverse=True)
        return api.JobList(jobs=tuple(newest[: max(0, min(params.limit, api.JOB_PAGE))]))

    async def flash(self, params: api.Flash, _connection: Connection) -> api.JobList:
        """`flash`."""
        return await self._by_hand.flash(
            params.partition, params.sha256, params.boards, present_only=params.present_only
        )

    async def plan(self, params: api.Plan, _connection: Connection) -> api.PlanList:
        """`plan`."""
        return api.PlanList(plans=tuple(await self._by_hand.plan(params.partition, params.sha256, params.boards)))

    async def wait(self, params: api.Wait, _connection: Connection) -> api.JobList:
        """`wait`."""
        jobs = await self._waits.for_image(params.partition, params.sha256, params.boards, params.timeout)
        return api.JobList(jobs=tuple(jobs))

    async def wait_jobs(self, params: api.WaitJobs, _connection: Connection) -> api.JobList:
        """`jobs.wait`."""
        return api.JobList(jobs=tuple(await self._waits.for_jobs(params.ids, params.timeout)))

    async def logs(self, params: api.GetLogs, _connection: Connection) -> api.LogPage:
        """`logs`."""
        if params.board:
            self._bench.lane(params.board)  # none can be said of a board that there is not
        lines = self._hub.logs(after=params.after, limit=min(params.limit, api.LOG_PAGE), board=params.board)
        return api.LogPage(lines=lines, next=lines[-1].id if lines else params.after)

    async def hold(self, params: api.Hold, _connection: Connection) -> BoardState:
        """`hold`."""
        return await self._bench.hold(params.board, params.reason)

    async def release(self, params: api.Release, _connection: Connection) -> BoardState:
        """`release`."""
        return await self._bench.release(params.board)

    async def cancel(self, params: api.Cancel, _connection: Connection) -> JobState:
        """`cancel`."""
        return await self._by_hand.cancel(params.job)

    async def retry(self, params: api.Retry, _connection: Connection) -> JobState:
        """`retry`."""
        return await self._by_hand.retry(params.job)

    async def arm(self, params: api.Arm, _connection: Connection) -> api.BoardList:
        """`arm`."""
        boards = await self._bench.arm(params.boards, armed=True)
        return api.BoardList(boards=tuple(boards), devices=self._hub.devices)

    async def disarm(self, params: api.Disarm, _connection: Connection) -> api.BoardList:
        """`disarm`."""
        boards = await self._bench.arm(params.boards, armed=False)
        return api.BoardList(boards=tuple(boards), devices=self._hub.devices)

    async def adopt(self, params: api.Adopt, _connection: Connection) -> BoardState:
        """`adopt`."""
        return await self._bench.adopt(params.device, params.profile, params.name)

    async def doctor(self, params: api.Doctor, _connection: Connection) -> Diagnosis:
        """`doctor`."""
        return await self._doctor.examine(params.boards)


def version_handlers(libusb: str) -> Mapping[type[api.Params[Any]], Handler]:
    """What the daemon runs on; `libusb` is the version that is loaded, or why none is."""

    async def versions(_params: Any, _connection: Connection) -> api.Versions:
        installed = await asyncio.to_thread(software)
        return api.Versions(facts=(*installed, Fact(name="libusb", value=libusb)))

    return {api.GetVersions: versions}


def recording_handlers(directory: RecordDirectory | None) -> Mapping[type[api.Params[Any]], Handler]:
    """Recordings by number; None where the daemon does not record. No client names a file."""

    async def listing(_params: Any, _connection: Connection) -> api.RecordingList:
        if directory is None:
            return api.RecordingList()
        return api.RecordingList(recordings=await asyncio.to_thread(directory.listing), recording=True)

    async def piece(params: Any, _connection: Connection) -> api.RecordingPiece:
        if directory is None:
            raise RequestError("this daemon does not record", hint="start it with flashdeckd --record DIR")
        return await asyncio.to_thread(directory.piece, params.index, params.offset, params.size)

    return {api.GetRecordings: listing, api.ReadRecording: piece}
