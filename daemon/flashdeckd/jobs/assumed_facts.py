"""Facts that are assumed of a board that cannot be asked now."""

from flashdeckd.flash.flash_plan import DeviceFacts

ASSUMED_FACTS = DeviceFacts(transfer_size=1024, map_error="the board cannot be asked for its map now")
"""1024 is the wTransferSize of most ST bootloaders; a plan that is carried out always asks the board itself."""
ASSUMED_NOTE = "planned from the configured geometry alone, in blocks of 1024 bytes"
