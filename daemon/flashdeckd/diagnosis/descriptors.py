"""Findings on the descriptors and the first state of a device. Pure."""

from collections.abc import Iterator

from flashdeck.diagnosis import Finding, Severity
from flashdeckd.dfu.descriptor import VERSION_DFUSE
from flashdeckd.dfu.wire import MAX_TRANSFER, DfuProtocol, DfuState, state_name
from flashdeckd.diagnosis import st_sources
from flashdeckd.diagnosis.dialects import Dialect
from flashdeckd.diagnosis.observation import Case, Observation
from flashdeckd.usb.device import PROTOCOL_RUNTIME

_FULL_LENGTH = 9
SMALL = 256
_KNOWN_VERSIONS = (0x0100, 0x0101, 0x0110, VERSION_DFUSE)


def findings(case: Case, seen: Observation, dialect: Dialect) -> Iterator[Finding]:
    """Findings on the functional descriptor, the interface and the state that the device was found in."""
    yield from _version(seen, dialect)
    yield from _transfer_size(case, seen)
    yield from _attributes(seen)
    yield from _interface(seen)
    yield from _first_state(seen, dialect.protocol)
    if seen.quirk:
        yield Finding(
            code="quirk",
            severity=Severity.NOTE,
            seen=f"this is a device that is known not to be what it says: {seen.quirk}",
            means="flashdeck goes by what is known of it",
        )


def _version(seen: Observation, dialect: Dialect) -> Iterator[Finding]:
    raw, version = seen.raw_functional, seen.functional.version
    has_map = any(each.memory_map for each in seen.alternates)
    if not raw:
        yield Finding(
            code="functional-missing",
            severity=Severity.WARNING,
            seen="there is no DFU functional descriptor (type 0x21) in the configuration",
            means="no host can tell how much the device moves at once, nor what it is able to do",
            mend="put the nine bytes behind the last alternate setting of the DFU interface, and count them in "
            f"wTotalLength: {st_sources.FUNCTIONAL}. How long the whole is: {st_sources.CONFIGURATION_LENGTH}",
        )
        return
    if len(raw) != _FULL_LENGTH:
        yield Finding(
            code="functional-length",
            severity=Severity.NOTE if len(raw) == _FULL_LENGTH - 2 else Severity.WARNING,
            seen=f"the DFU functional descriptor has {len(raw)} bytes; DFU 1.1 has {_FULL_LENGTH}, DFU 1.0 seven",
            means="what is missing takes its default; without bcdDFUVersion a device counts as DFU 1.0",
            mend=f"send all nine bytes, and say so in bLength: {st_sources.FUNCTIONAL}",
        )
    if version == VERSION_DFUSE:
        yield from dialect.on_dfuse
        return
    shown = "nothing" if version is None else f"0x{version:04x}"
    if has_map:
        yield Finding(
            code="version-not-dfuse",
            severity=Severity.ERROR,
            seen=f"bcdDFUVersion is {shown}, but the interface's name is a DfuSe memory map",
            means="hosts decide by bcdDFUVersion: as a plain DFU device it would be sent no addresses, and take a "
            "command for the first bytes of its firmware",
            mend="say 0x011A in bcdDFUVersion, the last two bytes of the functional descriptor: "
            f"{st_sources.FUNCTIONAL}",
        )
    else:
        known = "" if version in _KNOWN_VERSIONS else ", which no specification knows"
        yield Finding(
            code="plain-dfu",
            severity=dialect.plain,
            seen=f"bcdDFUVersion is {shown}{known}, and there is no memory map",
            means="this is plain DFU 1.1: an alternate setting is written from its start on, block by block. There are "
            "no addresses, and a half-written image cannot be kept from booting by the order of writing",
            mend="name the alternate setting as `alt` of a partition instead of an address; if it is meant to be "
            f"DfuSe, report bcdDFUVersion 0x011A in the functional descriptor ({st_sources.FUNCTIONAL}), and a memory "
            f"map ({st_sources.MAP})",
        )


