"""Recordings of flashes, and boards that replay them."""

import re
from pathlib import Path

import pytest
from msgspec import structs

from flashdeck.errors import ConfigError, RequestError
from flashdeck.recording import End, Ending, RecordedSession, Reset, Transfer, decode, encode, read
from flashdeckd.flash.target import AlternateTarget
from flashdeckd.virtual.bench_file import read_specs
from flashdeckd.virtual.bus_clock import bus_time
from flashdeckd.virtual.control import Setup
from flashdeckd.virtual.faults import Fault
from flashdeckd.virtual.replay import ReplayedBoard, recorded_identity
from flashdeckd.virtual.spec import PLAIN_MODELS, Model
from recording_rig import IMAGE, SHORT_IMAGE, Desk, record, replay, replayed

DATA = Path(__file__).parents[2] / "data" / "recordings"
DFUSE = [model for model in Model if model not in PLAIN_MODELS]


@pytest.mark.parametrize("model", DFUSE)
def test_a_recorded_flash_replays_without_a_difference(tmp_path: Path, model: Model) -> None:
    path = record(tmp_path / "recordings", model=model)
    state = replay(path).board.state()
    assert state.violations == ()
    assert state.replayed == state.recorded > 20


@pytest.mark.parametrize(
    ("model", "payloads"),
    # Zephyr's is manifestation-tolerant, so that what it had before is read, which only payloads keep.
    [(model, keep) for model in sorted(PLAIN_MODELS) for keep in (True, False) if keep or model is not Model.ZEPHYR],
)
def test_a_recorded_flash_over_plain_dfu_replays_without_a_difference(
    tmp_path: Path, model: Model, *, payloads: bool
) -> None:
    target = AlternateTarget(partition="app", size=384 * 1024, setting=0)
    data = (0x20005000).to_bytes(4, "little") + IMAGE[4:]
    path = record(tmp_path / "recordings", model=model, payloads=payloads, data=data, target=target)
    recording = read(path)
    state = replay(path, data, target).board.state()
    assert state.violations == ()
    assert state.replayed == state.recorded > len(IMAGE) // 1024
    # One leaves by itself, the others only by the reset that USB DFU 1.1 wants there, if at all.
    assert any(isinstance(step, Reset) for step in recording.steps) == (model is not Model.DAPBOOT)
    other = replay(path, data[:-1] + b"\0", target).board.state()
    (difference,) = other.violations
    last = (len(data) - 1) // (512 if model is Model.ZEPHYR else 1024)
    assert f"recorded: DNLOAD (wValue {last}, " in difference


