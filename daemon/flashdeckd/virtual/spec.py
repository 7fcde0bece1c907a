"""The specification of an emulated board, as the bench file or a test gives it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

from msgspec import Meta

from flashdeck.config import USB_ID, UsbId, UsbIdText
from flashdeck.geometry import Range
from flashdeck.recording import Recording
from flashdeck.toml.spellings import Address, AnyText, File, Name, Word16, duration
from flashdeck.toml.tables import Spelling, key, spelled
from flashdeckd.host import clock, randomness
from flashdeckd.virtual import dapboot, tinyusb, usbx_default, zephyr
from flashdeckd.virtual.application import Application, AppPort
from flashdeckd.virtual.classic import ClassicBootloader, ClassicSettings, LibraryRelease, Reads
from flashdeckd.virtual.control import Attribute, UsbFunction
from flashdeckd.virtual.dapboot import DapbootBootloader, DapbootSettings
from flashdeckd.virtual.dfuse import STATUS_FIRMWARE, DfuseBootloader, DfuseSettings, Early, Leave, Manner
from flashdeckd.virtual.faults import AppCrash
from flashdeckd.virtual.flash_file import kept
from flashdeckd.virtual.identity import DFUSE, Functional, Identity, app_settings, dfu_settings
from flashdeckd.virtual.nor import FlashLayout, NorFlash, Overwrite
from flashdeckd.virtual.replay import ReplayedBoard, recorded_identity
from flashdeckd.virtual.tinyusb import TinyUsbBootloader, TinyUsbSettings
from flashdeckd.virtual.usbx import UsbxBootloader, UsbxSettings
from flashdeckd.virtual.usbx_default import DefaultSettings, UsbxDefaultBootloader
from flashdeckd.virtual.voice import Saying, Voice
from flashdeckd.virtual.zephyr import ZephyrBootloader, ZephyrSettings

HONEST_MAP = "@Internal Flash   /0x08000000/16*8Ka,112*8Kg"
"""The first 128 KB, the bootloader's own, only to be read; all the rest for everything."""
_MAP_STRING = 5
PLAIN_VERSION = 0x0101
"""bcdDFUVersion of TinyUSB in DFU mode."""
PARTITIONS = (("app1", Range.sized(0x08020000, 384 * 1024)), ("partition2", Range.sized(0x08080000, 384 * 1024)))
"""Alternate settings of plain DFU models: TinyUSB's names for them, and what they write to."""
RUNTIME_VERSION = 0x0110
"""bcdDFUVersion of the run-time interface: plain DFU 1.1."""
_ST_DFU = UsbId(0x0483, 0xDF11)
_ST_SERIAL_PORT = UsbId(0x0483, 0x5740)
_STM32H5 = FlashLayout()
_ATTRIBUTES = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.WILL_DETACH
_DETACH_TIMEOUT = 255
"""wDetachTimeOut in milliseconds, where nothing else is known."""
_MAX_POLL = (1 << 24) - 1
"""bwPollTimeout has three bytes."""
Poll = Annotated[int, Meta(ge=0, le=_MAX_POLL)]
Seconds = Annotated[float, spelled(duration(0, 60, bare=True))]
_STACK_MASK = 0x2FFC0000
_STACK_BASE = 0x20000000


