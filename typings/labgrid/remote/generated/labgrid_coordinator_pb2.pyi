# The messages of labgrid's protocol that tests send and read.
from collections.abc import Sequence

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

class Resource:
    class Path:
        exporter_name: str
        group_name: str
        resource_name: str

    path: Resource.Path
    cls: str
    acquired: str
    avail: bool

class Place:
    name: str
    acquired: str

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

class AcquirePlaceRequest:
    def __init__(self, *, placename: str) -> None: ...

class ReleasePlaceRequest:
    def __init__(self, *, placename: str) -> None: ...

class Response: ...
