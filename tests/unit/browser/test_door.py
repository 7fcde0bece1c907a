"""The door of `flashdeck serve` lets in nobody without the token, and nobody from elsewhere with it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flashdeck.loopback import loopback, named_with_port
from flashdeck_tui.browser.door import Admitted, Door, TurnedAway

TOKEN = "s3cret-T0ken_of-the-test"  # noqa: S105 - that of the test
DOOR = Door("127.0.0.1", 8123, TOKEN)
HOST = "127.0.0.1:8123"
ORIGIN = "http://127.0.0.1:8123"


def head(path: str = f"/{TOKEN}/", *lines: str, host: str | None = HOST, method: str = "GET") -> bytes:
    named = () if host is None else (f"Host: {host}",)
    return "\r\n".join((f"{method} {path} HTTP/1.1", *named, *lines, "", "")).encode("latin-1")


def reason(request: bytes) -> str:
    verdict = DOOR.admits(request)
    assert isinstance(verdict, TurnedAway)
    return verdict.reason


@pytest.mark.parametrize("path", ["/", "/page.css", "/static/js/textual.js", "/screen?width=80&height=24", "/none"])
def test_who_has_the_token_comes_in_and_leaves_it_at_the_door(path: str) -> None:
    verdict = DOOR.admits(head(f"/{TOKEN}{path}", f"Origin: {ORIGIN}", "Accept: */*"))
    assert verdict == Admitted(head(path, f"Origin: {ORIGIN}", "Accept: */*"))


def test_a_page_is_loaded_without_an_origin() -> None:
    assert isinstance(DOOR.admits(head()), Admitted)


@pytest.mark.parametrize("path", ["/", "/page.css", "/static/js/textual.js", "/screen", "/download/x", "/favicon.ico"])
@pytest.mark.parametrize("token", ["", "/", f"/{TOKEN[:-1]}", f"/{TOKEN}x", f"/{TOKEN.lower()}", "/static", "/%73"])
def test_without_the_token_no_path_is_answered_and_nothing_is_told(path: str, token: str) -> None:
    assert reason(head(f"{token}{path}", f"Origin: {ORIGIN}")) == ""


def test_the_token_alone_is_no_page() -> None:
    """Paths that a page names are relative to it: without the / at its end they would lose the token."""
    assert reason(head(f"/{TOKEN}")) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8123",
        "127.0.0.1",
        "127.0.0.1:9000",
        "localhost:8123",
        "127.0.0.1:8123.evil.example",
        "",
        "[::1]:8123",
        "LOCALHOST:8123",
        "localhost.:8123",
        "127.0.0.1.:8123",
        "127.1:8123",
        "2130706433:8123",
        "0x7f000001:8123",
        "[::ffff:127.0.0.1]:8123",
        "127.0.0.1:08123",
        "x@127.0.0.1:8123",
        "127.0.0.1:8123, evil.example",
    ],
)
def test_another_name_for_this_machine_is_turned_away(host: str) -> None:
    """A name of somebody else's that was made to mean this machine is one of them."""
    assert "open the address exactly as it was printed" in reason(head(host=host))


def test_a_request_names_its_host_exactly_once() -> None:
    assert "it asks for nowhere" in reason(head(host=None))
    assert "exactly as it was printed" in reason(head(f"/{TOKEN}/", f"Host: {HOST}"))
    assert "exactly as it was printed" in reason(head(f"/{TOKEN}/", "host: evil.example"))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "HTTP://127.0.0.1:8123",
        "http://127.0.0.1:8123/",
        "http://127.0.0.1:8123.",
        "https://127.0.0.1:8123",
        "http://127.0.0.1:9000",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/screen", "/static/js/textual.js"])
def test_another_page_is_turned_away(origin: str, path: str) -> None:
    assert "not from the page here" in reason(head(f"/{TOKEN}{path}", f"Origin: {origin}"))


def test_a_screen_is_only_for_the_page() -> None:
    """Whatever says no origin is no browser, and a browser always says it there."""
    assert "it comes from nowhere" in reason(head(f"/{TOKEN}/screen"))
    assert "it comes from nowhere" in reason(head(f"/{TOKEN}/screen?width=80"))
    assert "not from the page here" in reason(head(f"/{TOKEN}/screen", f"Origin: {ORIGIN}", f"Origin: {ORIGIN}"))


