"""Words that people type for what flashdeck does not have, and what does its work today."""

from collections.abc import Mapping
from typing import Final

COMMANDS: Final[Mapping[str, str]] = {
    "power": "flashdeck switches no ports; pull the cable, or use uhubctl",
    "man": "'flashdeck COMMAND --help' explains each command",
    "version": "'flashdeck --version' prints it",
    "help": "'flashdeck --help' lists the commands, 'flashdeck COMMAND --help' explains one",
}
