"""A handler for each method of the socket protocol, but for those that the server answers itself."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from flashdeck import api
from flashdeck.diagnosis import Diagnosis, Fact
from flashdeck.errors import BlockedError, FlashdeckError, RequestError
from flashdeck.job_state import name_of
from flashdeck.model import BoardState, JobState, LogLevel
from flashdeck.names import required, select
from flashdeck.value import Value
from flashdeck.versions import software
from flashdeck.words.boards import lease_text
from flashdeckd.boards.bench import Bench
from flashdeckd.boards.enrolment import Enrolment
from flashdeckd.boards.leases import Leases
from flashdeckd.diagnosis.doctor import Doctor
from flashdeckd.host import threads
from flashdeckd.jobs.taken_boards import acting_for, lab_user
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.requests.following_consoles import ConsoleRequests
from flashdeckd.requests.going_back import RollbackRequests
from flashdeckd.requests.moving import MoveRequests
from flashdeckd.requests.past_jobs import HistoryRequests
from flashdeckd.requests.past_log import LogRequests
from flashdeckd.requests.planning import with_fitting_maps
from flashdeckd.requests.reloading import Configuration
from flashdeckd.requests.verbs import VerbRequests
from flashdeckd.requests.waiting import WaitRequests
from flashdeckd.server.connection import Connection
from flashdeckd.server.server import Handler
from flashdeckd.state.carried_through import carried_through
from flashdeckd.state.hub import Hub
from flashdeckd.state.on_behalf import on_behalf_of
from flashdeckd.usb.record_directory import RecordDirectory

LONGEST_LOG_WAIT = 60.0
"""Seconds that a client may wait for a line of the debug log in one call."""

T = TypeVar("T")


P = TypeVar("P", bound=api.Params[Any])


class Handlers:
    """The methods, one each. `table` is what the server dispatches on."""

    def __init__(
        self,
        hub: Hub,
        bench: Bench,
        *,
        enrolment: Enrolment,
        by_hand: HandRequests,
        verbs: VerbRequests,
        waits: WaitRequests,
        doctor: Doctor,
        leases: Leases,
    ) -> None:
        self._hub = hub
        self._bench = bench
        self._enrolment = enrolment
        self._by_hand = by_hand
        self._verbs = verbs
        self._waits = waits
        self._doctor = doctor
        self._leases = leases

    def table(self) -> Mapping[type[api.Params[Any]], Handler]:
        """Handlers by the type of their parameters."""
        return dict(
            (
                handled(api.GetBoards, self.boards),
                handled(api.GetMaps, self.maps),
                handled(api.GetJobs, self.jobs),
                handled(api.Flash, self.flash),
                handled(api.Plan, self.plan),
                handled(api.PlanErase, self.plan_erase),
                handled(api.Verify, self.verify),
                handled(api.ReadPartition, self.read),
                handled(api.ReadImage, self.read_image),
                handled(api.Erase, self.erase),
                handled(api.ResetBoards, self.reset),
                handled(api.Wait, self.wait),
                handled(api.WaitJobs, self.wait_jobs),
                handled(api.GetDebugLog, self.debug_log),
                handled(api.Hold, self.hold),
                handled(api.Release, self.release),
                handled(api.Cancel, self.cancel),
                handled(api.Retry, self.retry),
                handled(api.Arm, self.arm),
                handled(api.Disarm, self.disarm),
                handled(api.Adopt, self.adopt),
                handled(api.Examine, self.doctor),
            )
        )

    async def boards(self, params: api.GetBoards, _connection: Connection) -> api.BoardList:
        """`boards`."""
        if params.boards:
            chosen = self._bench.matching(params.boards)
            return api.BoardList(boards=tuple(self._hub.boards[name] for name in chosen), devices=())
        return api.BoardList(
            boards=tuple(self._hub.boards.values()), devices=self._hub.devices, running=self._hub.running_devices
        )

    async def maps(self, params: api.GetMaps, _connection: Connection) -> api.MapList:
        """`maps.get`."""
        chosen = tuple(self._bench.matching(params.boards))
        drawn = self._bench.maps.draw(chosen)
        return api.MapList(maps=drawn, left=chosen[len(drawn) :])

    async def jobs(self, params: api.GetJobs, _connection: Connection) -> api.JobList:
        """`jobs`."""
        if params.ids:
            return api.JobList(jobs=tuple(self._bench.book.job(job_id) for job_id in params.ids[: api.JOB_PAGE]))
        newest = sorted(self._bench.book.jobs.values(), key=lambda job: job.id, reverse=True)
        if params.boards:
            # A board that the configuration has no more still has its jobs.
            known = dict.fromkeys((*self._bench.config.boards, *(job.board for job in newest)))
            chosen = set(select(params.boards, known))
            newest = [job for job in newest if job.board in chosen]
        if params.statuses:
            newest = [job for job in newest if name_of(job.status) in params.statuses]
        return api.JobList(jobs=tuple(newest[: max(0, min(params.limit, api.JOB_PAGE))]))

    async def flash(self, params: api.Flash, connection: Connection) -> api.JobList:
        """`flash`."""
        reply = await self._by_hand.flash(params.partition, params.sha256, params.boards, no_wait=params.no_wait)
        return self._until_exit(reply, connection, cancel=params.cancel_on_exit, spare_begun=params.spare_begun)

    def _until_exit(
        self, reply: api.JobList, connection: Connection, *, cancel: bool, spare_begun: bool = False
    ) -> api.JobList:
        """Return the answer to whoever asked for jobs; with `cancel` they end with the connection."""
        if cancel:
            connection.on_close(lambda: self._by_hand.abandon(reply.jobs, spare_begun=spare_begun))
        return reply

    async def plan(self, params: api.Plan, _connection: Connection) -> api.PlanList:
        """`plan`."""
        plans = await self._by_hand.plan(params.partition, params.sha256, params.boards)
        return api.PlanList(plans=with_fitting_maps(plans))

    async def plan_erase(self, params: api.PlanErase, _connection: Connection) -> api.PlanList:
        """`plan.erase`."""
        return api.PlanList(plans=with_fitting_maps(await self._verbs.plan_erase(params.partition, params.boards)))

    async def verify(self, params: api.Verify, connection: Connection) -> api.JobList:
        """`verify`."""
        reply = await self._verbs.verify(
            params.partition, params.sha256, params.boards, force=params.force, no_wait=params.no_wait
        )
        return self._until_exit(reply, connection, cancel=params.cancel_on_exit)

    async def read(self, params: api.ReadPartition, connection: Connection) -> api.JobList:
        """`read`: what nobody waits for is not read."""
        reply = await self._verbs.read(params.partition, params.boards, force=params.force, no_wait=params.no_wait)
        return self._until_exit(reply, connection, cancel=True)

    async def read_image(self, params: api.ReadImage, _connection: Connection) -> api.ImagePiece:
        """`images.read`."""
        return await self._verbs.piece(params.sha256, params.offset, params.size)

    async def erase(self, params: api.Erase, connection: Connection) -> api.JobList:
        """`erase`."""
        reply = await self._verbs.erase(params.partition, params.boards, no_wait=params.no_wait)
        return self._until_exit(reply, connection, cancel=params.cancel_on_exit)

    async def reset(self, params: api.ResetBoards, connection: Connection) -> api.JobList:
        """`reset`."""
        reply = await self._verbs.reset(params.boards, force=params.force, no_wait=params.no_wait)
        return self._until_exit(reply, connection, cancel=params.cancel_on_exit)

    async def wait(self, params: api.Wait, _connection: Connection) -> api.WaitResult:
        """`wait`."""
        boards = await self._waits.for_image(params.partition, params.sha256, params.boards, params.timeout)
        return api.WaitResult(boards=tuple(boards))

    async def wait_jobs(self, params: api.WaitJobs, _connection: Connection) -> api.JobList:
        """`jobs.wait`."""
        return api.JobList(jobs=tuple(await self._waits.for_jobs(params.ids, params.timeout)))

    async def debug_log(self, params: api.GetDebugLog, _connection: Connection) -> api.LogPage:
        """`logs.debug`."""
        boards = self._bench.matching(params.boards) if params.boards else ()
        limit = min(params.limit, api.LOG_PAGE)
        lines = self._hub.debug_lines(after=params.after, limit=limit, boards=boards, text=params.text)
        if not lines and params.wait > 0:
            await self._hub.logged(min(params.wait, LONGEST_LOG_WAIT))
            lines = self._hub.debug_lines(after=params.after, limit=limit, boards=boards, text=params.text)
        return api.LogPage(lines=lines, next=lines[-1].id if lines else params.after)

    async def hold(self, params: api.Hold, _connection: Connection) -> api.BoardList:
        """`hold`."""
        chosen = self._bench.matching(required(params.boards))
        names = self._bench.names.of(chosen)
        boards = await for_each(chosen, lambda name: self._bench.hold(names.of(name), params.reason))
        return api.BoardList(boards=boards, devices=self._hub.devices)

    async def release(self, params: api.Release, _connection: Connection) -> api.BoardList:
        """`release`."""
        chosen = self._bench.matching(required(params.boards))
        names = self._bench.names.of(chosen)
        boards = await for_each(chosen, lambda name: self._release(names.of(name), force=params.force))
        return api.BoardList(boards=boards, devices=self._hub.devices)

    async def _release(self, name: str, *, force: bool) -> BoardState:
        lane = self._bench.lane(name)
        hold, acquired = lane.hold, lane.shown_lease
        if force and hold is None and acquired is not None and acquired.place:
            raise BlockedError(
                f"board {name} is {lease_text(acquired)}: only labgrid ends that",
                hint=f"ask {acquired.by}; `labgrid-client -p {acquired.place} release --kick` ends it for everybody",
            )
        is_anothers = hold is not None and hold.user not in ("", on_behalf_of.get())
        if hold is not None and is_anothers:
            if not force:
                raise BlockedError(
                    f"{hold.user} has put board {name} on hold: {hold.reason}",
                    hint=f"ask {hold.user}; `flashdeck release {name} --force` ends it, and the log says who did",
                )
            text = f"{on_behalf_of.get() or 'somebody'} ended a hold of {hold.user} by force: {hold.reason}"
            self._hub.log(text, level=LogLevel.WARNING, board=name)
        if force:
            self._leases.end_by_hand(name)
        return await self._bench.release(name)

    async def cancel(self, params: api.Cancel, _connection: Connection) -> JobState:
        """`cancel`."""
        return await self._by_hand.cancel(params.job)

    async def retry(self, params: api.Retry, _connection: Connection) -> JobState:
        """`retry`."""
        return await self._by_hand.retry(params.job)

    async def arm(self, params: api.Arm, _connection: Connection) -> api.BoardList:
        """`arm`."""
        boards = await self._enrolment.arm(params.boards, armed=True, once=params.once)
        return api.BoardList(boards=tuple(boards), devices=self._hub.devices)

    async def disarm(self, params: api.Disarm, _connection: Connection) -> api.BoardList:
        """`disarm`."""
        boards = await self._enrolment.arm(params.boards, armed=False)
        return api.BoardList(boards=tuple(boards), devices=self._hub.devices)

    async def adopt(self, params: api.Adopt, _connection: Connection) -> BoardState:
        """`adopt`."""
        return await self._enrolment.adopt(params.device, params.profile, params.name)

    async def doctor(self, params: api.Examine, _connection: Connection) -> Diagnosis:
        """`doctor`."""
        return await self._doctor.examine(params.boards)


async def for_each(names: Iterable[str], change: Callable[[str], Awaitable[T]]) -> tuple[T, ...]:
    """Changes each of the boards, also those after one that fails; then raises the first failure."""
    changed: list[T] = []
    failures: list[FlashdeckError] = []
    for name in names:
        try:
            changed.append(await change(name))
        except FlashdeckError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return tuple(changed)


def handled(
    params: type[P], handler: Callable[[P, Connection], Awaitable[Value]]
) -> tuple[type[api.Params[Any]], Handler]:
    """Return a line of the table of methods: the type checker refuses a handler that takes other parameters."""
    return params, handler


def configuration_handlers(configuration: Configuration) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handlers that change which configuration is in force."""

    async def reload(_params: api.ReloadConfig, _connection: Connection) -> api.ConfigReloaded:
        return await carried_through(configuration.reload())  # also where the client does not wait for the end

    async def trust(params: api.TrustConfig, _connection: Connection) -> api.ConfigTrusted:
        return await carried_through(configuration.trust(params.file))

    return dict((handled(api.ReloadConfig, reload), handled(api.TrustConfig, trust)))


