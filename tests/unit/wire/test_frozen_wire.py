"""The protocol that was promised is kept: what is checked in of it stays, and today's wire is still that one, or more.

Never renew the sums below for a change of ours: clients that others have written can not be changed either. A change
that needs it is a new protocol, with a directory of its own (CONTRIBUTING, "How to change the wire").
"""

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flashdeckd.server.server import Server
from flashdeckd.state.hub import Hub
from frozen_wire import V2, read
from schema_check import closed, document, faults
from stand_in_daemon import MEMBER, Protocol
from unit.wire.peer import peer
from wire_evolution import broken_promises

SUMS = {
    "client.py": "b0fe6a217599d8feeceb1acb53948640d8d1abfeb713d7097b1e9585ded873d8",
    "examples.json": "b06ca5a686b4a0b208482764c9a6a5dbf2c26760a0991702de8f7c765b622ea5",
    "schema.json": "9446a864d16091085876b8e8ab25fafdc3133e719a2f0637b6c6e4d13dc3f9b0",
}


def test_what_was_promised_is_not_edited() -> None:
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in V2.iterdir()} == SUMS


def test_the_wire_of_today_keeps_what_protocol_2_promised() -> None:
    assert broken_promises(read("schema.json"), document("wire.schema.json")) == []


Change = Callable[[dict[str, Any]], object]
BREAKS: tuple[Change, ...] = (
    lambda new: new["methods"].pop("hold"),
    lambda new: new["methods"].update(hold=new["methods"]["cancel"]),
    lambda new: new["$defs"]["Flash"]["required"].append("boards"),
    lambda new: new["$defs"]["Flash"]["properties"].pop("no_wait"),
    lambda new: new["$defs"]["JobState"]["properties"].pop("text"),
    lambda new: new["$defs"]["JobState"]["required"].remove("is_settled"),
    lambda new: new["$defs"]["JobState"]["properties"].update(size={"type": "string"}),
    lambda new: new["$defs"]["JobState"]["properties"]["status"]["anyOf"].pop(0),
    lambda new: new["$defs"]["Phase"]["anyOf"][0]["enum"].remove("erase"),
    lambda new: new["$defs"]["ErrorObject"]["properties"].pop("data"),
    lambda new: new["$defs"]["Waiting"]["properties"]["state"].update({"const": "idle"}),
    lambda new: new["protocol"].update(lowest=3),
)
GROWTH: tuple[Change, ...] = (
    lambda new: new["methods"].update(power=new["methods"]["hold"]),
    lambda new: new["$defs"]["Flash"]["properties"].update(new={"type": "boolean", "default": False}),
    lambda new: new["$defs"]["JobState"]["properties"].update(new={"type": "string"}),
    lambda new: new["$defs"]["JobState"]["required"].append("text"),
    lambda new: new["$defs"]["JobState"]["properties"]["status"]["anyOf"].insert(0, {"$ref": "#/$defs/Queued"}),
    lambda new: new["$defs"]["Phase"]["anyOf"][0]["enum"].append("polish"),
    lambda new: new["$defs"]["JobState"].update(description="Another sentence."),
    lambda new: new["protocol"].update(highest=3),
)


@pytest.mark.parametrize("change", BREAKS)
def test_a_broken_promise_is_seen(change: Change) -> None:
    new = copy.deepcopy(document("wire.schema.json"))
    change(new)
    assert broken_promises(read("schema.json"), new) != []


@pytest.mark.parametrize("change", GROWTH)
def test_what_is_only_added_breaks_nothing(change: Change) -> None:
    new = copy.deepcopy(document("wire.schema.json"))
    change(new)
    assert broken_promises(read("schema.json"), new) == []


def test_the_examples_are_as_the_schema_says() -> None:
    protocol, examples = Protocol(), read("examples.json")
    Draft202012Validator.check_schema(protocol.schema)
    strict = closed(protocol.schema)
    assert examples["results"].keys() == strict["methods"].keys()
    for method, result in examples["results"].items():
        assert faults(result, strict, strict["methods"][method]["result"]) == [], method
    for event in examples["events"]:
        assert faults(event, strict, strict["events"]["event"]) == []
    assert faults(examples["error"], strict, strict["error"]) == []


def test_the_schema_takes_what_a_later_release_of_the_protocol_may_say() -> None:
    protocol = Protocol()
    for method in protocol.results:
        result = protocol.result(method, later=True)
        assert faults(result, protocol.schema, protocol.schema["methods"][method]["result"]) == [], method
        assert "brand_new" in result
    for number in range(len(protocol.events)):
        assert faults(protocol.event(number, later=True), protocol.schema, protocol.schema["events"]["event"]) == []
    assert protocol.result("boards", later=True)["boards"][0]["presence"] == MEMBER


@pytest.mark.parametrize(
    ("hello", "told"),
    [
        ({"protocol": 1, "client": "x"}, "flashdeckd 9.8.7 speaks protocol 2, flashdeck (an older release) 1"),
        ({"protocol": 9, "lowest": 5, "release": "7.0"}, "flashdeckd 9.8.7 speaks protocol 2, flashdeck 7.0 5 to 9"),
    ],
)
async def test_a_client_of_another_protocol_is_told_both_releases(
    hub: Hub, path: Path, hello: dict[str, Any], told: str
) -> None:
    async with Server(hub, {}).listening(path), peer(path, hello=False) as client:
        client.call(1, "hello", **hello)
        error = await client.error()
        assert (error["code"], error["data"]["kind"], error["message"]) == (8, "protocol-mismatch", told)
        assert error["data"]["hint"]
        assert await client.at_end()


async def test_a_client_that_speaks_more_protocols_is_taken(hub: Hub, path: Path) -> None:
    async with Server(hub, {}).listening(path), peer(path, hello=False) as client:
        client.call(1, "hello", protocol=9, lowest=1, release="7.0", client="x", new={"field": 1})
        assert (await client.receive())["result"]["protocol"] == 2
