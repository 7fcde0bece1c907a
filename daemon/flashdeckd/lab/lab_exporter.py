"""The way to a coordinator of labgrid: boards as the resources of an exporter, and who has acquired them.

It speaks both streams of labgrid's protocol (`labgrid-coordinator.proto`): that of an exporter, whose end takes the
boards out of the pool at once, and that of a client, on which places are published. labgrid's own exporter would never
look at a resource of a class that it does not know, and would offer it also while its board is away.
"""

# pyright: reportMissingModuleSource=false
# labgrid is not in `.venv`, for its plugin would be part of each run of pytest there: `typings` has what is used of it.

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

import grpc
import grpc.aio
from labgrid.remote.generated.labgrid_coordinator_pb2 import (
    ClientInMessage,
    ClientOutMessage,
    ExporterInMessage,
    ExporterSetAcquiredRequest,
)
from labgrid.remote.generated.labgrid_coordinator_pb2_grpc import CoordinatorStub
from labgrid.util import labgrid_version

from flashdeck.text import MAX_MESSAGE, clean
from flashdeckd.lab.lab_lines import FromLab, LabAnswer, LabAsk, LabAway, LabBoards, LabSettings, LabState, OfferedBoard
from flashdeckd.lab.lab_times import ANSWER_SECONDS, CHANNEL_OPTIONS, CONNECT_PAUSES, IN_STEP_SECONDS
from flashdeckd.lab.place_book import RESOURCE_CLASS, KnownPlace, PlaceBook

_MessageT = TypeVar("_MessageT")


class _RefusedAcquisitionError(Exception):
    """A place does not get a board; the reason is for the coordinator's log."""


class _StreamEndedError(Exception):
    """The coordinator has ended a stream, without an error."""


class LabExporter:
    """The boards of one daemon in the pool of one coordinator, for as long as `run` runs."""

    def __init__(self, settings: LabSettings, tell: Callable[[FromLab], object]) -> None:
        self._settings = settings
        self._tell = tell
        self._boards: dict[str, OfferedBoard] = {}
        self._book = PlaceBook(settings.name)
        self._asked = 0
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._said: LabState | None = None
        self._session: _LabSession | None = None

    def hear(self, line: LabBoards | LabAnswer) -> None:
        """Take what the daemon says."""
        match line:
            case LabBoards(boards=boards):
                before, self._boards = self._boards, {board.name: board for board in boards}
                self._book.groups = {board.name: board.group for board in boards}
                for board in boards:
                    if before.get(board.name) != board:
                        self._publish(board)
                self._tell_state()
            case LabAnswer(number=number, refused=refused):
                answer = self._answers.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(refused)

    async def run(self) -> None:
        """Keep the boards in the pool, for ever: a coordinator that is away is asked again and again."""
        tries = 0
        while True:
            away = LabAway(reason=f"the coordinator at {self._settings.coordinator} has ended the connection")
            try:
                await self._serve()
            except* _StreamEndedError:
                pass  # that is what has been said
            except* grpc.aio.AioRpcError as errors:
                away = _in_words(_first(errors), self._settings)
            tries = 0 if self._said is not None else tries
            self._said = None
            self._tell(away)
            await asyncio.sleep(CONNECT_PAUSES[min(tries, len(CONNECT_PAUSES) - 1)])
            tries += 1

    async def _serve(self) -> None:
        self._book.asked.clear()
        self._book.places.clear()
        async with grpc.aio.insecure_channel(self._settings.coordinator, options=CHANNEL_OPTIONS) as channel:
            session = self._session = _LabSession(self._settings.name)
            try:
                stub = CoordinatorStub(channel)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(stub, session))
                    tasks.create_task(self._export(stub, session))
                    # An exporter whose name is taken is refused a moment after it was greeted.
                    await session.greeted.wait()
                    await session.in_step()
                    await session.in_step()
                    session.is_in_pool = True
                    self._tell_state()
            finally:
                session.end()
                self._session = None

    # The stream of a client: places.

    async def _listen(self, stub: CoordinatorStub, session: "_LabSession") -> None:
        async for message in stub.ClientStream(_taken_from(session.to_client)):
            self._note(message, session)
        raise _StreamEndedError

    def _note(self, message: ClientOutMessage, session: "_LabSession") -> None:
        for update in message.updates:
            match update.WhichOneof("kind"):
                case "place":
                    place = update.place
                    known = KnownPlace(
                        place.acquired, frozenset(place.acquired_resources), tuple(sorted(place.allowed))
                    )
                    self._book.places[place.name] = known
                case "del_place":
                    self._book.places.pop(update.del_place, None)
                case _:
                    pass  # resources of others
        if message.HasField("sync"):
            session.note_step(message.sync.id)
        self._tell_state()

    def _tell_state(self) -> None:
        """Tell the daemon who has what, where that is known and has changed."""
        if self._session is None or not self._session.is_in_pool:
            return
        state = LabState(boards=tuple(self._boards), held=self._book.held())
        if state != self._said:
            self._said = state
            self._tell(state)

    # The stream of an exporter: boards.

    async def _export(self, stub: CoordinatorStub, session: "_LabSession") -> None:
        for board in self._boards.values():
            self._publish(board)
        async for message in stub.ExporterStream(_taken_from(session.to_exporter)):
            match message.WhichOneof("kind"):
                case "hello":
                    session.greeted.set()
                case "set_acquired_request":
                    # One after the other: the coordinator takes answers in the order of what it asked.
                    await self._answer(message.set_acquired_request, session)
                case _:
                    pass  # what a later release may ask
        raise _StreamEndedError

    async def _answer(self, request: ExporterSetAcquiredRequest, session: "_LabSession") -> None:
        response = ExporterInMessage()
        try:
            board = self._board_of(request)
            if request.place_name:
                await self._acquire(board, request.place_name, session)
            else:
                self._book.asked.pop(board, None)
        except _RefusedAcquisitionError as error:
            response.response.success = False
            response.response.reason = str(error)
        else:
            response.response.success = True
            self._publish(self._boards[board])
        session.to_exporter.put_nowait(response)
        self._tell_state()

    def _board_of(self, request: ExporterSetAcquiredRequest) -> str:
        board = self._book.board_at(request.group_name, request.resource_name)
        if not board:
            raise _RefusedAcquisitionError(f"no board {request.group_name}/{request.resource_name} here")
        return board

    async def _acquire(self, board: str, place: str, session: "_LabSession") -> None:
        """Give a board to a place; raises _RefusedAcquisitionError where the daemon does not let it go.

        What was published of places before is heard first: an update that is late would name an earlier user. A place
        that has the board by then has had it all the time, and only this stream is new.
        """
        try:
            async with asyncio.timeout(IN_STEP_SECONDS):
                await session.in_step()
        except TimeoutError:
            raise _RefusedAcquisitionError("not in step with the coordinator") from None
        if not self._book.has(place, board):
            self._asked += 1
            answer = self._answers[self._asked] = asyncio.get_running_loop().create_future()
            self._book.wanted[board] = place  # no state that is told meanwhile may call it free
            try:
                self._tell(LabAsk(number=self._asked, board=board, place=place))
                async with asyncio.timeout(ANSWER_SECONDS):
                    refused = await answer
            except TimeoutError:
                refused = "flashdeckd did not answer"
            finally:
                del self._answers[self._asked], self._book.wanted[board]
            if refused:
                raise _RefusedAcquisitionError(refused)
        if board not in self._boards:
            raise _RefusedAcquisitionError("it left the configuration")
        self._book.asked[board] = place

    def _publish(self, board: OfferedBoard) -> None:
        if self._session is None:
            return
        message = ExporterInMessage()
        message.resource.path.group_name = board.group
        message.resource.path.resource_name = board.name
        message.resource.cls = RESOURCE_CLASS
        for name, value in board.params.items():
            message.resource.params[name].string_value = value
        message.resource.acquired = self._book.asked.get(board.name, "")
        message.resource.avail = board.available
        self._session.to_exporter.put_nowait(message)


