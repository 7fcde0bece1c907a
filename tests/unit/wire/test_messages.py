"""JSON-RPC 2.0 as bytes, without a socket."""

import contextlib
import json
import os
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from canned_daemon import job
from flashdeck import rpc
from flashdeck.api import METHODS, Flash, JobList, Params, UploadChunk, VirtualDump, Welcome
from flashdeck.errors import EXIT_CODES, ErrorKind, FlashdeckError, RemoteError, RequestError
from flashdeck.job_state import Failure, Phase, Unknown
from flashdeck.model import JobState
from flashdeck.value import Value
from flashdeck.words.jobs import status_text
from job_states import DONE, RUNNING, phase_of


def refusal(line: bytes) -> rpc.RpcError:
    with pytest.raises(rpc.RpcError) as caught:
        rpc.decode_request(line)
    return caught.value


def refusal_if_any(line: bytes) -> rpc.RpcError | None:
    try:
        request = rpc.decode_request(line)
        rpc.decode_params(request, METHODS.get(request.method, METHODS["status"]))
    except rpc.RpcError as error:
        return error
    return None


def reply(line: bytes) -> rpc.Reply:
    got = rpc.decode_incoming(line)
    assert isinstance(got, rpc.Reply)
    return got


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_result_type(name: str) -> None:
    assert issubclass(rpc.result_type(METHODS[name]), Value)


def test_the_result_type_is_the_one_that_the_parameters_name() -> None:
    assert rpc.result_type(Flash) is JobList
    with pytest.raises(TypeError, match="Params"):
        rpc.result_type(Params)


def test_a_request_survives_the_wire() -> None:
    params = UploadChunk(upload=3, data=bytes(range(256)))
    line = rpc.encode_request(7, params)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    request = rpc.decode_request(line)
    assert (request.method, request.answer_to, request.is_notification) == ("upload.chunk", 7, False)
    assert rpc.decode_params(request, UploadChunk) == params


def test_a_request_is_plain_json_rpc_with_base64_bytes() -> None:
    assert json.loads(rpc.encode_request(1, UploadChunk(upload=2, data=b"\x00\xff"))) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "upload.chunk",
        "params": {"upload": 2, "data": "AP8="},
    }


def test_unknown_fields_are_ignored_everywhere() -> None:
    request = rpc.decode_request(
        b'{"jsonrpc":"2.0","id":1,"method":"flash","new":1,"params":{"partition":"a","new":[{}]}}'
    )
    assert rpc.decode_params(request, Flash) == Flash(partition="a")
    got = reply(b'{"jsonrpc":"2.0","id":1,"new":2,"result":{"protocol":1,"daemon":"","host":"","instance":"","new":3}}')
    assert rpc.decode_value(got.result, Welcome).protocol == 1


def test_parameters_may_be_left_out() -> None:
    request = rpc.decode_request(b'{"jsonrpc":"2.0","id":1,"method":"boards"}')
    assert rpc.decode_params(request, METHODS["boards"]) == METHODS["boards"]()


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"nonsense", b'{"jsonrpc":"2.0",}', b"[1,", b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"', b"\x00"],
    ids=lambda line: line[:12],
)
def test_what_is_no_json_is_a_parse_error(line: bytes) -> None:
    error = refusal(line)
    assert (error.code, error.request_id, error.kind) == (rpc.Code.PARSE_ERROR, None, ErrorKind.BAD_REQUEST)


@pytest.mark.parametrize(
    ("line", "request_id"),
    [
        (b"1", None),
        (b"{}", None),
        (b'{"jsonrpc":"2.0","id":5}', 5),
        (b'{"jsonrpc":"1.0","id":"x","method":"status"}', "x"),
        (b'{"jsonrpc":"2.0","id":6,"method":7}', 6),
        (b'{"jsonrpc":"2.0","id":[6],"method":"status"}', None),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"status"}', None),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 65 + b'","method":"status"}', None),
    ],
)
def test_json_that_is_no_request_is_an_invalid_request(line: bytes, request_id: object) -> None:
    error = refusal(line)
    assert (error.code, error.request_id) == (rpc.Code.INVALID_REQUEST, request_id)
    assert error.hint


def test_a_batch_is_refused_by_name() -> None:
    error = refusal(b'[{"jsonrpc":"2.0","id":1,"method":"status"}]')
    assert error.code == rpc.Code.INVALID_REQUEST
    assert "batch" in error.message


@pytest.mark.parametrize("params", ["[1]", "null", "{}", '{"partition":5}', '{"partition":"a","boards":"x"}'])
def test_parameters_that_do_not_fit_are_refused_by_field(params: str) -> None:
    request = rpc.decode_request(f'{{"jsonrpc":"2.0","id":"q","method":"flash","params":{params}}}'.encode())
    with pytest.raises(rpc.RpcError, match="'flash'") as caught:
        rpc.decode_params(request, Flash)
    assert (caught.value.code, caught.value.request_id) == (rpc.Code.INVALID_PARAMS, "q")


def test_syntax_errors_inside_the_parameters_are_parse_errors() -> None:
    request = rpc.decode_request(b'{"jsonrpc":"2.0","id":1,"method":"flash","params":{"partition":"\xff"}}')
    with pytest.raises(rpc.RpcError) as caught:
        rpc.decode_params(request, Flash)
    assert caught.value.code == rpc.Code.PARSE_ERROR


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_proper_refusal(line: bytes) -> None:
    refused = refusal_if_any(line)
    if refused is not None:
        assert refused.code in (rpc.Code.PARSE_ERROR, rpc.Code.INVALID_REQUEST)
        assert reply(rpc.encode_error(refused.request_id, refused)).error is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(METHODS)), JSON, st.dictionaries(st.sampled_from(["jsonrpc", "id", "method"]), JSON))
