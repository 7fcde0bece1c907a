"""The emulated bootloaders against recordings of the published code that they emulate."""

import gzip
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from flashdeck.config import UsbId
from flashdeck.geometry import Range
from flashdeckd.virtual.classic import ClassicBootloader, ClassicSettings, LibraryRelease, Reads
from flashdeckd.virtual.control import Answer, Bus, Outcome, Setup
from flashdeckd.virtual.dapboot import DapbootBootloader, DapbootSettings
from flashdeckd.virtual.identity import Functional, Identity, dfu_settings
from flashdeckd.virtual.nor import FlashLayout, NorFlash, Operation, OperationKind, Overwrite
from flashdeckd.virtual.tinyusb import TinyUsbBootloader, TinyUsbSettings
from flashdeckd.virtual.usbx import UsbxBootloader, UsbxSettings
from flashdeckd.virtual.usbx_default import DefaultSettings, UsbxDefaultBootloader
from soaking import sized

DATA = Path(__file__).parents[2] / "data" / "bootloader-vectors"
CLASSIC = (
    "good",
    "noread",
    "poll50",
    "polls",
    "tolerant",
    "nodetach",
    "template",
    "crash",
    "alts3",
    "2.9.0-good",
    "2.9.0-template",
)
TINYUSB = ("tinyusb", "tinyusb-async", "tinyusb-nottolerant")
DAPBOOT = ("dapboot", "dapboot-tolerant", "dapboot-high")
VARIANTS = (
    *(f"classic-{name}" for name in CLASSIC),
    "usbx-h5",
    "usbx-default",
    "usbx-default-async",
    "usbx-nodetach",
    *TINYUSB,
    *DAPBOOT,
)
PARTS = 4
ONE_OF = sized(4, 1, 1)
"""Of how many sequences one is replayed."""
MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
AT_NULL = 0x5E
PACKET = 64
OWN_VECTORS = (0x20005000).to_bytes(4, "little") + (0x0801E101).to_bytes(4, "little")
"""Stack pointer and reset vector of the bootloader that "dapboot-high" was recorded of."""
USED_SECTORS = (*range(19), 64, 65)
WORDS = {Answer.STALL: "STALL", Answer.NAK: "TIMEOUT"}