@pytest.mark.parametrize("path", ["/%73creen", "/screen#x", "/screen;x", "/screen%3Fx", "/sc%72een?width=80", "/a\\b"])
def test_a_path_that_a_server_could_read_in_two_ways_is_none(path: str) -> None:
    assert reason(head(f"/{TOKEN}{path}")) == ""
    assert reason(head(f"/{TOKEN}{path}", f"Origin: {ORIGIN}")) == ""


def test_only_what_a_page_needs_goes_on_behind_the_door() -> None:
    needed = (f"Origin: {ORIGIN}", "Connection: Upgrade", "UPGRADE: websocket", "Sec-WebSocket-Key: x")
    others = ("Cookie: of=others", "Authorization: Basic x", "Expect: 100-continue", "X-Forwarded-Host: evil", "TE: x")
    assert DOOR.admits(head(f"/{TOKEN}/screen", *others, *needed)) == Admitted(head("/screen", *needed))


@pytest.mark.parametrize(
    "request_",
    [
        head(method="POST"),
        head(method="HEAD"),
        head(method="OPTIONS"),
        head().replace(b"HTTP/1.1", b"HTTP/1.0"),
        head().replace(b"HTTP/1.1", b"HTTP/2.0"),
        head(f"http://{HOST}/{TOKEN}/"),
        head(f"/{TOKEN}/", "Content-Length: 5"),
        head(f"/{TOKEN}/", "Transfer-Encoding: chunked"),
        head(f"/{TOKEN}/", "no colon"),
        head(f"/{TOKEN}/", " folded: line"),
        head(f"/{TOKEN}/", "Name : value"),
        head(f"/{TOKEN}/", "Name: a\nHost: evil.example"),
        head(f"/{TOKEN}/", "Name: \x00"),
        head(f"/{TOKEN}/ /{TOKEN}/"),
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_quite_a_request_is_none(request_: bytes) -> None:
    assert reason(request_) == ""


@given(st.binary(max_size=300), st.integers(0, 200))
@example(b"\r\n", 30)
@example(b"\r\nHost: x\r\n", 20)
@example(b" ", 46)
def test_no_bytes_come_in_by_themselves(noise: bytes, at: int) -> None:
    """Whatever is put into a good request: it is turned away, or still says just one host, and it is ours."""
    good = head(f"/{TOKEN}/", "Accept: */*")
    verdict = DOOR.admits(good[:at] + noise + good[at:])
    if isinstance(verdict, Admitted):
        fields = [line.partition(b":") for line in verdict.head.split(b"\r\n")]
        hosts = [value.strip(b" \t") for name, _, value in fields if name.lower() == b"host"]
        assert hosts == [HOST.encode()]
        assert TOKEN.encode() not in verdict.head.partition(b"\r\n")[0]


@given(st.binary(max_size=300))
def test_no_bytes_end_it(noise: bytes) -> None:
    assert isinstance(DOOR.admits(noise), TurnedAway)


def test_what_is_told_of_others_is_harmless() -> None:
    told = reason(head(host="evil\x9b31m" + "x" * 200))
    assert "\x9b" not in told
    assert len(told) < 200


def test_the_addresses_are_those_that_a_browser_would_say() -> None:
    assert DOOR.url == f"http://127.0.0.1:8123/{TOKEN}/"
    assert DOOR.screen_url == f"ws://127.0.0.1:8123/{TOKEN}/screen"
    assert Door("::1", 8123, TOKEN).origin == "http://[::1]:8123"
    assert named_with_port("127.0.0.1", 80) == "127.0.0.1"


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", None),  # noqa: S104 - which is what must not be
        ("::", None),
        ("192.168.1.4", None),
        ("::ffff:127.0.0.1", None),
        ("::ffff:192.168.1.4", None),
        ("::1%eth0", None),
        ("bench", None),
        ("", None),
        ("-1", None),
    ],
)
def test_only_addresses_of_this_machine_alone_are_taken(typed: str, address: str | None) -> None:
    assert loopback(typed) == address
