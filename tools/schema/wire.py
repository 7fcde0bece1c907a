"""The JSON Schema of the socket protocol: what each method takes and answers, events, and errors."""

from flashdeck import rpc
from flashdeck.api import EFFECTS, HIGHEST_PROTOCOL, LOWEST_PROTOCOL, METHODS
from flashdeck.job_state import Unknown
from flashdeck.model import Event
from schema.values import DRAFT, Schema, definitions, ref

_ABOUT = (
    "JSON-RPC 2.0, one object a line, on the socket of flashdeckd. `methods` says what each method takes and answers, "
    "and if it only `reads` or `changes` something, which a connection that is read-only may not. "
    "The first call is `hello`. Within a protocol, methods, fields and members of enums and of unions may be added: "
    "ignore fields that you do not know, and show a job in a state that you do not know by its `text`, `is_settled` "
    "and `needs_person`."
)
_VERSION: Schema = {"const": "2.0"}
_ID: Schema = {"type": ["integer", "string", "null"]}


def wire_schema() -> Schema:
    """Return the schema. A line of the socket is valid by it; `methods` and `events` refer to its parts by name."""
    results = {name: rpc.result_type(params) for name, params in METHODS.items()}
    kinds = (*METHODS.values(), *results.values(), Event, rpc.ErrorObject)
    return {
        "$schema": DRAFT,
        "title": "The wire of flashdeckd",
        "description": _ABOUT,
        "protocol": {"lowest": LOWEST_PROTOCOL, "highest": HIGHEST_PROTOCOL},
        "methods": {
            name: {"params": ref(params), "result": ref(results[name]), "effect": EFFECTS[name].value}
            for name, params in METHODS.items()
        },
        "events": {rpc.EVENT: ref(Event)},
        "error": ref(rpc.ErrorObject),
        "anyOf": [_request(), _result(), _refusal(), _notification()],
        "$defs": dict(definitions(kinds, full=False, without=Unknown)),
    }


def _line(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": {"jsonrpc": _VERSION} | properties, "required": ["jsonrpc", *required]}


def _request() -> Schema:
    by_method = [
        {"if": {"properties": {"method": {"const": name}}}, "then": {"properties": {"params": ref(params)}}}
        for name, params in METHODS.items()
    ]
    method = {"type": "string", "not": {"const": rpc.EVENT}}
    params = {"type": "object"}
    return _line({"id": _ID, "method": method, "params": params}, ["method"]) | {"allOf": by_method}


def _result() -> Schema:
    return _line({"id": _ID, "result": {"type": "object"}}, ["id", "result"])


def _refusal() -> Schema:
    return _line({"id": _ID, "error": ref(rpc.ErrorObject)}, ["id", "error"])


def _notification() -> Schema:
    return _line({"method": {"const": rpc.EVENT}, "params": ref(Event)}, ["method", "params"])
