from typing import TypeVar

from labgrid.driver import Driver
from labgrid.environment import Environment
from labgrid.resource import Resource

D = TypeVar("D")
R = TypeVar("R", bound=Resource)

class Target:
    name: str
    env: Environment | None
    def get_resource(self, cls: type[R], *, name: str | None = ..., wait_avail: bool = ...) -> R: ...
    def get_driver(self, cls: type[D], *, name: str | None = ..., activate: bool = ...) -> D: ...
    def activate(self, client: Driver) -> None: ...
    def deactivate(self, client: Driver) -> list[object]: ...
