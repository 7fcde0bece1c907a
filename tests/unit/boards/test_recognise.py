"""Safety rule 3: a job runs only on a board that matches exactly one configured board."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashdeck.config import Board, Config, Partition, Pins, Profile, UsbId
from flashdeck.errors import RequestError
from flashdeck.geometry import Geometry, Range, Region, parse_sectors
from flashdeck.model import DeviceMode, Presence
from flashdeckd.boards.adoption import find_profile
from flashdeckd.usb.device import InterfaceClass, UnreadDevice, UsbDevice
from flashdeckd.usb.recognition import SharedSerial, Sighting, mode_of, recognise

DFU = UsbId(0x0483, 0xDF11)
APP = UsbId(0x0483, 0x5740)
OTHER = UsbId(0x1209, 1)
GEOMETRY = Geometry((Region(0x08000000, 128, 8192),))
PROFILE = Profile(name="product", dfu=DFU, app=APP, geometry=GEOMETRY)
NO_PORTS: dict[str, str] = {}


def device(place: int, serial: str = "", usb_id: UsbId = DFU, protocol: int = 2) -> UsbDevice:
    return UsbDevice(
        name=f"1-{place}",
        port=f"pci-0000:00:14.0-usb-0:{place}",
        bus=1,
        address=place + 1,
        usb_id=usb_id,
        bcd_device=0x0200,
        serial=serial,
        interfaces=(InterfaceClass(0, 0, 0xFE, 1, protocol),),
    )


def config(**boards: dict[str, str]) -> Config:
    return Config(
        profiles={"product": PROFILE},
        boards={
            name: Board(name=name, profile=PROFILE, serial=known.get("serial", ""), port=known.get("port", ""))
            for name, known in boards.items()
        },
    )


def test_a_board_is_recognised_by_serial() -> None:
    roster = recognise(config(left={"serial": "A"}), [device(1, "B"), device(2, "A")], NO_PORTS)
    assert roster.boards["left"].device == device(2, "A")
    assert [stranger.port for stranger in roster.strangers] == ["1-1"]


def test_a_board_is_recognised_by_port_in_either_form() -> None:
    for port in ("1-2", "pci-0000:00:14.0-usb-0:2"):
        roster = recognise(config(left={"port": port}), [device(1), device(2)], NO_PORTS)
        assert roster.boards["left"].device == device(2)


def test_devices_in_dfu_mode_are_listed_also_where_their_protocol_does_not_say_so() -> None:
    lpc, other = UsbId(0x1FC9, 0x000C), UsbId(0x1209, 0x0001)
    devices = [
        device(1, usb_id=lpc, protocol=1),
        device(2, usb_id=other, protocol=1),
        replace(device(3, usb_id=other, protocol=0), dfu_version=0x011A),
        device(4, usb_id=other, protocol=0),
    ]
    assert [stranger.port for stranger in recognise(config(), devices, NO_PORTS).strangers] == ["1-1", "1-3"]


def test_usb_ids_alone_are_never_identity() -> None:
    roster = recognise(config(left={}), [device(1, "A")], NO_PORTS)
    assert roster.boards["left"].presence is Presence.ABSENT
    assert "neither serial nor port" in roster.boards["left"].trouble
    assert [stranger.note for stranger in roster.strangers] == ["not configured: never touched"]


def test_other_usb_ids_on_the_right_port_are_another_device() -> None:
    other = device(1, "A", UsbId(0x1209, 1))
    roster = recognise(config(left={"port": "1-1", "serial": "A"}), [other], NO_PORTS)
    assert roster.boards["left"].presence is Presence.ABSENT


def test_two_devices_with_the_same_serial_are_ambiguous() -> None:
    roster = recognise(config(left={"serial": "A"}), [device(1, "A"), device(2, "A")], NO_PORTS)
    assert roster.boards["left"].presence is Presence.AMBIGUOUS
    assert roster.boards["left"].device is None
    assert "1-1, 1-2" in roster.boards["left"].trouble
    assert len(roster.strangers) == 2


def test_the_same_serial_on_two_boards_is_told_apart_by_port() -> None:
    both = config(left={"serial": "A", "port": "1-1"}, right={"serial": "A", "port": "1-2"})
    roster = recognise(both, [device(1, "A"), device(2, "A")], NO_PORTS)
    assert roster.boards["left"].device == device(1, "A")
    assert roster.boards["right"].device == device(2, "A")
    assert roster.strangers == ()


def test_a_device_that_matches_two_boards_is_neither() -> None:
    roster = recognise(config(left={"serial": "A"}, right={"port": "1-1"}), [device(1, "A")], NO_PORTS)
    assert {s.presence for s in roster.boards.values()} == {Presence.AMBIGUOUS}
    assert all(s.device is None for s in roster.boards.values())


def test_an_application_with_another_serial_is_followed_by_its_port() -> None:
    app = device(3, "APP-SERIAL", APP, protocol=1)
    known = {"left": app.port}
    assert recognise(config(left={"serial": "A"}), [app], known).boards["left"].presence is Presence.APP
    assert recognise(config(left={"serial": "A"}), [app], NO_PORTS).boards["left"].presence is Presence.ABSENT


def test_a_remembered_port_never_identifies_a_device_in_dfu_mode() -> None:
    roster = recognise(config(left={"serial": "A"}), [device(3, "B")], {"left": device(3).port})
    assert roster.boards["left"].presence is Presence.ABSENT


def test_run_time_dfu_interfaces_of_other_products_are_not_listed() -> None:
    headset = device(1, "X", UsbId(0x0B0E, 1), protocol=1)
    assert recognise(config(left={"serial": "A"}), [headset], NO_PORTS).strangers == ()


KEEPS_ITS_ID = Profile(name="product", dfu=DFU, app=DFU, geometry=GEOMETRY)
"""A product whose application has the USB id of its bootloader."""


def same_id(*, serial: str = "", port: str = "") -> Config:
    board = Board(name="left", profile=KEEPS_ITS_ID, serial=serial, port=port)
    return Config(profiles={"product": KEEPS_ITS_ID}, boards={"left": board})


@pytest.mark.parametrize(
    ("interfaces", "mode"),
    [
        ((InterfaceClass(0, 0, 0xFE, 1, 2),), Presence.DFU),
        ((InterfaceClass(0, 0, 0xFE, 1, 1),), Presence.APP),
        (
            (InterfaceClass(0, 0, 2, 2, 1), InterfaceClass(1, 0, 10, 0, 0), InterfaceClass(2, 0, 0xFE, 1, 1)),
            Presence.APP,
        ),
        ((InterfaceClass(0, 0, 2, 2, 1), InterfaceClass(1, 0, 10, 0, 0)), Presence.APP),
        ((), Presence.APP),
    ],
)
def test_one_usb_id_for_both_modes_is_told_apart_by_the_descriptors(
    interfaces: tuple[InterfaceClass, ...], mode: Presence
) -> None:
    shown = replace(device(1, "A"), interfaces=interfaces)
    assert mode_of(KEEPS_ITS_ID, shown) is mode
    for known in (same_id(serial="A"), same_id(port="1-1")):
        roster = recognise(known, [shown], NO_PORTS)
        assert roster.boards["left"] == Sighting(mode, shown)
        assert roster.strangers == ()


def test_a_device_known_for_a_wrong_protocol_is_in_dfu_mode_all_the_same() -> None:
    lpc = UsbId(0x1FC9, 0x000C)
    profile = replace(KEEPS_ITS_ID, dfu=lpc, app=lpc)
    assert mode_of(profile, device(1, usb_id=lpc, protocol=1)) is Presence.DFU


def test_one_usb_id_and_another_serial_is_followed_by_its_port_while_it_runs() -> None:
    running = device(1, "APP", protocol=1)
    assert recognise(same_id(serial="A"), [running], {"left": running.port}).boards["left"].presence is Presence.APP
    bootloader = device(1, "B")
    roster = recognise(same_id(serial="A"), [bootloader], {"left": bootloader.port})
    assert roster.boards["left"].presence is Presence.ABSENT
    assert [stranger.port for stranger in roster.strangers] == ["1-1"]


def test_another_product_that_runs_with_the_id_of_its_bootloader_is_not_listed_as_a_dfu_device() -> None:
    assert recognise(same_id(serial="A"), [device(1, "B", protocol=1)], NO_PORTS).strangers == ()


def test_what_is_adopted_is_a_device_in_dfu_mode() -> None:
    known = same_id(serial="A")
    assert find_profile("", device(2, "B"), known) is KEEPS_ITS_ID
    for name in ("", "product"):
        with pytest.raises(RequestError, match="at 1-2 is running") as caught:
            find_profile(name, device(2, "B", protocol=1), known)
        assert "DFU mode first" in caught.value.hint
    with pytest.raises(RequestError, match="no profile 'other'"):
        find_profile("other", device(2, "B", protocol=1), known)
    with pytest.raises(RequestError, match="no profile is for 1209:0001"):
        find_profile("", device(2, "B", usb_id=UsbId(0x1209, 1)), known)


def test_an_adopted_board_whose_bcd_device_changed_is_in_doubt() -> None:
    adopted = Board(name="left", profile=PROFILE, serial="A", pins=Pins(map="", bcd_device=0x0200))
    left = Config(profiles={"product": PROFILE}, boards={"left": adopted})
    assert recognise(left, [device(1, "A")], NO_PORTS).boards["left"].presence is Presence.DFU
    changed = recognise(left, [replace(device(1, "A"), bcd_device=0x0201)], NO_PORTS).boards["left"]
    assert (changed.presence, changed.device) == (Presence.AMBIGUOUS, None)
    assert "0201" in changed.trouble


serials = st.sampled_from(["", "A", "B"])
places = st.integers(1, 3)
devices = st.lists(
    st.builds(device, places, serials, st.sampled_from([DFU, APP])), unique_by=lambda d: d.name, max_size=3
)
identities = st.fixed_dictionaries({}, optional={"serial": serials, "port": st.sampled_from(["", "1-1", "1-2"])})


@given(devices, st.dictionaries(st.sampled_from(["left", "right"]), identities))
def test_no_device_is_ever_two_boards_and_every_match_is_exact(
    present: list[UsbDevice], boards: dict[str, dict[str, str]]
) -> None:
    roster = recognise(config(**boards), present, {"left": "pci-0000:00:14.0-usb-0:3"})
    used = [sighting.device for sighting in roster.boards.values() if sighting.device]
    assert len(used) == len(set(used))
    for name, sighting in roster.boards.items():
        found = sighting.device
        if found is None or found.usb_id == APP:
            continue
        board = boards[name]
        assert board.get("serial") or board.get("port")
        assert board.get("serial", "") in {"", found.serial}
        assert not board.get("port") or found.is_at(board["port"])
        exact = [d for d in present if d.usb_id == DFU and (not board.get("serial") or d.serial == board["serial"])]
        exact = [d for d in exact if not board.get("port") or d.is_at(board["port"])]
        assert exact == [found]


def test_a_replug_is_a_new_sighting() -> None:
    before = recognise(config(left={"serial": "A"}), [device(1, "A")], NO_PORTS).boards["left"]
    after = recognise(config(left={"serial": "A"}), [replace(device(1, "A"), address=9)], NO_PORTS).boards["left"]
    assert before != after


TWINS = [device(1, "A"), device(2, "A")]
SHARED = frozenset({SharedSerial(DFU, "A")})


def test_a_serial_that_two_devices_show_at_once_is_told_and_the_lone_one_is_not_the_board_any_more() -> None:
    left = config(left={"serial": "A"})
    both = recognise(left, TWINS, NO_PORTS)
    assert both.shared == SHARED
    for alone in TWINS:
        roster = recognise(left, [alone], NO_PORTS, shared=both.shared)
        assert roster.shared == frozenset()
        found = roster.boards["left"]
        assert (found.presence, found.device) == (Presence.AMBIGUOUS, None)
        assert "port" in found.trouble
        assert "flashdeck release left" in found.trouble
        assert [stranger.serial_shared for stranger in roster.strangers] == [True]
    assert recognise(left, [], NO_PORTS, shared=SHARED).boards["left"].presence is Presence.ABSENT


def test_a_port_says_which_one_it_is_also_where_the_serial_is_shared() -> None:
    for known in ({"port": "1-1"}, {"serial": "A", "port": "1-1"}):
        found = recognise(config(left=known), TWINS[:1], NO_PORTS, shared=SHARED).boards["left"]
        assert (found.presence, found.device) == (Presence.DFU, TWINS[0])


def test_an_application_is_not_the_board_by_the_port_of_a_device_whose_serial_is_shared() -> None:
    app = device(1, "APP-SERIAL", APP, protocol=1)
    found = recognise(config(left={"serial": "A"}), [app], {"left": app.port}, shared=SHARED).boards["left"]
    assert found.presence is Presence.AMBIGUOUS


@pytest.mark.parametrize(
    ("devices", "shared"),
    [
        ([device(1, "A"), device(2, "A", APP)], {SharedSerial(DFU, "A"), SharedSerial(APP, "A")}),
        ([device(1, "A", OTHER), device(2, "A", OTHER)], {SharedSerial(OTHER, "A")}),
        ([device(1, "A"), device(2, "A", OTHER)], set[SharedSerial]()),
        ([device(1, ""), device(2, "")], set[SharedSerial]()),
        ([device(1, "A"), device(2, "a")], set[SharedSerial]()),
        ([device(1, "A 1"), device(2, "A_1")], set[SharedSerial]()),
    ],
    ids=["two modes", "strangers", "another product", "none", "others", "alike to udev"],
)
def test_only_those_that_may_be_taken_for_each_other_share_a_serial(
    devices: list[UsbDevice], shared: set[SharedSerial]
) -> None:
    assert recognise(config(left={"serial": "A"}), devices, NO_PORTS).shared == shared


HANGS = UnreadDevice("1-2", "it hangs", device(2).port, "A", DFU)


@pytest.mark.parametrize(
    ("board", "hanging", "last", "costs"),
    [
        ({"serial": "A"}, HANGS, "", True),
        ({"serial": "A"}, replace(HANGS, serial="B"), device(2).port, False),
        ({"serial": "A"}, replace(HANGS, serial=""), "", False),
        ({"serial": "A"}, replace(HANGS, serial=""), device(2).port, True),
        ({"serial": "A b"}, replace(HANGS, serial="A_b", usb_id=None), "", True),
        ({"serial": "A"}, replace(HANGS, usb_id=OTHER), device(2).port, False),
        ({"serial": "A", "port": "1-2"}, replace(HANGS, serial="", usb_id=None), "", True),
        ({"serial": "A", "port": "1-1"}, HANGS, "", False),
        ({}, HANGS, device(2).port, False),
    ],
)
def test_a_device_that_hangs_costs_the_board_that_it_may_be(
    board: dict[str, str], hanging: UnreadDevice, last: str, *, costs: bool
) -> None:
    roster = recognise(config(left=board), [], {"left": last} if last else NO_PORTS, unread=[hanging])
    assert roster.unread == {"1-2": ("left",) if costs else ()}
    assert ("1-2" in roster.boards["left"].trouble) is costs
    assert roster.boards["left"].presence is Presence.ABSENT


def test_a_device_that_hangs_is_a_second_one_with_a_serial() -> None:
    roster = recognise(config(left={"serial": "A"}), TWINS[:1], NO_PORTS, unread=[HANGS])
    assert roster.boards["left"].presence is Presence.AMBIGUOUS
    assert roster.shared == SHARED


@given(st.lists(devices, max_size=4), st.dictionaries(st.sampled_from(["left", "right"]), identities))
def test_once_two_devices_have_shown_a_serial_it_never_says_again_who_a_device_is(
    looks: list[list[UsbDevice]], boards: dict[str, dict[str, str]]
) -> None:
    shared: frozenset[SharedSerial] = frozenset()
    for look in looks:
        roster = recognise(config(**boards), look, {"left": "pci-0000:00:14.0-usb-0:3"}, shared=shared)
        shared |= roster.shared
        for name, sighting in roster.boards.items():
            known, found = boards[name], sighting.device
            if found is not None and not known.get("port"):
                assert not {SharedSerial(DFU, known["serial"]), SharedSerial(APP, known["serial"])} & shared


SERIAL_PORT = (InterfaceClass(0, 0, 0x02, 0x02, 0x01), InterfaceClass(1, 0, 0x0A, 0, 0))
RUNTIME = InterfaceClass(2, 0, 0xFE, 1, 1)


@pytest.mark.parametrize(
    ("usb_id", "interfaces", "ways"),
    [
        (OTHER, (*SERIAL_PORT, RUNTIME), ("detach", "touch-1200")),
        (OTHER, (RUNTIME,), ("detach",)),
        (OTHER, SERIAL_PORT, ("touch-1200",)),
        (OTHER, (InterfaceClass(0, 0, 0x08, 6, 0x50),), ()),
        (OTHER, (InterfaceClass(0, 0, 0x02, 0x06, 0),), ()),  # Ethernet
        (UsbId(0x0483, 0x374B), SERIAL_PORT, ()),  # ST-LINK
        (UsbId(0x1366, 0x0105), SERIAL_PORT, ()),  # J-Link
        (UsbId(0x1D50, 0x6018), (*SERIAL_PORT, RUNTIME), ()),  # Black Magic Probe
    ],
)
def test_what_is_running_and_shows_a_way_into_dfu_mode_is_listed_apart(
    usb_id: UsbId, interfaces: tuple[InterfaceClass, ...], ways: tuple[str, ...]
) -> None:
    roster = recognise(config(), [replace(device(1, "A", usb_id), interfaces=interfaces)], NO_PORTS)
    assert roster.strangers == ()
    assert [each.ways_into_dfu for each in roster.running] == ([ways] if ways else [])
    assert all(each.mode is DeviceMode.RUNNING for each in roster.running)


def test_a_board_that_is_running_is_no_stranger() -> None:
    running = replace(device(1, "A", APP), interfaces=SERIAL_PORT)
    assert recognise(config(left={"serial": "A"}), [running], NO_PORTS).running == ()


def test_all_that_hotplug_knows_of_a_stranger_is_told() -> None:
    known = replace(device(1, "A"), manufacturer="ACME", dfu_version=0x011A, setting_names=("@F/0x08000000/1*8Kg",))
    (stranger,) = recognise(config(), [known], NO_PORTS).strangers
    assert (stranger.manufacturer, stranger.dfu_version, stranger.setting_names, stranger.mode) == (
        "ACME",
        0x011A,
        ("@F/0x08000000/1*8Kg",),
        DeviceMode.DFU,
    )


def test_of_two_profiles_with_one_usb_id_a_device_is_of_the_one_whose_flash_it_shows() -> None:
    other = replace(PROFILE, name="other", geometry=parse_sectors("4*16K@0x08000000, 1*64K, 7*128K"))
    both = replace(config(), profiles={"product": PROFILE, "other": other})
    shown = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg"
    assert find_profile("", replace(device(1, "A"), setting_names=(shown,)), both) is other
    for names in ((), ("@Internal Flash  /0x08000000/7*3Kg",), ("no map",)):
        with pytest.raises(RequestError, match="several profiles"):
            find_profile("", replace(device(1, "A"), setting_names=names), both)
    named = find_profile("product", replace(device(1, "A"), setting_names=(shown,)), both)
    assert named is PROFILE, "who names a profile means it"


@pytest.mark.parametrize("name", ["", "product"])
def test_a_device_is_no_board_of_a_profile_that_speaks_otherwise(name: str) -> None:
    plain = replace(device(1, "A"), dfu_version=0x0110)
    with pytest.raises(RequestError, match="speaks plain DFU, without addresses, and the partitions of product have"):
        find_profile(name, plain, config())
    settings = replace(PROFILE, partitions={"app1": Partition(name="app1", span=Range(0, 8192), alternate=0)})
    known = Config(profiles={"product": settings})
    assert find_profile(name, plain, known) is settings
    with pytest.raises(RequestError, match="has addresses, and the partitions of product have alternate settings"):
        find_profile(name, replace(plain, dfu_version=0x011A), known)
    assert find_profile(name, device(1, "A"), known) is settings, "nothing tells how it speaks"
