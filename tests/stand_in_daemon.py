"""A daemon that answers by a checked-in protocol, and knows nothing of the code of today: JSON over the real socket.

Its answers are `examples.json` of that protocol. With `later` they are those of a later release of the same protocol:
every job is in a state, every enum has a member, and every object a field that is not in the schema.
"""

import asyncio
import copy
import json
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from frozen_wire import read

Object = dict[str, Any]
RELEASE: Final = "9.8.7"
"""What it says it is."""
MEMBER: Final = "of a later release"
"""In place of every member of an enum."""
STATE: Final = "resting"
"""In place of every state of a job."""
TEXT: Final = "resting until noon, as only a later release can"
"""What it says of such a job."""
NO_SUCH_METHOD: Final = -32601


class Protocol:
    """A protocol of which schema and examples are checked in."""

    def __init__(self) -> None:
        self.schema: Object = read("schema.json")
        examples = read("examples.json")
        self.results: Mapping[str, Any] = examples["results"]
        self.events: Sequence[Any] = examples["events"]

    def result(self, method: str, *, later: bool) -> Any:
        """Return what a method answers."""
        value = copy.deepcopy(self.results[method])
        return self.of_later_release(value, self.schema["methods"][method]["result"]) if later else value

    def event(self, number: int, *, later: bool) -> Any:
        """Return one of the events."""
        value = copy.deepcopy(self.events[number])
        return self.of_later_release(value, self.schema["events"]["event"]) if later else value

    def of_later_release(self, value: Any, schema: Object) -> Any:
        """Return a value with everything in it that a later release may bring."""
        schema = self._resolved(schema)
        members = schema.get("anyOf", [])
        if isinstance(value, str) and {"type": "string"} in members:
            return MEMBER
        if members and value is not None:
            schema = next(each for each in map(self._resolved, members) if _fits(value, each))
        if isinstance(value, list):
            items: Object = schema.get("items") or {}  # false for tuples
            whole = cast("list[Any]", value)
            return [self.of_later_release(each, items) for each in whole] if items else whole
        if not isinstance(value, dict):
            return value
        known = schema.get("properties", {})
        found = {name: self.of_later_release(each, known.get(name, {})) for name, each in cast("Object", value).items()}
        if "status" in found and "is_settled" in found:
            found["status"] = {"state": STATE, "until": {"state": "noon"}}
            found["text"] = TEXT
        return found | {"brand_new": [{"status": {"state": "of the sky"}, "level": 7}]}

    def _resolved(self, schema: Object) -> Object:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.schema["$defs"][name] if name else schema


def _fits(value: Any, schema: Object) -> bool:
    """Tell whether a value may be meant by a member of a union."""
    if not isinstance(value, dict):
        return schema.get("type") != "null" and "properties" not in schema
    constants = {name: each["const"] for name, each in schema.get("properties", {}).items() if "const" in each}
    return "properties" in schema and all(cast("Object", value).get(name) == each for name, each in constants.items())


class StandIn:
    """The daemon. All its members may be changed while it runs."""

    def __init__(self, socket: Path, *, later: bool = False, without: Iterable[str] = ()) -> None:
        self.socket = socket
        self.protocol = Protocol()
        self.later = later
        self.without = frozenset(without)
        """Methods that it does not have."""
        self.calls: list[tuple[str, Object]] = []
        self.results: dict[str, Any] = {}
        """What methods answer in place of the examples."""
        self.errors: dict[str, Object] = {}
        """With what methods are refused."""
        self.after: dict[str, Sequence[Object]] = {}
        """Events that follow the answer of a method, their numbers left out."""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def called(self, method: str) -> list[Object]:
        return [params for name, params in self.calls if name == method]

    def job(self, **fields: Any) -> Object:
        """Return the job of the examples that is done, with other fields."""
        return self.protocol.result("flash", later=self.later)["jobs"][0] | fields

    def run(self, ready: Callable[[], object]) -> None:
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self, ready: Callable[[], object]) -> None:
        server = await asyncio.start_unix_server(self._accept, self.socket)
        ready()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seq = self.protocol.result("subscribe", later=False)["seq"]
        try:
            while line := await reader.readline():
                call: Object = json.loads(line)
                self.calls.append((call["method"], call.get("params", {})))
                writer.write(_line({"id": call["id"], **self._answer(call["method"])}))
                for event in self.after.get(call["method"], ()):
                    seq += 1
                    writer.write(_line({"method": "event", "params": {"seq": seq} | event}))
                await writer.drain()
        except ConnectionError:
            pass  # the client left
        finally:
            writer.close()

    def _answer(self, method: str) -> Object:
        if method in self.errors:
            return {"error": self.errors[method]}
        if method in self.without or method not in self.protocol.results:
            data = {"kind": "bad-request", "hint": "there are others"}
            return {"error": {"code": NO_SUCH_METHOD, "message": f"this daemon has no method '{method}'", "data": data}}
        result = self.results.get(method) or self.protocol.result(method, later=self.later)
        return {"result": result | {"daemon": RELEASE} if method == "hello" else result}


def _line(message: Object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


@contextmanager
def stand_in(*, later: bool = False, without: Iterable[str] = ()) -> Generator[StandIn]:
    """A running stand-in; its socket is in a short directory, as Unix sockets need it."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        daemon = StandIn(Path(directory, "s"), later=later, without=without)
        ready = threading.Event()
        thread = threading.Thread(target=daemon.run, args=(ready.set,), name="stand-in daemon")
        thread.start()
        try:
            assert ready.wait(30), "the stand-in did not start"
            yield daemon
        finally:
            daemon.stop()
            thread.join(30)
