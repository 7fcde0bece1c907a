"""Boards from their TOML tables: those that a person wrote, and those that the daemon adopted (boards.toml)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

from flashdeck.config import Board, Pins, Profile, UsbId
from flashdeck.text import clean
from flashdeck.toml_table import MAX_PATH, Table, check_name, nearest

BOARD_KEYS = ("profile", "serial", "port")
ADOPTED_KEYS = (*BOARD_KEYS, "pinned")
PINNED_KEYS = ("map", "bcd_device")
BOARD_FILE_KEYS = ("disarmed", "boards")
MAX_SERIAL = 126
"""Characters of a USB string: a descriptor's length is one byte, two of them are its header (USB 2.0, 9.6.7)."""
MAX_MAP = 4096
"""Characters of a pinned memory map."""
MAX_BCD = 0xFFFF
_AGAIN = "take the board out of this file and adopt it again"

_HUB_PORTS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,6}"  # USB 2.0, 4.1.1: at most seven tiers
_PORT = re.compile(rf"[0-9]{{1,3}}-{_HUB_PORTS}|[A-Za-z0-9_.:-]{{1,200}}-usb-[0-9]+:{_HUB_PORTS}", re.ASCII)
_INTERFACE = re.compile(r":[0-9]+\.[0-9]+$", re.ASCII)


def read_board(name: str, table: Table, profiles: Mapping[str, Profile]) -> Board:
    """A board that a person wrote. Raises ConfigError."""
    table.check_keys(BOARD_KEYS)
    return _board(name, table, profiles, hint="")


def read_adopted_board(
    name: str, table: Table, profiles: Mapping[str, Profile], written: Board | None, written_table: Table | None
) -> Board:
    """A board of boards.toml; it completes `written`, the one of the same name that a person wrote.

    Raises ConfigError, also where `written` needs no completion.
    """
    check_name(name, table)
    table.check_keys(ADOPTED_KEYS)
    board = _board(name, table, profiles, hint=f"put it back, or {_AGAIN}")
    if not board.serial and not board.port:
        raise table.error("", "an adopted board has a serial or a port, or both", hint=_AGAIN)
    if "pinned" not in table:
        raise table.error("pinned", "is missing", hint=_AGAIN)
    if written is not None and written_table is not None:
        other = clean(str(written_table.file), MAX_PATH)
        if written.serial or written.port:
            raise table.error(
                "", f"is also in {other}, with a serial or a port of its own", hint="take it out of one of the two"
            )
        if written.profile != board.profile:
            raise table.error(
                "profile",
                f'"{board.profile.name}", and {other} says "{written.profile.name}"',
                hint=_AGAIN,
            )
    pinned = table.table("pinned")
    pinned.check_keys(PINNED_KEYS)
    bcd_device = pinned.number("bcd_device")
    if bcd_device > MAX_BCD:
        raise pinned.error("bcd_device", f"{bcd_device} has more than 16 bits", hint=_AGAIN)
    text = pinned.text("map", limit=MAX_MAP) if "map" in pinned else ""
    return replace(board, pins=Pins(map=text, bcd_device=bcd_device))


def check_identities(boards: Mapping[str, Board], tables: Mapping[str, Table]) -> None:
    """Refuses two boards that any device would match both of, or neither.

    The same serial or port is allowed for products that never show the same USB id.
    """
    for one, other in combinations(boards.values(), 2):
        same = (one.serial, one.port) == (other.serial, other.port)
        if same and (one.serial or one.port) and _ids(one.profile) & _ids(other.profile):
            what = " and ".join(key for key in ("serial", "port") if getattr(one, key))
            file = clean(str(tables[one.name].file), MAX_PATH)
            raise tables[other.name].error(
                what.split()[0],
                f"board {other.name} has the same {what} as board {one.name} in {file}",
                hint="each board needs a serial or a port of its own",
            )


def _board(name: str, table: Table, profiles: Mapping[str, Profile], *, hint: str) -> Board:
    profile = table.text("profile")
    if profile not in profiles:
        problem = f'there is no profile "{clean(profile, 40)}"'
        raise table.error("profile", problem, hint=hint or nearest(profile, profiles))
    return Board(
        name=name,
        profile=profiles[profile],
        serial=table.text("serial", limit=MAX_SERIAL) if "serial" in table else "",
        port=_port(table) if "port" in table else "",
    )


def _port(table: Table) -> str:
    text = table.text("port")
    if _PORT.fullmatch(text):
        return text
    shorter = _INTERFACE.sub("", text)
    if _PORT.fullmatch(shorter):
        raise table.error("port", f'"{text}" names an interface of a device', hint=f'use port = "{shorter}"')
    raise table.error(
        "port",
        f'"{clean(text, 60)}" is not a USB port',
        hint='write bus and hub ports, as "1-4.2", or the ID_PATH of udev, as "pci-0000:00:14.0-usb-0:4.2"',
    )


def _ids(profile: Profile) -> frozenset[UsbId]:
    return frozenset(usb_id for usb_id in (profile.dfu, profile.app) if usb_id)
