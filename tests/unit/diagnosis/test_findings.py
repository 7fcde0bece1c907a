"""What the doctor makes of what was seen: every oddity by its name, with what it means and how to mend it."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis_rig import PROFILE, RAW_FUNCTIONAL, alternate, case, codes, finding, observation
from flash_rig import APP1, PARTITION2
from flashdeck.config import BankPolicy, Enter, MapPolicy, Partition, UsbId
from flashdeck.diagnosis import BoardReport, Severity
from flashdeck.errors import DeviceError, DevicePermissionError, ErrorKind
from flashdeck.geometry import Geometry, Range
from flashdeck.model import Presence
from flashdeckd import diagnosis
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.wire import StatusReport
from flashdeckd.diagnosis.judge import judge
from flashdeckd.diagnosis.observation import Alternate, Case, Observation, ReadOutcome, TestRead
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.usb.device import InterfaceClass, UsbDevice

GOOD_READ = TestRead("app1", Range.sized(APP1.start, 1024), ReadOutcome.DATA, bytes(range(256)) * 4)
LAST_READ = TestRead("app1", Range(APP1.end - 1024, APP1.end), ReadOutcome.DATA, b"\xff" * 1024)
DEVICE = UsbDevice("1-4.2", "pci-0-usb-0:4.2", 1, 7, UsbId(0x0483, 0xDF11), 0x0200, serial="336E36833233")
RAM_END = 0x200A0000


def refused(state: int) -> TestRead:
    return TestRead("app1", GOOD_READ.span, ReadOutcome.REFUSED, state=state, message="refused it with a STALL")


def only_bad(board: Case) -> list[str]:
    report = judge(board)
    return [each.code for each in report.findings if each.severity in (Severity.ERROR, Severity.WARNING)]


def test_a_bootloader_with_nothing_odd_about_it_gets_no_complaint() -> None:
    seen = observation(reads=(GOOD_READ, LAST_READ))
    assert only_bad(case(seen, device=DEVICE, history=BootloaderHistory(proved_banks=(0, 1)))) == []


ODDITIES: list[tuple[dict[str, Any], str]] = [
    ({"raw_functional": b""}, "functional-missing"),
    ({"raw_functional": RAW_FUNCTIONAL[:7], "functional": {"version": 0x0100}}, "functional-length"),
    ({"raw_functional": RAW_FUNCTIONAL[:4]}, "functional-length"),
    ({"functional": {"version": 0x0110}}, "version-not-dfuse"),
    ({"functional": {"version": 0x0110}, "alternates": (Alternate(0, 2, "app", None, "no map"),)}, "plain-dfu"),
    ({"functional": {"transfer_size": 0}}, "transfer-size-zero"),
    ({"functional": {"transfer_size": 1000}}, "transfer-size-odd"),
    ({"functional": {"transfer_size": 8}}, "transfer-size-odd"),
    ({"quirk": "poll times are bogus"}, "quirk"),
    ({"functional": {"transfer_size": 8192}}, "transfer-size-large"),
    ({"functional": {"transfer_size": 64}}, "transfer-size-small"),
    ({"functional": {"can_download": False}}, "no-download"),
    ({"functional": {"manifestation_tolerant": True}}, "manifestation-tolerant"),
    ({"functional": {"will_detach": False}}, "no-will-detach"),
    ({"alternates": (replace(alternate(), protocol=1),)}, "protocol-runtime"),
    ({"alternates": (alternate(), alternate(number=1))}, "same-names"),
    ({"first_state": 10, "first_status": StatusReport(10, 0, 10)}, "found-in-error"),
    ({"first_state": None}, "state-stalled"),
    ({"first_state": 5}, "found-busy"),
    ({"alternates": (Alternate(0, 2, ""),)}, "map-missing"),
    ({"alternates": (Alternate(0, 2, "@Flash", None, "the memory map has no address"),)}, "map-unreadable"),
    ({"alternates": (alternate("@F/0x08000000/128*8Kg"),)}, "map-opens-protected"),
    ({"alternates": (alternate("@F/0x08000000/16*8Ka,240*8Kg"),)}, "map-too-large"),
    ({"alternates": (alternate("@F/0x08000000/16*8Ka,56*16Kg"),)}, "map-other-sectors"),
    ({"alternates": (alternate("@F/0x08000000/128*8Ka"),)}, "map-closes-partition"),
    ({"alternates": (alternate("@F/0x08000000/16*8Ka,48*8Kg"),)}, "map-closes-partition"),
    ({"claims": (50,)}, "claims-slow"),
    ({"claims": (0xFFFFFF,)}, "claims-absurd"),
    ({"claims": (0, 1)}, "claims-honest"),
    ({"reads": (refused(15),)}, "read-refused"),
    ({"reads": (refused(10),), "functional": {"can_upload": False}}, "read-absent"),
    ({"reads": (GOOD_READ,), "functional": {"can_upload": False}}, "upload-bit-missing"),
    ({"reads": (replace(GOOD_READ, outcome=ReadOutcome.SHORT, message="answered 3"),)}, "read-short"),
    ({"reads": (replace(GOOD_READ, outcome=ReadOutcome.FAILED, message="no answer"),)}, "read-fails"),
    ({"reads": (replace(GOOD_READ, outcome=ReadOutcome.LOST, message="gone"),)}, "read-kills"),
    ({"reads": (replace(GOOD_READ, data=bytes(1024)),) * 2}, "read-constant"),
    ({"reads": (replace(LAST_READ, data=b"\xff" * 1024),) * 2}, "read-blank"),
    ({"reads": (GOOD_READ, replace(LAST_READ, data=GOOD_READ.data))}, "read-same"),
    ({"reads": (replace(GOOD_READ, data=b"\x21\x00\x00\x02\x08" + bytes(1019)),)}, "read-echo"),
    ({"unread": (("app1", "the map does not let it be read"),)}, "read-not-tried"),
    ({"trouble": "it does not answer any more"}, "look-ended"),
]


@pytest.mark.parametrize(("changes", "code"), ODDITIES)
def test_each_oddity_has_its_finding(changes: dict[str, Any], code: str) -> None:
    found = finding(judge(case(observation(**changes))), code)
    assert found.seen
    assert found.means
    assert found.mend or found.severity in (Severity.NOTE, Severity.GOOD) or code == "look-ended"


def test_state_15_is_told_as_the_null_of_st_s_read_and_where_to_mend_it() -> None:
    found = finding(judge(case(observation(reads=(refused(15),)))), "read-refused")
    assert "unknown state 15" in found.seen
    assert "NULL" in found.means
    assert "MEM_If_Read_FS" in found.mend
    assert "ux_slave_class_dfu_parameter_read" in found.mend


PLAIN = replace(
    PROFILE,
    geometry=Geometry(()),
    partitions={"app": Partition("app", Range(0, 65536), alternate=0)},
)


def test_a_plain_profile_fits_a_plain_device_and_no_other() -> None:
    device = observation(functional={"version": 0x0110}, alternates=(Alternate(0, 2, "app", None, "no map"),))
    assert finding(judge(case(device, profile=PLAIN)), "plain-dfu").severity is Severity.NOTE
    assert finding(judge(case(device)), "plain-dfu").severity is Severity.ERROR
    assert finding(judge(case(profile=PLAIN)), "wants-addresses").severity is Severity.ERROR


@pytest.mark.parametrize("proved", [False, True])
@pytest.mark.parametrize("tolerant", [False, True])
def test_a_plain_device_that_leaves_with_its_image_is_never_promised_to_be_verified(
    *, tolerant: bool, proved: bool
) -> None:
    functional = {"version": 0x0110, "manifestation_tolerant": tolerant}
    device = observation(functional=functional, alternates=(Alternate(0, 2, "app"),), reads=(GOOD_READ,))
    report = judge(case(device, profile=PLAIN, history=BootloaderHistory(reading_proved=proved)))
    (reading,) = [each for each in report.findings if each.code.startswith("read-")]
    assert ("never called verified" in reading.means) is not tolerant
    assert "left alone" not in reading.means, "plain DFU writes all of an image"


@pytest.mark.parametrize("presence", [Presence.APP, Presence.ABSENT])
def test_a_plain_board_that_is_not_in_dfu_mode_has_a_report_too(presence: Presence) -> None:
    assert judge(Case("left", PLAIN, presence, DEVICE)).board == "left"


def test_findings_come_in_order_of_severity() -> None:
    seen = observation(functional={"can_download": False}, claims=(50,), first_state=5)
    order = [each.severity for each in judge(case(seen)).findings]
    assert order == sorted(order, key=list(Severity).index)
    assert {Severity.ERROR, Severity.WARNING, Severity.NOTE, Severity.GOOD} == set(order)


def test_a_map_that_is_ignored_is_no_obstacle_any_more() -> None:
    seen = observation(alternates=(alternate("@F/0x08000000/16*8Ka,56*16Kg"),))
    report = judge(case(seen, profile=replace(PROFILE, map=MapPolicy.IGNORE)))
    assert finding(report, "map-other-sectors").severity is Severity.WARNING
    assert "map-ignored" in codes(report)


@pytest.mark.parametrize(
    ("history", "banks", "code"),
    [
        (BootloaderHistory(), BankPolicy.CHECK, "bank-unproved"),
        (BootloaderHistory(proved_banks=(0, 1)), BankPolicy.CHECK, "bank-proved"),
        (BootloaderHistory(released_banks=(1,)), BankPolicy.CHECK, "bank-trusted"),
        (BootloaderHistory(), BankPolicy.TRUSTED, "bank-trusted"),
        (BootloaderHistory(condemned_banks=(1,)), BankPolicy.CHECK, "bank-wrong"),
    ],
)
def test_what_is_known_of_the_banks_is_said(history: BootloaderHistory, banks: BankPolicy, code: str) -> None:
    report = judge(case(history=history, profile=replace(PROFILE, banks=banks)))
    assert any("partition2" in each.seen for each in report.findings if each.code == code)


@pytest.mark.parametrize(
    ("pace", "code"), [(Pace.CLAIMED, "pace-claimed"), (Pace.SYNCHRONOUS, "pace-known"), (Pace.STALLING, "pace-known")]
)
def test_what_is_known_of_the_pace_is_said(pace: Pace, code: str) -> None:
    assert code in codes(judge(case(history=BootloaderHistory(pace=pace))))


def test_reads_that_an_earlier_flash_proved_are_called_proved() -> None:
    seen = observation(reads=(GOOD_READ, LAST_READ))
    assert "read-proved" in codes(judge(case(seen, history=BootloaderHistory(reading_proved=True))))
    assert "read-answers" in codes(judge(case(seen)))


def test_reads_are_held_against_what_was_flashed_last() -> None:
    seen = observation(reads=(GOOD_READ, LAST_READ))
    assert "read-not-what-was-flashed" in codes(judge(case(seen, known=(("app1", b"something else"),))))
    assert "read-answers" in codes(judge(case(seen, known=(("app1", GOOD_READ.data[:100]),))))


@pytest.mark.parametrize(
    ("device", "rivals", "code"),
    [
        (replace(DEVICE, serial=""), (), "serial-missing"),
        (replace(DEVICE, serial="FFFFFFFEFFFF"), (), "serial-dummy"),
        (DEVICE, ("1-4.3",), "serial-shared"),
    ],
)
def test_serials_that_do_not_tell_boards_apart_are_named(device: UsbDevice, rivals: tuple[str, ...], code: str) -> None:
    assert code in codes(judge(case(device=device, rivals=rivals)))


@pytest.mark.parametrize("device", [DEVICE, None])
def test_a_serial_that_two_devices_have_shown_at_once_is_named(device: UsbDevice | None) -> None:
    board = replace(case(), device=device, was_shared=True)
    assert finding(judge(board), "serial-shared").mend.count("UID_BASE") == 1
    assert ("flashdeck release" in finding(judge(board), "serial-shared").mend) is (device is None)


@pytest.mark.parametrize(("interfaces", "code"), [((), "runtime-missing"), ((0xFE, 1, 1), "runtime-there")])
def test_an_application_without_run_time_interface_can_not_be_detached(interfaces: tuple[int, ...], code: str) -> None:
    shown = (InterfaceClass(0, 0, *interfaces),) if interfaces else ()
    profile = replace(PROFILE, app=UsbId(0x0483, 0x5740), enter=Enter.DETACH)
    board = Case("left", profile, Presence.APP, replace(DEVICE, interfaces=shown))
    assert code in codes(judge(board))
    assert "runs-application" in codes(judge(board))


def test_an_adopted_board_with_another_map_is_told_from_itself() -> None:
    seen = observation(names="@Other/0x08000000/128*8Kg")
    assert "map-changed" in codes(judge(case(seen, pinned_map="@Internal Flash/0x08000000/16*8Ka,112*8Kg")))
    assert "map-changed" not in codes(judge(case(seen, pinned_map="@Other/0x08000000/128*8Kg")))
    assert "map-changed" not in codes(judge(case(seen)))


def with_ram(board: Case) -> Case:
    """A board of that chip, whose RAM ends at RAM_END."""
    geometry = replace(board.profile.geometry, ram=(Range(0x20000000, RAM_END),))
    return replace(board, profile=replace(board.profile, chip="STM32H563RG", geometry=geometry))


def test_a_stack_at_the_end_of_ram_is_what_the_sample_boot_check_rejects() -> None:
    head = RAM_END.to_bytes(4, "little") + bytes(60)
    board = with_ram(case(known=(("app1", head),)))
    assert finding(judge(board), "stack-check").severity is Severity.NOTE
    refused_to_start = replace(board, unaccepted=frozenset({"app1"}))
    assert finding(judge(refused_to_start), "stack-check").severity is Severity.ERROR
    low = (0x20030000).to_bytes(4, "little")
    small = with_ram(case(known=(("app1", low),)))
    assert "stack-check" not in codes(judge(small))
    older = replace(small, profile=replace(small.profile, chip="STM32F407VG"))
    assert "0x20020000" in finding(judge(older), "stack-check").mend


def test_the_stack_is_also_looked_up_where_the_board_can_be_read() -> None:
    read = replace(GOOD_READ, data=RAM_END.to_bytes(4, "little") + bytes(1020))
    assert "stack-check" in codes(judge(with_ram(case(observation(reads=(read, LAST_READ))))))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DevicePermissionError("permission denied for /dev/bus/usb/001/007", hint="install the rule"), "no-permission"),
        (DeviceError("it stays with dfuDNBUSY", hint="reset the board"), "stuck"),
    ],
)
def test_why_a_board_could_not_be_looked_at_is_a_finding_too(error: DeviceError, code: str) -> None:
    report = judge(replace(case(), seen=None), error)
    assert finding(report, code).severity is Severity.ERROR
    assert report.failure is not None
    assert report.failure.kind in (ErrorKind.NO_PERMISSION, ErrorKind.DFU_STATE)


def test_the_vendor_tool_s_messages_are_explained_from_what_this_board_did() -> None:
    unread = judge(case(observation(reads=(refused(15),)))).explanations
    readable = judge(case(observation(reads=(GOOD_READ, LAST_READ)))).explanations
    assert len(unread) == len(readable) == 3
    assert "does not answer reads" in unread[0].meaning
    assert "not because of a protection" in unread[1].meaning
    assert "answered the reads" in readable[0].meaning
    assert "answered the reads" in readable[1].meaning, "none of its reads was refused"
    assert "not tried" in judge(case()).explanations[1].meaning
    assert all("erasing the whole chip" in each[2].meaning for each in (unread, readable))


def test_memory_with_addresses_of_its_own_is_no_flash_that_is_offered_too_much() -> None:
    alternates = (alternate(), alternate("@OTP Memory   /0x08FFF000/01*2Ke", 1))
    seen = observation(alternates=alternates, reads=(GOOD_READ, LAST_READ))
    assert "more than the flash has" not in judge(case(seen)).explanations[0].meaning
    seen = observation(alternates=(alternate("@F/0x08000000/256*8Kg/0x1FFF7800/1*512e"),), reads=(GOOD_READ, LAST_READ))
    assert "offers 1 MiB more than the flash has" in judge(case(seen)).explanations[0].meaning


def test_a_plain_device_gets_no_explanations_of_a_tool_that_would_not_take_it() -> None:
    seen = observation(functional={"version": 0x0110}, alternates=(Alternate(0, 2, "app", None, "no map"),))
    assert judge(case(seen)).explanations == ()


FUNCTIONAL = ("USBD_DFU_CfgDesc", "USBD_FrameWork_DFUDesc")
SIZES = ("usbd_conf.h", "USBD_DFU_XFER_SIZE", "UX_SLAVE_REQUEST_CONTROL_MAX_LENGTH", "ux_user.h", "RX_Data")
ATTRIBUTES = ("USBD_DFU_BM_ATTRIBUTES", "usbd_conf.h", "USBD_DFU_CfgDesc", "ux_device_descriptors.h")
MAP = ("FLASH_DESC_STR", "USBD_DFU_STRING_DESC")
READ = ("MEM_If_Read_FS", "ux_slave_class_dfu_parameter_read")
TIMES = ("MEM_If_GetStatus_FS", "FLASH_ERASE_TIME", "ux_slave_class_dfu_parameter_get_status", "DFU_MEDIA_ERASE_TIME")
SERIAL = ("Get_SerialNum", "USBD_SERIAL_NUMBER", "USBD_Get_String_Framework")
ERASE = ("MEM_If_Erase_FS", "DFU_Erase")
IN_THE_SOURCE = {
    "functional-missing": (*FUNCTIONAL, "USB_DFU_CONFIG_DESC_SIZ", "ux_slave_class_dfu_parameter_framework"),
    "functional-length": FUNCTIONAL,
    "version-not-dfuse": FUNCTIONAL,
    "plain-dfu": (*FUNCTIONAL, *MAP),
    "transfer-size-zero": SIZES,
    "transfer-size-large": SIZES,
    "transfer-size-odd": SIZES,
    "transfer-size-small": SIZES,
    "no-download": ATTRIBUTES,
    "manifestation-tolerant": ATTRIBUTES,
    "no-will-detach": ATTRIBUTES,
    "upload-bit-missing": ATTRIBUTES,
    "protocol-runtime": ("USBD_DFU_IF_DESC", "__USBD_FRAMEWORK_SET_IF"),
    "map-missing": MAP,
    "map-unreadable": MAP,
    "map-opens-protected": (*MAP, "MEM_If_Erase_FS", "MEM_If_Write_FS", "ux_slave_class_dfu_parameter_write"),
    "map-other-sectors": MAP,
    "map-closes-partition": MAP,
    "map-too-large": MAP,
    "claims-slow": TIMES,
    "claims-absurd": TIMES,
    "read-refused": READ,
    "read-absent": READ,
    "read-short": ("DFU_Upload", "USBD_DFU_XFER_SIZE", "ux_slave_class_dfu_parameter_read", "*actual_length"),
    "read-fails": READ,
    "read-kills": READ,
    "read-constant": READ,
    "read-same": READ,
    "read-echo": READ,
    "read-not-what-was-flashed": READ,
    "serial-missing": SERIAL,
    "serial-dummy": SERIAL,
    "serial-shared": SERIAL,
    "runtime-missing": ("USBD_ClassTypeDef", "ux_device_class_dfu_parameter_custom_request"),
    "bank-unproved": ERASE,
    "bank-wrong": ERASE,
    "stack-check": ("USBD_DFU_APP_DEFAULT_ADD", "USBD_DFU_APP_MASK"),
    "stuck": ("USBD_DFU_EP0_TxReady", "ux_device_class_dfu_state_sync"),
}
"""By finding: what its mend names of ST's classic class, and of USBX."""
ELSEWHERE = {
    "wants-addresses": "in the profile",
    "map-changed": "in boards.toml",
    "no-permission": "on this machine",
    "port-missing": "in the application, or on this machine",
    "port-closed": "on this machine",
    "port-hidden": "on this machine",
    "command-missing": "on this machine",
    "look-ended": "not known: the look did not get that far",
}
"""Grave findings that are not mended in a source, and where they are."""
NOT_OF_BOARDS = {"installation.py", "offline.py"}
"""Modules whose findings are of this machine."""


