# The messages of labgrid's protocol that flashdeck and its tests send and read.
from collections.abc import Mapping, Sequence

class Sync:
    id: int

class StartupDone:
    version: str
    name: str

class Subscribe:
    all_places: bool
    all_resources: bool

class ClientInMessage:
    sync: Sync
    startup: StartupDone
    subscribe: Subscribe

class MapValue:
    string_value: str

class Resource:
    class Path:
        exporter_name: str
        group_name: str
        resource_name: str

    path: Resource.Path
    cls: str
    params: Mapping[str, MapValue]
    acquired: str
    avail: bool

class Place:
    name: str
    acquired: str
    acquired_resources: Sequence[str]
    allowed: Sequence[str]

class UpdateResponse:
    resource: Resource
    del_resource: Resource.Path
    place: Place
    del_place: str
    def WhichOneof(self, group: str) -> str | None: ...

class ClientOutMessage:
    sync: Sync
    updates: Sequence[UpdateResponse]
    def HasField(self, name: str) -> bool: ...

class ExporterResponse:
    success: bool
    reason: str

class ExporterInMessage:
    resource: Resource
    startup: StartupDone
    response: ExporterResponse

class ExporterSetAcquiredRequest:
    group_name: str
    resource_name: str
    place_name: str

class ExporterOutMessage:
    set_acquired_request: ExporterSetAcquiredRequest
    def WhichOneof(self, group: str) -> str | None: ...

class AcquirePlaceRequest:
    def __init__(self, *, placename: str) -> None: ...

class ReleasePlaceRequest:
    def __init__(self, *, placename: str) -> None: ...

class Response: ...