def test_any_json_is_a_call_or_a_proper_refusal(method: str, params: Any, changed: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **changed}
    refused = refusal_if_any(json.dumps(message).encode())
    if refused is not None:
        assert reply(rpc.encode_error(refused.request_id, refused)).error is not None


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_client_takes_any_line_or_calls_it_malformed(line: bytes) -> None:
    with contextlib.suppress(rpc.MalformedError):
        rpc.decode_incoming(line)


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_travels_with_message_and_hint(kind: ErrorKind) -> None:
    line = rpc.encode_error(4, FlashdeckError("seen at 0x08020000", hint="press reset", kind=kind))
    assert json.loads(line)["error"]["code"] == EXIT_CODES[kind]
    got = reply(line)
    assert got.id == 4
    assert isinstance(got.error, RemoteError)
    assert (got.error.kind, got.error.message, got.error.hint) == (kind, "seen at 0x08020000", "press reset")
    assert got.error.exit_code == EXIT_CODES[kind]


def test_a_phase_from_a_newer_daemon_is_just_work() -> None:
    job = b'{"id":1,"board":"b","partition":"p","sha256":"","size":1,"origin":"hand","created_at":0,'
    running = b'"status":{"state":"running","phase":"polishing","since":1.0,"answered_at":1.0}}'
    state = rpc.decode_value(msgspec.Raw(job + running), JobState)
    assert phase_of(state) is Phase.OTHER
    assert state.text == "working"


def test_a_state_from_a_newer_daemon_is_told_in_its_words() -> None:
    job = b'{"id":1,"board":"b","partition":"p","sha256":"","size":1,"origin":"hand","created_at":0,'
    resting = b'"status":{"state":"resting","until":{"state":"noon"}},"text":"resting until noon","is_settled":true}'
    state = rpc.decode_value(msgspec.Raw(b'{"jobs":[' + job + resting + b"]}"), JobList).jobs[0]
    assert (type(state.status), state.text, state.is_settled) == (Unknown, "resting until noon", True)


def test_a_kind_from_a_newer_daemon_is_other() -> None:
    line = b'{"jsonrpc":"2.0","id":1,"error":{"code":99,"message":"m","data":{"kind":"brand-new","more":1}}}'
    got = reply(line).error
    assert got is not None
    assert (got.kind, got.message) == (ErrorKind.OTHER, "m")
    failure = rpc.decode_value(msgspec.Raw(b'{"kind":"brand-new","message":"m"}'), Failure)
    assert failure.kind is ErrorKind.OTHER


def test_an_error_without_data_is_still_an_error() -> None:
    got = reply(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}')
    assert got.id is None
    assert got.error is not None
    assert got.error.kind is ErrorKind.OTHER


def test_errors_carry_no_control_characters_and_fit_a_line() -> None:
    error = FlashdeckError("a\x1b[31mb\x07\nsecond\udc80line " + "x" * 2_000_000, hint="\x9b2J" + "\x1b" * 100_000)
    line = rpc.encode_error(1, error)
    assert len(line) < rpc.MAX_LINE
    got = reply(line).error
    assert got is not None
    assert got.message.startswith("a�[31mb�\nsecond�line ")
    assert "\x1b" not in got.hint


def test_what_a_hostile_daemon_says_is_cleaned_on_this_side_too() -> None:
    got = reply(b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"\\u001b]0;x","data":{"hint":"\\u009b"}}}').error
    assert got is not None
    assert (got.message, got.hint) == ("�]0;x", "�")


def test_a_line_of_the_greatest_length_passes_and_one_byte_more_is_refused() -> None:
    empty = len(rpc.encode_request(1, VirtualDump(board=""))) - 1
    assert len(rpc.encode_request(1, VirtualDump(board="x" * (rpc.MAX_LINE - empty)))) == rpc.MAX_LINE + 1
    with pytest.raises(RequestError, match=r"virtual\.dump"):
        rpc.encode_request(1, VirtualDump(board="x" * (rpc.MAX_LINE - empty + 1)))


def test_a_method_that_is_not_here_is_refused_with_what_there_is() -> None:
    unknown = rpc.no_such_method(rpc.decode_request(b'{"jsonrpc":"2.0","id":9,"method":"mass\\u001berase"}'))
    assert (unknown.code, unknown.request_id) == (rpc.Code.METHOD_NOT_FOUND, 9)
    assert "\x1b" not in unknown.message
    assert "flash" in unknown.hint
    virtual = rpc.no_such_method(rpc.decode_request(b'{"jsonrpc":"2.0","id":9,"method":"virtual.list"}'))
    assert "--virtual" in virtual.hint


def test_a_job_that_gets_another_status_tells_that_one() -> None:
    """What follows from a status follows it through `replace`: before msgspec 0.21 it stayed behind."""
    before = job(1, status=RUNNING)
    after = replace(before, status=DONE)
    assert (before.is_settled, after.is_settled) == (False, True)
    assert after.text == status_text(DONE)
    assert after.text != before.text


def test_what_is_not_utf_8_is_an_error_in_words() -> None:
    with pytest.raises(RequestError, match=r"a text in this virtual.dump is not UTF-8"):
        rpc.encode_request(1, VirtualDump(board=os.fsdecode(b"\xff")))
