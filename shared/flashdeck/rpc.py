"""JSON-RPC 2.0, one object a line: bytes in, values out. No sockets here.

Error codes: those that JSON-RPC 2.0 section 5.1 reserves, for what is wrong with the call itself; for everything
else the exit code that the command line maps the error's kind to (1 to 130). `data` always holds `kind` and `hint`,
and `kind` is what a client should look at.
"""

from enum import IntEnum
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

import msgspec

from flashdeck.api import METHODS, NAMES, Params
from flashdeck.errors import ErrorKind, FlashdeckError, RemoteError, RequestError
from flashdeck.newer import readable
from flashdeck.text import MAX_MESSAGE, clean
from flashdeck.value import Value

MAX_LINE = 1024 * 1024
"""Bytes of one line at the most, its line break not counted; both sides refuse to send or take more."""
MAX_CALLS = 32
"""Calls of one connection that may be in flight; the client waits for a free place, the server refuses more."""
EVENT = "event"
"""The only notification: its parameters are a `flashdeck.model.Event`."""

MAX_ID = 64
"""Characters of a call's `id`, where it is text."""

T = TypeVar("T")
R = TypeVar("R", bound=Value)
RequestId = int | Annotated[str, msgspec.Meta(max_length=MAX_ID)] | None


class Code(IntEnum):
    """The codes that JSON-RPC 2.0 section 5.1 reserves."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603


class RpcError(RequestError):
    """A call that is wrong in itself; `id` is the call's where it could be read."""

    def __init__(self, message: str, *, code: Code, request_id: RequestId = None, hint: str = "") -> None:
        kind = ErrorKind.OTHER if code is Code.INTERNAL_ERROR else ErrorKind.BAD_REQUEST
        super().__init__(message, hint=hint, kind=kind)
        self.code = code
        self.request_id: RequestId = request_id


class MalformedError(FlashdeckError):
    """The daemon sent something that is no message of this protocol."""

    kind = ErrorKind.PROTOCOL_MISMATCH


class Request(Value, frozen=True, kw_only=True):
    """A call, its parameters not yet looked at. Without an `id` it is a notification and gets no answer."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: RequestId | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_notification(self) -> bool:
        """True if the client wants no answer."""
        return self.id is msgspec.UNSET

    @property
    def answer_to(self) -> RequestId:
        """The id that an answer carries."""
        return None if isinstance(self.id, msgspec.UnsetType) else self.id


class Reply(Value, frozen=True, kw_only=True):
    """The answer to the call `id`: a result not yet looked at, or an error."""

    id: RequestId
    result: msgspec.Raw
    error: RemoteError | None
    is_unknown_method: bool = False
    """True if the daemon does not have the method that was called."""


class Notification(Value, frozen=True, kw_only=True):
    """Something the daemon tells without being asked."""

    method: str
    params: msgspec.Raw


class ErrorData(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The part of an error that a client should look at."""

    kind: ErrorKind = ErrorKind.OTHER
    hint: str = ""


