import logging
from collections.abc import Callable
from typing import ClassVar, TypeVar

from labgrid.target import Target

F = TypeVar("F", bound=Callable[..., object])

class Driver:
    bindings: ClassVar[dict[str, object]]
    target: Target
    name: str | None
    logger: logging.Logger
    def __init__(self, target: Target, name: str | None) -> None: ...
    @classmethod
    def check_active(cls, func: F) -> F: ...
    def on_activate(self) -> None: ...
    def on_deactivate(self) -> None: ...