def _transfer_size(case: Case, seen: Observation) -> Iterator[Finding]:
    size, unit = seen.functional.transfer_size, case.profile.geometry.program_unit
    if not seen.raw_functional:
        return
    if not size:
        yield Finding(
            code="transfer-size-zero",
            severity=Severity.WARNING,
            seen="wTransferSize is 0",
            means="no host can know how much to send at once. flashdeck sends 64 bytes, each with its own address",
            mend=f"make it 1024 or 2048: {st_sources.TRANSFER_SIZE}",
        )
    elif size > MAX_TRANSFER:
        yield Finding(
            code="transfer-size-large",
            severity=Severity.WARNING,
            seen=f"wTransferSize is {size} bytes",
            means=f"Linux carries at most {MAX_TRANSFER} bytes in one control transfer, while the device multiplies "
            "block numbers with its own constant: a host that sends less needs the address set before every block",
            mend=f"make it {MAX_TRANSFER} or less, best 2048: {st_sources.TRANSFER_SIZE}",
        )
    elif size % unit:
        yield Finding(
            code="transfer-size-odd",
            severity=Severity.ERROR if size < unit else Severity.WARNING,
            seen=f"wTransferSize is {size} bytes, and the flash programs {unit} at once",
            means="blocks of that size begin in the middle of a program unit, which cannot be programmed twice. "
            + (
                "There is no way to write this flash"
                if size < unit
                else "flashdeck sends fewer bytes, each block with its own address"
            ),
            mend=f"make it a multiple of {unit}, best a power of two from 1024 to 4096: {st_sources.TRANSFER_SIZE}",
        )
    elif size < SMALL:
        yield Finding(
            code="transfer-size-small",
            severity=Severity.NOTE,
            seen=f"wTransferSize is {size} bytes",
            means="each block costs three requests, however short it is: most of the time goes into asking",
            mend=f"raise it to 1024 or 2048 if there is RAM for it: {st_sources.TRANSFER_SIZE}",
        )


def _attributes(seen: Observation) -> Iterator[Finding]:
    functional = seen.functional
    if not seen.raw_functional:
        return
    if not functional.can_download:
        yield Finding(
            code="no-download",
            severity=Severity.ERROR,
            seen="bitCanDnload is 0: the device says that it cannot be written",
            means="hosts that believe it refuse to flash",
            mend=f"set bit 0 of bmAttributes: {st_sources.ATTRIBUTES}",
        )
    if functional.manifestation_tolerant:
        yield Finding(
            code="manifestation-tolerant",
            severity=Severity.WARNING,
            seen="bitManifestationTolerant is 1",
            means="ST's classic class then goes back to dfuIDLE after the leave and never resets: the application does "
            "not start until somebody presses RESET. (USBX does not look at this bit.)",
            mend=f"clear bit 2 of bmAttributes: {st_sources.ATTRIBUTES}",
        )
    if not functional.will_detach:
        yield Finding(
            code="no-will-detach",
            severity=Severity.NOTE,
            seen="bitWillDetach is 0",
            means="USBX then stays on the bus after the leave until the host resets it, and ST's classic class waits "
            "in its interrupt where it should detach",
            mend=f"set bit 3 of bmAttributes: {st_sources.ATTRIBUTES}",
        )


def _interface(seen: Observation) -> Iterator[Finding]:
    if seen.alternates and all(each.protocol == PROTOCOL_RUNTIME for each in seen.alternates):
        yield Finding(
            code="protocol-runtime",
            severity=Severity.WARNING,
            seen="the interface says bInterfaceProtocol 1 (run-time), and answers as a device in DFU mode",
            means="tools that look at the protocol send a DETACH first, and wait for a device that is there already",
            mend="set bInterfaceProtocol to 2 in the bootloader's descriptors (1 belongs in the application's): "
            f"{st_sources.PROTOCOL}",
        )
    names = [each.text for each in seen.alternates if each.text]
    if len(names) > 1 and len(set(names)) == 1:
        yield Finding(
            code="same-names",
            severity=Severity.NOTE,
            seen=f"all {len(names)} alternate settings have the same name",
            means="ST's classic class has one string for all of them and does not use the setting for addressing: it "
            "is one memory, offered several times",
            mend="leave one alternate setting (USBD_DFU_MAX_ITF_NUM = 1)",
        )


def _first_state(seen: Observation, protocol: DfuProtocol) -> Iterator[Finding]:
    state, status = seen.first_state, seen.first_status
    if state == DfuState.ERROR:
        rom = "many ROM bootloaders begin so, with errFIRMWARE, until CLRSTATUS has come once; otherwise "
        yield Finding(
            code="found-in-error",
            severity=Severity.NOTE,
            seen=f"it was found in dfuERROR{f': {status.describe(protocol)}' if status else ''}",
            means=f"{rom if protocol is DfuProtocol.DFUSE else ''}somebody else talked to it before and did not clear "
            "up. CLRSTATUS has brought it back",
        )
    elif state is None:
        yield Finding(
            code="state-stalled",
            severity=Severity.NOTE,
            seen="the first GETSTATE was refused with a STALL",
            means="USBX does that in dfuERROR unless it is built with UX_DEVICE_CLASS_DFU_ERROR_GET_ENABLE, and some "
            "old bootloaders do not know GETSTATE",
            mend="in USBX, define UX_DEVICE_CLASS_DFU_ERROR_GET_ENABLE, so that a host can ask what went wrong",
        )
    elif state != DfuState.IDLE:
        yield Finding(
            code="found-busy",
            severity=Severity.NOTE,
            seen=f"it was found in {state_name(state)}",
            means="a host stopped in the middle of something, or another program is talking to the board; it was "
            "brought back to dfuIDLE",
        )
