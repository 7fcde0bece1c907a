"""Devices that are not what they say: the table is sound, and every entry of it has its effect."""

import re
from typing import cast

import pytest

from flashdeck.config import PollPolicy, UsbId
from flashdeck.errors import DescriptorError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.memory_map import Access, parse_memory_map
from flashdeckd.dfu.descriptor import VERSION_DFUSE, parse_functional
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.facts import read_facts
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import AlternateSetting
from flashdeckd.dfu.quirks import NONE, QUIRKS, Quirk, quirk_of
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import DfuRequest, erase_page
from model_pipe import BASE, MAP, PAGE, ModelPipe

PAGE_0 = Range.sized(BASE, PAGE)
FENCE = Fence.around(Range.sized(BASE, 32 * PAGE), Geometry((Region(BASE, 32, PAGE),)))
HOURS = 0xFFFFFF


def known(text: str) -> Quirk:
    """What is known of VID:PID:bcdDevice."""
    vendor, product, bcd_device = (int(part, 16) for part in text.split(":"))
    return quirk_of(UsbId(vendor, product), bcd_device)


@pytest.mark.parametrize("key", QUIRKS)
def test_an_entry_can_be_found_has_a_reason_and_changes_something(key: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{4}:([0-9a-f]{4}(:[0-9a-f]{4})?|\*)", key)
    quirk = QUIRKS[key]
    assert len(quirk.reason) > 30
    assert quirk != Quirk(reason=quirk.reason)
    vendor, product, *bcd_device = key.split(":")
    assert known(":".join((vendor, product.replace("*", "1234"), *(bcd_device or ["0199"])))) is quirk


def test_a_device_that_is_not_named_is_believed() -> None:
    assert known("1209:0001:0200") is NONE
    assert known("1eaf:0003:0201") is NONE, "another revision of the Maple"
    assert known("0908:02c4:0100") is NONE, "a Siemens PXM40 whose firmware was mended"


def test_the_entry_that_names_a_device_most_exactly_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("abcd:*", "abcd:0001", "abcd:0001:0100"):
        monkeypatch.setitem(cast("dict[str, Quirk]", QUIRKS), key, Quirk(reason=key))
    assert known("abcd:0001:0100").reason == "abcd:0001:0100"
    assert known("abcd:0001:0101").reason == "abcd:0001"
    assert known("abcd:0002:0100").reason == "abcd:*"


BOGUS_POLLS = [
    *(f"{vendor}:{product:04x}:0100" for vendor in ("1d50", "1457") for product in range(0x5117, 0x5127)),
    *("16c0:0762:0100", "16c0:076b:0100", "16c0:076c:0100", "0763:2806:0100", "0908:02c4:0000", "0908:02c5:0000"),
]


@pytest.mark.parametrize("device", BOGUS_POLLS)
def test_poll_times_that_were_never_set_are_not_slept(device: str) -> None:
    pipe = ModelPipe(quirk=known(device), poll_ms=HOURS)
    session = DfuseSession(pipe, FENCE, PollPolicy.SPEC, pipe.sleep)
    session.open()
    session.erase(PAGE_0)
    assert pipe.naps == [0.005]


def test_a_poll_time_that_was_never_set_does_not_hold_up_a_recovery() -> None:
    pipe = ModelPipe(quirk=known("16c0:0762:0100"), poll_ms=HOURS, duration=0.02)
    pipe.send(DfuRequest.DNLOAD, 0, erase_page(BASE), timeout=1)
    pipe.receive(DfuRequest.GETSTATUS, 0, 6, timeout=1)
    to_idle(pipe, pipe.sleep)
    assert sum(pipe.naps) < 0.1


def test_the_maple_speaks_plain_dfu_whatever_it_says() -> None:
    said = bytes.fromhex("09210b000000041a01")
    quirk = known("1eaf:0003:0200")
    assert parse_functional(quirk.mend_functional(said)).version == 0x0110
    assert quirk.mend_functional(said)[:7] == said[:7]
    pipe = ModelPipe(quirk=quirk, functional=quirk.mend_functional(said))
    with pytest.raises(DescriptorError, match="0x0110"):
        DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep).open()
    assert pipe.requests(DfuRequest.DNLOAD) == []


