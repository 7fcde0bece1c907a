"""Daemons for tests, forked off a process that has done their imports: most of a short life goes there otherwise.

`tests/integration/test_forked_daemons.py` compares one with a daemon that was started by exec.
"""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from forks import BYTES, Forked, Forks, told_in

IMPORTED: Final = ("flashdeckd.service", "flashdeckd.virtual.methods", "flashdeckd.virtual.virtual_bench")
"""All that a daemon on emulated boards comes to import, but for its main module."""


class Process(Protocol):
    """The process of a daemon as tests see it, however it was started."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...


class ForkedProcess:
    """That of one that was forked."""

    def __init__(self, forked: Forked) -> None:
        self.pid = forked.pid
        self._ended = asyncio.create_task(_exit_code(forked))

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)


class _Offer:
    """The process that daemons are forked off: made for the first one, and only where a run of tests offers it."""

    def __init__(self) -> None:
        self.forks: Forks | None = None
        self.is_open = False


_OFFER: Final = _Offer()


@contextmanager
def offered() -> Generator[None]:
    """For the length of the block, daemons that can be forked are."""
    _OFFER.is_open = True
    try:
        yield
    finally:
        _OFFER.is_open = False
        if _OFFER.forks is not None:
            _OFFER.forks.close()
            _OFFER.forks = None


def forks_for(environment: Mapping[str, str]) -> Forks | None:
    """Return the process that a daemon with this environment is forked off; None where it has to be started by exec."""
    if not _OFFER.is_open:
        return None
    if _OFFER.forks is None:
        _OFFER.forks = Forks(IMPORTED, environment)
    return _OFFER.forks if _OFFER.forks.can_start(environment) else None


async def _exit_code(forked: Forked) -> int:
    with forked.report:
        forked.report.setblocking(False)  # noqa: FBT003 - the socket module's own way
        return told_in(await asyncio.get_running_loop().sock_recv(forked.report, BYTES))
