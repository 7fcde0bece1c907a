"""The methods of the socket protocol that are about slots."""

from collections.abc import Mapping
from typing import Any

from flashdeck import api
from flashdeck.slot_state import LotState
from flashdeckd.server.connection import Connection
from flashdeckd.server.handlers import handled
from flashdeckd.server.server import Handler
from flashdeckd.slotting.slot_requests import SlotRequests


def slot_handlers(slots: SlotRequests) -> Mapping[type[api.Params[Any]], Handler]:
    """Return the handlers for lots and units."""

    async def begin(params: api.BeginLot, _connection: Connection) -> LotState:
        return await slots.begin(params)

    async def end(params: api.EndLot, _connection: Connection) -> LotState:
        return await slots.end(params.name)

    async def lots(params: api.GetLots, _connection: Connection) -> api.LotList:
        return slots.lots(params)

    async def units(params: api.GetUnits, _connection: Connection) -> api.UnitPage:
        return await slots.units(params)

    return dict(
        (
            handled(api.BeginLot, begin),
            handled(api.EndLot, end),
            handled(api.GetLots, lots),
            handled(api.GetUnits, units),
        )
    )
