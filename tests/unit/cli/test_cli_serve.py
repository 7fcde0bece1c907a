"""`flashdeck serve`: what it refuses, what it starts for a page, and what it says; not what a browser sees."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from urllib.request import ProxyHandler, build_opener

import pytest

from cli_run import Cli
from flashdeck.errors import ExitCode
from flashdeck_tui.browser import server
from kept_port import kept_port
from pseudo_terminal import PATIENCE
from schema_check import closed, document, faults

PROGRAM = (sys.executable, "-m", "flashdeck_tui")


@contextmanager
def served(*words: str, ends_with: int = 128 + signal.SIGTERM) -> Generator["subprocess.Popen[str]"]:
    with subprocess.Popen(  # noqa: S603 - ours
        (*PROGRAM, "--socket", "/nowhere/s", "serve", *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
            process.terminate()
            assert process.wait(PATIENCE) == ends_with
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.4", "::", "bench", "evil\x1b[31m"])  # noqa: S104 - refused
def test_it_listens_on_this_machine_alone_and_names_the_way_from_others(offline: Cli, address: str) -> None:
    run = offline("serve", "--bind", address, "--port", "8123")
    assert run.code == ExitCode.USAGE
    assert "is not an address of this machine alone" in run.err
    assert "ssh -N -L 8123:127.0.0.1:8123 " in run.err
    assert f"@{socket.gethostname()}" in run.err
    assert "\x1b[31m" not in run.err
    assert "-L PORT:127.0.0.1:PORT " in offline("serve", "--bind", address).err


def test_what_contradicts_itself_is_refused(offline: Cli) -> None:
    for words in (("--read-only", "serve", "--allow-changes"), ("serve", "--allow-changes", "--read-only")):
        run = offline(*words)
        assert run.code == ExitCode.USAGE
        assert "contradict each other" in run.err
    assert offline("serve", "--port", "65536").code == ExitCode.USAGE
    assert offline("--host", "-oProxyCommand=x", "serve").code == ExitCode.USAGE


def test_the_address_is_printed_once_and_the_way_over_ssh() -> None:
    with served() as process:
        url = line(process).strip()
        assert url.startswith("http://127.0.0.1:")
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(3))
        port = url.split(":")[2].partition("/")[0]
        assert "can only look" in said
        assert f"ssh -N -L {port}:127.0.0.1:{port} " in said
        assert url.split("/")[3] not in said
        with build_opener(ProxyHandler({})).open(url) as page:
            assert b"(read-only)" in page.read()
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:  # noqa: PTH123 - of the kernel
            assert url.split("/")[3].encode() not in file.read()


def test_scripts_get_an_object() -> None:
    with served("--json", "--allow-changes") as process:
        said = json.loads(line(process))
        assert said.keys() == {"url", "port", "read_only", "ssh"}
        assert said["read_only"] is False
        assert said["url"].startswith(f"http://127.0.0.1:{said['port']}/")
        schema = document("cli.schema.json")
        assert faults(said, closed(schema), schema["commands"]["serve"]["json"]) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order(number: signal.Signals) -> None:
    with served(ends_with=128 + number) as process:
        assert line(process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


def test_a_port_may_be_chosen_and_one_that_is_taken_is_said(offline: Cli) -> None:
    with kept_port() as port:
        with socket.create_server(("127.0.0.1", port)):
            run = offline("serve", "--port", str(port))
            assert run.code == ExitCode.OTHER
            assert f"cannot listen on 127.0.0.1, port {port}" in run.err
        with served("--port", str(port)) as process:
            assert line(process).startswith(f"http://127.0.0.1:{port}/")


def test_without_its_extra_it_names_the_command_that_adds_it(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in sys.modules if name.partition(".")[0] == "aiohttp" or name.endswith("browser.server")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    run = offline("serve")
    assert run.code == ExitCode.OTHER
    assert "the screen in a browser needs aiohttp, which is not installed" in run.err
    assert "web,console,metrics]" in run.err


def test_a_page_gets_the_same_daemon(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command line is that of the screen, read-only unless changes are allowed, and has no secret in it."""
    wanted: list[tuple[str, ...]] = []

    def serving(asked: server.ServedScreen, _tell: object) -> None:
        wanted.append(asked.argv)
        raise RuntimeError

    monkeypatch.setattr(server, "serving", serving)
    for words in (
        ("--socket", "-odd", "serve"),
        ("--virtual", "serve", "--allow-changes"),
        ("serve", "--host", "ann@bench"),
    ):
        with pytest.raises(RuntimeError):
            offline(*words)
    start = (sys.executable, "-P", "-m", "flashdeck_tui")
    assert wanted == [
        (*start, "--read-only", "--socket=-odd"),
        (*start, "--virtual"),
        (*start, "--read-only", "--host=ann@bench"),
    ]