def odd_boards() -> Iterator[BoardReport]:
    """Reports that have every finding of IN_THE_SOURCE between them."""
    yield from (judge(case(observation(**changes))) for changes, _ in ODDITIES)
    readable = observation(reads=(GOOD_READ, LAST_READ))
    yield judge(case(readable, known=(("app1", b"something else"),)))
    yield judge(case(device=replace(DEVICE, serial="")))
    yield judge(case(device=replace(DEVICE, serial="FFFFFFFEFFFF")))
    yield judge(case(device=DEVICE, rivals=("1-4.3",)))
    yield judge(Case("left", replace(PROFILE, enter=Enter.DETACH), Presence.APP, DEVICE))
    yield judge(case(history=BootloaderHistory(condemned_banks=(1,))))
    yield judge(with_ram(case(known=(("app1", RAM_END.to_bytes(4, "little")),), unaccepted=frozenset({"app1"}))))
    yield judge(replace(case(), seen=None), DeviceError("it stays with dfuDNBUSY", hint="reset the board"))


@pytest.mark.parametrize("code", IN_THE_SOURCE)
def test_a_mend_names_what_to_change_in_st_s_classic_class_and_in_usbx(code: str) -> None:
    found = [each for report in odd_boards() for each in report.findings if each.code == code]
    assert found
    for each in found:
        assert [name for name in IN_THE_SOURCE[code] if name not in each.mend] == [], each.mend