class Model(StrEnum):
    """The bootloader that a board has."""

    CLASSIC = "classic"
    """ST's classic class with media that work."""
    CLASSIC_NOREAD = "classic-noread"
    """The same, its Read left as in ST's template: every UPLOAD fails."""
    CLASSIC_TEMPLATE = "classic-template"
    """The same with nothing but ST's template: erase and write say yes and do nothing."""
    CLASSIC_OLD = "classic-2.9.0"
    """The same in library release 2.9.0: an erase moves the pointer, a failed one leaves dfuDNBUSY for ever."""
    CLASSIC_OLD_NOREAD = "classic-2.9.0-noread"
    """The same, its Read left as in ST's template: every UPLOAD answers the bytes at address 0."""
    CLASSIC_OLD_TEMPLATE = "classic-2.9.0-template"
    """The same with nothing but ST's template."""
    CLASSIC_STALE = "classic-stale"
    """ST's classic class behind a cache: what was read once is answered again, whatever was erased or written since."""
    CLASSIC_STALE_ERASE = "classic-stale-erase"
    """The same, but writes go through the cache: only what was erased still reads as before."""
    CLASSIC_ECHO = "classic-echo"
    """ST's classic class; a read answers the last block that the class received."""
    CLASSIC_CONSTANT = "classic-constant"
    """ST's classic class; a read answers the same byte from everywhere."""
    CLASSIC_CRASH = "classic-crash"
    """ST's classic class; a read outside the flash is a bus fault, as in ST's sample for the H563."""
    USBX = "usbx"
    """ST's USBX class and its sample for the H5: busy by STALL, an erase moves the address pointer."""
    USBX_DEFAULT = "usbx-default"
    """ST's USBX class without any setting: the flash work is done inside DNLOAD, and dfuERROR is silent."""
    USBX_ASYNC = "usbx-default-async"
    """The same; the flash work runs beside the bus, and while it does everything is STALLed."""
    STRICT_ERASE = "strict-erase"
    """DfuSe by the book; a request before bwPollTimeout has passed leads to dfuERROR, during an erase only."""
    STRICT_WRITE = "strict-write"
    """The same, during everything but an erase."""
    STRICT = "strict"
    """The same, at any time."""
    H7_WEDGE = "h7-wedge"
    """As in the ROM of some STM32H743: after an erase in bank 2 it is busy until CLRSTATUS has come twice."""
    GD32 = "gd32"
    """As GigaDevice's: it is gone at the zero-length DNLOAD, which it never answers."""
    GD32_SILENT = "gd32-silent"
    """The same, but it does not even go: it ignores the leave."""
    ROM = "rom"
    """ST's ROM bootloader: 2 KiB blocks, in dfuERROR at power-on, several memories, jumps to the address pointer."""
    ROM_STALLS = "rom-stalls"
    """The same as on the STM32L4: it claims too little, and STALLs what comes while it is busy."""
    ROM_RDP1_SILENT = "rom-rdp1-silent"
    """The same at read protection level 1, as on the STM32U5: writes and erases are answered OK and store nothing,
    reads are refused."""
    TINYUSB = "tinyusb"
    """TinyUSB's plain DFU 1.1: a partition in each alternate setting; nothing is answered during the flash work."""
    TINYUSB_ASYNC = "tinyusb-async"
    """The same; the flash work runs beside the bus, and whoever asks is told that it does."""
    ZEPHYR = "zephyr"
    """Zephyr's plain DFU 1.1: an image in each alternate setting, flash work inside DNLOAD, no restart at the end."""
    DAPBOOT = "dapboot"
    """dapboot's plain DFU 1.1: one alternate setting, no block numbers; a bus reset restarts it."""


