"""The people who may connect: the daemon's own user, root and, where the configuration names one, a group's members."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.text import clean
from flashdeckd.host import accounts, clock, processes, threads
from flashdeckd.server.group_door import DoorGroup

LOOKUP_SECONDS: Final = 5.0
"""Seconds after which nobody waits for the name service any more: it may ask another machine."""
MOST_LOOKUPS: Final = 8
"""Users who are looked up at a time, beyond which the next one is refused."""
FRESH_SECONDS: Final = 60.0
"""Seconds for which it counts what the name service has said of a user."""
KEPT_USERS: Final = 64
"""Users of whom that is kept, those asked for last."""
LONGEST_USER: Final = 40
"""Characters kept of a user's name; every job carries it."""
_ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever is at the other end of a connection, as the system knows it."""

    uid: int
    name: str = ""
    """Its name; "" where only the daemon's own user, and root, may connect: then nobody has to be told apart."""
    is_owner: bool = True
    """True for the daemon's own user, and for root."""


@dataclass(frozen=True, slots=True)
class _Membership:
    """The answer of the name service."""

    visitor: Visitor | None
    """None where that user is no member."""
    until: float


class Members:
    """Says who a user is, by number, and if it may connect. Runs in the event loop's thread only."""

    def __init__(
        self,
        group: DoorGroup | None = None,
        *,
        in_force: Callable[[], str] | None = None,
        look_up: Callable[[int], accounts.Account | None] = accounts.account_of,
    ) -> None:
        """`in_force` returns the group that the configuration names now: if it is another one, that closes the door."""
        self._group = group
        self._in_force = in_force
        self._look_up = look_up
        self._said: dict[int, _Membership] = {}
        """By uid, those asked for last at the end."""
        self._asked: dict[int, asyncio.Future[accounts.Account | None]] = {}
        self._thread: threads.OwnThread | None = None

    def at_once(self, uid: int) -> Visitor | None:
        """Return who it is, where that needs no lookup; None where it does.

        Raises FlashdeckError of kind `no-permission` where it may not connect.
        """
        if uid in (_ROOT, processes.own_uid()):
            if self._group is None:
                return Visitor(uid)
            return Visitor(uid, "root" if uid == _ROOT else clean(self._group.served_by, LONGEST_USER))
        group = self._open_to(uid)
        said = self._said.get(uid)
        if said is None or said.until < clock.monotonic():
            return None
        return self._admitted(uid, said.visitor, group)

    async def looked_up(self, uid: int) -> Visitor:
        """Return who it is, once the name service has said so; raises FlashdeckError of kind `no-permission`."""
        group = self._open_to(uid)
        asked = self._asked.get(uid)
        if asked is None:
            if len(self._asked) >= MOST_LOOKUPS:
                raise _refused(f"uid {uid} cannot be looked up: others wait for that already", "try again in a moment")
            self._thread = self._thread or threads.OwnThread("accounts")
            asked = self._asked[uid] = self._thread.run(self._look_up, uid)
            asked.add_done_callback(lambda _: self._asked.pop(uid, None))
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                account = await asyncio.shield(asked)
        except (TimeoutError, OSError) as error:
            why = "it does not answer" if isinstance(error, TimeoutError) else error.strerror
            raise _refused(
                f"uid {uid} cannot be looked up in the name service of this machine: {why}",
                f"try again; on that machine `getent passwd {uid}` and `id` show what it says",
            ) from error
        visitor = None
        if account is not None and group.number in account.groups:
            visitor = Visitor(uid, clean(account.name, LONGEST_USER) or f"uid {uid}", is_owner=False)
        self._said.pop(uid, None)
        self._said[uid] = _Membership(visitor, clock.monotonic() + FRESH_SECONDS)
        while len(self._said) > KEPT_USERS:
            del self._said[next(iter(self._said))]
        return self._admitted(uid, visitor, group)

    def _open_to(self, uid: int) -> DoorGroup:
        """Return the group; raises FlashdeckError where only the daemon's own user may connect."""
        group = self._group
        if group is None or (self._in_force is not None and self._in_force() != group.name):
            raise _refused(
                f"uid {uid} may not connect: only uid {processes.own_uid()}, which flashdeckd runs as, and root may",
                'its owner can let a group in: `group = "NAME"` below [daemon], and a restart of flashdeckd',
            )
        return group

    @staticmethod
    def _admitted(uid: int, visitor: Visitor | None, group: DoorGroup) -> Visitor:
        if visitor is None:
            name = clean(group.name)
            raise _refused(
                f"uid {uid} may not connect: it is no member of the group {name}",
                f"ask the owner of that machine: `sudo usermod -aG {name} YOU`, then log in again",
            )
        return visitor


def _refused(message: str, hint: str) -> FlashdeckError:
    return FlashdeckError(message, hint=hint, kind=ErrorKind.NO_PERMISSION)
