"""`flashdeck report`: one file with everything, nothing beside it, and invented names where they are asked for."""

import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from canned_daemon import NOW, CannedDaemon, board
from cli_run import Cli, Run
from flashdeck import api
from flashdeck.diagnosis import BoardReport, Diagnosis, Fact
from flashdeck.errors import RequestError
from flashdeck.model import DeviceState, LogLevel, Presence
from flashdeck.recording import End, Ending, RecordedSession, Transfer, decode, encode, parse
from flashdeck.toml.values import quoted
from flashdeck_tui.cli.redaction import Redactor

SERIAL = "336E36833233"
OTHER = "OTHER-0042"
GONE = "GONE4711"
DEVICE = bytes.fromhex("12010002000000408304 11df 0002 010203 01".replace(" ", ""))


def string_transfer(index: int, text: str) -> Transfer:
    data = bytes((2 + 2 * len(text), 3)) + text.encode("utf-16-le")
    return Transfer(
        at=0,
        took=0,
        request_type=0x80,
        request=6,
        value=0x300 | index,
        index=0x409,
        length=254,
        ending=Ending.OK,
        moved=len(data),
        data=data,
    )


RECORDING = b"".join(
    map(
        encode,
        (
            RecordedSession(format=1, flashdeck="0.1.0", started=NOW, device=DEVICE, configuration=b"\t\x02"),
            string_transfer(3, GONE),
            string_transfer(2, f"Board {SERIAL} of somebody"),
            End(at=1),
        ),
    )
)


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "alice")
    monkeypatch.setenv("HOME", "/home/alice")


@pytest.fixture
def prepared(daemon: CannedDaemon) -> CannedDaemon:
    daemon.on_loop(lambda: daemon.hub.publish_board(board(serial=SERIAL)))
    daemon.on_loop(lambda: daemon.hub.log(f"left: serial {SERIAL} came back", level=LogLevel.INFO))
    report = BoardReport(
        board="left",
        profile="product",
        presence=Presence.DFU,
        facts=(Fact(name="serial", value=SERIAL), Fact(name="host", value="bench, of Alice in /home/alice/fw")),
    )
    device = DeviceState(port="1-2", usb_id="0483:df11", serial=OTHER)
    daemon.answers[api.Examine] = Diagnosis(installation=(), boards=(report,), devices=(device,))
    daemon.answers[api.GetVersions] = api.Versions(
        facts=(Fact(name="flashdeck", value="0.0.9"), Fact(name="libusb", value="1.0.29.0"))
    )
    daemon.answers[api.GetLogs] = lambda _: api.LogPage(lines=daemon.hub.logs(after=0, limit=100), next=1)
    daemon.answers[api.GetRecordings] = api.RecordingList(
        recordings=(api.RecordingState(index=7, name="20260101T000000Z-000001.jsonl", size=len(RECORDING)),),
        recording=True,
    )
    daemon.answers[api.ReadRecording] = lambda asked: api.RecordingPiece(
        data=RECORDING[asked.offset : asked.offset + 100]
    )
    return daemon


def configured(folder: Path) -> Path:
    path = folder / "flashdeck.toml"
    path.write_text(
        '[profiles.product]\ndfu = "0483:df11"\nflash = "STM32H563RG"\n'
        f'[boards.left]\nprofile = "product"\nserial = "{SERIAL}"\n'
    )
    return path


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive.getmembers()}  # type: ignore[union-attr]


def reported(cli: Cli, folder: Path, *words: str) -> tuple[Run, dict[str, bytes]]:
    run = cli("report", "--output", str(folder / "r.tar.gz"), "--config", str(configured(folder)), *words)
    assert run.code == 0, run.err
    return run, contents(folder / "r.tar.gz")


