"""Numbers of the product that are no limits, because nobody chose them as one; each group with its reason."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from limits.names import Name

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "codes, lengths and offsets of the USB and DFU standards": (
        "*:STATUS_*",
        "*:MAX_STRING",
        "*:_STATUS_LENGTH",
        "*:*_DESCRIPTOR",
        "*:*SET_ADDRESS",
        "*:ERASE",
        "*:_ERASE_PAGE",
        "*:*_REQUEST",
        "*:*ENGLISH",
        "flashdeck.board_tables:MAX_BCD",
        "flashdeck.recording:MAX_LENGTH",
        "flashdeckd.dfu.descriptor:*",
        "flashdeckd.dfu.plain_session:_BLOCK_NUMBERS",
        "flashdeckd.dfu.quirks:*",
        "flashdeckd.dfu.wire:*_BLOCK",
        "flashdeckd.diagnosis.descriptors:*_VERSIONS",
        "flashdeckd.diagnosis.descriptors:_FULL_LENGTH",
        "flashdeckd.usb.descriptors:_INTERFACE*",
        "flashdeckd.usb.device:*",
        "flashdeckd.usb.recording:_DIRECTION",
        "flashdeckd.usb.strings:_*",
        "flashdeckd.usb.sysfs:HUB_CLASS",
        "flashdeckd.usb.sysfs:_MAX_ATTRIBUTE",
        "flashdeckd.usb.transport:_STRING",
        "flashdeckd.usb.transport:_OUT",
        "flashdeckd.usb.transport:*_IN",
        "flashdeckd.virtual.*:*_LENGTH",
        "flashdeckd.virtual.identity:DFUSE",
        "flashdeckd.virtual.replay:*",
        "flashdeckd.virtual.spec:_MAX_POLL",
        "flashdeckd.virtual.spec:_ATTRIBUTES",
        "flashdeckd.virtual.board:_CURE_TYPE",
        "flashdeckd.diagnosis.reading:ST_REFUSED",
        "flashdeck_tui.cli.redaction:*",
    ),
    "formats of files, and addresses of chips, as others have set them": (
        "*:*BLANK",
        "*:_WORD",
        "flashdeck.config_file:_MAX_ALTERNATE",
        "flashdeckd.usb.record_directory:_NUMBERS",
        "flashdeck.geometry:ADDRESS_SPACE",
        "flashdeck.guard_tables:_*",
        "flashdeck.paths:*",
        "flashdeck.toml_table:MAX_NUMBER",
        "flashdeck.trustzone:*",
        "flashdeckd.images.crc_guard:_ONES",
        "flashdeckd.images.dfu_file:_ANY",
        "flashdeckd.images.elf:_ALLOCATED",
        "flashdeckd.images.elf:_COUNTED_ELSEWHERE",
        "flashdeckd.images.elf:_HEADER_SIZE",
        "flashdeckd.images.elf:_LOAD",
        "flashdeckd.images.program:*",
        "flashdeckd.images.sample_checks:RAM_START",
        "flashdeckd.images.version:_N*",
    ),
    "versions of what is written down or sent, identities, and what earlier releases did": (
        "flashdeckd.images.flattening:*",
        "flashdeck.api:PROTOCOL_VERSION",
        "flashdeck.recording:FORMAT",
        "flashdeckd.state.journal_schema:*_ID",
    ),
    "sizes of the steps of a work, whose outcome is the same with any other": (
        "flashdeck.patterns:_PREFIX",
        "flashdeckd.builds.lease:_PIECE",
        "flashdeckd.signals:_AT_ONCE",
        "flashdeckd.usb.hotplug:_DRAIN",
    ),
    "units": ("*:_KIB", "*:_MIB", "*:_MINUTE", "*:_HOUR", "*:_DAY"),
    "what real bootloaders and buses do, which their models follow (recorded answers are the judge)": (
        "flashdeckd.virtual.application:*",
        "flashdeckd.virtual.backend:*",
        "flashdeckd.virtual.board:BUSY_REQUESTS",
        "flashdeckd.virtual.board:_STEPS_HOME",
        "flashdeckd.virtual.bus_clock:PACKET*",
        "flashdeckd.virtual.bus_clock:TRANSFER",
        "flashdeckd.virtual.classic:CACHE_LINE",
        "flashdeckd.virtual.classic:COMMAND_WITH_ADDRESS",
        "flashdeckd.virtual.classic:MAX_INTERFACES",
        "flashdeckd.virtual.dapboot:*",
        "flashdeckd.virtual.faults:*",
        "flashdeckd.virtual.spec:*_VERSION",
        "flashdeckd.virtual.spec:_DETACH_TIMEOUT",
        "flashdeckd.virtual.spec:_MAP_STRING",
        "flashdeckd.virtual.spec:_STACK_*",
        "flashdeckd.virtual.tinyusb:POLL_*",
        "flashdeckd.virtual.usbx_default:POLL",
        "flashdeckd.virtual.zephyr:*",
        "flashdeck_tui.demo.demo_bench:_*_TIME",
    ),
    "counts of transfers that the class needs (the plan's estimate is compared with a run)": (
        "flashdeckd.flash.cost:*",
        "flashdeckd.flash.plain_planner:_OPENING",
        "flashdeckd.flash.plain_planner:_BLOCK",
        "flashdeckd.flash.plain_planner:_ENDING",
        "flashdeckd.flash.plain_planner:_LEAVING",
        "flashdeckd.flash.banks:_BANKS",
        "flashdeckd.diagnosis.banks:_SEVERAL",
    ),
    "columns and lines, for looks": (
        "flashdeck_tui.cli.commands.doctor:_NARROWEST",
        "flashdeck_tui.cli.progress:_BAR",
        "flashdeck_tui.cli.table:*",
        "flashdeck_tui.screens.main:*",
        "flashdeck_tui.views:_BAR_CELLS",
        "flashdeck_tui.views:_NAME",
        "flashdeck_tui.widgets.*:*GAP",
        "flashdeck_tui.widgets.log_panel:_LEAST",
        "flashdeck_tui.widgets.rows:_HEADER",
        "flashdeck_tui.terminal:GONE",
    ),
}


_PATTERNS = tuple(pattern for patterns in FACTS.values() for pattern in patterns)


def is_a_fact(name: Name, patterns: Sequence[str] = _PATTERNS) -> bool:
    """Return whether a number is listed here."""
    return any(fnmatchcase(str(name), pattern) for pattern in patterns)
