"""The methods of the socket protocol that only a daemon of emulated boards has."""

from collections.abc import Callable, Mapping
from typing import Any

from flashdeck import api
from flashdeck.names import required, select
from flashdeck.value import Value
from flashdeckd.server.connection import Connection
from flashdeckd.server.handlers import for_each
from flashdeckd.server.server import Handler
from flashdeckd.virtual.virtual_bench import VirtualBench


def virtual_handlers(bench: VirtualBench) -> Mapping[type[api.Params[Any]], Handler]:
    """The hands on an emulated bench; a daemon with real boards has none of these methods."""

    def on(action: Callable[[Any], Value]) -> Handler:
        async def handler(params: Any, _connection: Connection) -> Value:
            return action(params)

        return handler

    def on_each(action: Callable[[str], api.VirtualBoardState]) -> Handler:
        async def act(name: str) -> api.VirtualBoardState:
            return action(name)

        async def handler(params: Any, _connection: Connection) -> Value:
            chosen = select(required(params.boards), bench.boards, thing="virtual board")
            return api.VirtualBoardList(boards=await for_each(chosen, act))

        return handler

    async def swap(params: api.VirtualSwap, _connection: Connection) -> api.VirtualBoardState:
        return await bench.swap(params.board, params.serial, params.fault)

    return {
        api.VirtualSwap: swap,
        api.VirtualList: on(lambda _: api.VirtualBoardList(boards=bench.list())),
        api.VirtualPlug: on_each(bench.plug),
        api.VirtualUnplug: on_each(bench.unplug),
        api.VirtualPress: on_each(bench.press),
        api.VirtualSay: on(lambda params: bench.say(params.board, params.text)),
        api.VirtualFault: on(
            lambda params: bench.fault(
                params.board,
                params.fault,
                params.after,
                times=params.times,
                address=params.address,
                delay=params.delay,
            )
        ),
        api.VirtualDump: on(lambda params: bench.dump(params.board, params.address, params.size)),
    }