def test_everything_is_in_it(prepared: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    run, parts = reported(cli, tmp_path)
    assert list(parts) == [
        "README.txt",
        "versions.json",
        "config.toml",
        "status.json",
        "doctor.json",
        "log.jsonl",
        "recordings/20260101T000000Z-000001.jsonl",
    ]
    assert parts["recordings/20260101T000000Z-000001.jsonl"] == RECORDING
    assert SERIAL in parts["config.toml"].decode()
    assert json.loads(parts["status.json"])["boards"][0]["serial"] == SERIAL
    assert json.loads(parts["doctor.json"])["boards"][0]["facts"][0]["value"] == SERIAL
    assert "came back" in json.loads(parts["log.jsonl"])["text"]
    versions = json.loads(parts["versions.json"])
    assert {"flashdeck", "python", "kernel", "pyusb"} <= set(versions["here"])
    assert versions["daemon"] == {"flashdeck": "0.0.9", "libusb": "1.0.29.0"}
    assert all(name in run.out for name in parts if name != "README.txt")
    assert "nothing was sent anywhere" in run.out
    assert "--redact" in run.out
    assert prepared.called(api.ReadRecording)


def test_it_is_private_and_the_only_file(prepared: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    assert prepared
    config = configured(tmp_path)
    before = {each for each in tmp_path.rglob("*") if each.is_file()}
    run = cli("report", "--config", str(config), "--json")
    (made,) = {each for each in tmp_path.rglob("*") if each.is_file()} - before
    assert made.name == run.json["file"]
    assert run.json["size"] == made.stat().st_size
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [part["name"] for part in run.json["parts"]] == list(contents(made))


def test_nothing_is_overwritten(prepared: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    assert prepared
    (tmp_path / "r.tar.gz").write_text("mine")
    run = cli("report", "--output", str(tmp_path / "r.tar.gz"))
    assert run.code == 2
    assert "is there already" in run.err
    assert (tmp_path / "r.tar.gz").read_text() == "mine"


def test_nothing_half_stays_where_the_disk_is_full(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepared

    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("flashdeck_tui.cli.bundle._write", full)
    run = cli("report", "--output", str(tmp_path / "r.tar.gz"))
    assert run.code == 1
    assert "No space left" in run.err
    assert not (tmp_path / "r.tar.gz").exists()


def test_real_names_are_nowhere_and_invented_ones_agree(prepared: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    assert prepared
    run, parts = reported(cli, tmp_path, "--redact")
    recording = parse("r", parts["recordings/20260101T000000Z-000001.jsonl"])
    strings = [(step.data or b"")[2:].decode("utf-16-le") for step in recording.steps if isinstance(step, Transfer)]
    everything = "\n".join((*(data.decode() for data in parts.values()), *strings, run.out.replace(str(tmp_path), "")))
    for secret in (SERIAL, OTHER, GONE, "alice", "Alice", '"host": "bench"'):
        assert secret not in everything
    invented = json.loads(parts["status.json"])["boards"][0]["serial"]
    assert len(invented) == len(SERIAL)
    assert json.loads(parts["doctor.json"])["boards"][0]["facts"][0]["value"] == invented
    assert f'serial = "{invented}"' in parts["config.toml"].decode()
    assert f"serial {invented} came back" in parts["log.jsonl"].decode()
    assert strings[1] == f"Board {invented} of somebody"
    assert len(strings[0]) == len(GONE)
    assert "of user1 in /home/user1/fw" in parts["doctor.json"].decode()
    assert all(step.moved == (step.data or b"")[0] for step in recording.steps if isinstance(step, Transfer))


def test_what_only_a_path_or_an_old_line_of_the_log_names_is_invented_as_well(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dave")
    prepared.on_loop(lambda: prepared.hub.log("DFU device 0483:df11 LEFT 0815 at 1-4: not configured: never touched"))
    prepared.on_loop(lambda: prepared.hub.publish_board(board(serial=SERIAL, product="dave's, LEFT 0815")))
    prepared.on_loop(lambda: prepared.hub.log("/var/home/carol/fw/APP1.bin: refused: it is carol's"))
    _, parts = reported(cli, tmp_path, "--redact")
    everything = b"\n".join(parts.values()).decode()
    for secret in ("LEFT", "0815", "carol", "dave"):
        assert secret not in everything
    assert "at 1-4: not configured" in everything


def test_an_account_without_a_name_reports_as_well(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepared

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    _, parts = reported(cli, tmp_path, "--redact")
    assert SERIAL not in parts["status.json"].decode()


def test_without_a_daemon_it_has_the_rest_and_says_so(offline: Cli, tmp_path: Path) -> None:
    run, parts = reported(offline, tmp_path)
    assert list(parts) == ["README.txt", "versions.json", "config.toml"]
    assert "not in it:" in run.out
    assert json.loads(parts["versions.json"])["daemon"] == {}
    for part in ("status.json", "versions of the daemon", "doctor.json", "log.jsonl", "recordings"):
        assert f"{part}: no daemon answers" in run.out


def test_a_part_that_can_not_be_had_is_left_out_with_the_reason(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    prepared.answers[api.Examine] = RequestError("no doctor is in")
    prepared.answers[api.GetRecordings] = api.RecordingList()
    run, parts = reported(cli, tmp_path)
    assert "doctor.json" not in parts
    assert "status.json" in parts
    assert "doctor.json: no doctor is in" in run.out
    assert "without --record" in run.out


def test_a_configuration_whose_path_is_not_utf_8_is_in_it(offline: Cli, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    for words in ((), ("--redact",)):
        _, parts = reported(offline, folder, *words)
        assert b"caf?" in parts["config.toml"]
        (folder / "r.tar.gz").unlink()


def test_an_unusable_configuration_is_left_out_with_the_reason(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path
) -> None:
    assert prepared
    bad = tmp_path / "bad.toml"
    bad.write_text("nonsense = 1")
    run = cli("report", "--output", str(tmp_path / "r.tar.gz"), "--config", str(bad))
    assert run.code == 0
    assert "config.toml" not in contents(tmp_path / "r.tar.gz")
    assert "nonsense" in run.out


def test_where_no_configuration_is_at_the_usual_place_it_says_how_to_name_another(
    prepared: CannedDaemon, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepared
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    run = cli("report", "--output", str(tmp_path / "r.tar.gz"))
    assert run.code == 0
    assert "there is no such file (--config FILE takes the one" in run.out


def test_a_recording_that_can_not_be_redacted_is_left_out(prepared: CannedDaemon, cli: Cli, tmp_path: Path) -> None:
    prepared.answers[api.ReadRecording] = lambda asked: api.RecordingPiece(data=b"nonsense\n"[asked.offset :])
    _, parts = reported(cli, tmp_path)
    assert parts["recordings/20260101T000000Z-000001.jsonl"] == b"nonsense\n"
    (tmp_path / "r.tar.gz").unlink()
    run, parts = reported(cli, tmp_path, "--redact")
    assert "recordings/20260101T000000Z-000001.jsonl" not in parts
    assert "no recording" in run.out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A1 and A12 and xA1", "X1 and A12 and xA1"),
        ("a1", "X1"),
        ('S"Q', "X02"),
        ('"S\\"Q"', '"X02"'),
        ("/home/ann/x ann anna", "/home/user1/x user1 anna"),
        ("box.local box boxes", "host2 host1 boxes"),
        ("", ""),
    ],
)
def test_only_whole_names_are_replaced(text: str, expected: str) -> None:
    redactor = Redactor(serials=("A1", 'S"Q', ""), hosts=("box", "box.local"), users=("ann",), home="/home/ann")
    assert redactor.text(text) == expected


def test_with_nothing_to_hide_all_stays_as_it_is() -> None:
    redactor = Redactor(serials=(), hosts=(), users=(), home="/")
    assert redactor.value({"a": ["b / c", 1, None, True]}) == {"a": ["b / c", 1, None, True]}


@pytest.mark.parametrize("name", ["Groß", "İz", "ŉ", 'é"Q'])
def test_a_name_that_folds_to_something_else_is_found(name: str) -> None:
    redactor = Redactor(serials=(), hosts=(), users=(name,), home=f"/home/{name}")
    assert redactor.text(f"{name} in /home/{name}/fw and {quoted(name)}") == 'user1 in /home/user1/fw and "user1"'


def test_a_longer_invented_name_leaves_a_string_descriptor_its_length() -> None:
    redactor = Redactor(serials=(), hosts=(), users=("pi",), home="/")
    (line,) = decode("r", redactor.recording("r", encode(string_transfer(2, "pi " * 42))))
    assert isinstance(line, Transfer)
    assert line.data is not None
    assert len(line.data) == line.data[0] == line.moved == 254
    assert line.data[2:].decode("utf-16-le").startswith("user1 user1 ")
