from collections.abc import Callable, Sequence
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

def step(
    *, title: str | None = ..., args: Sequence[str] = ..., result: bool = ..., tag: str | None = ...
) -> Callable[[F], F]: ...
