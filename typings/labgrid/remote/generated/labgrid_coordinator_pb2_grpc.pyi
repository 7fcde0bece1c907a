from collections.abc import AsyncIterator

from grpc.aio import Channel
from labgrid.remote.generated.labgrid_coordinator_pb2 import (
    AcquirePlaceRequest,
    ClientInMessage,
    ClientOutMessage,
    ExporterInMessage,
    ExporterOutMessage,
    ReleasePlaceRequest,
    Response,
)

class CoordinatorStub:
    def __init__(self, channel: Channel) -> None: ...
    def ClientStream(self, messages: AsyncIterator[ClientInMessage]) -> AsyncIterator[ClientOutMessage]: ...
    def ExporterStream(self, messages: AsyncIterator[ExporterInMessage]) -> AsyncIterator[ExporterOutMessage]: ...
    async def AcquirePlace(self, request: AcquirePlaceRequest) -> Response: ...
    async def ReleasePlace(self, request: ReleasePlaceRequest) -> Response: ...
