"""Words that people type for what flashdeck does not have, and what does its work today."""

from collections.abc import Mapping
from typing import Final

COMMANDS: Final[Mapping[str, str]] = {
    "verify": "'flashdeck status' shows what was read back; 'flashdeck flash PARTITION FILE' compares first where the "
    "board can be read, and writes only what differs",
    "read": "flashdeck copies no flash into a file; dfu-util --upload does, where the bootloader can be read",
    "erase": "flashdeck erases only what it writes; 'flashdeck flash PARTITION FILE' replaces what is there",
    "reset": "a board leaves DFU mode after its flash, unless its profile says leave = false; else press its reset "
    "button",
    "init": "'flashdeck suggest' prints what is plugged in as configuration",
    "power": "flashdeck switches no ports; pull the cable, or use uhubctl",
    "console": "flashdeck reads no serial ports; open the port with a terminal program",
    "run": "'flashdeck wait PARTITION && COMMAND' runs a command once the newest build is on the boards",
    "follow": "'flashdeck logs -f' follows the daemon, and 'flashdeck flash' follows its jobs",
    "serve": "there is no browser's view; 'ssh -t HOST flashdeck' opens the screen of another machine",
    "connect": "run the command on the machine that has the boards: ssh HOST flashdeck status",
    "man": "'flashdeck COMMAND --help' explains each command",
    "help": "'flashdeck --help' lists the commands, 'flashdeck COMMAND --help' explains one",
}

CONFIG_COMMANDS: Final[Mapping[str, str]] = {
    "reload": "the daemon reads its configuration when it starts: check it with 'flashdeck config check', then start "
    "flashdeckd again",
    "trust": "nothing has to be confirmed: the daemon takes included files as they are; 'flashdeck config show' prints "
    "what comes of them",
}
