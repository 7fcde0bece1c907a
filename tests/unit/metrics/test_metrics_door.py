"""Who may have the numbers: whoever has the token, asks this machine by its own name, and wants nothing else."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.loopback import LoopbackPort
from flashdeckd.metrics.metrics_door import Declined, MetricsDoor, Welcomed

TOKEN = "0123456789abcdef"  # noqa: S105 - of the test's own
DOOR = MetricsDoor(LoopbackPort("127.0.0.1", 9820), TOKEN)
HOST = (b"host", b"127.0.0.1:9820")
SHOWN = (b"authorization", f"Bearer {TOKEN}".encode())
FIELDS = (HOST, SHOWN)


def status(
    door: MetricsDoor = DOOR, method: bytes = b"GET", target: bytes = b"/metrics", *fields: tuple[bytes, bytes]
) -> int:
    verdict = door.admits(method, target, fields or FIELDS)
    return verdict.status if isinstance(verdict, Declined) else HTTPStatus.OK


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("target", [b"/metrics", b"/metrics?name[]=flashdeck_boards"])
def test_prometheus_is_answered(method: bytes, target: bytes) -> None:
    wanted = ((b"accept", b"text/plain"), (b"accept", b"application/openmetrics-text"))
    assert DOOR.admits(method, target, (*FIELDS, *wanted)) == Welcomed("text/plain,application/openmetrics-text")


@pytest.mark.parametrize("host", [b"127.0.0.1:9820", b"localhost:9820"])
def test_this_machine_is_asked_by_its_own_names(host: bytes) -> None:
    assert status(DOOR, b"GET", b"/metrics", (b"host", host), SHOWN) == HTTPStatus.OK


@pytest.mark.parametrize(
    ("at", "host"),
    [
        (LoopbackPort("127.0.0.1", 80), b"127.0.0.1"),
        (LoopbackPort("127.0.0.1", 80), b"127.0.0.1:80"),
        (LoopbackPort("::1", 9820), b"[::1]:9820"),
    ],
)
def test_a_port_may_be_left_out_where_it_is_the_usual_one(at: LoopbackPort, host: bytes) -> None:
    assert status(MetricsDoor(at, TOKEN), b"GET", b"/metrics", (b"host", host), SHOWN) == HTTPStatus.OK


@pytest.mark.parametrize("host", [b"evil.example:9820", b"127.0.0.1", b"127.0.0.1:9821", b"[::1]:9820", b""])
def test_a_borrowed_name_is_not_answered_though_the_token_is_there(host: bytes) -> None:
    assert status(DOOR, b"GET", b"/metrics", (b"host", host), SHOWN) == HTTPStatus.MISDIRECTED_REQUEST
    assert status(DOOR, b"GET", b"/metrics", HOST, HOST, SHOWN) == HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    "shown",
    [
        *(
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer 0123456789abcde",
            b"Bearer 0123456789abcdef0",
            b"Bearer 0123456789ABCDEF",
        ),
        *(b"Basic 0123456789abcdef", b"0123456789abcdef", b"Bearer \xff"),
    ],
)
def test_without_the_token_nothing_is_told_whatever_is_asked(shown: bytes) -> None:
    for method, target in ((b"GET", b"/metrics"), (b"GET", b"/"), (b"POST", b"/metrics")):
        assert status(DOOR, method, target, HOST, (b"authorization", shown)) == HTTPStatus.UNAUTHORIZED
    assert status(DOOR, b"GET", b"/metrics", HOST) == HTTPStatus.UNAUTHORIZED
    assert status(DOOR, b"GET", b"/metrics", HOST, SHOWN, SHOWN) == HTTPStatus.UNAUTHORIZED


def test_a_door_that_has_no_token_opens_to_nobody() -> None:
    door = MetricsDoor(LoopbackPort("127.0.0.1", 9820))
    assert status(door, b"GET", b"/metrics", HOST, (b"authorization", b"Bearer ")) == HTTPStatus.UNAUTHORIZED


@given(st.text(st.characters(max_codepoint=255)).filter(lambda text: text.strip(" ") != TOKEN))
def test_no_other_word_is_the_token(word: str) -> None:
    shown = (b"authorization", b"Bearer " + word.encode("latin-1"))
    assert status(DOOR, b"GET", b"/metrics", HOST, shown) == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"get"])
def test_nothing_can_be_done_here_but_look(method: bytes) -> None:
    assert status(DOOR, method) == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("target", [b"/", b"/metrics/", b"/metrics/../x", b"http://127.0.0.1:9820/metrics", b"*"])
def test_nothing_else_is_here(target: bytes) -> None:
    assert status(DOOR, b"GET", target) == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding"])
def test_a_request_with_a_body_is_none(name: bytes) -> None:
    assert status(DOOR, b"GET", b"/metrics", *FIELDS, (name, b"1")) == HTTPStatus.BAD_REQUEST


def test_a_unix_socket_wants_no_token_and_any_name() -> None:
    assert status(MetricsDoor(), b"GET", b"/metrics", (b"host", b"localhost")) == HTTPStatus.OK
    assert status(MetricsDoor(), b"POST", b"/metrics", (b"host", b"localhost")) == HTTPStatus.METHOD_NOT_ALLOWED