CLASSIC_MODELS = frozenset(model for model in Model if model.startswith("classic"))
"""Models that run ST's classic class."""
STORES_NOTHING = frozenset({Model.CLASSIC_TEMPLATE, Model.CLASSIC_OLD_TEMPLATE, Model.ROM_RDP1_SILENT})
"""Models that say yes to every erase and write, and do nothing."""
CONSTANT_MODELS = frozenset({Model.CLASSIC_CONSTANT, Model.CLASSIC_OLD_NOREAD, Model.CLASSIC_OLD_TEMPLATE})
"""Models whose reads answer one byte from everywhere."""
TINYUSB_MODELS = frozenset({Model.TINYUSB, Model.TINYUSB_ASYNC})
"""Models of TinyUSB's class."""
PARTITIONED_MODELS = TINYUSB_MODELS | {Model.ZEPHYR}
"""Models whose alternate settings are those of `PARTITIONS`."""
PLAIN_MODELS = PARTITIONED_MODELS | {Model.DAPBOOT}
"""Models that speak plain DFU 1.1, not DfuSe: no memory map, no commands, block numbers from 0."""
FIXED_POLLS = frozenset({Model.USBX_DEFAULT, Model.USBX_ASYNC}) | PLAIN_MODELS
"""Models whose poll times nobody can choose."""
_ROM_MAPS = (
    "@Option Bytes   /0x1FFFC000/01*016 e",
    "@OTP Memory   /0x1FFF7800/01*512 e,01*016 e",
    "@Device Feature/0xFFFF0000/01*004 e",
)
ROM_MODELS: tuple[Model, ...] = (Model.ROM, Model.ROM_STALLS, Model.ROM_RDP1_SILENT)
"""Models of the bootloader that ST puts into its chips."""
OTHER_MAPS: dict[Model, tuple[str, ...]] = dict.fromkeys(ROM_MODELS, _ROM_MAPS)
"""Memory maps of the alternate settings from 1 on. Nothing is behind them: every address there is refused."""
TRANSFER_SIZES: dict[Model, int] = {**dict.fromkeys(ROM_MODELS, 2048), Model.ZEPHYR: zephyr.TRANSFER_SIZE}
"""wTransferSize where it is not the usual 1024."""
DEFAULT_POLLS = {
    Model.CLASSIC: (50, 50),
    Model.CLASSIC_NOREAD: (50, 50),
    Model.CLASSIC_TEMPLATE: (0, 0),
    Model.CLASSIC_OLD: (50, 50),
    Model.CLASSIC_OLD_NOREAD: (50, 50),
    Model.CLASSIC_OLD_TEMPLATE: (0, 0),
    Model.CLASSIC_STALE: (50, 50),
    Model.CLASSIC_STALE_ERASE: (50, 50),
    Model.CLASSIC_ECHO: (50, 50),
    Model.CLASSIC_CONSTANT: (50, 50),
    Model.CLASSIC_CRASH: (50, 50),
    Model.USBX: (244, 244),
    Model.USBX_DEFAULT: (usbx_default.POLL, usbx_default.POLL),
    Model.USBX_ASYNC: (usbx_default.POLL, usbx_default.POLL),
    Model.STRICT_ERASE: (50, 5),
    Model.STRICT_WRITE: (50, 5),
    Model.STRICT: (50, 5),
    Model.H7_WEDGE: (50, 5),
    Model.GD32: (50, 5),
    Model.GD32_SILENT: (50, 5),
    Model.ROM: (50, 5),
    Model.ROM_STALLS: (2, 1),
    Model.ROM_RDP1_SILENT: (50, 5),
    Model.TINYUSB: (tinyusb.POLL_FIRST, tinyusb.POLL_FIRST),
    Model.TINYUSB_ASYNC: (tinyusb.POLL_FIRST, tinyusb.POLL_FIRST),
    Model.ZEPHYR: (zephyr.POLL, zephyr.POLL),
    Model.DAPBOOT: (dapboot.POLL, dapboot.POLL),
}
"""Milliseconds claimed for an erase and for everything else, by the published code where there is any."""


class Timing(StrEnum):
    """The speed of a board."""

    REAL = "real"
    """As a full-speed device with the flash of an STM32H5."""
    NONE = "none"
    """As fast as Python."""


