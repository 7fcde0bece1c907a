"""A lease that this process was started in: what it asks of a daemon is asked by the lease's holder."""

import os
from typing import Final

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ConnectionFailedError, FlashdeckError
from flashdeck.text import clean

LEASE_VARIABLE: Final = "FLASHDECK_LEASE"
"""The token of the lease, as `flashdeck take` gives it to its command."""


async def act_for_lease(client: Client) -> str:
    """Let a connection act for the lease that the environment names; return why that does not work, "" where it does.

    Raises ConnectionFailedError.
    """
    token = os.environ.get(LEASE_VARIABLE, "")
    if not token:
        return ""
    try:
        await client.call(api.UseLease(token=clean(token)))
    except ConnectionFailedError:
        raise
    except FlashdeckError as error:
        return f"the lease in ${LEASE_VARIABLE} does not count here: {error.message}"
    return ""