def test_every_grave_finding_is_known_to_be_mended_in_the_source_or_elsewhere() -> None:
    """So that a new one names both classes too, or says here why it does not."""
    grave: set[str] = set()
    for module in Path(diagnosis.__path__[0]).glob("*.py"):
        for call in ast.walk(ast.parse(module.read_text())):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "Finding" or module.name in NOT_OF_BOARDS:
                continue
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if ast.unparse(given["severity"]) not in ("Severity.NOTE", "Severity.GOOD"):
                grave.add(ast.literal_eval(given["code"]))
    assert grave - IN_THE_SOURCE.keys() == ELSEWHERE.keys()


READS = st.lists(
    st.builds(
        TestRead,
        st.sampled_from(["app1", "partition2", "gone"]),
        st.sampled_from([GOOD_READ.span, LAST_READ.span, Range.sized(PARTITION2.start, 64)]),
        st.sampled_from(ReadOutcome),
        st.binary(max_size=64),
        st.none() | st.integers(0, 255),
    ),
    max_size=4,
)


@given(
    size=st.integers(0, 65535),
    version=st.none() | st.integers(0, 65535),
    state=st.none() | st.integers(0, 255),
    claims=st.lists(st.integers(0, 0xFFFFFF), max_size=3),
    reads=READS,
    can_upload=st.booleans(),
)
def test_whatever_a_device_says_becomes_a_report(  # noqa: PLR0917 - hypothesis passes by name
    size: int, version: int | None, state: int | None, claims: list[int], reads: list[TestRead], can_upload: bool
) -> None:
    functional = {"transfer_size": size, "version": version, "can_upload": can_upload}
    seen: Observation = observation(functional=functional, first_state=state, claims=tuple(claims), reads=tuple(reads))
    report = judge(case(seen, device=DEVICE))
    assert all(each.seen and each.means for each in report.findings)
    assert len({(each.code, each.seen) for each in report.findings}) == len(report.findings)
