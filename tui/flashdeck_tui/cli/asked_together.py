"""Machines that are asked at once: one that is slow or does not answer is named while the others go on."""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck_tui.cli.output import say, say_error
from flashdeck_tui.cli.remote import for_host, speaking_as

LATE_SECONDS: Final = 3.0
"""Seconds after which a machine that has not answered is named, and from which on a failure is told at once."""


class AskedTogether:
    """The knowledge that the tasks of one command, one a machine, have of each other."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._coming = dict.fromkeys(hosts)
        self._reached: set[str] = set()
        self._failed: dict[str, FlashdeckError] = {}
        self._told: set[str] = set()
        self._is_late = False
        self._changed = asyncio.Event()

    def reached(self, host: str) -> None:
        """Note that a machine was reached."""
        self._coming.pop(host, None)
        self._reached.add(host)
        self._announce()

    def failed(self, host: str, error: FlashdeckError) -> None:
        """Note that nothing more comes of a machine."""
        self._coming.pop(host, None)
        self._failed[host] = error
        self._announce()
        if self._is_late:
            self._tell_failed()

    async def is_worth_another_try(self, host: str) -> bool:
        """Return whether a machine that was not there is tried again: once another one was reached.

        Waits until that is known. Where no machine is there, that is the end, as with one.
        """
        self._coming.pop(host, None)
        self._announce()
        while not self._reached and self._coming:
            await self._changed.wait()
        return bool(self._reached)

    async def tell_late(self) -> None:
        """Name, once it takes longer than one likes to wait, those that have not answered and those that failed."""
        await asyncio.sleep(LATE_SECONDS)
        self._is_late = True
        self._tell_failed()
        for host in self._coming:
            with speaking_as(host):
                say("has not answered yet")

    def untold(self, host: str) -> bool:
        """Return whether nobody was told that this machine failed."""
        return host not in self._told

    def _tell_failed(self) -> None:
        for host, error in self._failed.items():
            if host not in self._told:
                self._told.add(host)
                say_error(with_host(host, error), for_host(error.hint, host))

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def with_host(host: str, error: FlashdeckError) -> str:
    """Return what went wrong on a machine, with its name: what a connection says of itself has that already."""
    named = rf"(?<![\w.-]){re.escape(host)}(?![\w.-])"
    is_named = isinstance(error, ConnectionFailedError) and re.search(named, error.message)
    return error.message if is_named else f"{host}: {error.message}"


def all_hints(errors: Iterable[tuple[str, FlashdeckError]]) -> str:
    """Return what to do about errors of several machines: once, where it is the same for all."""
    hints = {host: for_host(error.hint, host) for host, error in errors}
    if len(set(hints.values())) == 1:
        return next(iter(hints.values()))
    return "; ".join(f"{host}: {hint}" for host, hint in hints.items() if hint)