@pytest.mark.parametrize("raw", [b"", b"\x02\x21", bytes.fromhex("0721 07 ff00 0004")])
def test_a_version_is_mended_only_where_there_is_a_descriptor_for_it(raw: bytes) -> None:
    mended = known("1eaf:0003:0200").mend_functional(raw)
    assert mended[:7] == raw
    assert NONE.mend_functional(raw) == raw


@pytest.mark.parametrize(
    ("device", "protocol", "version", "interfaces", "is_dfu_mode"),
    [
        ("1209:0001:0100", 2, None, 1, True),
        ("1209:0001:0100", 2, 0x0110, 3, True),
        ("1209:0001:0100", 1, VERSION_DFUSE, 1, False),
        ("1209:0001:0100", 0, VERSION_DFUSE, 1, True),  # the DSO Nano, and whoever else forgot the protocol
        ("1209:0001:0100", 0, 0x0110, 1, False),
        ("1209:0001:0100", 0, None, 1, False),
        ("1fc9:000c:0100", 1, 0x0100, 1, True),
        ("1fc9:000d:0100", 1, 0x0100, 1, False),
        ("0b0e:0411:0100", 0, 0x0110, 1, True),
        ("0b0e:0411:0100", 0, 0x0110, 4, False),
        ("0b0e:0411:0100", 1, 0x0110, 1, False),
        ("1eaf:0003:0200", 0, VERSION_DFUSE, 1, False),
    ],
)
def test_what_counts_as_dfu_mode(
    device: str, protocol: int, version: int | None, interfaces: int, is_dfu_mode: bool
) -> None:
    assert known(device).is_dfu_mode(protocol, version, interfaces) is is_dfu_mode


def test_the_device_feature_of_the_stm32f4_can_not_be_erased() -> None:
    quirk = known("0483:df11:2200")
    feature = parse_memory_map("@Device Feature/0xFFFF0000/01*004 g")
    (mended,) = quirk.mend_map(feature).segments
    assert mended.access == Access.READ | Access.WRITE
    assert mended.span == feature.segments[0].span
    flash = parse_memory_map(MAP)
    assert quirk.mend_map(flash) == flash
    assert NONE.mend_map(feature) == feature
    pipe = ModelPipe(quirk=quirk, texts={4: "@Device Feature/0x08000000/32*2Kg"})
    facts, _ = read_facts(pipe, FENCE.span)
    assert facts.memory_map is not None
    assert not facts.memory_map.permits(PAGE_0, Access.ERASE)


def test_the_map_of_the_gd32vf103_is_not_believed() -> None:
    quirk = known("28e9:0189:0100")
    text = "@Internal Flash  /0x08000000/512*002Kg"
    assert NONE.mend_map(parse_memory_map(text)).segments
    pipe = ModelPipe(quirk=quirk, texts={4: text})
    facts, _ = read_facts(pipe, FENCE.span)
    assert facts.memory_map is None
    assert "GD32VF103" in facts.map_error
    assert known("28e9:018a:0100") is NONE
    session = DfuseSession(pipe, FENCE, PollPolicy.AUTO, pipe.sleep)
    session.open()
    session.erase(PAGE_0)


def test_a_name_that_all_alternate_settings_share_is_read_once() -> None:
    pipe = ModelPipe(alternates=tuple(AlternateSetting(number, 4, 2) for number in range(4)), texts={4: "no map"})
    facts, alternate = read_facts(pipe, FENCE.span)
    assert facts.memory_map is None
    assert alternate.number == 0
    assert pipe.transfers == 1