def version_handlers(libusb: str) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handler for the daemon's versions; `libusb` is the loaded version, or why there is none."""

    async def versions(_params: Any, _connection: Connection) -> api.Versions:
        installed = await threads.run(software)
        return api.Versions(facts=(*installed, Fact(name="libusb", value=libusb)))

    return {api.GetVersions: versions}


def history_handlers(history: HistoryRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handler for the whole journal."""

    async def page(params: api.GetHistory, _connection: Connection) -> api.HistoryPage:
        return await history.page(params)

    return dict((handled(api.GetHistory, page),))


def log_handlers(log: LogRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handler for the log."""

    async def page(params: api.GetLogs, _connection: Connection) -> api.LogPage:
        return await log.page(params)

    return dict((handled(api.GetLogs, page),))


def console_handlers(consoles: ConsoleRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handlers for what boards say."""

    async def page(params: api.GetConsole, _connection: Connection) -> api.ConsolePage:
        return await consoles.page(params)

    async def release(params: api.ReleaseConsole, _connection: Connection) -> api.BoardConsole:
        return await consoles.release(params.board)

    async def resume(params: api.ResumeConsole, _connection: Connection) -> api.BoardConsole:
        return await consoles.resume(params.board)

    return dict(
        (handled(api.GetConsole, page), handled(api.ReleaseConsole, release), handled(api.ResumeConsole, resume))
    )


def rollback_handlers(rollbacks: RollbackRequests, by_hand: HandRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handlers for the way back to an earlier program."""

    async def rollback(params: api.Rollback, connection: Connection) -> api.JobList:
        reply = await rollbacks.rollback(params.partition, params.boards, no_wait=params.no_wait)
        if params.cancel_on_exit:
            connection.on_close(lambda: by_hand.abandon(reply.jobs))
        return reply

    async def plan(params: api.PlanRollback, _connection: Connection) -> api.PlanList:
        return api.PlanList(plans=with_fitting_maps(await rollbacks.plan(params.partition, params.boards)))

    return dict((handled(api.Rollback, rollback), handled(api.PlanRollback, plan)))


def lease_handlers(leases: Leases) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handlers for boards that a client takes, and for those that act for one."""

    async def take(params: api.Take, connection: Connection) -> api.LeaseToken:
        if connection.is_taking:  # who has boards and waits for others would keep both from everybody
            message = "this connection waits for boards already"
            raise RequestError(message, hint="take all boards that you need in one command")
        connection.is_taking = True
        try:
            lease = await leases.take(
                params.boards, params.by, params.reason, no_wait=params.no_wait, seconds=params.timeout
            )
        finally:
            connection.is_taking = False
        connection.lease = connection.own_lease = lease
        connection.on_close(lambda: leases.end(lease))
        return api.LeaseToken(token=lease.token, boards=lease.boards)

    async def use(params: api.UseLease, connection: Connection) -> api.LeaseToken:
        connection.lease = lease = leases.of(params.token)
        return api.LeaseToken(token=lease.token, boards=lease.boards)

    async def end(_params: api.EndLease, connection: Connection) -> api.Empty:
        if connection.own_lease is None:
            raise BlockedError("this connection has taken no boards", hint="who took them gives them back")
        leases.end(connection.own_lease)
        connection.lease = connection.own_lease = None
        return api.Empty()

    return dict((handled(api.Take, take), handled(api.UseLease, use), handled(api.EndLease, end)))


def for_holders(
    handlers: Mapping[type[api.Params[Any]], Handler], *, is_in_lab: Callable[[], bool]
) -> dict[type[api.Params[Any]], Handler]:
    """Return the handlers as they are for connections that act for a lease: what they ask for is its holder's.

    Where the boards are part of a lab, it is that user's of it, too, for whom the connection speaks.
    """

    def user_of(connection: Connection) -> str:
        if not is_in_lab():
            return ""  # every client has a name, which would mean nothing here
        return connection.lab_user or (connection.lease.lab_user if connection.lease is not None else "")

    def acting(handler: Handler) -> Handler:
        async def call(params: Any, connection: Connection) -> Value:
            acting_for.set(connection.lease)  # a call is a task of its own, and has its own context
            on_behalf_of.set(connection.visitor.name)
            lab_user.set(user_of(connection))
            return await handler(params, connection)

        return call

    return {params: acting(handler) for params, handler in handlers.items()}


def queue_handlers(queue: MoveRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handler for the order in the queue of a board."""

    async def move(params: api.MoveJob, _connection: Connection) -> api.QueueOrder:
        return api.QueueOrder(jobs=tuple(await queue.move(params.job, params.to)))

    return dict((handled(api.MoveJob, move),))


def recording_handlers(directory: RecordDirectory | None) -> Mapping[type[api.Params[Any]], Handler]:
    """Recordings by number; None where the daemon does not record. No client names a file."""

    async def listing(_params: Any, _connection: Connection) -> api.RecordingList:
        if directory is None:
            return api.RecordingList()
        return api.RecordingList(recordings=await threads.run(directory.listing), recording=True)

    async def piece(params: Any, _connection: Connection) -> api.RecordingPiece:
        if directory is None:
            raise RequestError("this daemon does not record", hint="start it with flashdeckd --record DIR")
        return await threads.run(directory.piece, params.index, params.offset, params.size)

    return {api.GetRecordings: listing, api.ReadRecording: piece}