def test_another_image_differs_at_its_first_block_and_nothing_is_answered_after_it(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings")
    other = bytearray(IMAGE)
    other[3 * 8192 + 5] ^= 1
    state = replay(path, bytes(other)).board.state()
    (difference,) = state.violations
    found = re.fullmatch(
        r"transfer (\d+) of (\d+) differs; recorded: DNLOAD \(wValue (\d+), wIndex 0, wLength 1024, "
        r"data with SHA-256 (\w{16})…\); seen: DNLOAD \(wValue (\d+), wIndex 0, wLength 1024, "
        r"data with SHA-256 (\w{16})…\)",
        difference,
    )
    assert found, difference
    assert int(found[1]) == state.replayed + 1 < state.recorded == int(found[2])
    assert found[3] == found[5]
    assert found[4] != found[6]


def test_a_request_that_was_not_made_then_is_named_with_the_one_that_was(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings")
    state = replay(path, IMAGE[: -3 * 8192]).board.state()
    (difference,) = state.violations
    assert difference.startswith(f"transfer {state.replayed + 1} of {state.recorded} differs; recorded: ")
    assert "; seen: " in difference


def test_a_recording_without_payloads_has_no_byte_of_the_image_and_replays_what_was_written(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings", payloads=False, data=SHORT_IMAGE)
    steps = [step for step in read(path).steps if isinstance(step, Transfer)]
    kept = b"".join(step.data or b"" for step in steps)
    assert not any(SHORT_IMAGE[at : at + 16] in kept for at in range(0, len(SHORT_IMAGE) - 16, 16))
    assert [step for step in steps if step.sha256]
    state = replay(path, SHORT_IMAGE).board.state()
    # What was there before the flash was read, too, and nobody kept it.
    (difference,) = state.violations
    assert "UPLOAD" in difference
    assert "record with --record-payloads" in difference


def test_a_recording_without_payloads_of_a_blank_flash_replays_whole(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings", payloads=False, old=b"\xff" * (1 << 20))
    assert sum(isinstance(step, Transfer) and step.request == 2 for step in read(path).steps) > 10
    state = replay(path).board.state()
    assert state.violations == ()
    assert state.replayed == state.recorded


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (Fault.STALL, Ending.STALL),
        (Fault.TIMEOUT, Ending.TIMEOUT),
        (Fault.UNPLUG, Ending.GONE),
        (Fault.LOST_ANSWER, Ending.TIMEOUT),
        (Fault.WRONG_STATE, None),
        (Fault.ERROR_STATUS, None),
    ],
)
@pytest.mark.parametrize("after", [1, 5, 40, 100])
def test_trouble_replays_as_it_happened(tmp_path: Path, fault: Fault, ending: Ending | None, after: int) -> None:
    path = record(tmp_path / "recordings", before=lambda desk: desk.bench.fault("board", fault, after))
    recording = read(path)
    assert ending is None or ending in {step.ending for step in recording.steps}
    state = replay(path).board.state()
    assert state.violations == ()
    lost = [number for number, step in enumerate(recording.steps) if step.ending is Ending.GONE]
    reached = recording.steps[: lost[0] + 1] if lost else recording.steps
    assert state.replayed == sum(isinstance(step, Transfer) for step in reached)


def test_the_recording_that_is_checked_in_is_still_what_the_engine_does() -> None:
    state = replay(DATA / "classic.jsonl", SHORT_IMAGE).board.state()
    assert state.violations == (), "if that is what you meant: make recordings"
    assert state.replayed == state.recorded > 20


def test_a_board_that_was_told_to_leave_is_gone_after_its_last_answer(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings")
    assert replay(path).board.connection() is None


def test_a_recording_that_was_cut_says_so_where_it_ends(tmp_path: Path) -> None:
    path = record(tmp_path / "recordings")
    lines = path.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:50]) + lines[50][:20])
    assert not read(cut).complete
    state = replay(cut).board.state()
    (difference,) = state.violations
    assert state.replayed == state.recorded == 49
    assert "the recording was cut here" in difference


def test_pressing_the_button_begins_from_the_start(tmp_path: Path) -> None:
    desk = replay(record(tmp_path / "recordings"))
    desk.bench.press("replayed")
    desk.flash(IMAGE)
    state = desk.board.state()
    assert state.violations == ()
    assert state.replayed == state.recorded


def test_a_replayed_board_takes_no_faults_and_has_no_flash() -> None:
    desk = Desk(replayed(read(DATA / "classic.jsonl")))
    with pytest.raises(RequestError, match="replays a recording"):
        desk.bench.fault("replayed", "stall")
    with pytest.raises(RequestError, match="has no flash"):
        desk.bench.dump("replayed")


def bench_file(folder: Path, text: str) -> Path:
    path = folder / "bench.toml"
    path.write_text("[boards.odd]\nmodel = 'replay'\n" + text)
    return path


