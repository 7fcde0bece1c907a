"""The whole journal of a daemon, a page at a time."""

from collections.abc import AsyncGenerator

from msgspec.structs import replace

from flashdeck.api import GetHistory, HistoryPage
from flashdeck.client import Client


async def history_pages(client: Client, wanted: GetHistory) -> AsyncGenerator[HistoryPage, None]:
    """Yield one page after the other, until there are `wanted.limit` jobs or no more pages."""
    while True:
        page = await client.call(wanted)
        yield page
        left = wanted.limit - len(page.jobs)
        if not page.next or left <= 0:
            return
        wanted = replace(wanted, before=page.next, limit=left)