class _LabSession:
    """One connection with a coordinator. Both streams begin with who we are: a board may be published at once."""

    def __init__(self, name: str) -> None:
        self.to_client: asyncio.Queue[ClientInMessage | None] = asyncio.Queue()
        self.to_exporter: asyncio.Queue[ExporterInMessage | None] = asyncio.Queue()
        self.greeted = asyncio.Event()
        self.is_in_pool = False
        self._steps = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        client, wanted, exporter = ClientInMessage(), ClientInMessage(), ExporterInMessage()
        client.startup.version = exporter.startup.version = labgrid_version()
        client.startup.name, exporter.startup.name = f"{name}/flashdeckd", name
        wanted.subscribe.all_places = True
        self.to_client.put_nowait(client)
        self.to_client.put_nowait(wanted)
        self.to_exporter.put_nowait(exporter)

    async def in_step(self) -> None:
        """Return once all is heard that the coordinator has published of places by now."""
        self._steps += 1
        message = ClientInMessage()
        message.sync.id = self._steps
        heard = self._waiting[self._steps] = asyncio.get_running_loop().create_future()
        self.to_client.put_nowait(message)
        await heard

    def note_step(self, number: int) -> None:
        """Take the coordinator's answer to one of these questions."""
        heard = self._waiting.pop(number, None)
        if heard is not None and not heard.done():
            heard.set_result(None)

    def end(self) -> None:
        """End both streams on our side."""
        self.to_client.put_nowait(None)
        self.to_exporter.put_nowait(None)


async def _taken_from(queue: "asyncio.Queue[_MessageT | None]") -> AsyncIterator[_MessageT]:
    while (message := await queue.get()) is not None:
        yield message


def _first(errors: BaseExceptionGroup[grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    """Return the error that says most: of two streams to one coordinator the second only says that it ended, too."""
    found = list(_flat(errors))
    return next((error for error in found if error.code() is grpc.StatusCode.ALREADY_EXISTS), found[0])


def _flat(errors: BaseExceptionGroup[grpc.aio.AioRpcError]) -> Iterable[grpc.aio.AioRpcError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _flat(error)
        else:
            yield error


def _in_words(error: grpc.aio.AioRpcError, settings: LabSettings) -> LabAway:
    details = clean(error.details() or "", MAX_MESSAGE)
    if error.code() is grpc.StatusCode.ALREADY_EXISTS:
        return LabAway(
            reason=f"an exporter called {settings.name} is in the pool already ({details})",
            hint='give this one another name: [labgrid] name = "…"; after a restart the former one leaves by itself',
        )
    return LabAway(
        reason=f"the coordinator at {settings.coordinator} does not answer ({error.code().name}: {details})",
        hint="is labgrid-coordinator running there? It is asked again by itself",
    )