class Start(StrEnum):
    """The first thing that a board does when it is plugged in."""

    BOOT = "boot"
    """It starts its application if the boot check passes."""
    DFU = "dfu"
    """It stays in its bootloader, as with the boot pin strapped."""


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are in the flash before the board is first powered."""

    address: int
    data: bytes


def _usb_id_or_none(value: object, folder: Path) -> UsbId | None:
    return None if value == "" else cast("UsbId", USB_ID.read(value, folder))


UsbIdOrNone = Annotated[
    UsbId | None, spelled(Spelling(_usb_id_or_none, {"anyOf": [{"enum": [""]}, USB_ID.schema]}, str))
]
_BOOTLOADER = randomness.noise("bootloader", 8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchBoardKeys:
    """The keys of a board's table in a bench file that the emulation takes as they are."""

    serial: Annotated[AnyText, key("The serial that it shows.")] = ""
    product: Annotated[AnyText, key("The product that it shows.")] = "flashdeck virtual board"
    controller: Annotated[
        Name, key('The host controller that its port is on; the name shown is "virtual-bench-" and this.')
    ] = ""
    """"": the bench's own one."""
    manufacturer: Annotated[AnyText, key("The manufacturer that it shows.")] = "flashdeck"
    dfu: Annotated[UsbIdText, key("Its USB id in DFU mode.")] = _ST_DFU
    app: Annotated[UsbIdOrNone, key('Its USB id while its application runs; "": the application has no USB.')] = (
        _ST_SERIAL_PORT
    )
    """None: the application has no USB, and the board vanishes from the bus when it starts."""
    runtime: Annotated[bool, key("true: the application has a run-time DFU interface.")] = False
    serial_port: Annotated[
        AppPort,
        key(
            "Serial port of the application, a pseudo-terminal: none, a plain one, or one that restarts the board into "
            "its bootloader when it is touched at 1200 baud."
        ),
    ] = AppPort.NONE
    waits_for_dtr: Annotated[
        bool, key("true: the application says nothing before its serial port is opened; `after` counts from then.")
    ] = False
    """As `while (!Serial)` has it in firmware for Arduino."""
    keeps_unread: Annotated[
        bool, key("true: what nobody has read is still in its serial port after a restart, before the new words.")
    ] = False
    """As where a log is kept in memory over a reset."""
    uart: Annotated[
        File | None,
        key(
            "Its UART, as the port of a debug probe has it: a pseudo-terminal that stays over restarts, and hears the "
            "bootloader and the application. This file is a link to it. Default: none."
        ),
    ] = None
    app_serial: Annotated[
        AnyText | None, key('The serial that its application shows; "": none. Default: that of the bootloader.')
    ] = None
    map: Annotated[
        AnyText | None, key("The memory map string. Default: one that fits the flash, read-only before `app_address`.")
    ] = None
    transfer_size: Annotated[
        Annotated[int, Meta(ge=16, le=4096)] | None, key("wTransferSize. Default: that of the model.")
    ] = None
    attributes: Annotated[
        Annotated[int, Meta(ge=0, le=255)] | None, key("bmAttributes. Default: those of the model.")
    ] = None
    bcd_device: Annotated[Word16, key("bcdDevice.")] = 0x0200
    poll_erase: Annotated[
        Poll | None, key("Milliseconds that it claims for an erase. Default: as the model's published code.")
    ] = None
    poll_write: Annotated[
        Poll | None,
        key("Milliseconds that it claims for everything else; USBX models know no other. Default: the same."),
    ] = None
    erase_time: Annotated[
        Seconds, key("Time of an erase of the largest sector, in proportion for others. Default: as the chip.")
    ] = 0.002
    """Seconds; the default is that of an STM32H5, 8 KiB, typical."""
    word_time: Annotated[Seconds, key("Time to program one word. Default: as the chip.")] = 0.00003
    """Seconds; the default is that of an STM32H5, 16 bytes, typical."""
    attach_time: Annotated[Seconds, key('Time in which the host enumerates it after a restart (timing "real").')] = 0.1
    slowdown: Annotated[float, Meta(ge=1, le=1000), key("Factor by which all of that takes longer.")] = 1.0
    """The factor by which the bus, the flash work and restarts take longer, and the bootloader claims more.

    A machine keeps up with many boards then; measured times are divided by it again. Fixed claims stay.
    """
    plugged: Annotated[bool, key("true: it is plugged in when the daemon starts.")] = True
    start: Annotated[Start, key("First step when it is plugged in: boot its application, or stay in DFU mode.")] = (
        Start.BOOT
    )
    app_address: Annotated[Address, key("Address of the application that its bootloader starts.")] = 0x08020000
    flash_file: Annotated[
        File | None, key("File in which its flash is kept between runs, `contents` being for the first one.")
    ] = None
    """None: it goes with the bench."""
    bank_bug: Annotated[
        bool, key("true: an erase always works in bank 1, as in ST's USBX sample (USBX models only).")
    ] = False
    read_constant: Annotated[
        int, Meta(ge=0, le=255), key("The byte that a read answers from everywhere (models with constant reads).")
    ] = 0x00
    leave_answers: Annotated[
        bool,
        key("true: the GETSTATUS that starts the application is still answered (classic models only)."),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSpec(BenchBoardKeys):
    """One emulated board."""

    name: str
    model: Model = Model.CLASSIC
    port: int = 1
    """Port of the bench's root hub; one board a port."""
    timing: Timing = Timing.NONE
    shortest_pause: float = 0.001
    """Seconds (times `slowdown`) between two requests from which on they are a pause of the host, not its own work."""
    layout: FlashLayout = _STM32H5
    ram: tuple[Range, ...] = ()
    """Ranges in which the boot check wants the initial stack pointer, with their ends; empty: as ST's sample."""
    contents: tuple[Content, ...] = ()
    says: tuple[Saying, ...] = ()
    """The words of its application on its serial port and its UART."""
    boot_says: tuple[Saying, ...] = ()
    """The words of its bootloader on the UART."""
    crashes: tuple[AppCrash, ...] = ()
    """The faults of its application."""
    recording: Recording | None = None
    """The recording to replay instead of a model's bootloader; None: it has a bootloader."""
    clock: Callable[[], float] = clock.monotonic
    """Seconds, by which a strict model knows how long the host has waited. A test may let it stand still."""

    @property
    def block_size(self) -> int:
        """The board's wTransferSize."""
        return self.transfer_size or TRANSFER_SIZES.get(self.model, 1024)

    @property
    def running_serial(self) -> str:
        """The serial of its application; "" for none."""
        return self.serial if self.app_serial is None else self.app_serial

    @property
    def dfu_attributes(self) -> int:
        """The board's bmAttributes."""
        usual = zephyr.ATTRIBUTES if self.model is Model.ZEPHYR else _ATTRIBUTES
        return usual if self.attributes is None else self.attributes

    @property
    def memory_map(self) -> str:
        """A DfuSe bootloader's description of its flash."""
        return self.layout.memory_map(self.app_address) if self.map is None else self.map

    def new_flash(self) -> NorFlash:
        """A flash with the initial contents, or with those of its file. Raises ConfigError where that is unusable.

        Where the application is not at its start, a bootloader is there: no board runs from a blank flash.
        """
        half_words = replace(self.layout, word=dapboot.HALF_WORD, overwrite=Overwrite.ZEROS, faults=True)
        flash = NorFlash(half_words if self.model is Model.DAPBOOT else self.layout)
        if self.app_address >= self.layout.base + len(_BOOTLOADER):
            flash.load(self.layout.base, _BOOTLOADER)
        for content in self.contents:
            flash.load(content.address, content.data)
        if self.flash_file is not None:
            flash.content = kept(self.flash_file, bytes(flash.content))
        return flash

    def bootloader(self, flash: NorFlash) -> tuple[Identity, UsbFunction]:
        """The bootloader fresh from reset, and how it shows on the bus."""
        if self.recording is not None:
            recorded = recorded_identity(self.recording)
            return recorded, ReplayedBoard(self.recording, recorded)
        dfuse = DFUSE, (self.memory_map, *OTHER_MAPS.get(self.model, ()))
        version, names = _PLAIN.get(self.model, dfuse)
        detach = zephyr.DETACH_TIMEOUT if self.model is Model.ZEPHYR else _DETACH_TIMEOUT
        functional = Functional(self.dfu_attributes, detach, self.block_size, version)
        identity = Identity(
            self.dfu,
            dfu_settings(functional, alternates=len(names), string=_MAP_STRING),
            (self.manufacturer, self.product, self.serial, "DFU", *names),
            bcd_device=self.bcd_device,
            configuration_string=4,
        )
        return identity, self._bootloader(flash, identity, functional)

    def _bootloader(self, flash: NorFlash, identity: Identity, functional: Functional) -> UsbFunction:
        claims = DEFAULT_POLLS[self.model]
        poll_erase = self._claimed(claims[0] if self.poll_erase is None else self.poll_erase)
        poll_write = self._claimed(claims[1] if self.poll_write is None else self.poll_write)
        match self.model:
            case Model.USBX:
                usbx = UsbxSettings(functional, poll=poll_write, bank_bug=self.bank_bug)
                return UsbxBootloader(flash, identity, usbx)
            case Model.USBX_DEFAULT | Model.USBX_ASYNC:
                beside = self.model is Model.USBX_ASYNC
                return UsbxDefaultBootloader(flash, identity, DefaultSettings(functional, self.app_address, beside))
            case model if model in PLAIN_MODELS:
                return self._plain_bootloader(flash, identity, functional)
            case model if model in _MANNERS:
                dfuse = DfuseSettings(
                    functional=functional,
                    pointer=self.app_address,
                    poll_erase=poll_erase,
                    poll_other=poll_write,
                    clock=self.clock,
                    manner=_MANNERS[model],
                )
                return DfuseBootloader(flash, identity, dfuse)
            case _:
                return ClassicBootloader(flash, identity, self._classic(functional, poll_erase, poll_write))

    def _plain_bootloader(self, flash: NorFlash, identity: Identity, functional: Functional) -> UsbFunction:
        partitions = tuple(span for _, span in PARTITIONS)
        match self.model:
            case Model.DAPBOOT:
                return DapbootBootloader(flash, identity, DapbootSettings(functional, self.app_address))
            case Model.ZEPHYR:
                return ZephyrBootloader(flash, identity, ZephyrSettings(functional, partitions))
            case _:
                beside = self.model is Model.TINYUSB_ASYNC
                return TinyUsbBootloader(flash, identity, TinyUsbSettings(functional, partitions, beside))

    def _claimed(self, milliseconds: int) -> int:
        return min(round(milliseconds * self.slowdown), _MAX_POLL)

    def _classic(self, functional: Functional, poll_erase: int, poll_write: int) -> ClassicSettings:
        return ClassicSettings(
            functional,
            pointer=self.app_address,
            reads=_READS.get(self.model, Reads.GOOD),
            writes=self.model not in STORES_NOTHING,
            release=LibraryRelease.V2_9_0 if self.model in _OLD else LibraryRelease.CURRENT,
            poll_erase=poll_erase,
            poll_other=poll_write,
            constant=self.read_constant,
            cut_short=not self.leave_answers,
        )

    def application(self) -> tuple[Identity, UsbFunction] | None:
        """The application, None where it does not use USB."""
        if self.app is None:
            return None
        functional = None
        if self.runtime:
            attributes = self.dfu_attributes | Attribute.WILL_DETACH
            functional = Functional(attributes, transfer_size=self.block_size, version=RUNTIME_VERSION)
        strings = (self.manufacturer, self.product, self.running_serial)
        settings = app_settings(functional, serial_port=self.serial_port is not AppPort.NONE)
        identity = Identity(self.app, settings, strings, bcd_device=self.bcd_device)
        return identity, Application(identity, functional, self.serial_port)

    def image(self, flash: NorFlash) -> bytes:
        """The flash from the start of the application on."""
        return bytes(flash.content[self.app_address - flash.layout.base :])

    def voice(self, flash: NorFlash, started: float, *, waits: bool = False) -> Voice:
        """The voice of an application that has started; with `waits`, it says nothing before DTR is raised."""
        return Voice(self.says, self.image(flash) if self.says else b"", started=started, waits=waits)

    def bootloader_voice(self, flash: NorFlash, started: float) -> Voice:
        """The voice of a bootloader that has started."""
        return Voice(self.boot_says, bytes(flash.content) if self.boot_says else b"", started=started)

    def boots(self, flash: NorFlash, address: int | None = None) -> bool:
        """The boot check of what is at `address`, the application's by default.

        A stack pointer in the RAM (in the low RAM is all that ST's sample asks), and a reset vector that is odd and in
        the flash; dapboot has a check of its own.
        """
        if self.recording is not None:
            return True  # a recorded board that has left starts what it has, which nobody recorded
        start = (self.app_address if address is None else address) - flash.layout.base
        if not 0 <= start <= flash.layout.size - 8:
            return False
        stack, reset = (int.from_bytes(flash.content[start + at : start + at + 4], "little") for at in (0, 4))
        if self.model is Model.DAPBOOT:
            return dapboot.accepts(stack)
        in_flash = 0 <= reset - flash.layout.base < flash.layout.size
        in_ram = any(area.start < stack <= area.end for area in self.ram)
        in_ram = in_ram if self.ram else stack & _STACK_MASK == _STACK_BASE
        return in_ram and reset & 1 == 1 and in_flash


_PLAIN = {
    Model.TINYUSB: (PLAIN_VERSION, tuple(name for name, _ in PARTITIONS)),
    Model.TINYUSB_ASYNC: (PLAIN_VERSION, tuple(name for name, _ in PARTITIONS)),
    Model.ZEPHYR: (zephyr.VERSION, zephyr.NAMES),
    Model.DAPBOOT: (dapboot.VERSION, (dapboot.NAME,)),
}
"""bcdDFUVersion, and the names of the alternate settings."""
_MANNERS = {
    Model.STRICT_ERASE: Manner(early_erase=Early.ERROR),
    Model.STRICT_WRITE: Manner(early_other=Early.ERROR),
    Model.STRICT: Manner(early_erase=Early.ERROR, early_other=Early.ERROR),
    Model.H7_WEDGE: Manner(wedges=True),
    Model.GD32: Manner(leave=Leave.VANISHES),
    Model.GD32_SILENT: Manner(leave=Leave.IGNORES),
    Model.ROM: Manner(first_status=STATUS_FIRMWARE),
    Model.ROM_STALLS: Manner(busy_stalls=True, first_status=STATUS_FIRMWARE),
    Model.ROM_RDP1_SILENT: Manner(protected=True, first_status=STATUS_FIRMWARE),
}
"""The manner of each model of a DfuSe device by the book."""
_OLD = (Model.CLASSIC_OLD, Model.CLASSIC_OLD_NOREAD, Model.CLASSIC_OLD_TEMPLATE)
_READS = {
    Model.CLASSIC_NOREAD: Reads.NULL,
    Model.CLASSIC_TEMPLATE: Reads.NULL,
    Model.CLASSIC_OLD_NOREAD: Reads.NULL,
    Model.CLASSIC_OLD_TEMPLATE: Reads.NULL,
    Model.CLASSIC_STALE: Reads.STALE,
    Model.CLASSIC_STALE_ERASE: Reads.STALE_ERASE,
    Model.CLASSIC_ECHO: Reads.ECHO,
    Model.CLASSIC_CONSTANT: Reads.CONSTANT,
    Model.CLASSIC_CRASH: Reads.CRASH,
}
