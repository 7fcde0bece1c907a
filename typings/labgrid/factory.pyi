from typing import TypeVar

C = TypeVar("C", bound=type)

class TargetFactory:
    def reg_resource(self, cls: C) -> C: ...
    def reg_driver(self, cls: C) -> C: ...

target_factory: TargetFactory