class ErrorObject(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The reason why a call was refused, or failed."""

    code: int
    message: str
    data: ErrorData = ErrorData()


class _Incoming(Value, frozen=True, kw_only=True):
    """A message that a client may receive: a response has `result` or `error`, a notification `method`."""

    jsonrpc: Literal["2.0"]
    id: RequestId = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | None = None


def result_type(params: type[Params[R]]) -> type[R]:
    """The result's type of a method, from the `Params[Result]` that its parameters derive from."""
    for base in cast("tuple[Any, ...]", getattr(params, "__orig_bases__", ())):
        for argument in get_args(base):
            if isinstance(argument, type):
                return cast("type[R]", argument)
    raise TypeError(f"{params.__name__} does not say what its result is: derive it from Params[Result]")


def encode_request(request_id: int, params: Params[Any]) -> bytes:
    """A call as one line. RequestError if it is longer than `MAX_LINE`, or a text in it is not UTF-8."""
    name = NAMES[type(params)]
    try:
        return _line({"jsonrpc": "2.0", "id": request_id, "method": name, "params": params})
    except UnicodeEncodeError as error:
        raise RequestError(f"a text in this {name} is not UTF-8", hint="look at names and paths in it") from error


def encode_response(request_id: RequestId, result: Value) -> bytes:
    """The answer to a call as one line. RequestError if it is longer than `MAX_LINE`."""
    return _line({"jsonrpc": "2.0", "id": request_id, "result": result})


def encode_error(request_id: RequestId, error: FlashdeckError) -> bytes:
    """The refusal or failure of a call as one line; its text is cut to what a line and a terminal bear."""
    code = error.code if isinstance(error, RpcError) else error.exit_code
    data = ErrorData(kind=error.kind, hint=_tidy(error.hint))
    told = ErrorObject(code=int(code), message=_tidy(error.message), data=data)
    return _line({"jsonrpc": "2.0", "id": request_id, "error": told})


def encode_notification(method: str, params: Value) -> bytes:
    """Something told without being asked, as one line. RequestError if it is longer than `MAX_LINE`."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def decode_request(line: bytes) -> Request:
    """A call that a client sent. RpcError says what is wrong with it, and with which call if that can be told."""
    try:
        return _decode(line, Request)
    except _SyntaxError as error:
        raise RpcError(
            f"this line is not JSON: {error}", code=Code.PARSE_ERROR, hint="send one JSON-RPC 2.0 object a line"
        ) from error
    except msgspec.ValidationError as error:
        raise _invalid(line, str(error)) from error


def decode_params(request: Request, params: type[Params[R]]) -> Params[R]:
    """The parameters of a call as their own type. RpcError names the field that does not fit."""
    try:
        return _decode(bytes(request.params), params)
    except _SyntaxError as error:
        raise RpcError(
            f"the parameters of '{NAMES[params]}' are not JSON: {error}",
            code=Code.PARSE_ERROR,
            request_id=request.answer_to,
        ) from error
    except msgspec.ValidationError as error:
        raise RpcError(
            f"the parameters of '{NAMES[params]}' do not fit: {error}",
            code=Code.INVALID_PARAMS,
            request_id=request.answer_to,
            hint="are client and daemon of the same version?",
        ) from error


def is_for_emulated_boards(method: str) -> bool:
    """Tell whether a method exists only in a daemon that was started with `--virtual`."""
    return method.startswith("virtual.")


def no_such_method(request: Request) -> RpcError:
    """Return the error for a method that this daemon does not have."""
    hint = "are client and daemon of the same version?"
    if is_for_emulated_boards(request.method):
        hint = "emulated boards exist only in a daemon started with `flashdeckd --virtual FILE`"
    elif request.method not in METHODS:
        hint = f"there are: {', '.join(sorted(METHODS))}"
    return RpcError(
        f"this daemon has no method '{clean(request.method, 60)}'",
        code=Code.METHOD_NOT_FOUND,
        request_id=request.answer_to,
        hint=hint,
    )


def decode_incoming(line: bytes) -> Reply | Notification:
    """Return the daemon's message. Raises MalformedError if it is neither an answer nor a notification."""
    try:
        incoming = _decode(line, _Incoming)
    except (_SyntaxError, msgspec.ValidationError) as error:
        raise MalformedError(
            f"the daemon sent a line that is no JSON-RPC 2.0 message: {error}",
            hint="are client and daemon of the same version?",
        ) from error
    if incoming.error is not None:
        return Reply(
            id=incoming.id,
            result=msgspec.Raw(b"{}"),
            error=_rebuild(incoming.error),
            is_unknown_method=incoming.error.code == Code.METHOD_NOT_FOUND,
        )
    if not isinstance(incoming.result, msgspec.UnsetType):
        return Reply(id=incoming.id, result=incoming.result, error=None)
    if incoming.method:
        return Notification(method=incoming.method, params=incoming.params)
    raise MalformedError("the daemon sent a message without result, error or method")


def decode_value(raw: msgspec.Raw, kind: type[R]) -> R:
    """A result or a notification's parameters as their own type. MalformedError if they do not fit."""
    try:
        return _decode_newer(bytes(raw), kind)
    except (_SyntaxError, msgspec.ValidationError) as error:
        raise MalformedError(
            f"the daemon sent a {kind.__name__} that does not fit: {error}",
            hint="are client and daemon of the same version?",
        ) from error


class _SyntaxError(Exception):
    """Not JSON at all, or nested deeper than anything in this protocol."""


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        _parse(data)  # a syntax error after the misfit counts for more
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _SyntaxError(str(error)) from error


def _decode_newer(data: bytes, kind: type[T]) -> T:
    try:
        return _decode(data, kind)
    except msgspec.ValidationError:
        return _decode(msgspec.json.encode(readable(_parse(data))), kind)


def _parse(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _SyntaxError(str(error)) from error


def _invalid(line: bytes, why: str) -> RpcError:
    seen = _parse(line)
    if isinstance(seen, list):
        return RpcError(
            "batches are not supported", code=Code.INVALID_REQUEST, hint="send one JSON-RPC 2.0 object a line"
        )
    request_id = cast("dict[str, object]", seen).get("id") if isinstance(seen, dict) else None
    try:
        named = msgspec.convert(request_id, RequestId)
    except msgspec.ValidationError:
        named = None
    return RpcError(
        f"this is no JSON-RPC 2.0 request: {why}",
        code=Code.INVALID_REQUEST,
        request_id=named,
        hint='an object with "jsonrpc": "2.0", "id", "method" and "params" is needed',
    )


def _rebuild(error: ErrorObject) -> RemoteError:
    return RemoteError(_tidy(error.message), hint=_tidy(error.data.hint), kind=error.data.kind)


def _line(message: dict[str, object]) -> bytes:
    line = msgspec.json.encode(message)
    if len(line) > MAX_LINE:
        what = message.get("method", "reply")
        raise RequestError(
            f"this {what} takes {len(line)} bytes; one line of the protocol carries {MAX_LINE}",
            hint="ask for less at a time",
        )
    return line + b"\n"


def _tidy(text: str) -> str:
    """Text of an error, which may quote anything, fit for a line and a terminal."""
    return "\n".join(clean(line, MAX_MESSAGE) for line in text[:MAX_MESSAGE].splitlines())
