"""Bench files: what they may say, and how a wrong one is answered."""

import subprocess
import sys
from pathlib import Path

import pytest

from flashdeck.errors import ConfigError
from flashdeckd.virtual.bench_file import LATEST, MAX_TIMES, read_specs
from flashdeckd.virtual.faults import AppCrash, Fault
from flashdeckd.virtual.nor import fill
from flashdeckd.virtual.spec import BoardSpec, Model, Start, Timing
from flashdeckd.virtual.virtual_bench import load_bench
from flashdeckd.virtual.voice import Saying

SPEAKING = "[boards.one]\nmodel = 'usbx'\nserial_port = 'plain'\nsays = ["
CRASHING = "[boards.one]\nmodel = 'usbx'\ncrashes = ["
DEMO = Path(__file__).parents[3] / "config" / "demo" / "bench.toml"


def file(folder: Path, text: str) -> Path:
    path = folder / "bench.toml"
    path.write_text(text)
    return path


def test_the_demo_bench() -> None:
    classic, noread, usbx = read_specs(DEMO)
    assert [spec.model for spec in (classic, noread, usbx)] == [Model.CLASSIC, Model.CLASSIC_NOREAD, Model.USBX]
    assert [spec.runtime for spec in (classic, noread, usbx)] == [True, False, True]
    assert not usbx.bank_bug
    assert {spec.timing for spec in (classic, noread, usbx)} == {Timing.REAL}
    bench = load_bench(DEMO)
    assert len({state.serial for state in bench.list()}) == 3
    for state in bench.list():
        assert state.mode == "dfu"
        assert bench.dump(state.name, 0x08020000, 0x60000 // 2).data == b"\xff" * 0x30000
        bootloader = bench.dump(state.name, 0x08000000, 0x20000).data
        assert len(set(bootloader)) > 100


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(b"image")
    path = file(
        tmp_path,
        """
        [boards.one]
        model = "usbx"
        port = 9
        serial = "S"
        product = "\\u001b[2J"
        manufacturer = "M"
        dfu = "1209:dead"
        app = ""
        map = "@X"
        transfer_size = 512
        attributes = 3
        bcd_device = 0x0103
        timing = "none"
        poll_write = 7
        erase_time = 0.5
        word_time = 0.25
        attach_time = 2
        plugged = false
        start = "dfu"
        app_address = 0x08040000
        bad_sectors = [3]
        bank_bug = true
        contents = [{ address = 0x08000000, size = "1K", pattern = 5 }, { address = 0x08020000, file = "app.bin" }]
        [boards.two]
        model = "classic"
        leave_answers = true
        serial_port = "plain"
        waits_for_dtr = true
        keeps_unread = true
        uart = "two.tty"
        boot_says = [{ text = "loader\\n" }]
        crashes = [
          { fault = "app-reset" },
          { fault = "app-hang", after = "1s", skip = 2, times = 3, where = "demo 2" },
        ]
        says = [
          { text = "boot\\r\\n" },
          { bytes = "00 FF", after = "1s", every = "2s" },
          { image = "demo ", every = 0, where = "demo 1" },
        ]
        poll_erase = 11
        slowdown = 20
        """,
    )
    one, two = read_specs(path)
    assert (one.name, one.model, one.port, one.serial, one.product) == ("one", Model.USBX, 9, "S", "\x1b[2J")
    assert (str(one.dfu), one.app, one.map, one.transfer_size, one.attributes) == ("1209:dead", None, "@X", 512, 3)
    assert (one.bcd_device, one.timing, one.poll_write, one.erase_time) == (0x0103, Timing.NONE, 7, 0.5)
    assert (one.word_time, one.attach_time, one.plugged, one.start) == (0.25, 2, False, Start.DFU)
    assert (one.app_address, one.layout.bad, one.bank_bug) == (0x08040000, {3}, True)
    assert [content.data for content in one.contents] == [fill(1024, 5), b"image"]
    assert (two.port, two.app, two.leave_answers, two.poll_erase) == (1, BoardSpec(name="two").app, True, 11)
    assert (one.slowdown, two.slowdown) == (1, 20)
    assert (one.says, two.waits_for_dtr) == ((), True)
    assert two.says == (Saying(b"boot\r\n"), Saying(b"\0\xff", 1, 2), Saying(every=0, image="demo ", where=b"demo 1"))
    assert (two.keeps_unread, two.uart, two.boot_says) == (True, tmp_path / "two.tty", (Saying(b"loader\n"),))
    assert two.crashes == (AppCrash(Fault.APP_RESET), AppCrash(Fault.APP_HANG, 1, 2, 3, b"demo 2"))
    assert (one.keeps_unread, one.uart, one.boot_says, one.crashes) == (False, None, (), ())


@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        ("", "no table", "boards.NAME"),
        ("[bords.one]\nmodel = 'usbx'", "bords: unknown key", "did you mean boards?"),
        ("boards = 3", "boards: 3 is a number", "write a table, as [boards]"),
        ("[boards.one]\nmodell = 'usbx'", "[boards.one] modell: unknown key", "did you mean model?"),
        ("[boards.one]\nmodel = 'roman'", '[boards.one] model: "roman" is no model', "did you mean rom?"),
        ("[boards.one]\nmodel = 'usbx'\nserail = '1'", "serail", "did you mean serial?"),
        ("[boards.one]\nmodel = 'usbx'\nport = 0", "[boards.one] port: 0 is not between 1 and 127", ""),
        ("[boards.one]\nmodel = 'usbx'\ndfu = '0483-df11'", "dfu: ", "0483:df11"),
        (
            "[boards.one]\nmodel = 'usbx'\ntiming = 'slow'",
            'timing: "slow" is not a value it may have',
            'use "real" or "none"',
        ),
        ("[boards.one]\nmodel = 'classic'\nbank_bug = true", "bank_bug", "take the key out"),
        ("[boards.one]\nmodel = 'classic'\nread_constant = 1", "read_constant", "take the key out"),
        ("[boards.one]\nmodel = 'usbx-default'\npoll_write = 1", "poll_write", "take the key out"),
        ("[boards.one]\nmodel = 'dapboot'\nslowdown = 2", "slowdown", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nleave_answers = false", "leave_answers", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nruntime = true\napp = ''", "runtime", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nserial_port = 'plain'\napp = ''", "serial_port", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nsays = [{text = 'x'}]", "says: means nothing", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nwaits_for_dtr = true", "waits_for_dtr: means nothing", "take the key out"),
        (f"{SPEAKING}{{text = 'x', image = 'y'}}]", "says]: needs one of", ""),
        (f"{SPEAKING}{{after = '1s'}}]", "says]: needs one of", ""),
        (f"{SPEAKING}{{text = ''}}]", "text: is empty", "1 to 1024 bytes"),
        pytest.param(f"{SPEAKING}{{text = '{'x' * 1025}'}}]", "too long", "1 to 1024 bytes", id="says-long"),
        (f"{SPEAKING}{{bytes = '00 f'}}]", 'bytes: "00 f" is not 1 to 1024 bytes', "hexadecimal"),
        (f"{SPEAKING}{{text = 'x', after = '2min', every = 0.0001}}]", "every: 0.0001 s is too short", "1ms and more"),
        (f"{SPEAKING}{{text = 'x', after = {LATEST + 1}}}]", "after: 3601.0 is not between 0 s and 3600 s", ""),
        (f"{SPEAKING}{{text = 'x', every = 0}}, {{text = 'y', every = 0}}]", "another one fills the port", "only one"),
        ("[boards.one]\nmodel = 'usbx'\napp_serial = ''\napp = ''", "app_serial", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nkeeps_unread = true", "keeps_unread: means nothing", "take the key out"),
        ("[boards.one]\nmodel = 'usbx'\nboot_says = [{text = 'x'}]", "boot_says: means nothing", "take the key out"),
        (
            "[boards.one]\nmodel = 'usbx'\nuart = 'x'\nboot_says = [{text = 'x', every = 0}, {text = 'y', every = 0}]",
            "another one fills the port",
            "only one",
        ),
        (f"{CRASHING}{{fault = 'app-rset'}}]", 'fault: "app-rset" is no fault of an app', "did you mean app-reset?"),
        (f"{CRASHING}{{fault = 'stall'}}]", 'fault: "stall" is no fault of an application', ""),
        (f"{CRASHING}{{after = '1s'}}]", "fault: is missing", ""),
        (f"{CRASHING}{{fault = 'app-hang', times = 0}}]", "times: 0 is not", ""),
        (f"{CRASHING}{{fault = 'app-hang', skip = {MAX_TIMES + 1}}}]", f"skip: {MAX_TIMES + 1} is not", ""),
        (f"{CRASHING}{{fault = 'app-hang', after = '2h'}}]", "after: ", ""),
        (
            "[boards.one]\nmodel = 'usbx'\nuart = 'x'\n[boards.two]\nmodel = 'usbx'\nuart = './x'",
            "the UART of board one is there",
            "a link of its own",
        ),
        ("[boards.one]\nmodel = 'usbx'\nserial_port = true", "serial_port: true is not a value it", '"touch-1200"'),
        ("[boards.one]\nmodel = 'usbx'\nbad_sectors = [128]", "no sector 128", "0 to 127"),
        ("[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0, size = 4}]", "do not fit", ""),
        ("[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0}]", "either `file`", ""),
        ("[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0, size = '4X'}]", '"4X" is not a size', "384K"),
        ("[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0, file = 'nowhere'}]", "nowhere", ""),
        (
            "[boards.one]\nmodel = 'usbx'\nport = 2\n[boards.two]\nmodel = 'usbx'\nport = 2",
            "[boards.two] port: board one is in port 2, too",
            "one board",
        ),
        ("[boards", "is not valid TOML", ""),
        pytest.param("x = " + 50_000 * "[", "is not valid TOML", "", id="deep"),
        pytest.param("x = " + 5000 * "9", "is not valid TOML", "", id="digits"),
        pytest.param("".join(f"[boards.b{n}]\nmodel = 'usbx'\n" for n in range(128)), "128 boards", "127", id="128"),
        ("[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0x08000000, size = '99999999M'}]", "do not fit", ""),
        (
            "[boards.one]\nmodel = 'usbx'\ncontents = [{address = 0x08000000, size = -1}]",
            "size: -1 is a negative number",
            "",
        ),
        pytest.param(
            f"[boards.one]\nmodel = 'usbx'\ncontents = [{{address = 0, size = '{5000 * '9'}'}}]",
            "is not a size",
            "384K",
            id="size-digits",
        ),
    ],
)
def test_a_wrong_file_is_named_with_table_and_key(tmp_path: Path, text: str, seen: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_bench(file(tmp_path, text))
    assert seen in caught.value.message
    assert hint in caught.value.advice


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_bench(tmp_path / "none.toml")


def test_a_bench_never_loads_libusb_or_udev() -> None:
    code = (
        "import sys, pathlib, usb.core; from flashdeckd.virtual.virtual_bench import load_bench; "
        f"bench = load_bench(pathlib.Path({str(DEMO)!r})); list(usb.core.find(find_all=True, backend=bench.backend)); "
        "print([name for name in ('libusb_package', 'usb.backend.libusb1', 'usb.backend.libusb0', 'pyudev') "
        "if name in sys.modules])"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
