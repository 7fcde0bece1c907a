"""A lease that this process was started in: what it asks of a daemon is asked by the lease's holder."""

import os
from dataclasses import dataclass
from typing import Final

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.text import clean

LEASE_VARIABLE: Final = "FLASHDECK_LEASE"
"""The token of the lease, as `flashdeck take` gives it to its command."""


@dataclass(frozen=True, slots=True)
class OuterLease:
    """The lease that the environment names, as it counts for one connection."""

    boards: tuple[str, ...] = ()
    """The boards of it; none where there is no lease, or where it does not count."""
    token: str = ""
    trouble: str = ""
    """The reason why it does not count; "" where it does, or where there is none."""


async def act_for_lease(client: Client) -> OuterLease:
    """Let a connection act for the lease that the environment names. Raises ConnectionFailedError.

    One that is read-only asks for nothing that a lease would matter for.
    """
    token = os.environ.get(LEASE_VARIABLE, "")
    if not token or client.welcome.read_only:
        return OuterLease()
    try:
        lease = await client.call(api.UseLease(token=clean(token)))
    except ConnectionFailedError:
        raise
    except FlashdeckError as error:
        return OuterLease(trouble=f"the lease in ${LEASE_VARIABLE} does not count here: {error.message}")
    return OuterLease(lease.boards, lease.token)