@lru_cache(maxsize=2)
def recorded(variant: str) -> list[Any]:
    with gzip.open(DATA / f"{variant}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def expand(text: str) -> bytes:
    """`HEX`, `HEX*TIMES` and sums of these."""
    pieces = (piece.partition("*") for piece in text.split("+"))
    return b"".join(bytes.fromhex(data) * int(times or 1) for data, _, times in pieces)


def expected_answer(text: str) -> str:
    if text in {"STALL", "TIMEOUT", "GONE"}:
        return text
    word, colon, data = text.rpartition(":")
    if word == "NULL":
        return text
    return word + colon + expand(data).hex()


@lru_cache
def used_flash() -> bytes:
    content = bytearray(b"\xff") * FlashLayout().size
    for sector in USED_SECTORS:
        content[sector * 8192 : (sector + 1) * 8192] = bytes([sector]) * 8192
    return bytes(content)


class Rig:
    """One bootloader, fresh from power-up, and what it does to its flash."""

    def __init__(self, header: dict[str, Any], sequence: dict[str, Any]) -> None:
        self.variant: str = header["variant"]
        self.operations: list[str] = []
        self.phase = "s"
        self.crashed = False
        self.flash = NorFlash(layout_of(header, frozenset(sequence.get("bad", ()))), self.observe)
        if sequence["flash"] == "used":
            self.flash.load(0x08000000, used_flash()[: self.flash.layout.size])
        plain = self.variant in TINYUSB
        functional = Functional(
            header["bmAttributes"],
            detach_timeout=1000 if plain else 255,
            transfer_size=header["wTransferSize"],
            version=0x0101 if plain else 0x011A,
        )
        classic = self.variant.startswith("classic")
        identity = Identity(
            UsbId(0x0483, 0xDF11),
            dfu_settings(functional, alternates=header["alts"], string=6),
            ("Maker", "Board", "336E36833233", "Config", "Itf", *[MAP] * header["alts"]),
            configuration_string=2 if classic else 0,
        )
        if plain:
            identity = Identity(
                UsbId(0xCAFE, 0x4000),
                dfu_settings(functional, alternates=header["alts"], string=4),
                ("Maker", "Board", "0", "app1", "partition2"),
                bcd_device=0x0100,
                power=0x80,
            )
        if classic:
            self.device = ClassicBootloader(self.flash, identity, classic_settings(header, functional))
        elif plain:
            parts = tuple(Range.sized(int(start, 16), size) for start, size in header["partitions"])
            beside = self.variant.endswith("-async")
            self.device = TinyUsbBootloader(self.flash, identity, TinyUsbSettings(functional, parts, beside))
        elif self.variant in DAPBOOT:
            vectors = OWN_VECTORS if self.variant == "dapboot-high" else b""
            dapboot = DapbootSettings(functional, int(header["app"], 16), vectors)
            self.device = DapbootBootloader(self.flash, identity, dapboot)
        elif self.variant == "usbx-h5":
            self.device = UsbxBootloader(self.flash, identity, UsbxSettings(functional))
        else:
            pointer, beside = int(header["default_pointer"], 16), self.variant.endswith("-async")
            self.device = UsbxDefaultBootloader(self.flash, identity, DefaultSettings(functional, pointer, beside))
        self.device.attach()

    def observe(self, access: OperationKind, address: int, detail: int, ok: bool) -> None:
        if self.variant == "usbx-h5" and access is OperationKind.ERASE and not ok:
            detail = -1  # its recording does not name a sector that refused
        if self.variant in DAPBOOT and access is OperationKind.READ:
            return  # it sends the flash as it lies in the address space, which nobody could record
        self.operations.append(f"{self.phase} {access} {address:08x} {detail} {'ok' if ok else 'fail'}")

    def request(self, step: list[Any]) -> tuple[str, int | None, Outcome]:
        request_type, request, value, index, sent = step[:5]
        data = expand(sent) if isinstance(sent, str) else b""
        length = len(data) if isinstance(sent, str) else sent
        self.operations = []
        self.phase = "s"
        setup = Setup(request_type, request, value, index, length)
        outcome = Outcome(bus=Bus.CRASHES) if self.crashed else self.device.request(setup, data)
        if outcome.operation is not None:
            self.phase = "t" if outcome.after_status else "d"
            self.carry_out(outcome.operation)
        match outcome.bus:
            case Bus.STAYS if self.crashed:
                return outcome.data.hex(), None, outcome
            case Bus.RESTARTS if not outcome.cut_short:
                return outcome.data.hex(), None, outcome
            case Bus.RESTARTS:
                return ":".join(["GONE", *([outcome.data.hex()] if outcome.data else [])]), None, outcome
            case Bus.CRASHES:
                return "TIMEOUT", None, outcome
            case Bus.REATTACHES:
                self.device.attach()
                return "GONE", self.device.state, outcome
            case _:
                pass
        overflow = "OVERFLOW:" if outcome.answer is Answer.OVERFLOW else ""
        return WORDS.get(outcome.answer, overflow + outcome.data.hex()), self.device.state, outcome

    def work(self) -> int:
        self.operations = []
        self.phase = "w"
        self.carry_out(self.device.busy)
        return self.device.state

    def carry_out(self, operation: Operation | None) -> None:
        while operation is not None:
            operation.advance()
            if operation.crashed:
                self.crashed = True
                self.flash.finished(operation, len(operation.data))
                return
            self.device.ended(operation)
            operation = self.device.busy


def layout_of(header: dict[str, Any], bad: frozenset[int]) -> FlashLayout:
    """The flash that a variant was recorded on: that of an STM32H5, or of an STM32F1 where its header says so."""
    if "page" not in header:
        return FlashLayout(bad=bad)
    return FlashLayout(
        int(header["flash_base"], 16),
        header["flash_size"],
        sector=header["page"],
        word=header["word"],
        bad=bad,
        overwrite=Overwrite.ZEROS,
        faults=True,
    )


def classic_settings(header: dict[str, Any], functional: Functional) -> ClassicSettings:
    variant = header["variant"]
    reads = {"classic-noread": Reads.NULL, "classic-crash": Reads.CRASH}
    template = variant.endswith("-template")
    return ClassicSettings(
        functional,
        pointer=int(header["default_pointer"], 16),
        reads=Reads.NULL if template else reads.get(variant, Reads.GOOD),
        writes=not template,
        constant=AT_NULL,
        release=LibraryRelease.V2_9_0 if variant.startswith("classic-2.9.0") else LibraryRelease.CURRENT,
        poll_erase=header["poll_erase"],
        poll_other=header["poll_other"],
    )


def from_null(answer: str, step: list[Any]) -> str:
    """What the recording calls `NULL:N`: the bytes at address 0 for a read that failed, anything for the others.

    The core of release 2.9.0 asks the driver where to go on after the first packet, and the recording's had no answer.
    """
    failed = step[1] == 2 and any(operation.endswith("fail") for operation in step[7])
    if failed and bytes.fromhex(answer) != bytes([AT_NULL]) * (len(answer) // 2):
        return answer
    assert failed or len(answer) // 2 > PACKET
    return f"NULL:{len(answer) // 2}"


def has_digest(content: bytes, digest: str, known: dict[str, bytes] = {}) -> bool:  # noqa: B006 - a cache
    """Whether the SHA-256 of `content` is `digest`. Comparing is ten times faster than hashing, and many are equal."""
    if digest in known:
        return content == known[digest]
    matches = hashlib.sha256(content).hexdigest() == digest
    if matches and len(known) < 64:
        known[digest] = content
    return matches


def replay(header: dict[str, Any], sequence: dict[str, Any]) -> None:
    rig = Rig(header, sequence)
    for number, step in enumerate(sequence["seq"]):
        where = f"{header['variant']} {sequence['id']} step {number}: {step[:4]}"
        if step[0] == "work":
            assert (rig.work(), rig.operations) == (step[1], step[2] if len(step) > 2 else []), where
            continue
        answer, state, outcome = rig.request(step)
        extra: dict[str, Any] = step[8] if len(step) > 8 else {}
        expected = expected_answer(step[5])
        if expected.startswith("NULL:"):
            answer = from_null(answer, step)
        assert (answer, state) == (expected, step[6]), where
        assert rig.operations == (step[7] if len(step) > 7 else []), where
        assert outcome.stall_asked == extra.get("stall_asked", False), where
        assert outcome.delay_ms == extra.get("delay", 0), where
    end, where = sequence["end"], f"{header['variant']} {sequence['id']} at its end"
    assert has_digest(bytes(rig.flash.content), end["sha256"]), where
    if "gone" not in end:
        if "pointer" in end:
            assert not isinstance(rig.device, TinyUsbBootloader | DapbootBootloader)
            assert rig.device.pointer == int(end["pointer"], 16), where
        if "getstate" in end:  # not asked after an overflow, which the device is still in
            assert rig.request([0xA1, 5, 0, 0, 1])[0] == end["getstate"], where


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("variant", VARIANTS)
def test_answers_as_the_recorded_code(variant: str, part: int) -> None:
    header, *sequences = recorded(variant)
    assert len(sequences) > 400
    for sequence in sequences[part :: PARTS * ONE_OF]:
        replay(header, sequence)