def test_a_bench_file_names_a_recording_beside_it(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes((DATA / "classic.jsonl").read_bytes())
    (spec,) = read_specs(
        bench_file(tmp_path, "recording = 'r.jsonl'\nserial = 'S'\napp = '0483:5740'\ntiming = 'none'")
    )
    assert (spec.serial, str(spec.dfu), str(spec.app), spec.bcd_device) == ("S", "0483:df11", "0483:5740", 0x0200)
    assert spec.recording is not None
    assert Desk(spec).bench.list()[0].model == "replay"


def answered(moved: int, length: int = 6, data: bytes | None = None) -> bytes:
    session = RecordedSession(format=1, flashdeck="1", started=0, device=bytes(18), configuration=bytes(9))
    transfer = Transfer(
        at=0,
        took=0,
        request_type=0xA1,
        request=2,
        value=2,
        index=0,
        length=length,
        ending=Ending.OK,
        moved=moved,
        data=data,
    )
    return encode(session) + encode(transfer)


@pytest.mark.parametrize(
    ("recording", "text", "seen"),
    [
        (b"", "", "recording"),
        (b"", "recording = 'none.jsonl'", "none.jsonl cannot be read"),
        (b"", "recording = 'r.jsonl'", "does not begin with a session"),
        (b"{}\n", "recording = 'r.jsonl'", "line 1"),
        (b"\xff\n", "recording = 'r.jsonl'", "line 1"),
        (
            encode(RecordedSession(format=1, flashdeck="1", started=0, device=b"", configuration=b"")),
            "recording = 'r.jsonl'",
            "descriptors",
        ),
        (
            encode(RecordedSession(format=2, flashdeck="9", started=0, device=b"", configuration=b"")),
            "recording = 'r.jsonl'",
            "format 2",
        ),
        (
            encode(RecordedSession(format=2, flashdeck="9", started=0, device=b"", configuration=b""))
            + b'{"type":"new"}\n',
            "recording = 'r.jsonl'",
            "format 2",
        ),
        (b'{"type":"session","x":' + 50_000 * b"[" + b"\n", "recording = 'r.jsonl'", "line 1"),
        (answered(moved=1 << 40), "recording = 'r.jsonl'", "transfer 1: 1099511627776 bytes, where 6 were asked for"),
        (answered(moved=1 << 40, length=1 << 40), "recording = 'r.jsonl'", "transfer 1"),
        (answered(moved=-1), "recording = 'r.jsonl'", "transfer 1"),
        (answered(moved=8, data=bytes(8)), "recording = 'r.jsonl'", "transfer 1: 8 bytes, where 6"),
        (b"", "recording = 'r.jsonl'\ncontents = []", "contents"),
        (b"", "recording = 'r.jsonl'\ndfu = '0483:df11'", "dfu"),
    ],
)
def test_a_bench_file_without_a_usable_recording_is_refused(
    tmp_path: Path, recording: bytes, text: str, seen: str
) -> None:
    (tmp_path / "r.jsonl").write_bytes(recording)
    with pytest.raises(ConfigError) as caught:
        read_specs(bench_file(tmp_path, text))
    assert "[boards.odd]" in caught.value.message
    assert seen in caught.value.message


def test_a_recording_for_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("[boards.one]\nmodel = 'classic'\nrecording = 'r.jsonl'")
    with pytest.raises(ConfigError, match="recording"):
        read_specs(path)


def test_lines_read_back_as_they_were_written() -> None:
    session = RecordedSession(
        format=1, flashdeck="1", started=1.5, device=b"\x12\x01", configuration=b"\t\x02", payloads=True
    )
    transfer = Transfer(
        at=0.1,
        took=0.2,
        request_type=0xA1,
        request=3,
        value=0,
        index=0,
        length=6,
        ending=Ending.OK,
        moved=6,
        data=b"\x00\x01\x02\x03\x04\x05",
    )
    lines = (session, transfer, Reset(at=1, took=0, ending=Ending.GONE, errno=19), End(at=2, full=True))
    assert decode("x", b"".join(map(encode, lines))) == lines


@pytest.mark.parametrize("ending", [Ending.OK, Ending.STALL, Ending.OVERFLOW])
def test_an_answer_takes_as_long_as_it_took(ending: Ending) -> None:
    recording = read(DATA / "classic.jsonl")
    first = recording.steps[0]
    assert isinstance(first, Transfer)
    slow = structs.replace(recording, steps=(structs.replace(first, took=1.25, ending=ending),))
    replaying = ReplayedBoard(slow, recorded_identity(slow))
    setup = Setup(first.request_type, first.request, first.value, first.index, first.length)
    outcome = replaying.request(setup)
    on_bus = bus_time(first.moved)
    assert outcome.delay_ms / 1000 + on_bus == pytest.approx(1.25)
    assert replaying.difference == ""
